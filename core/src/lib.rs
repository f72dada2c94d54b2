//! The engine of metropay: its words, its contracts with channels and rules, the flows of payments, and its tables.
//!
//! Reading order: *words* (money, id, clock, random, secret, limit, problem, invariant), *contracts* (channel, rules,
//! live), *flows* (one folder per noun, one file per verb). No HTTP, no channel and no Lua is known here.

pub mod channel;
pub mod clock;
pub mod id;
pub mod invariant;
pub mod limit;
pub mod live;
pub mod money;
pub mod random;
pub mod secret;
pub mod problem;
