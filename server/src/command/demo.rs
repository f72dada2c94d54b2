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
use crate::demo::play::{self, Abroad, Ground, Played};

/// How it plays.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Log what happens inside to the terminal, instead of to a file in the folder of the play.
    #[arg(long)]
    verbose: bool,
    /// Play in this folder, which must be new or empty, and keep it: database, simulators' books, log.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Play against a set-up that runs elsewhere and was never played against, reached at this address. Its configuration is read as
    /// `serve --profile default` does: its database, its master key, and a key of the App that is a shared secret.
    #[arg(long, value_name = "URL", requires_all = ["gateways", "operators"], conflicts_with = "keep")]
    against: Option<String>,
    /// Where its simulated gateways are.
    #[arg(long, value_name = "URL", requires = "against")]
    gateways: Option<String>,
    /// Its nodes' listeners for operators, which must run with `drill.movable_clock`; repeated or with commas.
    #[arg(long, value_name = "URL", value_delimiter = ',', requires = "against")]
    operators: Vec<String>,
}

impl Arguments {
    /// The set-up that runs elsewhere, where one is named.
    fn abroad(&self, folder: &Path) -> Result<Option<Abroad>> {
        let (Some(url), Some(gateways)) = (&self.against, &self.gateways) else {
            return Ok(None);
        };
        let config = Config::load(Profile::Default, folder)?;
        config.guard(Profile::Default)?;
        Ok(Some(Abroad {
            config,
            url: url.clone(),
            gateways: gateways.clone(),
            operators: self.operators.clone(),
        }))
    }
}

/// Plays, prints a table, and fails if any line is not as expected.
pub(super) async fn run(arguments: Arguments, config_dir: &Path) -> Result<ExitCode> {
    let abroad = arguments.abroad(config_dir)?;
    let ground = match &arguments.keep {
        Some(folder) => Ground::kept(folder)?,
        None => Ground::temporary()?,
    };
    log(arguments.verbose, ground.path())?;
    // Progress goes beside the result, so that the table alone can be kept or read page by page.
    let tell = |text: &str| eprintln!("{text}");
    let playing = async {
        match &abroad {
            Some(abroad) => play::play_against(abroad, tell).await,
            None => play::play(&ground, tell).await,
        }
    };
    let played = tokio::select! {
        played = playing => played?,
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
