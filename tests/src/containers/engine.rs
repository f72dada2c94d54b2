//! The engine as its command line sees it: for what must not hang on a runtime.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::time::timeout;

/// How long the engine may take for one order.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Gives the engine an order; its output.
///
/// # Errors
/// When there is no `docker` command, no engine answers, or it refuses.
pub(super) async fn docker(arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("docker");
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(ANSWER_MAX, command.output())
        .await
        .with_context(|| format!("docker {} does not end", arguments.join(" ")))?
        .context("there is no docker command")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "docker {}: {}",
        arguments.join(" "),
        said.trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The image to run: the one that the variable names, or the official one, or, where that is not on this machine, the one that
/// `make containers` has built.
///
/// # Errors
/// When no engine answers.
pub(super) async fn image(variable: &str, official: &str, built: &str) -> Result<String> {
    if let Some(named) = std::env::var(variable).ok().filter(|name| !name.is_empty()) {
        return Ok(named);
    }
    let there = docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).await?;
    let is_there = |name: &str| there.lines().any(|line| line == name);
    // Only an image that is here is run under the built one's name: nobody has reserved that name in a public registry.
    let chosen = if is_there(built) && !is_there(official) {
        built
    } else {
        official
    };
    Ok(chosen.to_owned())
}
