//! Broken answers: whatever breaks on the wire, no adapter says more than it knows.

use anyhow::Result;

use super::{each, property};
use crate::fault::Act;
use crate::report::Findings;
use crate::stage::bench::Bench;
use crate::stage::deed::{Deed, Said};
use crate::stage::lane::moved;
use crate::stage::wire::Break;
use crate::suite::Property;

pub(super) const PROPERTIES: &[Property] = &[
    property!(
        "answer.not-sent",
        Now,
        ["C4"],
        "where nobody listens, every question ends as an error, and nothing is claimed",
        not_sent
    ),
    property!(
        "answer.deduct",
        Now,
        ["C2", "C3", "C4", "C5", "C8"],
        "a deduction broken in any way is MaybeDone, and is sent once",
        deduct
    ),
    property!(
        "answer.refund",
        Now,
        ["C2", "C3", "C4", "C5", "C8"],
        "a refund broken in any way is MaybeDone, and is sent once",
        refund
    ),
    property!(
        "answer.reverse",
        Now,
        ["C2", "C3", "C4", "C5", "C7"],
        "a reversal broken at any of its requests is MaybeDone or Pending",
        reverse
    ),
    property!(
        "answer.code",
        Now,
        ["C2", "C3", "C4", "C5", "C8"],
        "a payment by code broken in any way is MaybeDone, and is sent once",
        code
    ),
    property!(
        "answer.query",
        Now,
        ["C3", "C4", "C5"],
        "a query broken in any way tells nothing",
        query
    ),
    property!(
        "answer.refund-query",
        Now,
        ["C3", "C4", "C5"],
        "a refund query broken in any way tells nothing",
        refund_query
    ),
    property!(
        "answer.contract",
        Now,
        ["C4", "C5"],
        "signing, contract query and contract closing broken in any way tell nothing",
        contract
    ),
    property!(
        "answer.flipped",
        Now,
        ["C2", "C5"],
        "an answer in which one bit is another, anywhere, is not believed",
        flipped
    ),
    property!(
        "answer.replayed",
        Now,
        ["C2", "C6"],
        "a genuine answer to another question is not believed",
        replayed
    ),
];

/// How the first request of an act is broken.
fn first_breaks() -> Vec<Break> {
    vec![
        Break::HangBefore,
        Break::HangAfter,
        Break::ResetBefore,
        Break::ResetAfter,
        Break::PageBefore(502),
        Break::PageAfter(500),
        Break::PageAfter(200),
        Break::Redirect,
        Break::NotHttp,
        Break::Garbage,
        Break::Empty,
        Break::HalfBody,
        Break::Endless,
        Break::OtherType,
        Break::Mirror,
    ]
}

/// How its further requests are.
fn further_breaks() -> Vec<Break> {
    vec![
        Break::Gone,
        Break::HangBefore,
        Break::ResetAfter,
        Break::PageBefore(502),
        Break::Garbage,
    ]
}

async fn not_sent(bench: &Bench, found: &Findings) -> Result<()> {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let config = moved(&bench.config, &bench.gateway.origin(), &format!("http://{closed}"));
    let channel = bench.build(config, "https://pay.example.test/notify/a".to_owned())?;
    for act in ACTS {
        let Some(deed) = Deed::prepare(bench, act).await? else {
            continue;
        };
        let said = deed.ask(bench, channel.as_ref()).await;
        let nothing_asked = act == Act::Sign && matches!(said, Said::Fact(_));
        found.must(
            nothing_asked || matches!(said, Said::NotSent(_) | Said::MaybeDone(_)),
            || format!("{act} with nobody there: {said:?}"),
        );
        if deed.moves_money() && act != Act::Reverse {
            let sums = bench.sums(deed.no()).await?;
            found.must(sums.debits == 0 && sums.returns == 0, || {
                format!("{act} with nobody there moved {sums:?}")
            });
        }
    }
    Ok(())
}

const ACTS: [Act; 9] = [
    Act::Deduct,
    Act::PayByCode,
    Act::Query,
    Act::Reverse,
    Act::Refund,
    Act::QueryRefund,
    Act::Sign,
    Act::QueryContract,
    Act::CloseContract,
];

