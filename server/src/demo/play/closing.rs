//! The day is over: its bill, the riders' records, the gateways' books against ours, and the invariants.

use std::time::Duration;

use anyhow::{Context, Result};
use metropay_core::audit::{alarm, open, verify};
use metropay_core::clock::Day;
use metropay_core::ledger::{balance, seal};
use metropay_core::signing::Algorithm;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::scene::{WAYS, Way, refusal, said};
use super::sheet::{Came, Sheet, Stopped};
use super::stage::Stage;
use super::tally::{self, Sum, Tally, signed_yuan};
use crate::demo::client::Reply;

/// How long the platform may take to come to rest.
const REST_MAX: Duration = Duration::from_secs(20);
/// Breaches of an invariant that are shown.
const BREACHES_SHOWN: usize = 3;

/// Plays it.
pub(super) async fn play(stage: &mut Stage, sheet: &mut Sheet, tally: &Tally) -> Result<(), Stopped> {
    let day = stage.now().day();
    sheet.chapter("signatures");
    for algorithm in Algorithm::ALL {
        let what = format!("till: query, signed {algorithm}");
        sheet
            .check(what, "PS_SUCCESS, answer verified", asked(stage, algorithm, tally))
            .await;
    }
    sheet.chapter("midnight");
    sheet
        .check("platform: nothing is left open", "0 open", at_rest(stage))
        .await;
    let early = async { Ok(Came::words(refusal(&bill(stage, day).await?))) };
    sheet
        .check("till: the bill, before midnight", "422 BILL_NOT_READY", early)
        .await;
    let passed = async {
        let now = stage.pass_midnight(day).await?;
        Ok(Came::words("a new day").note(now.text()))
    };
    sheet.play("clocks: moved past midnight", "a new day", passed).await?;
    sheet.chapter("the day that is over");
    told(stage, sheet, tally, day).await;
    sheet.chapter("the channels' own bills");
    for way in &WAYS {
        let done = tally.day(way.channel);
        let expected = format!("paid {}, back {}", done.paid, done.back());
        let what = format!("operator: the bill of {}", way.channel);
        sheet.check(what, expected, channel_bill(stage, way, day)).await;
    }
    sheet.chapter("the books");
    compared(stage, sheet, tally).await;
    Ok(())
}

/// What merchant and riders are told of the day.
async fn told(stage: &Stage, sheet: &mut Sheet, tally: &Tally, day: Day) {
    for way in &WAYS {
        let what = format!("bill {}: paid, undone, back", way.pay_type);
        let expected = tally.day(way.channel).to_string();
        sheet.check(what, expected, billed(stage, way, day)).await;
    }
    for way in &WAYS {
        let done = tally.day(way.channel);
        let (reversed, all) = (done.reversed.count, tally.recorded(way.channel));
        let expected = format!("{} PAID, {reversed} REVERSED", all.saturating_sub(reversed));
        let what = format!("App: records of {}, that day", way.rider.0);
        sheet.check(what, expected, records(stage, way, day)).await;
    }
}

/// The gateways' books against ours, and ours against the invariants.
async fn compared(stage: &Stage, sheet: &mut Sheet, tally: &Tally) {
    for way in &WAYS {
        let done = tally.day(way.channel);
        let held = signed_yuan(done.held());
        let expected = format!("{held} in {} moves, ledger {held}", done.movements());
        let what = format!("gateway: what {} holds", way.channel);
        sheet.check(what, expected, held_at(stage, way)).await;
    }
    sheet
        .check("platform: books, all invariants", "hold", invariants(stage))
        .await;
    sheet.check("platform: alarms", "none", alarms(stage)).await;
}

async fn asked(stage: &Stage, algorithm: Algorithm, tally: &Tally) -> Result<Came> {
    let order = tally.paid_order.as_deref().context("no order was paid")?;
    let key = json!({ "pay_out_trade_no": order });
    let reply = stage.till(algorithm)?.call("orderquery", &key).await?;
    // The client refuses an answer whose signature does not fit, so an answer that is here was verified.
    Ok(Came::words(said(&reply, |reply| {
        format!("{}, answer verified", reply.text("pay_status"))
    })))
}

