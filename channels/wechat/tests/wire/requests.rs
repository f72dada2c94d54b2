//! What leaves the adapter is the reference's own messages, byte for byte.

use metropay_core::channel::{Outcome, SignPage, Standing};
use serde_json::json;

use crate::support::{Scene, SetUp, contract, deduction, order, payment, refund, signing, taken, vector};

#[tokio::test]
async fn a_pre_signing_is_vector_c1_and_its_answer_c2_is_read() {
    let scene = Scene::new(SetUp {
        notify_url: "https://pay.example.test/notify/wechat/contract",
        config: json!({"signing_page_url": "https://pay.example.test/sign?from=app"}),
        ..SetUp::default()
    })
    .await;
    scene
        .answers("/papay/partner/preentrustweb", vector("C2", "wire"))
        .await;
    let page = scene.channel.sign_contract(&signing()).await.unwrap();
    assert_eq!(scene.sent("/papay/partner/preentrustweb").await, [vector("C1", "wire")]);
    let Outcome::Done(SignPage::Redirect { url, sdk }) = page else {
        panic!("{page:?}")
    };
    assert_eq!(
        url,
        "https://pay.example.test/sign?from=app&id=5778aadTEST0000000000000000001"
    );
    assert_eq!(sdk["pre_entrustweb_id"], "5778aadTEST0000000000000000001");
    assert_eq!(sdk["miniprogram_username"], "gh_000000000000");
    assert!(sdk["miniprogram_path"].starts_with("pages/index/index?sign_scene=app"));
}

#[tokio::test]
async fn a_deduction_is_vector_c4_or_c5_and_accepted_is_not_paid() {
    for (sign_type, id) in [("MD5", "C4"), ("HMAC-SHA256", "C5")] {
        let scene = Scene::new(SetUp {
            nonce: "c4n0nce000000000000000000000000a",
            config: json!({"sign_type": sign_type}),
            ..SetUp::default()
        })
        .await;
        // Accepted, signed by HMAC without saying so: the algorithm of the request counts.
        let accepted = if id == "C4" {
            vector("C6", "wire").to_owned()
        } else {
            let heads = [
                ("return_code", "SUCCESS"),
                ("result_code", "SUCCESS"),
                ("appid", crate::support::APPID),
                ("mch_id", crate::support::MCH),
            ];
            crate::support::signed_by(crate::support::KEY, &heads, true)
        };
        scene.answers("/pay/partner/pappayapply", accepted).await;
        assert_eq!(scene.channel.deduct(&deduction()).await, Ok(Outcome::Pending));
        // The reference shows an empty `detail`, which is not signed; it is left out.
        let expected = vector(id, "wire").replace("<detail><![CDATA[]]></detail>", "");
        assert_eq!(scene.sent("/pay/partner/pappayapply").await, [expected]);
    }
}

#[tokio::test]
async fn a_query_is_vector_c9_and_its_answer_c10_says_that_the_deduction_runs() {
    let scene = Scene::new(SetUp {
        nonce: "c9n0nce000000000000000000000000a",
        ..SetUp::default()
    })
    .await;
    scene.answers("/pay/partner/paporderquery", vector("C10", "wire")).await;
    assert_eq!(scene.channel.query_payment(&payment()).await, Ok(Standing::Pending));
    assert_eq!(scene.sent("/pay/partner/paporderquery").await, [vector("C9", "wire")]);
}

#[tokio::test]
async fn a_refund_is_vector_c23_with_the_order_named_by_our_number() {
    let scene = Scene::new(SetUp {
        nonce: "c23nonce00000000000000000000000a",
        notify_url: "https://pay.example.test/notify/wechat/refund",
        ..SetUp::default()
    })
    .await;
    scene.answers("/secapi/pay/refund", vector("C24", "wire")).await;
    assert_eq!(scene.channel.refund(&refund()).await, Ok(Outcome::Pending));
    let sent = scene.sent("/secapi/pay/refund").await;
    let unsigned = |body: &str| body.split("<sign>").next().unwrap_or_default().to_owned();
    let expected = vector("C23", "wire").replace(
        "<transaction_id><![CDATA[4200000000202503010000000001]]></transaction_id>",
        "<out_trade_no><![CDATA[MC20250301123456000000000000001]]></out_trade_no>",
    );
    assert_eq!(
        sent.iter().map(|body| unsigned(body)).collect::<Vec<_>>(),
        [unsigned(&expected)]
    );
}

#[tokio::test]
async fn a_direct_merchant_uses_its_own_paths_and_names_no_shop() {
    let scene = Scene::new(SetUp {
        config: json!({"mode": "direct", "sub_mch_id": null}),
        ..SetUp::default()
    })
    .await;
    scene.answers("/pay/pappayapply", taken(&[])).await;
    scene.answers("/pay/paporderquery", order("NOTPAY")).await;
    assert_eq!(scene.channel.deduct(&deduction()).await, Ok(Outcome::Pending));
    assert_eq!(scene.channel.query_payment(&payment()).await, Ok(Standing::Pending));
    for body in [
        scene.sent("/pay/pappayapply").await,
        scene.sent("/pay/paporderquery").await,
    ] {
        assert!(!body[0].contains("sub_mch_id"), "{body:?}");
    }
}

#[tokio::test]
async fn contract_calls_carry_no_nonce_and_ending_is_signed_by_md5() {
    let scene = Scene::new(SetUp {
        config: json!({"sign_type": "HMAC-SHA256"}),
        ..SetUp::default()
    })
    .await;
    scene
        .answers(
            "/papay/deletecontract",
            taken(&[("contract_code", crate::support::CONTRACT)]),
        )
        .await;
    assert_eq!(
        scene.channel.close_contract(&contract(None)).await,
        Ok(Outcome::Done(()))
    );
    assert_eq!(
        scene.channel.close_contract(&contract(Some("H1"))).await,
        Ok(Outcome::Done(()))
    );
    let sent = scene.sent("/papay/deletecontract").await;
    for body in &sent {
        assert!(!body.contains("nonce_str") && !body.contains("sign_type"), "{body}");
        assert!(body.contains("<version><![CDATA[1.0]]></version>"), "{body}");
        let sign = body.split("<sign><![CDATA[").nth(1).unwrap_or_default();
        assert_eq!(sign.find(']'), Some(32), "{body}");
    }
    assert!(sent[0].contains("plan_id") && sent[0].contains("contract_code") && !sent[0].contains("contract_id"));
    assert!(!sent[1].contains("plan_id") && !sent[1].contains("contract_code") && sent[1].contains("contract_id"));
}

#[tokio::test]
async fn texts_are_cut_and_cleared_of_what_the_channel_refuses() {
    let scene = Scene::provider().await;
    scene.answers("/pay/partner/pappayapply", taken(&[])).await;
    let mut question = deduction();
    question.body = format!("面😀{}", "条".repeat(60));
    question.store = "]]><sign>x</sign>".to_owned();
    assert_eq!(scene.channel.deduct(&question).await, Ok(Outcome::Pending));
    let sent = scene.sent("/pay/partner/pappayapply").await;
    assert!(
        sent[0].contains(&format!("<body><![CDATA[面{}]]></body>", "条".repeat(41))),
        "{sent:?}"
    );
    assert!(
        sent[0].contains("<attach><![CDATA[store=]]]]><![CDATA[><sign>x</sign>]]></attach>"),
        "{sent:?}"
    );
}
