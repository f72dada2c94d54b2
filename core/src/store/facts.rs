//! What a payment is decided on: one look at the tables of codes, users, mandates and contracts together.

use sea_orm::FromQueryResult;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::sea_query::{self, Query};

use super::contract::MandateState;
use super::payment::{Column, Entity};
use super::user::UserState;
use super::{code, contract, mandate, preference, user};
use crate::clock::Time;
use crate::id::{AccountId, ChannelId, CodeId, ContractNo, MandateId, MchId, Uid};

/// What is known about a code at the moment of a payment: the code, its user, its use, and one row for each usable mandate.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Facts {
    /// The code.
    pub code_id: CodeId,
    /// Its user.
    pub uid: Uid,
    /// The one merchant that may use the code, where it was issued for one.
    pub only_at: Option<MchId>,
    /// The method chosen for the code.
    pub method: Option<ChannelId>,
    /// Until when it may be used.
    pub expires_at: Time,
    /// When it ended before that.
    pub ended_at: Option<Time>,
    /// How the user's account stands.
    pub user_status: UserState,
    /// The merchant that used the code, if one did.
    pub used_by: Option<MchId>,
    /// The method chosen for this merchant.
    pub preferred: Option<ChannelId>,
    /// A usable mandate with this merchant.
    pub mandate_id: Option<MandateId>,
    /// Its channel.
    pub mandate_channel: Option<ChannelId>,
    /// Its account.
    pub account_id: Option<AccountId>,
    /// Its contract.
    pub contract_no: Option<ContractNo>,
    /// The contract's handle, sealed.
    pub handle_sealed: Option<String>,
    /// When the contract ends by itself.
    pub contract_expires_at: Option<Time>,
}

/// Loads the facts about the newest code with these digits, in one round trip.
pub async fn of_code(db: &impl ConnectionTrait, code_hash: &str, mch_id: &MchId) -> Result<Vec<Facts>, DbErr> {
    use code::{Column as C, Entity as Codes};
    use contract::{Column as K, Entity as Contracts};
    use mandate::{Column as M, Entity as Mandates};
    use preference::{Column as P, Entity as Preferences};
    use user::{Column as U, Entity as Users};

    // One code first, and then what belongs to it: so it is a few looks into indexes whatever the planner knows of the tables.
    let newest = Query::select()
        .columns([
            C::CodeId,
            C::Uid,
            C::MchId,
            C::Method,
            C::IssuedAt,
            C::ExpiresAt,
            C::EndedAt,
        ])
        .from(Codes)
        .and_where(Expr::col(C::CodeHash).eq(code_hash))
        .order_by(C::IssuedAt, sea_query::Order::Desc)
        .limit(1)
        .to_owned();
    let select = Query::select()
        .columns([
            (Codes, C::CodeId),
            (Codes, C::Uid),
            (Codes, C::Method),
            (Codes, C::ExpiresAt),
            (Codes, C::EndedAt),
        ])
        .expr_as(Expr::col((Codes, C::MchId)), "only_at")
        .expr_as(Expr::col((Users, U::Status)), "user_status")
        .expr_as(Expr::col((Entity, Column::MchId)), "used_by")
        .expr_as(Expr::col((Preferences, P::Channel)), "preferred")
        .columns([
            (Mandates, M::MandateId),
            (Mandates, M::AccountId),
            (Mandates, M::ContractNo),
        ])
        .expr_as(Expr::col((Mandates, M::Channel)), "mandate_channel")
        .column((Contracts, K::HandleSealed))
        .expr_as(Expr::col((Contracts, K::ExpiresAt)), "contract_expires_at")
        .from_subquery(newest, Codes)
        .inner_join(Users, Expr::col((Users, U::Uid)).equals((Codes, C::Uid)))
        .left_join(Entity, Expr::col((Entity, Column::CodeId)).equals((Codes, C::CodeId)))
        .left_join(
            Preferences,
            Expr::col((Preferences, P::Uid))
                .equals((Codes, C::Uid))
                .and(Expr::col((Preferences, P::MchId)).eq(mch_id.clone())),
        )
        .left_join(
            Mandates,
            Expr::col((Mandates, M::Living))
                .equals((Codes, C::Uid))
                .and(Expr::col((Mandates, M::MchId)).eq(mch_id.clone()))
                .and(Expr::col((Mandates, M::State)).eq(MandateState::Active.to_value())),
        )
        .left_join(
            Contracts,
            Expr::col((Contracts, K::ContractNo)).equals((Mandates, M::ContractNo)),
        )
        .order_by((Mandates, M::CreatedAt), sea_query::Order::Asc)
        .to_owned();
    let rows = db.query_all(&select).await?;
    rows.iter().map(|row| Facts::from_query_result(row, "")).collect()
}
