//! `metropay bench`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use tracing_subscriber::EnvFilter;

use crate::bench::{GroundSettings, Scenario, measure};

/// What is measured, and on what.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    ground: GroundSettings,
    #[command(subcommand)]
    scenario: Scenario,
}

/// Measures, prints the figures, and fails where the books do not hold afterwards.
pub(super) async fn run(mut arguments: Arguments) -> Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")))
        .with_target(false)
        .with_writer(std::io::stderr)
        .init();
    let ground = &mut arguments.ground;
    // Every stream and every rider is a user of his own.
    ground.users = ground.users.max(arguments.scenario.users_min());
    let tell = |text: &str| eprintln!("{text}");
    let report = tokio::select! {
        report = measure(&arguments.scenario, ground, tell) => report?,
        asked = super::asked_to_stop() => {
            asked?;
            anyhow::bail!("stopped before the end of the measurement");
        }
    };
    if let Some(path) = &ground.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))?;
    }
    print!("{}", report.table());
    Ok(match report.books.as_str() {
        "sound" | "not checked" => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
