//! What goes wrong in the world: an answer is lost, a code is at two tills at once, a cap is met.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::purchase::about;
use super::scene::{Order, Scene, said, standing};
use super::sheet::{Came, Sheet, Stopped};
use super::stage::{CAP_FEN, TILL_WAIT};
use super::tally::{Tally, yuan};
use crate::demo::client::Reply;

/// What the order costs whose answer is lost, in fen.
const LOST: u64 = 990;
/// What the order costs that two tills want, in fen.
const TWICE: u64 = 350;
/// How long the gateway keeps its caller waiting after it acted.
const HANG: Duration = Duration::from_secs(7);
/// Until then only the completer can have learned the outcome: the sender still waits, its patience is longer than this.
const SENDER_WAITS: Duration = Duration::from_secs(5);
/// How long the gateway takes to answer a query meanwhile: the completer may ask at the very moment at which the till's time
/// ends, and the till is to be told first.
const SLOWNESS: Duration = Duration::from_millis(500);
/// How much longer than its time a till may have to wait.
const SLACK: Duration = Duration::from_secs(1);

/// The gateway deducts; its answer is lost, and so is its notification.
pub(super) async fn lost_answer(scene: &mut Scene<'_>, sheet: &mut Sheet, tally: &mut Tally) -> Result<(), Stopped> {
    let what = format!("till: pay {}, the answer is lost", yuan(LOST));
    let order = sheet
        .play(what, "PS_PAYING in the till's time", pay_unheard(scene))
        .await;
    let found = match &order {
        Ok(order) => {
            let expected = format!("payment.succeeded {}", yuan(LOST));
            sheet
                .play(
                    "completer: finds that it is paid",
                    expected,
                    completed(scene, order, tally),
                )
                .await
        }
        Err(Stopped) => Err(Stopped),
    };
    // Whatever came of it, the next chapters are played without faults.
    let again = async {
        scene.stage.control.clear_faults().await?;
        Ok(Came::words("no faults"))
    };
    sheet.play("gateway: answers again", "no faults", again).await?;
    let order = order?;
    found?;
    sheet
        .check(
            "till: the same number again",
            "PS_SUCCESS, same order",
            repeat(scene, &order),
        )
        .await;
    one_debit(scene, sheet, &order.pay_no, LOST).await;
    Ok(())
}

async fn pay_unheard(scene: &Scene<'_>) -> Result<Came<Order>> {
    let fault = async |mut line: Value| {
        line["gateway"] = scene.way.channel.into();
        scene.stage.control.fault(&line).await
    };
    let (hang_ms, slow_ms) = (u64::try_from(HANG.as_millis())?, u64::try_from(SLOWNESS.as_millis())?);
    fault(json!({ "operation": scene.way.deduction, "effect": "hang_after", "ms": hang_ms })).await?;
    fault(json!({ "operation": "notify", "effect": "notice_lost", "times": 0 })).await?;
    fault(json!({ "operation": scene.way.query, "effect": "delay", "ms": slow_ms, "times": 0 })).await?;
    let code = scene.code().await?;
    let (reply, order) = scene.order("LOST", &code.digits, LOST).await?;
    let when = match order.answered - order.asked <= TILL_WAIT + SLACK {
        true => "in the till's time",
        false => "too late for the till",
    };
    let words = said(&reply, |reply| format!("{} {when}", reply.text("pay_status")));
    Ok(Came::words(words).with(order))
}

/// The App is told while the sender still waits, so it was the completer who asked.
async fn completed(scene: &mut Scene<'_>, order: &Order, tally: &mut Tally) -> Result<Came> {
    let event = scene.live.next("payment.succeeded", HANG * 2, about(order)).await?;
    // What was paid counts, whoever found it.
    tally.paid(scene.way.channel, LOST);
    let after = event.arrived.saturating_duration_since(order.asked);
    let words = format!("{} {}", event.kind, yuan(event.amount("total_fee")));
    let words = match after < SENDER_WAITS {
        true => words,
        false => format!("{words}, but not while the sender waits"),
    };
    Ok(Came::words(words).note(format!("{} ms", after.as_millis())))
}

async fn repeat(scene: &Scene<'_>, order: &Order) -> Result<Came> {
    let reply = scene.scan(0, &order.no, &order.digits, LOST).await?;
    let which = match reply.text("pay_out_trade_no") == order.pay_no {
        true => "same order",
        false => "another order",
    };
    let words = said(&reply, |reply| format!("{}, {which}", reply.text("pay_status")));
    Ok(Came::words(words))
}

/// Two tills scan one code at the same moment.
pub(super) async fn two_tills(scene: &Scene<'_>, sheet: &mut Sheet, tally: &mut Tally) -> Result<(), Stopped> {
    let what = format!("two tills at once: one code, {}", yuan(TWICE));
    let pay_no = sheet
        .play(what, "PS_SUCCESS and 422 CODE_USED", at_once(scene, tally))
        .await?;
    one_debit(scene, sheet, &pay_no, TWICE).await;
    Ok(())
}

async fn at_once(scene: &Scene<'_>, tally: &mut Tally) -> Result<Came<String>> {
    let code = scene.code().await?;
    let numbers = [scene.no("TWICE-1"), scene.no("TWICE-2")];
    let (one, other) = tokio::join!(
        scene.scan(0, &numbers[0], &code.digits, TWICE),
        scene.scan(1, &numbers[1], &code.digits, TWICE)
    );
    let (winner, loser, which) = match (one?, other?) {
        (one, other) if one.status == 200 => (one, other, "till"),
        (one, other) => (other, one, "till 2"),
    };
    let status = said(&winner, |reply| reply.text("pay_status"));
    // What was paid counts, whatever the other till was told.
    if status == "PS_SUCCESS" {
        tally.paid(scene.way.channel, TWICE);
    }
    let words = format!("{status} and {}", standing(&loser));
    let came = Came::words(words).note(which);
    Ok(came.with(winner.text("pay_out_trade_no")))
}

async fn one_debit(scene: &Scene<'_>, sheet: &mut Sheet, pay_no: &str, fen: u64) {
    sheet
        .check(
            "gateway: its books, one debit",
            format!("+{}", yuan(fen)),
            scene.movements(pay_no),
        )
        .await;
}

/// More than one payment may be, and more than the day may be; the code is none the worse for it.
pub(super) async fn limits(scene: &Scene<'_>, sheet: &mut Sheet) -> Result<(), Stopped> {
    let code = async { Ok(Came::words("shown").with(scene.code().await?)) };
    let code = sheet.play("App: show another code", "shown", code).await?;
    let scan = async |name: &str, fen: u64| {
        let reply = scene.scan(0, &scene.no(name), &code.digits, fen).await?;
        Ok(Came::words(capped(&reply)))
    };
    let (over, all) = (CAP_FEN + 1, CAP_FEN);
    sheet
        .check(
            format!("till: scan it for {}", yuan(over)),
            "422 LIMIT_EXCEEDED per_payment",
            scan("CAP-1", over),
        )
        .await;
    sheet
        .check(
            format!("till: for {} beside the others", yuan(all)),
            "422 LIMIT_EXCEEDED per_user_day",
            scan("CAP-2", all),
        )
        .await;
    sheet
        .check("App: the code is still good", "WAITING", scene.code_state(&code))
        .await;
    Ok(())
}

fn capped(reply: &Reply) -> String {
    let cap = reply.body["limit"].as_str().unwrap_or_default();
    format!("{} {cap}", standing(reply)).trim_end().to_owned()
}
