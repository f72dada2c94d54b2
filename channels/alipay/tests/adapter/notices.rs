//! Notices: those of the vectors, and those that must not be believed.

use std::sync::Arc;

use metropay_core::channel::{
    Channel, ContractKey, ContractStanding, EndedBy, News, NoticeRefused, RawNotice, SignedContract, Standing,
};
use metropay_core::id::{ContractNo, PayNo, RefundNo};
use serde_json::{Value, json};

use crate::ground::*;

fn adapter(config: Value) -> Arc<dyn Channel> {
    build(config, Held::at(at("2026-03-01 08:30:05")))
}

fn ours() -> Arc<dyn Channel> {
    adapter(config("https://openapi.alipay.com/gateway.do"))
}

fn raw(body: impl Into<Vec<u8>>) -> RawNotice {
    RawNotice {
        headers: Vec::new(),
        body: body.into(),
        received_at: at("2026-03-01 08:30:09"),
    }
}

/// The form of a text to sign and a signature over it.
fn form(text: &str, sign: &str) -> String {
    // No value of the vectors holds '&' followed by a name, so the text can be taken apart again.
    let mut form = form_urlencoded::Serializer::new(String::new());
    for pair in text.split('&') {
        let (name, value) = pair.split_once('=').unwrap();
        form.append_pair(name, value);
    }
    form.append_pair("sign_type", "RSA2").append_pair("sign", sign).finish()
}

/// A form with these parameters, signed by Alipay.
fn signed_form(parameters: &[(&str, &str)]) -> String {
    let mut sorted = parameters.to_vec();
    sorted.sort_unstable();
    let text: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let text = text.join("&");
    form(&text, &alipay_signs(&text))
}

const TRADE: [(&str, &str); 7] = [
    ("app_id", "2021000000000001"),
    ("notify_type", "trade_status_sync"),
    ("out_trade_no", "MT202603010830050001"),
    ("trade_no", TRADE_NO),
    ("seller_id", "2088000000000001"),
    ("gmt_payment", "2026-03-01 08:30:06"),
    ("charset", "utf-8"),
];

fn trade(more: &[(&'static str, &'static str)]) -> String {
    let mut parameters = TRADE.to_vec();
    for (name, value) in more {
        parameters.retain(|(known, _)| known != name);
        parameters.push((name, value));
    }
    signed_form(&parameters)
}

fn payment_news(standing: Option<Standing>) -> Vec<News> {
    vec![News::Payment { no: pay_no(), standing }]
}

#[tokio::test]
async fn t7_is_a_payment_with_its_coupon() {
    let news = ours().read_notice(&raw(vector("t7.form"))).await.unwrap();
    let [
        News::Payment {
            no,
            standing: Some(Standing::Paid(paid)),
        },
    ] = &news[..]
    else {
        panic!("{news:?}")
    };
    assert_eq!(*no, pay_no());
    assert_eq!(
        (paid.channel_no.as_str(), paid.amount, paid.coupon, paid.paid_at),
        (TRADE_NO, fen(450), fen(100), at("2026-03-01 08:30:06"))
    );
}

#[test]
fn the_forms_of_the_vectors_are_the_texts_that_were_signed() {
    for name in ["t7", "t8"] {
        let body = vector(&format!("{name}.form"));
        let mut pairs: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        pairs.retain(|(name, _)| name != "sign" && name != "sign_type");
        pairs.sort();
        let text: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(text.join("&"), vector(&format!("{name}.text")));
    }
}

#[tokio::test]
async fn t7e_is_genuine_with_its_empty_value_kept_or_dropped() {
    let kept = vector("t7e_kept.text");
    for sign in ["t7e_kept.sign", "t7e_dropped.sign"] {
        let news = ours().read_notice(&raw(form(&kept, &vector(sign)))).await.unwrap();
        assert!(
            matches!(
                &news[..],
                [News::Payment {
                    standing: Some(Standing::Paid(_)),
                    ..
                }]
            ),
            "{news:?}"
        );
    }
    let dropped = form(&vector("t7e_dropped.text"), &vector("t7e_dropped.sign"));
    ours().read_notice(&raw(dropped)).await.unwrap();
    // Nothing may be added to a notice that was signed without it.
    let added = form(
        &kept.replace("passback_params=", "passback_params=x"),
        &vector("t7e_dropped.sign"),
    );
    assert!(matches!(
        ours().read_notice(&raw(added)).await,
        Err(NoticeRefused::NotGenuine(_))
    ));
}

