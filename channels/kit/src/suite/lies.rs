//! Lies that only the gateway can tell, because they take its words or its keys.

use std::time::Duration;

use anyhow::Result;
use metropay_core::channel::{Outcome, Standing};

use super::{each, property};
use crate::fault::{Act, Fault};
use crate::report::Findings;
use crate::stage::bench::{Bench, fen, until};
use crate::stage::deed::{Deed, Said};
use crate::stage::lane::{Lane, payment};
use crate::stage::wire::Break;
use crate::suite::Property;

pub(super) const PROPERTIES: &[Property] = &[
    property!(
        "lie.signature",
        Now,
        ["C2", "C5"],
        "an answer whose signature is wrong or missing is MaybeDone",
        signature
    ),
    property!(
        "lie.system-error",
        Now,
        ["C3"],
        "the channel's system error, before or after acting, is neither done nor refused",
        system_error
    ),
    property!(
        "lie.order",
        Now,
        ["C2", "C6"],
        "a signed answer about another number is not believed",
        order
    ),
    property!(
        "lie.amount",
        Now,
        ["C2", "C6"],
        "a signed answer about another amount is not believed",
        amount
    ),
    property!(
        "lie.merchant",
        Now,
        ["C6"],
        "a signed answer about another merchant is not believed",
        merchant
    ),
    property!(
        "lie.currency",
        Now,
        ["C6"],
        "a signed answer in another currency is not believed",
        currency
    ),
    property!(
        "lie.refusal",
        Now,
        ["C3"],
        "what is answered as refused has moved no money, now and later",
        refusal
    ),
];

const MONEY: [Act; 3] = [Act::Deduct, Act::PayByCode, Act::Refund];
const ALL: [Act; 8] = [
    Act::Deduct,
    Act::PayByCode,
    Act::Refund,
    Act::Reverse,
    Act::Query,
    Act::QueryRefund,
    Act::QueryContract,
    Act::CloseContract,
];

/// Every act with this fault: an adapter may say that it does not know, or that a thing that was accepted is in progress.
async fn told(bench: &Bench, found: &Findings, acts: &[Act], faults: &[Fault]) -> Result<()> {
    let mut cases = Vec::new();
    for act in acts {
        for fault in faults {
            if bench.gateway.plays(*act, fault) {
                cases.push((*act, fault.clone()));
            } else {
                found.not_played(format!("{fault} in a {act}"));
            }
        }
    }
    each(bench, cases, async |(act, fault)| {
        let prepared = match act {
            // Others ask about the common contract at the same time, and would meet what is meant for this case.
            Act::QueryContract => Some(Deed::QueryContract(bench.lane().await?.signed(bench).await?)),
            _ => Deed::prepare(bench, act).await?,
        };
        let Some(deed) = prepared else { return Ok(()) };
        let lane = bench.lane().await?;
        bench.gateway.play(act, deed.no(), &fault).await?;
        let said = deed.ask(bench, lane.channel.as_ref()).await;
        let right = match &said {
            Said::MaybeDone(_) => true,
            Said::Pending => {
                let unread = matches!(fault, Fault::WrongSignature | Fault::NoSignature);
                !unread || act == Act::Reverse
            }
            // A second request of the same act may have told the truth.
            Said::Fact(_) => lane.wire.begun() > 1 && honest(bench, &deed, &said).await?,
            Said::NotSent(_) => false,
        };
        found.must(right, || format!("{act} with {fault}: {said:?}"));
        Ok(())
    })
    .await
}

/// Whether a claim is what an adapter says that is not lied to.
async fn honest(bench: &Bench, deed: &Deed, said: &Said) -> Result<bool> {
    let lane = bench.lane().await?;
    Ok(*said == deed.truth(bench, lane.channel.as_ref()).await)
}

async fn signature(bench: &Bench, found: &Findings) -> Result<()> {
    told(bench, found, &ALL, &[Fault::WrongSignature, Fault::NoSignature]).await
}

async fn system_error(bench: &Bench, found: &Findings) -> Result<()> {
    told(bench, found, &ALL, &[Fault::SystemErrorBefore, Fault::SystemErrorAfter]).await
}

