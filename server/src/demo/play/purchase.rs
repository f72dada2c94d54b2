//! Second chapter: the same code again, now paid; asked about by both numbers; and given back in parts.

use anyhow::Result;
use serde_json::{Value, json};

use super::scene::{Order, Scene, Shown, refusal, said, standing};
use super::sheet::{Came, Sheet, Stopped};
use super::tally::{Tally, yuan};
use crate::demo::client::{LiveEvent, Reply};

/// What the first order costs, in fen.
pub(super) const PRICE: u64 = 1_280;
/// The part that goes back first.
const PART: u64 = 280;
/// What goes back then.
const REST: u64 = PRICE - PART;

/// Pays with the code of the first chapter.
pub(super) async fn pay(
    scene: &mut Scene<'_>,
    sheet: &mut Sheet,
    tally: &mut Tally,
    code: &Shown,
) -> Result<Order, Stopped> {
    let paid = scene.paid(PRICE);
    let what = format!("till: scan the same code, pay {}", yuan(PRICE));
    let order = sheet.play(what, &paid, scene.pay("BUY", &code.digits, PRICE)).await?;
    tally.paid(scene.way.channel, PRICE);
    tally.paid_order.get_or_insert(order.pay_no.clone());
    for (what, kind) in [
        ("App: told that it was placed", "payment.placed"),
        ("App: told that it is paid", "payment.succeeded"),
    ] {
        sheet.check(what, kind, told(scene, kind, &order)).await;
    }
    sheet.check("App: the code", "PAID", scene.code_state(code)).await;
    let again = async {
        let reply = scene.scan(1, &scene.no("AGAIN"), &code.digits, PRICE).await?;
        Ok(Came::words(standing(&reply)))
    };
    sheet
        .check("other till: scan the used code", "422 CODE_USED", again)
        .await;
    let by_request = query(scene, 0, json!({ "out_request_no": order.no }));
    sheet
        .check("till: query by the merchant's number", &paid, by_request)
        .await;
    let by_number = query(scene, 1, json!({ "pay_out_trade_no": order.pay_no }));
    sheet
        .check("other till: query by the platform's number", &paid, by_number)
        .await;
    Ok(order)
}

/// Gives the order back in parts, and not a fen more.
pub(super) async fn refund(
    scene: &mut Scene<'_>,
    sheet: &mut Sheet,
    tally: &mut Tally,
    order: &Order,
) -> Result<(), Stopped> {
    sheet
        .check(
            "App: consumption records",
            "listed, PAID, with bar code",
            record(scene, order),
        )
        .await;
    for (what, name, fen) in [("a part", "PART", PART), ("the rest", "REST", REST)] {
        let expected = format!("RS_SUCCESS {}", yuan(fen));
        sheet
            .play(
                format!("till: refund {what}, {}", yuan(fen)),
                expected,
                back(scene, order, name, fen),
            )
            .await?;
        tally.refunded(scene.way.channel, fen);
    }
    sheet
        .check(
            "till: refund one fen more",
            "422 REFUND_EXCEEDS, 0.00 left",
            too_much(scene, order),
        )
        .await;
    let expected = format!("2 refunds, {} of {} back", yuan(PRICE), yuan(PRICE));
    sheet
        .check("App: the record now", expected, record_after(scene, order))
        .await;
    let expected = format!("+{} -{} -{}", yuan(PRICE), yuan(PART), yuan(REST));
    sheet
        .check(
            "gateway's books of this order",
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

/// Waits for an event about an order, which must come at once after the scan or, where that takes longer, with the answer.
async fn told(scene: &mut Scene<'_>, kind: &str, order: &Order) -> Result<Came> {
    Ok(scene.told(kind, order.asked, about(order)).await?.with(()))
}

async fn record(scene: &Scene<'_>, order: &Order) -> Result<Came> {
    let list = scene.app.get("records").await?;
    let records = list.body["data"]["records"].as_array();
    let listed = records.is_some_and(|records| {
        let mut numbers = records.iter().map(|record| &record["pay_out_trade_no"]);
        numbers.any(|number| number == order.pay_no.as_str())
    });
    let listed = if listed { "listed" } else { "not listed" };
    let detail = scene.record(&order.pay_no).await?;
    let picture = if detail.text("barcode_svg").contains("<svg") {
        "with bar code"
    } else {
        "no bar code"
    };
    let status = said(&detail, |reply| reply.text("status"));
    Ok(Came::words(format!("{listed}, {status}, {picture}")))
}

async fn back(scene: &mut Scene<'_>, order: &Order, name: &str, fen: u64) -> Result<Came> {
    let wish = json!({ "out_request_no": order.no, "out_refund_no": scene.no(name), "refund_fee": fen });
    let reply = scene.till("refund", &wish).await?;
    let amount = |reply: &Reply| reply.body["data"]["pay_refund_fee"].as_u64().unwrap_or(0);
    let words = said(&reply, |reply| {
        format!("{} {}", reply.text("pay_refund_status"), yuan(amount(reply)))
    });
    Ok(Came::words(words))
}

async fn too_much(scene: &Scene<'_>, order: &Order) -> Result<Came> {
    let wish = json!({ "out_request_no": order.no, "out_refund_no": scene.no("MORE"), "refund_fee": 1 });
    let reply = scene.till("refund", &wish).await?;
    let left = reply.body["remaining"].as_u64().map_or_else(|| "?".to_owned(), yuan);
    Ok(Came::words(format!("{}, {left} left", refusal(&reply))))
}

async fn record_after(scene: &Scene<'_>, order: &Order) -> Result<Came> {
    let reply = scene.record(&order.pay_no).await?;
    let data = &reply.body["data"];
    let fen = |field: &str| yuan(data[field].as_u64().unwrap_or(0));
    let done = data["refunds"].as_array().map_or(0, |refunds| {
        refunds.iter().filter(|refund| refund["status"] == "DONE").count()
    });
    let words = said(&reply, |_| {
        format!("{done} refunds, {} of {} back", fen("refunded_fee"), fen("total_fee"))
    });
    Ok(Came::words(words))
}
