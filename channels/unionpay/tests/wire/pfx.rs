//! The merchant's PFX file in the place of certificate and key.

use metropay_core::channel::RegistryError;
use serde_json::{Value, json};

use crate::gateway::{Hands, Stage, answer, build, config, deduction};

const LEGACY: &str = vector!("certificates/merchant_legacy.pfx.b64");
const MODERN: &str = vector!("certificates/merchant_modern.pfx.b64");

fn with_pfx(config: &mut Value, pfx: &str, password: &str) {
    let fields = config.as_object_mut().unwrap();
    fields.remove("sign_cert_pem");
    fields.remove("sign_key_pem");
    fields.insert("sign_pfx".to_owned(), json!(pfx));
    fields.insert("sign_pfx_password".to_owned(), json!(password));
}

#[tokio::test]
async fn a_message_is_signed_by_the_key_of_a_pfx_file_with_old_and_with_present_algorithms() {
    for pfx in [LEGACY, MODERN] {
        let stage = Stage::with(
            |config| with_pfx(config, pfx, "000000"),
            |asked| answer(asked, "00", &[]),
        )
        .await;
        stage.channel.deduct(&deduction()).await.unwrap();
        let (_, fields) = stage.asked().await.remove(0);
        // Vector 1: the leaf's serial, and the signature.
        assert_eq!(fields["certId"], "3474813271258769001041842579301293447");
        assert_eq!(fields["signature"], vector!("v1.signature"));
    }
}

#[test]
fn a_pfx_file_that_cannot_be_used_is_refused_by_its_field_and_shows_nothing() {
    let canary = "canary-5f1c";
    let cases: [(&str, &str, &str, Value); 6] = [
        ("sign_pfx", "rubbish!", "000000", json!({})),
        ("sign_pfx", "cnViYmlzaA==", "000000", json!({})),
        ("sign_pfx", LEGACY, canary, json!({})),
        ("sign_pfx", MODERN, canary, json!({})),
        ("sign_pfx_password", LEGACY, "", json!({})),
        (
            "sign_pfx",
            LEGACY,
            "000000",
            json!({"sign_cert_pem": vector!("certificates/merchant.pem")}),
        ),
    ];
    for (field, pfx, password, over) in cases {
        let mut config = config("https://gateway.test.95516.com");
        with_pfx(&mut config, pfx, password);
        for (name, value) in over.as_object().unwrap() {
            config[name] = value.clone();
        }
        let error = build(config, Hands::at("20250301123456")).err();
        let Some(RegistryError::Config { error, .. }) = error else {
            panic!("{field} must be refused");
        };
        assert_eq!(error.field, field);
        assert!(!error.to_string().contains(canary), "{error}");
    }
    let mut alone = config("https://gateway.test.95516.com");
    alone["sign_pfx_password"] = json!("000000");
    let error = build(alone, Hands::at("20250301123456")).err().unwrap();
    assert!(error.to_string().contains("sign_pfx"), "{error}");
}
