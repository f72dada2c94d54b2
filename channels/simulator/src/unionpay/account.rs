//! Merchant accounts: who may talk to the gateway, with which certificate, and how the gateway behaves towards them.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::certificates::{self, Hierarchy, Signer};
use super::chain::{Chain, Chains};
use super::conduct::Conduct;
use super::seal::{Method, Seal};
use super::{clearing, encryption, token};
use crate::clock;
use crate::frame::{Frame, Refused};
use crate::store::Tx;

const TABLE: &str = "unionpay_account";

/// The token requester number of the test environment (unionpay reference, 3.2.1).
const USUAL_TR_ID: &str = "62000000001";

/// A merchant account. No `Debug`: it may hold the merchant's key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) mer_id: String,
    pub(super) shop_name: String,
    pub(super) tr_id: String,
    pub(super) cert_pem: String,
    pub(super) cert_id: String,
    /// Kept only when the gateway made it, so that it can be handed out again.
    private_key_pem: Option<String>,
    pub(super) conduct: Conduct,
}

impl Account {
    /// What the gateway seals its messages to this merchant with.
    pub(super) fn seal(&self, frame: &Frame) -> Seal {
        seal_of(frame, &self.conduct)
    }

    /// The clearing day of a moment.
    pub(super) fn clearing_day(&self, at_ms: i64) -> NaiveDate {
        clearing::day(clock::at(at_ms), self.conduct.clearing_cut.0)
    }
}

/// What the gateway seals its messages to whom it behaves so towards with.
pub(super) fn seal_of(frame: &Frame, conduct: &Conduct) -> Seal {
    if conduct.sign_method != Method::Rsa {
        return Seal::Secret(conduct.sign_method, conduct.secure_key.clone());
    }
    let signer = match conduct.chain {
        Chain::WrongCn => Signer::WrongCn,
        Chain::Expired => Signer::Expired,
        _ => conduct.signer,
    };
    let other = Chains::leaf(frame, conduct.chain, conduct.cn_name_check);
    Seal::Certificate(other.unwrap_or_else(|| Hierarchy::of(frame).signer(signer, conduct.cn_name_check).clone()))
}

/// The account of this merchant number.
pub(super) fn find(tx: &Tx<'_>, mer_id: &str) -> Option<Account> {
    tx.get(TABLE, mer_id)
}

/// What names an account; all else in the wishes is conduct.
#[derive(Deserialize)]
struct Identity {
    mer_id: Option<String>,
    cert_pem: Option<String>,
    tr_id: Option<String>,
    shop_name: Option<String>,
    #[serde(default)]
    tokens: Vec<String>,
}

const IDENTITY_FIELDS: [&str; 5] = ["mer_id", "cert_pem", "tr_id", "shop_name", "tokens"];

/// Opens an account, or changes the one of the same `mer_id`, and returns what the merchant gets.
pub(super) fn open(frame: &Frame, spec: &Value) -> Result<Value, Refused> {
    let wrong = |error: serde_json::Error| Refused(format!("the account's wishes are wrong: {error}"));
    let mut wishes: Map<String, Value> = serde_json::from_value(spec.clone()).map_err(wrong)?;
    let identity: Identity = serde_json::from_value(Value::Object(wishes.clone())).map_err(wrong)?;
    wishes.retain(|name, _| !IDENTITY_FIELDS.contains(&name.as_str()));
    let hierarchy = Hierarchy::of(frame);
    let known = identity
        .mer_id
        .as_deref()
        .and_then(|mer_id| find(&frame.store.begin(), mer_id));
    let mut account = match known {
        Some(account) => account,
        None => fresh(frame, &hierarchy, &identity)?,
    };
    if let Some(cert_pem) = identity.cert_pem {
        register(&mut account, cert_pem)?;
    }
    account.tr_id = identity.tr_id.unwrap_or(account.tr_id);
    account.shop_name = identity.shop_name.unwrap_or(account.shop_name);
    let mut conduct: Map<String, Value> = serde_json::to_value(&account.conduct)
        .and_then(serde_json::from_value)
        .map_err(wrong)?;
    conduct.extend(wishes);
    account.conduct = serde_json::from_value(Value::Object(conduct)).map_err(wrong)?;
    if account.conduct.sign_method != Method::Rsa && account.conduct.secure_key.is_empty() {
        account.conduct.secure_key = hex::encode(rand::random::<[u8; 16]>());
    }
    let mut tx = frame.store.begin();
    tx.put(TABLE, &account.mer_id, &account);
    for number in &identity.tokens {
        token::seed(&mut tx, &account, number, frame.clock.now_ms());
    }
    tx.commit();
    Ok(handed_out(frame, &account, &hierarchy))
}

fn fresh(frame: &Frame, hierarchy: &Hierarchy, identity: &Identity) -> Result<Account, Refused> {
    let mer_id = match &identity.mer_id {
        Some(mer_id) if mer_id.len() == 15 && mer_id.bytes().all(|b| b.is_ascii_alphanumeric()) => mer_id.clone(),
        Some(_) => return Err(Refused("mer_id must be 15 letters and digits".to_owned())),
        None => free_number(frame),
    };
    let mut account = Account {
        mer_id,
        shop_name: "地铁商户".to_owned(),
        tr_id: USUAL_TR_ID.to_owned(),
        cert_pem: String::new(),
        cert_id: String::new(),
        private_key_pem: None,
        conduct: Conduct::default(),
    };
    if identity.cert_pem.is_none() {
        let made = hierarchy.issue_to_merchant(&account.mer_id)?;
        register(&mut account, made.cert_pem)?;
        account.private_key_pem = Some(made.key_pem);
    }
    Ok(account)
}

/// Numbers of accounts opened at the same time must differ, so they are drawn, not counted.
fn free_number(frame: &Frame) -> String {
    let tx = frame.store.begin();
    loop {
        let mer_id = format!("777290058{:06}", rand::random::<u32>() % 1_000_000);
        if find(&tx, &mer_id).is_none() {
            return mer_id;
        }
    }
}

fn register(account: &mut Account, cert_pem: String) -> Result<(), Refused> {
    let read = certificates::read(&cert_pem)
        .ok_or_else(|| Refused("cert_pem is not a certificate with an RSA key".to_owned()))?;
    account.cert_id = read.cert_id;
    account.cert_pem = cert_pem;
    account.private_key_pem = None;
    Ok(())
}

fn handed_out(frame: &Frame, account: &Account, hierarchy: &Hierarchy) -> Value {
    let (root_pem, middle_pem) = Chains::handed_out(frame, account.conduct.chain, hierarchy);
    let secure_key = Some(&account.conduct.secure_key).filter(|key| !key.is_empty());
    json!({
        "mer_id": account.mer_id,
        "cert_pem": account.cert_pem,
        "private_key_pem": account.private_key_pem,
        "root_cert_pem": root_pem,
        "middle_cert_pem": middle_pem,
        "encrypt_cert_pem": encryption::current(frame).cert_pem,
        "sign_method": account.conduct.sign_method,
        "secure_key": secure_key,
        "tr_id": account.tr_id,
        "token_type": "01",
        "base_url": format!("{}/unionpay", frame.public_url),
        "file_url": format!("{}/unionpay/filedownload/", frame.public_url),
    })
}
