//! A merchant's server that lies and fails, and a node that dies, while tills pay: what was owed is what was told (INV-17, FLT-43).

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_server::demo::client::{Control, Till};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::ground::Ground;
use crate::load::Load;

const SINK: &str = "chaos";
/// How long the backlog may take when nothing stands in its way.
const BACKLOG_MAX: Duration = Duration::from_secs(120);

async fn done(till: &Till, operation: &str, body: Value) -> Result<Value> {
    let begun = Instant::now();
    loop {
        match till.call(operation, &body).await {
            Ok(reply) if reply.status == 200 => return Ok(reply.body["data"].clone()),
            Ok(reply) if reply.status < 500 && reply.status != 429 => anyhow::bail!("{operation}: {}", reply.body),
            // A node is gone: another is asked.
            _ => ensure!(begun.elapsed() < Duration::from_secs(30), "{operation}: nobody answers"),
        }
        sleep(Duration::from_millis(300)).await;
    }
}

/// The numbers of all that the endpoint was owed and that stands so.
async fn standing(till: &Till, endpoint: &str, state: &str) -> Result<BTreeSet<String>> {
    let (mut all, mut before) = (BTreeSet::new(), 9_007_199_254_740_991_i64);
    loop {
        let page = json!({ "endpoint_id": endpoint, "state": state, "before": before });
        let page = done(till, "webhook/deliveries", page).await?;
        let page = page["deliveries"].as_array().context("a page")?.clone();
        let Some(last) = page.last() else { return Ok(all) };
        before = last["seq"].as_i64().context("a place")?;
        all.extend(
            page.iter()
                .filter_map(|told| told["event_id"].as_str().map(str::to_owned)),
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_owed_is_told_by_whichever_node_is_left() -> Result<()> {
    let networks = [("METROPAY_MERCHANT_CALLS__ALLOWED_NETWORKS", r#"["127.0.0.0/8"]"#)];
    let Some(mut ground) = Ground::with(&networks).await? else {
        return Ok(());
    };
    let control = Control::new(&ground.gateways_url());
    let url = format!("{}/sink/{SINK}", ground.gateways_url());
    let made = done(&ground.till, "webhook/create", json!({ "url": url })).await?;
    let endpoint = made["endpoint"]["endpoint_id"].as_str().context("a number")?.to_owned();
    let name = json!({ "endpoint_id": endpoint });
    done(&ground.till, "webhook/prove", name.clone()).await?;

    let load = Load::begin(&ground);
    for (at, mood) in ["willing", "broken", "mute", "redirecting", "willing", "hanging"]
        .into_iter()
        .enumerate()
    {
        control.sink_mood(SINK, mood).await?;
        sleep(Duration::from_secs(2)).await;
        match at {
            1 => ground.kill_a_node().await?,
            4 => ground.start_the_node().await?,
            _ => {}
        }
    }
    control.sink_mood(SINK, "willing").await?;
    sleep(Duration::from_secs(2)).await;
    let orders = load.end().await?;

    let begun = Instant::now();
    while !standing(&ground.till, &endpoint, "WAITING").await?.is_empty()
        || !all_ended(&ground, &endpoint, &orders).await?
    {
        ensure!(begun.elapsed() < BACKLOG_MAX, "the backlog does not end");
        // What failed once waits for minutes; a person may have it told at once.
        done(&ground.till, "webhook/prove", name.clone()).await?;
        sleep(Duration::from_secs(2)).await;
    }
    let heard: BTreeSet<String> = control
        .heard(SINK)
        .await?
        .iter()
        .filter_map(|notice| notice["id"].as_str().map(str::to_owned))
        .collect();
    let delivered = standing(&ground.till, &endpoint, "DELIVERED").await?;
    println!("{} notices, of {} orders", delivered.len(), orders.len());
    ensure!(
        delivered.is_subset(&heard),
        "told and not heard: {:?}",
        delivered.difference(&heard)
    );
    ensure!(
        heard.is_subset(&delivered),
        "heard and not owed: {:?}",
        heard.difference(&delivered)
    );
    ensure!(standing(&ground.till, &endpoint, "DEAD").await?.is_empty());
    ground.prove(&orders).await
}

/// Whether the end of each order was delivered.
async fn all_ended(ground: &Ground, endpoint: &str, orders: &crate::load::Orders) -> Result<bool> {
    let delivered = standing(&ground.till, endpoint, "DELIVERED").await?;
    Ok(orders.iter().all(|(no, status)| {
        let what = match status.as_str() {
            "PS_SUCCESS" => "succeeded",
            "PS_FAILED" => "failed",
            _ => "closed",
        };
        delivered.contains(&format!("{no}-{what}"))
    }))
}
