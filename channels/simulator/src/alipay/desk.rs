//! A unit of work at the gateway: one store transaction, and what goes out once it is durable.

use std::sync::Arc;
use std::time::Duration;

use super::notify::{self, Letter};
use super::{refund, trade_life};
use crate::frame::Frame;
use crate::store::Tx;

const COUNTERS: &str = "alipay_counter";

/// Something that is to be settled later.
#[derive(Debug, Clone)]
pub(super) enum Due {
    /// The trade under this key.
    Trade(String),
    /// The refund under this key.
    Refund(String),
}

/// One unit of work. Nothing of it counts, and nothing of it leaves the house, before [`Desk::close`].
pub(super) struct Desk<'a> {
    /// The tables.
    pub(super) tx: Tx<'a>,
    /// The gateway's time, Unix milliseconds.
    pub(super) now_ms: i64,
    /// How long background work takes, in milliseconds.
    pub(super) settle_ms: u64,
    letters: Vec<Letter>,
    wakes: Vec<(Due, u64)>,
}

impl<'a> Desk<'a> {
    /// Begins a unit of work.
    pub(super) fn open(frame: &'a Frame) -> Self {
        let tx = frame.store.begin();
        let now_ms = frame.clock.now_ms();
        Self {
            tx,
            now_ms,
            settle_ms: frame.settings.settle_ms,
            letters: Vec::new(),
            wakes: Vec::new(),
        }
    }

    /// The next number of this counter, from 1.
    pub(super) fn next(&mut self, counter: &str) -> u64 {
        let number = self.tx.get::<u64>(COUNTERS, counter).unwrap_or(0) + 1;
        self.tx.put(COUNTERS, counter, &number);
        number
    }

    /// Sends a notification once the work is durable.
    pub(super) fn send(&mut self, letter: Letter) {
        self.letters.push(letter);
    }

    /// Settles something so much later.
    pub(super) fn wake(&mut self, due: Due, after_ms: u64) {
        self.wakes.push((due, after_ms));
    }

    /// Makes the work durable, then lets notifications and timers go.
    pub(super) fn close(self, frame: &Arc<Frame>) {
        self.tx.commit();
        for letter in self.letters {
            notify::post(frame, letter);
        }
        for (due, after_ms) in self.wakes {
            wake(frame, due, after_ms);
        }
    }
}

/// Starts the timers of everything that was pending when the simulator stopped.
pub(super) fn resume(frame: &Arc<Frame>) {
    let desk = Desk::open(frame);
    let waiting: Vec<(Due, i64)> = trade_life::waiting(&desk.tx)
        .into_iter()
        .chain(refund::waiting(&desk.tx))
        .collect();
    let now_ms = desk.now_ms;
    drop(desk);
    for (due, due_ms) in waiting {
        wake(frame, due, u64::try_from(due_ms - now_ms).unwrap_or(0));
    }
}

/// The timer keeps no hold on the frame: a simulator that was stopped settles nothing any more.
fn wake(frame: &Arc<Frame>, due: Due, after_ms: u64) {
    let frame = Arc::downgrade(frame);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        let Some(frame) = frame.upgrade() else { return };
        let mut desk = Desk::open(&frame);
        match due {
            Due::Trade(key) => trade_life::settle_due(&mut desk, &key),
            Due::Refund(key) => refund::settle_due(&mut desk, &key),
        }
        desk.close(&frame);
    });
}
