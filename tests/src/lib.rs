//! The suites' ground: a whole world in one process — server, simulators, tills, Apps, phones — on a folder of its own.
//!
//! A story runs in [`story`]: when it ends, the world is left alone until everything has ended by itself, and then the
//! books are checked. So every story proves the books.

mod acts;
pub mod balancer;
pub mod channel;
pub mod containers;
mod ground;
pub mod outside;
pub mod process;
mod proof;
mod shop;
pub mod store;
mod world;

pub use metropay_server::demo::client::{App, Control, Phone, Reply, Till};
pub use world::{Wishes, World, story, story_with};
