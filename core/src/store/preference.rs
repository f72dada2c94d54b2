//! Which channel a user wants to pay with at which merchant.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, sea_query::OnConflict};

use crate::id::{ChannelId, MchId, Uid};

/// A choice.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "preference")]
pub struct Model {
    /// Who chose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub uid: Uid,
    /// For which merchant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub mch_id: MchId,
    /// The channel.
    pub channel: ChannelId,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes the choice down.
pub async fn put(db: &impl ConnectionTrait, preference: Model) -> Result<(), DbErr> {
    let conflict = OnConflict::columns([Column::Uid, Column::MchId])
        .update_column(Column::Channel)
        .to_owned();
    Entity::insert(preference.into_active_model())
        .on_conflict(conflict)
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// The user's choice for a merchant.
pub async fn find(db: &impl ConnectionTrait, uid: &Uid, mch_id: &MchId) -> Result<Option<ChannelId>, DbErr> {
    Ok(Entity::find_by_id((uid.clone(), mch_id.clone()))
        .one(db)
        .await?
        .map(|row| row.channel))
}
