//! Refunds: by their own number, never more than was paid, and told as they stand.

use std::time::Duration;

use anyhow::Result;
use futures::future::join_all;
use metropay_core::channel::{Outcome, RefundStanding};

use super::{each, property};
use crate::fault::{Act, Fault};
use crate::report::Findings;
use crate::stage::bench::{Bench, Sums, fen, until_later};
use crate::stage::deed::{Deed, Said};
use crate::stage::lane::{Lane, payment};
use crate::stage::wire::Break;
use crate::suite::Property;

pub(super) const PROPERTIES: &[Property] = &[
    property!(
        "refund.parts",
        Now,
        ["C1"],
        "two partial refunds under two numbers give back what they say, together the whole",
        parts
    ),
    property!(
        "refund.over",
        Now,
        ["C2", "C3"],
        "more than is left is not given back, and not said to be",
        over
    ),
    property!(
        "refund.repeated",
        Now,
        ["C1"],
        "the same refund, sent again and at once, gives back once",
        repeated
    ),
    property!(
        "refund.number-taken",
        Now,
        ["C1", "C2", "C6"],
        "the same number with another amount gives nothing back, and is not said to be done",
        number_taken
    ),
    property!(
        "refund.unpaid",
        Now,
        ["C2", "C3"],
        "an order that was never paid gives nothing back",
        unpaid
    ),
    property!(
        "refund.after-break",
        Now,
        ["C1", "C5"],
        "a refund whose answer was lost is sent again under its number: once back, and then known",
        after_break
    ),
    property!(
        "refund.pending",
        Later,
        ["C3"],
        "a refund in progress is Pending until it is done; one that fails is never told as done",
        pending
    ),
];

async fn parts(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let payment = lane.paid(bench, fen(1_000)?).await?;
    let (first, second) = (
        lane.refunded(bench, &payment, fen(301)?).await?,
        lane.refunded(bench, &payment, fen(699)?).await?,
    );
    for refund in [&first, &second] {
        let standing = lane.channel.query_refund(refund).await;
        let right = matches!(&standing, Ok(RefundStanding::Refunded(refunded)) if refunded.amount == refund.amount);
        found.must(right, || format!("{standing:?}"));
    }
    let sums = bench.sums(payment.no.as_str()).await?;
    found.must(Sums::once(payment.amount, 1_000)(&sums) && sums.returns == 2, || {
        format!("{sums:?}")
    });
    Ok(())
}

