//! The gateway's door: who calls, and whether he may, in the order of the alipay reference, 11.2.

use chrono::{NaiveDateTime, TimeZone};
use serde_json::Map;

use super::account::{self, Account, Certificates};
use super::app_auth::{self, Token};
use super::call::{Call, Method, Params};
use super::charset::Charset;
use super::failure::Failure;
use super::{rate, sign};
use crate::clock;
use crate::fault::Effect;
use crate::frame::Frame;
use crate::store::Tx;

/// A call that was turned away.
pub(super) struct TurnedAway {
    pub(super) failure: Failure,
    /// The caller, once known: then the answer is signed.
    pub(super) account: Option<Box<Account>>,
    /// Whether the answer is sealed.
    pub(super) sealed: bool,
}

/// A call that may be carried out.
pub(super) struct Admitted {
    pub(super) call: Call,
    /// Whether the answer is sealed, because the content was.
    pub(super) sealed: bool,
}

/// The checks before the business.
pub(super) fn admit(frame: &Frame, params: &Params, effects: &[Effect]) -> Result<Admitted, TurnedAway> {
    let caller = caller(frame, params).map_err(|failure| TurnedAway {
        failure,
        account: None,
        sealed: false,
    })?;
    let turned_away = |failure, sealed| TurnedAway {
        failure,
        account: Some(Box::new(caller.clone())),
        sealed,
    };
    let method = known(frame, params, &caller).map_err(|failure| turned_away(failure, false))?;
    let (content, sealed) = content(params, &caller).map_err(|failure| turned_away(failure, false))?;
    let account = for_whom(frame, method, &caller, params.get("app_auth_token"))
        .map_err(|failure| turned_away(failure, sealed))?;
    rate::count(frame, &caller, method).map_err(|failure| turned_away(failure, sealed))?;
    let biz = match content {
        _ if !method.has_content() => params.as_content(),
        Some(text) => {
            serde_json::from_str(&text).map_err(|_| turned_away(Failure::gateway("isv.illegal-json"), sealed))?
        }
        None => Map::new(),
    };
    let call = Call {
        account,
        method,
        biz,
        charset: params.charset,
        notify_url: params.get("notify_url").map(str::to_owned),
        return_url: params.get("return_url").map(str::to_owned),
        effects: effects.to_vec(),
        caller,
    };
    Ok(Admitted { call, sealed })
}

/// Who calls. What is refused here is refused unsigned, because nobody knows whose keys to use.
fn caller(frame: &Frame, params: &Params) -> Result<Account, Failure> {
    let required = [
        ("method", "isv.missing-method"),
        ("app_id", "isv.missing-app-id"),
        ("sign_type", "isv.missing-signature-type"),
        ("timestamp", "isv.missing-timestamp"),
        ("version", "isv.missing-version"),
        ("sign", "isv.missing-signature"),
    ];
    for (name, sub_code) in required {
        params.get(name).ok_or_else(|| Failure::gateway(sub_code))?;
    }
    let app_id = params.get("app_id").unwrap_or_default();
    account::find(&frame.store.begin(), app_id).ok_or_else(|| Failure::gateway("isv.invalid-app-id"))
}

/// The checks once the caller is known, up to the signature.
fn known(frame: &Frame, params: &Params, account: &Account) -> Result<Method, Failure> {
    if !account.terms.online {
        return Err(Failure::gateway("not-online-app"));
    }
    check_form(frame, params, account)?;
    let method = Method::named(params.method()).ok_or_else(|| Failure::gateway("isv.invalid-method"))?;
    if let Some(certificates) = &account.certificates {
        let sent = (params.get("app_cert_sn"), params.get("alipay_root_cert_sn"));
        check_certificates(frame, certificates, sent)?;
    }
    if account.app_public_key.is_empty() {
        return Err(Failure::gateway("isv.missing-signature-config"));
    }
    let text = sign::request_string(&params.pairs);
    let bytes = params.charset.bytes(&text);
    if !sign::verify(&account.app_public_key, bytes, params.get("sign").unwrap_or_default()) {
        let shown = text.replace('&', "&amp;");
        let why = format!("验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配，网关生成的验签字符串为：{shown}");
        return Err(Failure::gateway("isv.invalid-signature").because(&why));
    }
    Ok(method)
}

