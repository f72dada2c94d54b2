//! The history of the database schema. Entities are never imported here: history must not change when code does.

use sea_orm_migration::prelude::*;

mod m20261123_000001_payments;
mod m20261126_000002_directory_version;
mod m20261127_000003_rules;
mod m20261127_000004_webhooks;
mod m20261127_000005_members;

/// Runs the history, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_payments::Migration),
            Box::new(m20261126_000002_directory_version::Migration),
            Box::new(m20261127_000003_rules::Migration),
            Box::new(m20261127_000004_webhooks::Migration),
            Box::new(m20261127_000005_members::Migration),
        ]
    }
}
