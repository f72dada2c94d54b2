//! Notifications: believed only when they are genuine, ours, and whole; read the same whenever and however often they come.

use std::time::Duration;

use anyhow::{Result, bail};
use metropay_core::channel::{ContractStanding, News, RawNotice, RefundStanding, Standing};
use metropay_core::clock::Clock;

use super::property;
use crate::fault::{Act, Fault};
use crate::report::Findings;
use crate::stage::bench::{Bench, fen};
use crate::stage::http::flipped as turned;
use crate::stage::lane::{Lane, Loan, payment};
use crate::suite::Property;

pub(super) const PROPERTIES: &[Property] = &[
    property!(
        "notice.true",
        Now,
        ["C6"],
        "a payment's and a refund's notification tell what was done",
        true_ones
    ),
    property!(
        "notice.again",
        Now,
        ["C9"],
        "a notification reads the same twice, late, and out of order",
        again
    ),
    property!(
        "notice.forged",
        Now,
        ["C9"],
        "a notification with another signature tells nothing",
        forged
    ),
    property!(
        "notice.flipped",
        Now,
        ["C9"],
        "a notification in which one bit is another, anywhere, tells nothing else",
        flipped
    ),
    property!(
        "notice.junk",
        Now,
        ["C9"],
        "what is no notification is refused without breaking anything",
        junk
    ),
    property!(
        "notice.other-account",
        Now,
        ["C6"],
        "a genuine notification of another account is refused",
        other_account
    ),
    property!(
        "notice.other-merchant",
        Now,
        ["C6"],
        "a signed notification that names another merchant is refused",
        other_merchant
    ),
    property!(
        "notice.other-currency",
        Now,
        ["C6"],
        "a signed notification in another currency tells of no payment",
        other_currency
    ),
    property!(
        "notice.amount",
        Now,
        ["C6"],
        "a notification's own amount is passed on, for the engine to compare",
        amount
    ),
    property!(
        "notice.answered",
        Now,
        ["C9"],
        "the answer \"taken\" ends the sending, and the other answer makes it begin again",
        answered
    ),
];

fn about_payment(no: &str) -> impl Fn(&News) -> bool {
    move |news| matches!(news, News::Payment { no: told, .. } if told.as_str() == no)
}

/// A payment's notification, with the adapter to which it belongs.
async fn of_payment(bench: &Bench, found: &Findings) -> Result<Option<(Loan, RawNotice)>> {
    let lane = bench.lane().await?;
    let payment = lane.paid(bench, bench.amount()?).await?;
    let letter = lane.until_notice(bench, about_payment(payment.no.as_str())).await?;
    if letter.is_none() {
        found.skip("the gateway sent no notification of a payment that the adapter could read");
    }
    Ok(letter.map(|letter| (lane, letter)))
}

/// A notification without anything that claims how something stands.
fn claims_nothing(news: &[News]) -> bool {
    news.iter().all(|news| match news {
        News::Payment { standing, .. } => standing.is_none(),
        News::Refund { standing, .. } => standing.is_none(),
        News::Contract { standing, .. } => standing.is_none(),
        News::Nothing => true,
    })
}

async fn true_ones(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let amount = bench.amount()?;
    let payment = lane.paid(bench, amount).await?;
    let Some(letter) = lane.until_notice(bench, about_payment(payment.no.as_str())).await? else {
        found.skip("the gateway sent no notification of a payment that the adapter could read");
        return Ok(());
    };
    for news in lane.read(&letter).await.unwrap_or_default() {
        let right = match &news {
            News::Payment {
                standing: Some(Standing::Paid(paid)),
                ..
            } => paid.amount == amount && Some(&paid.channel_no) == payment.channel_no.as_ref(),
            News::Payment { standing, .. } => standing.is_none(),
            _ => true,
        };
        found.must(right, || format!("of a payment of {amount}: {news:?}"));
    }
    let refund = lane.refunded(bench, &payment, fen(50)?).await?;
    let about_refund = |news: &News| match news {
        News::Refund { no, .. } => *no == refund.no,
        News::Payment { no, standing } => *no == payment.no && standing.is_none(),
        _ => false,
    };
    let Some(letter) = lane.until_notice(bench, about_refund).await? else {
        found.not_played("a refund's notification".to_owned());
        return Ok(());
    };
    for news in lane.read(&letter).await.unwrap_or_default() {
        let right = match &news {
            News::Refund {
                standing: Some(RefundStanding::Refunded(refunded)),
                ..
            } => refunded.amount == refund.amount,
            News::Refund { standing, .. } => standing.is_none(),
            _ => true,
        };
        found.must(right, || format!("of a refund of 50: {news:?}"));
    }
    Ok(())
}

