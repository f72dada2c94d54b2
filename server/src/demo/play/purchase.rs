//! The same code again, now paid; the order asked about by both numbers, and given back in parts.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::scene::{Order, Scene, Shown, refusal, said, standing};
use super::sheet::{Came, Sheet, Stopped};
use super::tally::{Tally, yuan};
use crate::demo::client::{LiveEvent, Reply};

/// What the order costs, in fen.
pub(super) const PRICE: u64 = 1_280;
/// The part that goes back first.
const PART: u64 = 280;
/// What goes back then.
const REST: u64 = PRICE - PART;
/// How often a till repeats a refund that is still in progress, and how long it rests before.
const REPEATS_MAX: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

/// Pays with a code that was shown before the rider had signed.
pub(super) async fn pay(
    scene: &mut Scene<'_>,
    sheet: &mut Sheet,
    tally: &mut Tally,
    code: &Shown,
) -> Result<Order, Stopped> {
    let paid = scene.paid(PRICE);
    let what = format!("till: scan the same code, {}", yuan(PRICE));
    let order = sheet.play(what, &paid, scene.pay("BUY", &code.digits, PRICE)).await?;
    tally.paid(scene.way.channel, PRICE);
    tally.paid_order.get_or_insert(order.pay_no.clone());
    for (what, kind, since) in [
        ("App: told that it is placed", "payment.placed", order.asked),
        ("App: told that it is paid", "payment.succeeded", order.answered),
    ] {
        let expected = format!("{kind} {}", yuan(PRICE));
        sheet.check(what, expected, told(scene, kind, since, &order)).await;
    }
    sheet.check("App: the code", "PAID", scene.code_state(code)).await;
    let again = async {
        let reply = scene.scan(1, &scene.no("AGAIN"), &code.digits, PRICE).await?;
        Ok(Came::words(standing(&reply)))
    };
    sheet.check("till 2: scan the used code", "422 CODE_USED", again).await;
    let by_request = query(scene, 0, json!({ "out_request_no": order.no }));
    sheet.check("till: query by merchant's number", &paid, by_request).await;
    let by_number = query(scene, 1, json!({ "pay_out_trade_no": order.pay_no }));
    sheet
        .check("till 2: query by platform's number", &paid, by_number)
        .await;
    sheet
        .check(
            "App: in the records",
            "listed, PAID, with bar code",
            record(scene, &order),
        )
        .await;
    Ok(order)
}

/// Gives an order back in parts, and not a fen more.
pub(super) async fn refund(
    scene: &mut Scene<'_>,
    sheet: &mut Sheet,
    tally: &mut Tally,
    order: &Order,
) -> Result<(), Stopped> {
    for (what, name, fen) in [("a part", "PART", PART), ("the rest", "REST", REST)] {
        let what = format!("till: refund {what}, {}", yuan(fen));
        let expected = format!("RS_SUCCESS {}", yuan(fen));
        sheet.play(what, expected, back(scene, order, name, fen)).await?;
        tally.refunded(scene.way.channel, fen);
        let expected = format!("payment.refunded {}", yuan(fen));
        sheet.check("App: told", expected, told_back(scene, order)).await;
    }
    let expected = "422 REFUND_EXCEEDS, 0.00 left";
    sheet
        .check("till: refund one fen more", expected, too_much(scene, order))
        .await;
    let expected = format!("2 refunds, {} of {}", yuan(PRICE), yuan(PRICE));
    sheet
        .check("App: the record now", expected, record_after(scene, order))
        .await;
    let expected = format!("+{} -{} -{}", yuan(PRICE), yuan(PART), yuan(REST));
    sheet
        .check(
            "gateway: its books of the order",
            expected,
            scene.movements(&order.pay_no),
        )
        .await;
    Ok(())
}

async fn query(scene: &Scene<'_>, store: usize, key: Value) -> Result<Came> {
    let reply = scene.call(store, "orderquery", &key).await?;
    Ok(Came::words(standing(&reply)))
}

/// Whether an event is about an order.
pub(super) fn about(order: &Order) -> impl Fn(&LiveEvent) -> bool {
    let pay_no = order.pay_no.clone();
    move |event| event.text("pay_out_trade_no") == pay_no
}

async fn told(scene: &mut Scene<'_>, kind: &str, since: Instant, order: &Order) -> Result<Came> {
    scene
        .told(kind, since, about(order), |event| yuan(event.amount("total_fee")))
        .await
}

async fn told_back(scene: &mut Scene<'_>, order: &Order) -> Result<Came> {
    let amount = |event: &LiveEvent| yuan(event.amount("refund_fee"));
    scene
        .told("payment.refunded", Instant::now(), about(order), amount)
        .await
}

async fn record(scene: &Scene<'_>, order: &Order) -> Result<Came> {
    let list = scene.app.get("records").await?;
    let mut records = list.body["data"]["records"].as_array().into_iter().flatten();
    let listed = match records.any(|record| record["pay_out_trade_no"] == order.pay_no.as_str()) {
        true => "listed",
        false => "not listed",
    };
    let detail = scene.record(&order.pay_no).await?;
    let picture = match detail.text("barcode_svg").contains("<svg") {
        true => "with bar code",
        false => "without bar code",
    };
    let status = said(&detail, |reply| reply.text("status"));
    Ok(Came::words(format!("{listed}, {status}, {picture}")))
}

/// Asks for a refund, and while it is in progress repeats the same number, as a till must.
async fn back(scene: &Scene<'_>, order: &Order, name: &str, fen: u64) -> Result<Came> {
    let wish = json!({ "out_request_no": order.no, "out_refund_no": scene.no(name), "refund_fee": fen });
    let mut reply = scene.till("refund", &wish).await?;
    let mut repeats = 0;
    while reply.text("pay_refund_status") == "RS_PROCESSING" && repeats < REPEATS_MAX {
        repeats += 1;
        sleep(PAUSE).await;
        reply = scene.till("refund", &wish).await?;
    }
    let words = said(&reply, |reply| {
        let amount = reply.body["data"]["pay_refund_fee"].as_u64().unwrap_or(0);
        format!("{} {}", reply.text("pay_refund_status"), yuan(amount))
    });
    let note = match repeats {
        0 => String::new(),
        _ => format!("after {repeats} repeats"),
    };
    Ok(Came::words(words).note(note))
}

async fn too_much(scene: &Scene<'_>, order: &Order) -> Result<Came> {
    let wish = json!({ "out_request_no": order.no, "out_refund_no": scene.no("MORE"), "refund_fee": 1 });
    let reply = scene.till("refund", &wish).await?;
    let left = reply.body["remaining"].as_u64().map_or_else(|| "?".to_owned(), yuan);
    Ok(Came::words(format!("{}, {left} left", refusal(&reply))))
}

async fn record_after(scene: &Scene<'_>, order: &Order) -> Result<Came> {
    let reply = scene.record(&order.pay_no).await?;
    Ok(Came::words(said(&reply, refunds)))
}

fn refunds(record: &Reply) -> String {
    let data = &record.body["data"];
    let fen = |field: &str| yuan(data[field].as_u64().unwrap_or(0));
    let done = data["refunds"].as_array().into_iter().flatten();
    let done = done.filter(|refund| refund["status"] == "DONE").count();
    format!("{done} refunds, {} of {}", fen("refunded_fee"), fen("total_fee"))
}
