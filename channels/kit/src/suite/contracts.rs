//! The life of a contract: signed, asked about, ended by us or by the user, declined.

use anyhow::{Context, Result};
use metropay_core::channel::{ContractKey, ContractStanding, EndedBy, News, Outcome};

use super::property;
use crate::fault::{Act, Fault};
use crate::report::Findings;
use crate::stage::bench::{Bench, until};
use crate::stage::lane::{Lane, active};
use crate::suite::Property;

pub(super) const PROPERTIES: &[Property] = &[
    property!(
        "contract.signed",
        Now,
        ["C2"],
        "a contract is Pending before the user agrees, Active after, and its notification tells the same handle",
        signed
    ),
    property!(
        "contract.declined",
        Now,
        ["C3"],
        "a contract that the user declines never becomes Active",
        declined
    ),
    property!(
        "contract.closed",
        Now,
        ["C3"],
        "a contract that we end is Ended, ends again without complaint, and pays nothing more",
        closed
    ),
    property!(
        "contract.ended-by-user",
        Now,
        ["C3"],
        "a contract that the user ends is told as ended by query and notification",
        ended_by_user
    ),
    property!(
        "contract.blind",
        Now,
        ["C3"],
        "a contract query that finds nothing does not end a contract for good",
        blind
    ),
    property!(
        "contract.scope",
        Now,
        ["C6"],
        "the heading of contracts is the account's own, and always the same",
        scope
    ),
];

async fn signed(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let mut contract = lane.fresh_contract(bench);
    let before = lane.channel.query_contract(&contract).await;
    found.must(before == Ok(ContractStanding::Pending), || {
        format!("before anything was asked: {before:?}")
    });
    let page = lane.page(bench, &contract).await?;
    let asked = lane.channel.query_contract(&contract).await;
    found.must(asked == Ok(ContractStanding::Pending), || {
        format!("before the user decided: {asked:?}")
    });
    let agreed = bench.gateway.decide(&page, &bench.user(), true).await;
    agreed.context("the user cannot agree on the signing page")?;
    let told = until("the contract to be active", async || {
        Ok(active(lane.channel.query_contract(&contract).await.ok()))
    });
    let told = told.await?;
    bench.meet(&told.handle);
    contract.handle = Some(told.handle.clone());
    let asked = active(lane.channel.query_contract(&contract).await.ok());
    found.must(asked.as_ref().is_some_and(|asked| asked.handle == told.handle), || {
        format!("first {told:?}, then {asked:?}")
    });
    let tells =
        |news: &News| matches!(news, News::Contract { contract: ContractKey::No(no), .. } if *no == contract.no);
    match lane.until_notice(bench, tells).await? {
        None => found.not_played("a signing's notification".to_owned()),
        Some(letter) => {
            for news in lane.read(&letter).await.unwrap_or_default() {
                let right = match &news {
                    News::Contract {
                        standing: Some(ContractStanding::Active(signed)),
                        ..
                    } => signed.handle == told.handle,
                    News::Contract { standing, .. } => standing.is_none(),
                    _ => true,
                };
                found.must(right, || format!("of the contract {told:?}: {news:?}"));
            }
        }
    }
    Ok(())
}

async fn declined(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let contract = lane.fresh_contract(bench);
    let page = lane.page(bench, &contract).await?;
    let declined = bench.gateway.decide(&page, &bench.user(), false).await;
    declined.context("the user cannot decline on the signing page")?;
    let standing = lane.channel.query_contract(&contract).await;
    let right = matches!(standing, Ok(ContractStanding::Pending | ContractStanding::Ended { .. }));
    found.must(right, || format!("{standing:?}"));
    Ok(())
}

