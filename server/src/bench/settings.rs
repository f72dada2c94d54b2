//! What a measurement is told: where the server is, how big the crowd is, how fast it comes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use metropay_core::signing::Algorithm;
use serde::Serialize;

/// What pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Paying {
    /// A channel inside the server that answers at once.
    Instant,
    /// The three simulated gateways, in a process of their own.
    Simulators,
}

/// How requests are spread over time where they come by a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Independent of each other, as people come: gaps are exponential.
    Poisson,
    /// One after the same time as the other.
    Even,
}

/// The server that is measured, and the crowd on it.
#[derive(Debug, Clone, Args)]
pub struct GroundSettings {
    /// Measure a server that runs already; without it one is started as a process of its own.
    #[arg(long, value_name = "URL", requires = "credentials", conflicts_with_all = ["database", "redis", "nodes", "keep"])]
    pub target: Option<String>,
    /// Merchants' keys and users' tokens of that server: a credentials.json as the demo hands it out.
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// The process of that server on this machine, to read its CPU time and memory.
    #[arg(long, value_name = "PID", requires = "target")]
    pub server_pid: Option<u32>,
    /// Start a server of our own (this is what happens without --target).
    #[arg(long, conflicts_with = "target")]
    pub with_server: bool,
    /// The own server's database, which must be one for measurements only; without it an embedded one in a temporary folder.
    #[arg(long, value_name = "ADDRESS")]
    pub database: Option<String>,
    /// The own server's Redis; without it everything stays in the process.
    #[arg(long, value_name = "ADDRESS")]
    pub redis: Option<String>,
    /// Server processes on one database. Event streams go to the first, tills to the last.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub nodes: u16,
    /// What pays.
    #[arg(long, value_enum, default_value = "instant")]
    pub channel: Paying,
    /// Merchants, each with a store, a key and accounts of its own.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub merchants: u32,
    /// Users with an open account and a mandate, spread over the merchants.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub users: u32,
    /// With which algorithm tills sign.
    #[arg(long, default_value = "HMAC-SHA256")]
    pub algorithm: Algorithm,
    /// What the own server logs (into a file), in the words of tracing's filters.
    #[arg(long, default_value = "warn", value_name = "FILTER")]
    pub server_log: String,
    /// Work in this folder, which must be new or empty, and keep it: database, configuration, credentials, logs.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Leave the check of the books out at the end.
    #[arg(long)]
    pub no_verify: bool,
    /// Write the figures to this file as JSON, too.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// How long it is measured.
#[derive(Debug, Clone, Args)]
pub struct TimeSettings {
    /// How long it is measured, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub seconds: u64,
    /// How long before that it runs without being measured, in seconds.
    #[arg(long, default_value_t = 2)]
    pub warmup: u64,
}

impl TimeSettings {
    /// All of it.
    pub fn whole(&self) -> Duration {
        Duration::from_secs(self.seconds.saturating_add(self.warmup))
    }
}

/// How fast requests come.
#[derive(Debug, Clone, Args)]
pub struct PaceSettings {
    /// Open loop: so many requests in a second come whether the earlier ones were answered or not, and each is timed from the
    /// moment at which it was due.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with = "closed")]
    pub rate: u32,
    /// How they are spread over time.
    #[arg(long, value_enum, default_value = "poisson")]
    pub arrivals: Arrivals,
    /// Closed loop, for the highest throughput: so many tills, each asking again as soon as it is answered.
    #[arg(long, value_name = "TILLS", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub closed: Option<u32>,
}

/// How requests come.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "loop", rename_all = "lowercase")]
pub enum Pace {
    /// By a rate.
    Open {
        /// In a second.
        per_second: u32,
        /// Spread how.
        arrivals: Arrivals,
    },
    /// Each after its predecessor's answer.
    Closed {
        /// How many at a time.
        in_flight: u32,
    },
}

impl PaceSettings {
    /// The one that was chosen.
    pub fn pace(&self) -> Pace {
        match self.closed {
            Some(in_flight) => Pace::Closed { in_flight },
            None => Pace::Open {
                per_second: self.rate,
                arrivals: self.arrivals,
            },
        }
    }
}
