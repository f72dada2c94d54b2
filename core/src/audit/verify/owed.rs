//! Whether merchants are owed to be told of every change, and whether what they are owed can still reach them (INV-17).

use std::collections::BTreeSet;
use std::time::Duration;

use sea_orm::DatabaseTransaction;

use super::{Books, Finding, PAGE};
use crate::clock::Time;
use crate::invariant::Invariant;
use crate::mandate::Mandate;
use crate::outbox::OwedKind;
use crate::payment::{Payment, PaymentState};
use crate::problem::Problem;
use crate::refund::{Refund, RefundKind, RefundState};
use crate::reversal::ReversalResult;
use crate::store::{self, left_behind};

/// What ended so long before the last event may have been forgotten.
const KEPT_SURELY: Duration = Duration::from_secs(29 * 24 * 3_600);
/// So much later than an event another may be handed on, and no more: whoever hands on begins with the oldest.
const HANDED_ON_WITHIN: Duration = Duration::from_secs(60);

/// Every change since events are written, and as far back as they are kept, has its event; there is none without its change; and
/// what is owed was taken, was given up, or waits for somebody who will tell it.
pub(super) async fn changes_are_owed(tx: &DatabaseTransaction, books: &Books) -> Result<Finding, Problem> {
    let mut finding = Finding::new(Invariant::ChangesAreOwed);
    if let Some((first, last)) = store::outbox::span(tx).await? {
        let owed = Owed::read(tx).await?;
        let since = first.max(last.minus(KEPT_SURELY));
        money(&mut finding, books, &owed, since);
        mandates(&mut finding, tx, &owed, since).await?;
    }
    nothing_is_left_behind(&mut finding, tx).await?;
    Ok(finding)
}

/// The numbers of everything that is owed.
#[derive(Default)]
struct Owed {
    all: BTreeSet<String>,
    /// Those that are about money.
    of_money: BTreeSet<String>,
}

impl Owed {
    async fn read(tx: &DatabaseTransaction) -> Result<Self, Problem> {
        let (mut owed, mut after) = (Self::default(), 0);
        loop {
            let page = store::outbox::ids_after(tx, after, PAGE).await?;
            let Some((last, ..)) = page.last() else {
                return Ok(owed);
            };
            after = *last;
            for (_, event_id, kind) in page {
                if OwedKind::parse(&kind).is_some_and(is_of_money) {
                    owed.of_money.insert(event_id.clone());
                }
                owed.all.insert(event_id);
            }
        }
    }
}

const fn is_of_money(kind: OwedKind) -> bool {
    match kind {
        OwedKind::PaymentSucceeded
        | OwedKind::PaymentFailed
        | OwedKind::PaymentClosed
        | OwedKind::PaymentReversed
        | OwedKind::RefundSucceeded
        | OwedKind::RefundFailed => true,
        OwedKind::MandateActive
        | OwedKind::MandateSuspended
        | OwedKind::MandateClosed
        | OwedKind::MemberOpened
        | OwedKind::MemberClosed
        | OwedKind::EndpointPing => false,
    }
}

/// The ends of orders, and the events about money, are the same; those before this moment may have been forgotten.
fn money(finding: &mut Finding, books: &Books, owed: &Owed, since: Time) {
    let mut ends = BTreeSet::new();
    for (event_id, ended_at) in ends_of(books) {
        if ended_at.is_some_and(|at| at > since) {
            finding.check(owed.all.contains(&event_id), || format!("{event_id} is owed to nobody"));
        }
        ends.insert(event_id);
    }
    for told in owed.of_money.difference(&ends) {
        finding.breaches.push(format!("{told} is owed, and did not happen"));
    }
}

/// Every end, by the number that its event has, and when it was.
fn ends_of(books: &Books) -> Vec<(String, Option<Time>)> {
    let mut ends = Vec::new();
    for payment in &books.payments {
        if let Some(kind) = of_payment(payment) {
            ends.push((kind.event_id(payment.pay_no.as_str()), payment.ended_at));
        }
        for refund in books.refunds_of(payment) {
            if let Some(kind) = of_refund(refund) {
                ends.push((kind.event_id(refund.refund_no.as_str()), refund.ended_at));
            }
        }
    }
    for reversal in books.reversals.values() {
        if reversal.result == Some(ReversalResult::MoneyBack) {
            let event_id = OwedKind::PaymentReversed.event_id(reversal.pay_no.as_str());
            ends.push((event_id, reversal.ended_at));
        }
    }
    ends
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

/// The first signing and the end of mandates. When one was suspended in between is not written on it.
async fn mandates(finding: &mut Finding, tx: &DatabaseTransaction, owed: &Owed, since: Time) -> Result<(), Problem> {
    let mut after = None;
    loop {
        let page = store::mandate::changed_since(tx, since, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.mandate_id.clone());
        for mandate in &page {
            let signed_at = mandate.activated_at.filter(|at| *at > mandate.created_at);
            let changes = [
                (OwedKind::MandateActive, signed_at),
                (OwedKind::MandateClosed, mandate.ended_at),
            ];
            for (kind, at) in changes {
                if let Some(at) = at.filter(|at| *at > since) {
                    let event_id = of_mandate(kind, mandate, at);
                    finding.check(owed.all.contains(&event_id), || format!("{event_id} is owed to nobody"));
                }
            }
        }
    }
}

fn of_mandate(kind: OwedKind, mandate: &Mandate, at: Time) -> String {
    kind.event_id(&format!("{}-{}", mandate.mandate_id, at.0))
}

/// Nothing that is owed was forgotten on the way.
async fn nothing_is_left_behind(finding: &mut Finding, tx: &DatabaseTransaction) -> Result<(), Problem> {
    let deliveries = left_behind::deliveries(tx).await?;
    finding.checked = finding.checked.saturating_add(deliveries);
    let found = [
        (
            left_behind::passed_over(tx, HANDED_ON_WITHIN).await?,
            "was passed over when later ones were handed on",
        ),
        (
            left_behind::orphaned(tx).await?,
            "waits, and nobody is there to tell or to be told it",
        ),
        (
            left_behind::asleep(tx).await?,
            "is to be told something, and nobody will",
        ),
        (left_behind::unclear(tx).await?, "has ended and waits, or neither"),
    ];
    for (names, what) in found {
        finding
            .breaches
            .extend(names.into_iter().map(|name| format!("{name} {what}")));
    }
    Ok(())
}
