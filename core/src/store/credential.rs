//! Merchants' keys: what their requests are verified with.

use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;

use super::merchant::Standing;
use crate::clock::Time;
use crate::id::{MchId, Serial};

/// A key of a merchant.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credential")]
pub struct Model {
    /// Its serial number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub serial: Serial,
    /// Whose it is.
    pub mch_id: MchId,
    /// The algorithm it is for, by its word in the merchant API.
    pub algorithm: String,
    /// HMAC: the sealed secret. Others: the public key as PEM.
    pub material: String,
    /// Whether it may be used (disabled means revoked).
    pub status: Standing,
    /// From when on.
    pub valid_from: Time,
    /// Until when, where it ends.
    pub valid_until: Option<Time>,
    /// When it was made.
    pub created_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a key down.
pub async fn insert(db: &impl ConnectionTrait, credential: Model) -> Result<(), DbErr> {
    Entity::insert(credential.into_active_model())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// The key of this serial number.
pub async fn find(db: &impl ConnectionTrait, serial: &Serial) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(serial.clone()).one(db).await
}

/// Revokes a key.
pub async fn revoke(db: &impl ConnectionTrait, serial: &Serial) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::Status, Expr::value(Standing::Disabled))
        .filter(Column::Serial.eq(serial.clone()))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}
