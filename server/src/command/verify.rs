//! `metropay verify`: the books against the invariants.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use metropay_core::audit::verify::{Finding, verify};

use metropay_scripts::LuauRules;

use crate::config::{Config, Profile};
use crate::serve::open_database;

/// Breaches of one invariant that are printed; the rest is counted.
const SHOWN_MAX: usize = 20;

/// Checks, prints, and fails on a breach.
pub(super) async fn run(profile: Profile, folder: &Path, json: bool) -> Result<ExitCode> {
    let mut config = Config::load(profile, folder)?;
    // A check changes nothing, not even the schema.
    config.database.migrate = false;
    if let Some(file) = config.database.file() {
        anyhow::ensure!(file.exists(), "there is no database at {}", file.display());
    }
    let db = open_database(&config).await?;
    let findings = verify(&db, &LuauRules::new()).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        print(&findings);
    }
    let sound = findings.iter().all(|finding| finding.breaches.is_empty());
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(findings: &[Finding]) {
    for finding in findings {
        let invariant = finding.invariant;
        let word = if finding.breaches.is_empty() {
            "ok    "
        } else {
            "BREACH"
        };
        println!(
            "{}  {word}  {:>8} checked  {}",
            invariant.id(),
            finding.checked,
            invariant.says()
        );
        for breach in finding.breaches.iter().take(SHOWN_MAX) {
            println!("          {breach}");
        }
        if finding.breaches.len() > SHOWN_MAX {
            println!("          … and {} more", finding.breaches.len() - SHOWN_MAX);
        }
    }
}
