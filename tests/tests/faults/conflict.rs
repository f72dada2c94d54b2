//! FLT-04: what two transactions cannot both have is taken back from one of them by the database, and done again inside. A till
//! hears of it only where it happens again and again, and then repeats as after any other lack of an answer.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_tests::World;
use sea_orm::sqlx::{self, PgConnection};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::ground::Ground;
use crate::load::{self, Orders, PRICE, code_of};

/// What a phase of ours writes, in the order in which the tale below comes to it.
const WRITES: [(&str, &str); 9] = [
    ("code", "INSERT"),
    ("payment", "INSERT"),
    ("payment", "UPDATE"),
    ("entry", "INSERT"),
    ("event", "INSERT"),
    ("refund", "INSERT"),
    ("refund", "UPDATE"),
    ("reversal", "INSERT"),
    ("reversal", "UPDATE"),
];

/// A trigger that has the first statements fail as the database itself does. A sequence counts over what is taken back.
const TEAR: &str = "CREATE SEQUENCE IF NOT EXISTS tears; \
    CREATE OR REPLACE FUNCTION tear() RETURNS trigger AS $$ BEGIN \
      IF nextval('tears') <= TG_ARGV[0]::bigint THEN RAISE EXCEPTION 'torn by the test' USING ERRCODE = TG_ARGV[1]; END IF; \
      RETURN NULL; END $$ LANGUAGE plpgsql";

struct Tearing(PgConnection);

impl Tearing {
    async fn new(ground: &Ground) -> Result<Self> {
        let mut connection = ground.connect().await?;
        sqlx::raw_sql(TEAR).execute(&mut connection).await?;
        Ok(Self(connection))
    }

    /// From now on so many statements of this kind fail so.
    async fn arm(&mut self, (table, verb): (&str, &str), times: u32, code: &str) -> Result<()> {
        let sql = format!(
            "SELECT setval('tears', 1, false); \
             CREATE TRIGGER tear AFTER {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION tear('{times}', '{code}')"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut self.0).await?;
        Ok(())
    }

