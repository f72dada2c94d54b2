//! Orders: paid on a contract or by a code, at once or after a while, and undone.

use std::sync::Arc;
use std::time::Duration;

use metropay_core::clock::Time;
use metropay_core::money::Fen;

use super::{ContractState, Event, Moved, Stub, course, left};
use crate::fault::Fault;
use crate::gateway::{Entry, Way};

/// How an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderState {
    /// In progress, or waiting for the user's password.
    Waiting,
    /// Paid.
    Paid,
    /// Failed: no money moved.
    Failed,
    /// Closed before it was paid.
    Closed,
}

/// Who pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payer {
    /// Whoever signed the contract of this handle.
    Contract(String),
    /// Whoever shows this code.
    Code(String),
}

/// An order that a merchant sends.
#[derive(Debug, Clone)]
pub struct NewOrder {
    /// The merchant's account.
    pub account: String,
    /// The merchant's number.
    pub no: String,
    /// How much.
    pub amount: Fen,
    /// Who pays.
    pub payer: Payer,
    /// Where its news goes.
    pub notify_url: String,
}

/// An order.
#[derive(Debug, Clone)]
pub struct Order {
    /// As it was sent.
    pub asked: NewOrder,
    /// The gateway's number.
    pub channel_no: String,
    /// How it stands.
    pub state: OrderState,
    /// When it came to that.
    pub at: Time,
    /// How much went back.
    pub back: Fen,
    /// By which reversal it was undone, and by which number of the gateway the money went back.
    pub undone: Option<(String, Option<String>)>,
}

/// Why an order or refund is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is no usable contract of this handle.
    NoContract,
    /// There is no such code, or it was used.
    NoCode,
    /// The payer has not enough, or so the script says.
    Funds,
    /// The number stands for something else already.
    NumberTaken,
    /// There is no such order, or it is not paid.
    NotPaid,
    /// More than is left.
    TooMuch,
}

/// A code that a user shows.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    needs_password: bool,
    used_by: Option<(String, String)>,
}

impl Stub {
    /// The user shows a code of this form: its first digits and its length.
    pub fn show_code(&self, head: &str, length: usize, needs_password: bool) -> String {
        let mut memory = self.memory();
        memory.counter = memory.counter.saturating_add(1);
        let rest = length.saturating_sub(head.len());
        let odd = memory.counter.wrapping_mul(7_919_000_000_003);
        let digits = format!("{odd:0>rest$}");
        let code = format!("{head}{}", digits.get(..rest).unwrap_or_default());
        let shown = Shown {
            needs_password,
            used_by: None,
        };
        memory.codes.insert(code.clone(), shown);
        code
    }

    /// The user types the password for this code, or declines. `false` where nothing waits.
    pub fn type_password(&self, code: &str, agree: bool) -> bool {
        let waiting = {
            let memory = self.memory();
            let used = memory.codes.get(code).and_then(|shown| shown.used_by.clone());
            used.filter(|key| {
                memory
                    .orders
                    .get(key)
                    .is_some_and(|order| order.state == OrderState::Waiting)
            })
        };
        match waiting {
            Some((account, no)) => {
                self.decide_order(&account, &no, agree);
                true
            }
            None => false,
        }
    }

