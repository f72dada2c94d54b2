//! Payments by UnionPay's own payment code.

use metropay_core::channel::{CallError, Called, CodePayQuestion, Hint, Outcome, Paid, Product, Standing};
use metropay_core::id::PayNo;
use metropay_core::money::Fen;
use metropay_core::secret::Secret;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::answers::{FORGED, STRANGE};
use crate::gateway::{
    Fields, Hands, PAY, QUERY_ID, Stage, answer, build, by_code, china, config, found, order, refund,
};

/// The payment code of the reference.
const CODE: &str = "6225735053201615202";

fn with_codes(config: &mut Value) {
    config["payment_code"] = json!(true);
    config["term_id"] = json!("01080209");
    config["term_info"] = json!("longitude=+113.94&latitude=+22.53");
}

fn question() -> CodePayQuestion {
    CodePayQuestion {
        no: PayNo::from(PAY),
        at: china("20250301123456"),
        amount: Fen::new(1280).unwrap(),
        body: "矿泉水".to_owned(),
        store: "0017".to_owned(),
        code: Secret::from(CODE),
    }
}

async fn stage(script: impl Fn(&Fields) -> ResponseTemplate + Send + Sync + 'static) -> Stage {
    Stage::with(with_codes, script).await
}

async fn pay(stage: &Stage, question: &CodePayQuestion) -> Called<Paid> {
    stage.channel.code_pay().unwrap().pay_by_code(question).await
}

