//! Whether merchants are owed to be told of every end (INV-17).

use std::collections::BTreeSet;
use std::time::Duration;

use sea_orm::DatabaseTransaction;

use super::{Books, Finding, PAGE};
use crate::clock::Time;
use crate::invariant::Invariant;
use crate::outbox::OwedKind;
use crate::payment::{Payment, PaymentState};
use crate::problem::Problem;
use crate::refund::{Refund, RefundKind, RefundState};
use crate::reversal::ReversalResult;
use crate::store;

/// What ended so long before the last event may have been forgotten.
const KEPT_SURELY: Duration = Duration::from_secs(29 * 24 * 3_600);

/// Every end since events are written, and as far back as they are kept, has its event.
pub(super) async fn changes_are_owed(tx: &DatabaseTransaction, books: &Books) -> Result<Finding, Problem> {
    let mut finding = Finding::new(Invariant::ChangesAreOwed);
    let Some((first, last)) = store::outbox::span(tx).await? else {
        return Ok(finding);
    };
    let since = first.max(last.minus(KEPT_SURELY));
    let owed = owed(tx).await?;
    let mut expect = |kind: OwedKind, about: &str, ended_at: Option<Time>| {
        if ended_at.is_some_and(|at| at > since) {
            let event_id = kind.event_id(about);
            finding.check(owed.contains(&event_id), || format!("{event_id} is owed to nobody"));
        }
    };
    for payment in &books.payments {
        if let Some(kind) = of_payment(payment) {
            expect(kind, payment.pay_no.as_str(), payment.ended_at);
        }
        for refund in books.refunds_of(payment) {
            if let Some(kind) = of_refund(refund) {
                expect(kind, refund.refund_no.as_str(), refund.ended_at);
            }
        }
    }
    for reversal in books.reversals.values() {
        if reversal.result == Some(ReversalResult::MoneyBack) {
            expect(OwedKind::PaymentReversed, reversal.pay_no.as_str(), reversal.ended_at);
        }
    }
    Ok(finding)
}

async fn owed(tx: &DatabaseTransaction) -> Result<BTreeSet<String>, Problem> {
    let (mut all, mut after) = (BTreeSet::new(), 0);
    loop {
        let page = store::outbox::ids_after(tx, after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(all);
        };
        after = *last;
        all.extend(page.into_iter().map(|(_, event_id)| event_id));
    }
}

const fn of_payment(payment: &Payment) -> Option<OwedKind> {
    match payment.state {
        PaymentState::Paying => None,
        PaymentState::Success => Some(OwedKind::PaymentSucceeded),
        PaymentState::Failed => Some(OwedKind::PaymentFailed),
        PaymentState::Closed => Some(OwedKind::PaymentClosed),
    }
}

/// Late money that goes back was never the merchant's.
fn of_refund(refund: &Refund) -> Option<OwedKind> {
    match (refund.kind, refund.state) {
        (RefundKind::Compensation, _) | (_, RefundState::Requested) => None,
        (_, RefundState::Done) => Some(OwedKind::RefundSucceeded),
        (_, RefundState::Failed) => Some(OwedKind::RefundFailed),
    }
}
