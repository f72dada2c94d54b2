//! `GET /v3/certificates`: the platform certificates, sealed with the APIv3 key (wechat reference, 1.8).

use serde_json::{Value, json};

use super::super::authority::{self, Platform};
use super::super::number;
use super::super::operation::{Family, Form};
use super::answer::{Answer, Failure};
use super::cipher;
use super::operation::Operation;
use super::schema::{Kind, may};

/// `GET /v3/certificates`.
pub(super) static CERTIFICATES: Operation = Operation {
    name: "certificates",
    family: Family::Certificates,
    method: "GET",
    rules: &[may("/algorithm_type", Kind::Text(Form::OneOf(&["RSA", "SM2", "ALL"])))],
    direct: &[],
    provider: &[],
    act: |frame, call| {
        // Accounts that have only ever known the public key have no certificate to see, and there is none of SM2.
        let has_none = call.account.terms.v3_mode == "public_key" || call.text("/algorithm_type") == Some("SM2");
        if has_none {
            return Ok(Answer::Done(json!({"data": []})));
        }
        let listed = authority::platforms(frame);
        let data: Option<Vec<Value>> = listed
            .iter()
            .map(|platform| told(platform, &call.credentials.api_v3_key, &number::token()[..12]))
            .collect();
        Ok(Answer::Done(
            json!({"data": data.ok_or_else(|| Failure::of("SYSTEM_ERROR"))?}),
        ))
    },
};

fn told(platform: &Platform, key: &str, nonce: &str) -> Option<Value> {
    let sealed = cipher::seal(key, nonce, "certificate", platform.leaf.cert_pem.as_bytes())?;
    Some(json!({
        "serial_no": platform.leaf.serial,
        "effective_time": number::rfc3339(platform.effective_at_ms),
        "expire_time": number::rfc3339(platform.expires_at_ms),
        "encrypt_certificate": {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "associated_data": "certificate",
            "ciphertext": sealed,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::super::super::authority::Leaf;
    use super::super::vectors;
    use super::*;

    #[test]
    fn a_certificate_is_told_as_in_c19() {
        let platform = Platform {
            leaf: Leaf {
                serial: "5B2E8F4A6C0D1357BDF02468ACE13579BDF02468".to_owned(),
                cert_pem: vectors::PLATFORM_CERT.to_owned(),
                key_pem: String::new(),
            },
            effective_at_ms: 1_704_067_200_000,
            expires_at_ms: 2_524_607_999_000,
        };
        let told = told(&platform, vectors::V3_KEY, "c19nonce0001").unwrap();
        assert_eq!(told, vectors::json("C19")["data"][0]);
    }
}
