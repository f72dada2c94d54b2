//! A server that dies in a reversal.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_simulator::{Effect, MovementKind};
use metropay_tests::Reply;
use metropay_tests::process::Process;
use metropay_tests::store::Store;

use crate::crowd::{self, Case};
use crate::ground::{CHANNELS, Ground, dead};
use crate::{After, Sent, events, till};

/// Where the server dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    /// V1: the wish is written down.
    Asked,
    /// V2: the channel is about to be asked how the order stands.
    Looking,
    /// V3: the order is being undone at the channel, which has not answered.
    Called(Sent),
    /// V4: the channel answered, nothing of it was taken in.
    Answered,
    /// V4b: the answer is being written down, and not committed.
    Settling,
    /// V5: committed, the till was not answered.
    Settled,
}

impl Point {
    const ALL: [Self; 7] = [
        Self::Asked,
        Self::Looking,
        Self::Called(Sent::Lost),
        Self::Called(Sent::Done),
        Self::Answered,
        Self::Settling,
        Self::Settled,
    ];

    /// The fail point; none where the server is killed from outside.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Asked => Some("V1"),
            Self::Looking => Some("V2"),
            Self::Answered => Some("V4"),
            Self::Settling => Some("V4b"),
            Self::Settled => Some("V5"),
            Self::Called(_) => None,
        }
    }
}

/// The order that is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Paid.
    Paid,
    /// In progress at the channel when the till gives up.
    Open,
    /// In progress for so long that the platform gives up by itself.
    Forsaken,
}

/// The operation of each gateway that deducts, and the one that undoes what was paid.
fn operations(channel: &str) -> (&'static str, &'static str) {
    match channel {
        "wechat" => ("pappayapply", "refund"),
        "alipay" => ("alipay.trade.pay", "alipay.trade.cancel"),
        _ => ("01", "31"),
    }
}

/// How long a reversal may take to its end after the restart.
const END_MAX: Duration = Duration::from_secs(100);

