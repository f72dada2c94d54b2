//! Rules: who is charged what and by which way, from one activation to the next rollback, and what a bad rule may not do
//! (INV-25, FLT-27).

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_core::id::{MchId, RuleNo};
use metropay_core::payment::OrderKey;
use metropay_core::payment::find::find;
use metropay_core::people::{self, NewMerchant};
use metropay_core::rule::{self, Level, NewRule, Place, Refused, Rule, RuleState};
use metropay_core::rules::Kind;
use metropay_server::demo::DemoMerchant;
use metropay_server::demo::client::App;
use metropay_tests::{World, story};
use serde_json::json;

/// A node follows within a second.
const FOLLOWED: Duration = Duration::from_millis(1_100);
/// One case that any fee rule passes.
const FREE: &str = r#"return { { name = "nothing costs nothing", question = { amount = 0 }, answer = { fee = 0 } } }"#;

/// A fee of this rate.
fn rate(rate: &str) -> String {
    format!("return {{ fee = function(q) return {{ fee = fen.percent(q.amount, \"{rate}\", \"half_up\") }} end }}")
}

fn of_merchant(kind: Kind, mch_id: &str) -> Place {
    Place {
        kind,
        level: Level::Merchant,
        scope: mch_id.to_owned(),
    }
}

async fn drafted(world: &World, place: &Place, source: &str, tests: &str) -> Result<Rule> {
    let new = NewRule {
        kind: place.kind,
        level: place.level,
        scope: place.scope.clone(),
        source: source.to_owned(),
        tests: tests.to_owned(),
        note: String::new(),
        author: "Lin".to_owned(),
    };
    Ok(rule::draft(world.server.engine(), new).await?)
}

/// A rule through its whole life up to its approval.
async fn approved(world: &World, place: &Place, source: &str, tests: &str) -> Result<RuleNo> {
    let (engine, no) = (
        world.server.engine(),
        drafted(world, place, source, tests).await?.rule_no,
    );
    if let Err(Refused::Script(found)) = rule::check(engine, &no, "Lin").await {
        anyhow::bail!("{found:#?}");
    }
    rule::shadow(engine, &no, 100, "Lin").await?;
    rule::approve(engine, &no, "Wu").await?;
    Ok(no)
}

/// A rule in force, on every node.
async fn active(world: &World, place: &Place, source: &str, tests: &str) -> Result<RuleNo> {
    let no = approved(world, place, source, tests).await?;
    rule::activate(world.server.engine(), &no, "Wu").await?;
    tokio::time::sleep(FOLLOWED).await;
    Ok(no)
}

/// What the platform takes of a payment, in fen.
async fn fee_of(world: &World, no: &str) -> Result<u64> {
    let order = world.query(no).await?;
    ensure!(order.text("pay_status") == "PS_SUCCESS", "{no}: {}", order.body);
    fee_at(world, "M10001", &order.text("pay_out_trade_no")).await
}

/// The same of any merchant's, by our number.
async fn fee_at(world: &World, mch_id: &str, pay_no: &str) -> Result<u64> {
    let key = OrderKey {
        out_request_no: None,
        pay_no: Some(pay_no.into()),
    };
    Ok(find(world.server.engine(), &mch_id.into(), &key).await?.fee.get())
}

/// Pays ten yuan, and answers the fee.
async fn fee_now(world: &World, app: &App, no: &str) -> Result<u64> {
    let told = world.pay(app, no, 1_000).await?;
    ensure!(told.text("pay_status") == "PS_SUCCESS", "{no}: {}", told.body);
    fee_of(world, no).await
}

/// A rider who has signed with a further merchant too.
async fn guest(world: &World, merchant: &DemoMerchant, uid: &str) -> Result<App> {
    let app = world.app_of(uid);
    app.post("code-account", &json!({})).await?;
    world.sign_with(&app, &merchant.mch_id, "wechat").await?;
    Ok(app)
}

