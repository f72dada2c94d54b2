//! The check of what merchants are owed (INV-17) sees what it is for: each row that is spoilt, and nothing else.

use std::time::Duration;

use metropay_core::audit::verify::{Finding, verify};
use metropay_core::code::issue;
use metropay_core::engine::Engine;
use metropay_core::invariant::Invariant;
use metropay_core::job::Job;
use metropay_core::mandate::{self, Signing};
use metropay_core::payment::pay::pay;
use sea_orm::ConnectionTrait;

use crate::act::{MERCHANTS, Order};
use crate::auditor::Auditor;
use crate::ground::{Ground, channel, mch_id, uid};

/// An endpoint that is told, where nobody can be reached.
const ENDPOINT: &str = "INSERT INTO endpoint (endpoint_id, mch_id, url, description, kinds, state, keys_sealed, failures, created_at, updated_at) \
    VALUES ('WH1', 'M0', 'https://shop.example.com/', '', '[\"*\"]', 'ACTIVE', '', 0, 0, 0)";
/// Longer than between an event and a later one that is handed on.
const LONG: Duration = Duration::from_secs(61);

async fn run(engine: &Engine, sql: &str) {
    engine.db.write().execute_unprepared(sql).await.expect(sql);
}

/// What the check of INV-17 finds; all others hold.
async fn owed(engine: &Engine) -> Finding {
    let mut found = None;
    for finding in verify(&engine.db, &*engine.rules).await.expect("the books can be read") {
        if finding.invariant == Invariant::ChangesAreOwed {
            found = Some(finding);
        } else {
            assert_eq!(finding.breaches, [""; 0], "{}", finding.invariant.id());
        }
    }
    found.expect("it is checked")
}

async fn paid(ground: &Ground, no: u8) {
    let issued = issue::issue(&ground.engine, &uid(0), None, None).await.expect("a code");
    let ask = Auditor::new().ask(Order { merchant: 0, no }, &issued.digits, 100);
    pay(&ground.engine, &mch_id(0), ask).await.expect("the gateway pays");
    ground.advance(Duration::from_secs(1));
}

/// The first user closes his mandates, with which their contract ends, and signs anew with the first merchant, which takes him a
/// second.
async fn signs_anew(ground: &Ground) {
    let engine = &ground.engine;
    let wish = |merchant| Signing {
        uid: uid(0),
        mch_id: mch_id(merchant),
        channel: channel(),
        user_ip: None,
    };
    for merchant in 0..MERCHANTS {
        let old = mandate::sign(engine, wish(merchant)).await.expect("he has one").mandate;
        let closed = mandate::close(engine, &uid(0), &old.mandate_id).await;
        closed.expect("it is closed");
        ground.advance(Duration::from_secs(1));
    }
    let new = mandate::sign(engine, wish(0)).await.expect("he begins").mandate;
    ground.advance(Duration::from_secs(1));
    let signed = mandate::refresh(engine, &uid(0), &new.mandate_id).await;
    signed.expect("he has signed");
    ground.advance(Duration::from_secs(1));
}

/// Hands on what is owed. Nobody is reached, and nobody is told for as long as nobody else turns this job.
async fn hand_on(ground: &Ground) {
    let fence = Job::TellMerchants
        .lease(&ground.engine)
        .await
        .expect("the database answers");
    let fence = fence.expect("the lease is free");
    Job::TellMerchants
        .work(&ground.engine, fence)
        .await
        .expect("it is handed on");
}

/// A way to spoil a row, to mend it, and what is found in between.
struct Spoilt {
    by: String,
    mended_by: String,
    found: &'static [&'static str],
}

/// The event of the last payment.
const LAST_PAYMENT: &str = "event_id = (SELECT MAX(event_id) FROM outbox WHERE kind = 'payment.succeeded')";

/// The last event of a kind gets a number that no change has.
fn renamed(kind: &str, found: &'static [&'static str]) -> Spoilt {
    let last = format!("seq = (SELECT MAX(seq) FROM outbox WHERE kind = '{kind}')");
    Spoilt {
        by: format!("UPDATE outbox SET event_id = event_id || '-x' WHERE {last}"),
        mended_by: format!("UPDATE outbox SET event_id = substr(event_id, 1, length(event_id) - 2) WHERE {last}"),
        found,
    }
}

