//! Members and notices: whoever opens the code is registered at a merchant whose membership system speaks another language than
//! ours, mapped by its rule alone, and at one that has none; another phone number reaches them; and a merchant is told of its money.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_core::id::MchId;
use metropay_core::membership::{Joining, put_system};
use metropay_core::rules::Kind;
use metropay_core::secret::Secret;
use metropay_core::signing::{Algorithm, WEBHOOK_TOLERANCE, WebhookHeaders, WebhookVerifyingKey, verify_webhook};
use metropay_simulator::CLUB_SECRET;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::rules::{STORE, in_force, sign};
use super::scene::{refusal, standing};
use super::sheet::{Came, Sheet, Stopped};
use super::stage::Stage;
use crate::demo::client::{App, Till};

/// The store's rule: its system is asked by GET, with states as digits.
const CLUB_RULE: (Kind, &str, &str) = (
    Kind::Membership,
    include_str!("../../../../scripts/examples/membership/signed_get.luau"),
    include_str!("../../../../scripts/examples/membership/signed_get.test.luau"),
);
/// The rider, and his phones.
const RIDER: (&str, &str) = ("U20010", "13900000010");
const NEW_PHONE: &str = "13900000011";
/// The merchant's server that is told.
const SINK: &str = "shop";
/// What is bought, in fen; a point for each yuan of it.
const PRICE: u64 = 2_500;
/// How long an answer of a merchant's system, or a notice, may take.
const SOON: Duration = Duration::from_secs(45);

/// Plays it.
pub(super) async fn play(stage: &Stage, sheet: &mut Sheet) -> Result<(), Stopped> {
    sheet.chapter("members");
    let set = async { Ok(Came::words(set_up(stage).await?)) };
    let what = format!("operators: a membership rule for {STORE}, points for the first");
    sheet
        .play(what, "drafted, checked, shadowed, approved, active", set)
        .await?;
    let opened = async {
        let app = stage.app(RIDER.0, RIDER.1)?;
        let opened = app.post("code-account", &json!({})).await?;
        ensure!(opened.status == 200, "{}", refusal(&opened));
        let club = until(&app, STORE, |shown| shown["vip_status"] == "ACTIVE").await?;
        let shop = until(&app, stage.mch_id(), |shown| shown["vip_status"] == "ACTIVE").await?;
        let numbers = format!("{} and {}", club["member_no"], shop["member_no"]).replace('"', "");
        Ok(Came::words("ACTIVE at both").note(numbers).with(app))
    };
    let app = sheet.play("App: open the code", "ACTIVE at both", opened).await?;
    let known = async { Ok(Came::words(known(stage).await?)) };
    sheet
        .check("the store's own system", format!("{} {}", RIDER.0, RIDER.1), known)
        .await;
    if stage.messages().is_some() {
        let changed = async { Ok(Came::words(another_phone(stage, &app).await?)) };
        let expected = format!("told to both, {} {NEW_PHONE}", RIDER.0);
        sheet
            .play("App: another phone, proven by a code", expected, changed)
            .await?;
    }

    sheet.chapter("notices");
    let till = stage.till(Algorithm::HmacSha256).map_err(|_| Stopped)?;
    let proven = endpoint(stage, &till);
    let keys = sheet
        .play("till: an endpoint, proven by its answer", "UNPROVEN, ACTIVE", proven)
        .await?;
    let paid = async {
        sign(&app, stage.mch_id(), "wechat").await?;
        pay(stage, &app, &till).await
    };
    let no = sheet
        .play("App and till: sign and pay", "PS_SUCCESS CT_WECHAT 25.00", paid)
        .await?;
    let told = async { Ok(Came::words(told(stage, &no, &keys).await?)) };
    sheet
        .play("the merchant's server", "payment.succeeded, both signatures fit", told)
        .await?;
    let points = async {
        let shown = until(&app, stage.mch_id(), |shown| shown["points"] == 25).await?;
        Ok(Came::words(
            format!("{} points, {}", shown["points"], shown["level"]).replace('"', ""),
        ))
    };
    sheet
        .play("App: points of the first merchant", "25 points, 银卡", points)
        .await?;
    let left = async {
        let left = app.delete(&path(STORE)).await?;
        ensure!(left.status == 200, "{}", refusal(&left));
        let shown = until(&app, STORE, |shown| shown["wish"].is_null()).await?;
        Ok(Came::words(shown["vip_status"].as_str().unwrap_or_default()))
    };
    sheet.play("App: leave the store's club", "CLOSED", left).await
}

fn path(mch_id: &str) -> String {
    format!("merchants/{mch_id}/membership")
}

