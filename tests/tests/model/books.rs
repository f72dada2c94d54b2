//! What stands, here and at the gateway, and what must hold of it at every moment.

use std::collections::{BTreeMap, BTreeSet};

use metropay_core::audit::verify::verify;
use metropay_core::clock::Day;
use metropay_core::id::{OutRefundNo, PayNo};
use metropay_core::ledger::balance;
use metropay_core::payment::{Payment, PaymentState, ReversalMark, records};
use metropay_core::problem::Problem;
use metropay_core::refund::{Refund, RefundKind, RefundState};

use crate::act::{MERCHANTS, Order};
use crate::gateway::{At, Held};
use crate::ground::{Ground, PER_DAY_FEN, account, uid};

/// An order as it stands here, with its refunds.
#[derive(Debug, Clone)]
pub(crate) struct Stands {
    pub(crate) payment: Payment,
    pub(crate) refunds: Vec<Refund>,
}

impl Stands {
    /// What is given back or being given back, by the refunds themselves.
    pub(crate) fn reserved(&self) -> u64 {
        self.reserved_beside(None)
    }

    /// The same without the refund of this number.
    pub(crate) fn reserved_beside(&self, number: Option<&OutRefundNo>) -> u64 {
        let asked = self
            .refunds
            .iter()
            .filter(|refund| refund.kind == RefundKind::Asked && number != Some(&refund.out_refund_no));
        let counts = asked.filter(|refund| refund.state != RefundState::Failed);
        counts.map(|refund| refund.amount.get()).sum()
    }

    /// Whether it counts against its user's day.
    pub(crate) fn counts(&self) -> bool {
        match self.payment.state {
            PaymentState::Paying => true,
            PaymentState::Success => self.payment.reversal != ReversalMark::Done,
            PaymentState::Failed | PaymentState::Closed => false,
        }
    }
}

/// All known orders at one moment.
pub(crate) type Snapshot = BTreeMap<Order, Stands>;

/// Reads the orders of these numbers and users.
pub(crate) async fn snapshot(
    ground: &Ground,
    orders: impl Iterator<Item = (Order, usize, PayNo)>,
) -> Result<Snapshot, Problem> {
    let mut snapshot = Snapshot::new();
    for (order, user, no) in orders {
        let (payment, refunds) = records::detail(&ground.engine, &uid(user), &no).await?;
        snapshot.insert(order, Stands { payment, refunds });
    }
    Ok(snapshot)
}

/// What a user's orders of a day amount to.
pub(crate) fn spent(snapshot: &Snapshot, user: usize, day: Day) -> u64 {
    let own = snapshot
        .values()
        .filter(|stands| stands.payment.uid == Some(uid(user)) && stands.payment.day == day);
    own.filter(|stands| stands.counts())
        .map(|stands| stands.payment.amount.get())
        .sum()
}

/// What must hold at every moment. `late` are orders that the gateway let be paid after it had said otherwise.
pub(crate) async fn hold(ground: &Ground, now: &Snapshot, late: &BTreeSet<String>) {
    for finding in verify(&ground.engine.db, &*ground.engine.rules)
        .await
        .expect("the books can be read")
    {
        assert!(
            finding.breaches.is_empty(),
            "{}: {:?}",
            finding.invariant.id(),
            finding.breaches
        );
    }
    let mut codes = BTreeMap::new();
    for (order, stands) in now {
        one_order_holds(ground, *order, stands, late);
        let day = spent(now, user_of(stands), stands.payment.day);
        assert!(
            day <= PER_DAY_FEN,
            "INV-21: {:?} has spent {day} fen on one day",
            stands.payment.uid
        );
        let other = codes.insert(stands.payment.code_id.clone(), order);
        assert!(other.is_none(), "INV-06: one code for {order:?} and {other:?}");
    }
    let known: BTreeSet<&str> = now.values().map(|stands| stands.payment.pay_no.as_str()).collect();
    for no in ground.gateway.orders().keys() {
        assert!(known.contains(no.as_str()), "INV-07: nobody asked for {no}");
    }
}

