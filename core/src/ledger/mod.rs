//! The ledger: double entry from the first payment on. A journal for each event of business, its entries sum to zero
//! (INV-01), nothing is ever changed or deleted (INV-03). Unless the operator is licensed, the channels settle straight to
//! the merchants, and this ledger mirrors what they hold.
//!
//! Posting takes no lock that two payments share: entries are only added. The sealer rolls balances up behind.

pub mod account;
pub mod balance;
pub mod post;
pub mod seal;

pub use crate::store::block::Model as Block;
pub use crate::store::entry::Model as Entry;