/// The last payment is older than others, and was not handed on.
fn passed_over() -> Spoilt {
    let long = LONG.as_millis();
    Spoilt {
        by: format!("UPDATE outbox SET spread_at = NULL, created_at = created_at - {long} WHERE {LAST_PAYMENT}"),
        mended_by: format!(
            "UPDATE outbox SET spread_at = created_at, created_at = created_at + {long} WHERE {LAST_PAYMENT}"
        ),
        found: &["passed over"],
    }
}

/// The delivery of the last payment is another.
fn delivery(by: &str, mended_by: &str, found: &'static [&'static str]) -> Spoilt {
    Spoilt {
        by: format!("UPDATE delivery SET {by} WHERE {LAST_PAYMENT}"),
        mended_by: format!("UPDATE delivery SET {mended_by}"),
        found,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_missing_too_much_or_left_behind_is_found() {
    let ground = Ground::new(Vec::new()).await;
    let engine = &ground.engine;
    ground.advance(Duration::from_secs(1));
    paid(&ground, 0).await;
    signs_anew(&ground).await;
    paid(&ground, 1).await;
    // Somebody is at the endpoint for ever, and nobody is told.
    run(engine, ENDPOINT).await;
    run(engine, "UPDATE endpoint SET busy_until = 9000000000000").await;
    hand_on(&ground).await;
    let sound = owed(engine).await;
    assert_eq!(sound.breaches, [""; 0]);
    // Two payments, two ends and a signing of mandates, and what of it is to be told.
    assert!(sound.checked >= 10, "{}", sound.checked);

    let asleep = Spoilt {
        by: "UPDATE endpoint SET next_at = NULL".to_owned(),
        mended_by: "UPDATE endpoint SET next_at = 0".to_owned(),
        found: &["WH1 is to be told something, and nobody will"],
    };
    for Spoilt { by, mended_by, found } in [
        renamed("payment.succeeded", &["owed to nobody", "did not happen"]),
        renamed("mandate.active", &["-active is owed to nobody"]),
        renamed("mandate.closed", &["-closed is owed to nobody"]),
        passed_over(),
        delivery("seq = -seq", "seq = abs(seq)", &["nobody is there"]),
        delivery("endpoint_id = 'WH2'", "endpoint_id = 'WH1'", &["nobody is there"]),
        delivery("ended_at = 1", "ended_at = NULL", &["has ended and waits"]),
        delivery(
            "state = 'DEAD'",
            "state = 'WAITING'",
            &["has ended and waits, or neither"],
        ),
        asleep,
    ] {
        run(engine, &by).await;
        let breaches = owed(engine).await.breaches;
        assert_eq!(breaches.len(), found.len(), "{by}: {breaches:?}");
        for what in found {
            let is_told = breaches.iter().any(|breach| breach.contains(what));
            assert!(is_told, "{by}: {breaches:?} has no {what:?}");
        }
        run(engine, &mended_by).await;
        assert_eq!(owed(engine).await.breaches, [""; 0], "mended by {mended_by}");
    }
}

/// An endpoint that is removed between the look at who listens and the moment when everything is written down.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_removed_while_events_are_handed_on_leaves_nothing_that_waits_for_it() {
    let ground = Ground::new(Vec::new()).await;
    let engine = &ground.engine;
    paid(&ground, 0).await;
    run(engine, ENDPOINT).await;
    // Who writes is one here: whoever hands on has read, and waits for his turn.
    let removing = engine.db.begin().await.expect("a turn to write");
    let ((), ()) = tokio::join!(hand_on_beside(&ground), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        removing
            .execute_unprepared("DELETE FROM delivery")
            .await
            .expect("as it is removed");
        removing
            .execute_unprepared("DELETE FROM endpoint")
            .await
            .expect("as it is removed");
        removing.commit().await.expect("it is gone");
    });
    assert_eq!(owed(engine).await.breaches, [""; 0]);
}

/// As [`hand_on`], without a lease: that would have to be written.
async fn hand_on_beside(ground: &Ground) {
    Job::TellMerchants
        .work(&ground.engine, 0)
        .await
        .expect("it is handed on");
}
