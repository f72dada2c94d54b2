//! Another order is paid and undone, and stays undone.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::purchase::about;
use super::scene::{Order, Scene, refusal, said};
use super::sheet::{Came, Sheet, Stopped};
use super::tally::{Tally, yuan};
use crate::demo::client::Reply;

/// What the order costs, in fen.
const PRICE: u64 = 600;
/// How often a till calls again while it is told to, and how long it rests before.
const CALLS_MAX: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// Plays it.
pub(super) async fn play(scene: &mut Scene<'_>, sheet: &mut Sheet, tally: &mut Tally) -> Result<(), Stopped> {
    let paid = scene.paid(PRICE);
    let order = sheet
        .play(format!("till: pay another, {}", yuan(PRICE)), paid, pay(scene))
        .await?;
    tally.paid(scene.way.channel, PRICE);
    sheet
        .play("till: reverse it", "recall N", reverse(scene, &order))
        .await?;
    tally.reversed(scene.way.channel, PRICE);
    let expected = format!("payment.reversed {}", yuan(PRICE));
    sheet.check("App: told", expected, told(scene, &order)).await;
    sheet.check("till: query it", "PS_CLOSED", query(scene, &order)).await;
    sheet
        .check("till: the same number again", "PS_FAILED", repeat(scene, &order))
        .await;
    sheet
        .check("till: refund it", "422 ORDER_REVERSED", refund(scene, &order))
        .await;
    let expected = format!("+{} -{}", yuan(PRICE), yuan(PRICE));
    sheet
        .check(
            "gateway: its books of the order",
            expected,
            scene.movements(&order.pay_no),
        )
        .await;
    Ok(())
}

async fn pay(scene: &Scene<'_>) -> Result<Came<Order>> {
    let code = scene.code().await?;
    scene.pay("UNDO", &code.digits, PRICE).await
}

/// Calls until it is certain, as a till must.
async fn reverse(scene: &Scene<'_>, order: &Order) -> Result<Came> {
    for call in 1..=CALLS_MAX {
        let reply = scene.till("reverse", &json!({ "out_request_no": order.no })).await?;
        if reply.status != 200 {
            return Ok(Came::words(refusal(&reply)));
        }
        if reply.text("recall") != "Y" {
            let note = match call {
                1 => String::new(),
                _ => format!("after {call} calls"),
            };
            return Ok(Came::words(format!("recall {}", reply.text("recall"))).note(note));
        }
        sleep(PAUSE).await;
    }
    Ok(Came::words(format!("recall Y after {CALLS_MAX} calls")))
}

/// The event may have come while the till was still waiting.
async fn told(scene: &mut Scene<'_>, order: &Order) -> Result<Came> {
    scene
        .told("payment.reversed", Instant::now(), about(order), |event| {
            yuan(event.amount("total_fee"))
        })
        .await
}

async fn query(scene: &Scene<'_>, order: &Order) -> Result<Came> {
    let reply = scene.till("orderquery", &json!({ "out_request_no": order.no })).await?;
    Ok(Came::words(status(&reply)))
}

async fn repeat(scene: &Scene<'_>, order: &Order) -> Result<Came> {
    let reply = scene.scan(0, &order.no, &order.digits, PRICE).await?;
    Ok(Came::words(status(&reply)))
}

async fn refund(scene: &Scene<'_>, order: &Order) -> Result<Came> {
    let wish = json!({ "out_request_no": order.no, "out_refund_no": scene.no("LATE"), "refund_fee": 1 });
    let reply = scene.till("refund", &wish).await?;
    Ok(Came::words(said(&reply, |reply| reply.text("pay_refund_status"))))
}

fn status(reply: &Reply) -> String {
    said(reply, |reply| reply.text("pay_status"))
}
