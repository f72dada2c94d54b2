//! Refunds: under their own number, never more than is left.

use std::sync::Arc;

use metropay_core::clock::Time;
use metropay_core::money::Fen;

use super::order::moved;
use super::{Event, OrderState, Refused, Stub, course, left};
use crate::fault::Fault;
use crate::gateway::Way;

/// How a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundState {
    /// In progress.
    Waiting,
    /// Done.
    Done,
    /// Failed: no money went back.
    Failed,
}

/// A refund that a merchant sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRefund {
    /// The merchant's account.
    pub account: String,
    /// The merchant's number of it.
    pub no: String,
    /// The order's number.
    pub payment_no: String,
    /// How much.
    pub amount: Fen,
    /// Where its news goes.
    pub notify_url: String,
}

/// A refund.
#[derive(Debug, Clone)]
pub struct Refund {
    /// As it was sent.
    pub asked: NewRefund,
    /// The gateway's number.
    pub channel_no: String,
    /// How it stands.
    pub state: RefundState,
    /// When it came to that.
    pub at: Time,
}

impl Stub {
    /// Takes a refund. The same refund again is the refund that is there.
    ///
    /// # Errors
    /// [`Refused`] when it is not taken; then nothing moved.
    pub fn refund(self: &Arc<Self>, new: NewRefund, faults: &[Fault]) -> Result<Refund, Refused> {
        let now = self.now();
        let key = (new.account.clone(), new.no.clone());
        {
            let mut memory = self.memory();
            if let Some(known) = memory.refunds.get(&key) {
                let same = known.asked.amount == new.amount && known.asked.payment_no == new.payment_no;
                return if same {
                    Ok(known.clone())
                } else {
                    Err(Refused::NumberTaken)
                };
            }
            let payment = (new.account.clone(), new.payment_no.clone());
            let order = memory.orders.get_mut(&payment);
            let order = order
                .filter(|order| order.state == OrderState::Paid)
                .ok_or(Refused::NotPaid)?;
            if new.amount.get() > left(order.asked.amount, order.back) {
                return Err(Refused::TooMuch);
            }
            if faults.contains(&Fault::Refuse) {
                return Err(Refused::Funds);
            }
            // Reserved while it is in progress.
            order.back = order.back.plus(new.amount).map_err(|_| Refused::TooMuch)?;
            let refund = Refund {
                asked: new,
                channel_no: memory.number(),
                state: RefundState::Waiting,
                at: now,
            };
            memory.refunds.insert(key.clone(), refund);
        }
        let (account, no) = key;
        match course(faults) {
            Some((wait, well)) => {
                let (account, no) = (account.clone(), no.clone());
                self.later(wait, move |stub| stub.decide_refund(&account, &no, well));
            }
            None => self.decide_refund(&account, &no, true),
        }
        self.refund_of(&account, &no).ok_or(Refused::NotPaid)
    }

    /// The refund of this number.
    pub fn refund_of(&self, account: &str, no: &str) -> Option<Refund> {
        let key = (account.to_owned(), no.to_owned());
        self.memory().refunds.get(&key).cloned()
    }

    fn decide_refund(&self, account: &str, no: &str, well: bool) {
        let now = self.now();
        let done = {
            let mut memory = self.memory();
            let key = (account.to_owned(), no.to_owned());
            let Some(refund) = memory.refunds.get_mut(&key) else {
                return;
            };
            refund.state = if well { RefundState::Done } else { RefundState::Failed };
            refund.at = now;
            let refund = refund.clone();
            let payment = (account.to_owned(), refund.asked.payment_no.clone());
            let Some(order) = memory.orders.get_mut(&payment) else {
                return;
            };
            if well {
                let entry = moved(order, no, Way::Back, refund.asked.amount, now);
                memory.books.push(entry);
            } else {
                order.back = order.back.minus(refund.asked.amount).unwrap_or(order.back);
            }
            refund
        };
        if well {
            self.tell(Event::Refunded(done));
        }
    }
}
