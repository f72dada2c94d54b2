//! The stage on which a channel is played: an account at the gateway, clocks that move together, a mailbox for notifications,
//! and for each case an adapter of its own on a wire of its own.

pub(crate) mod bench;
pub(crate) mod deed;
pub(crate) mod http;
pub(crate) mod lane;
pub(crate) mod log;
pub(crate) mod mailbox;
pub(crate) mod wire;
