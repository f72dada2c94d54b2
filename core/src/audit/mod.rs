//! What proves the books: alarms for people, and the check of the invariants.

pub mod alarm;
pub mod gauge;
pub mod open;
pub mod verify;