async fn deduct(bench: &Bench, found: &Findings) -> Result<()> {
    broken(bench, found, Act::Deduct).await
}

async fn refund(bench: &Bench, found: &Findings) -> Result<()> {
    broken(bench, found, Act::Refund).await
}

async fn reverse(bench: &Bench, found: &Findings) -> Result<()> {
    broken(bench, found, Act::Reverse).await
}

async fn query(bench: &Bench, found: &Findings) -> Result<()> {
    broken(bench, found, Act::Query).await
}

async fn refund_query(bench: &Bench, found: &Findings) -> Result<()> {
    broken(bench, found, Act::QueryRefund).await
}

async fn contract(bench: &Bench, found: &Findings) -> Result<()> {
    for act in [Act::Sign, Act::QueryContract, Act::CloseContract] {
        broken(bench, found, act).await?;
    }
    Ok(())
}

async fn code(bench: &Bench, found: &Findings) -> Result<()> {
    if super::codes::missing(bench, found).await? {
        return Ok(());
    }
    broken(bench, found, Act::PayByCode).await
}

/// A case: the question, how many requests it takes undisturbed, and what came of it then.
struct Model {
    act: Act,
    /// The same question for all cases, where asking changes nothing.
    shared: Option<Deed>,
    requests: usize,
    truth: Said,
}

impl Model {
    async fn of(bench: &Bench, act: Act) -> Result<Option<Self>> {
        let Some(deed) = Deed::prepare(bench, act).await? else {
            return Ok(None);
        };
        let lane = bench.lane().await?;
        let mut truth = deed.ask(bench, lane.channel.as_ref()).await;
        let mut requests = lane.wire.begun();
        if matches!(truth, Said::MaybeDone(_)) {
            // A busy machine.
            lane.wire.mend();
            truth = deed.ask(bench, lane.channel.as_ref()).await;
            requests = lane.wire.begun();
        }
        let asks_only = matches!(act, Act::Query | Act::QueryRefund | Act::QueryContract);
        Ok(Some(Self {
            act,
            shared: asks_only.then_some(deed),
            requests,
            truth,
        }))
    }

    async fn deed(&self, bench: &Bench) -> Result<Deed> {
        match &self.shared {
            Some(deed) => Ok(deed.clone()),
            None => {
                let prepared = Deed::prepare(bench, self.act).await?;
                prepared.ok_or_else(|| anyhow::anyhow!("{} cannot be prepared a second time", self.act))
            }
        }
    }

    /// Whether the same words may be said: of a question that all cases share they must be equal.
    async fn is_true(&self, bench: &Bench, deed: &Deed, said: &Said) -> Result<bool> {
        if self.shared.is_some() {
            return Ok(*said == self.truth);
        }
        if matches!(deed, Deed::Deduct(_) | Deed::PayByCode(_)) {
            let lane = bench.lane().await?;
            return Ok(*said == deed.truth(bench, lane.channel.as_ref()).await);
        }
        Ok(word(said) == word(&self.truth))
    }
}

/// The first word of a fact: that it was done, or refused.
fn word(said: &Said) -> Option<&str> {
    match said {
        Said::Fact(text) => text.split('(').next(),
        _ => None,
    }
}

async fn broken(bench: &Bench, found: &Findings, act: Act) -> Result<()> {
    let Some(model) = Model::of(bench, act).await? else {
        return Ok(());
    };
    let mut cases = Vec::new();
    for nth in 0..model.requests {
        let breaks = if nth == 0 { first_breaks() } else { further_breaks() };
        cases.extend(breaks.into_iter().map(|how| (nth, how)));
    }
    each(bench, cases, |case| one(bench, found, &model, case)).await
}

