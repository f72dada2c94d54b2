//! Contracts, configuration, and what notifications tell.

use metropay_core::channel::{
    CallError, ContractKey, ContractRef, ContractStanding, EndedBy, News, NoticeRefused, Outcome, RawNotice,
    RefundStanding, RegistryError, SignPage, SignQuestion, Standing,
};
use metropay_core::id::{ContractNo, PayNo, RefundNo};
use metropay_core::money::Fen;
use metropay_core::random::SeededRandom;
use serde_json::{Value, json};

use crate::gateway::{
    Fields, Hands, PAY, QUERY_ID, Signer, Stage, TOKEN, answer, build, china, config, echo, read, sign,
};

const CONTRACT: &str = "MCS20250301120000000001";
const DOMAIN: &str = "{token=6235240000020757577&trId=62000000001&tokenLevel=40&tokenBegin=20250301120231&tokenEnd=20300228120231&tokenType=01}";

fn contract(handle: Option<&str>) -> ContractRef {
    ContractRef {
        no: ContractNo::from(CONTRACT),
        asked_at: china("20250301120000"),
        handle: handle.map(str::to_owned),
    }
}

fn raw_notice(body: impl Into<Vec<u8>>) -> RawNotice {
    RawNotice {
        headers: Vec::new(),
        body: body.into(),
        received_at: china("20250301123500"),
    }
}

fn form(fields: &Fields) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

/// A genuine notification: the fields of vector 3 with these changed, signed again.
fn notice(changes: &[(&str, &str)]) -> RawNotice {
    let mut fields = read(vector!("v3.body").as_bytes());
    for (name, value) in changes {
        match *value {
            "-" => fields.remove(*name),
            value => fields.insert((*name).to_owned(), value.to_owned()),
        };
    }
    fields.remove("signature");
    raw_notice(form(&sign(fields, Signer::Unionpay)))
}

async fn silent() -> Stage {
    Stage::new(|asked| answer(asked, "34", &[])).await
}

#[tokio::test]
async fn the_opening_form_is_vector_11() {
    let setting = metropay_core::channel::Setting {
        account: "account-1".into(),
        notify_url: "https://pay.example.test/notify/unionpay/sign".to_owned(),
        clock: Hands::at("20250301120000"),
        random: std::sync::Arc::new(SeededRandom::new(1)),
    };
    let factory = metropay_channel_unionpay::UnionpayFactory::new(metropay_outbound::OutboundSettings::default());
    let channel = metropay_core::channel::ChannelRegistry::new()
        .with(factory)
        .build(&"unionpay".into(), config("https://gateway.test.95516.com/"), setting)
        .unwrap();
    assert_eq!(channel.contract_scope(), "unionpay:700000000000001:62000000001");
    let question = SignQuestion {
        contract: contract(None),
        sequence: 1,
        display: "138xxxx8000".to_owned(),
        return_url: "https://pay.example.test/sign/return".to_owned(),
        user_ip: None,
    };
    let Ok(Outcome::Done(SignPage::Form { action, fields })) = channel.sign_contract(&question).await else {
        panic!("a form");
    };
    assert_eq!(action, "https://gateway.test.95516.com/gateway/api/frontTransReq.do");
    let signed = fields.iter().filter(|(name, _)| name != "signature");
    let sorted = signed
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&");
    assert_eq!(sorted, vector!("v11.sorted"));
    let signature = fields.iter().find(|(name, _)| name == "signature").unwrap();
    assert_eq!(signature.1, vector!("v11.signature"));
}

#[tokio::test]
async fn an_opened_contract_is_told_with_its_token_its_end_and_the_cards_tail() {
    let news = silent()
        .await
        .channel
        .read_notice(&raw_notice(vector!("v13.body")))
        .await
        .unwrap();
    let [
        News::Contract {
            contract,
            standing: Some(ContractStanding::Active(signed)),
        },
    ] = news.as_slice()
    else {
        panic!("{news:?}");
    };
    assert_eq!(contract, &ContractKey::No(ContractNo::from(CONTRACT)));
    assert_eq!(signed.handle, TOKEN);
    assert_eq!(signed.display.as_deref(), Some("尾号0018"));
    assert_eq!(signed.signed_at, Some(china("20250301120231")));
    assert_eq!(signed.expires_at, Some(china("20300228120231")));
    assert_eq!(signed.payer, None);
}

