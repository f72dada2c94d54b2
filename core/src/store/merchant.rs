//! Merchants and their stores.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, sea_query::OnConflict};
use serde::Serialize;

use crate::clock::Time;
use crate::id::{MchId, StoreId};

/// Whether something may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    /// In use.
    Active,
    /// Switched off.
    Disabled,
}

/// A merchant.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "merchant")]
pub struct Model {
    /// Its number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub mch_id: MchId,
    /// Its name, as users see it.
    pub name: String,
    /// Whether it may take payments.
    pub status: Standing,
    /// Its fee in ten-thousandths of the amount.
    pub fee_rate: i32,
    /// Its category, and sub-category after a slash (`retail/department`): rules may stand for all of it.
    pub category: Option<String>,
    /// The networks that its tills may call from, comma between them; nothing where they may call from anywhere.
    pub ip_allow: Option<String>,
    /// When it was registered.
    pub created_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Stores of merchants.
pub mod store {
    use super::*;

    /// A store of a merchant.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "store")]
    pub struct Model {
        /// The merchant.
        #[sea_orm(primary_key, auto_increment = false)]
        pub mch_id: MchId,
        /// The store's number with the merchant.
        #[sea_orm(primary_key, auto_increment = false)]
        pub store_id: StoreId,
        /// Its name.
        pub name: String,
        /// Whether it may take payments.
        pub status: Standing,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Writes a merchant down, or its changes.
pub async fn put(db: &impl ConnectionTrait, merchant: Model) -> Result<(), DbErr> {
    let conflict = OnConflict::column(Column::MchId)
        .update_columns([
            Column::Name,
            Column::Status,
            Column::FeeRate,
            Column::Category,
            Column::IpAllow,
        ])
        .to_owned();
    Entity::insert(merchant.into_active_model())
        .on_conflict(conflict)
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Writes a store down, or its changes.
pub async fn put_store(db: &impl ConnectionTrait, store: store::Model) -> Result<(), DbErr> {
    let conflict = OnConflict::columns([store::Column::MchId, store::Column::StoreId])
        .update_columns([store::Column::Name, store::Column::Status])
        .to_owned();
    store::Entity::insert(store.into_active_model())
        .on_conflict(conflict)
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// The merchant of this number.
pub async fn find(db: &impl ConnectionTrait, mch_id: &MchId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(mch_id.clone()).one(db).await
}

/// The stores of a merchant.
pub async fn stores(db: &impl ConnectionTrait, mch_id: &MchId) -> Result<Vec<store::Model>, DbErr> {
    store::Entity::find()
        .filter(store::Column::MchId.eq(mch_id.clone()))
        .all(db)
        .await
}
