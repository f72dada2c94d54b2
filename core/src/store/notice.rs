//! Channels' notifications: stored before they are acknowledged.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::sea_query::OnConflict;
use sea_orm::{QueryOrder, QuerySelect};

use crate::clock::Time;
use crate::id::{AccountId, ChannelId};

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum NoticeState {
    /// Stored, not applied yet.
    Received,
    /// Applied.
    Applied,
    /// Genuine, but what it tells of never appeared here, or it did not fit our books.
    Quarantined,
}

impl NoticeState {
    /// The word by which what became of a notification is counted.
    pub const fn outcome(self) -> &'static str {
        match self {
            Self::Received => "deferred",
            Self::Applied => "applied",
            Self::Quarantined => "quarantined",
        }
    }
}

/// A genuine notification.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notice")]
pub struct Model {
    /// Hash of account and body: the same message again is the same row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub notice_id: String,
    /// The channel.
    pub channel: ChannelId,
    /// The account.
    pub account_id: AccountId,
    /// What became of it.
    pub state: NoticeState,
    /// Headers and body as they came, sealed.
    pub raw_sealed: String,
    /// How often it arrived.
    pub arrivals: i32,
    /// How often it was applied in vain.
    pub tries: i32,
    /// Why it is quarantined.
    pub reason: Option<String>,
    /// When it arrived first.
    pub received_at: Time,
    /// When it is to be applied again.
    pub next_try_at: Option<Time>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Stores a notification; one that is there already only counts its arrival.
pub async fn store(db: &impl ConnectionTrait, notice: Model) -> Result<(), DbErr> {
    let conflict = OnConflict::column(Column::NoticeId)
        .value(Column::Arrivals, Expr::col((Entity, Column::Arrivals)).add(1))
        .to_owned();
    let row = ActiveModel {
        notice_id: Set(notice.notice_id),
        channel: Set(notice.channel),
        account_id: Set(notice.account_id),
        state: Set(notice.state),
        raw_sealed: Set(notice.raw_sealed),
        arrivals: Set(notice.arrivals),
        tries: Set(notice.tries),
        reason: Set(notice.reason),
        received_at: Set(notice.received_at),
        next_try_at: Set(notice.next_try_at),
    };
    Entity::insert(row)
        .on_conflict(conflict)
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Notes what became of it.
pub async fn resolve(
    db: &impl ConnectionTrait,
    notice_id: &str,
    state: NoticeState,
    reason: Option<&str>,
    next_try_at: Option<Time>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(state))
        .col_expr(
            Column::Reason,
            Expr::value(reason.map(|text| text.chars().take(256).collect::<String>())),
        )
        .col_expr(Column::NextTryAt, Expr::value(next_try_at))
        .col_expr(Column::Tries, Expr::col(Column::Tries).add(1))
        .filter(Column::NoticeId.eq(notice_id))
        .exec(db)
        .await
        .map(|_| ())
}

/// Puts it aside; `false` when that was done before.
pub async fn quarantine(db: &impl ConnectionTrait, notice_id: &str, reason: &str) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value(NoticeState::Quarantined))
        .col_expr(
            Column::Reason,
            Expr::value(reason.chars().take(256).collect::<String>()),
        )
        .col_expr(Column::NextTryAt, Expr::value(Option::<i64>::None))
        .filter(Column::NoticeId.eq(notice_id))
        .filter(Column::State.ne(NoticeState::Quarantined))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Notifications that are to be applied again.
pub async fn due(db: &impl ConnectionTrait, now: Time, limit: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::NextTryAt.lte(now))
        .filter(Column::State.eq(NoticeState::Received))
        .order_by_asc(Column::NextTryAt)
        .limit(limit)
        .all(db)
        .await
}