#[tokio::test]
async fn a_code_goes_out_with_its_terminal_and_its_acceptance_is_not_a_payment() {
    let stage = stage(|asked| answer(asked, "00", &[("queryId", QUERY_ID), ("qrNo", CODE)])).await;
    assert_eq!(pay(&stage, &question()).await, Ok(Outcome::Pending));
    let (path, fields) = stage.asked().await.remove(0);
    assert_eq!(path, "/gateway/api/backTransReq.do");
    let sent: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let expected = [
        ("accessType", "0"),
        ("backUrl", "https://pay.example.test/notify/unionpay"),
        ("bizType", "000000"),
        ("certId", "3474813271258769001041842579301293447"),
        ("channelType", "08"),
        ("currencyCode", "156"),
        ("encoding", "UTF-8"),
        ("merId", "700000000000001"),
        ("orderId", PAY),
        ("qrNo", CODE),
        ("reqReserved", "c2hvcD0wMDE3"),
        ("signMethod", "01"),
        ("signature", fields["signature"].as_str()),
        ("termId", "01080209"),
        ("termInfo", "{longitude=+113.94&latitude=+22.53}"),
        ("txnAmt", "1280"),
        ("txnSubType", "06"),
        ("txnTime", "20250301123456"),
        ("txnType", "01"),
        ("version", "5.1.0"),
    ];
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn while_the_user_types_his_password_the_order_is_pending() {
    for code in ["00", "02", "03", "04", "05", "06", "12", "70", "83", "99"] {
        let stage = stage(move |asked| answer(asked, code, &[])).await;
        assert_eq!(pay(&stage, &question()).await, Ok(Outcome::Pending), "{code}");
        assert_eq!(stage.kinds().await, ["01"], "nothing is paid twice");
    }
}

#[tokio::test]
async fn no_refusal_of_a_code_is_believed_before_the_order_was_asked_for() {
    for (refusal, hint) in [
        ("64", Hint::Funds),
        ("10", Hint::Setup),
        ("38", Hint::None),
        ("82", Hint::User),
        // There is no contract behind a code.
        ("40", Hint::User),
        ("73", Hint::User),
    ] {
        for (standing, refused) in [
            ("34", Some(true)),
            ("64", Some(true)),
            ("05", Some(false)),
            ("00", Some(false)),
            ("99", Some(false)),
            ("unsigned", None),
        ] {
            let stage = stage(move |asked| match (asked["txnType"].as_str(), standing) {
                ("01", _) => answer(asked, refusal, &[]),
                (_, "34") => answer(asked, "34", &[]),
                (_, "unsigned") => ResponseTemplate::new(200),
                (_, code) => found(asked, "01", code, "1280"),
            })
            .await;
            let outcome = pay(&stage, &question()).await;
            let fits = match (&outcome, refused) {
                (Ok(Outcome::Refused(why)), Some(true)) => (why.code.as_str(), why.hint) == (refusal, hint),
                (Ok(Outcome::Pending), Some(false)) | (Err(CallError::MaybeDone(_)), None) => true,
                _ => false,
            };
            assert!(fits, "{refusal} {standing}: {outcome:?}");
            assert_eq!(stage.kinds().await, ["01", "00"]);
        }
    }
}

#[tokio::test]
async fn whatever_is_not_a_believed_answer_leaves_the_outcome_unknown() {
    let other_code = |asked: &Fields| answer(asked, "64", &[("qrNo", "6225735053201615203")]);
    let strange: &[(&str, crate::answers::Say)] = &[("another code", other_code)];
    for (name, say) in FORGED.iter().chain(STRANGE).chain(strange) {
        let stage = stage(*say).await;
        let outcome = pay(&stage, &question()).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{name}: {outcome:?}");
        assert!(!format!("{outcome:?}").contains(CODE), "the code stands in no error");
        assert_eq!(stage.kinds().await, ["01"], "{name}: nothing is sent twice");
    }
    let stage = stage(|asked| answer(asked, "ZZ", &[])).await;
    assert!(matches!(pay(&stage, &question()).await, Err(CallError::MaybeDone(_))));
}

#[tokio::test]
async fn what_is_no_payment_code_of_unionpay_or_no_amount_is_not_sent() {
    let stage = stage(|asked| answer(asked, "00", &[])).await;
    for code in [
        "",
        "622573505320161520",
        "62257350532016152020",
        "1325735053201615202",
        "62257350532016152O2",
    ] {
        let code = Secret::from(code);
        let outcome = pay(&stage, &CodePayQuestion { code, ..question() }).await;
        assert!(
            matches!(&outcome, Ok(Outcome::Refused(why)) if why.hint == Hint::User),
            "{outcome:?}"
        );
    }
    let nothing = CodePayQuestion {
        amount: Fen::ZERO,
        ..question()
    };
    assert!(matches!(pay(&stage, &nothing).await, Ok(Outcome::Refused(_))));
    assert!(stage.asked().await.is_empty());
    assert!(!format!("{:?}", question()).contains(CODE));
}

#[tokio::test]
async fn an_account_takes_codes_only_where_that_is_switched_on() {
    let off = Stage::new(|asked| answer(asked, "00", &[])).await;
    assert!(off.channel.code_pay().is_none());
    let mut config = config("http://127.0.0.1:1");
    config["payment_code"] = json!(true);
    let error = build(config, Hands::at("20250301123456")).err().unwrap();
    assert!(error.to_string().contains("term_id"), "{error}");
}

#[tokio::test]
async fn a_payment_by_code_is_asked_about_like_any_other_and_its_coupons_are_told() {
    let coupons = r#"[{"type":"DD01","spnsrId":"00010000","offstAmt":"80","id":"1"},{"type":"CP02","offstAmt":"20"}]"#;
    let stage = stage(move |asked| {
        let mut fields: Vec<_> = order("01", "00", "1280").to_vec();
        fields.push(("couponInfo", coupons));
        answer(asked, "00", &fields)
    })
    .await;
    let Ok(Standing::Paid(paid)) = stage.channel.query_payment(&by_code(None)).await else {
        panic!("paid");
    };
    assert_eq!((paid.amount.get(), paid.coupon.get()), (1280, 100));
    let (path, fields) = stage.asked().await.remove(0);
    assert_eq!(path, "/gateway/api/queryTrans.do");
    assert_eq!(
        (fields["bizType"].as_str(), fields["txnSubType"].as_str()),
        ("000000", "00")
    );
}

#[tokio::test]
async fn a_payment_by_code_is_refunded_in_the_words_of_its_product() {
    for (configured, expected) in [(None, "000000"), (Some("000301"), "000301")] {
        let stage = Stage::with(
            |config| {
                if let Some(biz_type) = configured {
                    config["biz_type_code_back"] = json!(biz_type);
                }
            },
            |asked| answer(asked, "00", &[]),
        )
        .await;
        let mut question = refund(300);
        question.payment = by_code(Some(QUERY_ID));
        assert_eq!(stage.channel.refund(&question).await, Ok(Outcome::Pending));
        let (_, fields) = stage.asked().await.remove(0);
        assert_eq!(
            (fields["bizType"].as_str(), fields["channelType"].as_str()),
            (expected, "08")
        );
        assert_eq!(fields["origQryId"], QUERY_ID);
    }
}

#[tokio::test]
async fn each_product_is_asked_about_at_its_own_pace() {
    let stage = Stage::new(|asked| answer(asked, "00", &[])).await;
    let seconds = |product| {
        let cadence = stage.channel.cadence(product);
        let waits: Vec<u64> = cadence.payment.iter().map(std::time::Duration::as_secs).collect();
        (
            waits,
            cadence.revoke_after.as_secs(),
            cadence.absence_proves_after.as_secs(),
        )
    };
    let (mandate, code) = (seconds(Product::Mandate), seconds(Product::PaymentCode));
    assert_eq!(mandate, (vec![0, 1, 2, 4, 8, 16, 32, 120, 300, 600, 1_800], 45, 60));
    assert_eq!(code, (vec![0, 1, 3, 5, 5, 5, 5, 120, 300, 600, 1_800], 30, 60));
}
