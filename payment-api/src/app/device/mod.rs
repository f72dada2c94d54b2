//! The user's devices.

pub(super) mod revoke;
