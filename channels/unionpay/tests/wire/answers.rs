//! What the adapter sends, byte for byte, and what it makes of each kind of answer.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use metropay_core::channel::{CallError, ContractRef, Hint, Outcome, Paid, RefundStanding, Standing};
use metropay_core::id::ContractNo;
use metropay_core::money::Fen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wiremock::ResponseTemplate;

use crate::gateway::{
    self, Fields, PAY, QUERY_ID, Signer, Stage, TOKEN, answer, china, deduction, echo, found, order, payment, raw,
    refund, reversal, sign, with_status,
};

fn maybe<T: std::fmt::Debug>(result: Result<T, CallError>) -> String {
    match result {
        Err(CallError::MaybeDone(text)) => text,
        other => panic!("should be unknown: {other:?}"),
    }
}

fn sorted(fields: &Fields) -> String {
    let signed = fields.iter().filter(|(name, _)| *name != "signature");
    signed
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&")
}

#[tokio::test]
async fn a_consume_goes_out_as_vector_1_and_its_acceptance_of_vector_2_is_not_a_payment() {
    let body = BASE64.decode(vector!("v2.body.b64").trim()).unwrap();
    let stage = Stage::with(
        |config| config["check_cn"] = false.into(),
        move |_| ResponseTemplate::new(200).set_body_bytes(body.clone()),
    )
    .await;
    assert_eq!(stage.channel.deduct(&deduction()).await, Ok(Outcome::Pending));
    let requests = stage.server.received_requests().await.unwrap();
    assert_eq!(requests[0].url.path(), "/gateway/api/backTransReq.do");
    assert_eq!(requests[0].body, vector!("v1.body").as_bytes());
    let content_type = requests[0].headers.get("content-type").unwrap();
    assert_eq!(content_type, "application/x-www-form-urlencoded; charset=UTF-8");
}

#[tokio::test]
async fn a_query_goes_out_as_vector_4() {
    let stage = Stage::new(|asked| found(asked, "01", "00", "1280")).await;
    stage.channel.query_payment(&payment(None)).await.unwrap();
    let (path, fields) = stage.asked().await.remove(0);
    assert_eq!(path, "/gateway/api/queryTrans.do");
    assert_eq!(sorted(&fields), vector!("v4.sorted"));
    assert_eq!(fields["signature"], vector!("v4.signature"));
}

#[tokio::test]
async fn a_query_with_a_shared_secret_and_sm3_goes_out_as_vector_6() {
    let keyed = |config: &mut serde_json::Value| {
        config["sign_method"] = "12".into();
        config["secure_key"] = "880000000000000000000000000000ab".into();
        for unneeded in ["sign_cert_pem", "sign_key_pem", "root_certs_pem", "middle_certs_pem"] {
            config.as_object_mut().unwrap().remove(unneeded);
        }
    };
    let stage = Stage::with(keyed, |asked| found(asked, "01", "00", "1280")).await;
    maybe(stage.channel.query_payment(&payment(None)).await);
    let (_, fields) = stage.asked().await.remove(0);
    assert_eq!(sorted(&fields), vector!("v6.sorted"));
    assert_eq!(fields["signature"], vector!("v6.signature"));
}

#[tokio::test]
async fn a_query_with_a_shared_secret_goes_out_as_vector_5_and_an_answer_by_certificate_is_not_believed_then() {
    let keyed = |config: &mut serde_json::Value| {
        config["sign_method"] = "11".into();
        config["secure_key"] = "880000000000000000000000000000ab".into();
    };
    let stage = Stage::with(keyed, |asked| found(asked, "01", "00", "1280")).await;
    let error = maybe(stage.channel.query_payment(&payment(None)).await);
    assert!(error.contains("not believed"), "{error}");
    let (_, fields) = stage.asked().await.remove(0);
    assert_eq!(sorted(&fields), vector!("v5.sorted"));
    assert_eq!(fields["signature"], vector!("v5.signature"));
}

#[tokio::test]
async fn a_platforms_merchant_is_named_in_every_message() {
    let stage = Stage::with(
        |config| {
            config["access_type"] = "2".into();
            config["sub_mer_id"] = "SZTX001".into();
            config["sub_mer_name"] = "第一分店".into();
            config["sub_mer_abbr"] = "一店".into();
        },
        |asked| answer(asked, "00", &[]),
    )
    .await;
    assert_eq!(stage.channel.deduct(&deduction()).await, Ok(Outcome::Pending));
    let (_, fields) = stage.asked().await.remove(0);
    for (name, value) in [
        ("accessType", "2"),
        ("subMerId", "SZTX001"),
        ("subMerName", "第一分店"),
        ("subMerAbbr", "一店"),
    ] {
        assert_eq!(fields[name], value);
    }
}

