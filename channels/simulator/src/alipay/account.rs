//! Merchants' apps: numbers, keys and the contract's settings.

use rand::Rng;
use rsa::RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::sign;
use crate::frame::{Frame, Refused};
use crate::store::Tx;

const TABLE: &str = "alipay_account";

/// The sales product of every account.
pub(super) const PRODUCT_CODE: &str = "GENERAL_WITHHOLDING";
/// The product of the user's agreement.
pub(super) const PERSONAL_PRODUCT_CODE: &str = "GENERAL_WITHHOLDING_P";

/// One app of a merchant at the gateway.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Account {
    /// 应用 id, 16 digits.
    pub(super) app_id: String,
    /// The merchant's PID, 16 digits from 2088.
    pub(super) seller_id: String,
    /// The name that payers see.
    pub(super) shop_name: String,
    /// 应用网关: where messages go that belong to no call.
    pub(super) app_gateway_url: Option<String>,
    /// 应用公钥: verifies the merchant's requests.
    pub(super) app_public_key: String,
    /// 支付宝私钥: signs answers and notifications.
    pub(super) alipay_private_key: String,
    /// The scene that the contract assigns.
    pub(super) sign_scene: String,
    /// The store named in answers.
    pub(super) store_name: Option<String>,
    /// Alipay's own coupon on each payment, in fen.
    pub(super) coupon_fen: u64,
    /// The merchant's own coupon on each payment, in fen.
    pub(super) merchant_coupon_fen: u64,
    /// The most that one deduction may take, in fen.
    pub(super) single_max_fen: u64,
    /// How long a paid trade can be cancelled, in seconds.
    pub(super) cancel_window_s: u64,
    /// How long a paid trade can be refunded, in seconds.
    pub(super) refund_window_s: u64,
    /// How far a request's timestamp may stand from the gateway's time, in seconds.
    pub(super) timestamp_window_s: u64,
    /// Whether a repeated payment of a paid trade is answered `ACQ.TRADE_HAS_SUCCESS` instead of with the first result.
    pub(super) repeat_says_has_success: bool,
}

/// What can be wished of an account. What is left out keeps its value, or the default of a new account.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Spec {
    app_id: Option<String>,
    seller_id: Option<String>,
    shop_name: Option<String>,
    app_gateway_url: Option<String>,
    app_public_key_pem: Option<String>,
    alipay_private_key_pem: Option<String>,
    sign_scene: Option<String>,
    store_name: Option<String>,
    coupon_fen: Option<u64>,
    merchant_coupon_fen: Option<u64>,
    single_max_fen: Option<u64>,
    cancel_window_s: Option<u64>,
    refund_window_s: Option<u64>,
    timestamp_window_s: Option<u64>,
    repeat_says_has_success: Option<bool>,
}

/// The account of this app.
pub(super) fn find(tx: &Tx<'_>, app_id: &str) -> Option<Account> {
    tx.get(TABLE, app_id)
}

/// Opens an account or changes one, and returns what the merchant is handed out.
pub(super) fn open(frame: &Frame, spec: &Value) -> Result<Value, Refused> {
    let spec: Spec = serde_json::from_value(spec.clone()).map_err(|error| Refused(error.to_string()))?;
    let known = spec
        .app_id
        .as_deref()
        .and_then(|app_id| find(&frame.store.begin(), app_id));
    let mut made_key = None;
    let mut account = match known {
        Some(account) => account,
        None => fresh(&spec, &mut made_key)?,
    };
    change(&mut account, spec)?;
    let alipay_public_key = sign::private(&account.alipay_private_key)
        .ok_or_else(|| Refused("alipay_private_key_pem is no RSA private key".to_owned()))?
        .to_public_key();
    let mut tx = frame.store.begin();
    tx.put(TABLE, &account.app_id, &account);
    tx.commit();
    let mut handed_out = json!({
        "app_id": account.app_id,
        "seller_id": account.seller_id,
        "shop_name": account.shop_name,
        "alipay_public_key_pem": alipay_public_key.to_public_key_pem(LineEnding::LF).map_err(unwritable)?,
        "app_public_key_pem": account.app_public_key,
        "gateway_url": format!("{}/alipay/gateway.do", frame.public_url),
        "product_code": PRODUCT_CODE,
        "personal_product_code": PERSONAL_PRODUCT_CODE,
        "sign_scene": account.sign_scene,
    });
    if let Some(key) = made_key {
        handed_out["app_private_key_pem"] = json!(key);
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
        shop_name: "地铁消费码商户".to_owned(),
        app_gateway_url: None,
        app_public_key: app_public_key.unwrap_or_default(),
        alipay_private_key: alipay_key?.map(|(private, _)| private).unwrap_or_default(),
        sign_scene: "INDUSTRY|METRO".to_owned(),
        store_name: None,
        coupon_fen: 0,
        merchant_coupon_fen: 0,
        single_max_fen: 100_000,
        cancel_window_s: 24 * 3600,
        refund_window_s: 365 * 24 * 3600,
        timestamp_window_s: 15 * 60,
        repeat_says_has_success: false,
    })
}

fn change(account: &mut Account, spec: Spec) -> Result<(), Refused> {
    if spec.seller_id.is_some_and(|seller_id| seller_id != account.seller_id) {
        return Err(Refused("an app never changes its seller_id".to_owned()));
    }
    let digits = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(&account.app_id) || !digits(&account.seller_id) || !account.seller_id.starts_with("2088") {
        return Err(Refused(
            "app_id has 16 digits, seller_id 16 digits from 2088".to_owned(),
        ));
    }
    if let Some(key) = spec.app_public_key_pem {
        sign::public(&key).ok_or_else(|| Refused("app_public_key_pem is no RSA public key".to_owned()))?;
        account.app_public_key = key;
    }
    if let Some(key) = spec.alipay_private_key_pem {
        account.alipay_private_key = key;
    }
    if let Some(url) = spec.app_gateway_url {
        account.app_gateway_url = Some(url).filter(|url| !url.is_empty());
    }
    if let Some(name) = spec.store_name {
        account.store_name = Some(name).filter(|name| !name.is_empty());
    }
    set(&mut account.shop_name, spec.shop_name);
    set(&mut account.sign_scene, spec.sign_scene);
    set(&mut account.coupon_fen, spec.coupon_fen);
    set(&mut account.merchant_coupon_fen, spec.merchant_coupon_fen);
    set(&mut account.single_max_fen, spec.single_max_fen);
    set(&mut account.cancel_window_s, spec.cancel_window_s);
    set(&mut account.refund_window_s, spec.refund_window_s);
    set(&mut account.timestamp_window_s, spec.timestamp_window_s);
    set(&mut account.repeat_says_has_success, spec.repeat_says_has_success);
    Ok(())
}

fn set<T>(setting: &mut T, wish: Option<T>) {
    if let Some(wish) = wish {
        *setting = wish;
    }
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
