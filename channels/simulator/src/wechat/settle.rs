//! What happens in the background: accepted deductions and filed refunds come to their end, once, also after a restart.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::order::{self, Order, State};
use super::refund::{self, Refund, Status};
use super::{contract, notify, number, quota};
use crate::books::{self, Movement, MovementKind};
use crate::fault::Effect;
use crate::frame::{Frame, Gateway};
use crate::store::Tx;

/// How often a long wait looks whether the gateway's clock was moved.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Something with an appointment in the background, by its row.
#[derive(Debug, Clone)]
pub(super) enum Due {
    Order(String),
    Refund(String),
}

/// What the fault script has in store for something that is accepted.
pub(super) struct Fate {
    pub wait_ms: u64,
    pub fails_with: Option<String>,
}

/// How long it takes and how it ends.
pub(super) fn fate(frame: &Frame, effects: &[Effect]) -> Fate {
    let mut fate = Fate {
        wait_ms: frame.settings.settle_ms,
        fails_with: None,
    };
    for effect in effects {
        match effect {
            Effect::Pending { ms } => fate.wait_ms = *ms,
            Effect::FailLater { ms, code } => {
                fate.wait_ms = *ms;
                fate.fails_with = Some(code.clone());
            }
            _ => {}
        }
    }
    fate
}

/// A moment so many milliseconds later.
pub(super) fn after(at_ms: i64, wait_ms: u64) -> i64 {
    at_ms.saturating_add(i64::try_from(wait_ms).unwrap_or(i64::MAX))
}

/// Settles something at its time: when the gateway's clock reaches it, or when the wait has really passed.
pub(super) fn later(frame: &Arc<Frame>, due: Due, at_ms: i64) {
    let wait_ms = u64::try_from(at_ms.saturating_sub(frame.clock.now_ms())).unwrap_or(0);
    // A task that holds the frame would keep a stopped simulator alive.
    tokio::spawn(wait_and_settle(
        Arc::downgrade(frame),
        due,
        at_ms,
        Duration::from_millis(wait_ms),
    ));
}

async fn wait_and_settle(frame: Weak<Frame>, due: Due, at_ms: i64, wait: Duration) {
    let begun = Instant::now();
    loop {
        let left = wait.saturating_sub(begun.elapsed());
        tokio::time::sleep(left.min(LOOK_EVERY)).await;
        let Some(frame) = frame.upgrade() else { return };
        if begun.elapsed() < wait && frame.clock.now_ms() < at_ms {
            continue;
        }
        match due {
            Due::Order(key) => settle_order(&frame, &key, at_ms),
            Due::Refund(key) => settle_refund(&frame, &key, at_ms),
        }
        return;
    }
}

/// Makes the appointments of all that was pending when the simulator stopped.
pub(super) fn resume(frame: &Arc<Frame>) {
    let tx = frame.store.begin();
    let (orders, refunds) = (order::pending(&tx), refund::pending(&tx));
    drop(tx);
    for order in orders {
        later(frame, Due::Order(order.key()), order.settle_at_ms);
    }
    for refund in refunds {
        later(frame, Due::Refund(refund.key()), refund.settle_at_ms);
    }
}

/// Ends a deduction. The state is judged in the same unit of work that writes the debit down, so it happens once.
fn settle_order(frame: &Arc<Frame>, key: &str, at_ms: i64) {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let appointed = order::find(&tx, key).filter(|order| order.awaits_settlement() && order.settle_at_ms == at_ms);
    let Some(mut order) = appointed else { return };
    let contract = contract::find(&tx, &order.contract_id);
    let ended = contract.is_none_or(|contract| contract.ended.is_some());
    // What is closed already and paid all the same is past caring about its contract.
    let ended = ended && order.state == State::NotPay;
    let fails_with = order
        .will_fail
        .take()
        .or_else(|| ended.then(|| "CONTRACT_NOT_EXIST".to_owned()));
    match fails_with {
        Some(code) if order.state == State::NotPay => {
            order.state = State::PayFail;
            order.err_code = Some(code);
            quota::give_back(&mut tx, &order.quota_key, order.total_fee);
        }
        _ => {
            if order.state == State::Closed {
                quota::take_again(&mut tx, &order.quota_key, order.total_fee);
            }
            pay(&mut tx, &mut order, now_ms);
        }
    }
    order::keep(&mut tx, &order);
    tx.commit();
    notify::deducted(frame, &order);
}