#[tokio::test]
async fn every_code_that_leaves_the_outcome_open_is_pending_and_every_refusal_keeps_its_code() {
    for code in [
        "00", "A6", "02", "03", "04", "05", "06", "12", "34", "37", "42", "70", "74", "75", "83", "99",
    ] {
        let stage = Stage::new(move |asked| answer(asked, code, &[])).await;
        assert_eq!(stage.channel.deduct(&deduction()).await, Ok(Outcome::Pending), "{code}");
    }
    for (code, hint) in [
        ("64", Hint::Funds),
        ("40", Hint::ContractGone),
        ("80", Hint::ContractGone),
        ("82", Hint::User),
        ("38", Hint::None),
    ] {
        let stage = Stage::new(move |asked| answer(asked, code, &[])).await;
        let Ok(Outcome::Refused(why)) = stage.channel.deduct(&deduction()).await else {
            panic!("{code} refuses");
        };
        assert_eq!(
            (why.code.as_str(), why.text.as_str(), why.hint),
            (code, "说明[0000000]", hint)
        );
        assert_eq!(stage.kinds().await, ["01"], "a refusal needs no query");
    }
    let stage = Stage::new(|asked| answer(asked, "ZZ", &[])).await;
    maybe(stage.channel.deduct(&deduction()).await);
}

#[tokio::test]
async fn a_refusal_that_is_judged_before_duplicates_counts_only_when_the_order_is_not_there() {
    for (standing, refused) in [
        ("34", Some(true)),
        ("64", Some(true)),
        ("05", Some(false)),
        ("00", Some(false)),
        // Nothing of this account can pass: neither this sending nor the one before it.
        ("declined 32", Some(true)),
        ("declined 06", None),
        ("unsigned", None),
    ] {
        let stage = Stage::new(move |asked| match (asked["txnType"].as_str(), standing) {
            ("01", _) => answer(asked, "32", &[]),
            (_, "34") => answer(asked, "34", &[]),
            (_, "declined 32") => answer(asked, "32", &[]),
            (_, "declined 06") => answer(asked, "06", &[]),
            (_, "unsigned") => ResponseTemplate::new(200),
            (_, code) => found(asked, "01", code, "1280"),
        })
        .await;
        let outcome = stage.channel.deduct(&deduction()).await;
        match refused {
            Some(true) => assert!(
                matches!(&outcome, Ok(Outcome::Refused(why)) if why.code == "32"),
                "{standing}: {outcome:?}"
            ),
            Some(false) => assert_eq!(outcome, Ok(Outcome::Pending), "{standing}"),
            None => assert!(
                matches!(outcome, Err(CallError::MaybeDone(_))),
                "{standing}: {outcome:?}"
            ),
        }
        assert_eq!(stage.kinds().await, ["01", "00"]);
    }
}

pub(crate) type Say = fn(&Fields) -> ResponseTemplate;

/// Not signed by UnionPay, or not a message at all.
pub(crate) const FORGED: &[(&str, Say)] = &[
    ("plain text", |_| {
        ResponseTemplate::new(200).set_body_string("Invalid request.")
    }),
    ("blacklist", |_| {
        ResponseTemplate::new(200)
            .set_body_string("You have been added to the blacklist. Please don't do stress testing. TPS=0.5")
    }),
    ("empty", |_| ResponseTemplate::new(200)),
    ("HTML", |_| {
        ResponseTemplate::new(200).set_body_string("<html><body class=\"x\">502</body></html>")
    }),
    ("HTTP 500", |asked| {
        with_status(500, &sign(echo(asked, "64", &[]), Signer::Unionpay))
    }),
    ("HTTP 302", |_| {
        ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/")
    }),
    ("unsigned", |asked| raw(&echo(asked, "64", &[]))),
    ("wrong signature", |asked| {
        let mut fields = sign(echo(asked, "00", &[]), Signer::Unionpay);
        fields.insert("respCode".to_owned(), "64".to_owned());
        raw(&fields)
    }),
    ("a blank field lost", |asked| {
        let mut fields = sign(echo(asked, "64", &[]), Signer::Unionpay);
        fields.remove("payCardType");
        raw(&fields)
    }),
    ("no certificate", |asked| {
        let mut fields = sign(echo(asked, "64", &[]), Signer::Unionpay);
        fields.remove("signPubKeyCert");
        raw(&fields)
    }),
    ("the test gateway", |asked| {
        raw(&sign(echo(asked, "64", &[]), Signer::TestGateway))
    }),
    ("a merchant as signer", |asked| {
        raw(&sign(echo(asked, "64", &[]), Signer::Merchant))
    }),
    ("another root", |asked| {
        raw(&sign(echo(asked, "64", &[]), Signer::OtherRoot))
    }),
];

