//! First chapter: the rider opens his code, is scanned without a mandate, and signs.

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

/// Plays the chapter; answers the code that was scanned, which is still good.
pub(super) async fn play(scene: &mut Scene<'_>, sheet: &mut Sheet, fen: u64) -> Result<Shown, Stopped> {
    let opened = sheet.play("open the code account", "NOT_OPENED -> ACTIVE", open(scene));
    opened.await?;
    let code = sheet.play("show a code", "20 digits, QR code and bar code", show(scene));
    let code = code.await?;
    let rider = scene.way.rider.0;
    sheet
        .check("till: whose code is this", rider, whose(scene, &code))
        .await;
    let asked = Instant::now();
    let what = format!("till: scan it for {}, no mandate yet", yuan(fen));
    let scanned = async {
        let reply = scene.scan(0, &scene.no("EARLY"), &code.digits, fen).await?;
        Ok(Came::words(standing(&reply)))
    };
    sheet.check(what, "422 NEED_MANDATE", scanned).await;
    sheet
        .check("App: told at once", "mandate.needed", needed(scene, &code, asked))
        .await;
    sheet
        .check(
            "App: the code was not consumed",
            "NEED_MANDATE",
            scene.code_state(&code),
        )
        .await;
    let signed = sheet.play("sign on the channel's own page", "mandate.active, ACTIVE", sign(scene));
    signed.await?;
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
    let pictures = ["QR code", "bar code"]
        .into_iter()
        .zip(&code.pictures)
        .filter(|(_, svg)| svg.trim_start().starts_with("<svg") || svg.contains("<svg "))
        .map(|(name, _)| name);
    let pictures: Vec<&str> = pictures.collect();
    let words = format!("{digits} digits, {}", pictures.join(" and "));
    Ok(Came::words(words).with(code))
}

async fn whose(scene: &Scene<'_>, code: &Shown) -> Result<Came> {
    let reply = scene.till("queryuid", &json!({ "qrcode": code.digits })).await?;
    Ok(Came::words(said(&reply, |reply| reply.text("uid"))))
}

async fn needed(scene: &mut Scene<'_>, code: &Shown, asked: Instant) -> Result<Came> {
    let about = |event: &LiveEvent| event.body["code_id"] == code.id.as_str();
    Ok(scene.told("mandate.needed", asked, about).await?.with(()))
}

async fn sign(scene: &mut Scene<'_>) -> Result<Came> {
    let wish = json!({ "mch_id": scene.stage.mch_id(), "channel": scene.way.channel });
    let begun = scene.app.post("mandates", &wish).await?;
    let Some(page) = begun.body["data"]["page"]["url"].as_str() else {
        return Ok(Came::words(format!("no page to sign on: {}", refusal(&begun))));
    };
    Phone::new(&scene.app.uid).agree(page).await.context("on the page")?;
    let active = scene.live.next("mandate.active", SIGNED_MAX, |_| true).await?;
    let path = format!("mandates/{}", begun.text("mandate_id"));
    let mandate = scene.app.get(&path).await?;
    let state = said(&mandate, |reply| reply.text("state"));
    Ok(Came::words(format!("{}, {state}", active.kind)))
}
