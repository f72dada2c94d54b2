//! Contracts: what channels keep beneath mandates.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};
use serde::Serialize;

use crate::clock::Time;
use crate::id::{AccountId, ChannelId, ContractNo, Uid};

/// How a contract (and a mandate on it) stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MandateState {
    /// Being signed.
    Pending,
    /// Signed: deductions are allowed.
    Active,
    /// Signed, but the channel allows no deductions at present.
    Suspended,
    /// Ended, for good.
    Closed,
}

impl MandateState {
    /// Whether it may still lead to deductions.
    pub fn is_living(self) -> bool {
        self != Self::Closed
    }

    /// The word by which it is counted.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }
}

/// A contract at a channel.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contract")]
pub struct Model {
    /// Our number of it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub contract_no: ContractNo,
    /// The user who signs.
    pub uid: Uid,
    /// The channel.
    pub channel: ChannelId,
    /// The account through which it was signed.
    pub account_id: AccountId,
    /// Under which heading it lives at the channel.
    pub scope: String,
    /// How it stands.
    pub state: MandateState,
    /// The channel's handle, sealed.
    pub handle_sealed: Option<String>,
    /// The handle's blind index.
    pub handle_index: Option<String>,
    /// The user as the channel names him, sealed.
    pub payer_sealed: Option<String>,
    /// How the payer is shown to himself.
    pub display: Option<String>,
    /// When it was asked for.
    pub created_at: Time,
    /// When it was signed.
    pub signed_at: Option<Time>,
    /// When it ends by itself, where it does.
    pub expires_at: Option<Time>,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// Who ended it.
    pub ended_by: Option<String>,
    /// When the channel is to be asked about it.
    pub next_look_at: Option<Time>,
    /// How often it was asked in the present state.
    pub looks: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a contract down.
pub async fn insert(db: &impl ConnectionTrait, contract: Model) -> Result<(), DbErr> {
    Entity::insert(contract.into_active_model())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Writes many contracts down by one statement.
pub async fn insert_all(db: &impl ConnectionTrait, contracts: Vec<Model>) -> Result<(), DbErr> {
    Entity::insert_many(contracts.into_iter().map(IntoActiveModel::into_active_model))
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// The contract of this number.
pub async fn find(db: &impl ConnectionTrait, no: &ContractNo) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(no.clone()).one(db).await
}

/// The newest contract with this handle.
pub async fn by_handle(db: &impl ConnectionTrait, handle_index: &str) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::HandleIndex.eq(handle_index))
        .order_by_desc(Column::CreatedAt)
        .one(db)
        .await
}

/// The user's usable contract under a heading.
pub async fn active(
    db: &impl ConnectionTrait,
    uid: &Uid,
    channel: &ChannelId,
    scope: &str,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::Uid.eq(uid.clone()))
        .filter(Column::Channel.eq(channel.clone()))
        .filter(Column::Scope.eq(scope))
        .filter(Column::State.eq(MandateState::Active))
        .one(db)
        .await
}

/// Changes a contract if it still stands as `seen`; `false` when somebody was faster.
pub async fn replace(db: &impl ConnectionTrait, seen: &Model, new: Model) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .set(new.into_active_model().reset_all())
        .filter(Column::ContractNo.eq(seen.contract_no.clone()))
        .filter(Column::State.eq(seen.state))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Contracts about which the channel is to be asked.
pub async fn due(db: &impl ConnectionTrait, now: Time, limit: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::NextLookAt.lte(now))
        .filter(Column::State.ne(MandateState::Closed))
        .order_by_asc(Column::NextLookAt)
        .limit(limit)
        .all(db)
        .await
}

/// Sets when the channel is asked next.
pub async fn look_again(db: &impl ConnectionTrait, no: &ContractNo, at: Time) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::NextLookAt, Expr::value(at))
        .col_expr(Column::Looks, Expr::col(Column::Looks).add(1))
        .filter(Column::ContractNo.eq(no.clone()))
        .exec(db)
        .await
        .map(|_| ())
}