#[tokio::test]
async fn r1_a_real_notice_is_genuine() {
    let parameters: std::collections::BTreeMap<String, String> = serde_json::from_str(&vector("r1.json")).unwrap();
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(&parameters).append_pair("sign", &vector("r1.sign"));
    let mut config = config("https://openapi.alipay.com/gateway.do");
    config["alipay_public_key"] = json!(vector("r1.public"));
    config["app_id"] = json!("2019073166072302");
    config["seller_id"] = json!("2088531891668739");
    let news = adapter(config).read_notice(&raw(body.finish())).await.unwrap();
    let [
        News::Payment {
            no,
            standing: Some(Standing::Paid(paid)),
        },
    ] = &news[..]
    else {
        panic!("{news:?}")
    };
    assert_eq!(*no, PayNo::from("20190815155618536-564-57"));
    assert_eq!((paid.amount, paid.coupon), (fen(10), fen(0)));
}

#[tokio::test]
async fn t8_signs_an_agreement_and_t8u_ends_it() {
    let contract = ContractKey::No(ContractNo::from("MTSIGN20260301000001"));
    let active = ContractStanding::Active(SignedContract {
        handle: AGREEMENT_NO.to_owned(),
        payer: Some("2088000000000099".to_owned()),
        display: Some("159****5620".to_owned()),
        signed_at: Some(at("2026-03-01 07:00:01")),
        expires_at: None,
    });
    let news = ours().read_notice(&raw(vector("t8.form"))).await.unwrap();
    assert_eq!(
        news,
        [News::Contract {
            contract: contract.clone(),
            standing: Some(active)
        }]
    );

    let ended = ContractStanding::Ended {
        by: EndedBy::User,
        at: Some(at("2026-03-09 21:10:00")),
    };
    let news = ours()
        .read_notice(&raw(form(&vector("t8u.text"), &vector("t8u.sign"))))
        .await
        .unwrap();
    assert_eq!(
        news,
        [News::Contract {
            contract,
            standing: Some(ended)
        }]
    );
}

#[tokio::test]
async fn an_agreement_without_our_number_is_named_by_theirs() {
    let unsign = [
        ("app_id", "2021000000000001"),
        ("notify_type", "dut_user_unsign"),
        ("status", "UNSIGN"),
        ("agreement_no", AGREEMENT_NO),
    ];
    let news = ours().read_notice(&raw(signed_form(&unsign))).await.unwrap();
    let [News::Contract { contract, .. }] = &news[..] else {
        panic!("{news:?}")
    };
    assert_eq!(*contract, ContractKey::Handle(AGREEMENT_NO.to_owned()));
    assert!(ours().read_notice(&raw(signed_form(&unsign[..3]))).await.is_err());
}

#[tokio::test]
async fn a_notice_about_a_refund_is_never_a_payment() {
    let refund = async |more: &[(&'static str, &'static str)]| {
        let mut all = vec![("trade_status", "TRADE_SUCCESS"), ("total_amount", "4.50")];
        all.extend_from_slice(more);
        ours().read_notice(&raw(trade(&all))).await.unwrap()
    };
    let refunded = vec![News::Refund {
        no: RefundNo::from("RF202603020001"),
        standing: None,
    }];
    let partial = [
        ("out_biz_no", "RF202603020001"),
        ("refund_fee", "2.00"),
        ("gmt_refund", "2026-03-02 10:00:01.312"),
    ];
    assert_eq!(refund(&partial).await, refunded);
    assert_eq!(refund(&partial[..2]).await, refunded);
    assert_eq!(refund(&[partial[0], partial[2]]).await, refunded);
    let full = [partial[0], partial[1], partial[2], ("trade_status", "TRADE_CLOSED")];
    assert_eq!(refund(&full).await, refunded);
    // A cancellation has no refund number: only a reason to ask for the payment.
    assert_eq!(refund(&partial[1..]).await, payment_news(None));
    assert_eq!(
        refund(&[("out_biz_no", "MT202603010830050001"), partial[2]]).await,
        payment_news(None)
    );
    // An amount of nothing is no refund.
    let plain = refund(&[("refund_fee", "0.00")]).await;
    assert!(
        matches!(
            &plain[..],
            [News::Payment {
                standing: Some(Standing::Paid(_)),
                ..
            }]
        ),
        "{plain:?}"
    );
}

