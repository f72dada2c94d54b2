//! The engine of metropay: its words, its contracts with channels and rules, the flows of payments, and its tables.
//!
//! Reading order: *words* (money, id, clock, random, secret, json, limit, problem, invariant), *contracts* (channel, rules,
//! member, merchant, live, once, peers, sms, courier), *flows* (one room per noun, one file per verb), and the private tables beneath them. No HTTP, no channel
//! and no Lua is known here.

// Words.
pub mod clock;
pub mod id;
pub mod invariant;
pub mod json;
pub mod limit;
pub mod metric;
pub mod money;
pub mod network;
pub mod problem;
pub mod random;
pub mod secret;

// Contracts.
pub mod channel;
pub mod courier;
pub mod live;
pub mod member;
pub mod merchant;
pub mod once;
pub mod peers;
pub mod rules;
pub mod sms;

// What all flows stand on.
pub mod engine;

// Flows.
pub mod audit;
pub mod bill;
pub mod code;
pub mod event;
pub mod job;
pub mod ledger;
pub mod mandate;
pub mod membership;
pub mod node;
pub mod notice;
pub mod outbox;
pub mod payment;
pub mod people;
pub mod refund;
pub mod reversal;
pub mod rule;
pub mod signing;
pub mod user;
pub mod vault;
pub mod webhook;

mod store;

pub use store::{Db, Lane, Pools};
