//! What may be used once: nonces of requests, proofs of devices.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

use crate::clock::Time;

/// Something that was used.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "nonce")]
pub struct Model {
    /// Within what it is unique: a credential, a device.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope: String,
    /// The value.
    #[sea_orm(primary_key, auto_increment = false)]
    pub nonce: String,
    /// Until when it is remembered.
    pub expires_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Uses it; `false` when it was used before.
pub async fn use_once(db: &impl ConnectionTrait, scope: &str, nonce: &str, expires_at: Time) -> Result<bool, DbErr> {
    let row = ActiveModel {
        scope: Set(scope.to_owned()),
        nonce: Set(nonce.to_owned()),
        expires_at: Set(expires_at),
    };
    let first = Entity::insert(row).on_conflict(OnConflict::new().do_nothing().to_owned());
    match first.exec_without_returning(db).await {
        Ok(rows) => Ok(rows == 1),
        Err(DbErr::RecordNotInserted) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes many of one scope, none of which was there.
pub async fn use_all(
    db: &impl ConnectionTrait,
    scope: &str,
    nonces: Vec<String>,
    expires_at: Time,
) -> Result<(), DbErr> {
    let rows = nonces.into_iter().map(|nonce| ActiveModel {
        scope: Set(scope.to_owned()),
        nonce: Set(nonce),
        expires_at: Set(expires_at),
    });
    Entity::insert_many(rows).exec_without_returning(db).await.map(|_| ())
}

/// Forgets everything of one scope.
pub async fn forget_scope(db: &impl ConnectionTrait, scope: &str) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::Scope.eq(scope))
        .exec(db)
        .await
        .map(|_| ())
}

/// Forgets what expired.
pub async fn forget_before(db: &impl ConnectionTrait, now: Time) -> Result<u64, DbErr> {
    Ok(Entity::delete_many()
        .filter(Column::ExpiresAt.lt(now))
        .exec(db)
        .await?
        .rows_affected)
}
