//! What a payment costs the database: counted by PostgreSQL itself.

#![cfg(test)]

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use metropay_tests::containers::{Database, Durability, Postgres};
use sea_orm::sqlx::{self, Connection, PgConnection};

/// Statements and round trips of a payment that succeeds at once, at most: each statement here is a round trip of its own.
const STATEMENTS_MAX: i64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_succeeds_at_once_is_four_statements() -> Result<()> {
    let counting = ["shared_preload_libraries=pg_stat_statements"];
    let Some(server) = Postgres::alone(Durability::Memory, &counting).await else {
        return Ok(());
    };
    let database = server.database().await?;
    let mut connection = PgConnection::connect(&database.url()).await?;
    sqlx::raw_sql("CREATE EXTENSION pg_stat_statements")
        .execute(&mut connection)
        .await?;
    let folder = tempfile::tempdir()?;
    pay(&database, folder.path())?;

    let counted = "SELECT query, calls FROM pg_stat_statements \
        WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY calls DESC";
    let rows: Vec<(String, i64)> = sqlx::query_as(counted).fetch_all(&mut connection).await?;
    let payments = rows.iter().find(|(query, _)| query.contains("paid AS (UPDATE payment"));
    let payments = payments.context("no payment succeeded")?.1;
    ensure!(payments >= 100, "only {payments} payments");
    // When it has measured, the command proves the books, and reads every payment's journals and entries for that.
    let of_the_proof = |query: &str| query.starts_with("SELECT \"journal\"") || query.starts_with("SELECT \"entry\"");
    // Jobs, seeding and caches ask too, but not for every payment.
    let each: Vec<(&str, i64)> = rows
        .iter()
        .map(|(query, calls)| (query.as_str(), (calls + payments / 4) / payments))
        .filter(|(query, each)| *each > 0 && !of_the_proof(query))
        .collect();
    let sum: i64 = each.iter().map(|(_, each)| each).sum();
    ensure!(sum <= STATEMENTS_MAX, "{sum} statements for a payment: {each:#?}");
    Ok(())
}

/// Three seconds of payments with a channel that answers at once.
fn pay(database: &Database, folder: &Path) -> Result<()> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metropay-crash"));
    command
        .args(["bench", "--users", "400", "--database", &database.url()])
        .args(["--keep", folder.to_str().context("a path")?])
        .args(["pay", "--closed", "4", "--seconds", "3", "--warmup", "0"])
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    let output = command.output()?;
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(
        output.status.success(),
        "{}{}",
        told(&output.stdout),
        told(&output.stderr)
    );
    Ok(())
}
