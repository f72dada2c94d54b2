//! Sealed blocks of the ledger, and the balances rolled up to them.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::sea_query::OnConflict;
use sea_orm::{IntoActiveModel, QueryOrder};

use crate::clock::Time;

/// A block: a run of entries, chained to the one before by its hash.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "block")]
pub struct Model {
    /// Its number, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub block_no: i64,
    /// The first entry in it.
    pub first_entry: i64,
    /// The last entry in it.
    pub last_entry: i64,
    /// The hash of the block before; zeros for the first.
    pub previous_hash: String,
    /// SHA-256 over the previous hash and the entries.
    pub hash: String,
    /// When it was sealed.
    pub sealed_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Balances, rolled up through a sealed entry.
pub mod balance {
    use super::*;

    /// A rolled-up balance.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "balance")]
    pub struct Model {
        /// The account.
        #[sea_orm(primary_key, auto_increment = false)]
        pub account: String,
        /// The sum of its entries through the position, in fen.
        pub amount: i64,
        /// The position.
        pub through_entry: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The last block.
pub async fn last(db: &impl ConnectionTrait) -> Result<Option<Model>, DbErr> {
    Entity::find().order_by_desc(Column::BlockNo).one(db).await
}

/// All blocks, in order.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_asc(Column::BlockNo).all(db).await
}

/// Adds a block.
pub async fn insert(db: &impl ConnectionTrait, block: Model) -> Result<(), DbErr> {
    Entity::insert(block.into_active_model())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Adds to an account's rolled-up balance and moves its position on.
pub async fn roll_up(db: &impl ConnectionTrait, account: String, amount: i64, through_entry: i64) -> Result<(), DbErr> {
    use balance::{Column, Entity};
    let conflict = OnConflict::column(Column::Account)
        .value(Column::Amount, Expr::col((Entity, Column::Amount)).add(amount))
        .value(Column::ThroughEntry, Expr::value(through_entry))
        .to_owned();
    let row = balance::Model {
        account,
        amount,
        through_entry,
    };
    Entity::insert(row.into_active_model())
        .on_conflict(conflict)
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// All rolled-up balances.
pub async fn balances(db: &impl ConnectionTrait) -> Result<Vec<balance::Model>, DbErr> {
    balance::Entity::find()
        .order_by_asc(balance::Column::Account)
        .all(db)
        .await
}