    /// Ends it. It must have struck as often as it was to.
    async fn disarm(&mut self, (table, verb): (&str, &str), times: u32) -> Result<()> {
        let sql = format!("DROP TRIGGER tear ON {table}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut self.0).await?;
        let struck: i64 = sqlx::query_scalar("SELECT last_value FROM tears")
            .fetch_one(&mut self.0)
            .await?;
        ensure!(
            struck >= i64::from(times),
            "{verb} of {table} was reached {struck} times only"
        );
        Ok(())
    }
}

/// Pays twice; gives the first payment back in whole, and undoes the second. Everything must go as if nothing had happened.
/// Answers our numbers of both.
async fn tale(ground: &Ground, at: usize) -> Result<[String; 2]> {
    // One after the other, since each may have six codes in a minute.
    let rider = &ground.riders[at % ground.riders.len()];
    let paid = async |no: &str| {
        let code = code_of(rider).await?.context("a code")?;
        let paid = ground.till.call("applypay", &World::order(no, &code, PRICE)).await?;
        ensure!(paid.text("pay_status") == "PS_SUCCESS", "{no}: {}", paid.body);
        Ok(paid.text("pay_out_trade_no"))
    };
    let (first, second) = (format!("SZTX001-T{at}-1"), format!("SZTX001-T{at}-2"));
    let numbers = [paid(&first).await?, paid(&second).await?];
    give_back(ground, &first).await?;
    until(ground, "reverse", &json!({ "out_request_no": second }), ("recall", "N")).await?;
    Ok(numbers)
}

/// Gives everything back that was paid under this number.
async fn give_back(ground: &Ground, no: &str) -> Result<()> {
    let ask = json!({ "out_request_no": no, "out_refund_no": format!("{no}-R"), "refund_fee": PRICE });
    until(ground, "refund", &ask, ("pay_refund_status", "RS_SUCCESS")).await
}

/// Calls until the channel has done it, as a till does; each answer must be a good one.
async fn until(ground: &Ground, operation: &str, ask: &Value, (field, wanted): (&str, &str)) -> Result<()> {
    let began = Instant::now();
    loop {
        let told = ground.till.call(operation, ask).await?;
        ensure!(told.status == 200, "{operation}: {}", told.body);
        if told.text(field) == wanted {
            return Ok(());
        }
        ensure!(began.elapsed() < Duration::from_secs(20), "{operation}: {}", told.body);
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_phase_that_the_database_takes_back_twice_is_not_noticed() -> Result<()> {
    let Some(ground) = Ground::new().await? else {
        return Ok(());
    };
    let (mut tearing, mut undone) = (Tearing::new(&ground).await?, BTreeSet::new());
    for (at, write) in WRITES.into_iter().enumerate() {
        let code = if at % 2 == 0 { "40001" } else { "40P01" };
        tearing.arm(write, 2, code).await?;
        let told = tale(&ground, at).await;
        undone.extend(told.with_context(|| format!("{write:?} taken back with {code}"))?);
        tearing.disarm(write, 2).await?;
    }
    ground.prove_given_back(&undone).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_phase_that_is_taken_back_three_times_is_repeated_by_its_till() -> Result<()> {
    let Some(ground) = Ground::new().await? else {
        return Ok(());
    };
    let (mut tearing, mut orders) = (Tearing::new(&ground).await?, Orders::new());
    let till = &ground.till;
    // Before anything was written down: the till is told so, and nothing stands.
    let (placing, settling) = (("payment", "INSERT"), ("payment", "UPDATE"));
    let order = World::order(
        "SZTX001-THREE-1",
        &code_of(&ground.riders[0]).await?.context("a code")?,
        PRICE,
    );
    tearing.arm(placing, 3, "40001").await?;
    let refused = till.call("applypay", &order).await?;
    ensure!(refused.status == 503, "{} {}", refused.status, refused.body);
    let asked = till
        .call("orderquery", &json!({ "out_request_no": "SZTX001-THREE-1" }))
        .await?;
    ensure!(asked.code() == "ORDER_NOT_FOUND", "{}", asked.body);
    tearing.disarm(placing, 3).await?;
    let paid = till.call("applypay", &order).await?;
    ensure!(paid.text("pay_status") == "PS_SUCCESS", "{}", paid.body);
    orders.insert(paid.text("pay_out_trade_no"), "PS_SUCCESS".to_owned());
    // After the channel has debited: whatever the till is told, the debit is found, and it is one.
    let order = World::order(
        "SZTX001-THREE-2",
        &code_of(&ground.riders[0]).await?.context("a code")?,
        PRICE,
    );
    tearing.arm(settling, 6, "40P01").await?;
    let unsure = till.call("applypay", &order).await?;
    ensure!(
        unsure.status == 503 || unsure.text("pay_status") == "PS_PAYING",
        "{} {}",
        unsure.status,
        unsure.body
    );
    load::pay(till, "SZTX001-THREE-2", &order, &mut orders).await?;
    tearing.disarm(settling, 6).await?;
    ensure!(orders.values().all(|status| status == "PS_SUCCESS"), "{orders:?}");
    ground.prove(&orders).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_loser_of_a_deadlock_is_not_noticed() -> Result<()> {
    let Some(ground) = Ground::new().await? else {
        return Ok(());
    };
    // His channel gives money back at once, so the first answer is the last.
    let (till, rider) = (&ground.till, &ground.riders[1]);
    let code = code_of(rider).await?.context("a code")?;
    let paid = till
        .call("applypay", &World::order("SZTX001-KNOT", &code, PRICE))
        .await?;
    ensure!(paid.text("pay_status") == "PS_SUCCESS", "{}", paid.body);
    let pay_no = paid.text("pay_out_trade_no");
    let mut other = ground.connect().await?;
    // The other one looks for a knot late, so that it is ours who finds it and must give way.
    sqlx::raw_sql("SET deadlock_timeout = '1min'; BEGIN")
        .execute(&mut other)
        .await?;
    sqlx::query("SELECT uid FROM app_user WHERE uid = $1 FOR UPDATE")
        .bind(&rider.uid)
        .execute(&mut other)
        .await?;
    let knot = async {
        // Ours holds the payment and waits for its user …
        let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted";
        let began = Instant::now();
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut other).await? == 0 {
            ensure!(began.elapsed() < Duration::from_secs(10), "nobody waits for the user");
            sleep(Duration::from_millis(20)).await;
        }
        // … who is held by the one that now waits for the payment.
        sqlx::query("UPDATE payment SET looks = looks WHERE pay_no = $1")
            .bind(&pay_no)
            .execute(&mut other)
            .await?;
        sqlx::raw_sql("COMMIT").execute(&mut other).await?;
        anyhow::Ok(())
    };
    let ask = json!({ "out_request_no": "SZTX001-KNOT", "out_refund_no": "SZTX001-KNOT-R", "refund_fee": PRICE });
    let (back, ()) = tokio::try_join!(till.call("refund", &ask), knot)?;
    ensure!(back.text("pay_refund_status") == "RS_SUCCESS", "{}", back.body);
    let counted = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let began = Instant::now();
    while sqlx::query_scalar::<_, i64>(counted).fetch_one(&mut other).await? == 0 {
        ensure!(began.elapsed() < Duration::from_secs(20), "there was no deadlock");
        sleep(Duration::from_millis(200)).await;
    }
    drop(other);
    ground.prove_given_back(&BTreeSet::from([pay_no])).await
}
