//! How the gateway and a merchant sign towards each other (unionpay reference, 1.7, 1.9 and 1.10).

use serde::{Deserialize, Serialize};
use sha2::Sha256;
use sm3::Sm3;

use super::account::Account;
use super::certificates::{self, Leaf};
use super::form::Fields;
use super::request::text;
use super::sign;

/// The field `signMethod`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum Method {
    /// RSA, with certificates.
    #[default]
    #[serde(rename = "01")]
    Rsa,
    /// SHA-256 with a secret in common.
    #[serde(rename = "11")]
    Sha256,
    /// SM3 with a secret in common.
    #[serde(rename = "12")]
    Sm3,
}

impl Method {
    /// As it stands in messages.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Rsa => "01",
            Self::Sha256 => "11",
            Self::Sm3 => "12",
        }
    }
}

/// What the gateway seals its messages to a merchant with. No `Debug`: it holds a secret.
#[derive(Clone)]
pub(super) enum Seal {
    /// A certificate, which the message brings along.
    Certificate(Leaf),
    /// The secret in common.
    Secret(Method, String),
}

/// How a message is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signature {
    /// As it should be.
    True,
    /// It does not fit.
    Wrong,
    /// There is none.
    Missing,
}

impl Seal {
    /// Puts the signing certificate, if there is one, and the signature into a message.
    pub(super) fn put_on(&self, fields: &mut Fields, signature: Signature) {
        if let Self::Certificate(leaf) = self {
            fields.insert("signPubKeyCert".to_owned(), leaf.wire_pem());
        }
        let text = match signature {
            Signature::Missing => return,
            Signature::True => self.signature(fields),
            Signature::Wrong => {
                let mut other = fields.clone();
                other.insert("version".to_owned(), "0.0.0".to_owned());
                self.signature(&other)
            }
        };
        fields.insert("signature".to_owned(), text);
    }

    fn signature(&self, fields: &Fields) -> String {
        match self {
            Self::Certificate(leaf) => sign::sign(fields, leaf.key()),
            Self::Secret(Method::Sm3, key) => sign::keyed::<Sm3>(fields, key),
            Self::Secret(_, key) => sign::keyed::<Sha256>(fields, key),
        }
    }
}

/// Whether a merchant's message is signed as was agreed with him.
pub(super) fn accepted(fields: &Fields, account: &Account) -> bool {
    let conduct = &account.conduct;
    if text(fields, "signMethod") != conduct.sign_method.code() {
        return false;
    }
    match conduct.sign_method {
        Method::Rsa => {
            text(fields, "certId") == account.cert_id
                && certificates::read(&account.cert_pem).is_some_and(|cert| sign::fits::<Sha256>(fields, cert.key))
        }
        Method::Sha256 => text(fields, "signature") == sign::keyed::<Sha256>(fields, &conduct.secure_key),
        Method::Sm3 => text(fields, "signature") == sign::keyed::<Sm3>(fields, &conduct.secure_key),
    }
}
