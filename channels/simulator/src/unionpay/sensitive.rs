//! Card numbers and card holders on the wire (unionpay reference, 1.12).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::Pkcs1v15Encrypt;

use super::account::Account;
use super::form::{self, Fields};
use super::request::{Request, text};
use super::{certificates, encryption};
use crate::frame::Frame;

/// What a merchant tells of a card and its holder; blank where he tells nothing. No `Debug`.
#[derive(Clone, Default)]
pub(super) struct Holder {
    pub(super) card_number: String,
    pub(super) phone: String,
    pub(super) cvn2: String,
    pub(super) sms_code: String,
}

/// Reads the fields `accNo` and `customerInfo`; `None` when one cannot be read. What need not be secret may stand open;
/// phone, number on the back and expiry may not.
pub(super) fn read(frame: &Frame, request: &Request) -> Option<Holder> {
    let cert_id = request.text("encryptCertId");
    let info = match request.text("customerInfo") {
        "" => Fields::new(),
        info => form::domain(&String::from_utf8(STANDARD.decode(info).ok()?).ok()?)?,
    };
    if ["phoneNo", "cvn2", "expired"]
        .iter()
        .any(|name| info.contains_key(*name))
    {
        return None;
    }
    let secrets = match info.get("encryptedInfo") {
        Some(secret) => form::domain(&format!("{{{}}}", encryption::decrypt(frame, cert_id, secret)?))?,
        None => Fields::new(),
    };
    let card_number = match request.text("accNo") {
        "" => String::new(),
        secret => encryption::decrypt(frame, cert_id, secret)?,
    };
    Some(Holder {
        card_number,
        phone: text(&secrets, "phoneNo").to_owned(),
        cvn2: text(&secrets, "cvn2").to_owned(),
        sms_code: text(&info, "smsCode").to_owned(),
    })
}

/// The domain of the card holder, encrypted for the merchant.
pub(super) fn customer_info(account: &Account, phone: &str) -> String {
    STANDARD.encode(format!(
        "{{encryptedInfo={}}}",
        encrypted(account, &format!("phoneNo={phone}"))
    ))
}

/// What only this merchant can read.
pub(super) fn encrypted(account: &Account, text: &str) -> String {
    let key = certificates::read(&account.cert_pem)
        .expect("the certificate was read when it was registered")
        .key;
    let secret = key.encrypt(&mut rand::thread_rng(), Pkcs1v15Encrypt, text.as_bytes());
    STANDARD.encode(secret.expect("a card number is shorter than an RSA block"))
}
