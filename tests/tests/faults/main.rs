//! Faults of the production set-up: two servers, each a process of its own, behind a proxy, on PostgreSQL and Redis in
//! containers that no other test uses, while tills pay. Something breaks, is mended, and everything must come to its one end:
//! no till that repeats its request notices, every order ends, the books are sound and equal the gateways' own.

#![recursion_limit = "256"]
#![cfg(test)]

mod clock;
mod conflict;
mod crowd;
mod demo;
mod disk;
mod failover;
mod ground;
mod load;
mod webhook;

use std::time::Duration;

use anyhow::{Result, ensure};
use ground::Ground;
use load::Load;
use tokio::time::sleep;

/// So long everything works before and after.
const SOUND: Duration = Duration::from_secs(3);

/// Plays one fault under load, and proves what is left.
async fn under_load(fault: impl AsyncFnOnce(&mut Ground) -> Result<()>) {
    let Some(mut ground) = Ground::new().await.expect("the ground") else {
        return;
    };
    let load = Load::begin(&ground);
    sleep(SOUND).await;
    fault(&mut ground).await.expect("the fault");
    sleep(SOUND).await;
    let orders = load.end().await.expect("no till notices");
    ground.prove(&orders).await.expect("everything comes to its end");
}

// FLT-01: the database is stopped cleanly and started again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_is_restarted_is_not_noticed() {
    under_load(async |ground| {
        ground.postgres.stop().await?;
        sleep(Duration::from_secs(2)).await;
        ground.postgres.start_again().await
    })
    .await;
}

// FLT-01: the database dies and recovers from its log.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_dies_loses_nothing_that_was_answered() {
    under_load(async |ground| {
        ground.postgres.kill().await?;
        sleep(Duration::from_secs(1)).await;
        ground.postgres.start_again().await
    })
    .await;
}

// FLT-03: the database holds every payment up for longer than a statement may wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_whose_rows_are_locked_is_waited_for() {
    under_load(async |ground| ground.lock_payments(Duration::from_secs(4)).await).await;
}

// FLT-05: Redis is emptied, goes away and comes back empty.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redis_that_forgets_and_goes_away_stops_no_payment() {
    under_load(async |ground| {
        ground.flush_redis().await?;
        sleep(Duration::from_secs(1)).await;
        ground.redis()?.stop().await?;
        sleep(Duration::from_secs(3)).await;
        ground.redis()?.start_again().await
    })
    .await;
}

// FLT-07: Redis hangs: connections stay open and nothing answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redis_that_hangs_stops_no_payment() {
    under_load(async |ground| {
        ground.redis()?.pause().await?;
        sleep(Duration::from_secs(4)).await;
        ground.redis()?.unpause().await
    })
    .await;
}

// One of two nodes is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_is_killed_is_not_noticed() {
    under_load(async |ground| {
        ground.kill_a_node().await?;
        sleep(Duration::from_secs(3)).await;
        ground.start_the_node().await
    })
    .await;
}

// FLT-38: one of two nodes is stopped past its leases, and goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_sleeps_past_its_leases_does_no_harm() {
    under_load(async |ground| {
        ground.signal_a_node("STOP").await?;
        sleep(ground::LEASE_PASSED).await;
        ground.signal_a_node("CONT").await
    })
    .await;
}

// FLT-37: one of two nodes is asked to stop, ends within its drain, and comes back, as in a rolling restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_is_asked_to_stop_hands_over() {
    under_load(async |ground| {
        ground.stop_a_node().await?;
        sleep(Duration::from_secs(1)).await;
        ground.start_the_node().await
    })
    .await;
}

// FLT-23.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_identical_requests_over_two_nodes_are_one_debit() -> Result<()> {
    let Some(ground) = Ground::new().await? else {
        return Ok(());
    };
    let orders = load::identical(&ground, 100).await?;
    ensure!(orders.len() == 1, "one number is one order: {orders:?}");
    ground.prove(&orders).await
}
