//! A server that dies in a payment.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use metropay_server::demo::client::LiveEvents;
use metropay_simulator::MovementKind;
use metropay_tests::Reply;
use metropay_tests::process::Process;
use metropay_tests::store::Store;

use crate::crowd::{self, Case};
use crate::ground::{CHANNELS, Ground, PRICE, dead};
use crate::{After, Sent, events, till};

/// Where the server dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    /// K1: the request is genuine and nothing was written.
    Checked,
    /// K2: the order, its code and its number are written down, the channel was not called.
    WrittenDown,
    /// K3: the channel was called and has not answered.
    Called(Sent),
    /// K4: the channel answered, nothing of it was taken in.
    Answered,
    /// K4b: the answer is being written down, and not committed.
    Settling,
    /// K5: committed, the till was not answered.
    Settled,
    /// K6: the till was answered, the App was told nothing yet.
    Told,
    /// N1: the channel's notification is stored, not applied and not acknowledged.
    Notified,
}

impl Point {
    const ALL: [Self; 9] = [
        Self::Checked,
        Self::WrittenDown,
        Self::Called(Sent::Lost),
        Self::Called(Sent::Done),
        Self::Answered,
        Self::Settling,
        Self::Settled,
        Self::Told,
        Self::Notified,
    ];

    /// The fail point; none where the server is killed from outside.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Checked => Some("K1"),
            Self::WrittenDown => Some("K2"),
            Self::Answered => Some("K4"),
            Self::Settling => Some("K4b"),
            Self::Settled => Some("K5"),
            Self::Notified => Some("N1"),
            Self::Called(_) | Self::Told => None,
        }
    }

    /// How the order must end.
    fn end(self, after: After) -> End {
        match (self, after) {
            (Self::Checked, After::Query | After::Nothing) => End::NeverWas,
            // Written down and never arrived: only the till's repeat may send it.
            (Self::WrittenDown | Self::Called(Sent::Lost), After::Query | After::Nothing) => End::Closed,
            _ => End::Paid,
        }
    }
}

/// How an order ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    NeverWas,
    Closed,
    Paid,
}

/// The operation of each gateway that deducts.
fn deduction(channel: &str) -> &'static str {
    match channel {
        "wechat" => "pappayapply",
        "alipay" => "alipay.trade.pay",
        _ => "01",
    }
}

/// Times of the server: a till's time and a sender's time are short, and nothing is revoked before it can be known.
const CAPS: [(&str, u64); 4] = [
    ("till_wait_ms", 3_000),
    ("send_lease_ms", 4_000),
    ("absence_proves_after_ms", 6_000),
    ("revoke_after_ms", 120_000),
];
/// How long an order may take to its end after the restart.
const END_MAX: Duration = Duration::from_secs(90);
/// What the App is told of an order's end.
const ENDS: [&str; 3] = ["payment.succeeded", "payment.failed", "payment.closed"];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_payment_whose_server_dies_is_debited_at_most_once_and_comes_to_its_end() {
    if !Store::asked().is_there().await {
        return;
    }
    let mut cases = Vec::new();
    for point in Point::ALL {
        for channel in CHANNELS {
            for after in [After::Repeat, After::Query, After::Nothing] {
                if point == Point::Checked && after == After::Nothing {
                    continue;
                }
                cases.push(case(channel, point, None, after));
            }
        }
    }
    // And once more while the till's repeat makes good what the first death left.
    let twice = [
        (Point::WrittenDown, "K4"),
        (Point::WrittenDown, "K4b"),
        (Point::Called(Sent::Lost), "K5"),
        (Point::Called(Sent::Done), "K4b"),
        (Point::Answered, "K4b"),
    ];
    for (point, again) in twice {
        cases.extend(CHANNELS.map(|channel| case(channel, point, Some(again), After::Repeat)));
    }
    crowd::play(cases).await;
}

fn case(channel: &'static str, point: Point, again: Option<&'static str>, after: After) -> Case {
    let second = again.map(|again| format!(", then at {again}")).unwrap_or_default();
    let name = format!("payment, {point:?}{second}, {channel}, then {after:?}");
    Case::new(name, async move {
        let ground = Ground::new(channel, &CAPS).await?;
        let played = play(&ground, point, again, after).await;
        played.with_context(|| ground.told())
    })
}

