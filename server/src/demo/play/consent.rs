//! The rider opens his code, is scanned without a mandate, and signs.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::time::Instant;

use super::scene::{Scene, Shown, refusal, said, standing};
use super::sheet::{Came, Sheet, Stopped};
use super::tally::yuan;
use crate::demo::client::{LiveEvent, Phone};

/// How long a mandate may take to become usable after it was signed.
const SIGNED_MAX: Duration = Duration::from_secs(10);

/// Plays it; answers the code that was scanned, which is still good.
pub(super) async fn play(scene: &mut Scene<'_>, sheet: &mut Sheet, fen: u64) -> Result<Shown, Stopped> {
    sheet
        .play("App: open the code account", "NOT_OPENED -> ACTIVE", open(scene))
        .await?;
    let code = sheet
        .play("App: show a code", "20 digits, QR code, bar code", show(scene))
        .await?;
    sheet
        .check("till: whose code is this", scene.way.rider.0, whose(scene, &code))
        .await;
    let asked = Instant::now();
    let what = format!("till: scan {}, no mandate yet", yuan(fen));
    let scanned = async {
        let reply = scene.scan(0, &scene.no("EARLY"), &code.digits, fen).await?;
        Ok(Came::words(standing(&reply)))
    };
    sheet.check(what, "422 NEED_MANDATE", scanned).await;
    let needed = format!("mandate.needed {}", scene.way.channel);
    sheet
        .check("App: told at once", needed, told(scene, &code, asked))
        .await;
    sheet
        .check("App: the code is not consumed", "NEED_MANDATE", scene.code_state(&code))
        .await;
    sheet
        .play(
            "rider: sign on the channel's page",
            "mandate.active, ACTIVE",
            sign(scene),
        )
        .await?;
    Ok(code)
}

async fn open(scene: &Scene<'_>) -> Result<Came> {
    let before = scene.app.get("code-account").await?;
    let after = scene.app.post("code-account", &json!({})).await?;
    let status = |reply| said(reply, |reply| reply.text("status"));
    Ok(Came::words(format!("{} -> {}", status(&before), status(&after))))
}

async fn show(scene: &Scene<'_>) -> Result<Came<Shown>> {
    let code = scene.code().await?;
    let digits = code.digits.bytes().filter(u8::is_ascii_digit).count();
    let pictures = ["QR code", "bar code"].into_iter().zip(&code.pictures);
    let drawn = pictures.map(|(name, svg)| if svg.contains("<svg") { name } else { "nothing" });
    let drawn: Vec<&str> = drawn.collect();
    Ok(Came::words(format!("{digits} digits, {}", drawn.join(", "))).with(code))
}

async fn whose(scene: &Scene<'_>, code: &Shown) -> Result<Came> {
    let reply = scene.till("queryuid", &json!({ "qrcode": code.digits })).await?;
    Ok(Came::words(said(&reply, |reply| reply.text("uid"))))
}

async fn told(scene: &mut Scene<'_>, code: &Shown, asked: Instant) -> Result<Came> {
    let about = |event: &LiveEvent| event.body["code_id"] == code.id.as_str();
    scene
        .told("mandate.needed", asked, about, |event| event.text("chosen").to_owned())
        .await
}

async fn sign(scene: &mut Scene<'_>) -> Result<Came> {
    let wish = json!({ "mch_id": scene.stage.mch_id(), "channel": scene.way.channel });
    let begun = scene.app.post("mandates", &wish).await?;
    let Some(page) = begun.body["data"]["page"]["url"].as_str() else {
        return Ok(Came::words(format!("no page to sign on: {}", refusal(&begun))));
    };
    Phone::new(&scene.app.uid).agree(page).await.context("on the page")?;
    let active = scene.live.next("mandate.active", SIGNED_MAX, |_| true).await?;
    let mandate = scene.app.get(&format!("mandates/{}", begun.text("mandate_id"))).await?;
    let state = said(&mandate, |reply| reply.text("state"));
    Ok(Came::words(format!("{}, {state}", active.kind)))
}
