//! FLT-22: a node whose clock is wrong. The time that counts is the database's: so it judges codes, windows and leases as every
//! other node does, and yet it says that it is not ready, and no proxy gives it anything.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_tests::World;
use metropay_tests::outside::skipped;
use sea_orm::sqlx::{self, PgConnection};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::ground::Ground;
use crate::load::{Load, Orders, PRICE, code_of};

/// A lease lasts so long, and a code twice as long; and what a busy machine adds.
const LEASE_MS: i64 = 30_000 + 5_000;
const CODE_MS: i64 = 60_000 + 5_000;

/// The library that tells a process another time.
fn faketime() -> Option<PathBuf> {
    let folders = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
    ];
    let found = folders.map(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1"));
    let found = found.into_iter().find(|library| library.is_file());
    if found.is_none() {
        skipped("libfaketime is not installed; mend with: apt-get install libfaketime");
    }
    found
}

/// The machine's time by the database, in milliseconds.
const NOW: &str = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint)";

async fn number(connection: &mut PgConnection, sql: String) -> Result<i64> {
    Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_one(connection)
        .await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_whose_clock_is_wrong_is_left_out_and_judges_by_the_databases_time() -> Result<()> {
    let Some(library) = faketime() else { return Ok(()) };
    let Some(mut ground) = Ground::checked().await? else {
        return Ok(());
    };
    let library = library.to_str().context("a path")?;
    let mut orders = Orders::new();
    for (name, moved, way) in [("AHEAD", "+10m", "ahead of"), ("BEHIND", "-10m", "behind")] {
        ground.stop_a_node().await?;
        let wrong = [
            ("LD_PRELOAD", library),
            ("FAKETIME", moved),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        ground.start_the_node_unready(&wrong).await?;

        let told = ground.the_node()?.ask("/readyz").await?;
        ensure!(told.0 == 503 && told.1.contains("clock"), "{told:?}");
        let off = offset_of_the_node(&ground).await?;
        let expected = if moved.starts_with('+') { 600.0 } else { -600.0 };
        ensure!((off - expected).abs() < 10.0, "{name}: {off} s");
        ensure!(
            ground.the_node()?.log()?.contains(&format!("s {way} the database's")),
            "{name}: the log does not say so"
        );

        // The proxy gives it nothing, and nobody notices.
        let given = ground.given_to_the_node();
        let load = Load::named(&ground, name);
        sleep(Duration::from_secs(4)).await;
        orders.extend(load.end_of(5).await?);
        ensure!(ground.given_to_the_node() == given, "{name}: it was given connections");

        // Whoever reaches it all the same is judged as everywhere.
        judged_as_everywhere(&ground, name, &mut orders).await?;
        leases_end_as_everywhere(&ground).await?;
    }
    ground.stop_a_node().await?;
    ground.start_the_node().await?;
    ground.prove(&orders).await
}

/// By how many seconds the node says that its machine's clock is ahead.
async fn offset_of_the_node(ground: &Ground) -> Result<f64> {
    let began = Instant::now();
    loop {
        let figures = ground.figures_of_the_node().await?;
        let mut lines = figures.lines();
        if let Some(off) = lines.find_map(|line| line.strip_prefix("metropay_clock_offset_seconds ")) {
            return Ok(off.parse()?);
        }
        ensure!(began.elapsed() < Duration::from_secs(10), "the offset is not scraped");
        sleep(Duration::from_millis(200)).await;
    }
}

/// A fresh code is taken, one whose time is over by the database is not, and one that this node issues lives as long as any.
async fn judged_as_everywhere(ground: &Ground, name: &str, orders: &mut Orders) -> Result<()> {
    let (till, rider) = (ground.till_at_the_node()?, &ground.riders[0]);
    let mut database = ground.connect().await?;
    // The load has had all codes that riders may have in a minute.
    sqlx::raw_sql("UPDATE code SET issued_at = issued_at - 61000")
        .execute(&mut database)
        .await?;
    let code = code_of(rider).await?.context("a code")?;
    let no = format!("SZTX001-{name}-FRESH");
    let paid = till.call("applypay", &World::order(&no, &code, PRICE)).await?;
    ensure!(paid.text("pay_status") == "PS_SUCCESS", "{name}: {}", paid.body);
    orders.insert(paid.text("pay_out_trade_no"), "PS_SUCCESS".to_owned());

    let code = code_of(rider).await?.context("a code")?;
    sqlx::raw_sql("UPDATE code SET expires_at = expires_at - 70000 WHERE ended_at IS NULL")
        .execute(&mut database)
        .await?;
    let no = format!("SZTX001-{name}-OVER");
    let late = till.call("applypay", &World::order(&no, &code, PRICE)).await?;
    ensure!(late.code() == "CODE_INVALID", "{name}: {}", late.body);
    let asked = till.call("orderquery", &json!({ "out_request_no": no })).await?;
    ensure!(asked.code() == "ORDER_NOT_FOUND", "{name}: {}", asked.body);

    let rider = ground.at_the_node(rider)?;
    let issued = rider.post("codes", &json!({})).await?;
    ensure!(issued.status == 200, "{name}: {}", issued.body);
    let life = number(&mut database, format!("SELECT max(expires_at) - {NOW} FROM code")).await?;
    ensure!((1..CODE_MS).contains(&life), "{name}: a code lives for {life} ms");
    Ok(())
}

/// Whatever leases the wrong node takes end as those of others.
async fn leases_end_as_everywhere(ground: &Ground) -> Result<()> {
    let mut database = ground.connect().await?;
    let (began, node) = (Instant::now(), ground.node_prefix());
    loop {
        sqlx::query("UPDATE job SET holder = '', until = 0")
            .execute(&mut database)
            .await?;
        sleep(Duration::from_millis(700)).await;
        let held = number(
            &mut database,
            format!("SELECT count(*) FROM job WHERE holder LIKE '{node}-%'"),
        );
        if held.await? > 0 {
            break;
        }
        ensure!(began.elapsed() < Duration::from_secs(30), "it never gets a lease");
    }
    let left = number(&mut database, format!("SELECT max(until) - {NOW} FROM job")).await?;
    ensure!((1..LEASE_MS).contains(&left), "a lease lasts for {left} ms");
    Ok(())
}