async fn at_rest(stage: &Stage) -> Result<Came> {
    let deadline = Instant::now() + REST_MAX;
    loop {
        let open = open::count(&stage.engine).await?;
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
    let mut lines = reply.body["data"]["bill_infos"].as_array().into_iter().flatten();
    let Some(line) = lines.find(|line| line["pay_type"] == way.pay_type) else {
        return Ok(Came::words(said(&reply, |_| "not on the bill".to_owned())));
    };
    let sum = |count: &str, fen: &str| Sum {
        count: line[count].as_u64().unwrap_or(0),
        fen: line[fen].as_u64().unwrap_or(0),
    };
    let day = tally::Day {
        paid: sum("total_count", "total_amount"),
        reversed: sum("reverse_count", "reverse_amount"),
        refunded: sum("refund_count", "refund_amount"),
    };
    Ok(Came::words(day.to_string()))
}

/// What the channel's own bill says, downloaded and read by the platform.
async fn channel_bill(stage: &Stage, way: &Way, day: Day) -> Result<Came> {
    let mut told = None;
    // Any node may be asked, and one may be gone.
    for operators in &stage.operators {
        let url = format!("{operators}/channels/{}-{}/bill/{day}", stage.mch_id(), way.channel);
        told = told.or(crate::demo::client::get(&url).await.ok());
    }
    let told = told.context("no node answers its operators")?;
    let sum = |name: &str| Sum {
        count: told[name]["count"].as_u64().unwrap_or(0),
        fen: told[name]["amount"].as_u64().unwrap_or(0),
    };
    Ok(Came::words(match told["code"].as_str() {
        Some(code) => code.to_owned(),
        None => format!("paid {}, back {}", sum("paid"), sum("back")),
    })
    .note(format!(
        "fees {} fen",
        told["fee_milli_fen"].as_i64().unwrap_or(0) / 1_000
    )))
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
    let books = stage.control.books().await?;
    let movements: Vec<&Value> = books
        .iter()
        .filter(|movement| movement["gateway"] == way.channel)
        .collect();
    let mut gateway: i128 = 0;
    for movement in &movements {
        gateway += signed(movement)?;
    }
    let account = format!("clearing:{}-{}", stage.mch_id(), way.channel);
    let balances = balance::all(&stage.engine).await?;
    let ledger = i128::from(balances.get(&account).copied().unwrap_or(0));
    let (gateway, ledger) = (signed_yuan(gateway), signed_yuan(ledger));
    let words = format!("{gateway} in {} moves, ledger {ledger}", movements.len());
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
    seal::seal(&stage.engine).await?;
    let findings = verify::verify(&stage.engine.db, &*stage.engine.rules).await?;
    let mut breaches = Vec::new();
    let mut checked: u64 = 0;
    for finding in &findings {
        checked = checked.saturating_add(finding.checked);
        let shown = finding.breaches.iter().take(BREACHES_SHOWN);
        breaches.extend(shown.map(|breach| format!("{}: {breach}", finding.invariant.id())));
    }
    let words = if breaches.is_empty() {
        "hold".to_owned()
    } else {
        breaches.join("; ")
    };
    Ok(Came::words(words).note(format!("{} invariants, {checked} checks", findings.len())))
}

/// Alarms are raised where the books and a channel contradict each other.
async fn alarms(stage: &Stage) -> Result<Came> {
    let alarms = alarm::all(&stage.engine).await?;
    let told: Vec<String> = alarms
        .iter()
        .map(|alarm| format!("{} about {}: {}", alarm.kind, alarm.subject, alarm.text))
        .collect();
    Ok(Came::words(match told.is_empty() {
        true => "none".to_owned(),
        false => told.join("; "),
    }))
}