#[tokio::test]
async fn the_open_query_tells_the_token_or_that_there_is_none_yet() {
    let stage = Stage::new(|asked| answer(asked, "00", &[("tokenPayData", DOMAIN)])).await;
    let Ok(ContractStanding::Active(signed)) = stage.channel.query_contract(&contract(None)).await else {
        panic!("active");
    };
    assert_eq!(signed.handle, TOKEN);
    let (path, fields) = stage.asked().await.remove(0);
    assert_eq!(path, "/gateway/api/backTransReq.do");
    for (name, value) in [
        ("txnType", "78"),
        ("txnSubType", "02"),
        ("bizType", "000902"),
        ("orderId", CONTRACT),
        ("txnTime", "20250301120000"),
    ] {
        assert_eq!(fields[name], value);
    }
    stage.clock.set("20300228120231");
    let ended = ContractStanding::Ended {
        by: EndedBy::Expiry,
        at: Some(china("20300228120231")),
    };
    assert_eq!(stage.channel.query_contract(&contract(None)).await, Ok(ended));

    let ended = |by| Some(ContractStanding::Ended { by, at: None });
    for (code, before, after) in [
        ("34", Some(ContractStanding::Pending), Some(ContractStanding::Pending)),
        ("40", Some(ContractStanding::Pending), ended(EndedBy::Channel)),
        ("80", Some(ContractStanding::Pending), ended(EndedBy::Expiry)),
        ("01", Some(ContractStanding::Pending), None),
        ("70", Some(ContractStanding::Pending), None),
        ("06", Some(ContractStanding::Pending), None),
        ("11", None, None),
        ("ZZ", None, None),
    ] {
        let stage = Stage::new(move |asked| answer(asked, code, &[])).await;
        assert_eq!(
            stage.channel.query_contract(&contract(None)).await.ok(),
            before,
            "{code}"
        );
        assert_eq!(
            stage.channel.query_contract(&contract(Some(TOKEN))).await.ok(),
            after,
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_token_for_another_requester_or_none_is_not_taken() {
    for domain in [
        "{token=1&trId=62000000002}",
        "{trId=62000000001}",
        "token=1",
        "{token=a b&trId=62000000001}",
        "",
    ] {
        let stage = Stage::new(move |asked| answer(asked, "00", &[("tokenPayData", domain)])).await;
        let standing = stage.channel.query_contract(&contract(None)).await;
        assert!(
            matches!(standing, Err(CallError::MaybeDone(_))),
            "{domain}: {standing:?}"
        );
    }
}

#[tokio::test]
async fn a_deleted_token_stays_deleted_and_the_deletion_is_an_order_of_its_own() {
    for code in ["00", "40", "80"] {
        let stage = Stage::new(move |asked| answer(asked, code, &[])).await;
        let closed = stage.channel.close_contract(&contract(Some(TOKEN))).await;
        assert_eq!(closed, Ok(Outcome::Done(())), "{code}");
        let (_, fields) = stage.asked().await.remove(0);
        assert_eq!(
            (fields["txnType"].as_str(), fields["txnSubType"].as_str()),
            ("74", "01")
        );
        assert_eq!(fields["tokenPayData"], format!("{{trId=62000000001&token={TOKEN}}}"));
        assert_ne!(fields["orderId"], CONTRACT);
        assert_eq!(fields["txnTime"], "20250301123456");
    }
    for (code, expected) in [("05", Some(true)), ("32", Some(false)), ("ZZ", None)] {
        let stage = Stage::new(move |asked| answer(asked, code, &[])).await;
        let closed = stage.channel.close_contract(&contract(Some(TOKEN))).await;
        assert_eq!(
            closed.as_ref().ok().map(|outcome| *outcome == Outcome::Pending),
            expected,
            "{code}: {closed:?}"
        );
        assert_ne!(closed, Ok(Outcome::Done(())));
    }
}

#[tokio::test]
async fn a_contract_whose_token_we_do_not_hold_is_asked_for_before_it_is_ended() {
    let stage = Stage::new(|asked| match asked["txnType"].as_str() {
        "78" => answer(asked, "00", &[("tokenPayData", DOMAIN)]),
        _ => answer(asked, "00", &[]),
    })
    .await;
    assert_eq!(
        stage.channel.close_contract(&contract(None)).await,
        Ok(Outcome::Done(()))
    );
    assert_eq!(stage.kinds().await, ["78", "74"]);

    let stage = silent().await;
    assert_eq!(
        stage.channel.close_contract(&contract(None)).await,
        Ok(Outcome::Pending)
    );
    stage.clock.set("20250301140001");
    assert_eq!(
        stage.channel.close_contract(&contract(None)).await,
        Ok(Outcome::Done(()))
    );
    assert_eq!(stage.kinds().await, ["78", "78"]);
}

#[tokio::test]
async fn a_paid_order_is_told_with_number_amount_coupon_and_time() {
    let news = silent()
        .await
        .channel
        .read_notice(&raw_notice(vector!("v3.body")))
        .await
        .unwrap();
    let [
        News::Payment {
            no,
            standing: Some(Standing::Paid(paid)),
        },
    ] = news.as_slice()
    else {
        panic!("{news:?}");
    };
    assert_eq!(no, &PayNo::from(PAY));
    assert_eq!(paid.channel_no, QUERY_ID);
    assert_eq!(
        (paid.amount, paid.coupon),
        (Fen::new(1280).unwrap(), Fen::new(100).unwrap())
    );
    assert_eq!(paid.paid_at, china("20250301123456"));
}

#[tokio::test]
async fn a_paid_code_is_told_like_any_other_payment_and_sponsors_are_added() {
    let coupons = r#"[{"type":"CP01","offstAmt":"30"},{"type":"CP01","spnsrId":"00010000","offstAmt":"12"}]"#;
    let paid_by_code = [
        ("txnSubType", "06"),
        ("bizType", "000000"),
        ("reserved", "-"),
        ("couponInfo", coupons),
    ];
    let news = silent()
        .await
        .channel
        .read_notice(&notice(&paid_by_code))
        .await
        .unwrap();
    let [
        News::Payment {
            standing: Some(Standing::Paid(paid)),
            ..
        },
    ] = news.as_slice()
    else {
        panic!("{news:?}");
    };
    assert_eq!((paid.amount.get(), paid.coupon.get()), (1280, 42));
}

#[tokio::test]
async fn forged_notifications_are_refused() {
    let channel = silent().await.channel;
    let mut cheaper = read(vector!("v3.body").as_bytes());
    cheaper.insert("txnAmt".to_owned(), "1".to_owned());
    let mut dropped = read(vector!("v3.body").as_bytes());
    dropped.remove("payCardType");
    let other_root = sign(echo(&cheaper, "00", &[]), Signer::OtherRoot);
    for body in [
        vector!("v3b.body").to_owned(),
        form(&cheaper),
        form(&dropped),
        form(&other_root),
        String::new(),
        "{}".to_owned(),
        format!("{}&txnAmt=1", vector!("v3.body")),
        format!("{}&extra=", vector!("v3.body")),
    ] {
        let refused = channel.read_notice(&raw_notice(body)).await;
        assert!(matches!(refused, Err(NoticeRefused::NotGenuine(_))), "{refused:?}");
    }
    assert!(
        channel
            .read_notice(&raw_notice(b"\xff\xfe=\xff".to_vec()))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn the_page_that_brings_the_user_back_is_only_a_reason_to_ask() {
    let channel = silent().await.channel;
    let mut back = read(vector!("v13.body").as_bytes());
    for unsaid in ["signature", "accNo", "customerInfo", "activateStatus", "tokenPayData"] {
        back.remove(unsaid);
    }
    back.insert("respMsg".to_owned(), "success".to_owned());
    let news = channel
        .read_notice(&raw_notice(form(&sign(back, Signer::Unionpay))))
        .await;
    let ask = News::Contract {
        contract: ContractKey::No(ContractNo::from(CONTRACT)),
        standing: None,
    };
    assert_eq!(news, Ok(vec![ask]));
}

#[tokio::test]
async fn a_genuine_notification_for_another_account_or_currency_does_not_fit() {
    let channel = silent().await.channel;
    for changes in [
        &[("merId", "700000000000002")][..],
        &[("currencyCode", "840")],
        &[("orderId", "-")],
        // The signed answer to a query, played back: its 00 is the query's.
        &[("origRespCode", "64")],
    ] {
        let refused = channel.read_notice(&notice(changes)).await;
        assert!(
            matches!(refused, Err(NoticeRefused::Mismatch(_))),
            "{changes:?}: {refused:?}"
        );
    }
    let mut foreign = read(vector!("v13.body").as_bytes());
    foreign.remove("signature");
    foreign.insert("tokenPayData".to_owned(), "{token=1&trId=62000000002}".to_owned());
    let refused = channel
        .read_notice(&raw_notice(form(&sign(foreign, Signer::Unionpay))))
        .await;
    assert!(matches!(refused, Err(NoticeRefused::Mismatch(_))), "{refused:?}");
}

#[tokio::test]
async fn a_notification_tells_no_more_than_it_proves() {
    let channel = silent().await.channel;
    let payment = async |changes: &[(&str, &str)]| match channel.read_notice(&notice(changes)).await.unwrap().remove(0)
    {
        News::Payment { standing, .. } => standing,
        other => panic!("{other:?}"),
    };
    assert!(matches!(payment(&[("respCode", "A6")]).await, Some(Standing::Paid(_))));
    assert!(matches!(payment(&[("respCode", "64")]).await, Some(Standing::NotPaid(why)) if why.code == "64"));
    for only_a_reason in [
        &[("respCode", "05")][..],
        &[("respCode", "ZZ")],
        // What a repeat with a wrong key is told says nothing about its first sending.
        &[("respCode", "11")],
        // The synchronous acceptance, played back, has no settlement.
        &[("settleDate", "-")],
        &[("queryId", "-")],
        &[("txnAmt", "")],
        &[("currencyCode", "-")],
    ] {
        assert_eq!(payment(only_a_reason).await, None, "{only_a_reason:?}");
    }
}

#[tokio::test]
async fn refunds_undos_and_strangers_are_told_as_what_they_are() {
    let channel = silent().await.channel;
    let tell = async |changes: &[(&str, &str)]| channel.read_notice(&notice(changes)).await.unwrap().remove(0);
    let refund = [
        ("txnType", "04"),
        ("orderId", "R0000001"),
        ("reqReserved", "-"),
        ("currencyCode", "-"),
    ];
    let News::Refund {
        no,
        standing: Some(RefundStanding::Refunded(refunded)),
    } = tell(&refund).await
    else {
        panic!("a refund");
    };
    assert_eq!(
        (no, refunded.amount),
        (RefundNo::from("R0000001"), Fen::new(1280).unwrap())
    );
    let failed = [&refund[..], &[("respCode", "36")]].concat();
    let doubt = News::Refund {
        no: RefundNo::from("R0000001"),
        standing: None,
    };
    assert_eq!(tell(&failed).await, doubt, "a repeat's failure is only a reason to ask");

    let ask = News::Payment {
        no: PayNo::from(PAY),
        standing: None,
    };
    for kind in ["31", "04"] {
        assert_eq!(
            tell(&[("txnType", kind), ("orderId", "V0000001"), ("reqReserved", PAY)]).await,
            ask
        );
    }
    assert_eq!(tell(&[("txnType", "31"), ("reqReserved", "-")]).await, News::Nothing);
    assert_eq!(tell(&[("txnType", "13")]).await, News::Nothing);
}

#[tokio::test]
async fn a_notification_is_answered_by_its_status() {
    let channel = silent().await.channel;
    let (taken, refused) = (channel.answer_notice(true), channel.answer_notice(false));
    assert_eq!((taken.status, taken.body.as_str()), (200, "ok"));
    assert_eq!(refused.status, 500);
}

#[test]
fn a_wrong_configuration_names_its_field() {
    let change = |name: &str, value: Value| {
        let mut config = config("https://gateway.test.95516.com");
        match value {
            Value::Null => config.as_object_mut().unwrap().remove(name),
            value => config.as_object_mut().unwrap().insert(name.to_owned(), value),
        };
        config
    };
    for (name, value) in [
        ("mer_id", json!("70000000000000")),
        ("mer_id", Value::Null),
        ("tr_id", json!("6200 0001")),
        ("access_type", json!("1")),
        ("sign_cert_pem", Value::Null),
        ("sign_cert_pem", json!(vector!("certificates/gateway_prod.pem"))),
        ("sign_key_pem", Value::Null),
        ("sign_key_pem", json!("")),
        ("sign_key_pem", json!("canary-5f1c")),
        ("root_certs_pem", Value::Null),
        ("root_certs_pem", json!(vector!("certificates/merchant.pem"))),
        ("middle_certs_pem", json!(vector!("certificates/other_middle.pem"))),
        ("base_url", json!("gateway.95516.com")),
        ("base_url", json!("ftp://gateway.95516.com")),
        ("base_url", json!("https://gateway.95516.com/?a=1")),
        ("biz_type_back", json!("301")),
        ("biz_type_code_back", json!("x")),
        ("term_id", json!("0108020")),
        ("term_info", json!("longitude")),
        ("term_info", json!("a={b}")),
        ("encrypt_cert_pem", json!("rubbish")),
        ("encrypt_cert_pem", json!(vector!("certificates/merchant.pem"))),
        // Named as the test environment's, where names are checked.
        ("encrypt_cert_pem", json!(vector!("certificates/encryption.pem"))),
        ("file_url", json!("filedownload")),
        ("file_timeout_ms", json!(600_000)),
        ("clearing_cut", json!("25:00")),
        ("consume_timeout_ms", json!(15_000)),
        ("query_timeout_ms", json!(0)),
        ("back_timeout_ms", json!(-1)),
        ("unknown", json!(1)),
    ] {
        let error = build(change(name, value.clone()), Hands::at("20250301123456")).err();
        let Some(RegistryError::Config { error, .. }) = error else {
            panic!("{name} = {value} must be refused");
        };
        if name != "back_timeout_ms" {
            assert_eq!(error.field, name);
        }
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    let mut platform = change("access_type", json!("2"));
    platform["sub_mer_id"] = json!("SZTX001");
    platform["sub_mer_name"] = json!("店{名}");
    let error = build(platform, Hands::at("20250301123456")).err().unwrap();
    assert!(error.to_string().contains("sub_mer_name"), "{error}");
    let mut keyed = config("https://gateway.test.95516.com");
    keyed["sign_method"] = json!("11");
    let error = build(keyed, Hands::at("20250301123456")).err().unwrap();
    assert!(error.to_string().contains("secure_key"), "{error}");
}

#[test]
fn nothing_of_the_test_environment_stands_in_production() {
    let production = |name: &str, value: Value| {
        let mut config = config("https://gateway.95516.com");
        config[name] = value;
        match build(config, Hands::at("20250301123456")).err() {
            Some(RegistryError::Config { error, .. }) => error.field,
            other => panic!("{name} must be refused: {other:?}"),
        }
    };
    // Roots and middles of a test environment are known by their names.
    assert_eq!(production("mer_id", json!("700000000000001")), "root_certs_pem");
    assert_eq!(production("check_cn", json!(false)), "check_cn");
    assert_eq!(production("base_url", json!("http://gateway.95516.com")), "base_url");
    assert_eq!(
        production("file_url", json!("http://filedownload.95516.com")),
        "file_url"
    );
    let mut mixed = config("http://127.0.0.1:1/unionpay");
    mixed["file_url"] = json!("https://filedownload.95516.com/");
    let error = build(mixed, Hands::at("20250301123456")).err().unwrap();
    assert!(error.to_string().contains("test authority"), "{error}");
    // Under authorities that are no test environment's the same account is built.
    let mut genuine = config("https://gateway.95516.com");
    let (root, middle) = authorities();
    (genuine["root_certs_pem"], genuine["middle_certs_pem"]) = (json!(root), json!(middle));
    assert!(build(genuine, Hands::at("20250301123456")).is_ok());
}

/// A root and a middle that are called like UnionPay's own.
fn authorities() -> (String, String) {
    let authority = |name: &str| {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        (params, rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap())
    };
    let (root, root_key) = authority("CFCA CS CA");
    let (middle, middle_key) = authority("CFCA OCA1");
    let issuer = rcgen::Issuer::from_params(&root, &root_key);
    (
        root.self_signed(&root_key).unwrap().pem(),
        middle.signed_by(&middle_key, &issuer).unwrap().pem(),
    )
}

#[test]
fn the_console_can_build_its_form_and_hides_what_is_secret() {
    let factory = metropay_channel_unionpay::UnionpayFactory::new(metropay_outbound::OutboundSettings::default());
    let schema = metropay_core::channel::ChannelRegistry::new()
        .with(factory)
        .schema(&"unionpay".into())
        .unwrap();
    let properties = schema.as_value()["properties"].as_object().unwrap().clone();
    for (name, property) in &properties {
        let chinese = |key: &str| {
            property[key]
                .as_str()
                .is_some_and(|text| text.chars().any(|c| c > '\u{3000}'))
        };
        assert!(chinese("title") && chinese("description"), "{name}: {property}");
    }
    for secret in ["sign_key_pem", "sign_pfx", "sign_pfx_password", "secure_key"] {
        let text = properties[secret].to_string();
        assert!(text.contains("writeOnly") && text.contains("password"), "{text}");
    }
    assert_eq!(schema.as_value()["required"], json!(["mer_id", "tr_id"]));
}
