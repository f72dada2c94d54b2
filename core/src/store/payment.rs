//! Payments.

use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::sea_query::{LockType, Query};
use sea_orm::{FromQueryResult, IntoActiveModel, QueryOrder, QuerySelect};
use serde::Serialize;

use crate::channel::{Hint, Paid, Product, Refusal};
use crate::clock::{Day, Time};
use crate::id::{AccountId, ChannelId, CodeId, ContractNo, MandateId, MchId, OutRequestNo, PayNo, StoreId, Uid};
use crate::money::Fen;
use crate::rules::fee::DayTotals;

/// How a payment stands. SUCCESS, FAILED and CLOSED are final; the latter two stand on proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentState {
    /// Written down; the outcome is not known yet.
    Paying,
    /// Paid.
    Success,
    /// Refused or failed at the channel.
    Failed,
    /// Revoked, expired or never arrived.
    Closed,
}

impl PaymentState {
    /// The word by which it is counted.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Paying => "paying",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Closed => "closed",
        }
    }
}

/// Whether a payment is being or was reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReversalMark {
    /// No.
    None,
    /// Asked for; refunds are not possible any more.
    Asked,
    /// Done.
    Done,
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment")]
pub struct Model {
    /// Its number: `pay_out_trade_no`, also at the channel.
    #[sea_orm(primary_key, auto_increment = false)]
    pub pay_no: PayNo,
    /// Who is paid.
    pub mch_id: MchId,
    /// The merchant's number.
    pub out_request_no: OutRequestNo,
    /// At which store.
    pub store_id: StoreId,
    /// By which product of the channel.
    pub product: Product,
    /// Who pays; nothing where the payer is known to the channel alone.
    pub uid: Option<Uid>,
    /// With which code of ours; unique, so a code is used once, ever.
    pub code_id: Option<CodeId>,
    /// Keyed hash of the digits that the till sent, to tell a repeat from a conflict.
    pub code_hash: String,
    /// Through which channel.
    pub channel: ChannelId,
    /// Through which account.
    pub account_id: AccountId,
    /// By which mandate, where it was deducted on one.
    pub mandate_id: Option<MandateId>,
    /// On which contract.
    pub contract_no: Option<ContractNo>,
    /// What is bought, in the merchant's words.
    pub body: String,
    /// The merchant's remark.
    pub extra_data: Option<String>,
    /// How much.
    pub amount: Fen,
    /// The part that coupons paid.
    pub coupon: Fen,
    /// The platform's fee, decided before the debit.
    pub fee: Fen,
    /// How it stands.
    pub state: PaymentState,
    /// Why it failed or was closed: a stable word.
    pub reason: Option<String>,
    /// The same in the channel's words, for operators.
    pub reason_text: Option<String>,
    /// What kind of refusal it was: what the till and the user are told to do.
    pub hint: Option<Hint>,
    /// The channel's number.
    pub channel_no: Option<String>,
    /// Rule versions, inputs and outputs that decided route and fee, as JSON.
    pub pins: String,
    /// The China day on which it was written down: the day of the user's cap.
    pub day: Day,
    /// When it was written down.
    pub created_at: Time,
    /// When the channel took the money.
    pub paid_at: Option<Time>,
    /// When it reached its end.
    pub ended_at: Option<Time>,
    /// How many senders there were so far.
    pub sends: i32,
    /// Until when the present sender may be sending.
    pub send_until: Time,
    /// When the channel is to be asked.
    pub next_look_at: Option<Time>,
    /// How often it was asked.
    pub looks: i32,
    /// Since when the channel says, without a break, that it knows no such order.
    pub absent_since: Option<Time>,
    /// Refunds done and in progress.
    pub refund_reserved: Fen,
    /// Refunds done.
    pub refunded: Fen,
    /// Whether it is being or was reversed.
    pub reversal: ReversalMark,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a payment down.
pub async fn insert(db: &impl ConnectionTrait, payment: Model) -> Result<(), DbErr> {
    Entity::insert(payment.into_active_model())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// The payment of this number.
pub async fn find(db: &impl ConnectionTrait, pay_no: &PayNo) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(pay_no.clone()).one(db).await
}

/// The payment of this number, held until the transaction ends: whoever else has news about it waits.
pub async fn hold(tx: &DatabaseTransaction, pay_no: &PayNo) -> Result<Option<Model>, DbErr> {
    // On the embedded database, which has no such lock, there is one writer anyway.
    Entity::find_by_id(pay_no.clone())
        .lock(LockType::NoKeyUpdate)
        .one(tx)
        .await
}

/// The merchant's payment of this number of ours.
pub async fn of_merchant(db: &impl ConnectionTrait, mch_id: &MchId, pay_no: &PayNo) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(pay_no.clone())
        .filter(Column::MchId.eq(mch_id.clone()))
        .one(db)
        .await
}

