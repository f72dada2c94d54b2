//! Events owed to the App. An event is written in the transaction of what it tells; the wake-up after it may be lost.

use sea_orm::DatabaseTransaction;
use serde_json::{Value, json};

use crate::clock::Time;
use crate::engine::Engine;
use crate::id::{CodeId, Uid};
use crate::limit;
use crate::payment::Payment;
use crate::problem::Problem;
use crate::store;
pub use crate::store::event::Model as Event;

/// What can happen to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A till placed an order with his code.
    PaymentPlaced,
    /// It is paid.
    PaymentSucceeded,
    /// It failed.
    PaymentFailed,
    /// It was closed without payment.
    PaymentClosed,
    /// It was undone; the money went back.
    PaymentReversed,
    /// Money of it went back.
    PaymentRefunded,
    /// His code was scanned where he has no mandate: sign, then scan again.
    MandateNeeded,
    /// A mandate became usable.
    MandateActive,
    /// A mandate was suspended by the channel.
    MandateSuspended,
    /// A mandate ended.
    MandateClosed,
    /// He became a member somewhere.
    MemberOpened,
    /// He is a member there no longer.
    MemberClosed,
    /// The merchant did not do what he wished.
    MemberRefused,
    /// He has another phone number.
    PhoneChanged,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::PaymentPlaced,
        Self::PaymentSucceeded,
        Self::PaymentFailed,
        Self::PaymentClosed,
        Self::PaymentReversed,
        Self::PaymentRefunded,
        Self::MandateNeeded,
        Self::MandateActive,
        Self::MandateSuspended,
        Self::MandateClosed,
        Self::MemberOpened,
        Self::MemberClosed,
        Self::MemberRefused,
        Self::PhoneChanged,
    ];

    /// The word as the App sees it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::PaymentPlaced => "payment.placed",
            Self::PaymentSucceeded => "payment.succeeded",
            Self::PaymentFailed => "payment.failed",
            Self::PaymentClosed => "payment.closed",
            Self::PaymentReversed => "payment.reversed",
            Self::PaymentRefunded => "payment.refunded",
            Self::MandateNeeded => "mandate.needed",
            Self::MandateActive => "mandate.active",
            Self::MandateSuspended => "mandate.suspended",
            Self::MandateClosed => "mandate.closed",
            Self::MemberOpened => "member.opened",
            Self::MemberClosed => "member.closed",
            Self::MemberRefused => "member.refused",
            Self::PhoneChanged => "phone.changed",
        }
    }
}

/// Writes down an event about a payment.
pub(crate) async fn about_payment(
    tx: &DatabaseTransaction,
    kind: EventKind,
    payment: &Payment,
    more: Value,
    now: Time,
) -> Result<(), Problem> {
    // Whoever showed a code of the channel's own App is told by that App.
    let Some(uid) = &payment.uid else {
        return Ok(());
    };
    let payload = of_payment(payment, more);
    push(tx, kind, uid, payment.code_id.clone(), &payload, now).await
}

/// The facts of an event about a payment.
pub(crate) fn of_payment(payment: &Payment, more: Value) -> Value {
    let mut payload = json!({
        "pay_out_trade_no": payment.pay_no,
        "mch_id": payment.mch_id,
        "store_id": payment.store_id,
        "channel": payment.channel,
        "total_fee": payment.amount,
        "body": payment.body,
    });
    if let (Some(payload), Value::Object(more)) = (payload.as_object_mut(), more) {
        payload.extend(more);
    }
    payload
}

/// Writes down an event.
pub(crate) async fn push(
    tx: &DatabaseTransaction,
    kind: EventKind,
    uid: &Uid,
    code_id: Option<CodeId>,
    payload: &Value,
    now: Time,
) -> Result<(), Problem> {
    Ok(store::event::insert(tx, uid, kind.word(), code_id, payload.to_string(), now).await?)
}

/// The user's events after a position, the oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn after(engine: &Engine, uid: &Uid, seq: i64) -> Result<Vec<Event>, Problem> {
    Ok(store::event::after(engine.db.read(), uid, seq, limit::PAGE_MAX).await?)
}

/// The user's last position: where a stream without `Last-Event-ID` begins.
///
/// # Errors
/// When the database does not answer.
pub async fn last_seq(engine: &Engine, uid: &Uid) -> Result<i64, Problem> {
    Ok(store::event::last_seq(engine.db.read(), uid).await?)
}
