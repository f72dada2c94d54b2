//! Users of the App who opened the consumption code.

use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait as _, LockType};
use sea_orm::{IntoActiveModel, QuerySelect, sea_query::OnConflict};
use serde::Serialize;

use super::db::has_other_writers;
use crate::clock::Time;
use crate::id::Uid;

/// How a user's code account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UserState {
    /// Open: codes are issued.
    Active,
    /// Closed by the user; may be opened again.
    Closed,
    /// Frozen by an operator.
    Frozen,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "app_user")]
pub struct Model {
    /// The App's number of the user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub uid: Uid,
    /// How the account stands.
    pub status: UserState,
    /// The phone, sealed.
    pub phone_sealed: Option<String>,
    /// The phone's blind index.
    pub phone_index: Option<String>,
    /// Counts the numbers that he had: what a membership system was told last is one of them.
    pub phone_version: i32,
    /// When he got the present one, where it is not the first.
    pub phone_changed_at: Option<Time>,
    /// When it was opened (last).
    pub opened_at: Time,
    /// When it was closed, while it is.
    pub closed_at: Option<Time>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Opens accounts, each for the first time or again; frozen ones stay frozen.
pub async fn open_all(db: &impl ConnectionTrait, users: Vec<Model>) -> Result<(), DbErr> {
    let conflict = OnConflict::column(Column::Uid)
        .update_columns([
            Column::Status,
            Column::PhoneSealed,
            Column::PhoneIndex,
            Column::PhoneVersion,
            Column::PhoneChangedAt,
            Column::OpenedAt,
            Column::ClosedAt,
        ])
        .action_and_where(Expr::col((Entity, Column::Status)).ne(UserState::Frozen.to_value()))
        .to_owned();
    Entity::insert_many(users.into_iter().map(IntoActiveModel::into_active_model))
        .on_conflict(conflict)
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Sets a user's phone.
pub async fn set_phone(tx: &DatabaseTransaction, user: &Model) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::PhoneSealed, Expr::value(user.phone_sealed.clone()))
        .col_expr(Column::PhoneIndex, Expr::value(user.phone_index.clone()))
        .col_expr(Column::PhoneVersion, Expr::value(user.phone_version))
        .col_expr(Column::PhoneChangedAt, Expr::value(user.phone_changed_at))
        .filter(Column::Uid.eq(user.uid.clone()))
        .exec(tx)
        .await
        .map(|_| ())
}

/// The user of this number.
pub async fn find(db: &impl ConnectionTrait, uid: &Uid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(uid.clone()).one(db).await
}

/// Makes this transaction the only one that acts on what belongs to the user (his consents, codes and events) until it
/// ends. Where several rows are held, the order is: payment, user, contract, mandate, code; then nobody waits for ever.
pub async fn hold(tx: &DatabaseTransaction, uid: &Uid) -> Result<(), DbErr> {
    if !has_other_writers(tx) {
        return Ok(());
    }
    let held = Entity::find_by_id(uid.clone()).select_only().column(Column::Uid);
    held.lock(LockType::NoKeyUpdate)
        .into_tuple::<Uid>()
        .one(tx)
        .await
        .map(|_| ())
}

/// Closes an open account.
pub async fn close(db: &impl ConnectionTrait, uid: &Uid, now: Time) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::Status, Expr::value(UserState::Closed))
        .col_expr(Column::ClosedAt, Expr::value(now))
        .filter(Column::Uid.eq(uid.clone()))
        .filter(Column::Status.eq(UserState::Active))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}