/// The merchant's payment of this number of the merchant.
pub async fn by_request(
    db: &impl ConnectionTrait,
    mch_id: &MchId,
    out_request_no: &OutRequestNo,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::MchId.eq(mch_id.clone()))
        .filter(Column::OutRequestNo.eq(out_request_no.clone()))
        .one(db)
        .await
}

/// The user's payment of this number.
pub async fn of_user(db: &impl ConnectionTrait, uid: &Uid, pay_no: &PayNo) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(pay_no.clone())
        .filter(Column::Uid.eq(uid.clone()))
        .one(db)
        .await
}

/// The payment made with this code.
pub async fn by_code(db: &impl ConnectionTrait, code_id: &CodeId) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::CodeId.eq(code_id.clone())).one(db).await
}

/// The user's payments in a span of time, the newest first, before a position.
pub async fn records(
    db: &impl ConnectionTrait,
    uid: &Uid,
    span: (Time, Time),
    before: Option<(Time, PayNo)>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find()
        .filter(Column::Uid.eq(uid.clone()))
        .filter(Column::CreatedAt.gte(span.0))
        .filter(Column::CreatedAt.lt(span.1));
    if let Some((at, no)) = before {
        let older = Column::CreatedAt
            .lt(at)
            .or(Column::CreatedAt.eq(at).and(Column::PayNo.lt(no)));
        query = query.filter(older);
    }
    query
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::PayNo)
        .limit(limit)
        .all(db)
        .await
}

/// An end that a payment reaches.
#[derive(Debug, Clone)]
pub struct End<'a> {
    /// SUCCESS, FAILED or CLOSED.
    pub state: PaymentState,
    /// What the channel says of the money, on SUCCESS.
    pub paid: Option<&'a Paid>,
    /// Why not, on FAILED and CLOSED.
    pub reason: Option<&'a Refusal>,
    /// When.
    pub at: Time,
}

/// Ends a payment that is PAYING; `false` when it is not any more. The compare-and-set of the one gate.
pub async fn end(db: &impl ConnectionTrait, pay_no: &PayNo, end: End<'_>) -> Result<bool, DbErr> {
    let mut update = Entity::update_many()
        .col_expr(Column::State, Expr::value(end.state))
        .col_expr(Column::EndedAt, Expr::value(end.at))
        .col_expr(Column::NextLookAt, Expr::value(Option::<i64>::None));
    if let Some(paid) = end.paid {
        update = update
            .col_expr(Column::ChannelNo, Expr::value(paid.channel_no.clone()))
            .col_expr(Column::Coupon, Expr::value(paid.coupon))
            .col_expr(Column::PaidAt, Expr::value(paid.paid_at));
    }
    if let Some(proof) = end.reason {
        update = update
            .col_expr(Column::Reason, Expr::value(proof.code.as_str()))
            .col_expr(Column::ReasonText, Expr::value(proof.text.as_str()))
            .col_expr(Column::Hint, Expr::value(proof.hint));
    }
    let done = update
        .filter(Column::PayNo.eq(pay_no.clone()))
        .filter(Column::State.eq(PaymentState::Paying))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Notes the channel's number of money that came for a payment which had ended without it.
pub async fn note_late(db: &impl ConnectionTrait, pay_no: &PayNo, channel_no: &str) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::ChannelNo, Expr::value(channel_no))
        .filter(Column::PayNo.eq(pay_no.clone()))
        .exec(db)
        .await
        .map(|_| ())
}

