//! Alarms: what a person must look at.

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::QueryOrder;
use sea_orm::entity::prelude::*;

use crate::clock::Time;

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "alarm")]
pub struct Model {
    /// Its position.
    #[sea_orm(primary_key)]
    pub alarm_id: i64,
    /// What kind (`compensation`, `notice_mismatch`, …).
    pub kind: String,
    /// What it is about: a number of ours.
    pub subject: String,
    /// What happened, in a sentence.
    pub text: String,
    /// When.
    pub raised_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Raises an alarm.
pub async fn insert(
    db: &impl ConnectionTrait,
    kind: &str,
    subject: &str,
    text: String,
    now: Time,
) -> Result<(), DbErr> {
    let row = ActiveModel {
        alarm_id: NotSet,
        kind: Set(kind.to_owned()),
        subject: Set(subject.to_owned()),
        text: Set(text),
        raised_at: Set(now),
    };
    Entity::insert(row).exec_without_returning(db).await.map(|_| ())
}

/// All alarms, the newest first.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_desc(Column::AlarmId).all(db).await
}
