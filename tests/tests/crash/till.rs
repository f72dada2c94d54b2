//! What the till asks, and how it goes on asking.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use metropay_tests::{Reply, Till, World};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::ground::PRICE;

/// The order's number.
pub(crate) const ORDER: &str = "SZTX001-CRASH-1";
/// Between two questions.
const PACE: Duration = Duration::from_millis(400);
/// How long a server that is to die may still answer.
const BROKEN_MAX: Duration = Duration::from_secs(60);

/// The request for the order.
pub(crate) fn order(digits: &str) -> Value {
    World::order(ORDER, digits, PRICE)
}

/// The question how the order stands, and the wish to undo it.
pub(crate) fn named() -> Value {
    json!({ "out_request_no": ORDER })
}

/// Places the order and waits until it is paid.
pub(crate) async fn pay(till: &Till, digits: &str) -> Result<Reply> {
    let placed = till.call("applypay", &order(digits)).await?;
    ensure!(placed.status == 200, "the order is not placed: {}", placed.body);
    let paid = until_known(till, Duration::from_secs(30)).await?;
    ensure!(
        paid.text("pay_status") == "PS_SUCCESS",
        "the order is not paid: {}",
        paid.body
    );
    Ok(paid)
}

/// Asks until the order's end is known.
pub(crate) async fn until_known(till: &Till, within: Duration) -> Result<Reply> {
    until(till, "orderquery", &named(), within, |reply| {
        reply.text("pay_status") != "PS_PAYING"
    })
    .await
}

/// Sends the same request again until the answer is an end.
pub(crate) async fn until(
    till: &Till,
    operation: &str,
    body: &Value,
    within: Duration,
    is_end: impl Fn(&Reply) -> bool,
) -> Result<Reply> {
    let deadline = Instant::now() + within;
    loop {
        let reply = till.call(operation, body).await?;
        ensure!(reply.status == 200, "{operation} is refused: {}", reply.body);
        if is_end(&reply) {
            return Ok(reply);
        }
        if Instant::now() > deadline {
            bail!("{operation} has no end after {within:?}: {}", reply.body);
        }
        sleep(PACE).await;
    }
}

/// Sends the same request again until there is no answer any more: the server dies of it.
pub(crate) async fn until_broken(till: &Till, operation: &str, body: &Value) -> Result<()> {
    let deadline = Instant::now() + BROKEN_MAX;
    while let Ok(reply) = till.call(operation, body).await {
        ensure!(
            Instant::now() < deadline,
            "the server lives on and answers {}",
            reply.body
        );
        sleep(PACE).await;
    }
    Ok(())
}

/// A repeat of a request that had its end answers the very same again.
pub(crate) async fn same_again(till: &Till, operation: &str, body: &Value, end: &Reply) -> Result<()> {
    for _ in 0..2 {
        let again = till.call(operation, body).await?;
        ensure!(
            again.status == end.status && again.body["data"] == end.body["data"],
            "{operation} answered {} and then {}",
            end.body,
            again.body
        );
    }
    Ok(())
}
