//! FLT-33 and FLT-36: more come than can be served. Who cannot be served soon is told so before anything is written down, everybody
//! else is served as ever, and when the crowd has gone nothing of it is left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use metropay_server::demo::client::TurnedAway;
use metropay_tests::{Phone, Till, World};
use sea_orm::sqlx::{self, PgConnection};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::ground::{CHANNELS, Ground};
use crate::load::{self, Orders, PRICE};

/// Nodes with so few connections for payments that a small machine can make a crowd.
const NARROW: [(&str, &str); 4] = [
    ("METROPAY_DATABASE__POOLS__PAYMENTS", "2"),
    ("METROPAY_ENTRANCE__WAIT_MS", "200"),
    ("METROPAY_ENTRANCE__WAITING_PER_CONNECTION", "2"),
    ("METROPAY_BUDGETS__REQUESTS_PER_SECOND", "5000"),
];
/// How soon whoever is turned away must know: the wait at the entrance, and what a busy machine adds.
const TOLD_WITHIN: Duration = Duration::from_secs(3);
/// The crowd: ten times the tills of the usual load, without any pause.
const TILLS: usize = 90;
/// How long it stays.
const STAYS: Duration = Duration::from_secs(60);

/// An order with a code that a shopper shows at this moment.
async fn order(ground: &Ground, no: &str, channel: &str) -> Result<Value> {
    let code = Phone::new("shopper")
        .show_code(&ground.gateways_url(), channel, false)
        .await?;
    Ok(World::order(no, &code, PRICE))
}

/// How long a payment takes from asking to its answer: the middle of several, one after the other.
async fn usual(ground: &Ground, name: &str, orders: &mut Orders) -> Result<Duration> {
    let mut took = Vec::new();
    for nth in 0..15 {
        let order = order(ground, &format!("SZTX001-{name}-{nth}"), CHANNELS[1]).await?;
        let asked = Instant::now();
        let told = ground.till.call("applypay", &order).await?;
        took.push(asked.elapsed());
        ensure!(told.text("pay_status") == "PS_SUCCESS", "{}", told.body);
        orders.insert(told.text("pay_out_trade_no"), "PS_SUCCESS".to_owned());
    }
    took.sort();
    Ok(took[took.len() / 2])
}

async fn fences(database: &mut PgConnection) -> Result<i64> {
    let sum = "SELECT CAST(sum(fence) AS bigint) FROM job";
    Ok(sqlx::query_scalar(sum).fetch_one(database).await?)
}

/// How many statements wait for a lock.
async fn waiting(database: &mut PgConnection) -> Result<i64> {
    let count = "SELECT count(*) FROM pg_locks WHERE NOT granted";
    Ok(sqlx::query_scalar(count).fetch_one(database).await?)
}

