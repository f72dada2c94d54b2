//! What a merchant number holds for APIv3 and for user information: the APIv3 key, the API certificate, the id of the
//! WeChat Pay public key, the AppSecret (wechat reference, 1.2).

use rand::Rng;
use rand::distributions::Alphanumeric;
use rsa::RsaPublicKey;
use rsa::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePublicKey as _, LineEnding};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use x509_parser::pem::parse_x509_pem;

use super::{authority, number};
use crate::frame::{Frame, Refused};
use crate::store::Tx;

const CREDENTIALS: &str = "wechat_credentials";
const BY_PUBLIC_KEY: &str = "wechat_public_key";

/// The credentials of one merchant number.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Credentials {
    pub api_v3_key: String,
    pub cert_serial: String,
    pub cert_pem: String,
    /// The merchant's own secret where the certificate was brought along.
    key_pem: Option<String>,
    /// The name of the WeChat Pay public key for this account.
    pub public_key_id: String,
}

/// What the control interface wishes of them.
#[derive(Default)]
pub(super) struct Wishes {
    pub api_v3_key: Option<String>,
    /// A certificate that the merchant has already, PEM.
    pub api_cert_pem: Option<String>,
    pub public_key_id: Option<String>,
}

impl Wishes {
    /// Whether they can be met.
    pub(super) fn check(&self) -> Result<(), Refused> {
        if self.api_v3_key.as_ref().is_some_and(|key| key.len() != 32) {
            return Err(Refused("api_v3_key must have exactly 32 bytes".to_owned()));
        }
        if self
            .public_key_id
            .as_ref()
            .is_some_and(|id| !id.starts_with("PUB_KEY_ID_"))
        {
            return Err(Refused("public_key_id must begin with PUB_KEY_ID_".to_owned()));
        }
        match &self.api_cert_pem {
            Some(pem) => read_certificate(pem).map(|_| ()),
            None => Ok(()),
        }
    }
}

/// The credentials of a merchant number.
pub(super) fn find(tx: &Tx<'_>, mch_id: &str) -> Option<Credentials> {
    tx.get(CREDENTIALS, mch_id)
}

/// The merchant number that knows the public key under this id.
pub(super) fn owner_of_public_key(tx: &Tx<'_>, id: &str) -> Option<String> {
    tx.get(BY_PUBLIC_KEY, id)
}

/// Hands out credentials to a merchant number, or changes those that it has; answers what the merchant platform shows.
pub(super) fn open(frame: &Frame, mch_id: &str, wishes: Wishes) -> Result<Value, Refused> {
    let root = authority::root(frame);
    let known = find(&frame.store.begin(), mch_id);
    let mut credentials = match known {
        Some(known) => known,
        None => fresh(frame, mch_id, &wishes)?,
    };
    if let Some(key) = wishes.api_v3_key {
        credentials.api_v3_key = key;
    }
    if let Some(pem) = wishes.api_cert_pem {
        let (serial, _) = read_certificate(&pem)?;
        if serial != credentials.cert_serial {
            credentials.key_pem = None;
        }
        (credentials.cert_serial, credentials.cert_pem) = (serial, pem);
    }
    if let Some(id) = wishes.public_key_id {
        credentials.public_key_id = id;
    }
    let mut tx = frame.store.begin();
    tx.put(CREDENTIALS, mch_id, &credentials);
    tx.put(BY_PUBLIC_KEY, &credentials.public_key_id, &mch_id.to_owned());
    tx.commit();
    let public_key = rsa::RsaPrivateKey::from_pkcs8_pem(&root.public_key_twin_pem)
        .ok()
        .and_then(|key| key.to_public_key().to_public_key_pem(LineEnding::LF).ok());
    Ok(json!({
        "api_v3_key": credentials.api_v3_key,
        "api_cert_serial": credentials.cert_serial,
        "api_cert_pem": credentials.cert_pem,
        "api_key_pem": credentials.key_pem,
        "public_key_id": credentials.public_key_id,
        "public_key_pem": public_key,
        "ca_pem": root.ca_pem,
    }))
}

fn fresh(frame: &Frame, mch_id: &str, wishes: &Wishes) -> Result<Credentials, Refused> {
    let (cert_serial, cert_pem, key_pem) = match &wishes.api_cert_pem {
        Some(pem) => (read_certificate(pem)?.0, pem.clone(), None),
        None => {
            let leaf = authority::issue(frame, mch_id)?;
            (leaf.serial, leaf.cert_pem, Some(leaf.key_pem))
        }
    };
    let mut tx = frame.store.begin();
    let n = number::next(&mut tx, "public_key");
    tx.commit();
    let day = number::day(frame.clock.now_ms());
    Ok(Credentials {
        api_v3_key: rand::thread_rng()
            .sample_iter(&Alphanumeric)
            .take(32)
            .map(char::from)
            .collect(),
        cert_serial,
        cert_pem,
        key_pem,
        public_key_id: format!("PUB_KEY_ID_01{mch_id}{day}{n:014}"),
    })
}

/// The serial and the key of a certificate.
pub(super) fn read_certificate(pem: &str) -> Result<(String, RsaPublicKey), Refused> {
    let broken = || Refused("api_cert_pem must be the PEM of an RSA certificate".to_owned());
    let (_, pem) = parse_x509_pem(pem.as_bytes()).map_err(|_| broken())?;
    let certificate = pem.parse_x509().map_err(|_| broken())?;
    let key = RsaPublicKey::from_public_key_der(certificate.public_key().raw).map_err(|_| broken())?;
    let serial = hex::encode_upper(certificate.raw_serial());
    Ok((serial.trim_start_matches("00").to_owned(), key))
}
