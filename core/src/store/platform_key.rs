//! The platform's own keys: what answers are signed with.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder};

use crate::clock::Time;
use crate::id::Serial;

/// A key of the platform.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "platform_key")]
pub struct Model {
    /// Its serial number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub serial: Serial,
    /// The algorithm it is for.
    pub algorithm: String,
    /// The private key, sealed.
    pub private_sealed: String,
    /// The public key as PEM, published.
    pub public_pem: String,
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

/// All keys, the newest first.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_desc(Column::CreatedAt).all(db).await
}
