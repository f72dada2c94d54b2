//! Scripts, by their content. Never changed, never deleted: what a payment pins can be run again for ever.

use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;

use crate::clock::Time;
use crate::rules::{Kind, RuleVersion, Script};

/// A script.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rule_source")]
pub struct Model {
    /// Its version, made from its content.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: RuleVersion,
    /// What it decides.
    pub kind: Kind,
    /// Its text.
    pub source: String,
    /// When it was seen first.
    pub created_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Keeps scripts, those that are not kept already.
pub async fn keep(
    db: &impl ConnectionTrait,
    scripts: impl IntoIterator<Item = &Script>,
    now: Time,
) -> Result<(), DbErr> {
    let row = |script: &Script| Model {
        version: script.version.clone(),
        kind: script.kind,
        source: script.source.to_string(),
        created_at: now,
    };
    Entity::insert_many(scripts.into_iter().map(|script| row(script).into_active_model()))
        .on_conflict_do_nothing_on([Column::Version])
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// The script of a version.
pub async fn find(db: &impl ConnectionTrait, version: &RuleVersion) -> Result<Option<Script>, DbErr> {
    let row = Entity::find_by_id(version.clone()).one(db).await?;
    Ok(row.map(|row| Script {
        version: row.version,
        kind: row.kind,
        source: row.source.into(),
    }))
}