    /// Takes an order. The same order again is the order that is there.
    ///
    /// # Errors
    /// [`Refused`] when it is not taken; then nothing moved, and an order that the payer could not pay is kept as failed.
    pub fn pay(self: &Arc<Self>, new: NewOrder, faults: &[Fault]) -> Result<Order, Refused> {
        let now = self.now();
        let key = (new.account.clone(), new.no.clone());
        let (waits, order) = {
            let mut memory = self.memory();
            if let Some(known) = memory.orders.get(&key) {
                let same = known.asked.amount == new.amount && known.asked.payer == new.payer;
                return if same {
                    Ok(known.clone())
                } else {
                    Err(Refused::NumberTaken)
                };
            }
            let password = match &new.payer {
                Payer::Contract(handle) => {
                    let mut all = memory.contracts.values();
                    let usable = all.any(|contract| {
                        contract.account == new.account
                            && contract.handle == *handle
                            && contract.state == ContractState::Signed
                    });
                    if !usable {
                        return Err(Refused::NoContract);
                    }
                    false
                }
                Payer::Code(code) => {
                    let shown = memory.codes.get_mut(code).filter(|shown| shown.used_by.is_none());
                    let shown = shown.ok_or(Refused::NoCode)?;
                    shown.used_by = Some(key.clone());
                    shown.needs_password
                }
            };
            let order = Order {
                channel_no: memory.number(),
                state: OrderState::Waiting,
                at: now,
                back: Fen::ZERO,
                undone: None,
                asked: new,
            };
            memory.orders.insert(key.clone(), order.clone());
            (password, order)
        };
        if faults.contains(&Fault::Refuse) {
            self.decide_order(&key.0, &key.1, false);
            return Err(Refused::Funds);
        }
        match course(faults) {
            Some((wait, well)) => self.later(wait, move |stub| stub.decide_order(&key.0, &key.1, well)),
            None if waits => {}
            None => self.decide_order(&key.0, &key.1, true),
        }
        Ok(self.order(&order.asked.account, &order.asked.no).unwrap_or(order))
    }

    /// Does something later.
    pub(super) fn later(self: &Arc<Self>, wait: Duration, act: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let stub = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            act(&stub);
        });
    }

    /// The order of this number.
    pub fn order(&self, account: &str, no: &str) -> Option<Order> {
        let key = (account.to_owned(), no.to_owned());
        self.memory().orders.get(&key).cloned()
    }

    /// A waiting order is paid, or fails. One that was closed meanwhile stays closed.
    fn decide_order(&self, account: &str, no: &str, well: bool) {
        let now = self.now();
        let paid = {
            let mut memory = self.memory();
            let key = (account.to_owned(), no.to_owned());
            let Some(order) = memory.orders.get_mut(&key) else {
                return;
            };
            if order.state != OrderState::Waiting {
                return;
            }
            order.state = if well { OrderState::Paid } else { OrderState::Failed };
            order.at = now;
            let order = order.clone();
            if well {
                memory.books.push(moved(&order, no, Way::Paid, order.asked.amount, now));
            }
            order
        };
        if well {
            self.tell(Event::Paid(paid));
        }
    }

    /// Undoes an order, whatever its state; one that is not there is closed for ever. The same reversal again changes nothing.
    pub fn reverse(&self, account: &str, no: &str, reversal_no: &str) -> Order {
        let now = self.now();
        let mut memory = self.memory();
        let key = (account.to_owned(), no.to_owned());
        let number = memory.number();
        let closed = || Order {
            asked: NewOrder {
                account: account.to_owned(),
                no: no.to_owned(),
                amount: Fen::ZERO,
                payer: Payer::Code(String::new()),
                notify_url: String::new(),
            },
            channel_no: number.clone(),
            state: OrderState::Waiting,
            at: now,
            back: Fen::ZERO,
            undone: None,
        };
        let order = memory.orders.entry(key).or_insert_with(closed);
        let mut entry = None;
        match order.state {
            OrderState::Waiting => {
                order.state = OrderState::Closed;
                order.at = now;
            }
            OrderState::Paid if order.undone.is_none() => {
                let rest = Fen::new(left(order.asked.amount, order.back)).unwrap_or(Fen::ZERO);
                order.back = order.asked.amount;
                order.undone = Some((reversal_no.to_owned(), Some(number)));
                if !rest.is_zero() {
                    entry = Some(moved(order, reversal_no, Way::Back, rest, now));
                }
            }
            _ => {}
        }
        let order = order.clone();
        memory.books.extend(entry);
        order
    }
}

pub(super) fn moved(order: &Order, no: &str, way: Way, amount: Fen, at: Time) -> Moved {
    Moved {
        account: order.asked.account.clone(),
        channel_no: order.channel_no.clone(),
        at,
        entry: Entry {
            no: no.to_owned(),
            payment_no: order.asked.no.clone(),
            way,
            amount,
        },
    }
}
