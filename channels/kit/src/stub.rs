//! A gateway's memory, for authors who write a gateway of their own: contracts, orders, refunds, codes, books, clock and the
//! faults that wait. It knows no wire: what a request says and how an answer looks is the author's part.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metropay_core::clock::{Clock, MovedClock, Time};
use metropay_core::money::Fen;
use tokio::sync::mpsc;

use crate::fault::{Act, BillFault, Fault};
use crate::gateway::Entry;

mod bill;
mod contract;
mod order;
mod post;
mod refund;

pub use bill::Line;
pub use contract::{Contract, State as ContractState};
pub use order::{NewOrder, Order, OrderState, Payer, Refused};
pub use post::{Letter, deliver};
pub use refund::{NewRefund, Refund, RefundState};

/// Something of which a gateway tells by notification.
#[derive(Debug, Clone)]
pub enum Event {
    /// A contract was signed or has ended.
    Contract(Contract),
    /// An order was paid.
    Paid(Order),
    /// A refund was done.
    Refunded(Refund),
}

/// A movement of the books, with what a bill tells of it.
#[derive(Debug, Clone)]
struct Moved {
    account: String,
    channel_no: String,
    at: Time,
    entry: Entry,
}

#[derive(Default)]
struct Memory {
    counter: u64,
    contracts: BTreeMap<(String, String), Contract>,
    orders: BTreeMap<(String, String), Order>,
    refunds: BTreeMap<(String, String), Refund>,
    codes: BTreeMap<String, order::Shown>,
    books: Vec<Moved>,
    faults: Vec<(Act, String, Fault)>,
    planted: Vec<(String, BillFault)>,
    ahead: Duration,
}

impl Memory {
    fn number(&mut self) -> String {
        self.counter = self.counter.saturating_add(1);
        format!("9{:015}", self.counter)
    }
}

/// The memory.
pub struct Stub {
    memory: Mutex<Memory>,
    clock: MovedClock,
    events: mpsc::UnboundedSender<Event>,
}

impl Stub {
    /// An empty memory, and what happens in it.
    pub fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Event>) {
        let (events, happened) = mpsc::unbounded_channel();
        let stub = Self {
            memory: Mutex::default(),
            clock: MovedClock::default(),
            events,
        };
        (Arc::new(stub), happened)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more when the gateway is going down.
        let _ = self.events.send(event);
    }

    /// The gateway's present moment.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Puts the clock so far ahead of the machine's.
    pub fn put_clock_ahead(&self, ahead: Duration) {
        let mut memory = self.memory();
        self.clock.advance(ahead.saturating_sub(memory.ahead));
        memory.ahead = ahead;
    }

    /// Lets a fault wait for the next call of this act about this number.
    pub fn play(&self, act: Act, no: &str, fault: &Fault) {
        self.memory().faults.push((act, no.to_owned(), fault.clone()));
    }

    /// Takes the faults that strike now.
    pub fn strikes(&self, act: Act, no: &str) -> Vec<Fault> {
        let mut memory = self.memory();
        let strikes = |line: &(Act, String, Fault)| line.0 == act && line.1 == no;
        let taken = memory.faults.iter().filter(|line| strikes(line));
        let taken: Vec<Fault> = taken.map(|(_, _, fault)| fault.clone()).collect();
        memory.faults.retain(|line| !strikes(line));
        taken
    }

    /// The books of all accounts.
    pub fn books(&self) -> Vec<Entry> {
        let memory = self.memory();
        memory.books.iter().map(|moved| moved.entry.clone()).collect()
    }

    /// A number that was not given before.
    pub fn number(&self) -> String {
        self.memory().number()
    }
}

/// How an accepted movement goes on: at once, or after a while, well or not.
fn course(faults: &[Fault]) -> Option<(Duration, bool)> {
    faults.iter().find_map(|fault| match fault {
        Fault::Pending(wait) => Some((*wait, true)),
        Fault::FailLater(wait) => Some((*wait, false)),
        _ => None,
    })
}

/// What is left of an amount.
fn left(paid: Fen, back: Fen) -> u64 {
    paid.get().saturating_sub(back.get())
}
