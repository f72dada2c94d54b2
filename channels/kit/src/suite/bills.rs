//! Bills: their rows are what happened, and what is wrong with a file or a row shows.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use metropay_core::channel::{BillError, BillRow, BillRowKind, BillRowState, Outcome, PaymentRef};
use metropay_core::clock::{Clock, Day};
use metropay_core::money::Fen;
use serde_json::Value;

use super::property;
use crate::fault::BillFault;
use crate::gateway::Way;
use crate::report::Findings;
use crate::stage::bench::{Bench, fen, until_later};
use crate::stage::lane::Lane;
use crate::suite::Property;

pub(super) const PROPERTIES: &[Property] = &[
    property!(
        "bill.rows",
        NextDay,
        ["B4"],
        "a day's rows are what moved on it: payments, refunds and what was undone, each with its amount",
        rows
    ),
    property!(
        "bill.empty",
        NextDay,
        ["B3"],
        "a day without movements is a bill without rows; a day that is not over has no bill",
        empty
    ),
    property!(
        "bill.cut-off",
        NextDay,
        ["B1"],
        "a file that was cut off is unreadable, not short",
        cut_off
    ),
    property!(
        "bill.planted",
        NextDay,
        ["B1"],
        "every planted difference shows in the rows, and nothing else does",
        planted
    ),
    property!(
        "bill.long",
        NextDay,
        ["B2"],
        "a long bill is read row by row, and not held in memory",
        long
    ),
];

/// An account with a day behind it: two payments, a partial refund, and one payment that was undone.
struct Past {
    config: Value,
    lane: Lane,
    day: Day,
    payments: Vec<PaymentRef>,
    refund_no: String,
}

async fn missing(bench: &Bench, found: &Findings) -> Result<bool> {
    let lane = bench.lane().await?;
    if lane.channel.bills().is_none() {
        found.skip("this channel hands out no bills");
        return Ok(true);
    }
    Ok(false)
}

/// Opens an account and lets things happen on it; it is the next noon when it is done.
async fn past(bench: &Bench) -> Result<Past> {
    let slot = bench.mailbox.slot();
    let config = bench.gateway.open_account(&bench.mailbox.url(slot)).await?;
    let lane = Lane::new(bench, &config).await?;
    let contract = lane.signed(bench).await?;
    let day = bench.clock.now().day();
    let mut payments = Vec::new();
    for amount in [1_234, 560, 7] {
        payments.push(lane.paid_on(bench, &contract, fen(amount)?).await?);
    }
    let refunded = payments.first().context("three payments")?;
    let refund = lane.refunded(bench, refunded, fen(200)?).await?;
    let undone = payments.last().context("three payments")?;
    let question = Lane::reversal_of(bench, undone);
    until_later(bench, "a reversal to end", async || {
        Ok(match lane.channel.reverse(&question).await {
            Ok(Outcome::Done(_)) => Some(()),
            Ok(Outcome::Refused(why)) => bail!("a reversal of today's payment was refused: {why:?}"),
            Ok(Outcome::Pending) | Err(_) => None,
        })
    })
    .await?;
    if bench.clock.now().day() != day {
        bail!("the day ended while it was filled");
    }
    Ok(Past {
        config,
        lane,
        day,
        payments,
        refund_no: refund.no.0,
    })
}

/// What a reader has of a bill: its rows, or why there are none.
type Bill = std::result::Result<Vec<BillRow>, BillError>;

async fn read(lane: &Lane, day: Day) -> Bill {
    let Some(bills) = lane.channel.bills() else {
        return Ok(Vec::new());
    };
    let mut rows = bills.trades(day).await?;
    let mut all = Vec::new();
    while let Some(row) = rows.next().await {
        all.push(row?);
    }
    Ok(all)
}

/// Waits until the bill is made.
async fn made(bench: &Bench, lane: &Lane, day: Day) -> Result<Bill> {
    let next = day.end().plus(Duration::from_secs(12 * 3_600));
    let now = bench.clock.now();
    bench.pass(next.since(now)).await?;
    for _ in 0..24 {
        match read(lane, day).await {
            Err(BillError::NotReady) => bench.pass(Duration::from_secs(3_600)).await?,
            bill => return Ok(bill),
        }
    }
    bail!("the bill was not made within a day and a half")
}