async fn one(bench: &Bench, found: &Findings, model: &Model, (nth, how): (usize, Break)) -> Result<()> {
    let act = model.act;
    let lane = bench.lane().await?;
    let deed = model.deed(bench).await?;
    lane.wire.breaks(nth, how.clone());
    let said = deed.ask(bench, lane.channel.as_ref()).await;
    let begun = lane.wire.begun();
    lane.wire.mend();
    let met = begun > nth || how == Break::Gone;
    if !met {
        // The act took another course this time: what it said was not broken.
        return Ok(());
    }
    let case = || format!("{act}, request {} broken by {how:?}", nth.saturating_add(1));
    if begun > 0 && matches!(said, Said::NotSent(_)) {
        // What went out before may have been questions: then nothing can have moved.
        let harmless = how == Break::Gone && moved_nothing(bench, &deed).await?;
        found.must(harmless, || {
            format!("{}: NotSent, although a request had gone out", case())
        });
    }
    let went_on = begun > nth.saturating_add(1);
    let right = match &said {
        Said::NotSent(_) | Said::MaybeDone(_) => true,
        Said::Pending => !asks_once(&deed) || nth > 0 || how.leaves_the_truth(),
        Said::Fact(_) => (how.leaves_the_truth() || went_on) && model.is_true(bench, &deed, &said).await?,
    };
    found.must(right, || format!("{}: {said:?}", case()));
    if asks_once(&deed) {
        found.must(begun <= model.requests, || {
            format!(
                "{}: {begun} requests where {} are usual: a money call is not retried",
                case(),
                model.requests
            )
        });
    }
    Ok(())
}

/// Whether the gateway's books show nothing that a question asked for, now and a little later.
async fn moved_nothing(bench: &Bench, deed: &Deed) -> Result<bool> {
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    Ok(match deed {
        Deed::Deduct(_) | Deed::PayByCode(_) => bench.sums(deed.no()).await?.debits == 0,
        Deed::Reverse(question) => bench.sums(question.payment.no.as_str()).await?.returns == 0,
        Deed::Refund(question) => bench.sums(question.payment.no.as_str()).await?.returns == 0,
        _ => true,
    })
}

/// Questions of which duty 5 speaks.
fn asks_once(deed: &Deed) -> bool {
    matches!(deed, Deed::Deduct(_) | Deed::PayByCode(_) | Deed::Refund(_))
}

/// Where one bit is turned, in thousandths of the body.
fn places() -> Vec<usize> {
    (0..40_usize)
        .map(|place| place.saturating_mul(25).saturating_add(7))
        .collect()
}

async fn flipped(bench: &Bench, found: &Findings) -> Result<()> {
    for act in [Act::Deduct, Act::Query, Act::QueryRefund, Act::QueryContract] {
        let Some(model) = Model::of(bench, act).await? else {
            continue;
        };
        each(bench, places(), async |place| {
            let lane = bench.lane().await?;
            let deed = model.deed(bench).await?;
            lane.wire.breaks(0, Break::Flip(place));
            let said = deed.ask(bench, lane.channel.as_ref()).await;
            let right = match &said {
                Said::MaybeDone(_) => true,
                Said::NotSent(_) => false,
                // Whoever accepts turns nothing into a claim; whoever claims must claim what is true.
                Said::Pending => asks_once(&deed),
                Said::Fact(_) => model.is_true(bench, &deed, &said).await?,
            };
            found.must(right, || format!("{act}, one bit turned at {place} ‰: {said:?}"));
            Ok(())
        })
        .await?;
    }
    Ok(())
}

async fn replayed(bench: &Bench, found: &Findings) -> Result<()> {
    for act in [
        Act::Query,
        Act::QueryRefund,
        Act::Deduct,
        Act::Refund,
        Act::QueryContract,
    ] {
        let one = if act == Act::QueryContract {
            let contract = bench.lane().await?.signed(bench).await?;
            Some(Deed::QueryContract(contract))
        } else {
            Deed::prepare(bench, act).await?
        };
        let (Some(one), Some(other)) = (one, Deed::prepare(bench, act).await?) else {
            continue;
        };
        let lane = bench.lane().await?;
        one.ask(bench, lane.channel.as_ref()).await;
        let Some(heard) = lane.wire.first_answer() else {
            continue;
        };
        let lane = bench.lane().await?;
        lane.wire.breaks(0, Break::Replay(heard));
        let said = other.ask(bench, lane.channel.as_ref()).await;
        let right = match &said {
            Said::MaybeDone(_) => true,
            Said::Pending => asks_once(&other),
            Said::Fact(_) | Said::NotSent(_) => false,
        };
        found.must(right, || {
            format!("{act} answered by what was said to another: {said:?}")
        });
    }
    Ok(())
}