/// Takes the right to send a payment whose sender's time is over; `false` when somebody else has it or it has ended.
pub async fn take_send(db: &impl ConnectionTrait, pay_no: &PayNo, now: Time, until: Time) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::Sends, Expr::col(Column::Sends).add(1))
        .col_expr(Column::SendUntil, Expr::value(until))
        .col_expr(Column::AbsentSince, Expr::value(Option::<i64>::None))
        .filter(Column::PayNo.eq(pay_no.clone()))
        .filter(Column::State.eq(PaymentState::Paying))
        .filter(Column::Reversal.eq(ReversalMark::None))
        .filter(Column::SendUntil.lte(now))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Sets when the channel is asked next, and since when it knows nothing.
pub async fn look_again(
    db: &impl ConnectionTrait,
    pay_no: &PayNo,
    at: Time,
    absent_since: Option<Time>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::NextLookAt, Expr::value(at))
        .col_expr(Column::Looks, Expr::col(Column::Looks).add(1))
        .col_expr(Column::AbsentSince, Expr::value(absent_since))
        .filter(Column::PayNo.eq(pay_no.clone()))
        .filter(Column::State.eq(PaymentState::Paying))
        .exec(db)
        .await
        .map(|_| ())
}

/// Payments about which the channel is to be asked.
pub async fn due(db: &impl ConnectionTrait, now: Time, limit: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::NextLookAt.lte(now))
        .filter(Column::State.eq(PaymentState::Paying))
        // A payment that is being reversed is asked about by its reversal.
        .filter(Column::Reversal.eq(ReversalMark::None))
        .order_by_asc(Column::NextLookAt)
        .limit(limit)
        .all(db)
        .await
}

/// Reserves a part of a paid payment for a refund; `false` when it does not fit any more (not paid, reversed, too much).
pub async fn reserve_refund(db: &impl ConnectionTrait, pay_no: &PayNo, amount: Fen) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::RefundReserved, Expr::col(Column::RefundReserved).add(amount))
        .filter(Column::PayNo.eq(pay_no.clone()))
        .filter(Column::State.eq(PaymentState::Success))
        .filter(Column::Reversal.eq(ReversalMark::None))
        .filter(
            Expr::col(Column::RefundReserved)
                .add(amount)
                .lte(Expr::col(Column::Amount)),
        )
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Gives a reserved part free again: the refund did not come about.
pub async fn release_refund(db: &impl ConnectionTrait, pay_no: &PayNo, amount: Fen) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::RefundReserved, Expr::col(Column::RefundReserved).sub(amount))
        .filter(Column::PayNo.eq(pay_no.clone()))
        .exec(db)
        .await
        .map(|_| ())
}

/// Counts a reserved part as refunded.
pub async fn count_refunded(db: &impl ConnectionTrait, pay_no: &PayNo, amount: Fen) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Refunded, Expr::col(Column::Refunded).add(amount))
        .filter(Column::PayNo.eq(pay_no.clone()))
        .exec(db)
        .await
        .map(|_| ())
}

/// Marks a payment as being reversed; `false` when there are refunds or a reversal already, or it failed or was closed.
pub async fn ask_reversal(db: &impl ConnectionTrait, pay_no: &PayNo) -> Result<bool, DbErr> {
    mark(db, pay_no, ReversalMark::None, ReversalMark::Asked).await
}

/// Marks a payment whose reversal has ended: done, or refused (then refunds are possible again).
pub async fn end_reversal(db: &impl ConnectionTrait, pay_no: &PayNo, done: bool) -> Result<bool, DbErr> {
    mark(
        db,
        pay_no,
        ReversalMark::Asked,
        if done { ReversalMark::Done } else { ReversalMark::None },
    )
    .await
}

async fn mark(db: &impl ConnectionTrait, pay_no: &PayNo, from: ReversalMark, to: ReversalMark) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::Reversal, Expr::value(to))
        .filter(Column::PayNo.eq(pay_no.clone()))
        .filter(Column::Reversal.eq(from))
        .filter(Column::RefundReserved.eq(Fen::ZERO))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// A merchant's paid payments of a day, counted and summed per channel.
