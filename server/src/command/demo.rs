//! `metropay demo`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::{Context, Result};
use clap::Args;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, Profile};
use crate::demo::play::{self, Ground, Played};

/// How it plays.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Log what happens inside to the terminal, instead of to a file in the folder of the play.
    #[arg(long)]
    verbose: bool,
    /// Play in this folder, which must be new or empty, and keep it: database, simulators' books, log.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Plays, prints a table, and fails if any line is not as expected.
pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let ground = match &arguments.keep {
        Some(folder) => Ground::kept(folder)?,
        None => Ground::temporary()?,
    };
    log(arguments.verbose, ground.path())?;
    // Progress goes beside the result, so that the table alone can be kept or read page by page.
    let tell = |text: &str| eprintln!("{text}");
    let played = tokio::select! {
        played = play::play(&ground, tell) => played?,
        asked = super::asked_to_stop() => {
            asked?;
            anyhow::bail!("stopped before the end of the play");
        }
    };
    eprintln!();
    let text = format!("{}\n{}", play::table(&played.sheet), summary(&played, &ground));
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("printing the table")?;
    Ok(match played.sheet.failed() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// What it comes to, with what to do next.
fn summary(played: &Played, ground: &Ground) -> String {
    let (all, failed) = (played.sheet.lines().len(), played.sheet.failed());
    let seconds = played.sheet.lasted().as_secs_f32();
    let (verdict, code) = match failed {
        0 => (format!("all {all} lines came as expected"), 0),
        _ => (format!("{failed} of {all} lines FAILED"), 1),
    };
    let folder = match (ground.is_kept(), failed) {
        (true, _) => format!("database, gateways' books and log are in {}\n", ground.path().display()),
        (false, 0) => String::new(),
        (false, _) => "play again with --keep DIR to look at database, gateways' books and log\n".to_owned(),
    };
    format!(
        "{}\n{folder}{verdict}, in {seconds:.1} s; exit code {code}\n",
        played.money
    )
}

/// Logs to a file of the play, or, where it is wished, to the terminal.
fn log(verbose: bool, folder: &Path) -> Result<()> {
    let config = Config::load(Profile::Demo, folder)?.log;
    if verbose {
        return super::log(&config, None);
    }
    let path = folder.join("demo.log");
    let file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&config.filter)?)
        .with_target(false)
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .init();
    Ok(())
}
