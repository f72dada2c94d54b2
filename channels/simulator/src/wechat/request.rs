//! The door: reads a request, finds the account, verifies the signature and checks every field (wechat reference, 11.2).

use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request};
use axum::http::Method;
use axum::http::header::REFERER;

use super::account::{self, Account, Mode, Shop};
use super::answer::Failure;
use super::operation::{Carrier, Family, Operation, Side, Signing};
use super::sign::{self, SignType};
use super::tls::ClientCertificate;
use super::xml::{self, Fields};
use crate::fault::Effect;
use crate::frame::Frame;

/// The longest request, in bytes.
const BODY_LEN_MAX: usize = 1 << 20;

/// The longest query string of a signing page, in bytes (wechat reference, 3.3).
const QUERY_LEN_MAX: usize = 1_024;

/// What came in, before anything of it is believed.
pub(super) struct Received {
    pub fields: Fields,
    pub referer: Option<String>,
    /// What the caller showed of himself, where the request came over TLS.
    pub certificate: Option<ClientCertificate>,
}

/// A request that passed the door.
pub(super) struct Call {
    pub account: Account,
    /// The shop that a provider acts for.
    pub shop: Option<Shop>,
    pub fields: Fields,
    pub sign_type: SignType,
    /// The key that the request was signed with; the answer is signed with the same.
    pub key: String,
    pub effects: Vec<Effect>,
    pub referer: Option<String>,
    /// When it came in, Unix milliseconds on the gateway's clock.
    pub now_ms: i64,
}

impl Call {
    pub(super) fn sub_mch_id(&self) -> Option<&str> {
        self.shop.as_ref().map(|shop| shop.sub_mch_id.as_str())
    }

    pub(super) fn sub_appid(&self) -> Option<&str> {
        self.fields.get("sub_appid")
    }

    /// A field that the operation's rules demand; the door has seen that it is there.
    pub(super) fn field(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_default()
    }

    /// An amount that the operation's rules demand, in fen.
    pub(super) fn amount(&self, name: &str) -> u64 {
        self.field(name).parse().unwrap_or_default()
    }

    /// A field as a text of one's own.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.fields.get(name).map(str::to_owned)
    }
}

/// Why a request did not pass.
pub(super) enum Refusal {
    /// `return_code=FAIL` with this text, unsigned.
    Denied(String),
    /// The caller proved who he is: a signed answer with `result_code=FAIL`.
    Failed(Box<Call>, Failure),
}

/// Reads the fields of a request. The error is the text of an unsigned refusal.
pub(super) async fn read(operation: &Operation, request: Request) -> Result<Received, String> {
    let referer = request
        .headers()
        .get(REFERER)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let shown = request.extensions().get::<ConnectInfo<ClientCertificate>>();
    let certificate = shown.map(|shown| shown.0.clone());
    let fields = match operation.carrier {
        Carrier::Post | Carrier::PostForBill | Carrier::PostForFundFlow => {
            if request.method() != Method::POST {
                return Err("REQUIRE_POST_METHOD".to_owned());
            }
            let body = to_bytes(request.into_body(), BODY_LEN_MAX)
                .await
                .map_err(|_| "参数格式校验错误".to_owned())?;
            read_body(&body)?
        }
        Carrier::GetForXml | Carrier::GetForPage => {
            if request.method() != Method::GET {
                return Err("参数构造错误".to_owned());
            }
            read_query(request.uri().query().unwrap_or_default())?
        }
    };
    Ok(Received {
        fields,
        referer,
        certificate,
    })
}

fn read_body(body: &[u8]) -> Result<Fields, String> {
    if body.is_empty() {
        return Err("POST_DATA_EMPTY".to_owned());
    }
    let text = std::str::from_utf8(body).map_err(|_| "NOT_UTF8".to_owned())?;
    let fields = xml::read(text, "xml").map_err(|_| "XML_FORMAT_ERROR".to_owned())?;
    if text
        .chars()
        .chain(fields.iter().flat_map(|(_, value)| value.chars()))
        .any(|c| c.len_utf8() > 3)
    {
        return Err("NOT_UTF8".to_owned());
    }
    Ok(fields)
}

