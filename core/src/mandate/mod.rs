//! Mandates: users' consents to be deducted by one merchant through one channel, and the contracts beneath them.
//!
//! What must hold: no deduction without a contract that was active at the moment of decision (INV-22); one living mandate
//! per user, merchant and channel; CLOSED is final, signing again makes new rows. One contract may carry several mandates
//! (WeChat's stand under a plan, not under a shop), and closing the last closes it at the channel. Channels do not always
//! tell, so contracts are re-queried. Only [`settle`] changes the state of a contract and of the mandates on it.

mod close;
mod contract;
mod list;
mod recheck;
mod settle;
mod sign;
mod take_over;

pub use crate::store::contract::Model as Contract;
pub use crate::store::mandate::MandateState;
pub use crate::store::mandate::Model as Mandate;
pub use close::close;
pub use list::{Offer, choose, find, list, offers};
pub use recheck::{recheck_due, refresh};
pub use sign::{SignStart, Signing, came_back, sign, sign_page};
pub use take_over::{Standing, take_over};

pub(crate) use recheck::recheck;
pub(crate) use settle::{by_key, settle};
