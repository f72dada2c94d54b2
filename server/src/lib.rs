//! The metropay command: configuration, the list of channels, wiring, jobs and the sub-commands.

pub mod bench;
pub mod command;
pub mod config;
pub mod courier;
pub mod demo;
pub mod registry;
pub mod serve;
pub mod sms;
pub mod watch;