/// Rows as what is compared: which movement of which payment, and how much.
fn keys(rows: &[BillRow]) -> BTreeMap<(bool, String, u64), u32> {
    let mut keys = BTreeMap::new();
    for row in rows.iter().filter(|row| row.state == BillRowState::Done) {
        let key = (
            row.kind == BillRowKind::Payment,
            row.payment_no.clone(),
            row.amount.get(),
        );
        let count: &mut u32 = keys.entry(key).or_default();
        *count = count.saturating_add(1);
    }
    keys
}

/// The same of the gateway's own books.
async fn books(bench: &Bench, past: &Past) -> Result<BTreeMap<(bool, String, u64), u32>> {
    let mut keys = BTreeMap::new();
    for payment in &past.payments {
        for entry in bench.entries(payment.no.as_str()).await? {
            let key = (entry.way == Way::Paid, entry.payment_no, entry.amount.get());
            let count: &mut u32 = keys.entry(key).or_default();
            *count = count.saturating_add(1);
        }
    }
    Ok(keys)
}

async fn rows(bench: &Bench, found: &Findings) -> Result<()> {
    if missing(bench, found).await? {
        return Ok(());
    }
    let past = past(bench).await?;
    let bill = made(bench, &past.lane, past.day).await?;
    let rows = bill.context("the bill cannot be read")?;
    let books = books(bench, &past).await?;
    let told = keys(&rows);
    found.must(told == books, || {
        format!("the bill tells {told:?}, the books {books:?}")
    });
    for row in &rows {
        found.must(row.coupon <= row.amount, || format!("{row:?}"));
        found.must(row.at.day() == past.day, || format!("not of {}: {row:?}", past.day));
        let channel_no = past
            .payments
            .iter()
            .find(|payment| payment.no.as_str() == row.payment_no)
            .and_then(|payment| payment.channel_no.clone());
        found.must(channel_no.as_ref() == Some(&row.channel_no), || {
            format!("the payment's channel number is {channel_no:?}: {row:?}")
        });
        let own = row.kind != BillRowKind::Payment || row.no.as_ref().is_none_or(|no| *no == row.payment_no);
        found.must(own, || format!("{row:?}"));
    }
    Ok(())
}

async fn empty(bench: &Bench, found: &Findings) -> Result<()> {
    if missing(bench, found).await? {
        return Ok(());
    }
    let slot = bench.mailbox.slot();
    let config = bench.gateway.open_account(&bench.mailbox.url(slot)).await?;
    let lane = Lane::new(bench, &config).await?;
    let today = bench.clock.now().day();
    let early = read(&lane, today).await;
    found.must(early.is_err(), || {
        format!("the bill of a day that is not over: {early:?}")
    });
    let bill = made(bench, &lane, today).await?;
    found.must(bill.as_ref().is_ok_and(Vec::is_empty), || {
        format!("the bill of an idle day: {bill:?}")
    });
    // Some channels tell "not made yet" apart from "nothing happened" by the hour alone: the next day's is asked for at noon.
    let next = bench.clock.now().day();
    let noon = next.end().plus(Duration::from_secs(12 * 3_600));
    bench.pass(noon.since(bench.clock.now())).await?;
    if bench.gateway.plant(&config, &BillFault::NotReady).await? {
        let bill = read(&lane, next).await;
        found.must(bill == Err(BillError::NotReady), || {
            format!("a bill that is not made: {bill:?}")
        });
    } else {
        found.not_played(format!("a bill that is {}", BillFault::NotReady));
    }
    Ok(())
}

async fn cut_off(bench: &Bench, found: &Findings) -> Result<()> {
    if missing(bench, found).await? {
        return Ok(());
    }
    let past = past(bench).await?;
    if made(bench, &past.lane, past.day).await?.is_err() {
        bail!("the bill cannot be read");
    }
    if !bench.gateway.plant(&past.config, &BillFault::CutOff).await? {
        found.not_played(format!("a bill that is {}", BillFault::CutOff));
        return Ok(());
    }
    let bill = read(&past.lane, past.day).await;
    let right = matches!(bill, Err(BillError::Unreadable(_) | BillError::Call(_)));
    found.must(right, || format!("{bill:?}"));
    Ok(())
}