/// Signed by UnionPay, but not the answer to this message.
pub(crate) const STRANGE: &[(&str, Say)] = &[
    ("no code", |asked| answer(asked, "", &[])),
    ("another merchant", |asked| {
        answer(asked, "64", &[("merId", "700000000000002")])
    }),
    ("another order", |asked| {
        answer(asked, "64", &[("orderId", "MCP20250301123456000002")])
    }),
    ("another time", |asked| {
        answer(asked, "64", &[("txnTime", "20250301123457")])
    }),
    ("another type", |asked| answer(asked, "64", &[("txnType", "31")])),
    ("another amount", |asked| answer(asked, "64", &[("txnAmt", "1281")])),
    ("another currency", |asked| {
        answer(asked, "64", &[("currencyCode", "840")])
    }),
    ("late", |asked| {
        answer(asked, "64", &[]).set_delay(Duration::from_millis(900))
    }),
];

#[tokio::test]
async fn whatever_is_not_a_believed_answer_leaves_the_outcome_unknown() {
    for (name, say) in FORGED.iter().chain(STRANGE) {
        let say = *say;
        let stage = Stage::new(say).await;
        let consumed = stage.channel.deduct(&deduction()).await;
        assert!(matches!(consumed, Err(CallError::MaybeDone(_))), "{name}: {consumed:?}");
        let refunded = stage.channel.refund(&refund(100)).await;
        assert!(matches!(refunded, Err(CallError::MaybeDone(_))), "{name}: {refunded:?}");
        let queried = stage.channel.query_payment(&payment(None)).await;
        assert!(matches!(queried, Err(CallError::MaybeDone(_))), "{name}: {queried:?}");
        let kinds = stage.kinds().await;
        assert_eq!(kinds, ["01", "04", "00"], "{name}: nothing is sent twice");
    }
}

#[tokio::test]
async fn whatever_is_not_a_believed_answer_tells_nothing_of_refunds_contracts_and_reversals() {
    let contract = ContractRef {
        no: ContractNo::from("MCS20250301120000000001"),
        asked_at: china("20250301120000"),
        handle: Some(TOKEN.to_owned()),
    };
    // What has no amount cannot have another one.
    let with_amount = |name: &str| name == "another amount";
    for (name, say) in FORGED.iter().chain(STRANGE).filter(|(name, _)| !with_amount(name)) {
        let stage = Stage::new(*say).await;
        let told = [
            format!("{:?}", stage.channel.query_refund(&refund(100)).await),
            format!("{:?}", stage.channel.query_contract(&contract).await),
            format!("{:?}", stage.channel.close_contract(&contract).await),
            format!("{:?}", stage.channel.reverse(&reversal(None)).await),
        ];
        for told in told {
            assert!(told.starts_with("Err(MaybeDone("), "{name}: {told}");
        }
        let kinds = stage.kinds().await;
        assert_eq!(kinds, ["00", "78", "74", "00"], "{name}: nothing is sent twice");
    }
}

/// A gateway that answers one request and is gone then.
async fn once(code: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        drop(listener);
        let mut request = Vec::new();
        // The version is the last of a message's fields by name.
        while !request.ends_with(b"&version=5.1.0") {
            let mut buffer = [0; 4096];
            let read = socket.read(&mut buffer).await.unwrap();
            request.extend_from_slice(&buffer[..read]);
        }
        let body = request.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
        let fields = sign(echo(&gateway::read(&request[body..]), code, &[]), Signer::Unionpay);
        let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = pairs.join("&");
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            answer.len()
        );
        socket.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
    });
    url
}

