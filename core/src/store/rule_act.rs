//! What people did with rules, in the order in which they did it.

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::QueryOrder;
use sea_orm::entity::prelude::*;
use serde::Serialize;

use super::Tx;
use crate::clock::Time;
use crate::id::RuleNo;

/// An act.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel, Serialize)]
#[sea_orm(table_name = "rule_act")]
pub struct Model {
    /// Its position.
    #[sea_orm(primary_key)]
    pub act_id: i64,
    /// On which rule.
    pub rule_no: RuleNo,
    /// What was done: a word.
    pub act: String,
    /// By whom.
    pub by_whom: String,
    /// In a sentence; may be empty.
    pub detail: String,
    /// When.
    pub acted_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Notes an act, in the transaction of the act itself.
pub async fn note(
    tx: &Tx,
    (rule_no, act): (&RuleNo, &str),
    (by, detail): (&str, String),
    now: Time,
) -> Result<(), DbErr> {
    let row = ActiveModel {
        act_id: NotSet,
        rule_no: Set(rule_no.clone()),
        act: Set(act.to_owned()),
        by_whom: Set(by.to_owned()),
        detail: Set(detail),
        acted_at: Set(now),
    };
    Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
}

/// What was done with a rule, the oldest first.
pub async fn of(db: &impl ConnectionTrait, rule_no: &RuleNo) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::RuleNo.eq(rule_no.clone()))
        .order_by_asc(Column::ActId)
        .all(db)
        .await
}
