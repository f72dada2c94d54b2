//! The version of what the directory tells, by which every node notices changes made on another.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, integer};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature hides the lifetime, and async_trait wants the same"
)]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("directory_version")
            .col(integer("id").primary_key())
            .col(big_integer("version"))
            .to_owned();
        manager.create_table(table).await?;
        let row = Query::insert()
            .into_table("directory_version")
            .columns(["id", "version"])
            .values_panic([1.into(), 1.into()])
            .to_owned();
        manager.execute(row).await
    }
}
