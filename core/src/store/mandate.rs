//! Mandates: users' consents to be deducted by one merchant through one channel.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

pub use super::contract::MandateState;
use crate::clock::Time;
use crate::id::{AccountId, ChannelId, ContractNo, MandateId, MchId, Uid};

/// A mandate.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mandate")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub mandate_id: MandateId,
    /// Who consents.
    pub uid: Uid,
    /// To be deducted by whom.
    pub mch_id: MchId,
    /// Through which channel.
    pub channel: ChannelId,
    /// Through which account of the merchant.
    pub account_id: AccountId,
    /// The contract that it stands on.
    pub contract_no: ContractNo,
    /// How it stands.
    pub state: MandateState,
    /// The uid while it lives, nothing afterwards; the unique index on it allows one living mandate.
    pub living: Option<String>,
    /// When it was asked for.
    pub created_at: Time,
    /// When it became usable.
    pub activated_at: Option<Time>,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// Who ended it.
    pub ended_by: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a mandate down.
pub async fn insert(db: &impl ConnectionTrait, mandate: Model) -> Result<(), DbErr> {
    Entity::insert(mandate.into_active_model())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Writes many mandates down by one statement.
pub async fn insert_all(db: &impl ConnectionTrait, mandates: Vec<Model>) -> Result<(), DbErr> {
    Entity::insert_many(mandates.into_iter().map(IntoActiveModel::into_active_model))
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// The mandate of this id, of this user.
pub async fn find(db: &impl ConnectionTrait, uid: &Uid, id: &MandateId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id.clone())
        .filter(Column::Uid.eq(uid.clone()))
        .one(db)
        .await
}

/// The mandate of this id, whoever's it is: for the way back from a channel's page, which proves itself by its own token.
pub async fn find_any(db: &impl ConnectionTrait, id: &MandateId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id.clone()).one(db).await
}

/// The user's living mandate with a merchant through a channel.
pub async fn living(
    db: &impl ConnectionTrait,
    uid: &Uid,
    mch_id: &MchId,
    channel: &ChannelId,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::Living.eq(uid.as_str()))
        .filter(Column::MchId.eq(mch_id.clone()))
        .filter(Column::Channel.eq(channel.clone()))
        .one(db)
        .await
}

/// Which of these users have a living mandate with a merchant through a channel.
pub async fn living_among(
    db: &impl ConnectionTrait,
    uids: Vec<String>,
    mch_id: &MchId,
    channel: &ChannelId,
) -> Result<Vec<String>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::Living)
        .filter(Column::Living.is_in(uids))
        .filter(Column::MchId.eq(mch_id.clone()))
        .filter(Column::Channel.eq(channel.clone()))
        .into_tuple()
        .all(db)
        .await
}

/// The user's living mandates with a merchant.
pub async fn living_with(db: &impl ConnectionTrait, uid: &Uid, mch_id: &MchId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::Living.eq(uid.as_str()))
        .filter(Column::MchId.eq(mch_id.clone()))
        .order_by_asc(Column::CreatedAt)
        .all(db)
        .await
}

/// The user's mandates, the newest first; without those that ended unless asked for.
pub async fn of_user(db: &impl ConnectionTrait, uid: &Uid, with_ended: bool) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find().filter(Column::Uid.eq(uid.clone()));
    if !with_ended {
        query = query.filter(Column::Living.is_not_null());
    }
    query.order_by_desc(Column::CreatedAt).all(db).await
}

/// The living mandates on a contract.
pub async fn on_contract(db: &impl ConnectionTrait, contract: &ContractNo) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::ContractNo.eq(contract.clone()))
        .filter(Column::Living.is_not_null())
        .all(db)
        .await
}

/// Mandates that were signed or ended after a moment, by their ids, after one. Those that were taken over as they stood were usable
/// from the first, and nobody signed them here.
pub async fn changed_since(
    db: &impl ConnectionTrait,
    since: Time,
    after: Option<MandateId>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let signed = Column::ActivatedAt
        .gt(since)
        .and(Expr::col(Column::ActivatedAt).gt(Expr::col(Column::CreatedAt)));
    let mut query = Entity::find().filter(Column::EndedAt.gt(since).or(signed));
    if let Some(after) = after {
        query = query.filter(Column::MandateId.gt(after));
    }
    query.order_by_asc(Column::MandateId).limit(limit).all(db).await
}

/// Changes a mandate if it still stands as `seen`; `false` when somebody was faster.
pub async fn replace(db: &impl ConnectionTrait, seen: &Model, new: Model) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .set(new.into_active_model().reset_all())
        .filter(Column::MandateId.eq(seen.mandate_id.clone()))
        .filter(Column::State.eq(seen.state))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}