#[tokio::test]
async fn other_states_of_a_trade_are_told_as_far_as_they_prove() {
    let news = async |status: &'static str| {
        ours()
            .read_notice(&raw(trade(&[("trade_status", status), ("total_amount", "4.50")])))
            .await
    };
    assert!(matches!(
        &news("TRADE_FINISHED").await.unwrap()[..],
        [News::Payment {
            standing: Some(Standing::Paid(_)),
            ..
        }]
    ));
    assert_eq!(
        news("WAIT_BUYER_PAY").await.unwrap(),
        payment_news(Some(Standing::Pending))
    );
    assert_eq!(news("TRADE_CLOSED").await.unwrap(), payment_news(None));
    assert_eq!(news("TRADE_DREAMT").await.unwrap(), payment_news(None));
}

#[tokio::test]
async fn messages_that_concern_nothing_of_ours_are_taken() {
    let message = [
        ("app_id", "2021000000000001"),
        ("msg_method", "alipay.trade.refund.depositback.completed"),
        ("utc_timestamp", "1772409153000"),
        ("version", "1.1"),
        ("biz_content", r#"{"trade_no":"1","dback_status":"S"}"#),
    ];
    assert_eq!(
        ours().read_notice(&raw(signed_form(&message))).await.unwrap(),
        [News::Nothing]
    );
    let unknown = [("app_id", "2021000000000001"), ("notify_type", "something_new")];
    assert_eq!(
        ours().read_notice(&raw(signed_form(&unknown))).await.unwrap(),
        [News::Nothing]
    );
}

#[tokio::test]
async fn nothing_forged_is_read() {
    let t7 = vector("t7.form");
    let (unsigned, _) = t7.split_once("&sign=").unwrap();
    for body in [
        t7.replace("total_amount=4.50", "total_amount=45.0"),
        t7.replace("MT202603010830050001", "MT202603010830050002"),
        format!("{t7}&extra=1"),
        format!("{t7}&total_amount=4.50"),
        t7.replace("sign=eg1", "sign=eg2"),
        t7.replace("sign_type=RSA2", "sign_type=RSA"),
        unsigned.to_owned(),
        String::new(),
        "%%%&=&==".to_owned(),
        r#"{"out_trade_no":"MT202603010830050001"}"#.to_owned(),
    ] {
        let news = ours().read_notice(&raw(body.clone())).await;
        assert!(matches!(news, Err(NoticeRefused::NotGenuine(_))), "{body}: {news:?}");
    }
}

#[tokio::test]
async fn genuine_notices_of_others_are_refused() {
    for foreign in [
        ("app_id", "2021000000000002"),
        ("auth_app_id", "2021000000000002"),
        ("seller_id", "2088000000000002"),
    ] {
        let body = trade(&[("trade_status", "TRADE_SUCCESS"), ("total_amount", "4.50"), foreign]);
        let news = ours().read_notice(&raw(body)).await;
        assert!(matches!(news, Err(NoticeRefused::Mismatch(_))), "{foreign:?}: {news:?}");
    }
    let nobody = signed_form(&[("notify_type", "trade_status_sync"), ("out_trade_no", "1")]);
    assert!(matches!(
        ours().read_notice(&raw(nobody)).await,
        Err(NoticeRefused::Mismatch(_))
    ));
}

#[tokio::test]
async fn an_amount_that_is_none_is_not_read_as_a_payment() {
    for amount in ["4.505", "-4.50", "much"] {
        let body = trade(&[("trade_status", "TRADE_SUCCESS"), ("total_amount", amount)]);
        assert!(
            matches!(ours().read_notice(&raw(body)).await, Err(NoticeRefused::NotGenuine(_))),
            "{amount}"
        );
    }
}

#[tokio::test]
async fn a_notice_in_gbk_is_verified_over_its_own_bytes() {
    // 地铁 in GBK.
    let subject = b"\xb5\xd8\xcc\xfa";
    let head =
        "app_id=2021000000000001&charset=GBK&notify_type=trade_status_sync&out_trade_no=MT202603010830050001&subject=";
    let tail = "&total_amount=4.50&trade_no=2026030122001400001400000001&trade_status=TRADE_SUCCESS";
    let text = [head.as_bytes(), subject, tail.as_bytes()].concat();
    let sign = alipay_signs_bytes(&text);
    let sign: String = form_urlencoded::byte_serialize(sign.as_bytes()).collect();
    let body = format!("{head}%B5%D8%CC%FA{tail}&sign_type=RSA2&sign={sign}");
    let news = ours().read_notice(&raw(body)).await.unwrap();
    assert!(
        matches!(
            &news[..],
            [News::Payment {
                standing: Some(Standing::Paid(_)),
                ..
            }]
        ),
        "{news:?}"
    );
}

/// A message to the application gateway, with this content.
fn message(method: &'static str, content: &str) -> String {
    signed_form(&[
        ("app_id", "2021000000000001"),
        ("charset", "UTF-8"),
        ("msg_method", method),
        ("notify_id", "2026030100222083006000010000000009"),
        ("utc_timestamp", "1772325005123"),
        ("version", "1.1"),
        ("biz_content", content),
    ])
}

#[tokio::test]
async fn messages_to_the_application_gateway_are_taken_and_a_bank_that_sends_back_is_a_reason_to_ask() {
    let read = async |method, content: &str| ours().read_notice(&raw(message(method, content))).await;
    let bounced = "alipay.trade.refund.depositback.completed";
    let content = json!({"trade_no": TRADE_NO, "out_trade_no": pay_no().0, "out_request_no": "RF202603020001",
        "dback_status": "F", "dback_amount": "2.00", "bank_ack_time": "2026-03-03 10:00:00", "备": "注"});
    let refund = vec![News::Refund {
        no: RefundNo::from("RF202603020001"),
        standing: None,
    }];
    assert_eq!(read(bounced, &content.to_string()).await, Ok(refund));
    // A cancelled payment's refund has the payment's own number.
    let cancelled = json!({"out_trade_no": pay_no().0, "out_request_no": pay_no().0}).to_string();
    assert_eq!(read(bounced, &cancelled).await, Ok(payment_news(None)));
    assert_eq!(read(bounced, "{}").await, Ok(vec![News::Nothing]));
    assert_eq!(read("alipay.something.new", "{}").await, Ok(vec![News::Nothing]));
    for junk in ["no json", "[]", "{\"a\":1,\"a\":2}"] {
        assert!(
            matches!(read(bounced, junk).await, Err(NoticeRefused::NotGenuine(_))),
            "{junk}"
        );
    }
    let forged = message(bounced, &content.to_string()).replace("RF202603020001", "RF202603020002");
    assert!(ours().read_notice(&raw(forged)).await.is_err());
    let foreign = signed_form(&[
        ("app_id", "2021000000000002"),
        ("msg_method", bounced),
        ("biz_content", "{}"),
    ]);
    assert!(matches!(
        ours().read_notice(&raw(foreign)).await,
        Err(NoticeRefused::Mismatch(_))
    ));
}

#[tokio::test]
async fn an_old_product_signs_the_kind_of_signature_too() {
    let text = "app_id=2021000000000001&msg_method=alipay.something.old&sign_type=RSA2";
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(text.split('&').filter_map(|pair| pair.split_once('=')));
    form.append_pair("sign", &alipay_signs(text));
    assert_eq!(ours().read_notice(&raw(form.finish())).await, Ok(vec![News::Nothing]));
}

#[tokio::test]
async fn a_notice_with_too_many_parameters_is_refused_before_it_is_verified() {
    let body: Vec<String> = (0..500).map(|place| format!("p{place}=1")).collect();
    let news = ours().read_notice(&raw(body.join("&"))).await;
    assert!(matches!(news, Err(NoticeRefused::NotGenuine(reason)) if reason.contains("too many")));
}

#[test]
fn alipay_is_answered_in_exactly_one_word() {
    let (taken, not) = (ours().answer_notice(true), ours().answer_notice(false));
    assert_eq!((taken.status, taken.body.as_str()), (200, "success"));
    assert_eq!(not.body, "fail");
}
