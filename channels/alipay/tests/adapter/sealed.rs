//! Sealed contents.

use metropay_core::channel::{CallError, Outcome, SignPage, SignQuestion};
use serde_json::{Value, json};

use crate::ground::*;

fn sealed() -> Value {
    json!({ "encrypt_key": "AQIDBAUGBwgJCgsMDQ4PEA==" })
}

#[tokio::test]
async fn contents_go_out_sealed_and_t6_is_a_payment() {
    let ground = Ground::with(sealed()).await;
    ground.sends(PAY, &vector("t6.json"));
    let answer = ground.channel.deduct(&deduction()).await;
    assert!(
        matches!(&answer, Ok(Outcome::Done(paid)) if paid.coupon == fen(100)),
        "{answer:?}"
    );
    let call = &ground.calls()[0];
    assert_eq!(call.parameters["encrypt_type"], "AES");
    assert!(!call.parameters["biz_content"].contains("out_trade_no"));
}

#[tokio::test]
async fn errors_from_before_the_seal_are_read_as_they_are() {
    let ground = Ground::with(sealed()).await;
    ground.sends(PAY, &vector("t5.json"));
    assert!(matches!(
        ground.channel.deduct(&deduction()).await,
        Ok(Outcome::Refused(_))
    ));
}

#[tokio::test]
async fn slashes_of_a_sealed_answer_may_be_escaped_before_or_after_it_is_signed() {
    let t6 = vector("t6.json");
    let (node, _) = t6.split_once(r#","sign":"#).unwrap();
    let (root, node) = node.split_once(':').unwrap();
    let escaped = node.replace('/', r"\/");
    assert_ne!(escaped, node);
    let after = t6.replace(node, &escaped);
    let before = format!(r#"{root}:{escaped},"sign":"{}"}}"#, alipay_signs(&escaped));
    for body in [after, before] {
        let ground = Ground::with(sealed()).await;
        ground.sends(PAY, &body);
        let answer = ground.channel.deduct(&deduction()).await;
        assert!(matches!(answer, Ok(Outcome::Done(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_opened_or_was_changed_proves_nothing() {
    let t6 = vector("t6.json");
    let seal = |text: &str| {
        format!(
            r#"{{"alipay_trade_pay_response":"{text}","sign":"{}"}}"#,
            alipay_signs(&format!("\"{text}\""))
        )
    };
    let other_key = json!({ "encrypt_key": "AQIDBAUGBwgJCgsMDQ4PEQ==" });
    let no_key = json!({});
    for (config, body) in [
        (other_key, t6.clone()),
        (no_key, t6.clone()),
        (sealed(), t6.replacen("EJ1I8", "EJ1I9", 1)),
        (sealed(), seal("no base64!")),
        (sealed(), seal("")),
        (sealed(), seal("AAAAAAAAAAAAAAAAAAAAAA==")),
        // Well sealed, but no node: {"a":1} has no code.
        (sealed(), seal("N/Gz606IbBJGjbXKsdqbog==")),
    ] {
        let ground = Ground::with(config).await;
        ground.sends(PAY, &body);
        let answer = ground.channel.deduct(&deduction()).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{body}: {answer:?}");
    }
}

#[tokio::test]
async fn pages_are_not_sealed() {
    let ground = Ground::with(sealed()).await;
    let question = SignQuestion {
        contract: contract(None),
        sequence: 1,
        display: String::new(),
        return_url: "https://app.example.com".to_owned(),
        user_ip: None,
    };
    let Ok(Outcome::Done(SignPage::Redirect { url, .. })) = ground.channel.sign_contract(&question).await else {
        panic!("no page")
    };
    assert!(
        url.contains("external_agreement_no") && !url.contains("encrypt_type"),
        "{url}"
    );
}