async fn again(bench: &Bench, found: &Findings) -> Result<()> {
    let Some((lane, letter)) = of_payment(bench, found).await? else {
        return Ok(());
    };
    let first = lane.read(&letter).await;
    let anew = lane.rebuilt(bench)?;
    let Some((_, other)) = of_payment(bench, found).await? else {
        return Ok(());
    };
    let other_first = anew.read_notice(&other).await;
    let second = anew.read_notice(&letter).await;
    let mut late = letter.clone();
    late.received_at = bench.clock.now().plus(Duration::from_secs(60));
    let third = lane.read(&late).await;
    found.must(first == second && second == third, || {
        format!("first {first:?}, by an adapter built anew {second:?}, a minute later {third:?}")
    });
    found.must(other_first.is_ok(), || format!("{other_first:?}"));
    let fault = Fault::Repeated(2);
    if bench.gateway.plays(Act::Notify, &fault) {
        let lane = bench.fresh_lane().await?;
        let question = Lane::deduction(bench, &bench.contract().await?, bench.amount()?);
        bench.gateway.play(Act::Notify, question.no.as_str(), &fault).await?;
        // What it says is another property's.
        let _ = lane.channel.deduct(&question).await;
        let paid = lane.until_paid(&payment(&question)).await?;
        for _ in 0..60 {
            if bench.mailbox.count(lane.slot) >= 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        found.must(
            bench.mailbox.count(lane.slot) >= 3 && paid.amount == question.amount,
            || "a repeated notification did not come three times".to_owned(),
        );
    } else {
        found.not_played(format!("{fault}"));
    }
    Ok(())
}

/// A deduction whose notification has this fault; answers what the adapter made of each letter that came to it.
async fn faulty(bench: &Bench, found: &Findings, fault: Fault) -> Result<Option<Vec<Read>>> {
    if !bench.gateway.plays(Act::Notify, &fault) {
        found.not_played(format!("{fault} in a {}", Act::Notify));
        return Ok(None);
    }
    let lane = bench.fresh_lane().await?;
    let question = Lane::deduction(bench, &bench.contract().await?, bench.amount()?);
    bench.gateway.play(Act::Notify, question.no.as_str(), &fault).await?;
    let before = bench.mailbox.count(lane.slot);
    // What it says is another property's.
    let _ = lane.channel.deduct(&question).await;
    lane.until_paid(&payment(&question)).await?;
    let mut waits = 0;
    while bench.mailbox.count(lane.slot) == before {
        waits += 1;
        if waits > 60 {
            bail!("no notification with {fault} came to the adapter's own address");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut read = Vec::new();
    for letter in bench.mailbox.since(lane.since) {
        if String::from_utf8_lossy(&letter.body).contains(question.no.as_str()) {
            read.push(lane.read(&letter).await);
        }
    }
    Ok(Some(read))
}

type Read = std::result::Result<Vec<News>, metropay_core::channel::NoticeRefused>;

async fn forged(bench: &Bench, found: &Findings) -> Result<()> {
    for fault in [Fault::WrongSignature, Fault::NoSignature] {
        for read in faulty(bench, found, fault.clone()).await?.unwrap_or_default() {
            found.must(read.is_err(), || format!("{fault}: {read:?}"));
        }
    }
    let Some((lane, letter)) = of_payment(bench, found).await? else {
        return Ok(());
    };
    let Some((_, other)) = of_payment(bench, found).await? else {
        return Ok(());
    };
    if !letter.headers.iter().any(|(_, value)| value.len() >= 60) {
        return Ok(());
    }
    // Where the signature stands in the headers: none at all, and those of another letter.
    let bare = RawNotice {
        headers: Vec::new(),
        ..letter.clone()
    };
    let swapped = RawNotice {
        headers: other.headers,
        ..letter
    };
    for (what, letter) in [("no headers", bare), ("another letter's headers", swapped)] {
        let read = lane.read(&letter).await;
        found.must(read.is_err(), || format!("{what}: {read:?}"));
    }
    Ok(())
}

async fn flipped(bench: &Bench, found: &Findings) -> Result<()> {
    let Some((lane, letter)) = of_payment(bench, found).await? else {
        return Ok(());
    };
    let genuine = lane.read(&letter).await;
    for place in (0..160_usize).map(|place| place.saturating_mul(6).saturating_add(3)) {
        let other = RawNotice {
            body: turned(&letter.body, place),
            ..letter.clone()
        };
        let read = lane.read(&other).await;
        let right = match &read {
            Err(_) => true,
            Ok(news) => read == genuine || claims_nothing(news),
        };
        found.must(right, || format!("one bit turned at {place} ‰: {read:?}"));
    }
    Ok(())
}

async fn junk(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    let letters: [&[u8]; 9] = [
        b"",
        b"{}",
        b"{\"a\":",
        b"<xml></xml>",
        b"<xml><a>",
        b"a=b&sign=",
        b"=&=&%",
        b"\xff\xfe\x00\x00",
        b"null",
    ];
    let mut bodies: Vec<Vec<u8>> = letters.iter().map(|body| body.to_vec()).collect();
    bodies.push(vec![b'['; 200_000]);
    bodies.push(b"<a>".repeat(60_000));
    bodies.push(b"a=b&".repeat(50_000));
    for body in bodies {
        let shown = String::from_utf8_lossy(body.get(..body.len().min(20)).unwrap_or_default()).into_owned();
        let letter = RawNotice {
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            body,
            received_at: bench.clock.now(),
        };
        let read = lane.read(&letter).await;
        found.must(read.is_err(), || format!("{shown}: {read:?}"));
        if let Err(error) = read {
            bench.hear(&error);
        }
    }
    Ok(())
}

async fn other_account(bench: &Bench, found: &Findings) -> Result<()> {
    let theirs = Lane::new(bench, &bench.other).await?;
    let contract = bench.others_contract().await?;
    let payment = theirs.paid_on(bench, &contract, bench.amount()?).await?;
    let letter = theirs.until_notice(bench, about_payment(payment.no.as_str())).await?;
    let Some(letter) = letter else {
        found.skip("the gateway sent no notification of a payment that the adapter could read");
        return Ok(());
    };
    let ours = bench.lane().await?;
    let read = ours.read(&letter).await;
    found.must(read.is_err(), || format!("{read:?}"));
    if let Err(error) = read {
        bench.hear(&error);
    }
    Ok(())
}

async fn other_merchant(bench: &Bench, found: &Findings) -> Result<()> {
    for read in faulty(bench, found, Fault::OtherMerchant).await?.unwrap_or_default() {
        found.must(read.is_err(), || format!("{read:?}"));
    }
    Ok(())
}

async fn other_currency(bench: &Bench, found: &Findings) -> Result<()> {
    for read in faulty(bench, found, Fault::OtherCurrency).await?.unwrap_or_default() {
        let right = read.as_ref().is_ok_and(|news| claims_nothing(news)) || read.is_err();
        found.must(right, || format!("{read:?}"));
    }
    Ok(())
}

async fn amount(bench: &Bench, found: &Findings) -> Result<()> {
    let told = fen(77)?;
    for read in faulty(bench, found, Fault::OtherAmount(told))
        .await?
        .unwrap_or_default()
    {
        let right = match &read {
            Err(_) => true,
            Ok(news) => news.iter().all(|news| match news {
                News::Payment {
                    standing: Some(Standing::Paid(paid)),
                    ..
                } => paid.amount == told,
                News::Payment { standing, .. } => standing.is_none(),
                News::Contract { standing, .. } => !matches!(standing, Some(ContractStanding::Active(_))),
                _ => true,
            }),
        };
        found.must(right, || format!("a notification of 77 fen: {read:?}"));
    }
    Ok(())
}

async fn answered(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.fresh_lane().await?;
    let (taken, refused) = (lane.channel.answer_notice(true), lane.channel.answer_notice(false));
    found.must(taken != refused, || {
        format!("both answers are {taken:?}: the channel cannot tell them apart")
    });
    found.must((200..300).contains(&taken.status), || format!("{taken:?}"));
    let Some(within) = bench.gateway.repeats_notices_within() else {
        found.not_played("a notification that is sent again".to_owned());
        return Ok(());
    };
    // One adapter takes none, another takes all.
    let other = bench.fresh_lane().await?;
    bench.mailbox.answers(lane.slot, refused);
    lane.paid(bench, bench.amount()?).await?;
    other.paid(bench, bench.amount()?).await?;
    let mut waited = Duration::ZERO;
    let look = Duration::from_millis(50);
    while bench.mailbox.count(lane.slot) < 2 && waited < within.saturating_mul(2) {
        tokio::time::sleep(look).await;
        waited = waited.saturating_add(look);
    }
    found.must(bench.mailbox.count(lane.slot) >= 2, || {
        "a notification that was answered \"not taken\" was not sent again".to_owned()
    });
    bench.mailbox.answers(lane.slot, taken);
    tokio::time::sleep(within.saturating_mul(2).saturating_sub(waited)).await;
    let count = bench.mailbox.count(other.slot);
    found.must(count == 1, || {
        format!("a notification that was answered \"taken\" came {count} times")
    });
    Ok(())
}
