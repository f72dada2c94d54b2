//! A token after it was opened, and what is sealed to UnionPay.

use aws_lc_rs::rsa::{Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use metropay_channel_unionpay::{Cardholder, Renewal};
use metropay_core::channel::{CallError, ContractRef, Hint, Outcome, SignPage, SignQuestion};
use metropay_core::id::ContractNo;
use metropay_core::secret::Secret;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::answers::{FORGED, STRANGE};
use crate::gateway::{Fields, Stage, TOKEN, answer, china};

const ENCRYPTION: &str = vector!("certificates/encryption.pem");
const DOMAIN: &str = "{token=6235240000020757578&trId=62000000001&tokenEnd=20300228120231&tokenType=01}";

fn contract(handle: Option<&str>) -> ContractRef {
    ContractRef {
        no: ContractNo::from("MCS20250301120000000001"),
        asked_at: china("20250301120000"),
        handle: handle.map(str::to_owned),
    }
}

fn holder() -> Cardholder {
    Cardholder {
        phone: Some(Secret::from("13800138000")),
        ..Cardholder::default()
    }
}

/// The test environment's names, which its encryption certificate bears.
fn test_names(config: &mut Value) {
    config["check_cn"] = json!(false);
}

fn knowing(config: &mut Value) {
    test_names(config);
    config["encrypt_cert_pem"] = json!(ENCRYPTION);
}

/// Answers a renewal with this certificate, and everything else with 00.
fn handing_out(certificate: &'static str) -> impl Fn(&Fields) -> ResponseTemplate + Send + Sync {
    move |asked| match asked["txnType"].as_str() {
        "95" => answer(asked, "00", &[("certType", "01"), ("encryptPubKeyCert", certificate)]),
        _ => answer(asked, "00", &[("tokenPayData", DOMAIN)]),
    }
}

/// What UnionPay reads of `customerInfo`.
fn opened(fields: &Fields) -> String {
    let key = pem::parse(vector!("certificates/encryption.key")).unwrap();
    let key = PrivateDecryptingKey::from_pkcs8(key.contents()).unwrap();
    let key = Pkcs1PrivateDecryptingKey::new(key).unwrap();
    let domain = String::from_utf8(BASE64.decode(&fields["customerInfo"]).unwrap()).unwrap();
    let sealed = domain.trim_start_matches("{encryptedInfo=").trim_end_matches('}');
    let mut plain = vec![0; key.min_output_size()];
    let plain = key.decrypt(&BASE64.decode(sealed).unwrap(), &mut plain).unwrap();
    String::from_utf8(plain.to_vec()).unwrap()
}

#[tokio::test]
async fn a_changed_phone_is_told_sealed_and_the_token_may_be_another_then() {
    let stage = Stage::with(knowing, handing_out("")).await;
    let Ok(Outcome::Done(signed)) = stage.own.change_token(&contract(Some(TOKEN)), &holder()).await else {
        panic!("changed");
    };
    assert_eq!(signed.handle, "6235240000020757578");
    assert_eq!(signed.expires_at, Some(china("20300228120231")));
    let (path, fields) = stage.asked().await.remove(0);
    assert_eq!(path, "/gateway/api/backTransReq.do");
    for (name, value) in [
        ("txnType", "79"),
        ("txnSubType", "03"),
        ("bizType", "000902"),
        ("encryptCertId", "69026275927"),
        (
            "tokenPayData",
            "{trId=62000000001&token=6235240000020757577&tokenType=01}",
        ),
        ("txnTime", "20250301123456"),
    ] {
        assert_eq!(fields[name], value, "{name}");
    }
    assert_eq!(opened(&fields), "phoneNo=13800138000");
    assert!(!format!("{fields:?}").contains("13800138000"));

    let silent = Stage::with(knowing, |asked| answer(asked, "00", &[])).await;
    let Ok(Outcome::Done(same)) = silent.own.change_token(&contract(Some(TOKEN)), &holder()).await else {
        panic!("changed");
    };
    assert_eq!(same.handle, TOKEN, "nothing is told of another");
}

#[tokio::test]
async fn a_change_ends_as_its_code_says_and_a_foreign_token_is_not_taken() {
    for (code, expected) in [("05", "Pending"), ("40", "Refused"), ("65", "Refused"), ("ZZ", "Err")] {
        let stage = Stage::with(knowing, move |asked| answer(asked, code, &[])).await;
        let told = stage.own.change_token(&contract(Some(TOKEN)), &holder()).await;
        assert!(format!("{told:?}").contains(expected), "{code}: {told:?}");
    }
    for domain in ["{token=1&trId=62000000002}", "{trId=62000000001}", "x"] {
        let stage = Stage::with(knowing, move |asked| answer(asked, "00", &[("tokenPayData", domain)])).await;
        let told = stage.own.change_token(&contract(Some(TOKEN)), &holder()).await;
        assert!(matches!(told, Err(CallError::MaybeDone(_))), "{domain}: {told:?}");
    }
}

#[tokio::test]
async fn a_change_that_says_nothing_or_cannot_be_said_is_not_sent() {
    let stage = Stage::with(knowing, handing_out("")).await;
    let told = |text: &str| Some(Secret::from(text));
    let nothing = Cardholder::default();
    let only_card = Cardholder {
        card: told("6216261000000000018"),
        ..Cardholder::default()
    };
    let unsayable = Cardholder {
        name: told("a}b"),
        ..holder()
    };
    for (handle, holder) in [
        (None, holder()),
        (Some("1}&x={2"), holder()),
        (Some(TOKEN), nothing),
        (Some(TOKEN), only_card),
        (Some(TOKEN), unsayable),
    ] {
        let refused = stage.own.change_token(&contract(handle), &holder).await;
        assert!(
            matches!(&refused, Ok(Outcome::Refused(why)) if why.hint == Hint::Setup),
            "{refused:?}"
        );
    }
    assert!(stage.asked().await.is_empty());
}

#[tokio::test]
async fn the_encryption_certificate_is_fetched_when_it_is_needed_and_kept() {
    let stage = Stage::with(test_names, handing_out(ENCRYPTION)).await;
    for _ in 0..2 {
        assert!(stage.own.change_token(&contract(Some(TOKEN)), &holder()).await.is_ok());
    }
    assert_eq!(stage.kinds().await, ["95", "79", "79"]);
    let (path, fields) = stage.asked().await.remove(0);
    assert_eq!(path, "/gateway/api/backTransReq.do");
    for (name, value) in [
        ("txnSubType", "00"),
        ("bizType", "000000"),
        ("certType", "01"),
        ("channelType", "07"),
        ("txnTime", "20250301123456"),
    ] {
        assert_eq!(fields[name], value, "{name}");
    }
    assert_eq!(fields["orderId"].len(), 27);

    // Once it is over, another is fetched.
    let expired = Stage::with(knowing, handing_out(ENCRYPTION)).await;
    expired.clock.set("20500102000000");
    let told = expired.own.change_token(&contract(Some(TOKEN)), &holder()).await;
    assert!(
        told.is_err(),
        "the gateway's own certificate is over by then as well: {told:?}"
    );
    assert_eq!(expired.kinds().await, ["95"]);
}

#[tokio::test]
async fn the_encryption_certificate_is_asked_for_again_once_a_day_and_the_known_one_goes_on_without_answer() {
    let other = vector!("certificates/gateway_prod.pem");
    for (handed_out, serial) in [(other, "69026276698"), ("rubbish", "69026275927")] {
        let stage = Stage::with(knowing, handing_out(handed_out)).await;
        for (time, renewed) in [
            ("20250302123455", false),
            ("20250302123456", true),
            ("20250303123455", false),
            ("20250303123456", true),
        ] {
            stage.clock.set(time);
            let before = stage.kinds().await.len();
            assert!(stage.own.change_token(&contract(Some(TOKEN)), &holder()).await.is_ok());
            let kinds = stage.kinds().await;
            assert_eq!(kinds[before..].contains(&"95".to_owned()), renewed, "{time}: {kinds:?}");
        }
        let (_, fields) = stage.asked().await.pop().unwrap();
        assert_eq!(fields["encryptCertId"], serial);
    }
}

#[tokio::test]
async fn a_renewal_tells_whether_there_is_a_new_certificate_and_uses_it() {
    let stage = Stage::with(knowing, handing_out(ENCRYPTION)).await;
    assert_eq!(
        stage.own.renew_encryption_certificate().await,
        Ok(Outcome::Done(Renewal::Same))
    );
    let new = Stage::with(knowing, handing_out(vector!("certificates/gateway_prod.pem"))).await;
    assert_eq!(
        new.own.renew_encryption_certificate().await,
        Ok(Outcome::Done(Renewal::Changed))
    );
    assert_eq!(
        new.own.renew_encryption_certificate().await,
        Ok(Outcome::Done(Renewal::Same))
    );
    assert!(new.own.change_token(&contract(Some(TOKEN)), &holder()).await.is_ok());
    let (_, fields) = new.asked().await.pop().unwrap();
    assert_eq!(fields["encryptCertId"], "69026276698");
}

#[tokio::test]
async fn a_certificate_that_is_not_unionpays_is_never_encrypted_to() {
    for forged in [
        "",
        "rubbish",
        vector!("certificates/merchant.pem"),
        vector!("certificates/other_gateway.pem"),
        vector!("certificates/issued_by_merchant.pem"),
        vector!("certificates/middle.pem"),
    ] {
        let stage = Stage::with(knowing, handing_out(forged)).await;
        stage.clock.set("20270101120000");
        let told = stage.own.renew_encryption_certificate().await;
        assert!(matches!(told, Err(CallError::MaybeDone(_))), "{told:?}");
        // The known one stays in use.
        assert!(stage.own.change_token(&contract(Some(TOKEN)), &holder()).await.is_ok());
        let (_, fields) = stage.asked().await.pop().unwrap();
        assert_eq!(fields["encryptCertId"], "69026275927");
    }
    // Where names are checked, the test environment's certificate is not UnionPay's either.
    let stage = Stage::new(handing_out(ENCRYPTION)).await;
    let told = stage.own.change_token(&contract(Some(TOKEN)), &holder()).await;
    assert!(matches!(told, Err(CallError::MaybeDone(_))), "{told:?}");
    assert_eq!(stage.kinds().await, ["95"], "nothing is sent in the clear instead");
}

#[tokio::test]
async fn no_answer_to_a_renewal_is_believed_that_is_not_unionpays() {
    let strange: &[(&str, crate::answers::Say)] = &[("another kind", |asked| {
        answer(asked, "00", &[("certType", "02"), ("encryptPubKeyCert", ENCRYPTION)])
    })];
    for (name, say) in FORGED.iter().chain(STRANGE).chain(strange) {
        // An amount can only be strange where one was sent.
        if *name == "another amount" {
            continue;
        }
        let stage = Stage::with(|config| config["encrypt_cert_pem"] = json!(""), *say).await;
        let told = stage.own.renew_encryption_certificate().await;
        assert!(matches!(told, Err(CallError::MaybeDone(_))), "{name}: {told:?}");
    }
    for (code, expected) in [("05", "Pending"), ("32", "Refused"), ("ZZ", "Err")] {
        let stage = Stage::new(move |asked| answer(asked, code, &[])).await;
        let told = stage.own.renew_encryption_certificate().await;
        assert!(format!("{told:?}").contains(expected), "{code}: {told:?}");
    }
}

#[tokio::test]
async fn the_opening_page_may_be_filled_in_with_what_is_known_sealed() {
    let stage = Stage::with(knowing, handing_out("")).await;
    let question = SignQuestion {
        contract: contract(None),
        sequence: 1,
        display: "138xxxx8000".to_owned(),
        return_url: "https://pay.example.test/sign/return".to_owned(),
        user_ip: None,
    };
    let Ok(Outcome::Done(SignPage::Form { fields, .. })) = stage.own.sign_contract_of(&question, &holder()).await
    else {
        panic!("a form");
    };
    let fields: Fields = fields.into_iter().collect();
    assert_eq!(opened(&fields), "phoneNo=13800138000");
    assert_eq!(fields["encryptCertId"], "69026275927");
    assert!(stage.asked().await.is_empty());
    let long = SignQuestion {
        return_url: format!("https://pay.example.test/{}", "x".repeat(256)),
        ..question
    };
    let refused = stage.channel.sign_contract(&long).await;
    assert!(matches!(refused, Ok(Outcome::Refused(_))), "{refused:?}");
}
