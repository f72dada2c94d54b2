//! Opening an account, changing one, and what the merchant is handed out (alipay reference, 1.4, 1.6 to 1.8).

use rand::Rng;
use rsa::RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::account::{self, Account, Certificates, PERSONAL_PRODUCT_CODE, PRODUCT_CODE, Terms};
use super::authority::{self, Authority};
use super::certificate;
use super::cipher::ContentKey;
use super::sign;
use crate::frame::{Frame, Refused};

/// What can be wished of an account. What is left out keeps its value, or the default of a new account; the terms are
/// those of [`Terms`], under their names there.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Spec {
    app_id: Option<String>,
    seller_id: Option<String>,
    /// `public_key` (the default) or `certificate`.
    mode: Option<Mode>,
    /// 应用公钥; an empty text means that none was uploaded. Left out of a new account, a pair is made.
    app_public_key_pem: Option<String>,
    alipay_private_key_pem: Option<String>,
    /// Certificates to use instead of issued ones; all three or none.
    app_cert_pem: Option<String>,
    alipay_cert_pem: Option<String>,
    alipay_root_cert_pem: Option<String>,
    /// Issues a new certificate of Alipay's, with a new key; the old one can still be downloaded.
    rotate_alipay_cert: bool,
    /// 24 characters of base64; `make` asks for a new key, an empty text ends content encryption.
    encrypt_key: Option<String>,
    #[serde(flatten)]
    terms: Map<String, Value>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    PublicKey,
    Certificate,
}

/// Opens an account or changes one, and returns what the merchant is handed out.
pub(super) fn open(frame: &Frame, spec: &Value) -> Result<Value, Refused> {
    let spec: Spec = serde_json::from_value(spec.clone()).map_err(|error| Refused(error.to_string()))?;
    let known = spec
        .app_id
        .as_deref()
        .and_then(|app_id| account::find(&frame.store.begin(), app_id));
    let mut made_key = None;
    let mut account = match known {
        Some(account) => account,
        None => fresh(&spec, &mut made_key)?,
    };
    change(&mut account, &spec)?;
    certify(frame, &mut account, &spec)?;
    let mut tx = frame.store.begin();
    account::save(&mut tx, &account);
    if let Some(certificates) = &account.certificates {
        authority::keep(&mut tx, &certificates.alipay_sn, &certificates.alipay);
    }
    tx.commit();
    let mut handed_out = handed_out(frame, &account)?;
    if let Some(key) = made_key {
        handed_out["app_private_key_pem"] = json!(key);
    }
    Ok(handed_out)
}

fn handed_out(frame: &Frame, account: &Account) -> Result<Value, Refused> {
    let base = format!("{}/alipay", frame.public_url);
    let mut handed_out = json!({
        "app_id": account.app_id,
        "seller_id": account.seller_id,
        "shop_name": account.terms.shop_name,
        "mode": if account.certificates.is_some() { "certificate" } else { "public_key" },
        "alipay_public_key_pem": public_half(&account.alipay_private_key)?,
        "app_public_key_pem": account.app_public_key,
        "gateway_url": format!("{base}/gateway.do"),
        "v3_url": format!("{base}/v3"),
        "oauth_url": format!("{base}/oauth2"),
        "product_code": PRODUCT_CODE,
        "personal_product_code": PERSONAL_PRODUCT_CODE,
        "sign_scene": account.terms.sign_scene,
        "fee_rate": account.terms.fee_rate,
    });
    if let Some(certificates) = &account.certificates {
        handed_out["app_cert_pem"] = json!(certificates.app);
        handed_out["alipay_cert_pem"] = json!(certificates.alipay);
        handed_out["alipay_root_cert_pem"] = json!(certificates.root);
        handed_out["app_cert_sn"] = json!(certificates.app_sn);
        handed_out["alipay_cert_sn"] = json!(certificates.alipay_sn);
        handed_out["alipay_root_cert_sn"] = json!(certificates.root_sn);
    }
    if let Some(key) = &account.encrypt_key {
        handed_out["encrypt_key"] = json!(key);
    }
    Ok(handed_out)
}

/// A new account with the keys that were given, and made ones for those that were not.
fn fresh(spec: &Spec, made_key: &mut Option<String>) -> Result<Account, Refused> {
    let (app_key, alipay_key) = std::thread::scope(|threads| {
        let app_key = threads.spawn(|| spec.app_public_key_pem.is_none().then(key_pair).transpose());
        let alipay_key = spec.alipay_private_key_pem.is_none().then(key_pair).transpose();
        (app_key.join(), alipay_key)
    });
    let app_key = app_key.map_err(|_| Refused("the app's key pair could not be made".to_owned()))??;
    let (app_private_key, app_public_key) = app_key.unzip();
    *made_key = app_private_key;
    Ok(Account {
        app_id: spec.app_id.clone().unwrap_or_else(|| number("2021")),
        seller_id: spec.seller_id.clone().unwrap_or_else(|| number("2088")),
        app_public_key: app_public_key.unwrap_or_default(),
        alipay_private_key: alipay_key?.map(|(private, _)| private).unwrap_or_default(),
        certificates: None,
        encrypt_key: None,
        terms: Terms::default(),
    })
}

