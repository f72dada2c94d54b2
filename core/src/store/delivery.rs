//! What became of each telling: one row for what is owed to an endpoint, one for each attempt.

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, QueryOrder, QuerySelect};
use serde::Serialize;

use crate::clock::Time;
use crate::id::MchId;

/// How a telling stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, serde::Deserialize)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeliveryState {
    /// Owed.
    Waiting,
    /// Taken.
    Delivered,
    /// Given up; a person may have it told again.
    Dead,
}

/// Something that is owed to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery")]
pub struct Model {
    /// Its number.
    #[sea_orm(primary_key)]
    pub delivery_id: i64,
    /// To whom.
    pub endpoint_id: String,
    /// Whose endpoint that is.
    pub mch_id: MchId,
    /// What: its place in the outbox.
    pub seq: i64,
    /// The number under which it is told.
    pub event_id: String,
    /// What happened.
    pub kind: String,
    /// How it stands.
    pub state: DeliveryState,
    /// How often it was told.
    pub attempts: i32,
    /// When it was told first.
    pub first_at: Option<Time>,
    /// From when on it may be told next.
    pub next_at: Time,
    /// What the endpoint answered last (HTTP).
    pub last_status: Option<i32>,
    /// What went wrong last, by its word.
    pub last_trouble: Option<String>,
    /// When it was owed.
    pub created_at: Time,
    /// When it was taken or given up.
    pub ended_at: Option<Time>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// One attempt.
pub mod attempt {
    use sea_orm::entity::prelude::*;

    use crate::clock::Time;

    /// An attempt to tell.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "delivery_attempt")]
    pub struct Model {
        /// Its number.
        #[sea_orm(primary_key)]
        pub attempt_id: i64,
        /// Of what.
        pub delivery_id: i64,
        /// When it began.
        pub at: Time,
        /// How long it took, in milliseconds.
        pub took_ms: i64,
        /// What the endpoint answered (HTTP).
        pub status: Option<i32>,
        /// What went wrong, by its word.
        pub trouble: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Writes down what is owed to endpoints.
pub async fn insert(tx: &DatabaseTransaction, all: Vec<Model>) -> Result<(), DbErr> {
    let rows = all.into_iter().map(|row| ActiveModel {
        delivery_id: NotSet,
        endpoint_id: Set(row.endpoint_id),
        mch_id: Set(row.mch_id),
        seq: Set(row.seq),
        event_id: Set(row.event_id),
        kind: Set(row.kind),
        state: Set(row.state),
        attempts: Set(row.attempts),
        first_at: Set(row.first_at),
        next_at: Set(row.next_at),
        last_status: Set(row.last_status),
        last_trouble: Set(row.last_trouble),
        created_at: Set(row.created_at),
        ended_at: Set(row.ended_at),
    });
    Entity::insert_many(rows).exec_without_returning(tx).await.map(|_| ())
}

/// That it waits, in the words of the index of those that do: a plan that is made once for all values could not use it for a value,
/// and would read all that an endpoint was ever told.
fn waits() -> Expr {
    Expr::cust("state = 'WAITING'")
}

/// What an endpoint is to be told, the oldest first: what may be told by now, or whatever is the oldest.
pub async fn waiting(
    db: &impl ConnectionTrait,
    endpoint_id: &str,
    by: Option<Time>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut waiting = Entity::find()
        .filter(Column::EndpointId.eq(endpoint_id))
        .filter(waits());
    if let Some(by) = by {
        waiting = waiting.filter(Column::NextAt.lte(by));
    }
    waiting.order_by_asc(Column::Seq).limit(limit).all(db).await
}

/// When the next of an endpoint may be told; nothing where none waits.
pub async fn next_at(db: &impl ConnectionTrait, endpoint_id: &str) -> Result<Option<Time>, DbErr> {
    let next: Option<Option<Time>> = Entity::find()
        .select_only()
        .column_as(Column::NextAt.min(), "next_at")
        .filter(Column::EndpointId.eq(endpoint_id))
        .filter(waits())
        .into_tuple()
        .one(db)
        .await?;
    Ok(next.flatten())
}

/// Writes how it stands after an attempt, and the attempt; `false` when somebody else was at it meanwhile.
pub async fn attempted(
    tx: &DatabaseTransaction,
    (seen, now): (&Model, &Model),
    attempt: attempt::Model,
) -> Result<bool, DbErr> {
    let row = attempt::ActiveModel {
        attempt_id: NotSet,
        delivery_id: Set(attempt.delivery_id),
        at: Set(attempt.at),
        took_ms: Set(attempt.took_ms),
        status: Set(attempt.status),
        trouble: Set(attempt.trouble),
    };
    attempt::Entity::insert(row).exec_without_returning(tx).await?;
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value(now.state))
        .col_expr(Column::Attempts, Expr::value(now.attempts))
        .col_expr(Column::FirstAt, Expr::value(now.first_at))
        .col_expr(Column::NextAt, Expr::value(now.next_at))
        .col_expr(Column::LastStatus, Expr::value(now.last_status))
        .col_expr(Column::LastTrouble, Expr::value(now.last_trouble.clone()))
        .col_expr(Column::EndedAt, Expr::value(now.ended_at))
        .filter(Column::DeliveryId.eq(seen.delivery_id))
        .filter(Column::State.eq(DeliveryState::Waiting))
        .filter(Column::Attempts.eq(seen.attempts))
        .exec(tx)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Whatever waits for an endpoint may be told now.
pub async fn release(tx: &DatabaseTransaction, endpoint_id: &str, now: Time) -> Result<u64, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::NextAt, Expr::value(now))
        .filter(Column::EndpointId.eq(endpoint_id))
        .filter(waits())
        .filter(Column::NextAt.gt(now))
        .exec(tx)
        .await?;
    Ok(done.rows_affected)
}

/// Whatever waits for an endpoint may be told now, and has its whole time before it.
pub async fn begin_anew(tx: &DatabaseTransaction, endpoint_id: &str, now: Time) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::NextAt, Expr::value(now))
        .col_expr(Column::FirstAt, Expr::value(Option::<i64>::None))
        .filter(Column::EndpointId.eq(endpoint_id))
        .filter(Column::State.eq(DeliveryState::Waiting))
        .exec(tx)
        .await
        .map(|_| ())
}

