//! Fourth chapter: what goes wrong in the world. An answer that is lost, a code at two tills at once, a cap that is met.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::Instant;

use super::purchase::about;
use super::scene::{Order, Scene, refusal, said, standing};
use super::sheet::{Came, Sheet, Stopped};
use super::stage::{CAP_FEN, TILL_WAIT};
use super::tally::{Tally, yuan};
use crate::demo::client::Reply;

/// What the order costs whose answer is lost, in fen.
const LOST: u64 = 990;
/// What the order costs that two tills want, in fen.
const TWICE: u64 = 350;
/// How long the gateway keeps the caller waiting after it acted: longer than a till waits, and than the completer needs.
const HANG: Duration = Duration::from_secs(7);
/// How much longer than its time a till may have to wait.
const SLACK: Duration = Duration::from_secs(1);

/// The channel deducts, and its answer is lost, and so is its notification.
pub(super) async fn lost_answer(scene: &mut Scene<'_>, sheet: &mut Sheet, tally: &mut Tally) -> Result<(), Stopped> {
    let what = format!("till: pay {}, the answer is lost", yuan(LOST));
    let order = sheet
        .play(what, "PS_PAYING within the till's time", pay_unheard(scene))
        .await;
    let found = match &order {
        Ok(order) => {
            let found = completed(scene, order);
            sheet
                .play("the completer finds that it is paid", "payment.succeeded", found)
                .await
        }
        Err(_) => Err(Stopped),
    };
    // Whatever came of it, the next steps are played without faults.
    let cleared = async { scene.stage.control.clear_faults().await.map(|()| Came::words("")) };
    if cleared.await.is_err() {
        return Err(Stopped);
    }
    let order = order?;
    found?;
    tally.paid(scene.way.channel, LOST);
    let repeat = async {
        let reply = scene.scan(0, &order.no, &order.digits, LOST).await?;
        let same = reply.text("pay_out_trade_no") == order.pay_no;
        let which = if same { "the same order" } else { "another order" };
        Ok(Came::words(said(&reply, |reply| {
            format!("{}, {which}", reply.text("pay_status"))
        })))
    };
    sheet
        .check("till: the same number again", "PS_SUCCESS, the same order", repeat)
        .await;
    let books = scene.movements(&order.pay_no);
    sheet
        .check("gateway's books: one debit", format!("+{}", yuan(LOST)), books)
        .await;
    Ok(())
}

async fn pay_unheard(scene: &Scene<'_>) -> Result<Came<Order>> {
    let (control, gateway) = (&scene.stage.control, scene.way.channel);
    let hang_ms = u64::try_from(HANG.as_millis())?;
    let hangs = json!({ "gateway": gateway, "operation": scene.way.deduction, "effect": "hang_after", "ms": hang_ms });
    let mute = json!({ "gateway": gateway, "operation": "notify", "effect": "notice_lost", "times": 0 });
    control.fault(&hangs).await?;
    control.fault(&mute).await?;
    let code = scene.code().await?;
    let (no, asked) = (scene.no("LOST"), Instant::now());
    let reply = scene.scan(0, &no, &code.digits, LOST).await?;
    let took = asked.elapsed();
    let when = if took <= TILL_WAIT + SLACK {
        "within the till's time"
    } else {
        "too late"
    };
    let words = said(&reply, |reply| format!("{} {when}", reply.text("pay_status")));
    let order = Order {
        no,
        pay_no: reply.text("pay_out_trade_no"),
        digits: code.digits,
        asked,
    };
    Ok(Came::words(words).with(order))
}

/// The App is told before the gateway lets go of the sender: so it was the completer who asked.
async fn completed(scene: &mut Scene<'_>, order: &Order) -> Result<Came> {
    let event = scene.live.next("payment.succeeded", HANG * 2, about(order)).await?;
    let after = event.arrived.saturating_duration_since(order.asked);
    let words = if after < HANG {
        "payment.succeeded"
    } else {
        "payment.succeeded, but not by the completer"
    };
    let note = format!("{} ms after the scan", after.as_millis());
    Ok(Came::words(words).note(note))
}

/// Two tills scan one code at the same moment.
pub(super) async fn two_tills(scene: &Scene<'_>, sheet: &mut Sheet, tally: &mut Tally) -> Result<(), Stopped> {
    let expected = format!("{} and 422 CODE_USED", scene.paid(TWICE));
    let pay_no = sheet
        .play(
            format!("two tills at once: one code, {}", yuan(TWICE)),
            expected,
            at_once(scene),
        )
        .await?;
    tally.paid(scene.way.channel, TWICE);
    let books = scene.movements(&pay_no);
    sheet
        .check("gateway's books: one debit", format!("+{}", yuan(TWICE)), books)
        .await;
    Ok(())
}

async fn at_once(scene: &Scene<'_>) -> Result<Came<String>> {
    let code = scene.code().await?;
    let numbers = [scene.no("TWICE-1"), scene.no("TWICE-2")];
    let (one, other) = tokio::join!(
        scene.scan(0, &numbers[0], &code.digits, TWICE),
        scene.scan(1, &numbers[1], &code.digits, TWICE)
    );
    let (winner, loser, which) = match (one?, other?) {
        (one, other) if one.status == 200 => (one, other, "the first"),
        (one, other) => (other, one, "the second"),
    };
    let words = format!("{} and {}", standing(&winner), standing(&loser));
    Ok(Came::words(words)
        .note(format!("{which} was faster"))
        .with(winner.text("pay_out_trade_no")))
}

/// More than one payment may be, and more than the day may be; the code is none the worse for it.
pub(super) async fn limits(scene: &Scene<'_>, sheet: &mut Sheet) -> Result<(), Stopped> {
    let code = async { Ok(Came::words("shown").with(scene.code().await?)) };
    let code = sheet.play("App: show another code", "shown", code).await?;
    let scan = async |name: &str, fen: u64| {
        let reply = scene.scan(0, &scene.no(name), &code.digits, fen).await?;
        Ok(Came::words(capped(&reply)))
    };
    let what = format!("till: scan it for {}", yuan(CAP_FEN + 1));
    sheet
        .check(what, "422 LIMIT_EXCEEDED per_payment", scan("CAP-1", CAP_FEN + 1))
        .await;
    let what = format!("till: for {}, over the day's cap", yuan(CAP_FEN));
    sheet
        .check(what, "422 LIMIT_EXCEEDED per_user_day", scan("CAP-2", CAP_FEN))
        .await;
    sheet
        .check("App: the code is still good", "WAITING", scene.code_state(&code))
        .await;
    Ok(())
}

fn capped(reply: &Reply) -> String {
    let cap = reply.body["limit"].as_str().unwrap_or_default();
    format!("{} {cap}", refusal(reply)).trim_end().to_owned()
}