fn caps(order: Order) -> [(&'static str, u64); 3] {
    let revoke_after = if order == Order::Forsaken { 5_000 } else { 120_000 };
    [
        ("till_wait_ms", 3_000),
        ("send_lease_ms", 4_000),
        ("revoke_after_ms", revoke_after),
    ]
}

fn cases(order: Order, points: &[Point], afters: &[After]) -> Vec<Case> {
    let mut cases = Vec::new();
    for point in points {
        for after in afters {
            cases.extend(CHANNELS.map(|channel| case(channel, order, *point, None, *after)));
        }
    }
    cases
}

fn case(channel: &'static str, order: Order, point: Point, again: Option<&'static str>, after: After) -> Case {
    let second = again.map(|again| format!(", then at {again}")).unwrap_or_default();
    let name = format!("reversal of an order {order:?}, {point:?}{second}, {channel}, then {after:?}");
    Case::new(name, async move {
        let ground = Ground::new(channel, &caps(order)).await?;
        let played = play(&ground, order, point, again, after).await;
        played.with_context(|| ground.told())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reversal_whose_server_dies_leaves_no_money_taken() {
    if !Store::asked().is_there().await {
        return;
    }
    let forsaken = [Point::Looking, Point::Answered, Point::Settling];
    let open = [
        Point::Asked,
        Point::Looking,
        Point::Answered,
        Point::Settling,
        Point::Settled,
    ];
    let mut all = cases(Order::Forsaken, &forsaken, &[After::Nothing]);
    all.extend(cases(Order::Open, &open, &[After::Nothing, After::Repeat]));
    all.extend(cases(
        Order::Paid,
        &Point::ALL,
        &[After::Nothing, After::Query, After::Repeat],
    ));
    // And once more while the till's repeat makes good what the first death left.
    let twice = [
        (Point::Asked, "V5"),
        (Point::Called(Sent::Lost), "V4"),
        (Point::Called(Sent::Done), "V4b"),
    ];
    for (point, again) in twice {
        let again = Some(again);
        all.extend(CHANNELS.map(|channel| case(channel, Order::Paid, point, again, After::Repeat)));
    }
    crowd::play(all).await;
}

async fn play(ground: &Ground, order: Order, point: Point, again: Option<&str>, after: After) -> Result<()> {
    let server = match point.name() {
        Some(name) => ground.serve_until(name).await?,
        None => ground.serve().await?,
    };
    let from = events::position(&ground.app).await?;
    let digits = ground.code().await?;
    place(ground, order, &digits).await?;
    die(ground, server, order, point).await?;

    let server = ground.serve_again(again, "reverse", &till::named()).await?;
    finish(ground, after, from).await?;
    proved(ground, order, from).await?;
    let recall = ground.till.call("reverse", &till::named()).await?;
    ensure!(recall.text("recall") == "N", "not certain: {}", recall.body);
    till::same_again(&ground.till, "reverse", &till::named(), &recall).await?;
    ground.close(server).await
}

/// Places the order.
async fn place(ground: &Ground, order: Order, digits: &str) -> Result<()> {
    let hangs_ms = match order {
        Order::Paid => return till::pay(&ground.till, digits).await.map(|_| ()),
        Order::Open => 6_000,
        Order::Forsaken => 20_000,
    };
    let (deduct, _) = operations(ground.channel);
    ground.fault(deduct, Effect::Pending { ms: hangs_ms })?;
    let placed = ground.till.call("applypay", &till::order(digits)).await?;
    ensure!(
        placed.text("pay_status") == "PS_PAYING",
        "the order does not hang: {}",
        placed.body
    );
    Ok(())
}

/// Asks for the reversal, or waits until the platform does, and lets the server die.
async fn die(ground: &Ground, server: Process, order: Order, point: Point) -> Result<()> {
    match point {
        Point::Called(sent) => {
            let (_, undo) = operations(ground.channel);
            ground
                .kill_while_sent(server, sent, undo, ("reverse", &till::named()))
                .await?;
        }
        _ if order == Order::Forsaken => {
            // The till only asks, which is as good a moment as any to find that it takes too long.
            while ground.till.call("orderquery", &till::named()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            dead(server).await?;
        }
        _ => {
            let reply = ground.till.call("reverse", &till::named()).await;
            dead(server).await?;
            if let Ok(reply) = reply {
                // It takes as long as the channel takes; until then the till is told to call again.
                let again = order == Order::Open && reply.text("recall") == "Y";
                ensure!(again, "the till had an answer: {}", reply.body);
            }
        }
    }
    Ok(())
}

/// Goes on after the restart until the reversal has its end.
async fn finish(ground: &Ground, after: After, from: i64) -> Result<()> {
    match after {
        After::Repeat => {
            let certain = |reply: &Reply| reply.text("recall") == "N";
            till::until(&ground.till, "reverse", &till::named(), END_MAX, certain).await?;
        }
        After::Query => {
            let closed = |reply: &Reply| reply.text("pay_status") == "PS_CLOSED";
            till::until(&ground.till, "orderquery", &till::named(), END_MAX, closed).await?;
        }
        After::Nothing => {
            let ends = ["payment.reversed", "payment.closed"];
            events::wait(&ground.app, from, &ends, END_MAX).await?;
        }
    }
    Ok(())
}

/// Nothing is left of the order: at the gateway, here, and in what the App is told.
async fn proved(ground: &Ground, order: Order, from: i64) -> Result<()> {
    let closed = ground.till.call("orderquery", &till::named()).await?;
    ensure!(
        closed.text("pay_status") == "PS_CLOSED",
        "the order is not closed: {}",
        closed.body
    );
    let books = ground.books();
    let debits = books
        .iter()
        .filter(|movement| movement.kind == MovementKind::Debit)
        .count();
    let left = books.iter().fold(0_i64, |left, movement| {
        let amount = i64::try_from(movement.amount_fen).unwrap_or(i64::MAX);
        if movement.kind == MovementKind::Debit {
            left + amount
        } else {
            left - amount
        }
    });
    ensure!(
        debits <= 1 && books.len() == 2 * debits && left == 0,
        "undone, and the gateway's books say {books:?}"
    );
    ensure!(
        order != Order::Paid || debits == 1,
        "paid, and the gateway's books say {books:?}"
    );
    let told = events::after(&ground.app, from).await?;
    let expected: &[&str] = if debits == 1 {
        &["payment.placed", "payment.succeeded", "payment.reversed"]
    } else {
        &["payment.placed", "payment.closed"]
    };
    ensure!(told == expected, "undone, and the App is told {told:?}");
    Ok(())
}