/// Whatever could be told to an endpoint by now and was not counts as tried now.
pub async fn count_as_tried(tx: &DatabaseTransaction, endpoint_id: &str, now: Time) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::FirstAt, Expr::value(now))
        .filter(Column::EndpointId.eq(endpoint_id))
        .filter(Column::State.eq(DeliveryState::Waiting))
        .filter(Column::FirstAt.is_null())
        .filter(Column::NextAt.lte(now))
        .exec(tx)
        .await
        .map(|_| ())
}

/// Gives up whatever was tried before a moment first and still waits for an endpoint; answers how much.
pub async fn give_up(tx: &DatabaseTransaction, endpoint_id: &str, before: Time, now: Time) -> Result<u64, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value(DeliveryState::Dead))
        .col_expr(Column::EndedAt, Expr::value(now))
        .filter(Column::EndpointId.eq(endpoint_id))
        .filter(Column::State.eq(DeliveryState::Waiting))
        .filter(Column::FirstAt.lte(before))
        .exec(tx)
        .await?;
    Ok(done.rows_affected)
}

/// Has an endpoint's tellings told again from the beginning: this one whatever became of it, or all that were given up since then.
pub async fn again(tx: &DatabaseTransaction, endpoint_id: &str, which: Again<'_>, now: Time) -> Result<u64, DbErr> {
    let update = Entity::update_many()
        .col_expr(Column::State, Expr::value(DeliveryState::Waiting))
        .col_expr(Column::FirstAt, Expr::value(Option::<i64>::None))
        .col_expr(Column::NextAt, Expr::value(now))
        .col_expr(Column::EndedAt, Expr::value(Option::<i64>::None))
        .col_expr(Column::Attempts, Expr::value(0))
        .filter(Column::EndpointId.eq(endpoint_id));
    let update = match which {
        Again::Event(event_id) => update.filter(Column::EventId.eq(event_id)),
        Again::DeadSince(since) => update
            .filter(Column::State.eq(DeliveryState::Dead))
            .filter(Column::CreatedAt.gte(since)),
    };
    Ok(update.exec(tx).await?.rows_affected)
}

/// What is to be told again.
#[derive(Debug, Clone, Copy)]
pub enum Again<'a> {
    /// The one of this number.
    Event(&'a str),
    /// All that were given up and are owed since then.
    DeadSince(Time),
}

/// An endpoint's tellings, the newest first, before a place.
pub async fn page(
    db: &impl ConnectionTrait,
    endpoint_id: &str,
    (state, before): (Option<DeliveryState>, Option<i64>),
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut page = Entity::find().filter(Column::EndpointId.eq(endpoint_id));
    match state {
        Some(DeliveryState::Waiting) => page = page.filter(waits()),
        Some(state) => page = page.filter(Column::State.eq(state)),
        None => {}
    }
    if let Some(before) = before {
        page = page.filter(Column::Seq.lt(before));
    }
    page.order_by_desc(Column::Seq).limit(limit).all(db).await
}

/// The attempts of some tellings, the oldest first.
pub async fn attempts(db: &impl ConnectionTrait, deliveries: Vec<i64>) -> Result<Vec<attempt::Model>, DbErr> {
    attempt::Entity::find()
        .filter(attempt::Column::DeliveryId.is_in(deliveries))
        .order_by_asc(attempt::Column::AttemptId)
        .all(db)
        .await
}

/// Of which of these places there is a telling.
pub async fn among(db: &impl ConnectionTrait, seqs: &[i64]) -> Result<Vec<i64>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::Seq)
        .filter(Column::Seq.is_in(seqs.iter().copied()))
        .into_tuple()
        .all(db)
        .await
}

/// Removes everything of an endpoint.
pub async fn remove(tx: &DatabaseTransaction, endpoint_id: &str) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::EndpointId.eq(endpoint_id))
        .exec(tx)
        .await
        .map(|_| ())
}

/// Forgets some of what was owed before a moment, and attempts before it. What still waits then waits for an endpoint that has been
/// off all the time.
pub async fn forget_before(db: &impl ConnectionTrait, before: Time, limit: u64) -> Result<u64, DbErr> {
    let old: Vec<i64> = Entity::find()
        .select_only()
        .column(Column::DeliveryId)
        .filter(Column::CreatedAt.lt(before))
        .limit(limit)
        .into_tuple()
        .all(db)
        .await?;
    let old_attempts: Vec<i64> = attempt::Entity::find()
        .select_only()
        .column(attempt::Column::AttemptId)
        .filter(attempt::Column::At.lt(before))
        .limit(limit)
        .into_tuple()
        .all(db)
        .await?;
    let attempts = attempt::Entity::delete_many()
        .filter(attempt::Column::AttemptId.is_in(old_attempts))
        .exec(db)
        .await?;
    let done = Entity::delete_many()
        .filter(Column::DeliveryId.is_in(old))
        .exec(db)
        .await?;
    Ok(done.rows_affected.saturating_add(attempts.rows_affected))
}