#[tokio::test]
async fn what_was_sent_is_never_called_not_sent_because_the_question_behind_it_was_not() {
    for code in ["32", "36"] {
        let clock = gateway::Hands::at("20250301123456");
        let channel = gateway::build(gateway::config(&once(code).await), clock.clone()).unwrap();
        let outcome = channel.refund(&refund(100)).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{outcome:?}");
    }
    let clock = gateway::Hands::at("20250301123456");
    let channel = gateway::build(gateway::config(&once("32").await), clock).unwrap();
    let outcome = channel.deduct(&deduction()).await;
    assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{outcome:?}");
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let clock = gateway::Hands::at("20250301123456");
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let channel = gateway::build(gateway::config(&format!("http://{closed}")), clock).unwrap();
    let outcome = channel.deduct(&deduction()).await;
    assert!(matches!(outcome, Err(CallError::NotSent(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_gateway_certificate_that_has_expired_is_not_believed() {
    let stage = Stage::new(|asked| found(asked, "01", "00", "1280")).await;
    assert!(matches!(
        stage.channel.query_payment(&payment(None)).await,
        Ok(Standing::Paid(_))
    ));
    stage.clock.set("20500102000000");
    maybe(stage.channel.query_payment(&payment(None)).await);
}

#[tokio::test]
async fn an_order_stands_as_its_own_code_says() {
    let paid = Paid {
        channel_no: QUERY_ID.to_owned(),
        amount: Fen::new(1280).unwrap(),
        coupon: Fen::ZERO,
        paid_at: china("20250301123458"),
    };
    for (code, expected) in [
        ("00", Some(Standing::Paid(paid.clone()))),
        ("A6", Some(Standing::Paid(paid))),
        ("03", Some(Standing::Pending)),
        ("04", Some(Standing::Pending)),
        ("05", Some(Standing::Pending)),
        ("99", Some(Standing::Pending)),
        ("ZZ", Some(Standing::Pending)),
        ("64", None),
        ("01", None),
    ] {
        let stage = Stage::new(move |asked| found(asked, "01", code, "1280")).await;
        let standing = stage.channel.query_payment(&payment(None)).await.unwrap();
        match expected {
            Some(expected) => assert_eq!(standing, expected, "{code}"),
            None => assert!(
                matches!(&standing, Standing::NotPaid(why) if why.code == code),
                "{standing:?}"
            ),
        }
    }
}

#[tokio::test]
async fn the_querys_own_code_tells_absence_and_nothing_else_about_the_order() {
    let stage = Stage::new(|asked| answer(asked, "34", &[])).await;
    assert_eq!(stage.channel.query_payment(&payment(None)).await, Ok(Standing::Absent));
    assert_eq!(
        stage.channel.query_refund(&refund(100)).await,
        Ok(RefundStanding::Absent)
    );
    for code in ["03", "04", "05", "06", "37", "10", "11", "12", "64", "ZZ"] {
        let stage = Stage::new(move |asked| answer(asked, code, &[("origRespCode", "00")])).await;
        maybe(stage.channel.query_payment(&payment(None)).await);
    }
}

#[tokio::test]
async fn an_order_that_is_not_ours_in_every_part_is_not_believed() {
    let more: &[&[(&str, &str)]] = &[
        &[("txnAmt", "1281")],
        &[("txnAmt", "")],
        &[("currencyCode", "840")],
        &[("currencyCode", "")],
        &[("txnType", "04")],
        &[("txnType", "00")],
        &[("queryId", "")],
        &[("origRespCode", "")],
        // `{discountAmt=2000}`: more than was paid.
        &[("reserved", "e2Rpc2NvdW50QW10PTIwMDB9")],
    ];
    for changed in more {
        let stage = Stage::new(move |asked| {
            let mut fields: Vec<_> = order("01", "00", "1280").to_vec();
            fields.extend_from_slice(changed);
            answer(asked, "00", &fields)
        })
        .await;
        maybe(stage.channel.query_payment(&payment(None)).await);
    }
}

#[tokio::test]
async fn a_discount_is_the_coupons_part_and_without_a_trace_time_the_orders_own_counts() {
    let stage = Stage::new(|asked| {
        let mut fields: Vec<_> = order("01", "00", "1280").to_vec();
        fields.extend([("reserved", "e2Rpc2NvdW50QW10PTEwMH0="), ("traceTime", "")]);
        answer(asked, "00", &fields)
    })
    .await;
    let Ok(Standing::Paid(paid)) = stage.channel.query_payment(&payment(None)).await else {
        panic!("paid");
    };
    assert_eq!(paid.coupon, Fen::new(100).unwrap());
    assert_eq!(paid.paid_at, china("20250301123456"));
}

#[tokio::test]
async fn a_question_that_can_never_be_asked_is_refused_without_a_call() {
    let stage = Stage::new(|asked| answer(asked, "00", &[])).await;
    for (amount, handle) in [(0, "6235"), (1_000_000_000_000, "6235"), (1, ""), (1, "1}&trId={2")] {
        let mut question = deduction();
        question.amount = Fen::new(amount).unwrap();
        question.contract_handle = handle.to_owned();
        let outcome = stage.channel.deduct(&question).await;
        assert!(
            matches!(&outcome, Ok(Outcome::Refused(why)) if why.hint == Hint::Setup),
            "{outcome:?}"
        );
    }
    let mut short = refund(1);
    short.no = "R1".into();
    for question in [refund(0), refund(1_000_000_000_000), short] {
        let nothing = stage.channel.refund(&question).await;
        assert!(matches!(nothing, Ok(Outcome::Refused(_))), "{nothing:?}");
    }
    assert!(stage.asked().await.is_empty());
}

#[tokio::test]
async fn a_refund_names_the_original_and_its_acceptance_is_pending() {
    let stage = Stage::new(|asked| answer(asked, "00", &[("queryId", "102503011235000000028")])).await;
    assert_eq!(stage.channel.refund(&refund(300)).await, Ok(Outcome::Pending));
    let (path, fields) = stage.asked().await.remove(0);
    assert_eq!(path, "/gateway/api/backTransReq.do");
    for (name, value) in [
        ("txnType", "04"),
        ("txnSubType", "00"),
        ("bizType", "000301"),
        ("orderId", "MCR20250301150000000001"),
        ("txnTime", "20250301123500"),
        ("origQryId", QUERY_ID),
        ("txnAmt", "300"),
        ("backUrl", "https://pay.example.test/notify/unionpay"),
    ] {
        assert_eq!(fields[name], value, "{name}");
    }
    assert!(!fields.contains_key("reqReserved"));
}

#[tokio::test]
async fn a_refund_without_the_originals_number_asks_for_it_first() {
    let stage = Stage::new(|asked| match asked["txnType"].as_str() {
        "00" => found(asked, "01", "00", "1280"),
        _ => answer(asked, "05", &[]),
    })
    .await;
    let mut question = refund(300);
    question.payment.channel_no = None;
    assert_eq!(stage.channel.refund(&question).await, Ok(Outcome::Pending));
    let asked = stage.asked().await;
    assert_eq!(
        (asked[0].1["orderId"].as_str(), asked[1].1["origQryId"].as_str()),
        (PAY, QUERY_ID)
    );
}

#[tokio::test]
async fn a_refused_refund_counts_only_when_the_refund_itself_is_not_there() {
    for (standing, refused) in [("34", true), ("36", true), ("00", false), ("05", false)] {
        let stage = Stage::new(move |asked| match (asked["txnType"].as_str(), standing) {
            ("04", _) => answer(asked, "36", &[]),
            (_, "34") => answer(asked, "34", &[]),
            (_, code) => found(asked, "04", code, "300"),
        })
        .await;
        let outcome = stage.channel.refund(&refund(300)).await.unwrap();
        assert_eq!(
            matches!(outcome, Outcome::Refused(_)),
            refused,
            "{standing}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_refund_is_done_only_by_its_own_query() {
    let stage = Stage::new(|asked| {
        let mut fields: Vec<_> = order("04", "00", "300").to_vec();
        fields.push(("currencyCode", ""));
        answer(asked, "00", &fields)
    })
    .await;
    let Ok(RefundStanding::Refunded(refunded)) = stage.channel.query_refund(&refund(300)).await else {
        panic!("refunded");
    };
    assert_eq!(refunded.amount, Fen::new(300).unwrap());
    assert_eq!(refunded.channel_no.as_deref(), Some(QUERY_ID));
    assert_eq!(refunded.refunded_at, china("20250301123458"));
    maybe(stage.channel.query_refund(&refund(301)).await);
    for (code, pending) in [("05", true), ("99", true), ("36", false)] {
        let stage = Stage::new(move |asked| found(asked, "04", code, "300")).await;
        let standing = stage.channel.query_refund(&refund(300)).await.unwrap();
        assert_eq!(standing == RefundStanding::Pending, pending, "{code}: {standing:?}");
        assert!(pending || matches!(standing, RefundStanding::NotRefunded(_)));
    }
}