/// What the rows must be like with this difference.
fn shows(fault: &BillFault, usual: &[BillRow], rows: &[BillRow]) -> bool {
    let of = |rows: &[BillRow], no: &str| -> Vec<BillRow> {
        let is_it = |row: &&BillRow| row.no.as_deref() == Some(no) || (row.no.is_none() && row.payment_no == no);
        rows.iter().filter(is_it).cloned().collect()
    };
    let rest = |rows: &[BillRow], no: &str| {
        keys(
            &rows
                .iter()
                .filter(|row| row.no.as_deref() != Some(no))
                .cloned()
                .collect::<Vec<_>>(),
        )
    };
    match fault {
        BillFault::Doubled => rows.len() == usual.len().saturating_mul(2),
        BillFault::Missing(no) => of(rows, no).is_empty() && rows.len().saturating_add(1) == usual.len(),
        BillFault::Extra(no, amount) => {
            let extra = of(rows, no);
            matches!(&extra[..], [row] if row.amount == *amount) && rest(rows, no) == keys(usual)
        }
        BillFault::Amount(no, amount) => {
            let other = of(rows, no);
            matches!(&other[..], [row] if row.amount == *amount) && rest(rows, no) == rest(usual, no)
        }
        BillFault::Fee(no, fee) => {
            let milli = i64::try_from(fee.get()).unwrap_or(i64::MAX).saturating_mul(1_000);
            let told = of(rows, no);
            matches!(&told[..], [row] if row.fee_milli_fen == milli)
        }
        BillFault::State(no) => {
            let (was, is) = (of(usual, no), of(rows, no));
            let changed = is.first().map(|row| row.state) != was.first().map(|row| row.state);
            let kinds = is.first().map(|row| row.kind) != was.first().map(|row| row.kind);
            changed || kinds
        }
        BillFault::NotReady | BillFault::CutOff => false,
    }
}

async fn planted(bench: &Bench, found: &Findings) -> Result<()> {
    if missing(bench, found).await? {
        return Ok(());
    }
    let past = past(bench).await?;
    let usual = made(bench, &past.lane, past.day)
        .await?
        .context("the bill cannot be read")?;
    let paid = past.payments.get(1).context("three payments")?.no.0.clone();
    let odd: Fen = fen(4_321)?;
    let faults = [
        BillFault::Doubled,
        BillFault::Missing(paid.clone()),
        BillFault::Extra("MADEUP20260101000000000000000001".to_owned(), odd),
        BillFault::Amount(paid.clone(), odd),
        BillFault::Amount(past.refund_no.clone(), odd),
        BillFault::Fee(paid.clone(), fen(33)?),
        BillFault::State(paid),
    ];
    for fault in faults {
        if !bench.gateway.plant(&past.config, &fault).await? {
            found.not_played(format!("a bill with {fault}"));
            continue;
        }
        match read(&past.lane, past.day).await {
            Ok(rows) => found.must(shows(&fault, &usual, &rows), || format!("{fault}: {rows:?}")),
            // A file that contradicts its own totals is none.
            Err(BillError::Unreadable(_)) => found.must(true, String::new),
            Err(error) => found.must(false, || format!("{fault}: {error}")),
        }
    }
    Ok(())
}

/// How many rows a long bill has.
const LONG: u32 = 150_000;
/// By how much the process may grow while it is read, in KiB. The file has some fifteen million bytes, its rows held in
/// memory would be some sixty.
const GROWTH_MAX_KIB: u64 = 24_000;

/// What the process has in memory, in KiB, where the system tells.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

async fn long(bench: &Bench, found: &Findings) -> Result<()> {
    if missing(bench, found).await? {
        return Ok(());
    }
    let slot = bench.mailbox.slot();
    let config = bench.gateway.open_account(&bench.mailbox.url(slot)).await?;
    if !bench.gateway.fill_books(&config, LONG).await? {
        found.not_played(format!("a bill of {LONG} rows"));
        found.skip("the gateway makes no long bills");
        return Ok(());
    }
    let day = bench.clock.now().day();
    let channel = bench.build(config, bench.mailbox.url(slot))?;
    let Some(bills) = channel.bills() else { return Ok(()) };
    bench
        .pass(day.end().plus(Duration::from_secs(36 * 3_600)).since(bench.clock.now()))
        .await?;
    let before = resident_kib();
    let mut rows = bills.trades(day).await.context("the long bill")?;
    let (mut count, mut most) = (0_u32, before);
    while let Some(row) = rows.next().await {
        row.context("a row of the long bill")?;
        count = count.saturating_add(1);
        if count.is_multiple_of(5_000) {
            most = most.max(resident_kib());
        }
    }
    found.must(count == LONG, || format!("{count} rows of {LONG}"));
    if let (Some(before), Some(most)) = (before, most) {
        let growth = most.saturating_sub(before);
        found.must(growth <= GROWTH_MAX_KIB, || {
            format!("the process grew by {growth} KiB while {LONG} rows were read")
        });
    }
    Ok(())
}
