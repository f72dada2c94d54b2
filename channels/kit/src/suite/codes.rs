//! Payment codes of the channel's own App.

use anyhow::Result;
use metropay_core::channel::{CodePayQuestion, Outcome, Paid, Product, Standing};
use metropay_core::id::PayNo;
use metropay_core::random::SystemRandom;
use metropay_core::secret::Secret;

use super::property;
use crate::report::Findings;
use crate::stage::bench::{Bench, Sums, until, until_later};
use crate::stage::deed::{Deed, Said};
use crate::stage::lane::{Lane, code_payment};
use crate::stage::wire::Break;
use crate::suite::Property;

pub(super) const PROPERTIES: &[Property] = &[
    property!(
        "code.paid",
        Now,
        ["P1", "C1", "C2"],
        "a code that is shown is paid with, once, refunded and told like any other payment",
        paid
    ),
    property!(
        "code.waiting",
        Now,
        ["P2"],
        "while the user types his password the payment is Pending, then it is as he decided",
        waiting
    ),
    property!(
        "code.repeated",
        Now,
        ["P3", "C1"],
        "the same question, sent again, finds out what became of the first: one debit",
        repeated
    ),
    property!(
        "code.used",
        Now,
        ["C3", "P1"],
        "a code that was used, and one that is none, pay nothing, and are refused",
        used
    ),
    property!(
        "code.reversed",
        Later,
        ["C7"],
        "a payment by code is undone, paid or waiting",
        reversed
    ),
];

/// Whether this channel (or its gateway) has no payment codes.
pub(super) async fn missing(bench: &Bench, found: &Findings) -> Result<bool> {
    let lane = bench.lane().await?;
    if lane.channel.code_pay().is_none() {
        found.skip("this account has no product for payment codes");
        return Ok(true);
    }
    if lane.code_question(bench, false).await?.is_none() {
        found.skip("the gateway shows no payment codes");
        return Ok(true);
    }
    Ok(false)
}

async fn question(bench: &Bench, lane: &Lane, needs_password: bool) -> Result<CodePayQuestion> {
    let question = lane.code_question(bench, needs_password).await?;
    question.ok_or_else(|| anyhow::anyhow!("the gateway shows no second code"))
}

async fn until_paid(lane: &Lane, question: &CodePayQuestion) -> Result<Paid> {
    lane.until_paid(&code_payment(question)).await
}

async fn paid(bench: &Bench, found: &Findings) -> Result<()> {
    if missing(bench, found).await? {
        return Ok(());
    }
    let lane = bench.lane().await?;
    let question = question(bench, &lane, false).await?;
    let said = lane.pay_by_code(&question).await;
    found.must(matches!(said, Ok(Outcome::Done(_) | Outcome::Pending)), || {
        format!("{said:?}")
    });
    let paid = until_paid(&lane, &question).await?;
    found.must(paid.amount == question.amount, || format!("{paid:?}"));
    if let Ok(Outcome::Done(told)) = said {
        found.must(told.channel_no == paid.channel_no, || {
            format!("the payment says {told:?}, the query {paid:?}")
        });
    }
    let mut payment = code_payment(&question);
    payment.channel_no = Some(paid.channel_no);
    lane.refunded(bench, &payment, question.amount).await?;
    let sums = bench.sums(question.no.as_str()).await?;
    found.must(Sums::once(question.amount, question.amount.get())(&sums), || {
        format!("{sums:?}")
    });
    let cadence = lane.channel.cadence(Product::PaymentCode);
    found.must(!cadence.payment.is_empty(), || "there is no cadence".to_owned());
    Ok(())
}

async fn waiting(bench: &Bench, found: &Findings) -> Result<()> {
    if missing(bench, found).await? {
        return Ok(());
    }
    for agree in [true, false] {
        let lane = bench.lane().await?;
        let question = question(bench, &lane, true).await?;
        let said = lane.pay_by_code(&question).await;
        found.must(said == Ok(Outcome::Pending), || format!("{said:?}"));
        let standing = lane.channel.query_payment(&code_payment(&question)).await;
        found.must(standing == Ok(Standing::Pending), || format!("{standing:?}"));
        bench.gateway.type_password(question.code.expose(), agree).await?;
        let standing = until("the user's decision to be told", async || {
            let standing = lane.channel.query_payment(&code_payment(&question)).await.ok();
            Ok(standing.filter(|standing| *standing != Standing::Pending))
        });
        let standing = match standing.await {
            Ok(standing) => standing,
            // Some gateways let the user try again after he declined, until the order is revoked.
            Err(_) if !agree => Standing::Pending,
            Err(error) => return Err(error),
        };
        let right = matches!(standing, Standing::Paid(_)) == agree;
        found.must(right, || format!("the user agreed: {agree}, and it is {standing:?}"));
        let sums = bench.sums(question.no.as_str()).await?;
        found.must(sums.debits == u32::from(agree), || format!("{sums:?}"));
    }
    Ok(())
}

