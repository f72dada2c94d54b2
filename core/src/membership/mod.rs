//! Memberships of users with merchants: wished by the user, asked of the merchant's membership system, and kept as it answers.
//!
//! What a user wants is written down first and asked afterwards, by a job, as often as it takes (`ask`). A membership
//! system that is down delays its own memberships alone: never a payment, never another merchant's.

mod ask;
mod desk;
mod hear;
mod request;
mod state;
mod system;
mod wish;

pub use crate::store::member_system::{Joining, Model as MemberSystem};
pub use crate::store::membership::{Model as Membership, Wish};
pub(crate) use ask::ask_due;
pub(crate) use desk::Desk;
pub(crate) use hear::{PaidHeard, hear_due, hear_paid, hear_refunded};
pub(crate) use system::BuiltOf;
pub use system::{put_system, system_of};
pub use wish::{Offer, find, join, leave, list};
pub(crate) use wish::{phone_changed, register};
