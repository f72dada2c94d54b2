//! `metropay serve`.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use metropay_core::clock::SystemClock;
use metropay_simulator::Simulator;

use crate::bench;
use crate::config::{Config, Profile};
use crate::demo::{Folder, seed};
use crate::serve::Server;
use crate::watch::traces::Traces;

/// Runs until it is told to stop.
pub(super) async fn run(profile: Profile, folder: &Path) -> Result<()> {
    let mut config = Config::load(profile, folder)?;
    let traces = Traces::start(&config.traces)?;
    super::log(&config.log, traces.as_ref())?;
    let files = bench::raise_open_files();
    tracing::debug!(files, "this process may open {files} files");
    let demo = match profile {
        Profile::Demo => {
            let folder = Folder::of(&config)?;
            let app_key = folder.complete(&mut config)?;
            Some((folder, app_key))
        }
        Profile::Default | Profile::Production => None,
    };
    config.guard(profile)?;
    for warning in config.warnings(profile) {
        tracing::warn!("UNSAFE: {warning}");
    }
    let simulator = match config.simulator.enabled {
        true => Some(
            Simulator::start(config.simulator.settings())
                .await
                .context("starting the simulators")?,
        ),
        false => None,
    };
    let server = Server::start(&config, Arc::new(SystemClock)).await?;
    if let (Some((folder, app_key)), Some(simulator)) = (&demo, &simulator) {
        let credentials = seed::seed(&config, folder, app_key, &server, simulator).await?;
        println!("credentials  {}", folder.credentials().display());
        for merchant in &credentials.merchants {
            println!(
                "merchant     {}  stores {}",
                merchant.mch_id,
                merchant.store_ids.join(", ")
            );
        }
    }
    announce(&server, simulator.as_ref());
    super::asked_to_stop().await?;
    tracing::info!("stopping");
    server.stop().await;
    if let Some(traces) = traces {
        traces.stop().await;
    }
    Ok(())
}

fn announce(server: &Server, simulator: Option<&Simulator>) {
    let url = server.url();
    println!("server       {url}");
    println!("  documentation  {url}/docs   ({url}/openapi.json)");
    println!("  health         {url}/healthz   {url}/readyz");
    if let Some(ops) = server.ops_url() {
        println!("operators    {ops}/channels   {ops}/metrics");
    }
    if let Some(simulator) = simulator {
        println!("simulators   {}", simulator.url());
        println!(
            "  a user's phone   {}/wechat/phone   {}/alipay/phone/agreements?user=…",
            simulator.url(),
            simulator.url()
        );
        println!(
            "  books, faults    {}/control/books   {}/control/faults",
            simulator.url(),
            simulator.url()
        );
    }
    println!("stop with Ctrl-C");
}