async fn closed(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let contract = lane.signed(bench).await?;
    for round in ["", ", a second time"] {
        let closed = until("a contract to be closed", async || {
            let said = lane.channel.close_contract(&contract).await;
            Ok(Some(said).filter(|said| !matches!(said, Ok(Outcome::Pending))))
        });
        let closed = closed.await?;
        found.must(closed == Ok(Outcome::Done(())), || {
            format!("closing{round}: {closed:?}")
        });
    }
    let standing = lane.channel.query_contract(&contract).await;
    found.must(matches!(standing, Ok(ContractStanding::Ended { .. })), || {
        format!("{standing:?}")
    });
    pays_nothing(bench, found, &lane, &contract).await
}

async fn pays_nothing(
    bench: &Bench,
    found: &Findings,
    lane: &Lane,
    contract: &metropay_core::channel::ContractRef,
) -> Result<()> {
    let question = Lane::deduction(bench, contract, bench.amount()?);
    let said = lane.channel.deduct(&question).await;
    found.must(!matches!(said, Ok(Outcome::Done(_))), || {
        format!("a deduction on a contract that has ended: {said:?}")
    });
    let sums = bench.sums(question.no.as_str()).await?;
    found.must(sums.debits == 0, || {
        format!("a deduction on a contract that has ended moved {sums:?}")
    });
    Ok(())
}

async fn ended_by_user(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let user = bench.user();
    let contract = lane.signed_by(bench, &user).await?;
    if !bench.gateway.end_contract(&contract, &user).await? {
        found.skip("users end no contracts at this gateway");
        return Ok(());
    }
    let standing = until("a contract to have ended", async || {
        let standing = lane.channel.query_contract(&contract).await.ok();
        Ok(standing.filter(|standing| matches!(standing, ContractStanding::Ended { .. })))
    });
    let standing = standing.await?;
    let ours = matches!(
        standing,
        ContractStanding::Ended {
            by: EndedBy::Platform,
            ..
        }
    );
    found.must(!ours, || format!("the user ended it: {standing:?}"));
    let handle = contract.handle.clone().unwrap_or_default();
    let tells = |news: &News| match news {
        News::Contract {
            contract: key,
            standing,
        } => {
            let this = match key {
                ContractKey::No(no) => *no == contract.no,
                ContractKey::Handle(told) => *told == handle,
            };
            this && !matches!(standing, Some(ContractStanding::Active(_)))
        }
        _ => false,
    };
    match lane.until_notice(bench, tells).await? {
        Some(_) => found.must(true, String::new),
        None => found.not_played("a notification of the contract's end".to_owned()),
    }
    pays_nothing(bench, found, &lane, &contract).await
}

async fn blind(bench: &Bench, found: &Findings) -> Result<()> {
    if !bench.gateway.plays(Act::QueryContract, &Fault::Blind) {
        found.not_played(format!("{} in a {}", Fault::Blind, Act::QueryContract));
        return Ok(());
    }
    let lane = bench.lane().await?;
    let mut contract = lane.signed(bench).await?;
    contract.handle = None;
    bench
        .gateway
        .play(Act::QueryContract, contract.no.as_str(), &Fault::Blind)
        .await?;
    let said = lane.channel.query_contract(&contract).await;
    found.must(!matches!(said, Ok(ContractStanding::Ended { .. })), || {
        format!("{said:?}")
    });
    let then = lane.channel.query_contract(&contract).await;
    found.must(matches!(then, Ok(ContractStanding::Active(_))), || format!("{then:?}"));
    Ok(())
}

async fn scope(bench: &Bench, found: &Findings) -> Result<()> {
    let (one, two) = (bench.lane().await?, bench.lane().await?);
    let scope = one.channel.contract_scope();
    found.must(scope == two.channel.contract_scope() && !scope.is_empty(), || {
        format!("{scope:?}, then {:?}", two.channel.contract_scope())
    });
    let other = Lane::new(bench, &bench.other).await?.channel.contract_scope();
    found.must(scope != other, || {
        format!("two accounts share the heading {scope:?}, and with it each other's contracts")
    });
    Ok(())
}
