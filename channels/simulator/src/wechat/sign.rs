//! Signatures of APIv2 and the sealing of `req_info` (wechat reference, 1.4 and 5.4).

use aes::cipher::{BlockEncryptMut, KeyInit, block_padding::Pkcs7};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::xml::Fields;

/// How a message is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum SignType {
    Md5,
    HmacSha256,
}

impl SignType {
    /// The algorithm that `sign_type` names.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "MD5" => Some(Self::Md5),
            "HMAC-SHA256" => Some(Self::HmacSha256),
            _ => None,
        }
    }
}

/// The string that is signed: every non-empty field but `sign`, in ASCII order, then the key.
pub(super) fn source(fields: &Fields, key: &str) -> String {
    let mut pairs: Vec<(&str, &str)> = fields
        .iter()
        .filter(|(name, value)| *name != "sign" && !value.is_empty())
        .collect();
    pairs.sort_unstable();
    let mut source = String::new();
    for (name, value) in pairs {
        source.push_str(&format!("{name}={value}&"));
    }
    source + "key=" + key
}

/// The signature of a message, in upper case.
pub(super) fn sign(fields: &Fields, key: &str, sign_type: SignType) -> String {
    let source = source(fields, key);
    match sign_type {
        SignType::Md5 => hex::encode_upper(Md5::digest(source.as_bytes())),
        SignType::HmacSha256 => {
            let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
            mac.update(source.as_bytes());
            hex::encode_upper(mac.finalize().into_bytes())
        }
    }
}

/// Encrypts the inner message of a refund notification: AES-256-ECB under the lower-case hex MD5 of the key, Base64.
pub(super) fn seal(plain: &str, key: &str) -> String {
    let key = hex::encode(Md5::digest(key.as_bytes()));
    let cipher = ecb::Encryptor::<aes::Aes256>::new_from_slice(key.as_bytes()).expect("hex of an MD5 has 32 bytes");
    STANDARD.encode(cipher.encrypt_padded_vec_mut::<Pkcs7>(plain.as_bytes()))
}

/// Stands for a text: equal texts, and no others, give the same.
pub(super) fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// A number from 0 to 255 that stands for a text, the same each time. Chooses what is sprinkled here and there.
pub(super) fn dice(text: &str) -> u8 {
    Md5::digest(text.as_bytes())[0]
}

#[cfg(test)]
mod tests {
    use super::super::vectors;
    use super::super::xml;
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::new();
        for (name, value) in pairs {
            fields.put(*name, *value);
        }
        fields
    }

    /// P1 to P11 of the reference: the fields, how they are signed, the signature.
    const PUBLIC: &str = include_str!("vectors_public.txt");

    #[test]
    fn the_public_vectors_come_out() {
        let key = "192006250b4c09247ec02edce69f6a2d";
        let mut seen = Vec::new();
        for line in PUBLIC.lines() {
            let [id, kind, wanted, pairs] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else {
                panic!("{line} is no vector");
            };
            let pairs: Vec<_> = pairs.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
            let sign_type = match kind {
                "MD5" => SignType::Md5,
                _ => SignType::HmacSha256,
            };
            assert_eq!(sign(&fields(&pairs), key, sign_type), wanted, "{id}");
            seen.push(id);
        }
        let all = ["P1", "P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11"];
        assert_eq!(seen, all);
    }

    #[test]
    fn every_computed_vector_has_the_given_source_string_and_signature() {
        let mut seen = 0;
        for vector in vectors::all() {
            let Some(wanted) = vector.sign else { continue };
            let message = xml::read(vector.wire, "xml").unwrap();
            let sign_type = if wanted.len() == 64 {
                SignType::HmacSha256
            } else {
                SignType::Md5
            };
            let with_key = format!("{}&key={}", vector.source.unwrap(), vectors::KEY);
            assert_eq!(source(&message, vectors::KEY), with_key, "{}", vector.id);
            assert_eq!(sign(&message, vectors::KEY, sign_type), wanted, "{}", vector.id);
            assert_eq!(message.get("sign"), Some(wanted), "{}", vector.id);
            seen += 1;
        }
        assert_eq!(seen, 18);
    }

    #[test]
    fn an_altered_amount_changes_the_signature() {
        let c7 = vectors::all().into_iter().find(|vector| vector.id == "C7").unwrap();
        let altered = xml::read(c7.wire, "xml").unwrap().with("total_fee", "1");
        assert_eq!(
            sign(&altered, vectors::KEY, SignType::Md5),
            "7C6BA0B36D3973B2FE1D8D05D76ED846"
        );
    }

    #[test]
    fn a_refund_notification_is_sealed_as_in_c12() {
        let all = vectors::all();
        let wire = all.iter().find(|vector| vector.id == "C12").unwrap();
        let plain = all.iter().find(|vector| vector.id == "C12-plain").unwrap();
        let outer = xml::read(wire.wire, "xml").unwrap();
        assert_eq!(outer.get("sign"), None);
        assert_eq!(outer.get("req_info"), Some(seal(plain.wire, vectors::KEY).as_str()));
    }
}
