//! Payments that wait for the user's password: he enters it, he refuses, or the time runs out (unionpay reference, 4.1).

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::order::{self, Due, Order, State};
use super::request::text;
use super::{account, notify, qr_code, settle};
use crate::frame::Frame;

/// How often it is looked whether the time has run out: the gateway's clock can be moved meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The code of a payment whose user refused to enter the password.
const REFUSED: &str = "84";
/// The code of a payment whose user did nothing.
const TIMED_OUT: &str = "69";

/// What came of a user's answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// It was taken.
    Taken,
    /// There is no such code.
    NoSuchCode,
    /// No payment waits for the password of this code.
    NothingWaits,
}

/// Lets the time of a question run. It stops with the simulator and is taken up again by the next one.
pub(super) fn watch(frame: &Arc<Frame>, order: &Order) {
    if order.question.is_none() {
        return;
    }
    let (frame, key): (Weak<Frame>, String) = (Arc::downgrade(frame), order.key());
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let Some(frame) = frame.upgrade() else { return };
            if !still_waits(&frame, &key) {
                return;
            }
        }
    });
}

/// Whether the order still waits; one whose time is over fails here.
fn still_waits(frame: &Arc<Frame>, key: &str) -> bool {
    let order = order::find(&frame.store.begin(), key);
    let Some(until_ms) = order.and_then(|order| order.question).map(|question| question.until_ms) else {
        return false;
    };
    if frame.clock.now_ms() < until_ms {
        return true;
    }
    fail(frame, key, TIMED_OUT);
    false
}

fn fail(frame: &Arc<Frame>, key: &str, code: &str) {
    let mut tx = frame.store.begin();
    let Some(mut order) = order::find(&tx, key) else { return };
    if order.question.take().is_none() {
        return;
    }
    order.state = State::Failed;
    code.clone_into(&mut order.code);
    order.keep(&mut tx);
    let account = account::find(&tx, text(&order.request, "merId"));
    tx.commit();
    if let Some(account) = account {
        notify::outcome(frame, &account, &order);
    }
}

/// The user's answer to the question about the payment with this code.
pub(super) fn answer(frame: &Arc<Frame>, code: &str, agrees: bool) -> Answered {
    let Some(code) = qr_code::find(&frame.store.begin(), code) else {
        return Answered::NoSuchCode;
    };
    let Some(key) = code.order.filter(|key| still_waits(frame, key)) else {
        return Answered::NothingWaits;
    };
    if !agrees {
        fail(frame, &key, REFUSED);
        return Answered::Taken;
    }
    let mut tx = frame.store.begin();
    let Some(mut order) = order::find(&tx, &key) else {
        return Answered::NothingWaits;
    };
    let Some(question) = order.question.take() else {
        return Answered::NothingWaits;
    };
    order.due = Some(Due {
        ticket: 1,
        wait_ms: question.course.wait_ms,
        code: question.course.code,
    });
    order.keep(&mut tx);
    tx.commit();
    settle::schedule(frame, &order);
    Answered::Taken
}
