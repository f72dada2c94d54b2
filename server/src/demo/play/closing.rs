//! Last chapter: the day is over. Its bill, the riders' records, the gateways' books against ours, and the invariants.

use std::time::Duration;

use anyhow::{Context, Result};
use metropay_core::audit::{open, verify};
use metropay_core::clock::Day;
use metropay_core::ledger::{balance, seal};
use metropay_core::signing::Algorithm;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::scene::{WAYS, Way, refusal, said};
use super::sheet::{Came, Sheet, Stopped};
use super::stage::Stage;
use super::tally::{Tally, signed_yuan, yuan};
use crate::demo::client::Reply;

/// How long the platform may take to come to rest.
const REST_MAX: Duration = Duration::from_secs(20);
/// Breaches of an invariant that are shown.
const BREACHES_SHOWN: usize = 3;

/// Plays the chapter.
pub(super) async fn play(stage: &mut Stage, sheet: &mut Sheet, tally: &Tally) -> Result<(), Stopped> {
    let day = stage.now().day();
    for algorithm in Algorithm::ALL {
        let what = format!("a till that signs with {algorithm}");
        sheet
            .check(what, "PS_SUCCESS, answer verified", asked(stage, algorithm, tally))
            .await;
    }
    sheet.check("nothing is left open", "0 open", at_rest(stage)).await;
    let early = async { Ok(Came::words(refusal(&bill(stage, day).await?))) };
    sheet
        .check("the bill, before the day is over", "422 BILL_NOT_READY", early)
        .await;
    let passed = async {
        let now = stage.pass_midnight(day).await?;
        Ok(Came::words("a new day").note(now.text()))
    };
    sheet
        .play("midnight passes (all clocks are moved)", "a new day", passed)
        .await?;
    for way in &WAYS {
        let expected = tally.day(way.channel).to_string();
        sheet
            .check(
                format!("the day's bill: {}", way.pay_type),
                expected,
                billed(stage, way, day),
            )
            .await;
    }
    for way in &WAYS {
        let done = tally.day(way.channel);
        let (paid, reversed) = (done.paid.count - done.reversed.count, done.reversed.count);
        let expected = format!("{paid} PAID, {reversed} REVERSED");
        sheet
            .check(
                format!("App of {}: records of that day", way.rider.0),
                expected,
                records(stage, way, day),
            )
            .await;
    }
    for way in &WAYS {
        let held = signed_yuan(tally.day(way.channel).held());
        let expected = format!("gateway {held}, ledger {held}");
        sheet
            .check(format!("what {} holds", way.channel), expected, held_at(stage, way))
            .await;
    }
    sheet
        .check("the books against the invariants", "all hold", invariants(stage))
        .await;
    Ok(())
}

async fn asked(stage: &Stage, algorithm: Algorithm, tally: &Tally) -> Result<Came> {
    let order = tally.paid_order.as_deref().context("no order was paid")?;
    let reply = stage
        .till(algorithm)?
        .call("orderquery", &json!({ "pay_out_trade_no": order }))
        .await?;
    // The client refuses an answer whose signature does not fit, so an answer that is here was verified.
    Ok(Came::words(said(&reply, |reply| {
        format!("{}, answer verified", reply.text("pay_status"))
    })))
}

async fn at_rest(stage: &Stage) -> Result<Came> {
    let deadline = Instant::now() + REST_MAX;
    loop {
        let open = open::count(stage.server.engine()).await?;
        if open == 0 || Instant::now() > deadline {
            return Ok(Came::words(format!("{open} open")));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

async fn bill(stage: &Stage, day: Day) -> Result<Reply> {
    let till = stage.till(Algorithm::HmacSha256)?;
    till.call("bill", &json!({ "date": day.to_string() })).await
}

async fn billed(stage: &Stage, way: &Way, day: Day) -> Result<Came> {
    let reply = bill(stage, day).await?;
    let lines = reply.body["data"]["bill_infos"].as_array();
    let line = lines.and_then(|lines| lines.iter().find(|line| line["pay_type"] == way.pay_type));
    let Some(line) = line else {
        return Ok(Came::words(said(&reply, |_| "not on the bill".to_owned())));
    };
    let part = |name: &str, count: &str, amount: &str| {
        let number = |field: &str| line[field].as_u64().unwrap_or(0);
        format!("{name} {}: {}", number(count), yuan(number(amount)))
    };
    let parts = [
        part("paid", "total_count", "total_amount"),
        part("reversed", "reverse_count", "reverse_amount"),
        part("refunded", "refund_count", "refund_amount"),
    ];
    Ok(Came::words(parts.join(", ")))
}

/// The rider looks at yesterday, with a token of today.
async fn records(stage: &Stage, way: &Way, day: Day) -> Result<Came> {
    let app = stage.app(way.rider.0, way.rider.1)?;
    let list = app.get(&format!("records?from={day}&to={day}")).await?;
    let records = list.body["data"]["records"].as_array().cloned().unwrap_or_default();
    let count = |status: &str| records.iter().filter(|record| record["status"] == status).count();
    let (paid, reversed) = (count("PAID"), count("REVERSED"));
    let others = records.len() - paid - reversed;
    let others = if others == 0 {
        String::new()
    } else {
        format!(", {others} others")
    };
    Ok(Came::words(said(&list, |_| {
        format!("{paid} PAID, {reversed} REVERSED{others}")
    })))
}

/// A channel's balance by the gateway's own books, and by our ledger.
async fn held_at(stage: &Stage, way: &Way) -> Result<Came> {
    let mut gateway: i128 = 0;
    for movement in stage
        .control
        .books()
        .await?
        .iter()
        .filter(|movement| movement["gateway"] == way.channel)
    {
        gateway += signed(movement)?;
    }
    let account = format!("clearing:{}-{}", stage.mch_id(), way.channel);
    let balances = balance::all(stage.server.engine()).await?;
    let ledger = i128::from(balances.get(&account).copied().unwrap_or(0));
    let words = format!("gateway {}, ledger {}", signed_yuan(gateway), signed_yuan(ledger));
    Ok(Came::words(words))
}

fn signed(movement: &Value) -> Result<i128> {
    let amount = i128::from(
        movement["amount_fen"]
            .as_u64()
            .context("a movement without an amount")?,
    );
    Ok(if movement["kind"] == "debit" { amount } else { -amount })
}

async fn invariants(stage: &Stage) -> Result<Came> {
    seal::seal(stage.server.engine()).await?;
    let findings = verify::verify(&stage.server.engine().db).await?;
    let mut breaches = Vec::new();
    let mut checked: u64 = 0;
    for finding in &findings {
        checked = checked.saturating_add(finding.checked);
        let shown = finding.breaches.iter().take(BREACHES_SHOWN);
        breaches.extend(shown.map(|breach| format!("{}: {breach}", finding.invariant.id())));
    }
    let words = if breaches.is_empty() {
        "all hold".to_owned()
    } else {
        breaches.join("; ")
    };
    Ok(Came::words(words).note(format!("{} invariants, {checked} checks", findings.len())))
}