async fn over(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let payment = lane.paid(bench, fen(900)?).await?;
    lane.refunded(bench, &payment, fen(600)?).await?;
    let question = Lane::refund_of(bench, &payment, fen(301)?);
    let said = lane.channel.refund(&question).await;
    found.must(!matches!(said, Ok(Outcome::Done(_))), || format!("{said:?}"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let standing = lane.channel.query_refund(&question).await;
    found.must(!matches!(standing, Ok(RefundStanding::Refunded(_))), || {
        format!("{standing:?}")
    });
    let sums = bench.sums(payment.no.as_str()).await?;
    found.must(Sums::once(payment.amount, 600)(&sums), || format!("{sums:?}"));
    Ok(())
}

async fn repeated(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let payment = lane.paid(bench, fen(800)?).await?;
    let question = Lane::refund_of(bench, &payment, fen(300)?);
    let said = join_all((0..3).map(|_| lane.channel.refund(&question))).await;
    found.must(!said.iter().any(|said| matches!(said, Ok(Outcome::Refused(_)))), || {
        format!("{said:?}")
    });
    let ended = lane.until_refund_ends(&question).await?;
    found.must(matches!(ended, RefundStanding::Refunded(_)), || format!("{ended:?}"));
    let again = lane.channel.refund(&question).await;
    found.must(!matches!(again, Ok(Outcome::Refused(_))), || {
        format!("the repeat of a refund that was done: {again:?}")
    });
    let sums = bench.sums(payment.no.as_str()).await?;
    found.must(Sums::once(payment.amount, 300)(&sums), || format!("{sums:?}"));
    Ok(())
}

async fn number_taken(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let payment = lane.paid(bench, fen(800)?).await?;
    let mut question = lane.refunded(bench, &payment, fen(300)?).await?;
    question.amount = fen(200)?;
    let said = lane.channel.refund(&question).await;
    found.must(!matches!(said, Ok(Outcome::Done(_))), || format!("{said:?}"));
    let standing = lane.channel.query_refund(&question).await;
    found.must(!matches!(standing, Ok(RefundStanding::Refunded(_))), || {
        format!("asked about 200 of a refund of 300: {standing:?}")
    });
    let sums = bench.sums(payment.no.as_str()).await?;
    found.must(Sums::once(payment.amount, 300)(&sums), || format!("{sums:?}"));
    Ok(())
}

async fn unpaid(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let never = payment(&Lane::deduction(bench, &bench.contract().await?, bench.amount()?));
    let question = Lane::refund_of(bench, &never, never.amount);
    let said = lane.channel.refund(&question).await;
    found.must(!matches!(said, Ok(Outcome::Done(_))), || format!("{said:?}"));
    let sums = bench.sums(never.no.as_str()).await?;
    found.must(sums == Sums::default(), || format!("{sums:?}"));
    Ok(())
}

async fn after_break(bench: &Bench, found: &Findings) -> Result<()> {
    let cases = [Break::ResetBefore, Break::ResetAfter, Break::Garbage].to_vec();
    each(bench, cases, async |how| {
        let lane = bench.lane().await?;
        let payment = lane.paid(bench, fen(700)?).await?;
        let question = Lane::refund_of(bench, &payment, fen(250)?);
        lane.wire.breaks(0, how.clone());
        let first = Deed::Refund(question.clone()).ask(bench, lane.channel.as_ref()).await;
        found.must(matches!(first, Said::MaybeDone(_)), || format!("{how:?}: {first:?}"));
        lane.wire.mend();
        let again = lane.channel.refund(&question).await;
        found.must(!matches!(again, Ok(Outcome::Refused(_))), || {
            format!("sent again after {how:?}: {again:?}")
        });
        let ended = lane.until_refund_ends(&question).await?;
        found.must(matches!(ended, RefundStanding::Refunded(_)), || format!("{ended:?}"));
        let sums = bench.sums(payment.no.as_str()).await?;
        found.must(Sums::once(payment.amount, 250)(&sums), || format!("{how:?}: {sums:?}"));
        Ok(())
    })
    .await
}

async fn pending(bench: &Bench, found: &Findings) -> Result<()> {
    let wait = Duration::from_millis(500);
    for (fault, succeeds) in [(Fault::Pending(wait), true), (Fault::FailLater(wait), false)] {
        if !bench.gateway.plays(Act::Refund, &fault) {
            found.not_played(format!("{fault} in a {}", Act::Refund));
            continue;
        }
        let lane = bench.lane().await?;
        let payment = lane.paid(bench, bench.amount()?).await?;
        let question = Lane::refund_of(bench, &payment, payment.amount);
        bench.gateway.play(Act::Refund, question.no.as_str(), &fault).await?;
        let said = lane.channel.refund(&question).await;
        found.must(matches!(said, Ok(Outcome::Pending) | Err(_)), || {
            format!("a refund with {fault}: {said:?}")
        });
        let standing = lane.channel.query_refund(&question).await;
        let claims = matches!(
            standing,
            Ok(RefundStanding::Refunded(_) | RefundStanding::NotRefunded(_))
        );
        found.must(!claims, || format!("a refund in progress is told as {standing:?}"));
        // Some channels forget a refund that failed.
        let ended = until_later(bench, "a refund to end", async || {
            let standing = lane.channel.query_refund(&question).await.ok();
            let ended = |standing: &RefundStanding| match standing {
                RefundStanding::Refunded(_) | RefundStanding::NotRefunded(_) => true,
                RefundStanding::Absent => !succeeds,
                RefundStanding::Pending => false,
            };
            Ok(standing.filter(ended))
        });
        let ended = ended.await?;
        found.must(matches!(ended, RefundStanding::Refunded(_)) == succeeds, || {
            format!("{fault}: {ended:?}")
        });
        let sums = bench.sums(payment.no.as_str()).await?;
        let back = if succeeds { payment.amount.get() } else { 0 };
        found.must(Sums::once(payment.amount, back)(&sums), || format!("{sums:?}"));
    }
    Ok(())
}
