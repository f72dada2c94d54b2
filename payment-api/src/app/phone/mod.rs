//! The user's phone number.

pub(super) mod change;
pub(super) mod send_code;