fn user_of(stands: &Stands) -> usize {
    (0..crate::act::USERS)
        .find(|who| Some(uid(*who)) == stands.payment.uid)
        .expect("one of the users")
}

fn one_order_holds(ground: &Ground, order: Order, stands: &Stands, late: &BTreeSet<String>) {
    let Stands { payment, .. } = stands;
    let no = payment.pay_no.as_str();
    assert_eq!(payment.refund_reserved.get(), stands.reserved(), "{order:?}");
    assert!(stands.reserved() <= payment.amount.get(), "INV-11: {order:?}");
    let held = ground.gateway.order(no);
    if let Some(held) = &held {
        assert!(
            held.net() >= 0,
            "INV-11: more of {order:?} went back than came: {held:?}"
        );
        assert_eq!(held.amount, payment.amount.get(), "INV-08: {order:?}");
    }
    let paid = held.is_some_and(|held| held.at == At::Paid);
    match payment.state {
        PaymentState::Success => assert!(paid, "INV-08: {order:?} is told as paid and is not"),
        PaymentState::Failed => assert!(
            !paid || late.contains(no),
            "INV-08: {order:?} is told as failed and is paid"
        ),
        // Closed by a gateway's blindness, or paid late: it goes back by itself, which the end of the run shows.
        PaymentState::Closed | PaymentState::Paying => {}
    }
}

/// Whether an order may go from one standing to another (INV-09).
pub(crate) fn may_follow(before: &Payment, after: &Payment) -> bool {
    use PaymentState::{Closed, Failed, Paying, Success};
    let states = match (before.state, after.state) {
        (Paying, _) | (Success, Success) | (Failed, Failed) | (Closed, Closed) => true,
        (Success | Failed | Closed, _) => false,
    };
    let marks = match (before.reversal, after.reversal) {
        (ReversalMark::Done, mark) => mark == ReversalMark::Done,
        (ReversalMark::None | ReversalMark::Asked, _) => true,
    };
    states && marks && before.refunded <= after.refunded
}

/// What must hold when everything has ended: the gateway's books, the ledger and the orders say the same.
pub(crate) async fn agree(ground: &Ground, end: &Snapshot) {
    let orders = ground.gateway.orders();
    for (order, stands) in end {
        let payment = &stands.payment;
        let net = orders.get(payment.pay_no.as_str()).map_or(0, Held::net);
        let says = match (payment.state, payment.reversal) {
            (PaymentState::Success, ReversalMark::Done) | (PaymentState::Failed | PaymentState::Closed, _) => 0,
            (PaymentState::Success, _) => payment.amount.signed() - payment.refunded.signed(),
            (PaymentState::Paying, _) => unreachable!("INV-15: nothing is open any more"),
        };
        assert_eq!(
            net, says,
            "INV-08: of {order:?}, which is {:?}/{:?}",
            payment.state, payment.reversal
        );
        let back = orders
            .get(payment.pay_no.as_str())
            .map(|held| held.back.clone())
            .unwrap_or_default();
        for refund in &stands.refunds {
            let moved = back.get(refund.refund_no.as_str()).copied();
            let done = refund.state == RefundState::Done && refund.kind == RefundKind::Asked;
            assert_eq!(
                moved.is_some(),
                done || (refund.kind == RefundKind::Compensation && moved.is_some()),
                "{refund:?}"
            );
        }
    }
    let balances = balance::all(&ground.engine).await.expect("the ledger can be read");
    for merchant in 0..MERCHANTS {
        let own = account(merchant).0;
        let held = balances.get(&format!("clearing:{own}")).copied().unwrap_or(0);
        let net: i64 = orders.values().filter(|held| held.account == own).map(Held::net).sum();
        assert_eq!(held, net, "INV-04: {own}");
    }
}
