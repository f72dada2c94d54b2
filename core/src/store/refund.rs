//! Refunds.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{FromQueryResult, IntoActiveModel, QueryOrder, QuerySelect};
use serde::Serialize;

use super::payment::ChannelTotal;
use crate::channel::Refunded;
use crate::clock::Time;
use crate::id::{MchId, OutRefundNo, PayNo, RefundNo};
use crate::money::Fen;

/// How a refund stands. DONE and FAILED are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundState {
    /// Written down and reserved; the outcome is not known yet.
    Requested,
    /// The money went back.
    Done,
    /// It did not, by proof of the channel.
    Failed,
}

impl RefundState {
    /// The word by which it is counted.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// Why money goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundKind {
    /// The merchant asked.
    Asked,
    /// A payment that had been closed turned out paid: it is given back by itself.
    Compensation,
}

impl RefundKind {
    /// The word by which it is counted.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Compensation => "compensation",
        }
    }
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refund")]
pub struct Model {
    /// Its number: `pay_refund_id`, also at the channel.
    #[sea_orm(primary_key, auto_increment = false)]
    pub refund_no: RefundNo,
    /// Whose payment it was.
    pub mch_id: MchId,
    /// The merchant's number; `!` and the payment's number for a compensation.
    pub out_refund_no: OutRefundNo,
    /// The payment.
    pub pay_no: PayNo,
    /// Why.
    pub kind: RefundKind,
    /// How much.
    pub amount: Fen,
    /// The part that went back to sponsors of coupons.
    pub coupon: Fen,
    /// The part of the platform's fee that went back to the merchant.
    pub fee_back: Fen,
    /// How it stands.
    pub state: RefundState,
    /// Why it failed: a stable word.
    pub reason: Option<String>,
    /// The same in the channel's words.
    pub reason_text: Option<String>,
    /// The channel's number.
    pub channel_no: Option<String>,
    /// When it was written down.
    pub created_at: Time,
    /// When it reached its end.
    pub ended_at: Option<Time>,
    /// When the channel is to be asked.
    pub next_look_at: Option<Time>,
    /// How often it was asked.
    pub looks: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a refund down.
pub async fn insert(db: &impl ConnectionTrait, refund: Model) -> Result<(), DbErr> {
    Entity::insert(refund.into_active_model())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// The refund of this number.
pub async fn find(db: &impl ConnectionTrait, no: &RefundNo) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(no.clone()).one(db).await
}

/// The merchant's refund of this number of the merchant.
pub async fn by_request(
    db: &impl ConnectionTrait,
    mch_id: &MchId,
    out_refund_no: &OutRefundNo,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::MchId.eq(mch_id.clone()))
        .filter(Column::OutRefundNo.eq(out_refund_no.clone()))
        .one(db)
        .await
}

/// The refunds of a payment, the oldest first.
pub async fn of_payment(db: &impl ConnectionTrait, pay_no: &PayNo) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::PayNo.eq(pay_no.clone()))
        .order_by_asc(Column::CreatedAt)
        .all(db)
        .await
}

/// Ends a refund as done; `false` when it is not in progress any more.
pub async fn done(
    db: &impl ConnectionTrait,
    no: &RefundNo,
    refunded: &Refunded,
    fee_back: Fen,
    now: Time,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value(RefundState::Done))
        .col_expr(Column::ChannelNo, Expr::value(refunded.channel_no.clone()))
        .col_expr(Column::Coupon, Expr::value(refunded.coupon))
        .col_expr(Column::FeeBack, Expr::value(fee_back))
        .col_expr(Column::EndedAt, Expr::value(now))
        .col_expr(Column::NextLookAt, Expr::value(Option::<i64>::None))
        .filter(Column::RefundNo.eq(no.clone()))
        .filter(Column::State.eq(RefundState::Requested))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Ends a refund as failed; `false` when it is not in progress any more.
pub async fn failed(db: &impl ConnectionTrait, no: &RefundNo, reason: (&str, &str), now: Time) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value(RefundState::Failed))
        .col_expr(Column::Reason, Expr::value(reason.0))
        .col_expr(Column::ReasonText, Expr::value(reason.1))
        .col_expr(Column::EndedAt, Expr::value(now))
        .col_expr(Column::NextLookAt, Expr::value(Option::<i64>::None))
        .filter(Column::RefundNo.eq(no.clone()))
        .filter(Column::State.eq(RefundState::Requested))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Sets when the channel is asked next.
pub async fn look_again(db: &impl ConnectionTrait, no: &RefundNo, at: Time) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::NextLookAt, Expr::value(at))
        .col_expr(Column::Looks, Expr::col(Column::Looks).add(1))
        .filter(Column::RefundNo.eq(no.clone()))
        .filter(Column::State.eq(RefundState::Requested))
        .exec(db)
        .await
        .map(|_| ())
}

/// Refunds about which the channel is to be asked.
pub async fn due(db: &impl ConnectionTrait, now: Time, limit: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::NextLookAt.lte(now))
        .filter(Column::State.eq(RefundState::Requested))
        .order_by_asc(Column::NextLookAt)
        .limit(limit)
        .all(db)
        .await
}

/// Totals of the merchant's refunds that were done between two moments, per channel.
pub async fn done_totals(
    db: &impl ConnectionTrait,
    mch_id: &MchId,
    span: (Time, Time),
) -> Result<Vec<ChannelTotal>, DbErr> {
    let select = totals(
        (Entity, Column::PayNo, Column::Amount),
        Expr::col((Entity, Column::MchId))
            .eq(mch_id.clone())
            .and(Expr::col((Entity, Column::Kind)).eq(RefundKind::Asked.to_value()))
            .and(Expr::col((Entity, Column::State)).eq(RefundState::Done.to_value()))
            .and(Expr::col((Entity, Column::EndedAt)).gte(span.0))
            .and(Expr::col((Entity, Column::EndedAt)).lt(span.1)),
    );
    let rows = db.query_all(&select).await?;
    rows.iter()
        .map(|row| ChannelTotal::from_query_result(row, ""))
        .collect()
}

/// Counts and sums rows of a table that belongs to payments, per channel of the payment.
pub(super) fn totals<E: EntityTrait + Copy>(
    (entity, pay_no, amount): (E, E::Column, E::Column),
    condition: Expr,
) -> sea_orm::sea_query::SelectStatement
where
    E::Column: 'static,
{
    use super::payment::{Column as P, Entity as Payments};
    sea_orm::sea_query::Query::select()
        .column((Payments, P::Channel))
        .expr_as(Expr::col((entity, amount)).count(), "count")
        .expr_as(Expr::col((entity, amount)).sum().cast_as("bigint"), "amount")
        .from(entity)
        .inner_join(Payments, Expr::col((Payments, P::PayNo)).equals((entity, pay_no)))
        .and_where(condition)
        .group_by_col((Payments, P::Channel))
        .to_owned()
}

/// All refunds after a position, in order of their numbers: for checks that read everything in pages.
pub async fn page_after(db: &impl ConnectionTrait, after: Option<RefundNo>, limit: u64) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find();
    if let Some(after) = after {
        query = query.filter(Column::RefundNo.gt(after));
    }
    query.order_by_asc(Column::RefundNo).limit(limit).all(db).await
}

/// How many refunds in progress there are.
pub async fn count_open(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::State.eq(RefundState::Requested))
        .count(db)
        .await
}
