//! Wrapped data keys of the vault.

use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;

use crate::clock::Time;

/// A wrapped key.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "data_key")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: String,
    /// What it seals.
    pub purpose: String,
    /// Its version within the purpose.
    pub version: i32,
    /// The key, wrapped under the master key.
    pub wrapped: String,
    /// When it was made.
    pub created_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a key down.
pub async fn insert(db: &impl ConnectionTrait, key: Model) -> Result<(), DbErr> {
    Entity::insert(key.into_active_model())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// All keys.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find().all(db).await
}
