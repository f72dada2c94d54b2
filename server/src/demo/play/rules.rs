//! Two merchants side by side: one with the rules of the release, one with its own fee, way and code; and a rule that is put in
//! force and taken back between two payments.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_core::audit::verify;
use metropay_core::id::{AccountId, MchId};
use metropay_core::invariant::Invariant;
use metropay_core::payment::OrderKey;
use metropay_core::payment::find::find;
use metropay_core::people;
use metropay_core::rule::{self, Level, NewRule, Place};
use metropay_core::rules::Kind;
use metropay_core::signing::Algorithm;
use serde_json::json;
use tokio::time::sleep;

use super::scene::{refusal, standing};
use super::sheet::{Came, Sheet, Stopped};
use super::stage::Stage;
use super::tally::yuan;
use crate::demo::DemoMerchant;
use crate::demo::client::{App, Phone, Reply, Till};
use crate::demo::seed;

/// The department store with rules of its own.
pub(super) const STORE: &str = "M20001";
/// What its channels cost the platform, in ten-thousandths.
const COSTS: [(&str, u32); 2] = [("wechat", 60), ("alipay", 20)];
/// The rider and his phone.
const RIDER: (&str, &str) = ("U20009", "13900000009");
/// What is bought, in fen.
const PRICE: u64 = 10_000;
/// How long a mandate may take to become usable after it was signed.
const SIGNED_MAX: Duration = Duration::from_secs(10);

/// Every node follows what was put in force or taken back within a second.
const FOLLOWED: Duration = Duration::from_millis(1_100);

/// A script with its tests.
type Text = (Kind, &'static str, &'static str);

/// The department store's rules.
const STORE_RULES: [Text; 3] = [
    (
        Kind::Code,
        include_str!("scripts/store.code.luau"),
        include_str!("scripts/store.code.test.luau"),
    ),
    (
        Kind::Fee,
        include_str!("scripts/store.fee.luau"),
        include_str!("scripts/store.fee.test.luau"),
    ),
    (
        Kind::Routing,
        include_str!("scripts/store.routing.luau"),
        include_str!("scripts/store.routing.test.luau"),
    ),
];

/// A fee that is tried at the first merchant.
const TRIED_FEE: Text = (
    Kind::Fee,
    include_str!("scripts/shop.fee.luau"),
    include_str!("scripts/shop.fee.test.luau"),
);

/// Two tills and a rider who has signed with both merchants.
struct Scene<'a> {
    stage: &'a Stage,
    app: App,
    shop: At,
    store: At,
}

/// A till, and where it stands.
struct At {
    till: Till,
    mch_id: MchId,
    store_id: String,
}

