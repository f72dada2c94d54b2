//! The scripts that come with the platform, asked through the contract.

use metropay_core::channel::Product;
use metropay_core::channel::health::{Breaker, WayHealth};
use metropay_core::clock::Time;
use metropay_core::code::foreign::Looks;
use metropay_core::code::form::{CodeForm, CodeType, Recognised};
use metropay_core::id::{ChannelId, MandateId};
use metropay_core::money::Fen;
use metropay_core::rules::code::{CodeQuestion, ScanQuestion};
use metropay_core::rules::fee::FeeQuestion;
use metropay_core::rules::membership::{CallBody, MembershipAction, MembershipQuestion, MembershipReply, VipStatus};
use metropay_core::rules::route::{RouteQuestion, Way};
use metropay_core::rules::{Kind, Needs, Rules, Wrong};
use metropay_scripts::LuauRules;
use serde_json::json;

fn fen(amount: u64) -> Fen {
    Fen::new(amount).expect("an amount")
}

fn routing(chosen: Option<&str>, preferred: Option<&str>, ways: &[&str]) -> RouteQuestion {
    let ways = ways.iter().map(|channel| Way {
        channel: (*channel).into(),
        account: format!("at-{channel}").as_str().into(),
        mandate: MandateId(format!("on-{channel}")),
        health: WayHealth {
            breaker: Breaker::Closed,
            answered_permille: None,
            latency_ms: None,
        },
        weight: 1,
        cost_rate: 20,
    });
    RouteQuestion {
        mch_id: "m".into(),
        category: None,
        store_id: "s".into(),
        amount: fen(1_280),
        at: Time(1_795_716_000_000),
        draw: 0,
        chosen: chosen.map(ChannelId::from),
        preferred: preferred.map(ChannelId::from),
        ways: ways.collect(),
    }
}

fn routed(question: &RouteQuestion) -> Vec<String> {
    let rules = LuauRules::new();
    let choices = rules
        .route(&rules.default_script(Kind::Routing), question)
        .expect("a way");
    choices.into_iter().map(|choice| choice.account.0).collect()
}

#[test]
fn every_default_compiles_and_needs_nothing() {
    let rules = LuauRules::new();
    for kind in Kind::ALL {
        let script = rules.default_script(kind);
        assert_eq!(rules.compile(kind, &script.source), Ok(Needs::default()), "{kind}");
    }
}

#[test]
fn the_users_choice_decides_the_way() {
    let both = ["wechat", "alipay"];
    let first = |chosen, preferred, ways: &[&str]| routed(&routing(chosen, preferred, ways)).into_iter().next();
    assert_eq!(first(None, None, &both).as_deref(), Some("at-wechat"));
    assert_eq!(first(None, Some("alipay"), &both).as_deref(), Some("at-alipay"));
    assert_eq!(
        first(Some("wechat"), Some("alipay"), &both).as_deref(),
        Some("at-wechat")
    );
    assert_eq!(first(None, Some("unionpay"), &both).as_deref(), Some("at-wechat"));
    assert_eq!(first(Some("unionpay"), None, &both), None);
    assert_eq!(first(None, None, &[]), None);
    assert_eq!(routed(&routing(Some("alipay"), None, &both)), ["at-alipay"]);
    assert_eq!(
        routed(&routing(None, Some("alipay"), &both)),
        ["at-alipay", "at-wechat"]
    );
}

#[test]
fn a_channel_that_answers_nothing_is_gone_around_unless_the_user_chose_it() {
    let first = |chosen, preferred, silent: &[usize]| {
        let mut question = routing(chosen, preferred, &["wechat", "alipay"]);
        for way in silent {
            question.ways[*way].health.breaker = Breaker::Open;
        }
        routed(&question).into_iter().next()
    };
    assert_eq!(first(None, None, &[0]).as_deref(), Some("at-alipay"));
    assert_eq!(first(None, Some("wechat"), &[0]).as_deref(), Some("at-alipay"));
    assert_eq!(first(Some("wechat"), None, &[0]).as_deref(), Some("at-wechat"));
    assert_eq!(first(None, Some("alipay"), &[0, 1]).as_deref(), Some("at-alipay"));
    assert_eq!(first(None, None, &[0, 1]).as_deref(), Some("at-wechat"));
}

fn fee_question(amount: u64, agreed_rate: u32) -> FeeQuestion {
    FeeQuestion {
        mch_id: "m".into(),
        category: Some("food".to_owned()),
        store_id: "s".into(),
        channel: "wechat".into(),
        account: "a".into(),
        product: Product::Mandate,
        amount: fen(amount),
        agreed_rate,
        at: Time(1_795_716_000_000),
        day_totals: None,
    }
}

