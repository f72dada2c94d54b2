//! What PostgreSQL does in one statement and one round trip: several writes, each fed by the one before, all or nothing.
//!
//! The embedded database has no such statement; there the same is a transaction (`payment/open.rs`, `payment/settle.rs`).
//! Both follow one order of holding rows: payment, user, consent, code. A row that is held is looked at again as it stands
//! then, so that what somebody else ended in the meantime feeds nothing.

use std::fmt::Write as _;
use std::sync::LazyLock;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Value;
use sea_orm::{ActiveModelTrait, FromQueryResult, IntoActiveModel, Iterable, Statement};

use super::contract::MandateState;
use super::entry::journal;
use super::outbox::Owed;
use super::payment::{Column, Model as Payment, PaymentState};
use super::user::UserState;
use crate::channel::Paid;
use crate::clock::Time;
use crate::id::{CodeId, MandateId, Uid};
use crate::money::Fen;

/// A payment to be written down, and whose it is.
pub struct Placing<'a> {
    /// The payment.
    pub payment: &'a Payment,
    /// Who pays.
    pub uid: &'a Uid,
    /// With which code.
    pub code_id: &'a CodeId,
    /// On which consent.
    pub mandate_id: &'a MandateId,
    /// What one user may spend in a day.
    pub cap: Fen,
    /// The event's kind and facts.
    pub told: (&'static str, String),
}

/// What came of writing a payment down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It stands.
    Written,
    /// The user's account, his consent or the code ended in the meantime.
    Overtaken,
    /// The user's day has no room for it.
    OverCap,
}

#[derive(FromQueryResult)]
struct Counted {
    stands: i64,
    written: i64,
}

/// The statement's own values come first; the payment's columns follow.
const PLACE_VALUES: usize = 9;

static PLACE: LazyLock<String> = LazyLock::new(|| {
    let (columns, values) = payment_columns(PLACE_VALUES);
    format!(
        "WITH holder AS (SELECT uid FROM app_user WHERE uid = $1 AND status = $2 FOR NO KEY UPDATE), \
         consent AS (SELECT mandate.mandate_id FROM mandate, holder \
           WHERE mandate.mandate_id = $3 AND mandate.uid = holder.uid AND mandate.state = $4 FOR SHARE OF mandate), \
         shown AS (SELECT code.code_id FROM code, holder \
           WHERE code.code_id = $5 AND code.uid = holder.uid AND code.ended_at IS NULL FOR NO KEY UPDATE OF code), \
         spent AS (INSERT INTO spend (uid, day, amount) \
           SELECT holder.uid, {day}, {amount} FROM holder, consent, shown WHERE {amount} <= $6 \
           ON CONFLICT (uid, day) DO UPDATE SET amount = spend.amount + excluded.amount \
           WHERE spend.amount + excluded.amount <= $6 RETURNING uid), \
         numbered AS (INSERT INTO request_no (mch_id, out_request_no, pay_no, created_at) \
           SELECT {mch_id}, {out_request_no}, {pay_no}, $7 FROM spent), \
         placed AS (INSERT INTO payment ({columns}) SELECT {values} FROM spent), \
         ended AS (UPDATE code SET ended_at = $7 FROM spent \
           WHERE code.uid = spent.uid AND code.ended_at IS NULL AND code.expires_at > $7), \
         told AS (INSERT INTO event (uid, kind, code_id, payload, created_at) \
           SELECT spent.uid, $8, $5, $9, $7 FROM spent) \
         SELECT (SELECT count(*) FROM shown, consent) AS stands, (SELECT count(*) FROM spent) AS written",
        day = place_of(Column::Day, PLACE_VALUES),
        amount = place_of(Column::Amount, PLACE_VALUES),
        mch_id = place_of(Column::MchId, PLACE_VALUES),
        out_request_no = place_of(Column::OutRequestNo, PLACE_VALUES),
        pay_no = place_of(Column::PayNo, PLACE_VALUES),
    )
});

/// Consumes the code, counts the user's day, takes the number, writes the payment down and tells the App (INV-05, INV-06,
/// INV-07, INV-21). A unique violation says that the number or the code was taken before.
pub async fn place(db: &impl ConnectionTrait, placing: Placing<'_>) -> Result<Placed, DbErr> {
    let payment = placing.payment.clone().into_active_model();
    let mut values: Vec<Value> = vec![
        placing.uid.clone().into(),
        UserState::Active.to_value().into(),
        placing.mandate_id.clone().into(),
        MandateState::Active.to_value().into(),
        placing.code_id.clone().into(),
        placing.cap.into(),
        placing.payment.created_at.into(),
        placing.told.0.into(),
        placing.told.1.into(),
    ];
    debug_assert_eq!(values.len(), PLACE_VALUES, "the statement counts on this");
    values.extend(Column::iter().filter_map(|column| payment.get(column).into_value()));
    let row = counted(db, &PLACE, values).await?;
    Ok(match (row.stands, row.written) {
        (0, _) => Placed::Overtaken,
        (_, 0) => Placed::OverCap,
        _ => Placed::Written,
    })
}

