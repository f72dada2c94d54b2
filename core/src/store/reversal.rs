//! Reversals.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{FromQueryResult, IntoActiveModel, QueryOrder, QuerySelect};
use serde::Serialize;

use super::payment::ChannelTotal;
use crate::clock::Time;
use crate::id::{MchId, PayNo, ReversalNo};
use crate::money::Fen;

/// How a reversal stands. DONE and REFUSED are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReversalState {
    /// Written down; the channel has not finished.
    Requested,
    /// Nothing stands any more.
    Done,
    /// The channel will not undo it.
    Refused,
}

/// Who wanted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReversalOrigin {
    /// The till.
    Till,
    /// The platform gave up waiting for an outcome.
    Platform,
}

impl ReversalOrigin {
    /// The word by which it is counted.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Till => "till",
            Self::Platform => "platform",
        }
    }
}

/// What a finished reversal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReversalResult {
    /// There was nothing to give back.
    NeverPaid,
    /// Everything went back.
    MoneyBack,
}

impl ReversalResult {
    /// The word by which it is counted.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NeverPaid => "never_paid",
            Self::MoneyBack => "money_back",
        }
    }
}

/// A reversal.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reversal")]
pub struct Model {
    /// Its number, also at the channel.
    #[sea_orm(primary_key, auto_increment = false)]
    pub reversal_no: ReversalNo,
    /// The payment; one reversal each.
    pub pay_no: PayNo,
    /// Whose payment it was.
    pub mch_id: MchId,
    /// Who wanted it.
    pub origin: ReversalOrigin,
    /// How it stands.
    pub state: ReversalState,
    /// What it did, when it is done.
    pub result: Option<ReversalResult>,
    /// The payment's amount.
    pub amount: Fen,
    /// Why it was refused: a stable word.
    pub reason: Option<String>,
    /// The same in the channel's words.
    pub reason_text: Option<String>,
    /// The channel's number of the movement back.
    pub channel_no: Option<String>,
    /// When it was written down.
    pub created_at: Time,
    /// When it reached its end.
    pub ended_at: Option<Time>,
    /// When the channel is to be called again.
    pub next_look_at: Option<Time>,
    /// How often it was called.
    pub looks: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a reversal down.
pub async fn insert(db: &impl ConnectionTrait, reversal: Model) -> Result<(), DbErr> {
    Entity::insert(reversal.into_active_model())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// The reversal of a payment.
pub async fn of_payment(db: &impl ConnectionTrait, pay_no: &PayNo) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::PayNo.eq(pay_no.clone())).one(db).await
}

/// Ends a reversal as done; `false` when it is not in progress any more.
pub async fn done(
    db: &impl ConnectionTrait,
    no: &ReversalNo,
    result: ReversalResult,
    channel_no: Option<&str>,
    now: Time,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value(ReversalState::Done))
        .col_expr(Column::Result, Expr::value(result))
        .col_expr(Column::ChannelNo, Expr::value(channel_no.map(str::to_owned)))
        .col_expr(Column::EndedAt, Expr::value(now))
        .col_expr(Column::NextLookAt, Expr::value(Option::<i64>::None))
        .filter(Column::ReversalNo.eq(no.clone()))
        .filter(Column::State.eq(ReversalState::Requested))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Ends a reversal as refused; `false` when it is not in progress any more.
pub async fn refused(
    db: &impl ConnectionTrait,
    no: &ReversalNo,
    reason: (&str, &str),
    now: Time,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value(ReversalState::Refused))
        .col_expr(Column::Reason, Expr::value(reason.0))
        .col_expr(Column::ReasonText, Expr::value(reason.1))
        .col_expr(Column::EndedAt, Expr::value(now))
        .col_expr(Column::NextLookAt, Expr::value(Option::<i64>::None))
        .filter(Column::ReversalNo.eq(no.clone()))
        .filter(Column::State.eq(ReversalState::Requested))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Takes up again a reversal that the channel had refused.
pub async fn ask_again(db: &impl ConnectionTrait, no: &ReversalNo, at: Time) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(ReversalState::Requested))
        .col_expr(Column::EndedAt, Expr::value(Option::<i64>::None))
        .col_expr(Column::NextLookAt, Expr::value(at))
        .filter(Column::ReversalNo.eq(no.clone()))
        .filter(Column::State.eq(ReversalState::Refused))
        .exec(db)
        .await
        .map(|_| ())
}

/// Sets when the channel is called next.
pub async fn look_again(db: &impl ConnectionTrait, no: &ReversalNo, at: Time) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::NextLookAt, Expr::value(at))
        .col_expr(Column::Looks, Expr::col(Column::Looks).add(1))
        .filter(Column::ReversalNo.eq(no.clone()))
        .filter(Column::State.eq(ReversalState::Requested))
        .exec(db)
        .await
        .map(|_| ())
}

/// Reversals for which the channel is to be called.
pub async fn due(db: &impl ConnectionTrait, now: Time, limit: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::NextLookAt.lte(now))
        .filter(Column::State.eq(ReversalState::Requested))
        .order_by_asc(Column::NextLookAt)
        .limit(limit)
        .all(db)
        .await
}

/// Totals of reversals that gave money back between two moments, per channel.
pub async fn money_back_totals(
    db: &impl ConnectionTrait,
    mch_id: &MchId,
    span: (Time, Time),
) -> Result<Vec<ChannelTotal>, DbErr> {
    let select = super::refund::totals(
        (Entity, Column::PayNo, Column::Amount),
        Expr::col((Entity, Column::MchId))
            .eq(mch_id.clone())
            .and(Expr::col((Entity, Column::Result)).eq(ReversalResult::MoneyBack.to_value()))
            .and(Expr::col((Entity, Column::EndedAt)).gte(span.0))
            .and(Expr::col((Entity, Column::EndedAt)).lt(span.1)),
    );
    let rows = db.query_all(&select).await?;
    rows.iter()
        .map(|row| ChannelTotal::from_query_result(row, ""))
        .collect()
}

/// All reversals: for checks that read everything.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_asc(Column::ReversalNo).all(db).await
}

/// How many reversals in progress there are.
pub async fn count_open(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::State.eq(ReversalState::Requested))
        .count(db)
        .await
}