/// The store's rule and system, and points at the first merchant.
async fn set_up(stage: &Stage) -> Result<String> {
    let states = in_force(stage, STORE, CLUB_RULE).await?;
    let url = format!("{}/club", stage.credentials.simulator_url);
    let club = json!({ "url": url, "sign": "secret", "secret": CLUB_SECRET });
    put_system(&stage.engine, &STORE.into(), ("http", &club), Joining::AtOpening).await?;
    let levels = json!([{ "name": "银卡", "from_points": 20 }]);
    let own = json!({ "number_prefix": "SZ", "points_per_yuan": 1, "levels": levels });
    let first = MchId::from(stage.mch_id());
    put_system(&stage.engine, &first, ("builtin", &own), Joining::AtOpening).await?;
    Ok(states)
}

/// Waits until the rider's membership is shown so.
async fn until(app: &App, mch_id: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
    let begun = Instant::now();
    loop {
        let shown = app.get(&path(mch_id)).await?;
        ensure!(shown.status == 200, "{}", refusal(&shown));
        let shown = &shown.body["data"];
        if is(shown) {
            return Ok(shown.clone());
        }
        ensure!(begun.elapsed() < SOON, "{shown}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// What the store's own system knows of the rider.
async fn known(stage: &Stage) -> Result<String> {
    let books = stage.control.club().await?;
    Ok(match books["members"][RIDER.0].as_str() {
        Some(phone) => format!("{} {phone}", RIDER.0),
        None => "no member".to_owned(),
    })
}

async fn another_phone(stage: &Stage, app: &App) -> Result<String> {
    let asked = app.post("phone/code", &json!({ "phone": NEW_PHONE })).await?;
    ensure!(asked.status == 200, "{}", refusal(&asked));
    let messages = stage.messages().context("messages are read here")?;
    let sent = std::fs::read_to_string(messages).context("no message was sent")?;
    let code = sent
        .lines()
        .last()
        .and_then(|line| line.split_once(' '))
        .context("no code was sent")?
        .1;
    let changed = app.put("phone", &json!({ "phone": NEW_PHONE, "code": code })).await?;
    ensure!(changed.status == 200, "{}", refusal(&changed));
    for mch_id in [STORE, stage.mch_id()] {
        until(app, mch_id, |shown| shown["phone_up_to_date"] == true).await?;
    }
    Ok(format!("told to both, {}", known(stage).await?))
}

/// Makes and proves an endpoint; answers the keys that verify.
async fn endpoint(stage: &Stage, till: &Till) -> Result<Came<[String; 2]>> {
    let url = format!("{}/sink/{SINK}", stage.credentials.simulator_url);
    let wish = json!({ "url": url, "kinds": ["payment.succeeded"] });
    let made = till.call("webhook/create", &wish).await?;
    ensure!(made.status == 200, "{}", refusal(&made));
    let endpoint = &made.body["data"]["endpoint"];
    let proven = till
        .call("webhook/prove", &json!({ "endpoint_id": endpoint["endpoint_id"] }))
        .await?;
    ensure!(proven.status == 200, "{}", refusal(&proven));
    let state = endpoint["state"].as_str().unwrap_or_default();
    let words = format!("{state}, {}", proven.text("state"));
    Ok(Came::words(words).with([made.text("secret"), made.text("public_key")]))
}

/// Answers our number of the payment.
async fn pay(stage: &Stage, app: &App, till: &Till) -> Result<Came<String>> {
    let issued = app.post("codes", &json!({})).await?;
    ensure!(issued.status == 200, "no code: {}", refusal(&issued));
    let order = json!({
        "out_request_no": "DEMO-MEMBER-1", "qrcode": issued.text("digits"), "body": "咖啡", "total_fee": PRICE,
        "store_id": stage.store(0),
    });
    let mut reply = till.call("applypay", &order).await?;
    let no = reply.text("pay_out_trade_no");
    while reply.text("pay_status") == "PS_PAYING" {
        sleep(Duration::from_millis(250)).await;
        reply = till.call("orderquery", &json!({ "pay_out_trade_no": no })).await?;
    }
    Ok(Came::words(standing(&reply)).with(no))
}

/// Waits until the merchant's server was told of the payment, and verifies what it was told.
async fn told(stage: &Stage, no: &str, keys: &[String; 2]) -> Result<String> {
    let begun = Instant::now();
    let notice = loop {
        let heard = stage.control.heard(SINK).await?;
        let about = |notice: &Value| notice["body"].as_str().is_some_and(|body| body.contains(no));
        if let Some(notice) = heard.into_iter().find(about) {
            break notice;
        }
        ensure!(begun.elapsed() < SOON, "it was told nothing");
        sleep(Duration::from_millis(100)).await;
    };
    let field = |name: &str| notice[name].as_str().unwrap_or_default().to_owned();
    let headers = WebhookHeaders {
        id: field("id"),
        timestamp: field("timestamp"),
        signature: field("signature"),
    };
    let body = field("body");
    for key in keys {
        let key = WebhookVerifyingKey::parse(&Secret::from(key.as_str()))?;
        verify_webhook(&[key], &headers, body.as_bytes(), stage.now(), WEBHOOK_TOLERANCE)?;
    }
    let said: Value = serde_json::from_str(&body)?;
    let kind = said["type"].as_str().unwrap_or_default();
    Ok(format!("{kind}, both signatures fit"))
}
