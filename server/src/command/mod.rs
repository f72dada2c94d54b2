//! The command line.

mod bench;
mod demo;
mod migrate;
mod rules;
mod serve;
mod simulator;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::{LogConfig, LogFormat, Profile};
use crate::watch::log::CountLines;
use crate::watch::traces::Traces;

/// 消费码支付平台 · a payment-channel platform for consumption codes.
#[derive(Debug, Parser)]
#[command(name = "metropay", version)]
pub struct Command {
    /// The folder of configuration files.
    #[arg(long, global = true, default_value = "config", env = "METROPAY_CONFIG_DIR")]
    config_dir: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Starts the server (and, in the demo, the simulators).
    Serve {
        /// Under which profile.
        #[arg(long, value_enum, default_value = "default", env = "METROPAY_PROFILE")]
        profile: Profile,
    },
    /// Brings the database's schema up to date and ends.
    Migrate {
        /// Under which profile.
        #[arg(long, value_enum, default_value = "default", env = "METROPAY_PROFILE")]
        profile: Profile,
    },
    /// Starts the simulated gateways alone.
    Simulator(simulator::Arguments),
    /// Plays through everything over HTTP, on free ports and a database of its own, and prints what happened.
    Demo(demo::Arguments),
    /// Measures: throughput, latency, CPU time and memory, on a server of its own or on one that runs.
    Bench(Box<bench::Arguments>),
    /// 规则 · Checks, tests, activates and rolls back rules, in files or in the database.
    Rules(Box<rules::Arguments>),
    /// Checks the books against the invariants and prints what it found.
    Verify {
        /// Under which profile.
        #[arg(long, value_enum, default_value = "default", env = "METROPAY_PROFILE")]
        profile: Profile,
        /// As JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
}

/// Runs a command to its end.
pub fn run(command: Command) -> ExitCode {
    // Both providers of rustls may be linked; one must be chosen before the first TLS connection.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    #[cfg(feature = "failpoints")]
    crash::arm();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("metropay: {error}");
            return ExitCode::FAILURE;
        }
    };
    let folder = command.config_dir;
    let done = runtime.block_on(async {
        match command.verb {
            Verb::Serve { profile } => serve::run(profile, &folder).await.map(|()| ExitCode::SUCCESS),
            Verb::Migrate { profile } => migrate::run(profile, &folder).await.map(|()| ExitCode::SUCCESS),
            Verb::Simulator(arguments) => simulator::run(arguments).await.map(|()| ExitCode::SUCCESS),
            Verb::Demo(arguments) => demo::run(arguments, &folder).await,
            Verb::Bench(arguments) => bench::run(*arguments).await,
            Verb::Rules(arguments) => rules::run(*arguments, &folder).await,
            Verb::Verify { profile, json } => verify::run(profile, &folder, json).await,
        }
    });
    done.unwrap_or_else(|error| {
        eprintln!("metropay: {error:#}");
        ExitCode::FAILURE
    })
}

/// Sets logging and, where it is wished, tracing up, once for the process.
fn log(config: &LogConfig, traces: Option<&Traces>) -> anyhow::Result<()> {
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match config.format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().with_current_span(true).with_span_list(false).boxed(),
    };
    let lines = lines.with_filter(EnvFilter::try_new(&config.filter)?);
    tracing_subscriber::registry()
        .with(traces.map(Traces::layer))
        .with(lines)
        .with(CountLines.with_filter(LevelFilter::WARN))
        .init();
    Ok(())
}

/// Waits for the wish to stop: Ctrl-C or SIGTERM.
async fn asked_to_stop() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Dying on purpose, for the crash tests.
#[cfg(feature = "failpoints")]
mod crash {
    /// The fail point at which the process kills itself, as `kill -9` would.
    pub(super) fn arm() {
        if let Ok(point) = std::env::var("METROPAY_KILL_AT") {
            let armed = fail::cfg_callback(point, || {
                let me = std::process::id().to_string();
                let _ = std::process::Command::new("kill").args(["-9", &me]).status();
                loop {
                    std::thread::park();
                }
            });
            if let Err(error) = armed {
                eprintln!("metropay: METROPAY_KILL_AT: {error}");
            }
        }
    }
}