#[tokio::test]
async fn a_fee_rule_counts_from_its_activation_to_its_rollback_for_its_merchant_alone() {
    story(async |world| {
        let other = world.further_merchant("M20001").await?;
        let app = world.rider("wechat").await?;
        let guest = guest(&world, &other, "U20001").await?;
        let theirs = async |no: &str| -> Result<u64> {
            let (digits, _) = world.code(&guest).await?;
            let mut order = World::order(no, &digits, 1_000);
            order["store_id"] = other.store_ids[0].as_str().into();
            let told = world.till_of(&other).call("applypay", &order).await?;
            ensure!(told.text("pay_status") == "PS_SUCCESS", "{}", told.body);
            fee_at(&world, "M20001", &told.text("pay_out_trade_no")).await
        };
        let place = of_merchant(Kind::Fee, "M10001");

        assert_eq!(fee_now(&world, &app, "S1").await?, 6);
        active(&world, &place, &rate("1%"), FREE).await?;
        assert_eq!(fee_now(&world, &app, "S2").await?, 10);
        assert_eq!(theirs("T1").await?, 6);
        active(&world, &place, &rate("0.38%"), FREE).await?;
        assert_eq!(fee_now(&world, &app, "S3").await?, 4);

        let back = rule::roll_back(world.server.engine(), &place, "Wu")
            .await?
            .context("the one before")?;
        assert_eq!(back.state, RuleState::Active);
        tokio::time::sleep(FOLLOWED).await;
        assert_eq!(fee_now(&world, &app, "S4").await?, 10);
        let none = rule::roll_back(world.server.engine(), &place, "Wu").await?;
        assert!(none.is_none(), "{none:?}");
        tokio::time::sleep(FOLLOWED).await;
        assert_eq!(fee_now(&world, &app, "S5").await?, 6);
        // What was decided stays decided.
        assert_eq!((fee_of(&world, "S2").await?, fee_of(&world, "S3").await?), (10, 4));
        let nothing = rule::roll_back(world.server.engine(), &place, "Wu").await;
        assert!(matches!(nothing, Err(Refused::NothingInForce)), "{nothing:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_nearest_rule_decides() {
    story(async |world| {
        let engine = world.server.engine();
        let new = NewMerchant {
            mch_id: "M10001".into(),
            name: "地铁便利店".to_owned(),
            fee_rate: 60,
            category: Some("retail/convenience".to_owned()),
            ip_allow: Vec::new(),
            stores: Vec::new(),
        };
        people::register(engine, new).await?;
        let app = world.rider("wechat").await?;
        let at = |level, scope: &str| Place {
            kind: Kind::Fee,
            level,
            scope: scope.to_owned(),
        };
        let places = [
            (at(Level::Platform, ""), "1%", 10),
            (at(Level::Category, "retail"), "2%", 20),
            (at(Level::Category, "retail/convenience"), "3%", 30),
            (at(Level::Merchant, "M10001"), "4%", 40),
        ];
        for (step, (place, share, fee)) in places.iter().enumerate() {
            active(&world, place, &rate(share), FREE).await?;
            assert_eq!(fee_now(&world, &app, &format!("S{step}")).await?, *fee, "{place}");
        }
        let explained = rule::explain(engine, Some(&MchId::from("M10001")), Kind::Fee).await?;
        let levels: Vec<_> = explained.iter().map(|place| (place.level, place.decides)).collect();
        assert_eq!(
            levels,
            [
                (Level::Merchant, true),
                (Level::Category, false),
                (Level::Category, false),
                (Level::Platform, false)
            ]
        );
        // A category of nobody's decides nothing.
        active(&world, &at(Level::Category, "food"), &rate("9%"), FREE).await?;
        assert_eq!(fee_now(&world, &app, "S9").await?, 40);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_rule_comes_into_force_by_four_eyes_and_no_shorter_way() {
    story(async |world| {
        let engine = world.server.engine();
        let place = of_merchant(Kind::Fee, "M10001");
        let no = drafted(&world, &place, &rate("1%"), FREE).await?.rule_no;
        for refused in [
            rule::activate(engine, &no, "Wu").await,
            rule::approve(engine, &no, "Wu").await,
            rule::resume(engine, &no, "Wu").await,
        ] {
            assert!(matches!(refused, Err(Refused::State { .. })), "{refused:?}");
        }
        rule::check(engine, &no, "Lin").await?;
        rule::shadow(engine, &no, 10, "Lin").await?;
        for author in ["Lin", " lin "] {
            let refused = rule::approve(engine, &no, author).await;
            assert!(matches!(refused, Err(Refused::SamePerson)), "{refused:?}");
        }
        rule::approve(engine, &no, "Wu").await?;
        let active = rule::activate(engine, &no, "Wu").await?;
        assert_eq!(
            (active.state, active.approver.as_deref()),
            (RuleState::Active, Some("Wu"))
        );
        let acts: Vec<_> = rule::acts(engine, &no)
            .await?
            .into_iter()
            .map(|act| (act.act, act.by_whom))
            .collect();
        let expected = [
            ("draft", "Lin"),
            ("check", "Lin"),
            ("shadow", "Lin"),
            ("approve", "Wu"),
            ("activate", "Wu"),
        ];
        assert_eq!(acts, expected.map(|(act, by)| (act.to_owned(), by.to_owned())));

        let unknown = drafted(&world, &of_merchant(Kind::Fee, "M404"), &rate("1%"), FREE).await;
        assert!(unknown.is_err());
        for bad in ["return {", "return {}", "error('no')", "return { fee = 1 }"] {
            let no = drafted(&world, &place, bad, FREE).await?.rule_no;
            let refused = rule::check(engine, &no, "Lin").await;
            assert!(matches!(refused, Err(Refused::Script(_))), "{bad}: {refused:?}");
            assert_eq!(rule::find(engine, &no).await?.0.state, RuleState::Draft);
        }
        let wrong = r#"return { { name = "wrong", question = { amount = 1000 }, answer = { fee = 11 } } }"#;
        let no = drafted(&world, &place, &rate("1%"), wrong).await?.rule_no;
        let refused = rule::check(engine, &no, "Lin").await;
        assert!(matches!(refused, Err(Refused::Script(_))), "{refused:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn two_activations_at_once_leave_one_rule_in_force() {
    story(async |world| {
        let engine = world.server.engine();
        let place = of_merchant(Kind::Fee, "M10001");
        let mut rules = Vec::new();
        for share in ["1%", "2%", "3%", "4%"] {
            rules.push(approved(&world, &place, &rate(share), FREE).await?);
        }
        let all = rules.iter().map(|no| rule::activate(engine, no, "Wu"));
        let done = futures::future::join_all(all).await;
        assert!(done.iter().any(Result::is_ok), "{done:?}");
        for refused in done.iter().filter_map(|done| done.as_ref().err()) {
            assert!(matches!(refused, Refused::Busy | Refused::Fault(_)), "{refused:?}");
        }
        let listed = rule::list(engine, Some(Kind::Fee), Some(Level::Merchant), Some("M10001")).await?;
        let in_force: Vec<_> = listed.iter().filter(|rule| rule.is_in_force()).collect();
        assert_eq!(in_force.len(), 1, "{listed:#?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_rule_that_fails_five_times_is_suspended_and_nothing_is_debited_meanwhile() {
    story(async |world| {
        let engine = world.server.engine();
        let other = world.further_merchant("M20001").await?;
        let app = world.rider("wechat").await?;
        let guest = guest(&world, &other, "U20001").await?;
        let place = of_merchant(Kind::Fee, "M10001");
        active(&world, &place, &rate("1%"), FREE).await?;
        let poisoned = "return { fee = function(q) if q.amount > 0 then while true do end end return { fee = 0 } end }";
        let bad = active(&world, &place, poisoned, FREE).await?;

        let (digits, _) = world.code(&app).await?;
        // Each node counts for itself.
        for attempt in 0..12 {
            let order = World::order(&format!("S{attempt}"), &digits, 1_000);
            let told = world.till().call("applypay", &order).await?;
            assert_eq!((told.status, told.code()), (422, "RULE_ERROR"), "{}", told.body);
        }
        assert!(world.control.books().await?.is_empty());
        let suspended = rule::find(engine, &bad).await?.0;
        assert_eq!(suspended.state, RuleState::Suspended);
        assert_eq!(world.alarms("rule_suspended").await?.len(), 1);

        // Others are not concerned, and the one before is an action away. The code that was refused is as good as ever.
        let mut theirs = World::order("T1", &world.code(&guest).await?.0, 1_000);
        theirs["store_id"] = other.store_ids[0].as_str().into();
        let told = world.till_of(&other).call("applypay", &theirs).await?;
        assert_eq!(told.text("pay_status"), "PS_SUCCESS", "{}", told.body);
        rule::roll_back(engine, &place, "Wu").await?.context("the one before")?;
        tokio::time::sleep(FOLLOWED).await;
        let told = world
            .till()
            .call("applypay", &World::order("S9", &digits, 1_000))
            .await?;
        assert_eq!(told.text("pay_status"), "PS_SUCCESS", "{}", told.body);
        assert_eq!(fee_of(&world, "S9").await?, 10);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn nothing_that_a_rule_may_say_reaches_a_channel_but_a_whole_fee_within_the_amount() {
    story(async |world| {
        let app = world.rider("alipay").await?;
        let place = of_merchant(Kind::Fee, "M10001");
        let answers = [
            "0/0",
            "1/0",
            "-1/0",
            "-1",
            "0.5",
            "1100",
            "9007199254740992",
            "9223372036854775808",
            "\"6\"",
            "nil",
            "true",
            "{}",
            "-0.0001",
        ];
        let listed = answers.join(", ");
        let source = format!(
            "local answers = {{ {listed} }}\n\
             return {{ fee = function(q) local n = q.amount - 1000 \
             if n < 1 then return {{ fee = 0 }} end return {{ fee = answers[n] }} end }}"
        );
        let source = source.replace("nil, ", "false, ");
        let bad = active(&world, &place, &source, FREE).await?;
        for (n, answer) in answers.iter().enumerate() {
            let amount = 1_001 + u64::try_from(n)?;
            let told = world.pay(&app, &format!("S{n}"), amount).await?;
            assert_eq!(
                (told.status, told.code()),
                (422, "RULE_ERROR"),
                "{answer}: {}",
                told.body
            );
            // One that does well in between breaks the row of failures, so that it is not suspended.
            if n % 4 == 3 {
                let told = world.pay(&app, &format!("good{n}"), 1_000).await?;
                assert_eq!(told.text("pay_status"), "PS_SUCCESS", "{}", told.body);
            }
        }
        assert_eq!(
            rule::find(world.server.engine(), &bad).await?.0.state,
            RuleState::Active
        );
        assert_eq!(world.control.books().await?.len(), 3);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn who_chose_a_channel_is_never_charged_through_another_whatever_a_rule_says() {
    story(async |world| {
        let app = world.rider("wechat").await?;
        world.sign(&app, "alipay").await?;
        let last = "return { route = function(q) local out = {} for i = #q.ways, 1, -1 do \
                    out[#out + 1] = { account = q.ways[i].account, reason = \"the last first\" } end return out end }";
        let tests =
            r#"return { { name = "something", question = {}, answer = { { account = "A2" }, { account = "A1" } } } }"#;
        active(&world, &of_merchant(Kind::Routing, "M10001"), last, tests).await?;
        let told = world.pay(&app, "S1", 100).await?;
        assert_eq!(told.text("pay_type"), "CT_ALIPAY", "{}", told.body);
        let issued = app.post("codes", &json!({ "method": "wechat" })).await?;
        let order = World::order("S2", &issued.text("digits"), 100);
        let told = world.till().call("applypay", &order).await?;
        assert_eq!(told.text("pay_type"), "CT_WECHAT", "{}", told.body);
        Ok(())
    })
    .await;
}

/// Codes with a prefix of the merchant's own; the platform's are taken too.
const DEPARTMENT_STORE: &str = r#"
local own = { prefix = "78", length = 22, check = "luhn" }
return {
    issue = function(q) return { prefix = own.prefix, length = own.length, check = own.check, symbology = "qr", life_s = 90 } end,
    recognise = function(q)
        return scan.among(scan.strip(q.scanned), { own, { prefix = q.prefix, length = 20, check = "luhn" } })
    end,
}
"#;
const DEPARTMENT_STORE_TESTS: &str =
    r#"return { { name = "its prefix", entry = "issue", question = {}, answer = { prefix = "78" } } }"#;

#[tokio::test]
async fn a_merchants_own_code_is_taken_there_alone_and_repeats_are_known_after_the_rule_is_gone() {
    story(async |world| {
        let other = world.further_merchant("M20001").await?;
        let app = world.rider("unionpay").await?;
        world.sign_with(&app, &other.mch_id, "unionpay").await?;
        let place = of_merchant(Kind::Code, "M10001");
        active(&world, &place, DEPARTMENT_STORE, DEPARTMENT_STORE_TESTS).await?;

        let issued = app.post("codes", &json!({ "mch_id": "M10001" })).await?;
        let digits = issued.text("digits");
        assert!(digits.starts_with("78") && digits.len() == 22, "{}", issued.body);
        assert_eq!(issued.text("symbology"), "qr");
        let mut theirs = World::order("T1", &digits, 100);
        theirs["store_id"] = other.store_ids[0].as_str().into();
        let elsewhere = world.till_of(&other).call("applypay", &theirs).await?;
        assert_eq!(
            (elsewhere.status, elsewhere.code()),
            (422, "CODE_MALFORMED"),
            "{}",
            elsewhere.body
        );

        // Its scan guns put something around it.
        let order = World::order("S1", &format!("]C1{digits}\r\n"), 100);
        let told = world.till().call("applypay", &order).await?;
        assert_eq!(told.text("pay_status"), "PS_SUCCESS", "{}", told.body);
        let ordinary = world.pay(&app, "S2", 100).await?;
        assert_eq!(ordinary.text("pay_status"), "PS_SUCCESS", "{}", ordinary.body);

        rule::roll_back(world.server.engine(), &place, "Wu").await?;
        tokio::time::sleep(FOLLOWED).await;
        let plain = World::order("S1", &digits, 100);
        let again = world.till().call("applypay", &plain).await?;
        assert_eq!(
            again.text("pay_out_trade_no"),
            told.text("pay_out_trade_no"),
            "{}",
            again.body
        );
        assert_eq!(world.control.books().await?.len(), 2);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_code_for_one_merchant_is_unknown_to_every_other() {
    story(async |world| {
        let other = world.further_merchant("M20001").await?;
        let app = world.rider("wechat").await?;
        world.sign_with(&app, &other.mch_id, "wechat").await?;
        let issued = app.post("codes", &json!({ "mch_id": "M10001" })).await?;
        let mut theirs = World::order("T1", &issued.text("digits"), 100);
        theirs["store_id"] = other.store_ids[0].as_str().into();
        let refused = world.till_of(&other).call("applypay", &theirs).await?;
        assert_eq!(
            (refused.status, refused.code()),
            (422, "CODE_INVALID"),
            "{}",
            refused.body
        );
        let whose = json!({ "qrcode": issued.text("digits") });
        assert_eq!(
            world.till_of(&other).call("queryuid", &whose).await?.code(),
            "CODE_INVALID"
        );
        let told = world.till().call("queryuid", &whose).await?;
        assert_eq!(told.text("uid"), app.uid, "{}", told.body);
        let unknown = app.post("codes", &json!({ "mch_id": "M404" })).await?;
        assert_eq!((unknown.status, unknown.code()), (404, "MERCHANT_NOT_FOUND"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_shadow_run_tells_each_payment_that_would_have_gone_otherwise() {
    story(async |world| {
        let engine = world.server.engine();
        let app = world.rider("wechat").await?;
        for (n, amount) in [100, 1_000, 2_000, 50_000].into_iter().enumerate() {
            let told = world.pay(&app, &format!("S{n}"), amount).await?;
            assert_eq!(told.text("pay_status"), "PS_SUCCESS", "{}", told.body);
        }
        let place = of_merchant(Kind::Fee, "M10001");
        let capped = "return { fee = function(q) return { fee = math.min(fen.percent(q.amount, \"0.6%\", \"half_up\"), 200) } end }";
        let no = drafted(&world, &place, capped, FREE).await?.rule_no;
        rule::check(engine, &no, "Lin").await?;
        let (_, report) = rule::shadow(engine, &no, 100, "Lin").await?;
        assert_eq!((report.payments, report.same, report.charged, report.failed), (4, 3, 1, 0));
        assert_eq!((report.fee_before.get(), report.fee_after.get()), (1 + 6 + 12 + 300, 1 + 6 + 12 + 200));
        assert_eq!((report.differences[0].before.as_str(), report.differences[0].after.as_str()), ("300", "200"));

        // One that would have refused a payment is not approved.
        let fails = "return { fee = function(q) if q.amount == 2000 then error(\"no\") end return { fee = 0 } end }";
        let no = drafted(&world, &place, fails, FREE).await?.rule_no;
        rule::check(engine, &no, "Lin").await?;
        assert_eq!(rule::shadow(engine, &no, 100, "Lin").await?.1.failed, 1);
        let refused = rule::approve(engine, &no, "Wu").await;
        assert!(matches!(refused, Err(Refused::ShadowFailed(1))), "{refused:?}");
        Ok(())
    })
    .await;
}

/// The whole life of a rule by the command line, on the database of running servers.
#[tokio::test]
async fn a_rule_in_a_file_comes_into_force_and_goes_by_the_command_line() {
    story(async |world| {
        let app = world.rider("alipay").await?;
        let launch = world.launch(env!("CARGO_BIN_EXE_metropay-crash"));
        let run = async |arguments: &[&str]| launch.told(&[&["rules"], arguments].concat()).await;
        let folder = tempfile::tempdir()?;
        let file = |name: &str, text: &str| -> Result<String> {
            let path = folder.path().join(name);
            std::fs::write(&path, text)?;
            Ok(path.display().to_string())
        };
        let script = file("day.fee.luau", &rate("1%"))?;
        file("day.fee.test.luau", FREE)?;
        let broken = file("broken.fee.luau", "return {\n    fee = function(q) return 1 + end,\n}")?;
        file("broken.fee.test.luau", FREE)?;

        let (well, told) = run(&["check", &broken]).await?;
        assert!(!well && told.contains("broken.fee.luau:2"), "{told}");
        let (well, told) = run(&["check", &script]).await?;
        assert!(well && told.contains("通过 / passed"), "{told}");
        let (well, told) = run(&["run", &script, "--question", r#"{"amount": 12345}"#]).await?;
        assert!(well && told.contains("\"fee\": 123"), "{told}");
        assert_eq!(fee_now(&world, &app, "S1").await?, 6);
        let whom = ["--merchant", "M10001"];
        let (well, told) = run(&[&["shadow", &script], &whom[..]].concat()).await?;
        assert!(well && told.contains("6 -> 10"), "{told}");

        let (well, told) = run(&[&["draft", &script, "--by", "Lin"], &whom[..]].concat()).await?;
        let no = told.split_whitespace().next().context("the rule's number")?.to_owned();
        assert!(well && no.starts_with('L'), "{told}");
        let (well, told) = run(&["activate", &no, "--by", "Wu"]).await?;
        assert!(!well && told.contains("the rule is draft"), "{told}");
        for act in ["check", "shadow"] {
            let (well, told) = run(&[act, &no, "--by", "Lin"]).await?;
            assert!(well, "{act}: {told}");
        }
        let (well, told) = run(&["approve", &no, "--by", "Lin"]).await?;
        assert!(!well && told.contains("somebody else than the author"), "{told}");
        for act in ["approve", "activate"] {
            let (well, told) = run(&[act, &no, "--by", "Wu"]).await?;
            assert!(well, "{act}: {told}");
        }
        tokio::time::sleep(FOLLOWED).await;
        assert_eq!(fee_now(&world, &app, "S2").await?, 10);
        let (_, told) = run(&["explain", "--kind", "fee", "--merchant", "M10001"]).await?;
        assert!(
            told.lines().any(|line| line.starts_with("=>") && line.contains(&no)),
            "{told}"
        );
        let pay_no = world.query("S1").await?.text("pay_out_trade_no");
        let (_, told) = run(&["run", &script, "--payment", &pay_no]).await?;
        assert!(told.contains("\"fee\": 10"), "{told}");

        let (well, told) = run(&[&["rollback", "--kind", "fee", "--by", "Wu"], &whom[..]].concat()).await?;
        assert!(well, "{told}");
        tokio::time::sleep(FOLLOWED).await;
        assert_eq!(fee_now(&world, &app, "S3").await?, 6);
        let (_, told) = run(&["show", &no]).await?;
        for act in ["draft", "check", "shadow", "approve", "activate", "roll_back"] {
            assert!(told.contains(act), "{act}: {told}");
        }
        Ok(())
    })
    .await;
}
