//! What grounds with servers as processes of their own are made of: people who come from outside, and what a server must be
//! told in a file.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use metropay_core::clock::SystemClock;
use metropay_core::signing::Algorithm;
use metropay_server::config::Config;
use metropay_server::demo::Credentials;
use serde_json::json;
use tokio::time::sleep;

use crate::{App, Phone, Till};

/// A till of the demo's merchant with its HMAC key, with connections of its own.
///
/// # Errors
/// When there is no such key.
pub fn new_till(credentials: &Credentials) -> Result<Till> {
    let merchant = credentials.merchants.first().context("the demo has a merchant")?;
    Till::new(credentials, merchant, Algorithm::HmacSha256, Arc::new(SystemClock))
}

/// Says loudly that something cannot be tried here.
///
/// # Panics
/// Where everything must be tried (`METROPAY_REQUIRE_CONTAINERS=1`).
pub fn skipped(why: &str) {
    let is_required = std::env::var("METROPAY_REQUIRE_CONTAINERS").is_ok_and(|value| value == "1");
    assert!(!is_required, "{why}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not `eprintln!`: the test harness would keep it to itself.
    writeln!(std::io::stderr(), "\nSKIPPED {test}: {why}\n").ok();
}

/// Opens the user's code account.
///
/// # Errors
/// When it is refused.
pub async fn open_account(app: &App) -> Result<()> {
    let opened = app.post("code-account", &json!({})).await?;
    ensure!(opened.status == 200, "the code account does not open: {}", opened.body);
    Ok(())
}

/// Signs a mandate with a merchant through a channel, and waits until it is usable.
///
/// # Errors
/// When a page or the channel refuses, or it does not become usable.
pub async fn sign(app: &App, mch_id: &str, channel: &str) -> Result<()> {
    let begun = app
        .post("mandates", &json!({ "mch_id": mch_id, "channel": channel }))
        .await?;
    ensure!(begun.status == 200, "signing does not begin: {}", begun.body);
    if let Some(url) = begun.body["data"]["page"]["url"].as_str() {
        Phone::new(&app.uid).agree(url).await?;
    }
    let mandate = begun.text("mandate_id");
    for _ in 0..100 {
        if app.get(&format!("mandates/{mandate}")).await?.text("state") == "ACTIVE" {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    bail!("the mandate with {channel} does not become active")
}

/// Writes what cannot be said in the environment into a folder of configuration: who issues the App's tokens, and `more`.
///
/// # Errors
/// When the App has no key, or the file cannot be written.
pub fn write_config(folder: &Path, config: &Config, more: &str) -> Result<()> {
    let key = config.app.keys.first().context("the App has a key")?;
    let kid = key.kid.as_deref().context("the App's key has a kid")?;
    let public = key.public_key_pem.as_deref().context("the App's key is public")?;
    let text = format!(
        "[app]\nissuer = \"{}\"\n\n[[app.keys]]\nkid = \"{kid}\"\nalgorithm = \"EdDSA\"\npublic_key_pem = '''\n{public}'''\n{more}",
        config.app.issuer
    );
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("default.toml"), text)?;
    Ok(())
}
