//! The certificate with which merchants encrypt what only the gateway may read, and its renewal
//! (unionpay reference, 1.12 and 1.13).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Months;
use rsa::Pkcs1v15Encrypt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::certificates::{self, Hierarchy, Leaf};
use super::reply::Reply;
use super::request::Request;
use crate::clock;
use crate::frame::{Frame, Refused};
use crate::store::Tx;

const TABLE: &str = "unionpay_encryption";
const ROW: &str = "all";

/// How many months a certificate is still good for after it was replaced.
const GRACE_MONTHS: u32 = 1;

/// A certificate to encrypt with.
#[derive(Clone, Serialize, Deserialize)]
struct Certificate {
    leaf: Leaf,
    cert_id: String,
    /// When another took its place.
    replaced_at_ms: Option<i64>,
}

impl Certificate {
    fn new(leaf: Leaf) -> Self {
        let cert_id = certificates::read(&leaf.cert_pem)
            .map(|cert| cert.cert_id)
            .unwrap_or_default();
        Self {
            leaf,
            cert_id,
            replaced_at_ms: None,
        }
    }

    fn is_good(&self, now_ms: i64) -> bool {
        let end = |replaced| clock::at(replaced).checked_add_months(Months::new(GRACE_MONTHS));
        self.replaced_at_ms
            .is_none_or(|replaced| end(replaced).is_some_and(|end| clock::at(now_ms) < end))
    }
}

/// All that there were, the one of today last. `first` is the one that the gateway began with.
fn all(tx: &Tx<'_>, first: Leaf) -> Vec<Certificate> {
    tx.get(TABLE, ROW).unwrap_or_else(|| vec![Certificate::new(first)])
}

/// The one of today.
pub(super) fn current(frame: &Frame) -> Leaf {
    let first = Hierarchy::of(frame).encrypt;
    let certificates = all(&frame.store.begin(), first);
    certificates.into_iter().next_back().expect("there is always one").leaf
}

/// Puts a new certificate in the place of the one of today, which stays good for a month.
///
/// # Errors
/// When the certificate cannot be made.
pub(super) fn renew(frame: &Frame) -> Result<Value, Refused> {
    let hierarchy = Hierarchy::of(frame);
    let fresh = Certificate::new(hierarchy.issue_for_encryption()?);
    let told = json!({ "encrypt_cert_pem": fresh.leaf.cert_pem, "cert_id": fresh.cert_id });
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let mut certificates = all(&tx, hierarchy.encrypt);
    if let Some(old) = certificates.last_mut() {
        old.replaced_at_ms = Some(now_ms);
    }
    certificates.push(fresh);
    tx.put(TABLE, ROW, &certificates);
    tx.commit();
    Ok(told)
}

/// Reads what was encrypted with the certificate of this number; `None` when there is no such certificate any more, or
/// it does not open.
pub(super) fn decrypt(frame: &Frame, cert_id: &str, secret: &str) -> Option<String> {
    let now_ms = frame.clock.now_ms();
    let first = Hierarchy::of(frame).encrypt;
    let certificate = all(&frame.store.begin(), first)
        .into_iter()
        .find(|certificate| certificate.cert_id == cert_id && certificate.is_good(now_ms))?;
    open(&certificate.leaf, secret)
}

fn open(leaf: &Leaf, secret: &str) -> Option<String> {
    let plain = leaf.key().decrypt(Pkcs1v15Encrypt, &STANDARD.decode(secret).ok()?);
    String::from_utf8(plain.ok()?).ok()
}

/// 95/00: tells the certificate of today. There is none for magnetic tracks (certType 02).
pub(super) fn ask(frame: &Frame, request: &Request) -> Reply {
    if request.text("certType") != "01" {
        return Reply::new(&request.fields, "43");
    }
    Reply::new(&request.fields, "00")
        .echo(&request.fields, &["certType"])
        .with("encryptPubKeyCert", current(frame).wire_pem())
}

#[cfg(test)]
mod tests {
    use super::super::form;
    use super::*;

    #[test]
    fn the_vector_of_sensitive_data_opens_with_the_gateways_key() {
        let leaf = Leaf {
            cert_pem: String::new(),
            key_pem: include_str!("../../tests/unionpay/vectors/enc_key.pem").to_owned(),
        };
        let card = open(&leaf, include_str!("../../tests/unionpay/vectors/v7.accno").trim());
        assert_eq!(card.as_deref(), Some("6216261000000000018"));
        let customer = STANDARD.decode(include_str!("../../tests/unionpay/vectors/v7.customer").trim());
        let customer = form::domain(&String::from_utf8(customer.unwrap()).unwrap()).unwrap();
        assert_eq!(customer["customerNm"], "全渠道");
        assert_eq!(
            open(&leaf, &customer["encryptedInfo"]).as_deref(),
            Some("phoneNo=13800138000&cvn2=123&expired=2311")
        );
        assert_eq!(open(&leaf, "no base64 at all"), None);
    }
}
