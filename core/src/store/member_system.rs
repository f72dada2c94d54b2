//! How merchants keep their members.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, sea_query::OnConflict};
use serde::{Deserialize, Serialize};

use super::merchant::Standing;
use crate::clock::Time;
use crate::id::MchId;

/// When a user becomes a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Joining {
    /// When he opens the consumption code.
    AtOpening,
    /// When he has paid with the merchant for the first time.
    AtFirstPayment,
    /// When he asks for it.
    OnRequest,
}

/// A merchant's membership system.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "member_system")]
pub struct Model {
    /// Whose it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub mch_id: MchId,
    /// Which one: the id of a linked one.
    pub system: String,
    /// Its configuration as JSON, sealed.
    pub config_sealed: String,
    /// Counts its changes; an adapter is built once per version.
    pub version: i32,
    /// When users become members.
    pub joining: Joining,
    /// Whether it is in use. What is owed to one that is not waits.
    pub status: Standing,
    /// When it was changed last.
    pub updated_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a system down, or its changes.
pub async fn put(db: &impl ConnectionTrait, system: Model) -> Result<(), DbErr> {
    let conflict = OnConflict::column(Column::MchId)
        .update_columns([
            Column::System,
            Column::ConfigSealed,
            Column::Version,
            Column::Joining,
            Column::Status,
            Column::UpdatedAt,
        ])
        .to_owned();
    Entity::insert(system.into_active_model())
        .on_conflict(conflict)
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// The system of a merchant.
pub async fn find(db: &impl ConnectionTrait, mch_id: &MchId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(mch_id.clone()).one(db).await
}