#[derive(Debug, Clone, FromQueryResult)]
pub struct ChannelTotal {
    /// The channel.
    pub channel: ChannelId,
    /// How many.
    pub count: i64,
    /// How much together.
    pub amount: Option<Fen>,
}

/// Totals of payments that were booked as paid between two moments, per channel.
pub async fn paid_totals(
    db: &impl ConnectionTrait,
    mch_id: &MchId,
    span: (Time, Time),
) -> Result<Vec<ChannelTotal>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::Channel)
        .column_as(Column::PayNo.count(), "count")
        .column_as(Expr::col(Column::Amount).sum().cast_as("bigint"), "amount")
        .filter(Column::MchId.eq(mch_id.clone()))
        .filter(Column::State.eq(PaymentState::Success))
        .filter(Column::EndedAt.gte(span.0))
        .filter(Column::EndedAt.lt(span.1))
        .group_by(Column::Channel)
        .into_model()
        .all(db)
        .await
}

/// All payments after a position, in order of their numbers: for checks that read everything in pages.
pub async fn page_after(db: &impl ConnectionTrait, after: Option<PayNo>, limit: u64) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find();
    if let Some(after) = after {
        query = query.filter(Column::PayNo.gt(after));
    }
    query.order_by_asc(Column::PayNo).limit(limit).all(db).await
}

/// How many payments whose outcome is not known there are.
pub async fn count_open(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::State.eq(PaymentState::Paying))
        .count(db)
        .await
}

/// The newest payments before one, of all merchants.
pub async fn newest(db: &impl ConnectionTrait, before: Option<PayNo>, limit: u64) -> Result<Vec<Model>, DbErr> {
    newest_where(db, sea_orm::Condition::all(), before, limit).await
}

/// The newest payments before one, of the merchants of a category and its sub-categories.
pub async fn newest_of_category(
    db: &impl ConnectionTrait,
    category: &str,
    before: Option<PayNo>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    use super::merchant::{Column as M, Entity as Merchants};
    let members = Query::select()
        .column(M::MchId)
        .from(Merchants)
        .cond_where(
            M::Category
                .eq(category)
                .or(M::Category.starts_with(format!("{category}/"))),
        )
        .to_owned();
    let among = sea_orm::Condition::all().add(Column::MchId.in_subquery(members));
    newest_where(db, among, before, limit).await
}

/// The newest payments before one, of a merchant.
pub async fn newest_of_merchant(
    db: &impl ConnectionTrait,
    mch_id: &str,
    before: Option<PayNo>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    newest_where(
        db,
        sea_orm::Condition::all().add(Column::MchId.eq(mch_id)),
        before,
        limit,
    )
    .await
}

/// Numbers begin with the time, so the order of numbers is the order of payments.
async fn newest_where(
    db: &impl ConnectionTrait,
    condition: sea_orm::Condition,
    before: Option<PayNo>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find().filter(condition);
    if let Some(before) = before {
        query = query.filter(Column::PayNo.lt(before));
    }
    query.order_by_desc(Column::PayNo).limit(limit).all(db).await
}

/// How many of a merchant's payments succeeded in a span of time, and their sum.
pub async fn totals(db: &impl ConnectionTrait, mch_id: &MchId, span: (Time, Time)) -> Result<DayTotals, DbErr> {
    let (from, to) = span;
    let totals: Option<(i64, Option<i64>)> = Entity::find()
        .select_only()
        .column_as(Column::PayNo.count(), "count")
        .column_as(Expr::col(Column::Amount).sum().cast_as("bigint"), "amount")
        .filter(Column::MchId.eq(mch_id.clone()))
        .filter(Column::State.eq(PaymentState::Success))
        .filter(Column::EndedAt.gte(from))
        .filter(Column::EndedAt.lt(to))
        .into_tuple()
        .one(db)
        .await?;
    let (count, amount) = totals.unwrap_or_default();
    let amount = Fen::new(u64::try_from(amount.unwrap_or(0)).unwrap_or(0)).unwrap_or_default();
    Ok(DayTotals {
        count: u64::try_from(count).unwrap_or(0),
        amount,
    })
}
