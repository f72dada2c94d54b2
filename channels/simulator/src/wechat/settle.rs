//! What happens in the background: accepted deductions, payments that wait and filed refunds come to their end, once,
//! also after a restart.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::order::{self, Order, Product, State};
use super::refund::{self, Status};
use super::{contract, money, notify, quota, wallet};
use crate::fault::Effect;
use crate::frame::Frame;
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

/// Ends an order. The state is judged in the same unit of work that writes the debit down, so it happens once.
fn settle_order(frame: &Arc<Frame>, key: &str, at_ms: i64) {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let appointed = order::find(&tx, key).filter(|order| order.awaits_settlement() && order.settle_at_ms == at_ms);
    let Some(mut order) = appointed else { return };
    end_order(&mut tx, &mut order, now_ms);
    order::keep(&mut tx, &order);
    tx.commit();
    notify::deducted(frame, &order);
}

/// Pays the order, or has it fail, as its time has come.
pub(super) fn end_order(tx: &mut Tx<'_>, order: &mut Order, now_ms: i64) {
    match failure(tx, order) {
        Some(code) if order.is_open() => {
            order.state = State::PayFail;
            order.awaits_password = false;
            order.err_code = Some(code);
            if order.product == Product::Papay {
                quota::give_back(tx, &order.quota_key, order.total_fee);
            }
        }
        _ => {
            if order.state == State::Closed {
                quota::take_again(tx, &order.quota_key, order.total_fee);
            }
            money::pay(tx, order, now_ms);
        }
    }
}

/// Why an order that is still open cannot be paid.
fn failure(tx: &Tx<'_>, order: &mut Order) -> Option<String> {
    // What is closed already and paid all the same is past caring about its contract and its payer's wallet.
    if !order.is_open() {
        return None;
    }
    if let Some(code) = order.will_fail.take() {
        return Some(code);
    }
    let contract = contract::find(tx, &order.contract_id);
    let ended = contract.is_none_or(|contract| contract.ended.is_some());
    if order.product == Product::Papay && ended {
        return Some("CONTRACT_NOT_EXIST".to_owned());
    }
    let affords = wallet::affords(tx, &order.user, order.cash_fee());
    (!affords).then(|| "NOTENOUGH".to_owned())
}

/// Ends a refund, once.
fn settle_refund(frame: &Arc<Frame>, key: &str, at_ms: i64) {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let appointed = refund::find(&tx, key);
    let appointed = appointed.filter(|refund| refund.status == Status::Processing && refund.settle_at_ms == at_ms);
    let Some(mut refund) = appointed else { return };
    refund.status = refund.will_end;
    refund.ended_at_ms = Some(now_ms);
    match refund.will_end {
        Status::Success => {
            let order = order::find(&tx, &order::key(&refund.mch_id, &refund.out_trade_no));
            let user = order.map(|order| order.user).unwrap_or_default();
            money::give_back(&mut tx, &mut refund, &user, now_ms);
        }
        Status::Closed => refund::undo(&mut tx, &refund),
        Status::Change | Status::Processing => {}
    }
    refund::keep(&mut tx, &refund);
    tx.commit();
    notify::refunded(frame, &refund);
}

#[cfg(test)]
mod tests {
    use super::super::refund::Refund;
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
            club: crate::club::Club::default(),
            sinks: crate::sink::Sinks::default(),
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
