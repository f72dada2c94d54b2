//! Consumption codes.

pub(super) mod issue;
pub(super) mod state;
