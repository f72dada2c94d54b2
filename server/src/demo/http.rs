//! Opening accounts at gateways that run in a process of their own, over their control interface.

use std::sync::Arc;

use anyhow::{Result, ensure};
use metropay_core::engine::Engine;
use metropay_simulator::Gateway;
use serde_json::Value;

use super::accounts::{self, Opened};

/// A client for control interfaces.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

/// Opens a merchant's accounts.
///
/// # Errors
/// When a gateway refuses.
pub(crate) async fn open_accounts(engine: &Arc<Engine>, url: &str, mch_id: &str) -> Result<Opened> {
    let (own, number, base, http) = (Arc::clone(engine), mch_id.to_owned(), url.to_owned(), client()?);
    let runtime = tokio::runtime::Handle::current();
    let open = move |gateway, wish: &Value| {
        let path = format!("{base}/control/accounts/{}", word(gateway));
        runtime.block_on(post(&http, &path, wish))
    };
    // Making keys takes a while.
    tokio::task::spawn_blocking(move || accounts::open(&own, open, &number, None)).await?
}

fn word(gateway: Gateway) -> &'static str {
    match gateway {
        Gateway::Wechat => "wechat",
        Gateway::Alipay => "alipay",
        Gateway::Unionpay => "unionpay",
    }
}

/// Posts a wish, and reads what is answered.
///
/// # Errors
/// When it is refused.
pub(crate) async fn post(http: &reqwest::Client, url: &str, body: &Value) -> Result<Value> {
    let request = http
        .post(url)
        .header("content-type", "application/json")
        .body(body.to_string());
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(status.is_success(), "{url}: {status} {text}");
    Ok(serde_json::from_str(&text)?)
}
