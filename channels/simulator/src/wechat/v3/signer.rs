//! Whose key signs what the gateway says over APIv3: the platform certificate's or the public key's twin (wechat
//! reference, 1.7 and 1.8).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::account::Account;
use super::super::credentials::{self, Credentials};
use super::super::sign::dice;
use super::super::{authority, number};
use super::cipher;
use crate::frame::Frame;

/// How a message's signature is spoiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoiled {
    No,
    Forged,
    Missing,
}

/// A key and the serial that it goes by.
#[derive(Clone)]
pub(super) struct Signer {
    pub serial: String,
    key_pem: String,
}

impl Signer {
    /// Who signs the answer to a request that carries this `Wechatpay-Serial`. Without one it is the platform certificate,
    /// in public-key mode too.
    pub(super) fn of_answer(frame: &Frame, wanted: Option<&str>) -> Self {
        let known = wanted.filter(|wanted| {
            let tx = frame.store.begin();
            let owner = credentials::owner_of_public_key(&tx, wanted);
            let owner = owner.and_then(|mch_id| super::super::account::find(&tx, &mch_id));
            owner.is_some_and(|account| account.terms.v3_mode != "certificate")
        });
        match known {
            Some(id) => Self::public_key(frame, id),
            None => Self::platform(frame),
        }
    }

    /// Who signs a notification to an account; during a switch both take turns.
    pub(super) fn of_notice(frame: &Frame, account: &Account, credentials: &Credentials, seed: &str) -> Self {
        let share = u32::from(account.terms.public_key_notice_percent);
        let by_public_key = match account.terms.v3_mode.as_str() {
            "certificate" => false,
            "public_key" => true,
            _ => u32::from(dice(seed)) * 100 < share * 256,
        };
        if by_public_key {
            Self::public_key(frame, &credentials.public_key_id)
        } else {
            Self::platform(frame)
        }
    }

    fn platform(frame: &Frame) -> Self {
        let newest = authority::platforms(frame).pop().map(|platform| platform.leaf);
        Self {
            serial: newest.as_ref().map(|leaf| leaf.serial.clone()).unwrap_or_default(),
            key_pem: newest.map(|leaf| leaf.key_pem).unwrap_or_default(),
        }
    }

    fn public_key(frame: &Frame, id: &str) -> Self {
        Self {
            serial: id.to_owned(),
            key_pem: authority::root(frame).public_key_twin_pem,
        }
    }

    /// The headers that go with a body.
    pub(super) fn headers(&self, body: &[u8], now_ms: i64, spoiled: Spoiled) -> Vec<(&'static str, String)> {
        if spoiled == Spoiled::Missing {
            return Vec::new();
        }
        let (timestamp, nonce) = ((now_ms / 1_000).to_string(), number::token());
        let mut signature = self.sign(&timestamp, &nonce, body);
        if spoiled == Spoiled::Forged {
            signature = forged(&signature, &nonce);
        }
        vec![
            ("Wechatpay-Timestamp", timestamp),
            ("Wechatpay-Nonce", nonce),
            ("Wechatpay-Signature", signature),
            ("Wechatpay-Serial", self.serial.clone()),
            ("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048".to_owned()),
        ]
    }

    fn sign(&self, timestamp: &str, nonce: &str, body: &[u8]) -> String {
        let message = [format!("{timestamp}\n{nonce}\n").as_bytes(), body, b"\n"].concat();
        cipher::sign(&self.key_pem, &message).unwrap_or_default()
    }
}

/// A signature that does not fit: half of them are another message's, half look like WeChat's own probes.
fn forged(signature: &str, nonce: &str) -> String {
    if dice(nonce) < 128 {
        return format!("WECHATPAY/SIGNTEST/{}", STANDARD.encode(nonce));
    }
    let mut bytes = STANDARD.decode(signature).unwrap_or_default();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::vectors;
    use super::*;

    #[test]
    fn answers_and_notifications_are_signed_as_in_c16_to_c18_and_c30_to_c32() {
        for id in ["C16", "C17", "C18", "C30", "C31", "C32"] {
            let is_platform = id == "C16";
            let signer = Signer {
                serial: vectors::line(id, "serial").to_owned(),
                key_pem: if is_platform {
                    vectors::PLATFORM_KEY
                } else {
                    vectors::PUBLIC_KEY_TWIN
                }
                .to_owned(),
            };
            let (timestamp, nonce) = (vectors::line(id, "timestamp"), vectors::line(id, "nonce"));
            let signature = signer.sign(timestamp, nonce, vectors::text(id).as_bytes());
            assert_eq!(signature, vectors::line(id, "signature"), "{id}");
            assert_ne!(forged(&signature, nonce), signature);
        }
    }
}
