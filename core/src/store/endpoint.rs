//! Where merchants want to be told.

use std::collections::BTreeSet;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait as _, LockType};
use sea_orm::{Condition, DatabaseTransaction, IntoActiveModel, QueryOrder, QuerySelect, sea_query::OnConflict};
use serde::Serialize;

use super::db::has_other_writers;
use crate::clock::Time;
use crate::id::MchId;

/// How an endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EndpointState {
    /// Its owner has not been proven.
    Unproven,
    /// It is told.
    Active,
    /// Switched off by the merchant. What is owed waits.
    Disabled,
    /// It answered 410: nobody is there any more. What is owed waits.
    Gone,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "endpoint")]
pub struct Model {
    /// Its number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub endpoint_id: String,
    /// Whose it is.
    pub mch_id: MchId,
    /// Its address.
    pub url: String,
    /// What the merchant calls it.
    pub description: String,
    /// What it wants to be told, as a JSON list; `["*"]` for everything.
    pub kinds: String,
    /// How it stands.
    pub state: EndpointState,
    /// The keys that sign for it, as JSON, sealed.
    pub keys_sealed: String,
    /// Tellings in a row that it did not take.
    pub failures: i32,
    /// When it is to be told next; nothing while nothing is owed to it.
    pub next_at: Option<Time>,
    /// Until when some node is at it.
    pub busy_until: Option<Time>,
    /// When it was written down.
    pub created_at: Time,
    /// When it was changed last.
    pub updated_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes an endpoint down, or the merchant's changes of it.
pub async fn put(tx: &DatabaseTransaction, endpoint: Model) -> Result<(), DbErr> {
    let conflict = OnConflict::column(Column::EndpointId)
        .update_columns([
            Column::Url,
            Column::Description,
            Column::Kinds,
            Column::State,
            Column::KeysSealed,
            Column::Failures,
            Column::NextAt,
            Column::UpdatedAt,
        ])
        .to_owned();
    Entity::insert(endpoint.into_active_model())
        .on_conflict(conflict)
        .exec_without_returning(tx)
        .await
        .map(|_| ())
}

/// The endpoint of this number with this merchant.
pub async fn find(db: &impl ConnectionTrait, mch_id: &MchId, endpoint_id: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(endpoint_id)
        .filter(Column::MchId.eq(mch_id.clone()))
        .one(db)
        .await
}

/// All endpoints of a merchant, the oldest first.
pub async fn of_merchant(db: &impl ConnectionTrait, mch_id: &MchId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::MchId.eq(mch_id.clone()))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::EndpointId)
        .all(db)
        .await
}

/// Holds an endpoint until the transaction ends, and answers how it stands then.
pub async fn hold(tx: &DatabaseTransaction, endpoint_id: &str) -> Result<Option<Model>, DbErr> {
    let mut held = Entity::find_by_id(endpoint_id);
    if has_other_writers(tx) {
        held = held.lock(LockType::NoKeyUpdate);
    }
    held.one(tx).await
}

/// Holds these until the transaction ends, and answers which of them are there. Always in one order, so that two who hold several
/// do not wait for each other.
pub async fn hold_those_there(
    tx: &DatabaseTransaction,
    endpoints: BTreeSet<String>,
) -> Result<BTreeSet<String>, DbErr> {
    if endpoints.is_empty() {
        return Ok(endpoints);
    }
    let mut held = Entity::find()
        .select_only()
        .column(Column::EndpointId)
        .filter(Column::EndpointId.is_in(endpoints))
        .order_by_asc(Column::EndpointId);
    if has_other_writers(tx) {
        held = held.lock(LockType::NoKeyUpdate);
    }
    Ok(held.into_tuple::<String>().all(tx).await?.into_iter().collect())
}

/// Removes an endpoint.
pub async fn remove(tx: &DatabaseTransaction, endpoint_id: &str) -> Result<(), DbErr> {
    Entity::delete_by_id(endpoint_id).exec(tx).await.map(|_| ())
}

/// Endpoints that something is owed to now and that nobody is at, whoever has waited longest first.
pub async fn due(db: &impl ConnectionTrait, now: Time, limit: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::State.eq(EndpointState::Active))
        .filter(Column::NextAt.lte(now))
        .filter(free(now))
        .order_by_asc(Column::NextAt)
        .limit(limit)
        .all(db)
        .await
}

/// Begins to be at one, until then; `false` when somebody else is.
pub async fn take(db: &impl ConnectionTrait, endpoint_id: &str, now: Time, until: Time) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::BusyUntil, Expr::value(until))
        .filter(Column::EndpointId.eq(endpoint_id))
        .filter(Column::State.eq(EndpointState::Active))
        .filter(free(now))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Nobody is at it.
pub(super) fn free(now: Time) -> Condition {
    Condition::any()
        .add(Column::BusyUntil.is_null())
        .add(Column::BusyUntil.lte(now))
}

/// Goes on being at one; `false` when the time was over and somebody else is.
pub async fn stay(db: &impl ConnectionTrait, endpoint_id: &str, seen: Time, until: Time) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::BusyUntil, Expr::value(until))
        .filter(Column::EndpointId.eq(endpoint_id))
        .filter(Column::BusyUntil.eq(seen))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Whether one stands as it was seen, and is still this node's until then.
pub async fn stands(db: &impl ConnectionTrait, seen: &Model, until: Time) -> Result<bool, DbErr> {
    let present = Entity::find_by_id(&seen.endpoint_id).one(db).await?;
    Ok(present.is_some_and(|present| {
        present.busy_until == Some(until)
            && present.updated_at == seen.updated_at
            && present.state == EndpointState::Active
    }))
}

/// Something new is owed to these. One that rests, after so many failures in a row, goes on resting.
pub async fn owe(tx: &DatabaseTransaction, endpoints: Vec<String>, rests_from: i32, now: Time) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::NextAt, Expr::value(now))
        .filter(Column::EndpointId.is_in(endpoints))
        .filter(
            Condition::any()
                .add(Column::NextAt.is_null())
                .add(Column::Failures.lt(rests_from).and(Column::NextAt.gt(now))),
        )
        .exec(tx)
        .await
        .map(|_| ())
}

/// How many endpoints stand so, and how many of them did not take so many in a row.
pub async fn count(db: &impl ConnectionTrait, failures_from: i32) -> Result<Vec<(EndpointState, bool, i64)>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::State)
        .expr_as(Column::Failures.gte(failures_from), "fails")
        .column_as(Column::EndpointId.count(), "many")
        .group_by(Column::State)
        // By its name: written out again it would be another value to the database.
        .group_by(Expr::col("fails"))
        .into_tuple()
        .all(db)
        .await
}

/// Writes how it stands after it was told, and lets others at it.
pub async fn leave(tx: &DatabaseTransaction, endpoint: &Model) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(endpoint.state))
        .col_expr(Column::Failures, Expr::value(endpoint.failures))
        .col_expr(Column::NextAt, Expr::value(endpoint.next_at))
        .col_expr(Column::BusyUntil, Expr::value(Option::<i64>::None))
        .filter(Column::EndpointId.eq(endpoint.endpoint_id.clone()))
        .exec(tx)
        .await
        .map(|_| ())
}
