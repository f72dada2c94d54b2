//! Shoppers who show the code of the channel's own App instead of ours: one who pays at once, and one who must type his
//! password first.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use super::scene::{Order, Scene, said, standing};
use super::sheet::{Came, Sheet, Stopped};
use super::tally::{Tally, yuan};
use crate::demo::client::Phone;

/// What the orders cost, in fen.
const PRICE: u64 = 350;
const WAITED_PRICE: u64 = 450;
/// How often a till asks for an order whose payer types, and how long it rests before.
const ASKED_MAX: u32 = 40;
const PAUSE: Duration = Duration::from_millis(250);

/// Plays it.
pub(super) async fn play(scene: &Scene<'_>, sheet: &mut Sheet, tally: &mut Tally) -> Result<(), Stopped> {
    let (channel, shopper) = (scene.way.channel, Phone::new("passer-by"));
    let what = format!("till: scan the shopper's own {channel} code");
    let expected = format!("{}, no uid", scene.paid(PRICE));
    sheet.play(what, expected, pay(scene, &shopper)).await?;
    tally.paid_by_code(channel, PRICE);

    let expected = format!("PS_PAYING {} {}", scene.way.pay_type, yuan(WAITED_PRICE));
    let what = "till: scan one whose owner must type";
    let (code, order) = sheet.play(what, expected, begin(scene, &shopper)).await?;
    let typed = async {
        let (simulator, way) = (&scene.stage.credentials.simulator_url, scene.way.channel);
        shopper.type_password(simulator, way, &code).await?;
        until_paid(scene, &order).await
    };
    let expected = scene.paid(WAITED_PRICE);
    sheet.play("shopper: types; till: query", expected, typed).await?;
    tally.paid_by_code(channel, WAITED_PRICE);
    Ok(())
}

async fn pay(scene: &Scene<'_>, shopper: &Phone) -> Result<Came> {
    let code = shopper
        .show_code(&scene.stage.credentials.simulator_url, scene.way.channel, false)
        .await?;
    let (reply, order) = scene.order("OWN-CODE", &code, PRICE).await?;
    let paid = standing(&reply);
    // Where the gateway works in the background the first answer may be one moment too early.
    let words = match paid.starts_with("PS_PAYING") {
        true => asked(scene, &order).await?,
        false => paid,
    };
    let uid = match reply.text("uid").as_str() {
        "" => "no uid".to_owned(),
        uid => format!("uid {uid}"),
    };
    Ok(Came::words(format!("{words}, {uid}")))
}

async fn begin(scene: &Scene<'_>, shopper: &Phone) -> Result<Came<(String, Order)>> {
    let code = shopper
        .show_code(&scene.stage.credentials.simulator_url, scene.way.channel, true)
        .await?;
    let (reply, order) = scene.order("TYPED", &code, WAITED_PRICE).await?;
    Ok(Came::words(standing(&reply)).with((code, order)))
}

async fn until_paid(scene: &Scene<'_>, order: &Order) -> Result<Came> {
    Ok(Came::words(asked(scene, order).await?))
}

/// How an order stands once it is known, asked for as a till must.
async fn asked(scene: &Scene<'_>, order: &Order) -> Result<String> {
    let key = json!({ "out_request_no": order.no });
    let mut words = String::new();
    for _ in 0..ASKED_MAX {
        let reply = scene.till("orderquery", &key).await?;
        words = said(&reply, |_| standing(&reply));
        if reply.text("pay_status") != "PS_PAYING" {
            break;
        }
        sleep(PAUSE).await;
    }
    Ok(words)
}
