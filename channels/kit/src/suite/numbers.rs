//! Our number is the key at the channel: the same number is the same movement, however often and however it is sent.

use anyhow::Result;
use futures::future::join_all;
use metropay_core::channel::{Outcome, Standing};

use super::property;
use crate::report::Findings;
use crate::stage::bench::{Bench, Sums, until};
use crate::stage::deed::{Deed, Said};
use crate::stage::lane::{Lane, payment};
use crate::stage::wire::Break;
use crate::suite::Property;

pub(super) const PROPERTIES: &[Property] = &[
    property!(
        "number.sent",
        Now,
        ["C1"],
        "our number is the number of the movement in the gateway's books",
        sent
    ),
    property!(
        "number.repeated",
        Now,
        ["C1"],
        "the same deduction, sent again, is one debit",
        repeated
    ),
    property!(
        "number.concurrent",
        Now,
        ["C1"],
        "the same deduction, sent four times at once, is one debit",
        concurrent
    ),
    property!(
        "number.after-break",
        Now,
        ["C1", "C5"],
        "a deduction whose answer was lost is sent again under its number: one debit, and then known",
        after_break
    ),
    property!(
        "number.two",
        Now,
        ["C1"],
        "two deductions under two numbers are two debits",
        two
    ),
];

async fn sent(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let amount = bench.amount()?;
    let payment = lane.paid(bench, amount).await?;
    let half = crate::stage::bench::fen(amount.get().div_euclid(2))?;
    let refund = lane.refunded(bench, &payment, half).await?;
    let entries = bench.entries(payment.no.as_str()).await?;
    let numbers: Vec<&str> = entries.iter().map(|entry| entry.no.as_str()).collect();
    found.must(numbers == [payment.no.as_str(), refund.no.as_str()], || {
        format!("the books name {numbers:?} for a payment and a refund of it")
    });
    found.must(entries.iter().map(|entry| entry.amount).eq([amount, half]), || {
        format!("the books tell {entries:?}")
    });
    Ok(())
}

async fn repeated(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let question = Lane::deduction(bench, &bench.contract().await?, bench.amount()?);
    for round in 0..3 {
        let said = lane.channel.deduct(&question).await;
        found.must(!matches!(said, Ok(Outcome::Refused(_))), || {
            format!("sending {round} of a good deduction: {said:?}")
        });
        if round == 1 {
            lane.until_paid(&payment(&question)).await?;
        }
    }
    let sums = bench.sums(question.no.as_str()).await?;
    found.must(Sums::once(question.amount, 0)(&sums), || format!("{sums:?}"));
    Ok(())
}

async fn concurrent(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let question = Lane::deduction(bench, &bench.contract().await?, bench.amount()?);
    let said = join_all((0..4).map(|_| lane.channel.deduct(&question))).await;
    found.must(!said.iter().any(|said| matches!(said, Ok(Outcome::Refused(_)))), || {
        format!("{said:?}")
    });
    lane.until_paid(&payment(&question)).await?;
    let sums = bench.sums(question.no.as_str()).await?;
    found.must(Sums::once(question.amount, 0)(&sums), || format!("{sums:?}"));
    Ok(())
}

async fn after_break(bench: &Bench, found: &Findings) -> Result<()> {
    let contract = bench.contract().await?;
    let cases = [
        Break::ResetBefore,
        Break::ResetAfter,
        Break::PageAfter(502),
        Break::HalfBody,
    ]
    .to_vec();
    super::each(bench, cases, async |how| {
        let lane = bench.lane().await?;
        let question = Lane::deduction(bench, &contract, bench.amount()?);
        lane.wire.breaks(0, how.clone());
        let first = Deed::Deduct(question.clone()).ask(bench, lane.channel.as_ref()).await;
        found.must(matches!(first, Said::MaybeDone(_)), || format!("{how:?}: {first:?}"));
        lane.wire.mend();
        let again = lane.channel.deduct(&question).await;
        found.must(!matches!(again, Ok(Outcome::Refused(_))), || {
            format!("sent again after {how:?}: {again:?}")
        });
        let paid = lane.until_paid(&payment(&question)).await?;
        found.must(paid.amount == question.amount, || format!("{paid:?}"));
        let sums = bench.sums(question.no.as_str()).await?;
        found.must(Sums::once(question.amount, 0)(&sums), || format!("{how:?}: {sums:?}"));
        Ok(())
    })
    .await
}

async fn two(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let amount = bench.amount()?;
    let (first, second) = (lane.paid(bench, amount).await?, lane.paid(bench, amount).await?);
    for payment in [&first, &second] {
        let sums = bench.sums(payment.no.as_str()).await?;
        found.must(Sums::once(amount, 0)(&sums), || format!("{sums:?}"));
    }
    let one = until("a payment to be told", async || {
        Ok(lane.channel.query_payment(&first).await.ok())
    });
    let one = one.await?;
    found.must(
        matches!(&one, Standing::Paid(paid) if Some(&paid.channel_no) != second.channel_no.as_ref()),
        || format!("two payments are told with one channel number: {one:?}"),
    );
    Ok(())
}
