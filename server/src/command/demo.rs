//! `metropay demo`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

/// How it plays.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Log what happens inside, too.
    #[arg(long)]
    verbose: bool,
}

/// Plays, prints a table, and fails if any line is not as expected.
pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let _ = arguments.verbose;
    anyhow::bail!("not yet")
}
