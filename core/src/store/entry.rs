//! The ledger's journals and entries. They are only ever added.

use std::time::Duration;

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{FromQueryResult, IntoActiveModel, QueryOrder, QuerySelect, Statement};

use super::db::has_other_writers;
use crate::clock::{Day, Time};
use crate::id::{MchId, PayNo};

/// An entry: a signed amount on an account, part of a journal.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "entry")]
pub struct Model {
    /// Its position in the book.
    #[sea_orm(primary_key)]
    pub entry_id: i64,
    /// The journal it is part of.
    pub journal_id: String,
    /// The account (`clearing:…`, `payable:…`, `fee`, `compensation`).
    pub account: String,
    /// The amount in fen; debits are positive.
    pub amount: i64,
    /// The China day on which it counts.
    pub day: Day,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Journals: one for each event of business.
pub mod journal {
    use super::*;

    /// A journal.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "journal")]
    pub struct Model {
        /// The event it stands for (`pay:…`, `refund:…`, …): unique, so an event is posted once.
        #[sea_orm(primary_key, auto_increment = false)]
        pub journal_id: String,
        /// What kind of event.
        pub kind: String,
        /// The merchant.
        pub mch_id: MchId,
        /// The payment.
        pub pay_no: PayNo,
        /// The China day on which it counts.
        pub day: Day,
        /// When it was posted.
        pub posted_at: Time,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Adds a journal with its entries (account, amount), in two statements.
pub async fn insert(
    db: &impl ConnectionTrait,
    journal: journal::Model,
    entries: &[(String, i64)],
) -> Result<(), DbErr> {
    let (journal_id, day) = (journal.journal_id.clone(), journal.day);
    journal::Entity::insert(journal.into_active_model())
        .exec_without_returning(db)
        .await?;
    let rows = entries.iter().map(|(account, amount)| ActiveModel {
        entry_id: NotSet,
        journal_id: Set(journal_id.clone()),
        account: Set(account.clone()),
        amount: Set(*amount),
        day: Set(day),
    });
    Entity::insert_many(rows).exec_without_returning(db).await.map(|_| ())
}

/// How long one waits for transactions that were under way to end.
const UNDER_WAY_MAX: Duration = Duration::from_secs(2);
/// Between two looks at them.
const UNDER_WAY_LOOK: Duration = Duration::from_millis(20);

#[derive(FromQueryResult)]
struct Horizon {
    last: i64,
    next_transaction: i64,
}

/// The last entry before which no other can appear any more; nothing while that is not known.
///
/// Where several write, positions are given out before they become visible: an entry may appear behind one that was seen
/// already. Every transaction that posts has written before (the compare-and-set of its gate), so it is among those whose
/// end is waited for here.
pub async fn complete_through(db: &impl ConnectionTrait) -> Result<Option<i64>, DbErr> {
    if !has_other_writers(db) {
        return Ok(Some(i64::MAX));
    }
    let look = |sql| Statement::from_string(db.get_database_backend(), sql);
    let seen = "SELECT coalesce(max(entry_id), 0) AS last, \
        pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next_transaction FROM entry";
    let Some(row) = db.query_one_raw(look(seen)).await? else {
        return Ok(None);
    };
    let horizon = Horizon::from_query_result(&row, "")?;
    let deadline = tokio::time::Instant::now() + UNDER_WAY_MAX;
    loop {
        let oldest = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest";
        let row = db.query_one_raw(look(oldest)).await?;
        let oldest: Option<i64> = row.map(|row| row.try_get("", "oldest")).transpose()?;
        if oldest.is_some_and(|oldest| oldest >= horizon.next_transaction) {
            return Ok(Some(horizon.last));
        }
        if tokio::time::Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(UNDER_WAY_LOOK).await;
    }
}

/// Entries after a position and up to another, in order.
pub async fn between(db: &impl ConnectionTrait, after: i64, through: i64, limit: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::EntryId.gt(after))
        .filter(Column::EntryId.lte(through))
        .order_by_asc(Column::EntryId)
        .limit(limit)
        .all(db)
        .await
}

/// A sum by some heading.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Sum {
    /// The heading: an account, or a journal.
    pub heading: String,
    /// The sum in fen.
    pub amount: Option<i64>,
}

/// Sums of all entries by account.
pub async fn sums_by_account(db: &impl ConnectionTrait) -> Result<Vec<Sum>, DbErr> {
    sums(Column::Account, None).into_model().all(db).await
}

/// Sums of the entries after a position by account.
pub async fn sums_after(db: &impl ConnectionTrait, entry_id: i64) -> Result<Vec<Sum>, DbErr> {
    sums(Column::Account, Some(entry_id)).into_model().all(db).await
}

/// Journals whose entries do not sum to zero.
pub async fn unbalanced_journals(db: &impl ConnectionTrait) -> Result<Vec<Sum>, DbErr> {
    let unbalanced = Expr::col(Column::Amount).sum().cast_as("bigint").ne(0);
    sums(Column::JournalId, None)
        .having(unbalanced)
        .into_model()
        .all(db)
        .await
}

fn sums(heading: Column, after: Option<i64>) -> Select<Entity> {
    let mut query = Entity::find()
        .select_only()
        .column_as(heading, "heading")
        .column_as(Expr::col(Column::Amount).sum().cast_as("bigint"), "amount")
        .group_by(heading);
    if let Some(after) = after {
        query = query.filter(Column::EntryId.gt(after));
    }
    query
}

/// How many journals there are.
pub async fn count_journals(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    journal::Entity::find().count(db).await
}

/// The sum of a payment's entries on accounts that begin like this.
pub async fn of_payment(db: &impl ConnectionTrait, pay_no: &PayNo) -> Result<Vec<(journal::Model, Vec<Model>)>, DbErr> {
    let journals = journal::Entity::find()
        .filter(journal::Column::PayNo.eq(pay_no.clone()))
        .order_by_asc(journal::Column::PostedAt)
        .all(db)
        .await?;
    let mut found = Vec::with_capacity(journals.len());
    for journal in journals {
        let entries = Entity::find()
            .filter(Column::JournalId.eq(journal.journal_id.clone()))
            .order_by_asc(Column::EntryId)
            .all(db)
            .await?;
        found.push((journal, entries));
    }
    Ok(found)
}