async fn play(ground: &Ground, point: Point, again: Option<&str>, after: After) -> Result<()> {
    let server = match point.name() {
        Some(name) => ground.serve_until(name).await?,
        None => ground.serve().await?,
    };
    let from = events::position(&ground.app).await?;
    let digits = ground.code().await?;
    let answered = die(ground, server, point, &digits, from).await?;

    let server = ground.serve_again(again, "applypay", &till::order(&digits)).await?;
    let end = point.end(after);
    let reply = finish(ground, after, end, &digits, from).await?;
    if let Some(answered) = answered {
        // What the till was told before stands.
        ensure!(
            answered.text("pay_status") != "PS_FAILED"
                && answered.text("pay_out_trade_no") == reply.text("pay_out_trade_no"),
            "{} became {}",
            answered.body,
            reply.body
        );
    }
    proved(ground, end, &reply, &digits, from).await?;
    ground.close(server).await
}

/// Places the order and lets the server die; the till's answer, where it had one.
async fn die(ground: &Ground, server: Process, point: Point, digits: &str, from: i64) -> Result<Option<Reply>> {
    let request = till::order(digits);
    match point {
        Point::Called(sent) => {
            let operation = deduction(ground.channel);
            ground
                .kill_while_sent(server, sent, operation, ("applypay", &request))
                .await?;
            Ok(None)
        }
        Point::Told => {
            // An App that listens, and reads nothing before the server is dead.
            let _stream = ground.app.events(Some(from)).await?;
            let reply = ground.till.call("applypay", &request).await?;
            server.kill().await?;
            Ok(Some(reply))
        }
        Point::Notified => {
            let reply = ground.till.call("applypay", &request).await;
            dead(server).await?;
            // The till may have been faster than the notification.
            Ok(reply.ok())
        }
        _ => {
            let reply = ground.till.call("applypay", &request).await;
            dead(server).await?;
            match reply {
                Ok(reply) => bail!("the till had an answer: {}", reply.body),
                Err(_) => Ok(None),
            }
        }
    }
}

/// Goes on after the restart until the order has its end; what `orderquery` says of it.
async fn finish(ground: &Ground, after: After, end: End, digits: &str, from: i64) -> Result<Reply> {
    if end == End::NeverWas {
        return ground.till.call("orderquery", &till::named()).await;
    }
    match after {
        After::Repeat => {
            let request = till::order(digits);
            let is_end = |reply: &Reply| reply.text("pay_status") != "PS_PAYING";
            let last = till::until(&ground.till, "applypay", &request, END_MAX, is_end).await?;
            till::same_again(&ground.till, "applypay", &request, &last).await?;
        }
        After::Query => {
            till::until_known(&ground.till, END_MAX).await?;
        }
        After::Nothing => events::wait(&ground.app, from, &ENDS, END_MAX).await?,
    }
    ground.till.call("orderquery", &till::named()).await
}

/// The order, the gateway's books and what the App is told agree.
async fn proved(ground: &Ground, end: End, reply: &Reply, digits: &str, from: i64) -> Result<()> {
    let books = ground.books();
    let told = events::after(&ground.app, from).await?;
    let (status, debits, events): (_, _, &[&str]) = match end {
        End::NeverWas => {
            ensure!(reply.code() == "ORDER_NOT_FOUND", "there is an order: {}", reply.body);
            ("", 0, &[])
        }
        End::Closed => ("PS_CLOSED", 0, &["payment.placed", "payment.closed"]),
        End::Paid => ("PS_SUCCESS", 1, &["payment.placed", "payment.succeeded"]),
    };
    ensure!(
        reply.text("pay_status") == status,
        "the order is not {status}: {}",
        reply.body
    );
    let fits = |movement: &metropay_simulator::Movement| {
        movement.kind == MovementKind::Debit
            && movement.amount_fen == PRICE
            && movement.payment_no == reply.text("pay_out_trade_no")
    };
    ensure!(
        books.len() == debits && books.iter().all(fits),
        "{end:?}, and the gateway's books say {books:?}"
    );
    ensure!(told == events, "{end:?}, and the App is told {told:?}");
    match end {
        End::NeverWas => {
            // Nothing was written down, so that the code still pays.
            let paid = till::pay(&ground.till, digits).await?;
            ensure!(ground.books().len() == 1, "not debited once: {}", paid.body);
        }
        End::Closed => {
            // The number is used up: its repeats never pay.
            let again = ground.till.call("applypay", &till::order(digits)).await?;
            ensure!(
                again.text("pay_status") == "PS_FAILED",
                "a closed order: {}",
                again.body
            );
            ensure!(ground.books().is_empty(), "a closed order was debited");
        }
        End::Paid => {
            // An App whose stream broke off goes on from where it stood, and misses nothing.
            let mut stream = LiveEvents::open(&ground.app, Some(from)).await?;
            for kind in events {
                stream.next(kind, Duration::from_secs(10), |_| true).await?;
            }
        }
    }
    till::same_again(
        &ground.till,
        "orderquery",
        &till::named(),
        &ground.till.call("orderquery", &till::named()).await?,
    )
    .await
}
