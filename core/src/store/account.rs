//! Merchants' accounts with channels.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder, sea_query::OnConflict};

use super::merchant::Standing;
use crate::clock::Time;
use crate::id::{AccountId, ChannelId, MchId};

/// A merchant's account with a channel.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "channel_account")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Whose it is.
    pub mch_id: MchId,
    /// With which channel.
    pub channel: ChannelId,
    /// Whether it may be used.
    pub status: Standing,
    /// Counts its changes; an adapter is built once per version.
    pub version: i32,
    /// The channel's configuration as JSON, sealed.
    pub config_sealed: String,
    /// Its share among accounts that are otherwise alike, for `routing` rules.
    pub weight: i32,
    /// What the channel charges the platform, in ten-thousandths of the amount.
    pub cost_rate: i32,
    /// When it was changed last.
    pub updated_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes an account down, or its changes; the version grows.
pub async fn put(db: &impl ConnectionTrait, account: Model) -> Result<(), DbErr> {
    let conflict = OnConflict::column(Column::AccountId)
        .update_columns([
            Column::Status,
            Column::ConfigSealed,
            Column::UpdatedAt,
            Column::Version,
            Column::Weight,
            Column::CostRate,
        ])
        .to_owned();
    Entity::insert(account.into_active_model())
        .on_conflict(conflict)
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// The account of this id.
pub async fn find(db: &impl ConnectionTrait, account: &AccountId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(account.clone()).one(db).await
}

/// The accounts of a merchant.
pub async fn of_merchant(db: &impl ConnectionTrait, mch_id: &MchId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::MchId.eq(mch_id.clone()))
        .order_by_asc(Column::AccountId)
        .all(db)
        .await
}