async fn repeated(bench: &Bench, found: &Findings) -> Result<()> {
    if missing(bench, found).await? {
        return Ok(());
    }
    for how in [None, Some(Break::ResetAfter), Some(Break::Garbage)] {
        let lane = bench.lane().await?;
        let question = question(bench, &lane, false).await?;
        let broken = how.is_some();
        if let Some(how) = how {
            lane.wire.breaks(0, how);
        }
        let first = Deed::PayByCode(question.clone())
            .ask(bench, lane.channel.as_ref())
            .await;
        found.must(!broken || matches!(first, Said::MaybeDone(_)), || format!("{first:?}"));
        lane.wire.mend();
        let again = lane.pay_by_code(&question).await;
        found.must(!matches!(again, Ok(Outcome::Refused(_))), || {
            format!("the same question again: {again:?}")
        });
        until_paid(&lane, &question).await?;
        let after = lane.pay_by_code(&question).await;
        found.must(!matches!(after, Ok(Outcome::Refused(_))), || {
            format!("the same question after it was paid: {after:?}")
        });
        let sums = bench.sums(question.no.as_str()).await?;
        found.must(Sums::once(question.amount, 0)(&sums), || format!("{sums:?}"));
    }
    Ok(())
}

async fn used(bench: &Bench, found: &Findings) -> Result<()> {
    if missing(bench, found).await? {
        return Ok(());
    }
    let lane = bench.lane().await?;
    let first = question(bench, &lane, false).await?;
    // What it says is another property's.
    let _ = lane.pay_by_code(&first).await;
    until_paid(&lane, &first).await?;
    let mut second = first.clone();
    second.no = PayNo::fresh(bench.clock.as_ref(), &SystemRandom);
    let mut unknown = question(bench, &lane, false).await?;
    let digits: String = unknown.code.expose().chars().rev().collect();
    let head: String = unknown.code.expose().chars().take(2).collect();
    let turned = format!(
        "{head}{}",
        digits.get(..digits.len().saturating_sub(2)).unwrap_or_default()
    );
    unknown.code = Secret::from(turned);
    for (what, question) in [("used", second), ("unknown", unknown)] {
        let said = lane.pay_by_code(&question).await;
        let right = matches!(said, Ok(Outcome::Refused(_) | Outcome::Pending) | Err(_));
        found.must(right, || format!("a code that is {what}: {said:?}"));
        if let Err(error) = said {
            bench.hear(&error);
        }
        let sums = bench.sums(question.no.as_str()).await?;
        found.must(sums.debits == 0, || format!("a code that is {what} moved {sums:?}"));
    }
    Ok(())
}

async fn reversed(bench: &Bench, found: &Findings) -> Result<()> {
    if missing(bench, found).await? {
        return Ok(());
    }
    for needs_password in [false, true] {
        let lane = bench.lane().await?;
        let question = question(bench, &lane, needs_password).await?;
        // What it says is another property's.
        let _ = lane.pay_by_code(&question).await;
        if !needs_password {
            until_paid(&lane, &question).await?;
        }
        let reversal = Lane::reversal_of(bench, &code_payment(&question));
        let end = until_later(bench, "a reversal to end", async || {
            Ok(match lane.channel.reverse(&reversal).await {
                Ok(Outcome::Pending) | Err(_) => None,
                Ok(ended) => Some(ended),
            })
        });
        let end = end.await?;
        found.must(matches!(end, Outcome::Done(_)), || format!("{end:?}"));
        // The user is late.
        let _ = bench.gateway.type_password(question.code.expose(), true).await;
        until("what was on its way to be there", async || Ok(Some(()))).await?;
        let sums = bench.sums(question.no.as_str()).await?;
        found.must(sums.paid == sums.back, || {
            format!("waiting: {needs_password}, ended as {end:?}, and the books tell {sums:?}")
        });
    }
    Ok(())
}
