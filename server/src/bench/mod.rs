//! The load driver, `metropay bench`: a server in a process of its own, a crowd of merchants and users on it, requests that
//! come as people come, and what that took.
//!
//! Latency is counted from the moment at which a request was due, so that waiting for a server that does not keep up counts.
//! Driver and server share the machine; what the driver used is reported beside what the server used.

mod app;
mod crowd;
mod drive;
mod gateways;
mod ground;
mod instant;
mod measure;
mod probe;
mod process;
mod report;
mod scenario;
mod settings;
mod stream;
mod till;
mod wire;

use anyhow::Result;
use metropay_core::Lane;
use metropay_core::audit::verify::verify;
use serde_json::{Value, json};

pub use instant::{InstantConfig, InstantFactory};
pub(crate) use process::raise_open_files;
pub use report::{Events, Phase, Report};
pub use scenario::{EventsSettings, PaySettings, QuerySettings, RidersSettings, Scenario, WebhooksSettings};
pub use settings::{Arrivals, GroundSettings, Pace, PaceSettings, Paying, TimeSettings};

use ground::Ground;

/// Measures, and checks the books afterwards. `tell` hears of progress.
///
/// # Errors
/// When something does not start, or a phase cannot be carried out. Refusals by the server are figures, no errors.
pub async fn measure(scenario: &Scenario, settings: &GroundSettings, tell: impl Fn(&str)) -> Result<Report> {
    let open_files = raise_open_files();
    tell("starting and seeding");
    let mut ground = Ground::made(settings).await?;
    tell("measuring");
    let (phases, events) = scenario.play(&ground, settings, &tell).await?;
    let environment = environment(&ground, settings, scenario, open_files);
    ground.stop().await?;
    let books = match (&ground.own, settings.no_verify) {
        (Some(own), false) => {
            tell("checking the books");
            books(own).await?
        }
        _ => "not checked".to_owned(),
    };
    if let Some(own) = ground.own.take() {
        own.engine.db.close().await?;
    }
    if let Some(folder) = ground.kept() {
        tell(&format!("everything is kept in {}", folder.display()));
    }
    Ok(Report {
        scenario: scenario.name(),
        environment,
        phases,
        events,
        books,
    })
}

async fn books(own: &ground::Own) -> Result<String> {
    let findings = verify(&own.engine.db.on(Lane::Jobs), &*own.engine.rules).await?;
    let broken: Vec<String> = findings
        .iter()
        .filter(|finding| !finding.breaches.is_empty())
        .map(|finding| format!("{}: {} breaches", finding.invariant.id(), finding.breaches.len()))
        .collect();
    Ok(if broken.is_empty() {
        "sound".to_owned()
    } else {
        broken.join(", ")
    })
}

/// What a figure means nothing without.
fn environment(ground: &Ground, settings: &GroundSettings, scenario: &Scenario, open_files: u64) -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "build": if cfg!(debug_assertions) { "debug" } else { "release" },
        "cpus": std::thread::available_parallelism().map_or(0, usize::from),
        "cpu": model.map(|(_, model)| model),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "open_files": open_files,
        "database": ground.own.as_ref().map(|own| if own.embedded { "sqlite" } else { "postgresql" }),
        "redis": settings.redis.is_some(),
        "nodes": settings.nodes,
        "channel": settings.channel,
        "merchants": settings.merchants,
        "users": ground.credentials.users.len(),
        "algorithm": settings.algorithm.word(),
        "server_log": settings.server_log,
        "warmup_s": scenario.time().warmup,
    })
}