fn check_form(frame: &Frame, params: &Params, account: &Account) -> Result<(), Failure> {
    let refuse = |sub_code: &str| Err(Failure::gateway(sub_code));
    if params.get("charset").and_then(Charset::named).is_none() {
        return refuse("isv.invalid-charset");
    }
    if params
        .get("format")
        .is_some_and(|format| !format.eq_ignore_ascii_case("json"))
    {
        return refuse("isv.invalid-format");
    }
    if params.get("version") != Some("1.0") {
        return Err(Failure::gateway("isv.invalid-parameter").because("version只能是1.0"));
    }
    if params.get("sign_type") != Some("RSA2") {
        return refuse("isv.invalid-signature-type");
    }
    let written = params.get("timestamp").unwrap_or_default();
    let Ok(time) = NaiveDateTime::parse_from_str(written, "%Y-%m-%d %H:%M:%S") else {
        return refuse("isv.invalid-timestamp");
    };
    let time_ms = clock::china()
        .from_local_datetime(&time)
        .single()
        .map(|time| time.timestamp_millis());
    let away_ms = time_ms.map_or(u64::MAX, |time_ms| time_ms.abs_diff(frame.clock.now_ms()));
    if away_ms > account.terms.timestamp_window_s.saturating_mul(1_000) {
        return refuse("isv.invalid-timestamp");
    }
    Ok(())
}

/// Certificate mode: both names must be there and right (1.6).
pub(super) fn check_certificates(
    frame: &Frame,
    certificates: &Certificates,
    sent: (Option<&str>, Option<&str>),
) -> Result<(), Failure> {
    let sub_code = match sent {
        (None, _) => "isv.missing-app-cert-sn",
        (_, None) => "isv.missing-alipay-root-cert-sn",
        (Some(sn), _) if sn != certificates.app_sn => "isv.invalid-app-cert-sn",
        (_, Some(sn)) if sn != certificates.root_sn => "isv.invalid-alipay-root-cert-sn",
        _ if certificates.app_not_after_ms <= frame.clock.now_ms() => "isv.app-cert-expired",
        _ => return Ok(()),
    };
    Err(Failure::gateway(sub_code))
}

/// The text of `biz_content`, opened if it was sealed, and whether it was (1.8).
fn content(params: &Params, caller: &Account) -> Result<(Option<String>, bool), Failure> {
    let refuse = |sub_code: &str| Err(Failure::gateway(sub_code));
    let sent = params.get("biz_content");
    let Some(encrypt_type) = params.get("encrypt_type") else {
        let is_sealed = || caller.content_key()?.open(sent?);
        return match is_sealed() {
            Some(_) => refuse("isv.decryption-error-missing-encrypt-type"),
            None => Ok((sent.map(str::to_owned), false)),
        };
    };
    if encrypt_type != "AES" {
        return refuse("isv.decryption-error-not-valid-encrypt-type");
    }
    let Some(key) = caller.content_key() else {
        return refuse("isv.decryption-error-not-valid-encrypt-key");
    };
    match sent.map(|sent| key.open(sent)) {
        None => Ok((None, true)),
        Some(Some(opened)) => Ok((Some(params.charset.text(&opened)), true)),
        Some(None) => refuse("isv.decryption-error-unknown"),
    }
}

/// For whom the call is: the merchant who authorised the caller, else the caller itself (3.8).
pub(super) fn for_whom(
    frame: &Frame,
    method: Method,
    caller: &Account,
    token: Option<&str>,
) -> Result<Account, Failure> {
    let has_product = |account: &Account| !method.is_for_a_merchant() || !account.terms.products.is_empty();
    let Some(token) = token else {
        if caller.terms.third_party && method.is_for_a_merchant() {
            return Err(Failure::gateway("isv.self-invoke-forbidden"));
        }
        if !has_product(caller) {
            return Err(Failure::gateway("isv.insufficient-isv-permissions"));
        }
        return Ok(caller.clone());
    };
    let tx = frame.store.begin();
    match app_auth::standing(&tx, token, &caller.app_id, frame.clock.now_ms()) {
        Token::Good(auth_app_id) => match account::find(&tx, &auth_app_id) {
            Some(account) if has_product(&account) => Ok(account),
            Some(_) => Err(Failure::gateway("aop.no-product-reg-by-partner")),
            None => Err(Failure::gateway("aop.invalid-app-auth-token")),
        },
        Token::Unknown => Err(Failure::gateway("aop.invalid-app-auth-token")),
        Token::TimedOut => Err(Failure::gateway("aop.app-auth-token-time-out")),
    }
}

/// The merchant whom a call will be about, before anything was checked.
pub(super) fn merchant(tx: &Tx<'_>, caller: Option<Account>, token: Option<&str>) -> Option<Account> {
    let caller = caller?;
    match token {
        None => Some(caller),
        Some(token) => match app_auth::standing(tx, token, &caller.app_id, 0) {
            Token::Good(auth_app_id) => account::find(tx, &auth_app_id),
            Token::Unknown | Token::TimedOut => None,
        },
    }
}
