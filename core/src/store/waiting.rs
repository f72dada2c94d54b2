//! How much waits in each table for its time, and since when: what operators watch.

use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QuerySelect, Select};

use super::contract::MandateState;
use super::endpoint::EndpointState;
use super::notice::NoticeState;
use super::payment::{PaymentState, ReversalMark};
use super::refund::RefundState;
use super::reversal::ReversalState;
use super::{block, contract, endpoint, entry, membership, notice, outbox, payment, refund, reversal};
use crate::clock::Time;

/// What is due in a table.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub struct Waiting {
    /// How many rows.
    pub count: i64,
    /// When the oldest of them became due; nothing where there is none.
    pub oldest: Option<Time>,
}

async fn waiting<E: EntityTrait>(
    db: &impl ConnectionTrait,
    due: Select<E>,
    key: E::Column,
    at: E::Column,
) -> Result<Waiting, DbErr> {
    let none = Waiting { count: 0, oldest: None };
    let found = due
        .select_only()
        .column_as(key.count(), "count")
        .column_as(at.min(), "oldest")
        .into_model::<Waiting>()
        .one(db)
        .await?;
    Ok(found.unwrap_or(none))
}

/// Payments about which the channel is to be asked.
pub async fn payments(db: &impl ConnectionTrait, now: Time) -> Result<Waiting, DbErr> {
    use payment::Column;
    let due = payment::Entity::find()
        .filter(Column::NextLookAt.lte(now))
        .filter(Column::State.eq(PaymentState::Paying))
        .filter(Column::Reversal.eq(ReversalMark::None));
    waiting(db, due, Column::PayNo, Column::NextLookAt).await
}

/// Refunds about which the channel is to be asked.
pub async fn refunds(db: &impl ConnectionTrait, now: Time) -> Result<Waiting, DbErr> {
    use refund::Column;
    let due = refund::Entity::find()
        .filter(Column::NextLookAt.lte(now))
        .filter(Column::State.eq(RefundState::Requested));
    waiting(db, due, Column::RefundNo, Column::NextLookAt).await
}

/// Reversals that are to be driven on.
pub async fn reversals(db: &impl ConnectionTrait, now: Time) -> Result<Waiting, DbErr> {
    use reversal::Column;
    let due = reversal::Entity::find()
        .filter(Column::NextLookAt.lte(now))
        .filter(Column::State.eq(ReversalState::Requested));
    waiting(db, due, Column::ReversalNo, Column::NextLookAt).await
}

/// Notifications that are to be applied again.
pub async fn notices(db: &impl ConnectionTrait, now: Time) -> Result<Waiting, DbErr> {
    use notice::Column;
    let due = notice::Entity::find()
        .filter(Column::NextTryAt.lte(now))
        .filter(Column::State.eq(NoticeState::Received));
    waiting(db, due, Column::NoticeId, Column::NextTryAt).await
}

/// Contracts about which the channel is to be asked.
pub async fn contracts(db: &impl ConnectionTrait, now: Time) -> Result<Waiting, DbErr> {
    use contract::Column;
    let due = contract::Entity::find()
        .filter(Column::NextLookAt.lte(now))
        .filter(Column::State.ne(MandateState::Closed));
    waiting(db, due, Column::ContractNo, Column::NextLookAt).await
}

/// What is owed to merchants and was not handed on yet.
pub async fn owed(db: &impl ConnectionTrait) -> Result<Waiting, DbErr> {
    use outbox::Column;
    let due = outbox::Entity::find().filter(Column::SpreadAt.is_null());
    waiting(db, due, Column::Seq, Column::CreatedAt).await
}

/// Endpoints that are to be told something by now, and that nobody is at. One that rests or is switched off is its merchant's concern.
pub async fn endpoints(db: &impl ConnectionTrait, now: Time) -> Result<Waiting, DbErr> {
    use endpoint::Column;
    let due = endpoint::Entity::find()
        .filter(Column::NextAt.lte(now))
        .filter(Column::State.eq(EndpointState::Active))
        .filter(endpoint::free(now));
    waiting(db, due, Column::EndpointId, Column::NextAt).await
}

/// Memberships about which somebody is to be asked.
pub async fn memberships(db: &impl ConnectionTrait, now: Time) -> Result<Waiting, DbErr> {
    use membership::Column;
    let due = membership::Entity::find().filter(Column::NextAt.lte(now));
    waiting(db, due, Column::Uid, Column::NextAt).await
}

/// Entries behind the last sealed block, by their numbers: where a number was left out, it counts too.
pub async fn unsealed(db: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let newest: Option<Option<i64>> = entry::Entity::find()
        .select_only()
        .column_as(entry::Column::EntryId.max(), "newest")
        .into_tuple()
        .one(db)
        .await?;
    let sealed = block::last(db).await?.map_or(0, |block| block.last_entry);
    Ok(newest.flatten().unwrap_or(0).saturating_sub(sealed).max(0))
}
