//! What a user has spent or is spending on a day: the counter behind the daily cap. One row per user and day, so two users
//! never wait for each other.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::sea_query::OnConflict;

use crate::clock::Day;
use crate::id::Uid;
use crate::money::Fen;

/// A user's day.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "spend")]
pub struct Model {
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub uid: Uid,
    /// The China day.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Day,
    /// Paid and in progress, in fen.
    pub amount: Fen,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Adds to the day unless that would pass the cap; `false` when it would. The database decides, in one statement.
pub async fn add(db: &impl ConnectionTrait, uid: &Uid, day: Day, amount: Fen, cap: Fen) -> Result<bool, DbErr> {
    if amount > cap {
        return Ok(false);
    }
    let room = Expr::col((Entity, Column::Amount)).add(amount).lte(cap);
    let conflict = OnConflict::columns([Column::Uid, Column::Day])
        .value(Column::Amount, Expr::col((Entity, Column::Amount)).add(amount))
        .action_and_where(room)
        .to_owned();
    let row = ActiveModel {
        uid: Set(uid.clone()),
        day: Set(day),
        amount: Set(amount),
    };
    let done = Entity::insert(row)
        .on_conflict(conflict)
        .exec_without_returning(db)
        .await;
    match done {
        Ok(rows) => Ok(rows == 1),
        Err(DbErr::RecordNotInserted) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Takes a payment that did not come about off the day.
pub async fn release(db: &impl ConnectionTrait, uid: &Uid, day: Day, amount: Fen) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Amount, Expr::col(Column::Amount).sub(amount))
        .filter(Column::Uid.eq(uid.clone()))
        .filter(Column::Day.eq(day))
        .filter(Column::Amount.gte(amount))
        .exec(db)
        .await
        .map(|_| ())
}
