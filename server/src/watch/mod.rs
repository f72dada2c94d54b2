//! What operators watch: the figures of `/metrics`, the lines of the log that are counted, and traces.

pub mod log;
pub mod metrics;
mod process;
pub mod traces;
