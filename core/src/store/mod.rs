//! The tables: one file each, columns first, then named statements. SQL lives here and in the migrations, nowhere else.
//!
//! A model is the domain's own struct, re-exported under its noun; entities and columns stay in here, so that no other
//! room can query. What must happen inside a transaction takes a transaction; one
//! that has to tell of itself when it is committed takes [`Tx`].
#![expect(
    unreachable_pub,
    reason = "the room is private; its models are public because their nouns re-export them"
)]

pub mod account;
mod again;
pub mod alarm;
pub mod at_once;
pub mod block;
pub mod code;
pub mod contract;
pub mod credential;
pub mod data_key;
pub mod db;
pub mod delivery;
pub mod directory_version;
pub mod endpoint;
pub mod entry;
pub mod event;
pub mod facts;
pub mod job;
pub mod left_behind;
pub mod mandate;
pub mod member_hearing;
pub mod member_system;
pub mod membership;
pub mod merchant;
pub mod nonce;
pub mod notice;
pub mod outbox;
pub mod payment;
pub mod phone_change;
pub mod platform_key;
pub mod pool;
pub mod preference;
pub mod refund;
pub mod request_no;
pub mod reversal;
pub mod revocation;
mod room;
pub mod rule;
pub mod rule_act;
pub mod rule_source;
pub mod spend;
mod statements;
mod time;
pub mod tx;
pub mod user;
pub mod waiting;

pub use db::{Db, Lane, Pools, is_unique_violation};
pub use tx::Tx;