/// Plays it.
pub(super) async fn play(stage: &Stage, sheet: &mut Sheet) -> Result<(), Stopped> {
    sheet.chapter("two merchants");
    let scene = sheet
        .play(
            "a second merchant; the rider signs with both",
            "3 mandates",
            open(stage),
        )
        .await?;
    for text in STORE_RULES {
        let what = format!("operators: a {} rule for {STORE}", text.0);
        let step = async { Ok(Came::words(in_force(stage, STORE, text).await?)) };
        sheet
            .play(what, "drafted, checked, shadowed, approved, active", step)
            .await?;
    }
    let expected = "77, 20 digits; 78, 22 digits";
    let codes = sheet
        .play("App: a code for all, one for the store", expected, codes(&scene))
        .await?;
    let expected = format!("PS_SUCCESS CT_WECHAT {}, fee 0.60", yuan(PRICE));
    let paid = scene.pay(&scene.shop, "RULE-1", &codes.0);
    sheet.play("till of the first: scan the first", expected, paid).await?;
    let elsewhere = async {
        let reply = scene.shop.scan("RULE-2", &codes.1).await?;
        Ok(Came::words(refusal(&reply)))
    };
    sheet
        .check("till of the first: scan the store's", "422 CODE_MALFORMED", elsewhere)
        .await;
    let again = async {
        let digits = code(&scene.app, Some(STORE)).await?;
        scene.pay(&scene.store, "RULE-3", &digits).await
    };
    let expected = format!("PS_SUCCESS CT_ALIPAY {}, fee 0.38", yuan(PRICE));
    sheet.play("till of the store: scan its own", expected, again).await?;

    sheet.chapter("a rule between two payments");
    let active = async { Ok(Came::words(in_force(stage, stage.mch_id(), TRIED_FEE).await?)) };
    let what = "operators: a fee of 1 % for the first";
    sheet
        .play(what, "drafted, checked, shadowed, approved, active", active)
        .await?;
    let expected = format!("PS_SUCCESS CT_WECHAT {}, fee 1.00", yuan(PRICE));
    sheet
        .play("till of the first: pay", expected, scene.pay_now("RULE-4"))
        .await?;
    let back = async { Ok(Came::words(taken_back(stage).await?)) };
    sheet
        .play("operators: roll it back", "the release's own decides", back)
        .await?;
    let expected = format!("PS_SUCCESS CT_WECHAT {}, fee 0.60", yuan(PRICE));
    sheet
        .play("till of the first: pay", expected, scene.pay_now("RULE-5"))
        .await?;
    sheet
        .check("platform: every decision, asked again", "the same", repeated(stage))
        .await;
    Ok(())
}

/// Sets the second merchant up, and lets the rider sign.
async fn open(stage: &Stage) -> Result<Came<Scene<'_>>> {
    let engine = &stage.engine;
    let store = seed::further_merchant(engine, &stage.credentials.simulator_url, STORE).await?;
    for (channel, cost) in COSTS {
        let account = AccountId(format!("{STORE}-{channel}"));
        people::weigh_account(engine, &STORE.into(), &account, (100, cost)).await?;
    }
    let app = stage.app(RIDER.0, RIDER.1)?;
    let opened = app.post("code-account", &json!({})).await?;
    ensure!(opened.status == 200, "the code account: {}", refusal(&opened));
    let wishes = [(stage.mch_id(), "wechat"), (STORE, "wechat"), (STORE, "alipay")];
    for (mch_id, channel) in wishes {
        sign(&app, mch_id, channel).await?;
    }
    let scene = Scene {
        stage,
        shop: At {
            till: stage.till(Algorithm::HmacSha256)?,
            mch_id: stage.mch_id().into(),
            store_id: stage.store(0).to_owned(),
        },
        store: At {
            till: stage.till_of(&store)?,
            mch_id: STORE.into(),
            store_id: first_store(&store)?,
        },
        app,
    };
    Ok(Came::words(format!("{} mandates", wishes.len())).with(scene))
}

fn first_store(merchant: &DemoMerchant) -> Result<String> {
    merchant.store_ids.first().cloned().context("it has a store")
}