async fn order(bench: &Bench, found: &Findings) -> Result<()> {
    let other = bench.lane().await?.paid(bench, bench.amount()?).await?;
    told(bench, found, &ALL, &[Fault::OtherOrder(other.no.0)]).await
}

async fn amount(bench: &Bench, found: &Findings) -> Result<()> {
    let acts = [
        Act::Deduct,
        Act::PayByCode,
        Act::Refund,
        Act::Query,
        Act::QueryRefund,
        Act::Reverse,
    ];
    told(bench, found, &acts, &[Fault::OtherAmount(fen(77)?)]).await
}

async fn merchant(bench: &Bench, found: &Findings) -> Result<()> {
    told(bench, found, &ALL, &[Fault::OtherMerchant]).await
}

async fn currency(bench: &Bench, found: &Findings) -> Result<()> {
    let acts = [Act::Deduct, Act::PayByCode, Act::Refund, Act::Query, Act::QueryRefund];
    told(bench, found, &acts, &[Fault::OtherCurrency]).await
}

async fn refusal(bench: &Bench, found: &Findings) -> Result<()> {
    for act in MONEY {
        if !bench.gateway.plays(act, &Fault::Refuse) {
            found.not_played(format!("{} in a {act}", Fault::Refuse));
            continue;
        }
        let Some(deed) = Deed::prepare(bench, act).await? else {
            continue;
        };
        let lane = bench.lane().await?;
        bench.gateway.play(act, deed.no(), &Fault::Refuse).await?;
        let said = deed.ask(bench, lane.channel.as_ref()).await;
        let refused = matches!(&said, Said::Fact(text) if text.starts_with("Refused"));
        found.must(refused || said == Said::Pending, || format!("{act} refused: {said:?}"));
        let payment_no = match &deed {
            Deed::Refund(question) => question.payment.no.as_str(),
            other => other.no(),
        };
        tokio::time::sleep(Duration::from_millis(300)).await;
        let sums = bench.sums(payment_no).await?;
        let moved = if act == Act::Refund { sums.returns } else { sums.debits };
        found.must(moved == 0, || format!("{act} answered as {said:?} moved {sums:?}"));
    }
    repeat_of_a_good_one(bench, found).await
}

/// The refusal of a repeat proves nothing about what the first sending did.
async fn repeat_of_a_good_one(bench: &Bench, found: &Findings) -> Result<()> {
    if !bench.gateway.plays(Act::Deduct, &Fault::RefuseRepeat) {
        found.not_played(format!("{} in a {}", Fault::RefuseRepeat, Act::Deduct));
        return Ok(());
    }
    for confirmation in [None, Some(Break::ResetAfter), Some(Break::PageBefore(502))] {
        one_repeat(bench, found, confirmation).await?;
    }
    Ok(())
}

/// Where the adapter asks for the order before it believes the refusal, that question may be broken.
async fn one_repeat(bench: &Bench, found: &Findings, confirmation: Option<Break>) -> Result<()> {
    let lane = bench.lane().await?;
    let question = Lane::deduction(bench, &bench.contract().await?, bench.amount()?);
    let first = lane.channel.deduct(&question).await;
    found.must(matches!(first, Ok(Outcome::Done(_) | Outcome::Pending)), || {
        format!("{first:?}")
    });
    lane.until_paid(&payment(&question)).await?;
    bench
        .gateway
        .play(Act::Deduct, question.no.as_str(), &Fault::RefuseRepeat)
        .await?;
    if let Some(how) = confirmation.clone() {
        lane.wire.breaks(1, how);
    }
    let again = lane.channel.deduct(&question).await;
    lane.wire.mend();
    found.must(!matches!(again, Ok(Outcome::Refused(_))), || {
        format!(
            "the refused repeat of a deduction that was paid, asked after and broken by {confirmation:?}: {again:?}"
        )
    });
    let standing = until("the payment to be told", async || {
        Ok(lane.channel.query_payment(&payment(&question)).await.ok())
    });
    let standing = standing.await?;
    found.must(matches!(standing, Standing::Paid(_)), || format!("{standing:?}"));
    Ok(())
}
