//! Reversals: whatever the state of the payment, whoever asks, however often: in the end nothing stays paid.

use std::time::Duration;

use anyhow::Result;
use metropay_core::channel::{Channel, Outcome, ReverseQuestion, Reversed, Standing};

use super::{each, property};
use crate::fault::{Act, Fault};
use crate::report::Findings;
use crate::stage::bench::{Bench, Sums, fen, until_later};
use crate::stage::deed::Deed;
use crate::stage::lane::{Lane, payment};
use crate::stage::wire::Break;
use crate::suite::Property;

pub(super) const PROPERTIES: &[Property] = &[
    property!(
        "reverse.paid",
        Later,
        ["C7"],
        "a payment that was made goes back wholly, once, however often it is asked for",
        paid
    ),
    property!(
        "reverse.never-sent",
        Later,
        ["C7"],
        "an order that never reached the channel ends as never paid",
        never_sent
    ),
    property!(
        "reverse.during",
        Later,
        ["C7"],
        "an order in progress is closed or, once paid, given back",
        during
    ),
    property!(
        "reverse.failed",
        Later,
        ["C7"],
        "an order that failed ends as never paid",
        failed
    ),
    property!(
        "reverse.broken",
        Later,
        ["C5", "C7"],
        "a reversal broken at any request is ended by an adapter that knows nothing of the first try: once back",
        broken
    ),
    property!(
        "reverse.after-refund",
        Later,
        ["C7"],
        "after a partial refund no more goes back than was left",
        after_refund
    ),
];

/// Asks until the reversal has ended.
async fn ended(bench: &Bench, channel: &dyn Channel, question: &ReverseQuestion) -> Result<Outcome<Reversed>> {
    until_later(bench, "a reversal to end", async || {
        Ok(match channel.reverse(question).await {
            Ok(Outcome::Pending) => None,
            Ok(ended) => Some(ended),
            Err(error) => {
                bench.hear(&error);
                None
            }
        })
    })
    .await
}

fn is_money_back(outcome: &Outcome<Reversed>) -> bool {
    matches!(outcome, Outcome::Done(Reversed::MoneyBack { .. }))
}

async fn paid(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let amount = bench.amount()?;
    let payment = lane.paid(bench, amount).await?;
    let mut unknown = payment.clone();
    unknown.channel_no = None;
    for payment in [payment, unknown] {
        // The second time it is another payment, of which only the number is known, as after a lost answer.
        let payment = if payment.channel_no.is_none() {
            let mut again = lane.paid(bench, amount).await?;
            again.channel_no = None;
            again
        } else {
            payment
        };
        let question = Lane::reversal_of(bench, &payment);
        let first = ended(bench, lane.channel.as_ref(), &question).await?;
        found.must(is_money_back(&first), || format!("{first:?}"));
        if let Outcome::Done(Reversed::MoneyBack { paid: Some(paid), .. }) = &first {
            found.must(paid.amount == amount, || {
                format!("the payment that was undone is told as {paid:?}")
            });
        }
        let again = ended(bench, lane.channel.as_ref(), &question).await?;
        found.must(is_money_back(&again), || {
            format!("asked again after it was done: {again:?}")
        });
        let sums = bench.sums(payment.no.as_str()).await?;
        found.must(Sums::once(amount, amount.get())(&sums) && sums.returns == 1, || {
            format!("{sums:?}")
        });
    }
    Ok(())
}

async fn never_sent(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let deduction = Lane::deduction(bench, &bench.contract().await?, bench.amount()?);
    let question = Lane::reversal_of(bench, &payment(&deduction));
    let first = lane.channel.reverse(&question).await;
    found.must(!matches!(&first, Ok(Outcome::Refused(_))), || format!("{first:?}"));
    let end = ended(bench, lane.channel.as_ref(), &question).await?;
    found.must(end == Outcome::Done(Reversed::NeverPaid), || format!("{end:?}"));
    let sums = bench.sums(deduction.no.as_str()).await?;
    found.must(sums == Sums::default(), || format!("{sums:?}"));
    Ok(())
}