/// A payment that is to succeed, with what that posts and tells.
pub struct Succeeding<'a> {
    /// The payment as it was written down.
    pub payment: &'a Payment,
    /// What the channel says.
    pub paid: &'a Paid,
    /// The journal.
    pub journal: journal::Model,
    /// Its entries: account and signed amount in fen. Three at most; zeros are left out.
    pub entries: [(String, i64); 3],
    /// The event's kind and facts.
    pub told: (&'static str, String),
    /// What the merchant is owed to be told.
    pub owed: Owed<'a>,
    /// When.
    pub at: Time,
}

const SUCCEED: &str = "WITH paid AS (UPDATE payment \
      SET state = $1, ended_at = $2, next_look_at = NULL, channel_no = $3, coupon = $4, paid_at = $5 \
      WHERE pay_no = $6 AND state = $7 RETURNING pay_no, mch_id, uid, code_id), \
    holder AS (SELECT app_user.uid, paid.code_id FROM app_user, paid WHERE app_user.uid = paid.uid \
      FOR NO KEY UPDATE OF app_user), \
    posted AS (INSERT INTO journal (journal_id, kind, mch_id, pay_no, day, posted_at) \
      SELECT $8, $9, paid.mch_id, paid.pay_no, $10, $2 FROM paid), \
    entered AS (INSERT INTO entry (journal_id, account, amount, day) \
      SELECT $8, line.account, line.amount, $10 FROM paid, \
        (VALUES ($11::text, $12::bigint), ($13, $14), ($15, $16)) AS line (account, amount) \
      WHERE line.amount <> 0), \
    told AS (INSERT INTO event (uid, kind, code_id, payload, created_at) \
      SELECT holder.uid, $17, holder.code_id, $18, $2 FROM holder), \
    owed AS (INSERT INTO outbox (event_id, mch_id, kind, uid, payload, created_at) \
      SELECT $19, paid.mch_id, $20, paid.uid, $21, $2 FROM paid) \
    SELECT 1::bigint AS stands, (SELECT count(*) FROM paid) AS written";

/// Ends a PAYING payment as paid, posts it, tells the App and owes it to the merchant (INV-16, INV-17); `false` when it is not PAYING any more and nothing
/// was written.
pub async fn succeed(db: &impl ConnectionTrait, what: Succeeding<'_>) -> Result<bool, DbErr> {
    let [first, second, third] = what.entries;
    let values: Vec<Value> = vec![
        PaymentState::Success.to_value().into(),
        what.at.into(),
        what.paid.channel_no.clone().into(),
        what.paid.coupon.into(),
        what.paid.paid_at.into(),
        what.payment.pay_no.clone().into(),
        PaymentState::Paying.to_value().into(),
        what.journal.journal_id.into(),
        what.journal.kind.into(),
        what.journal.day.into(),
        first.0.into(),
        first.1.into(),
        second.0.into(),
        second.1.into(),
        third.0.into(),
        third.1.into(),
        what.told.0.into(),
        what.told.1.into(),
        what.owed.event_id.into(),
        what.owed.kind.into(),
        what.owed.payload.into(),
    ];
    Ok(counted(db, SUCCEED, values).await?.written == 1)
}

async fn counted(db: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<Counted, DbErr> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let row = db.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("a count answers one row".to_owned()))?;
    Counted::from_query_result(&row, "")
}

/// The payment's columns, and the placeholders of their values behind so many others.
fn payment_columns(behind: usize) -> (String, String) {
    let (mut columns, mut values) = (String::new(), String::new());
    for (at, column) in Column::iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(columns, "{comma}{}", column.as_str());
        let _ = write!(values, "{comma}{}", place_of(column, behind));
    }
    (columns, values)
}

/// The placeholder of a column's value.
fn place_of(column: Column, behind: usize) -> String {
    let position = Column::iter().position(|other| other.as_str() == column.as_str());
    format!(
        "${}",
        position.unwrap_or_default().saturating_add(behind).saturating_add(1)
    )
}
