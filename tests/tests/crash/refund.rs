//! A server that dies in a refund.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_simulator::{Movement, MovementKind};
use metropay_tests::Reply;
use metropay_tests::process::Process;
use metropay_tests::store::Store;
use serde_json::{Value, json};

use crate::crowd::{self, Case};
use crate::ground::{CHANNELS, Ground, PRICE, dead};
use crate::{After, Sent, events, till};

/// Where the server dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    /// R1: the part is reserved and the refund written down, the channel was not called.
    Reserved,
    /// R2: the channel was called and has not answered.
    Called(Sent),
    /// R3: the channel answered, nothing of it was taken in.
    Answered,
    /// R3b: the answer is being written down, and not committed.
    Settling,
    /// R4: committed, the till was not answered.
    Settled,
}

impl Point {
    /// The slowest first: what Alipay never got is sent again only after two minutes.
    const ALL: [Self; 6] = [
        Self::Reserved,
        Self::Called(Sent::Lost),
        Self::Called(Sent::Done),
        Self::Answered,
        Self::Settling,
        Self::Settled,
    ];

    /// The fail point; none where the server is killed from outside.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Reserved => Some("R1"),
            Self::Answered => Some("R3"),
            Self::Settling => Some("R3b"),
            Self::Settled => Some("R4"),
            Self::Called(_) => None,
        }
    }
}

/// The operation of each gateway that refunds.
fn operation(channel: &str) -> &'static str {
    match channel {
        "wechat" => "refund",
        "alipay" => "alipay.trade.refund",
        _ => "04",
    }
}

const CAPS: [(&str, u64); 2] = [("till_wait_ms", 3_000), ("send_lease_ms", 4_000)];
/// How long a refund may take to its end after the restart.
const END_MAX: Duration = Duration::from_secs(170);
/// What goes back.
const BACK: u64 = 200;

fn request() -> Value {
    json!({ "out_request_no": till::ORDER, "out_refund_no": "SZTX001-CRASH-R1", "refund_fee": BACK })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refund_whose_server_dies_goes_back_exactly_once() {
    if !Store::asked().is_there().await {
        return;
    }
    let mut cases = Vec::new();
    // Alipay first: its cases last longest.
    for channel in ["alipay", "wechat", "unionpay"] {
        for point in Point::ALL {
            for after in [After::Nothing, After::Repeat] {
                cases.push(case(channel, point, None, after));
            }
        }
    }
    // And once more while the till's repeat makes good what the first death left.
    for channel in CHANNELS {
        cases.push(case(channel, Point::Called(Sent::Done), Some("R3b"), After::Repeat));
    }
    for channel in ["wechat", "unionpay"] {
        cases.push(case(channel, Point::Reserved, Some("R3"), After::Repeat));
        cases.push(case(channel, Point::Called(Sent::Lost), Some("R3b"), After::Repeat));
    }
    crowd::play(cases).await;
}

fn case(channel: &'static str, point: Point, again: Option<&'static str>, after: After) -> Case {
    let second = again.map(|again| format!(", then at {again}")).unwrap_or_default();
    let name = format!("refund, {point:?}{second}, {channel}, then {after:?}");
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
    let paid = till::pay(&ground.till, &ground.code().await?).await?;
    die(ground, server, point).await?;

    let server = ground.serve_again(again, "refund", &request()).await?;
    if after == After::Nothing {
        events::wait(&ground.app, from, &["payment.refunded"], END_MAX).await?;
    }
    let is_end = |reply: &Reply| reply.text("pay_refund_status") != "RS_PROCESSING";
    let end = till::until(&ground.till, "refund", &request(), END_MAX, is_end).await?;
    till::same_again(&ground.till, "refund", &request(), &end).await?;
    proved(ground, &paid, &end, from).await?;
    ground.close(server).await
}

/// Asks for the refund and lets the server die.
async fn die(ground: &Ground, server: Process, point: Point) -> Result<()> {
    match point {
        Point::Called(sent) => {
            let operation = operation(ground.channel);
            ground
                .kill_while_sent(server, sent, operation, ("refund", &request()))
                .await?;
        }
        _ => {
            let reply = ground.till.call("refund", &request()).await;
            dead(server).await?;
            ensure!(reply.is_err(), "the till had an answer");
        }
    }
    Ok(())
}

/// The refund, the gateway's books and what the App is told agree.
async fn proved(ground: &Ground, paid: &Reply, end: &Reply, from: i64) -> Result<()> {
    ensure!(
        end.text("pay_refund_status") == "RS_SUCCESS",
        "not refunded: {}",
        end.body
    );
    let books = ground.books();
    let [debit, back] = books.as_slice() else {
        anyhow::bail!("not one debit and one refund: {books:?}");
    };
    ensure!(
        (debit.kind, debit.amount_fen) == (MovementKind::Debit, PRICE),
        "{debit:?}"
    );
    let fits = |back: &Movement| {
        (back.kind, back.amount_fen) == (MovementKind::Refund, BACK)
            && back.order_no == end.text("pay_refund_id")
            && back.payment_no == paid.text("pay_out_trade_no")
    };
    ensure!(fits(back), "{} is {back:?} at the gateway", end.body);
    let told = events::after(&ground.app, from).await?;
    ensure!(
        told == ["payment.placed", "payment.succeeded", "payment.refunded"],
        "the App is told {told:?}"
    );
    // What is left of the order can still be refunded, and not a fen more.
    let rest =
        |fee: u64| json!({ "out_request_no": till::ORDER, "out_refund_no": "SZTX001-CRASH-R2", "refund_fee": fee });
    let more = ground.till.call("refund", &rest(PRICE - BACK + 1)).await?;
    ensure!(more.code() == "REFUND_EXCEEDS", "more than is left: {}", more.body);
    Ok(())
}