/// What somebody who asks without a signature is answered: while there is room, that one is missing.
async fn turned_away(http: &reqwest::Client, node: &str) -> Result<Option<u64>> {
    let asked = Instant::now();
    let url = format!("{node}/metro/payment/v1/api/qrcode/applypay");
    let answer = http.post(url).body("{}").send().await?;
    let status = answer.status().as_u16();
    ensure!(asked.elapsed() < TOLD_WITHIN, "{status} after {:?}", asked.elapsed());
    if status != 503 {
        ensure!(status == 401, "{status}");
        return Ok(None);
    }
    let after = answer
        .headers()
        .get("retry-after")
        .context("it says when to come again")?;
    Ok(Some(after.to_str()?.parse()?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn payments_that_find_no_connection_are_turned_away_and_nothing_else_is() -> Result<()> {
    let Some(ground) = Ground::with(&NARROW).await? else {
        return Ok(());
    };
    let (mut orders, mut database) = (Orders::new(), ground.connect().await?);
    usual(&ground, "BEFORE", &mut orders).await?;
    let known = orders.keys().next().cloned().context("an order")?;
    let before = fences(&mut database).await?;

    // Each with connections of its own, so that both nodes are held up.
    let mut holders = Vec::new();
    for nth in 0..12 {
        let no = format!("SZTX001-HOLD-{nth}");
        let order = order(&ground, &no, CHANNELS[0]).await?;
        holders.push((ground.new_till()?, no, order));
    }
    let locked = ground.lock_payments(Duration::from_secs(6));
    let holding = join_all(holders.iter().map(async |(till, no, order)| {
        let mut orders = Orders::new();
        sleep(Duration::from_millis(300)).await;
        load::pay(till, no, order, &mut orders).await?;
        anyhow::Ok(orders)
    }));
    let crowd = async {
        let began = Instant::now();
        while waiting(&mut database).await? < 4 {
            ensure!(began.elapsed() < Duration::from_secs(5), "the nodes are not held up");
            sleep(Duration::from_millis(20)).await;
        }
        let http = reqwest::Client::new();
        let asked = join_all((0..100).map(|_| turned_away(&http, ground.address()))).await;
        let after: Vec<u64> = asked
            .into_iter()
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect();
        ensure!(after.len() >= 90, "only {} of 100 were turned away", after.len());
        ensure!(after.iter().all(|seconds| (1..=5).contains(seconds)), "{after:?}");
        let different: BTreeSet<&u64> = after.iter().collect();
        ensure!(different.len() >= 3, "they all come again at once: {after:?}");
        // Questions, Apps and health are as ever.
        for _ in 0..5 {
            let asked = Instant::now();
            let told = ground
                .till
                .call("orderquery", &json!({ "pay_out_trade_no": known }))
                .await?;
            ensure!(told.text("pay_status") == "PS_SUCCESS", "{}", told.body);
            let told = ground.riders[0].get("records").await?;
            ensure!(told.status == 200, "{}", told.body);
            ensure!(asked.elapsed() < TOLD_WITHIN, "questions took {:?}", asked.elapsed());
        }
        let ready = ground.readiness().await?;
        ensure!(ready.iter().all(|(status, _)| *status == 200), "{ready:?}");
        anyhow::Ok(())
    };
    let (locked, holding, crowd) = tokio::join!(locked, holding, crowd);
    locked?;
    crowd?;
    for held in holding {
        orders.extend(held?);
    }
    let worked = fences(&mut database).await? - before;
    ensure!(worked > 10, "jobs had {worked} turns while payments were held up");
    let figures = ground.figures_of_the_node().await?;
    ensure!(
        figures.contains("metropay_requests_turned_away_total{lane=\"payments\"}"),
        "it is counted"
    );
    ground.prove(&orders).await
}

/// What became of a crowd's orders.
#[derive(Default)]
struct Crowd {
    /// Our numbers of those that were taken.
    taken: BTreeSet<String>,
    /// Numbers that were turned away.
    away: Vec<String>,
    /// Numbers without a good answer.
    unknown: Vec<String>,
}

async fn crowd(ground: &Ground) -> Result<Crowd> {
    let over = Arc::new(AtomicBool::new(false));
    let tills = (0..TILLS).map(|at| {
        let over = Arc::clone(&over);
        async move { one_of_the_crowd(ground, at, &over).await }
    });
    let ends = async {
        sleep(STAYS).await;
        over.store(true, Ordering::Relaxed);
    };
    let (all, ()) = tokio::join!(join_all(tills), ends);
    let mut crowd = Crowd::default();
    for one in all {
        let one = one?;
        crowd.taken.extend(one.taken);
        crowd.away.extend(one.away);
        crowd.unknown.extend(one.unknown);
    }
    Ok(crowd)
}

/// A till that neither waits nor repeats, whatever it is told.
async fn one_of_the_crowd(ground: &Ground, at: usize, over: &AtomicBool) -> Result<Crowd> {
    let (till, mut crowd, mut nth) = (ground.new_till()?, Crowd::default(), 0);
    while !over.load(Ordering::Relaxed) {
        nth += 1;
        let no = format!("SZTX001-CROWD{at}-{nth}");
        let order = order(ground, &no, CHANNELS[at % CHANNELS.len()]).await?;
        match till.call("applypay", &order).await {
            Ok(told) if told.status == 200 => {
                crowd.taken.insert(told.text("pay_out_trade_no"));
            }
            Err(error) if error.is::<TurnedAway>() => crowd.away.push(no),
            _ => crowd.unknown.push(no),
        }
    }
    Ok(crowd)
}

/// Whether a number has an order, and which.
async fn found(till: &Till, no: &str) -> Result<Option<String>> {
    let told = till.call("orderquery", &json!({ "out_request_no": no })).await?;
    if told.code() == "ORDER_NOT_FOUND" {
        return Ok(None);
    }
    ensure!(told.status == 200, "{no}: {}", told.body);
    Ok(Some(told.text("pay_out_trade_no")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_times_the_load_is_turned_away_before_anything_is_written_and_leaves_nothing_behind() -> Result<()> {
    let Some(ground) = Ground::with(&NARROW).await? else {
        return Ok(());
    };
    let mut orders = Orders::new();
    let before = usual(&ground, "BEFORE", &mut orders).await?;
    let mut crowd = crowd(&ground).await?;
    let after = usual(&ground, "AFTER", &mut orders).await?;
    println!(
        "{} taken, {} turned away, {} without an answer; {before:?} before, {after:?} after",
        crowd.taken.len(),
        crowd.away.len(),
        crowd.unknown.len()
    );
    ensure!(crowd.taken.len() >= 100, "only {} were served", crowd.taken.len());
    ensure!(crowd.away.len() >= 20, "only {} were turned away", crowd.away.len());
    ensure!(
        after < before * 3 + Duration::from_millis(300),
        "{before:?} before, {after:?} after"
    );
    for no in crowd.away.iter().take(100) {
        ensure!(
            found(&ground.till, no).await?.is_none(),
            "{no} was turned away, and stands"
        );
    }
    for no in &crowd.unknown {
        crowd.taken.extend(found(&ground.till, no).await?);
    }
    // Each has an end; which, the gateways' books say.
    for no in crowd.taken {
        let status = load::end_of(&ground.till, &no).await?;
        orders.insert(no, status);
    }
    ground.prove(&orders).await
}
