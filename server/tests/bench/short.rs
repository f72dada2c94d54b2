//! Short measurements on the embedded database, with the command as people call it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn metropay(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metropay"));
    command.args(arguments).env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.output().unwrap()
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// Measures with these arguments and answers the figures.
fn measured(folder: &Path, ground: &[&str], scenario: &[&str]) -> Value {
    let (json, kept) = (folder.join("figures.json"), folder.join("kept"));
    let (json, kept) = (json.to_str().unwrap(), kept.to_str().unwrap());
    let own = [
        "bench",
        "--json",
        json,
        "--keep",
        kept,
        "--merchants",
        "2",
        "--users",
        "300",
    ];
    let output = metropay(&[&own, ground, scenario].concat());
    assert!(output.status.success(), "{}", told(&output));
    let figures: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(figures["books"], "sound", "{figures:#}");
    for phase in figures["phases"].as_array().unwrap() {
        assert!(phase["done"].as_u64().unwrap() > 0, "{figures:#}");
        assert_eq!(phase["errors"], serde_json::json!({}), "{figures:#}");
        assert!(phase["latency"]["p50_us"].as_u64().unwrap() > 0, "{figures:#}");
        assert!(phase["server_rss_kib"].as_u64().unwrap() > 1_000, "{figures:#}");
    }
    figures
}

#[test]
fn a_second_of_payments_gives_figures_without_errors_and_leaves_sound_books() {
    let folder = tempfile::tempdir().unwrap();
    let time = ["--seconds", "1", "--warmup", "0"];
    let figures = measured(folder.path(), &[], &[&["pay", "--rate", "30"][..], &time].concat());
    let phase = &figures["phases"][0];
    // The stated rate, give or take what Poisson gives and takes.
    assert!((10..=60).contains(&phase["asked"].as_u64().unwrap()), "{figures:#}");
    assert_eq!(phase["answers"]["PS_SUCCESS"], phase["asked"], "{figures:#}");
    let config = folder.path().join("kept/config");
    let verified = metropay(&["--config-dir", config.to_str().unwrap(), "verify"]);
    assert!(verified.status.success(), "{}", told(&verified));
    // The database of a measurement opens for measurements only.
    let serving = metropay(&[
        "--config-dir",
        config.to_str().unwrap(),
        "serve",
        "--profile",
        "production",
    ]);
    assert!(
        !serving.status.success() && told(&serving).contains("bench.instant"),
        "{}",
        told(&serving)
    );
}

#[test]
fn riders_hear_of_their_payments_and_orders_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let riders = ["riders", "5", "--every", "11", "--seconds", "16", "--warmup", "15"];
    let figures = measured(folder.path(), &[], &riders);
    let events = &figures["events"];
    assert_eq!(
        (&events["streams"], &events["broken"]),
        (&5.into(), &0.into()),
        "{figures:#}"
    );
    // Every payment that was answered in the window is heard of; those answered at its edge may fall on either side.
    let (told, paid) = (
        events["told"].as_u64().unwrap(),
        figures["phases"][1]["done"].as_u64().unwrap(),
    );
    assert!(told.abs_diff(paid) <= 1, "{figures:#}");
    let folder = tempfile::tempdir().unwrap();
    let query = [
        "query",
        "--orders",
        "10",
        "--closed",
        "2",
        "--seconds",
        "1",
        "--warmup",
        "0",
    ];
    let figures = measured(folder.path(), &["--algorithm", "ED25519"], &query);
    assert_eq!(figures["environment"]["algorithm"], "ED25519");
}

#[test]
fn the_simulated_gateways_pay_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let pay = [
        "pay",
        "--rate",
        "5",
        "--arrivals",
        "even",
        "--seconds",
        "2",
        "--warmup",
        "1",
    ];
    let figures = measured(folder.path(), &["--channel", "simulators"], &pay);
    assert!(
        figures["phases"][0]["gateways_cpu_ms_each"].as_f64().unwrap() > 0.0,
        "{figures:#}"
    );
}