async fn during(bench: &Bench, found: &Findings) -> Result<()> {
    for (wait_ms, hides) in [(600, false), (600_000, true)] {
        let fault = Fault::Pending(Duration::from_millis(wait_ms));
        if !bench.gateway.plays(Act::Deduct, &fault) {
            found.not_played(format!("{fault} in a {}", Act::Deduct));
            return Ok(());
        }
        let lane = bench.lane().await?;
        let deduction = Lane::deduction(bench, &bench.contract().await?, bench.amount()?);
        bench.gateway.play(Act::Deduct, deduction.no.as_str(), &fault).await?;
        let said = lane.channel.deduct(&deduction).await;
        found.must(!matches!(said, Ok(Outcome::Done(_) | Outcome::Refused(_))), || {
            format!("an order in progress: {said:?}")
        });
        let question = Lane::reversal_of(bench, &payment(&deduction));
        let end = ended(bench, lane.channel.as_ref(), &question).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let sums = bench.sums(deduction.no.as_str()).await?;
        let right = match &end {
            Outcome::Done(Reversed::NeverPaid) => sums == Sums::default(),
            Outcome::Done(Reversed::MoneyBack { .. }) => Sums::once(deduction.amount, deduction.amount.get())(&sums),
            Outcome::Refused(_) | Outcome::Pending => false,
        };
        found.must(right, || {
            format!("an order in progress (for ever: {hides}) ended as {end:?}, and the books tell {sums:?}")
        });
    }
    Ok(())
}

async fn failed(bench: &Bench, found: &Findings) -> Result<()> {
    if !bench.gateway.plays(Act::Deduct, &Fault::Refuse) {
        found.not_played(format!("{} in a {}", Fault::Refuse, Act::Deduct));
        return Ok(());
    }
    let lane = bench.lane().await?;
    let deduction = Lane::deduction(bench, &bench.contract().await?, bench.amount()?);
    bench
        .gateway
        .play(Act::Deduct, deduction.no.as_str(), &Fault::Refuse)
        .await?;
    // What it says is another property's.
    let _ = Deed::Deduct(deduction.clone()).ask(bench, lane.channel.as_ref()).await;
    let question = Lane::reversal_of(bench, &payment(&deduction));
    let end = ended(bench, lane.channel.as_ref(), &question).await?;
    found.must(end == Outcome::Done(Reversed::NeverPaid), || format!("{end:?}"));
    Ok(())
}

async fn broken(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let model = Lane::reversal_of(bench, &lane.paid(bench, bench.amount()?).await?);
    lane.wire.mend();
    // What it says is another property's; here its requests are counted.
    let _ = Deed::Reverse(model).ask(bench, lane.channel.as_ref()).await;
    let requests = lane.wire.begun();
    let mut cases = Vec::new();
    for nth in 0..requests {
        cases.extend([Break::ResetBefore, Break::ResetAfter, Break::PageAfter(502)].map(|how| (nth, how)));
    }
    each(bench, cases, async |(nth, how)| {
        let lane = bench.lane().await?;
        let amount = bench.amount()?;
        let payment = lane.paid(bench, amount).await?;
        let question = Lane::reversal_of(bench, &payment);
        lane.wire.breaks(nth, how.clone());
        let first = lane.channel.reverse(&question).await;
        lane.wire.mend();
        let anew = lane.rebuilt(bench)?;
        let end = ended(bench, anew.as_ref(), &question).await?;
        found.must(is_money_back(&end), || {
            format!("request {nth} broken by {how:?}, first {first:?}, then {end:?}")
        });
        let sums = bench.sums(payment.no.as_str()).await?;
        found.must(Sums::once(amount, amount.get())(&sums), || {
            format!("request {nth} broken by {how:?}: {sums:?}")
        });
        Ok(())
    })
    .await
}

async fn after_refund(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let amount = fen(900)?;
    let payment = lane.paid(bench, amount).await?;
    lane.refunded(bench, &payment, fen(300)?).await?;
    let question = Lane::reversal_of(bench, &payment);
    let end = ended(bench, lane.channel.as_ref(), &question).await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let sums = bench.sums(payment.no.as_str()).await?;
    let right = match &end {
        Outcome::Done(Reversed::MoneyBack { .. }) => sums.back == amount.get(),
        Outcome::Refused(_) => sums.back == 300,
        Outcome::Done(Reversed::NeverPaid) | Outcome::Pending => false,
    };
    found.must(right, || {
        format!("after a refund of 300 of 900 a reversal ended as {end:?}, and the books tell {sums:?}")
    });
    let standing = lane.channel.query_payment(&payment).await;
    found.must(!matches!(standing, Ok(Standing::Absent)), || format!("{standing:?}"));
    Ok(())
}