fn pay(tx: &mut Tx<'_>, order: &mut Order, now_ms: i64) {
    let transaction_id = number::transaction_id(tx, now_ms);
    books::record(
        tx,
        Movement {
            seq: 0,
            at_ms: now_ms,
            gateway: Gateway::Wechat,
            account: order.mch_id.clone(),
            kind: MovementKind::Debit,
            order_no: order.out_trade_no.clone(),
            payment_no: order.out_trade_no.clone(),
            gateway_no: transaction_id.clone(),
            amount_fen: order.total_fee,
            payer: order.openid.clone(),
        },
    );
    order.state = State::Paid;
    order.transaction_id = Some(transaction_id);
    order.paid_at_ms = Some(now_ms);
    order.paid_after_close_ms = None;
}

/// Ends a refund, once.
fn settle_refund(frame: &Arc<Frame>, key: &str, at_ms: i64) {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let appointed = refund::find(&tx, key);
    let appointed = appointed.filter(|refund| refund.status == Status::Processing && refund.settle_at_ms == at_ms);
    let Some(mut refund) = appointed else { return };
    refund.status = refund.will_end;
    match refund.will_end {
        Status::Success => give_back(&mut tx, &mut refund, now_ms),
        Status::Closed => refund::undo(&mut tx, &refund),
        Status::Change | Status::Processing => {}
    }
    refund::keep(&mut tx, &refund);
    tx.commit();
    notify::refunded(frame, &refund);
}

fn give_back(tx: &mut Tx<'_>, refund: &mut Refund, now_ms: i64) {
    refund.succeeded_at_ms = Some(now_ms);
    books::record(
        tx,
        Movement {
            seq: 0,
            at_ms: now_ms,
            gateway: Gateway::Wechat,
            account: refund.mch_id.clone(),
            kind: MovementKind::Refund,
            order_no: refund.out_refund_no.clone(),
            payment_no: refund.out_trade_no.clone(),
            gateway_no: refund.refund_id.clone(),
            amount_fen: refund.refund_fee,
            payer: refund.openid.clone(),
        },
    );
}

#[cfg(test)]
mod tests {
    use super::super::vectors;
    use super::*;
    use crate::books;
    use crate::clock::Clock;
    use crate::fault::Faults;
    use crate::notice::Notices;
    use crate::server::Settings;
    use crate::store::Store;

    fn frame(order: &Order) -> Arc<Frame> {
        let frame = Frame {
            clock: Clock::default(),
            store: Store::open(None).unwrap(),
            faults: Faults::default(),
            notices: Notices::new(),
            settings: Settings::default(),
            public_url: String::new(),
        };
        let mut tx = frame.store.begin();
        contract::keep(&mut tx, &vectors::contract());
        order::keep(&mut tx, order);
        tx.commit();
        Arc::new(frame)
    }

    fn running() -> Order {
        Order {
            state: State::NotPay,
            transaction_id: None,
            paid_at_ms: None,
            ..vectors::order()
        }
    }

    #[tokio::test]
    async fn an_order_that_is_settled_twice_is_debited_once() {
        let order = running();
        let frame = frame(&order);
        settle_order(&frame, &order.key(), order.settle_at_ms + 1);
        assert_eq!(
            books::all(&frame.store.begin()).len(),
            0,
            "an appointment that was put off does not count"
        );
        settle_order(&frame, &order.key(), order.settle_at_ms);
        settle_order(&frame, &order.key(), order.settle_at_ms);
        assert_eq!(books::all(&frame.store.begin()).len(), 1);
    }

    #[tokio::test]
    async fn a_refund_that_is_settled_twice_is_given_back_once() {
        let refund = Refund {
            status: Status::Processing,
            succeeded_at_ms: None,
            ..vectors::refund()
        };
        let frame = frame(&vectors::order());
        let mut tx = frame.store.begin();
        refund::keep(&mut tx, &refund);
        tx.commit();
        settle_refund(&frame, &refund.key(), refund.settle_at_ms);
        settle_refund(&frame, &refund.key(), refund.settle_at_ms);
        assert_eq!(books::all(&frame.store.begin()).len(), 1);
    }

    #[tokio::test]
    async fn a_closed_order_is_not_debited() {
        let order = Order {
            state: State::Closed,
            ..running()
        };
        let frame = frame(&order);
        settle_order(&frame, &order.key(), order.settle_at_ms);
        assert_eq!(books::all(&frame.store.begin()).len(), 0);
    }
}
