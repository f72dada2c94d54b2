//! Webhooks: merchants are told of what concerns them, at the addresses that they have proven to be theirs.
//!
//! What is owed stands in the outbox; `spread` hands it to every endpoint that wants it, `deliver` tells each endpoint the
//! oldest first, as often as it takes over three days. Each endpoint is for itself: one that hangs delays no other.

mod deliver;
mod endpoint;
mod keys;
mod prove;
mod replay;
mod schedule;
mod spread;

pub(crate) use deliver::deliver_due;
pub use deliver::finish;
pub use endpoint::{
    Changes, ENDPOINTS_MAX, Endpoint, MadeEndpoint, NewEndpoint, change, create, disable, list, remove, rotate,
};
pub(crate) use endpoint::{Standing, standing};
pub use prove::prove;
pub use replay::{Told, deliveries, ping, replay_dead, replay_one};
pub(crate) use spread::spread_due;

pub use crate::store::delivery::DeliveryState;
pub use crate::store::endpoint::EndpointState;