pub(super) async fn sign(app: &App, mch_id: &str, channel: &str) -> Result<()> {
    let wish = json!({ "mch_id": mch_id, "channel": channel });
    let begun = app.post("mandates", &wish).await?;
    ensure!(begun.status == 200, "{channel} at {mch_id}: {}", refusal(&begun));
    if let Some(page) = begun.body["data"]["page"]["url"].as_str() {
        Phone::new(&app.uid).agree(page).await.context("on the page")?;
    }
    let mandate = format!("mandates/{}", begun.text("mandate_id"));
    let deadline = tokio::time::Instant::now() + SIGNED_MAX;
    while app.get(&mandate).await?.text("state") != "ACTIVE" {
        ensure!(
            tokio::time::Instant::now() < deadline,
            "{channel} at {mch_id} does not become usable"
        );
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Takes a script through its whole life: one person writes, another agrees. Answers the states it went through.
pub(super) async fn in_force(stage: &Stage, mch_id: &str, (kind, source, tests): Text) -> Result<String> {
    let engine = &stage.engine;
    let new = NewRule {
        kind,
        level: Level::Merchant,
        scope: mch_id.to_owned(),
        source: source.to_owned(),
        tests: tests.to_owned(),
        note: "the play".to_owned(),
        author: "Lin".to_owned(),
    };
    let no = rule::draft(engine, new).await?.rule_no;
    let mut states = vec!["drafted"];
    states.push(rule::check(engine, &no, "Lin").await?.0.state.word());
    states.push(
        rule::shadow(engine, &no, rule::SHADOW_DEFAULT, "Lin")
            .await?
            .0
            .state
            .word(),
    );
    states.push(rule::approve(engine, &no, "Wu").await?.state.word());
    states.push(rule::activate(engine, &no, "Wu").await?.state.word());
    sleep(FOLLOWED).await;
    Ok(states.join(", "))
}

async fn taken_back(stage: &Stage) -> Result<String> {
    let place = Place {
        kind: Kind::Fee,
        level: Level::Merchant,
        scope: stage.mch_id().to_owned(),
    };
    let before = rule::roll_back(&stage.engine, &place, "Wu").await?;
    sleep(FOLLOWED).await;
    Ok(match before {
        None => "the release's own decides".to_owned(),
        Some(rule) => format!("{} decides", rule.rule_no),
    })
}

/// The digits of a fresh code, for one merchant or for all.
async fn code(app: &App, mch_id: Option<&str>) -> Result<String> {
    let issued = app.post("codes", &json!({ "mch_id": mch_id })).await?;
    ensure!(issued.status == 200, "no code: {}", refusal(&issued));
    Ok(issued.text("digits"))
}

async fn codes(scene: &Scene<'_>) -> Result<Came<(String, String)>> {
    let (all, own) = (code(&scene.app, None).await?, code(&scene.app, Some(STORE)).await?);
    let shape = |digits: &str| format!("{}, {} digits", digits.get(..2).unwrap_or(""), digits.len());
    Ok(Came::words(format!("{}; {}", shape(&all), shape(&own))).with((all, own)))
}

impl At {
    async fn scan(&self, no: &str, digits: &str) -> Result<Reply> {
        let order = json!({
            "out_request_no": format!("DEMO-{no}"), "qrcode": digits, "body": "雨伞", "total_fee": PRICE,
            "store_id": self.store_id,
        });
        self.till.call("applypay", &order).await
    }
}

impl Scene<'_> {
    /// Scans, and says how the order stands and what the platform takes.
    async fn pay(&self, at: &At, no: &str, digits: &str) -> Result<Came> {
        let mut reply = at.scan(no, digits).await?;
        let key = json!({ "pay_out_trade_no": reply.text("pay_out_trade_no") });
        // Where the gateway works in the background the first answer may be one moment too early.
        while reply.text("pay_status") == "PS_PAYING" {
            sleep(Duration::from_millis(250)).await;
            reply = at.till.call("orderquery", &key).await?;
        }
        let key = OrderKey {
            out_request_no: None,
            pay_no: Some(reply.text("pay_out_trade_no").as_str().into()),
        };
        let payment = find(&self.stage.engine, &at.mch_id, &key).await?;
        Ok(Came::words(format!("{}, fee {}", standing(&reply), payment.fee.yuan())))
    }

    /// The same at the first merchant with a fresh code.
    async fn pay_now(&self, no: &str) -> Result<Came> {
        let digits = code(&self.app, None).await?;
        self.pay(&self.shop, no, &digits).await
    }
}

async fn repeated(stage: &Stage) -> Result<Came> {
    let engine = &stage.engine;
    let findings = verify::verify(&engine.db, &*engine.rules).await?;
    let finding = findings
        .iter()
        .find(|finding| finding.invariant == Invariant::DecisionsRepeat);
    let finding = finding.context("it is checked")?;
    Ok(Came::words(match finding.breaches.first() {
        None => "the same".to_owned(),
        Some(breach) => breach.clone(),
    })
    .note(format!("{} payments", finding.checked)))
}
