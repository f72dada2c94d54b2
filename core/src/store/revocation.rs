//! App tokens and devices that count no more.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, sea_query::OnConflict};

use crate::clock::Time;
use crate::id::Uid;

/// A token (`jti:…`) or device key (`jkt:…`) that was revoked.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "revocation")]
pub struct Model {
    /// What was revoked.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// Whose it was.
    pub uid: Uid,
    /// When.
    pub revoked_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Revokes; twice is as once.
pub async fn put(db: &impl ConnectionTrait, revocation: Model) -> Result<(), DbErr> {
    let conflict = OnConflict::column(Column::Subject).do_nothing().to_owned();
    Entity::insert(revocation.into_active_model())
        .on_conflict(conflict)
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Whether any of these is revoked.
pub async fn any(db: &impl ConnectionTrait, subjects: Vec<String>) -> Result<bool, DbErr> {
    Ok(Entity::find()
        .filter(Column::Subject.is_in(subjects))
        .one(db)
        .await?
        .is_some())
}