fn change(account: &mut Account, spec: &Spec) -> Result<(), Refused> {
    let refuse = |why: &str| Err(Refused(why.to_owned()));
    if spec
        .seller_id
        .as_ref()
        .is_some_and(|seller_id| *seller_id != account.seller_id)
    {
        return refuse("an app never changes its seller_id");
    }
    let digits = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(&account.app_id) || !digits(&account.seller_id) || !account.seller_id.starts_with("2088") {
        return refuse("app_id has 16 digits, seller_id 16 digits from 2088");
    }
    if let Some(key) = &spec.app_public_key_pem {
        if !key.is_empty() && sign::public(key).is_none() {
            return refuse("app_public_key_pem is no RSA public key");
        }
        account.app_public_key.clone_from(key);
    }
    if let Some(key) = &spec.alipay_private_key_pem {
        public_half(key)?;
        account.alipay_private_key.clone_from(key);
    }
    match spec.encrypt_key.as_deref() {
        None => {}
        Some("") => account.encrypt_key = None,
        Some("make") => account.encrypt_key = Some(ContentKey::make()),
        Some(key) if ContentKey::read(key).is_some() => account.encrypt_key = Some(key.to_owned()),
        Some(_) => return refuse("encrypt_key is 16 bytes in base64"),
    }
    agree(&mut account.terms, &spec.terms)
}

/// Puts the wished terms in the place of the old ones.
fn agree(terms: &mut Terms, wishes: &Map<String, Value>) -> Result<(), Refused> {
    let mut whole = serde_json::to_value(&*terms).map_err(|error| Refused(error.to_string()))?;
    if let Some(whole) = whole.as_object_mut() {
        whole.extend(wishes.clone());
    }
    let mut agreed: Terms = serde_json::from_value(whole).map_err(|error| Refused(error.to_string()))?;
    for text in [
        &mut agreed.app_gateway_url,
        &mut agreed.store_name,
        &mut agreed.registered_on,
    ] {
        *text = text.take().filter(|text| !text.is_empty());
    }
    let is_day = |day: &String| chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").is_ok();
    if !agreed.registered_on.as_ref().is_none_or(is_day) {
        return Err(Refused("registered_on is a day like 2026-03-01".to_owned()));
    }
    *terms = agreed;
    Ok(())
}

/// Gives an app in certificate mode what it lacks: given certificates, issued ones, or a new one of Alipay's.
fn certify(frame: &Frame, account: &mut Account, spec: &Spec) -> Result<(), Refused> {
    let given = (&spec.app_cert_pem, &spec.alipay_cert_pem, &spec.alipay_root_cert_pem);
    if spec.mode == Some(Mode::PublicKey) {
        account.certificates = None;
        return Ok(());
    }
    if let (Some(app), Some(alipay), Some(root)) = given {
        return use_given(account, app, alipay, root);
    }
    let is_wished = spec.mode == Some(Mode::Certificate) && account.certificates.is_none();
    let is_new_key = spec.app_public_key_pem.is_some() || spec.alipay_private_key_pem.is_some();
    let is_stale = account.certificates.is_some() && is_new_key;
    if spec.rotate_alipay_cert {
        if account.certificates.is_none() && spec.mode.is_none() {
            return Err(Refused(
                "only an app in certificate mode has a certificate to rotate".to_owned(),
            ));
        }
        account.alipay_private_key = key_pair()?.0;
    } else if !is_wished && !is_stale {
        return Ok(());
    }
    let authority = Authority::of(frame)?;
    let app = match &account.certificates {
        Some(certificates) if !is_new_key => certificates.app.clone(),
        _ => {
            let name = format!("{}-{}", account.seller_id, account.app_id);
            authority.issue(&account.terms.shop_name, &name, &account.app_public_key)?
        }
    };
    let alipay_name = format!("支付宝(中国)网络技术有限公司-{}", account.seller_id);
    let alipay = authority.issue("支付宝", &alipay_name, &public_half(&account.alipay_private_key)?)?;
    let alipay = format!("{}\n{}", alipay.trim_end(), authority.middle);
    account.certificates = Certificates::read(&app, &alipay, &authority.roots);
    Ok(())
}

fn use_given(account: &mut Account, app: &str, alipay: &str, root: &str) -> Result<(), Refused> {
    let key_of = |pem: &str| certificate::read(pem).and_then(|read| read.public_key);
    let fits = |pem: &str, key: &str| key_of(pem).is_some_and(|own| sign::public(&own) == sign::public(key));
    if !fits(app, &account.app_public_key) {
        return Err(Refused("app_cert_pem is not for app_public_key_pem".to_owned()));
    }
    if !fits(alipay, &public_half(&account.alipay_private_key)?) {
        return Err(Refused("alipay_cert_pem is not for alipay_private_key_pem".to_owned()));
    }
    account.certificates = Certificates::read(app, alipay, root);
    match account.certificates {
        Some(_) => Ok(()),
        None => Err(Refused("alipay_root_cert_pem has no root with RSA".to_owned())),
    }
}

fn public_half(private_key: &str) -> Result<String, Refused> {
    let key =
        sign::private(private_key).ok_or_else(|| Refused("alipay_private_key_pem is no RSA private key".to_owned()))?;
    key.to_public_key()
        .to_public_key_pem(LineEnding::LF)
        .map_err(unwritable)
}

fn number(prefix: &str) -> String {
    format!("{prefix}{:012}", rand::thread_rng().gen_range(0..1_000_000_000_000_u64))
}

/// A new pair: private key as PKCS#8 PEM, public key as PEM.
fn key_pair() -> Result<(String, String), Refused> {
    let key = RsaPrivateKey::new(&mut rand::thread_rng(), 2048).map_err(unwritable)?;
    let private = key.to_pkcs8_pem(LineEnding::LF).map_err(unwritable)?.to_string();
    Ok((
        private,
        key.to_public_key()
            .to_public_key_pem(LineEnding::LF)
            .map_err(unwritable)?,
    ))
}

fn unwritable(error: impl std::fmt::Display) -> Refused {
    Refused(format!("an RSA key could not be made: {error}"))
}