/// Values travel URL-encoded once, with upper-case `%XX` (wechat reference, 3.3).
fn read_query(query: &str) -> Result<Fields, String> {
    let broken = || "参数构造错误".to_owned();
    let escapes_are_upper_case = query.split('%').skip(1).all(|rest| {
        let code = rest.as_bytes().get(..2).unwrap_or_default();
        code.len() == 2 && code.iter().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(b))
    });
    if query.len() > QUERY_LEN_MAX || !escapes_are_upper_case {
        return Err(broken());
    }
    let mut fields = Fields::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if fields.holds(&name)
            || value
                .chars()
                .any(|c| c.len_utf8() > 3 || c == char::REPLACEMENT_CHARACTER)
        {
            return Err(broken());
        }
        fields.put(name, value);
    }
    let raw_url = query.split('&').find_map(|pair| pair.strip_prefix("notify_url="));
    if raw_url.is_some_and(|raw| raw.contains([':', '/'])) {
        return Err(broken());
    }
    Ok(fields)
}

/// Lets a request in, or says why not.
pub(super) fn admit(
    frame: &Frame,
    operation: &Operation,
    side: Side,
    received: Received,
    effects: Vec<Effect>,
) -> Result<Call, Refusal> {
    let now_ms = frame.clock.now_ms();
    let fields = received.fields;
    for name in ["appid", "mch_id", "sign"] {
        if fields.get(name).is_none() {
            return Err(denied(format!("缺少参数:{name}")));
        }
    }
    let mch_id = fields.get("mch_id").unwrap_or_default();
    if mch_id.len() > 32 || !mch_id.bytes().all(|b| b.is_ascii_digit()) {
        return Err(denied("mch_id参数格式错误"));
    }
    let tx = frame.store.begin();
    let account = account::find(&tx, mch_id).filter(|account| fields.get("appid") == Some(account.appid.as_str()));
    let Some(account) = account else {
        return Err(denied("appid and mch_id not match"));
    };
    if operation.is_certified {
        check_certificate(&account, received.certificate.as_ref()).map_err(denied)?;
    }
    let sign_type = sign_type(operation, &fields).ok_or_else(|| denied("签名错误"))?;
    let given = fields.get("sign");
    let key = account
        .keys(now_ms)
        .find(|key| Some(sign::sign(&fields, key, sign_type).as_str()) == given);
    let key = key.ok_or_else(|| denied("签名错误"))?.to_owned();
    let shop = fields
        .get("sub_mch_id")
        .and_then(|sub_mch_id| account::find_shop(&tx, mch_id, sub_mch_id));
    drop(tx);
    let call = Call {
        account,
        shop,
        fields,
        sign_type,
        key,
        effects,
        referer: received.referer,
        now_ms,
    };
    match checked(operation, side, &call) {
        Ok(()) => Ok(call),
        Err(Objection::Denied(text)) => Err(Refusal::Denied(text)),
        Err(Objection::Failed(failure)) => Err(Refusal::Failed(Box::new(call), failure)),
    }
}

/// Over TLS the certificate must be the merchant's own; without TLS there is none to see.
fn check_certificate(account: &Account, shown: Option<&ClientCertificate>) -> Result<(), &'static str> {
    match shown {
        None if account.terms.needs_certificate => Err("证书错误:请求未携带商户API证书"),
        None => Ok(()),
        Some(ClientCertificate(None)) => Err("证书错误:请求未携带商户API证书"),
        Some(ClientCertificate(Some(name))) if *name != account.mch_id => Err("证书错误:商户API证书与商户号不匹配"),
        Some(ClientCertificate(Some(_))) => Ok(()),
    }
}

fn denied(text: impl Into<String>) -> Refusal {
    Refusal::Denied(text.into())
}

