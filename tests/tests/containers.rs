//! The ground in containers itself: servers answer, are what was asked for, can be broken and mended, and leave nothing behind.
//!
//! Where there is no engine these tests say SKIPPED; `METROPAY_REQUIRE_CONTAINERS=1` turns that into a failure.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use metropay_tests::containers::{Database, Durability, Postgres, Redis, of_process};
use redis::AsyncTypedCommands;
use sea_orm::sqlx::{self, Connection, PgConnection};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// After so long without an answer a server counts as frozen.
const FROZEN: Duration = Duration::from_millis(500);

async fn setting(database: &Database, name: &str) -> Result<String> {
    let mut connection = PgConnection::connect(&database.url()).await?;
    let asked = sqlx::query_scalar("SELECT current_setting($1)").bind(name);
    Ok(asked.fetch_one(&mut connection).await?)
}

async fn run(database: &Database, statement: &'static str) -> Result<()> {
    let mut connection = PgConnection::connect(&database.url()).await?;
    sqlx::raw_sql(statement).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

async fn count(database: &Database, statement: &'static str) -> Result<i64> {
    let mut connection = PgConnection::connect(&database.url()).await?;
    Ok(sqlx::query_scalar(statement).fetch_one(&mut connection).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_keeps_its_commits_as_asked() -> Result<()> {
    for (durability, fsync) in [(Durability::Disk, "on"), (Durability::Memory, "off")] {
        let Some(server) = Postgres::shared(durability).await else {
            return Ok(());
        };
        let database = server.database().await?;
        assert_eq!(setting(&database, "fsync").await?, fsync);
        assert_eq!(setting(&database, "max_connections").await?, "600");
        assert_eq!(setting(&database, "shared_buffers").await?, "256MB");
        assert!(setting(&database, "server_version_num").await?.parse::<u32>()? >= 150_000);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn worlds_on_one_server_see_nothing_of_each_other() -> Result<()> {
    let Some(server) = Postgres::shared(Durability::Memory).await else {
        return Ok(());
    };
    let begun = Instant::now();
    let (one, other) = (server.database().await?, server.database().await?);
    println!("two databases after {:?}", begun.elapsed());
    run(&one, "CREATE TABLE t (n INT); INSERT INTO t VALUES (1)").await?;
    run(&other, "CREATE TABLE t (n INT)").await?;
    assert_eq!(count(&one, "SELECT count(*) FROM t").await?, 1);
    assert_eq!(count(&other, "SELECT count(*) FROM t").await?, 0);

    let gone = one.url();
    drop(one);
    let begun = Instant::now();
    while PgConnection::connect(&gone).await.is_ok() {
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "a dropped database is still there"
        );
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(count(&other, "SELECT count(*) FROM t").await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn spaces_on_one_redis_see_nothing_of_each_other() -> Result<()> {
    let Some(server) = Redis::shared().await else {
        return Ok(());
    };
    let (one, other) = (server.space()?, server.space()?);
    assert_ne!(one.prefix(), other.prefix());
    let mut one = redis::Client::open(one.url())?
        .get_multiplexed_async_connection()
        .await?;
    let mut other = redis::Client::open(other.url())?
        .get_multiplexed_async_connection()
        .await?;
    one.set("key", "one's").await?;
    assert_eq!(one.get("key").await?.as_deref(), Some("one's"));
    assert_eq!(other.get("key").await?, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_postgresql_answers_nothing_and_then_goes_on() -> Result<()> {
    let Some(server) = Postgres::alone(Durability::Disk, &["log_min_messages=warning"]).await else {
        return Ok(());
    };
    let database = server.database().await?;
    assert_eq!(setting(&database, "log_min_messages").await?, "warning");
    let mut connection = PgConnection::connect(&database.url()).await?;
    server.pause().await?;
    let mut asked = Box::pin(sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(&mut connection));
    assert!(timeout(FROZEN, &mut asked).await.is_err(), "a frozen server answered");
    server.unpause().await?;
    assert_eq!(timeout(FROZEN * 10, asked).await??, 1, "the same question, after all");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_survives_a_kill_and_a_stop_at_the_same_address() -> Result<()> {
    let Some(server) = Postgres::alone(Durability::Disk, &[]).await else {
        return Ok(());
    };
    let database = server.database().await?;
    let address = server.address();
    run(&database, "CREATE TABLE t (n INT); INSERT INTO t VALUES (1)").await?;
    server.kill().await?;
    ensure!(PgConnection::connect(&database.url()).await.is_err(), "it was killed");
    server.start_again().await?;
    run(&database, "INSERT INTO t VALUES (2)").await?;
    server.stop().await?;
    ensure!(PgConnection::connect(&database.url()).await.is_err(), "it was stopped");
    server.start_again().await?;
    assert_eq!(count(&database, "SELECT count(*) FROM t").await?, 2);
    assert_eq!(server.address(), address);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_can_be_frozen_killed_and_stopped_and_comes_back_empty() -> Result<()> {
    let Some(server) = Redis::alone().await else {
        return Ok(());
    };
    let client = redis::Client::open(server.space()?.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    connection.set("key", "value").await?;
    server.pause().await?;
    ensure!(
        timeout(FROZEN, connection.get("key"))
            .await
            .map_or(true, |answer| answer.is_err()),
        "frozen"
    );
    server.unpause().await?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    assert_eq!(connection.get("key").await?.as_deref(), Some("value"));
    server.kill().await?;
    server.start_again().await?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    assert_eq!(connection.get("key").await?, None);
    server.stop().await?;
    server.start_again().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_ones_own_is_removed_with_its_test() -> Result<()> {
    let before = || of_process(std::process::id());
    let Some(server) = Redis::alone().await else {
        return Ok(());
    };
    let mine = server.id().to_owned();
    assert!(before().await?.contains(&mine));
    drop(server);
    assert!(!before().await?.contains(&mine));
    Ok(())
}

/// In a process that is started for it, the test below only holds a container.
const HOLD: &str = "METROPAY_TEST_HOLD_A_CONTAINER";

#[tokio::test(flavor = "multi_thread")]
async fn however_a_test_process_ends_nothing_of_it_goes_on_running() -> Result<()> {
    if let Some(how) = std::env::var_os(HOLD) {
        let held = Redis::shared().await.is_some();
        // Not `println!`: the test harness may keep it to itself.
        writeln!(std::io::stdout(), "\n{}", if held { "HELD" } else { "NOT HELD" })?;
        ensure!(how != "panic", "as asked");
        if how != "return" {
            sleep(Duration::from_secs(120)).await;
        }
        return Ok(());
    }
    for how in ["return", "panic", "INT", "TERM", "KILL"] {
        let (mut child, held) = holder(how).await?;
        if !held {
            Redis::shared().await;
            return Ok(());
        }
        let number = child.id().context("it was just started")?;
        if how == how.to_uppercase() {
            ensure!(of_process(number).await?.len() == 1, "it holds a container");
            Command::new("kill")
                .args(["-s", how, &number.to_string()])
                .status()
                .await?;
        }
        timeout(Duration::from_secs(20), child.wait()).await??;
        let begun = Instant::now();
        while !of_process(number).await?.is_empty() {
            ensure!(
                begun.elapsed() < Duration::from_secs(20),
                "after {how} a container goes on running"
            );
            sleep(Duration::from_millis(50)).await;
        }
        println!("after {how} removed within {:?}", begun.elapsed());
    }
    Ok(())
}

/// A process of these tests that holds a container, and whether it got one.
async fn holder(how: &str) -> Result<(Child, bool)> {
    let mut child = Command::new(std::env::current_exe()?)
        .args([
            "--exact",
            "however_a_test_process_ends_nothing_of_it_goes_on_running",
            "--nocapture",
        ])
        .env(HOLD, how)
        .env_remove("METROPAY_REQUIRE_CONTAINERS")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("it is piped")?).lines();
    let found = async {
        while let Some(line) = lines.next_line().await? {
            if line.contains("HELD") {
                return Ok(!line.contains("NOT HELD"));
            }
        }
        anyhow::bail!("the process ended without a word")
    };
    let held = timeout(Duration::from_secs(90), found).await??;
    // Its last words must find a reader.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((child, held))
}
