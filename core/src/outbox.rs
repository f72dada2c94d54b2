//! What merchants are owed to be told of, and their membership systems: each change once, in the transaction of the change (INV-17).
//! Handing it on is `webhook::spread`'s.

use serde_json::{Value, json};

use crate::clock::Time;
use crate::mandate::Mandate;
use crate::membership::Membership;
use crate::payment::Payment;
use crate::problem::Problem;
use crate::refund::Refund;
use crate::store::outbox::Owed;
use crate::store::{self, Tx};

/// What can be owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwedKind {
    /// A payment is paid.
    PaymentSucceeded,
    /// A payment failed, by proof of the channel.
    PaymentFailed,
    /// A payment was closed without money.
    PaymentClosed,
    /// A payment was undone; all of its money went back.
    PaymentReversed,
    /// A refund was made.
    RefundSucceeded,
    /// A refund was not made, by proof of the channel.
    RefundFailed,
    /// A mandate became usable.
    MandateActive,
    /// A mandate was suspended by the channel.
    MandateSuspended,
    /// A mandate ended.
    MandateClosed,
    /// A user became a member.
    MemberOpened,
    /// A user is a member no longer.
    MemberClosed,
    /// Nothing: an endpoint is tried.
    EndpointPing,
}

impl OwedKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::PaymentSucceeded,
        Self::PaymentFailed,
        Self::PaymentClosed,
        Self::PaymentReversed,
        Self::RefundSucceeded,
        Self::RefundFailed,
        Self::MandateActive,
        Self::MandateSuspended,
        Self::MandateClosed,
        Self::MemberOpened,
        Self::MemberClosed,
        Self::EndpointPing,
    ];

    /// The word as merchants see it: a noun, and what happened to it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::PaymentSucceeded => "payment.succeeded",
            Self::PaymentFailed => "payment.failed",
            Self::PaymentClosed => "payment.closed",
            Self::PaymentReversed => "payment.reversed",
            Self::RefundSucceeded => "refund.succeeded",
            Self::RefundFailed => "refund.failed",
            Self::MandateActive => "mandate.active",
            Self::MandateSuspended => "mandate.suspended",
            Self::MandateClosed => "mandate.closed",
            Self::MemberOpened => "member.opened",
            Self::MemberClosed => "member.closed",
            Self::EndpointPing => "endpoint.ping",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The number of such an event about this: one for each change, whoever writes it and however often.
    pub fn event_id(self, about: &str) -> String {
        let what = self.word().split_once('.').map_or("", |(_, what)| what);
        format!("{about}-{what}")
    }
}

/// Writes down what is owed.
pub(crate) async fn owe(tx: &Tx, owed: Owed<'_>, now: Time) -> Result<(), Problem> {
    Ok(store::outbox::insert(tx, owed, now).await?)
}

/// What is owed about a payment.
pub(crate) fn of_payment(kind: OwedKind, payment: &Payment, more: Value) -> Owed<'_> {
    let mut payload = json!({
        "pay_out_trade_no": payment.pay_no,
        "out_request_no": payment.out_request_no,
        "store_id": payment.store_id,
        "channel": payment.channel,
        "total_fee": payment.amount,
        "uid": payment.uid,
    });
    if let (Some(payload), Value::Object(more)) = (payload.as_object_mut(), more) {
        payload.extend(more);
    }
    Owed {
        event_id: kind.event_id(payment.pay_no.as_str()),
        mch_id: &payment.mch_id,
        kind: kind.word(),
        uid: payment.uid.as_ref(),
        payload: payload.to_string(),
    }
}

/// What is owed about a refund.
pub(crate) fn of_refund<'a>(kind: OwedKind, payment: &'a Payment, refund: &Refund) -> Owed<'a> {
    let payload = json!({
        "pay_refund_id": refund.refund_no,
        "out_refund_no": refund.out_refund_no,
        "pay_refund_fee": refund.amount,
        "pay_out_trade_no": payment.pay_no,
        "out_request_no": payment.out_request_no,
        "total_fee": payment.amount,
        "channel": payment.channel,
        "uid": payment.uid,
    });
    Owed {
        event_id: kind.event_id(refund.refund_no.as_str()),
        mch_id: &payment.mch_id,
        kind: kind.word(),
        uid: payment.uid.as_ref(),
        payload: payload.to_string(),
    }
}

/// What is owed about a mandate, which may be suspended and usable again many times.
pub(crate) fn of_mandate(kind: OwedKind, mandate: &Mandate, now: Time) -> Owed<'_> {
    let payload = json!({
        "mandate_id": mandate.mandate_id,
        "uid": mandate.uid,
        "channel": mandate.channel,
        "state": mandate.state,
        "ended_by": mandate.ended_by,
    });
    Owed {
        event_id: kind.event_id(&format!("{}-{}", mandate.mandate_id, now.0)),
        mch_id: &mandate.mch_id,
        kind: kind.word(),
        uid: Some(&mandate.uid),
        payload: payload.to_string(),
    }
}

/// What is owed about a membership, which may begin and end many times.
pub(crate) fn of_membership(kind: OwedKind, membership: &Membership) -> Owed<'_> {
    let payload = json!({
        "uid": membership.uid,
        "vip_status": membership.standing,
        "member_no": membership.member_no,
    });
    let about = format!("{}-{}", membership.name(), membership.updated_at.0);
    Owed {
        event_id: kind.event_id(&about),
        mch_id: &membership.mch_id,
        kind: kind.word(),
        uid: Some(&membership.uid),
        payload: payload.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_are_read_back_and_numbers_fit_the_header() {
        let words: BTreeSet<&str> = OwedKind::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(words.len(), OwedKind::ALL.len());
        for kind in OwedKind::ALL {
            assert_eq!(OwedKind::parse(kind.word()), Some(kind));
            let id = kind.event_id(&"9".repeat(50));
            assert!(
                id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
                "{id}"
            );
        }
    }
}