fn sign_type(operation: &Operation, fields: &Fields) -> Option<SignType> {
    let wanted = match fields.get("sign_type") {
        Some(name) => Some(SignType::named(name)?),
        None => None,
    };
    match operation.signing {
        Signing::Md5 => Some(wanted.unwrap_or(SignType::Md5)),
        Signing::HmacSha256 => Some(wanted.unwrap_or(SignType::HmacSha256)),
        Signing::Md5Only => wanted
            .is_none_or(|wanted| wanted == SignType::Md5)
            .then_some(SignType::Md5),
        Signing::HmacRequired => wanted.filter(|wanted| *wanted == SignType::HmacSha256),
    }
}

enum Objection {
    Denied(String),
    Failed(Failure),
}

/// The checks on a request whose sender is known.
fn checked(operation: &Operation, side: Side, call: &Call) -> Result<(), Objection> {
    let fits = match side {
        Side::Direct => call.account.mode == Mode::Direct,
        Side::Provider => call.account.mode == Mode::Provider,
        Side::Both => true,
    };
    if !fits {
        let code = if operation.name == "deletecontract" {
            "MERCHANT PERMISSION ERROR"
        } else {
            "NOAUTH"
        };
        return Err(Objection::Failed(Failure::new(code, "商户号代扣产品权限校验失败")));
    }
    check_presence(operation, call)?;
    check_shop(operation, call)?;
    for rule in operation.rules {
        let Some(value) = call.fields.get(rule.name) else {
            continue;
        };
        if !rule.form.fits(value, call.now_ms / 1_000) {
            let text = format!("参数格式校验错误:{}", rule.name);
            return Err(Objection::Failed(Failure::new(operation.bad_field_code, text)));
        }
    }
    let nonce = call.fields.get("nonce_str").unwrap_or_default();
    if nonce.len() > 32 {
        let text = "参数格式校验错误:nonce_str";
        return Err(Objection::Failed(Failure::new(operation.bad_field_code, text)));
    }
    Ok(())
}

/// Nothing required is missing, and where the list is closed nothing else is there.
fn check_presence(operation: &Operation, call: &Call) -> Result<(), Objection> {
    let missing = |name: &str| Objection::Denied(format!("缺少参数:{name}"));
    if operation.has_nonce {
        call.fields.get("nonce_str").ok_or_else(|| missing("nonce_str"))?;
    } else if call.fields.holds("nonce_str") {
        return Err(Objection::Denied("参数构造错误:nonce_str".to_owned()));
    }
    if operation.is_closed {
        let heads: &[&str] = match call.account.mode {
            Mode::Direct => &["appid", "mch_id", "sign"],
            Mode::Provider => &["appid", "mch_id", "sign", "sub_appid", "sub_mch_id"],
        };
        let listed = |name: &str| heads.contains(&name) || operation.rules.iter().any(|rule| rule.name == name);
        if let Some((name, _)) = call.fields.iter().find(|(name, _)| !listed(name)) {
            return Err(Objection::Denied(format!("参数构造错误:{name}")));
        }
    }
    let required = operation
        .rules
        .iter()
        .find(|rule| rule.required && call.fields.get(rule.name).is_none());
    required.map_or(Ok(()), |rule| Err(missing(rule.name)))
}

fn check_shop(operation: &Operation, call: &Call) -> Result<(), Objection> {
    let given = call.fields.get("sub_mch_id");
    let failed = |text: &str| {
        let permission = operation.name == "deletecontract";
        let code = if permission {
            "MERCHANT PERMISSION ERROR"
        } else {
            operation.bad_field_code
        };
        Err(Objection::Failed(Failure::new(code, text)))
    };
    match (call.account.mode, given) {
        (Mode::Direct, None) => Ok(()),
        (Mode::Direct, Some(_)) => failed("普通商户不支持sub_mch_id"),
        // Without a shop's number a bill is about all shops.
        (Mode::Provider, None) if operation.family == Family::Bill => Ok(()),
        (Mode::Provider, None) => Err(Objection::Denied("缺少参数:sub_mch_id".to_owned())),
        (Mode::Provider, Some(_)) if call.shop.is_none() => failed("受理关系不存在:sub_mch_id不是该服务商的特约商户"),
        (Mode::Provider, Some(_)) => Ok(()),
    }
}
