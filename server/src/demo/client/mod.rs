//! Clients of our own doors and of the simulators, as the outside world would write them: over HTTP only. The demo plays
//! with them, and so do the test suites.

mod app;
mod live;
mod patience;
mod phone;
mod simulator;
mod till;

pub use app::App;
pub use live::{LiveEvent, LiveEvents};
pub use phone::Phone;
pub use simulator::Control;
pub use till::{Reply, Till, TurnedAway};

use std::time::Duration;

/// How long a client waits for an answer: longer than a till may have to.
const WAIT: Duration = Duration::from_secs(40);
/// How long a node may take to hear its operators.
const OPERATORS_WAIT: Duration = Duration::from_secs(5);
/// How long a stream of events may last.
const STREAM: Duration = Duration::from_secs(3600);

/// What a page of JSON says, refusals too.
///
/// # Errors
/// When there is no answer, or it is no JSON.
pub async fn get(url: &str) -> anyhow::Result<serde_json::Value> {
    let answer = http().get(url).send().await?;
    Ok(serde_json::from_str(&answer.text().await?)?)
}

/// Moves a node's time for a drill; `false` when the node does not answer.
///
/// # Errors
/// When it refuses.
pub async fn move_clock(operators: &str, offset_ms: i64) -> anyhow::Result<bool> {
    let request = http().post(format!("{operators}/clock")).timeout(OPERATORS_WAIT);
    let body = format!(r#"{{"offset_ms":{offset_ms}}}"#);
    let Ok(answer) = request
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
    else {
        return Ok(false);
    };
    let status = answer.status();
    anyhow::ensure!(status.is_success(), "{operators} does not move its clock: {status}");
    Ok(true)
}

/// A plain HTTP client for loopback.
fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(WAIT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client without special needs can be built")
}
