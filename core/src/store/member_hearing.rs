//! What membership systems are owed to hear of money: once for each payment of a member, and for each part that goes back.

use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, IntoActiveModel, QueryOrder, QuerySelect, sea_query::OnConflict};

use crate::clock::Time;
use crate::id::{MchId, PayNo, Uid};
use crate::money::Fen;

/// What happened to a member's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum HearingKind {
    /// He has paid.
    Paid,
    /// A part of a payment, or the whole, went back.
    Refunded,
}

/// Something to hear of.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "member_hearing")]
pub struct Model {
    /// The number of the payment, the refund or the reversal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ref_no: String,
    /// The merchant.
    pub mch_id: MchId,
    /// The member.
    pub uid: Uid,
    /// What happened.
    pub kind: HearingKind,
    /// The payment that it is about.
    pub pay_no: PayNo,
    /// What was paid, or went back.
    pub amount: Fen,
    /// How often it was told without an answer.
    pub attempts: i32,
    /// When it is to be told next; nothing once it is heard.
    pub next_at: Option<Time>,
    /// What went wrong the last time, by its word.
    pub trouble: Option<String>,
    /// So many points more or fewer, once it is heard.
    pub points_change: Option<i64>,
    /// When it was written down.
    pub created_at: Time,
    /// When it was heard.
    pub done_at: Option<Time>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes one down; what is there already stays as it is.
pub async fn insert(tx: &DatabaseTransaction, hearing: Model) -> Result<(), DbErr> {
    let conflict = OnConflict::column(Column::RefNo).do_nothing().to_owned();
    Entity::insert(hearing.into_active_model())
        .on_conflict(conflict)
        .exec_without_returning(tx)
        .await
        .map(|_| ())
}

/// What is to be told now, the oldest first.
pub async fn due(db: &impl ConnectionTrait, now: Time, limit: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::NextAt.lte(now))
        .order_by_asc(Column::NextAt)
        .order_by_asc(Column::CreatedAt)
        .limit(limit)
        .all(db)
        .await
}

/// Everything about one payment.
pub async fn about(db: &impl ConnectionTrait, pay_no: &PayNo, mch_id: &MchId, uid: &Uid) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::MchId.eq(mch_id.clone()))
        .filter(Column::Uid.eq(uid.clone()))
        .filter(Column::PayNo.eq(pay_no.clone()))
        .order_by_asc(Column::CreatedAt)
        .all(db)
        .await
}

/// Writes what became of it; `false` when somebody else did.
pub async fn replace(db: &impl ConnectionTrait, seen: &Model, new: Model) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::Attempts, Expr::value(new.attempts))
        .col_expr(Column::NextAt, Expr::value(new.next_at))
        .col_expr(Column::Trouble, Expr::value(new.trouble))
        .col_expr(Column::PointsChange, Expr::value(new.points_change))
        .col_expr(Column::DoneAt, Expr::value(new.done_at))
        .filter(Column::RefNo.eq(seen.ref_no.clone()))
        .filter(Column::Attempts.eq(seen.attempts))
        .filter(Column::DoneAt.is_null())
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}
