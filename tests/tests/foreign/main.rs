//! The channels' own public SDKs against our simulators: a proof of their truth from outside. What is played stands in
//! `tests/foreign`; here a simulator is started for each play, and Python for it.
//!
//! Where there is no Python or no package registry the plays are left out, and say so. `METROPAY_REQUIRE_FOREIGN=1` turns
//! that into a failure.

mod python;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use metropay_simulator::{Effect, Fault, Settings, Simulator};
use python::{Ended, Python};

/// How long a play may take; it takes a few seconds.
const PLAY_MAX: Duration = Duration::from_secs(120);

/// A simulator whose notifications are repeated at once.
async fn simulator() -> Simulator {
    let settings = Settings {
        notice_pace_percent: 1,
        settle_ms: 100,
        ..Settings::default()
    };
    Simulator::start(settings).await.expect("a free port")
}

/// Plays a script against a simulator; `None` when there is nothing to play it with.
async fn played(script: &str, simulator: &Simulator) -> Option<Ended> {
    let python = match Python::ready().await {
        Ok(python) => python,
        Err(why) => {
            let is_required = std::env::var("METROPAY_REQUIRE_FOREIGN").is_ok_and(|value| value == "1");
            assert!(!is_required, "{script} cannot be played: {why}");
            // Not `eprintln!`: the test harness would keep it to itself.
            writeln!(std::io::stderr(), "\nSKIPPED {script}: {why}\n").ok();
            return None;
        }
    };
    let script = folder().join(script);
    Some(python.run(&script, simulator.url(), PLAY_MAX).await)
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("foreign")
}

async fn plays_well(script: &str) {
    let Some(ended) = played(script, &simulator().await).await else {
        return;
    };
    println!("{}", ended.output);
    let closes_well = ended.output.lines().any(|line| line.ends_with(" passed, 0 failed"));
    assert!(ended.well && closes_well, "{script}\n{}", ended.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn alipays_own_sdk_takes_the_simulator_for_alipay() {
    plays_well("shop_alipay.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_of_wechat_pay_v3_takes_the_simulator_for_wechat_pay() {
    plays_well("shop_wechat.py").await;
}

/// The plays would be worth nothing if they could not fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_lies_is_found_out() {
    for script in ["shop_alipay.py", "shop_wechat.py"] {
        for effect in [Effect::WrongSignature, Effect::WrongAmount { fen: 7 }] {
            let simulator = simulator().await;
            let lie = format!("{script} with {effect:?}");
            simulator.frame().faults.add(Fault {
                id: 0,
                gateway: None,
                operation: None,
                order_no: None,
                times: 0,
                effect,
            });
            let Some(ended) = played(script, &simulator).await else {
                return;
            };
            let closes_ill = ended.output.lines().any(|line| line.ends_with(" passed, 1 failed"));
            assert!(!ended.well && closes_ill, "{lie}\n{}", ended.output);
        }
    }
}
