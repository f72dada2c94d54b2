//! What nodes share, over a real Redis that is emptied, stopped, hung and started again. Every call keeps its budget, whatever
//! Redis does.
//!
//! Needs `redis-server` (7 or later) in the path. Without it the tests say loudly that they are skipped, and fail where
//! `METROPAY_REQUIRE_CONTAINERS=1`.

#[cfg(test)]
mod cluster;
#[cfg(test)]
mod once;
#[cfg(test)]
mod server;
#[cfg(test)]
mod words;
