//! What the App is told, from a position on.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use metropay_tests::App;
use serde_json::Value;
use tokio::time::Instant;

/// The user's last position.
pub(crate) async fn position(app: &App) -> Result<i64> {
    let page = app.get("events/poll?wait_s=0").await?;
    page.body["data"]["next"]
        .as_i64()
        .with_context(|| format!("no position: {}", page.body))
}

/// The kinds of everything that happened after a position, the oldest first.
pub(crate) async fn after(app: &App, from: i64) -> Result<Vec<String>> {
    let page = app.get(&format!("events/poll?after={from}&wait_s=0")).await?;
    kinds(&page.body)
}

/// Waits for one of these kinds after a position, as an App with a long-poll does.
pub(crate) async fn wait(app: &App, from: i64, any: &[&str], within: Duration) -> Result<()> {
    let deadline = Instant::now() + within;
    let mut at = from;
    while Instant::now() < deadline {
        let page = app.get(&format!("events/poll?after={at}&wait_s=10")).await?;
        let happened = kinds(&page.body)?;
        if happened.iter().any(|kind| any.contains(&kind.as_str())) {
            return Ok(());
        }
        at = page.body["data"]["next"]
            .as_i64()
            .context("an answer without position")?;
    }
    bail!("the App is not told any of {any:?} within {within:?}")
}

fn kinds(body: &Value) -> Result<Vec<String>> {
    let events = body["data"]["events"]
        .as_array()
        .with_context(|| format!("no events: {body}"))?;
    Ok(events
        .iter()
        .map(|event| event["kind"].as_str().unwrap_or_default().to_owned())
        .collect())
}
