//! Queries tell the truth, and "no such order" is not said of an order that is there, nor taken from an error.

use std::time::Duration;

use anyhow::Result;
use metropay_core::channel::{Outcome, RefundStanding, Standing};

use super::property;
use crate::fault::{Act, Fault};
use crate::report::Findings;
use crate::stage::bench::{Bench, until, until_later};
use crate::stage::lane::{Lane, payment};
use crate::suite::Property;

pub(super) const PROPERTIES: &[Property] = &[
    property!(
        "query.paid",
        Now,
        ["C2", "C6"],
        "a payment that was made is told with its amount, and always the same",
        paid
    ),
    property!(
        "query.absent",
        Later,
        ["C3"],
        "an order that never was is Absent, and a refund that never was is Absent",
        absent
    ),
    property!(
        "query.not-paid",
        Now,
        ["C3"],
        "an order that failed finally is NotPaid, and its books are empty",
        not_paid
    ),
    property!(
        "query.pending",
        Now,
        ["C3"],
        "an order in progress is Pending until it is paid, and is never refused meanwhile",
        pending
    ),
    property!(
        "query.late-failure",
        Now,
        ["C3"],
        "an order that fails after it was accepted is never told as paid",
        late_failure
    ),
    property!(
        "query.blind",
        Now,
        ["C3"],
        "a query that finds nothing says Absent at most, and the next tells the truth",
        blind
    ),
];

async fn paid(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let amount = bench.amount()?;
    let payment = lane.paid(bench, amount).await?;
    let first = lane.channel.query_payment(&payment).await;
    let right = matches!(&first, Ok(Standing::Paid(paid))
        if paid.amount == amount && paid.coupon <= amount && Some(&paid.channel_no) == payment.channel_no.as_ref());
    found.must(right, || format!("{first:?}"));
    let mut without_number = payment.clone();
    without_number.channel_no = None;
    for question in [&payment, &without_number] {
        let again = lane.channel.query_payment(question).await;
        found.must(again == first, || format!("first {first:?}, then {again:?}"));
    }
    let mut other_amount = payment.clone();
    other_amount.amount = bench.amount()?;
    let said = lane.channel.query_payment(&other_amount).await;
    found.must(said.is_err() || other_amount.amount == amount, || {
        format!("asked about {} of an order of {amount}: {said:?}", other_amount.amount)
    });
    let refund = lane.refunded(bench, &payment, amount).await?;
    let after = lane.channel.query_payment(&payment).await;
    found.must(matches!(after, Ok(Standing::Paid(_))), || {
        format!("a payment that was refunded wholly was paid all the same: {after:?}")
    });
    let told = lane.channel.query_refund(&refund).await;
    found.must(
        matches!(&told, Ok(RefundStanding::Refunded(refunded)) if refunded.amount == amount),
        || format!("{told:?}"),
    );
    Ok(())
}

async fn absent(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let never = payment(&Lane::deduction(bench, &bench.contract().await?, bench.amount()?));
    let standing = lane.channel.query_payment(&never).await;
    found.must(standing == Ok(Standing::Absent), || format!("{standing:?}"));
    let paid = lane.paid(bench, bench.amount()?).await?;
    let refund = Lane::refund_of(bench, &paid, paid.amount);
    // Some channels tell nothing about a refund in its first moments.
    let standing = until_later(bench, "a refund that never was to be told", async || {
        let standing = lane.channel.query_refund(&refund).await.ok();
        Ok(standing.filter(|standing| *standing != RefundStanding::Pending))
    });
    let standing = standing.await?;
    found.must(standing == RefundStanding::Absent, || format!("{standing:?}"));
    Ok(())
}