#[test]
fn the_fee_is_the_agreed_rate_rounded_half_up() {
    let rules = LuauRules::new();
    let script = rules.default_script(Kind::Fee);
    for amount in [0, 1, 75, 83, 84, 600, 1_280, 100_000_000, metropay_core::money::FEN_MAX] {
        for rate in [0, 1, 38, 60, 10_000] {
            let answer = rules.fee(&script, &fee_question(amount, rate)).unwrap();
            assert_eq!(answer.fee, fen(amount).ten_thousandths(rate), "{amount} at {rate}");
        }
    }
    let wrong = rules.fee(&script, &fee_question(600, 10_001)).unwrap_err().wrong;
    assert!(
        matches!(&wrong, Wrong::Raised(text) if text.starts_with("rule:5: the rate is more")),
        "{wrong:?}"
    );
}

fn code_question() -> CodeQuestion {
    CodeQuestion {
        prefix: "77".to_owned(),
        kind: CodeType::Online,
    }
}

fn recognised(scanned: &str) -> Recognised {
    let rules = LuauRules::new();
    let question = ScanQuestion {
        code: code_question(),
        scanned: scanned.to_owned(),
    };
    rules
        .recognise(&rules.default_script(Kind::Code), &question)
        .expect("an answer")
}

#[test]
fn the_platforms_codes_have_the_form_that_they_had() {
    let rules = LuauRules::new();
    for kind in [CodeType::Online, CodeType::Test] {
        let question = CodeQuestion {
            kind,
            ..code_question()
        };
        let form = rules.form(&rules.default_script(Kind::Code), &question).unwrap();
        assert_eq!(form, CodeForm::new("77", kind).unwrap());
    }
}

#[test]
fn what_a_scan_gun_adds_is_taken_off_and_nothing_else() {
    let digits = "77112345678901234565";
    for text in [
        "77112345678901234565",
        "77112345678901234565\r\n",
        "\t77112345678901234565\t",
        "  77112345678901234565 ",
        "]C177112345678901234565",
        "]C077112345678901234565\r",
        "]Q1 77112345678901234565",
        "https://pay.example.com/c/77112345678901234565",
        "HTTPS://pay.example.com/c/77112345678901234565/?a=1#top",
        "]Q1http://pay.example.com/scan?v=1&code=77112345678901234565&x=2\r\n",
    ] {
        assert_eq!(recognised(text), Recognised::Ours(digits.to_owned()), "{text:?}");
    }
    for text in [
        "7711 2345 6789 0123 4565",
        "77112345678901234565\0",
        "\u{3000}77112345678901234565",
        "７７１１２３４５６７８９０１２３４５６５",
        "771123456789012345650",
        "7711234567890123456",
        "7711234567890123456X",
        "77912345678901234567",
        "ftp://x/77112345678901234565",
        "https://77112345678901234565",
        "",
        "\r\n",
    ] {
        assert_eq!(recognised(text), Recognised::Malformed, "{text:?}");
    }
    let wechat = Recognised::Foreign {
        looks: Looks::Wechat,
        digits: "134567890123456789".to_owned(),
    };
    assert_eq!(recognised("]C1134567890123456789\r"), wechat);
}

#[test]
fn a_membership_is_asked_by_json_and_the_answers_status_counts() {
    let rules = LuauRules::new();
    let script = rules.default_script(Kind::Membership);
    let question = MembershipQuestion {
        mch_id: "m".into(),
        action: MembershipAction::Open,
        uid: "u-1".into(),
        phone: Some("13800000000".to_owned()),
        request_no: "R1".to_owned(),
        at: Time(1_795_716_000_000),
    };
    let call = rules.membership_call(&script, &question).unwrap();
    assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/members/open"));
    let body = json!({"uid": "u-1", "phone": "13800000000", "request_no": "R1", "time": 1_795_716_000});
    assert_eq!(call.body, CallBody::Json(body));
    assert_eq!(call.sign.unwrap().text, "1795716000\nR1\n/members/open\nu-1");
    let answered = |status, json| {
        let reply = MembershipReply {
            action: MembershipAction::Open,
            status,
            json,
            text: String::new(),
        };
        rules.membership_answer(&script, &reply).unwrap()
    };
    let active = answered(
        200,
        Some(json!({"vip_status": "ACTIVE", "member_no": "M9", "message": null})),
    );
    assert_eq!(active.vip_status, Some(VipStatus::Active));
    assert_eq!(active.member_no.as_deref(), Some("M9"));
    assert_eq!(answered(200, Some(json!({"vip_status": "WHATEVER"}))).vip_status, None);
    assert_eq!(answered(200, Some(json!({"vip_status": 7}))).vip_status, None);
    assert_eq!(answered(200, Some(json!([1, 2]))).vip_status, None);
    assert_eq!(answered(502, Some(json!({"vip_status": "ACTIVE"}))).vip_status, None);
    assert_eq!(answered(200, None).reason, "HTTP 200");
}