/// A deduction with this fault, or `None` where the gateway cannot play it.
async fn deducted(
    bench: &Bench,
    found: &Findings,
    lane: &Lane,
    fault: Fault,
) -> Result<Option<metropay_core::channel::DeductQuestion>> {
    if !bench.gateway.plays(Act::Deduct, &fault) {
        found.not_played(format!("{fault} in a {}", Act::Deduct));
        return Ok(None);
    }
    let question = Lane::deduction(bench, &bench.contract().await?, bench.amount()?);
    bench.gateway.play(Act::Deduct, question.no.as_str(), &fault).await?;
    let said = lane.channel.deduct(&question).await;
    let in_progress = matches!(fault, Fault::Pending(_));
    let right = match &said {
        Ok(Outcome::Done(_)) => false,
        Ok(Outcome::Refused(_)) => !in_progress,
        Ok(Outcome::Pending) | Err(_) => true,
    };
    found.must(right, || format!("a deduction with {fault}: {said:?}"));
    Ok(Some(question))
}

async fn not_paid(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let Some(question) = deducted(bench, found, &lane, Fault::Refuse).await? else {
        return Ok(());
    };
    let standing = until("a refused order to be told", async || {
        let standing = lane.channel.query_payment(&payment(&question)).await.ok();
        Ok(standing.filter(|standing| *standing != Standing::Pending))
    });
    let standing = standing.await?;
    // Some channels keep a refused order, some do not.
    found.must(matches!(standing, Standing::NotPaid(_) | Standing::Absent), || {
        format!("{standing:?}")
    });
    let sums = bench.sums(question.no.as_str()).await?;
    found.must(sums.debits == 0, || format!("{sums:?}"));
    Ok(())
}

async fn pending(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let fault = Fault::Pending(Duration::from_secs(3));
    let Some(question) = deducted(bench, found, &lane, fault).await? else {
        return Ok(());
    };
    let (mut pending, payment) = (0, payment(&question));
    let paid = until("an order in progress to be paid", async || {
        match lane.channel.query_payment(&payment).await {
            Ok(Standing::Paid(paid)) => return Ok(Some(paid)),
            Ok(Standing::Pending) => pending += 1,
            other => {
                if bench.sums(payment.no.as_str()).await?.debits == 0 {
                    found.must(false, || format!("an order in progress is told as {other:?}"));
                }
            }
        }
        Ok(None)
    });
    let paid = paid.await?;
    found.must(paid.amount == question.amount, || format!("{paid:?}"));
    found.must(pending > 0, || "it was never told as pending".to_owned());
    Ok(())
}

async fn late_failure(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let fault = Fault::FailLater(Duration::from_millis(300));
    let Some(question) = deducted(bench, found, &lane, fault).await? else {
        return Ok(());
    };
    let standing = until("an order to fail", async || {
        let standing = lane.channel.query_payment(&payment(&question)).await.ok();
        Ok(standing.filter(|standing| *standing != Standing::Pending))
    });
    let standing = standing.await?;
    found.must(matches!(standing, Standing::NotPaid(_) | Standing::Absent), || {
        format!("{standing:?}")
    });
    Ok(())
}

async fn blind(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let payment = lane.paid(bench, bench.amount()?).await?;
    if bench.gateway.plays(Act::Query, &Fault::Blind) {
        bench
            .gateway
            .play(Act::Query, payment.no.as_str(), &Fault::Blind)
            .await?;
        let said = lane.channel.query_payment(&payment).await;
        let paid = matches!(said, Ok(Standing::Paid(_)));
        found.must(said.is_err() || paid || said == Ok(Standing::Absent), || {
            format!("{said:?}")
        });
        let then = lane.channel.query_payment(&payment).await;
        found.must(matches!(then, Ok(Standing::Paid(_))), || format!("{then:?}"));
    } else {
        found.not_played(format!("{} in a {}", Fault::Blind, Act::Query));
    }
    if bench.gateway.plays(Act::QueryRefund, &Fault::Blind) {
        let refund = lane.refunded(bench, &payment, payment.amount).await?;
        bench
            .gateway
            .play(Act::QueryRefund, refund.no.as_str(), &Fault::Blind)
            .await?;
        let said = lane.channel.query_refund(&refund).await;
        let done = matches!(said, Ok(RefundStanding::Refunded(_)));
        let careful = matches!(said, Err(_) | Ok(RefundStanding::Absent | RefundStanding::Pending));
        found.must(done || careful, || format!("{said:?}"));
    } else {
        found.not_played(format!("{} in a {}", Fault::Blind, Act::QueryRefund));
    }
    Ok(())
}
