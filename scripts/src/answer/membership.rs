//! What a `membership` rule returned.
//!
//! The host owns the connection: the address, its length and encoding, and what authenticates. A rule that could write those
//! headers could smuggle a second request into the connection, speak to another host behind the same address, or carry a
//! password in plain text through consoles and reviews; a signature the host makes may stand in any header, `Authorization`
//! among them.

use std::collections::BTreeMap;

use metropay_core::rules::Wrong;
use metropay_core::rules::membership::{
    CallAlgorithm, CallBody, CallEncoding, CallSign, MembershipAnswer, MembershipCall, SignPlace, VipStatus,
};
use mlua::{Table, Value};
use serde_json::Value as Json;

use super::{field, join, table, text, wrong};
use crate::host::described;
use crate::json;

/// A path, at most, in bytes.
const PATH_MAX: usize = 512;
/// Fields of a query or a form, and headers, at most.
const FIELDS_MAX: usize = 64;
/// A field's value, at most, in bytes.
const VALUE_MAX: usize = 4 * 1024;
/// A body, and a text that is signed, at most, in bytes.
pub(crate) const BODY_MAX: usize = 16 * 1024;
/// A merchant's number of a member and its words, at most, in bytes.
const WORDS_MAX: usize = 128;

/// Headers that are the host's, in lower case; and all that begin with `proxy-` or `sec-`.
const HOSTS_OWN: [&str; 15] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Reads an answer of `request`.
pub(crate) fn call(value: &Value) -> Result<MembershipCall, Wrong> {
    let call = table(
        value,
        "",
        &["method", "path", "query", "headers", "json", "form", "xml", "sign"],
    )?;
    let method = text(&field(call, "", "method")?, "method", 8)?;
    if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()) {
        return Err(wrong(
            "method",
            format!("`{method}` is none of GET, POST, PUT, PATCH and DELETE"),
        ));
    }
    let query = match field(call, "", "query")? {
        Value::Nil => Vec::new(),
        value => fields(&value, "query")?,
    };
    let headers = match field(call, "", "headers")? {
        Value::Nil => BTreeMap::new(),
        value => headers(&value)?,
    };
    let body = body(call)?;
    if method == "GET" && body != CallBody::None {
        return Err(wrong("method", "a GET has no body"));
    }
    let sign = match field(call, "", "sign")? {
        Value::Nil => None,
        value => Some(sign(&value, &body)?),
    };
    Ok(MembershipCall {
        method,
        path: path(&field(call, "", "path")?)?,
        query,
        headers,
        body,
        sign,
    })
}

/// A path that stays below the merchant's base address.
fn path(value: &Value) -> Result<String, Wrong> {
    let path = text(value, "path", PATH_MAX)?;
    if !path.starts_with('/') || path.starts_with("//") {
        return Err(wrong("path", "must begin with one slash"));
    }
    let plain = path
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte));
    if !plain {
        return Err(wrong(
            "path",
            "has a character that must be percent-encoded (text.url_encode)",
        ));
    }
    let up = |part: &str| matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    if path.split('/').any(up) {
        return Err(wrong("path", "must not leave the base address"));
    }
    Ok(path)
}

/// Fields in an order: a list of pairs as it stands, or a table by name.
fn fields(value: &Value, at: &str) -> Result<Vec<(String, String)>, Wrong> {
    let Value::Table(given) = value else {
        return Err(wrong(at, format!("must be a table, not {}", described(value))));
    };
    let mut fields = Vec::new();
    for pair in given.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|error| wrong(at, error.to_string()))?;
        if fields.len() >= FIELDS_MAX {
            return Err(wrong(at, format!("has more than {FIELDS_MAX} fields")));
        }
        match (&key, &value) {
            (Value::String(_), _) => {
                let name = name(&key, at)?;
                let value = plain(&value, &join(at, &name), VALUE_MAX)?;
                fields.push((i64::MAX, name, value));
            }
            (Value::Integer(place), Value::Table(pair)) if pair.raw_len() == 2 => {
                let at = format!("{at}[{place}]");
                let part = |number: i64| pair.raw_get::<Value>(number).map_err(|e| wrong(&at, e.to_string()));
                let name = name(&part(1)?, &at)?;
                fields.push((*place, name, plain(&part(2)?, &at, VALUE_MAX)?));
            }
            _ => return Err(wrong(at, "must be a table by name, or a list of {name, value}")),
        }
    }
    fields.sort();
    Ok(fields.into_iter().map(|(_, name, value)| (name, value)).collect())
}

fn name(value: &Value, at: &str) -> Result<String, Wrong> {
    let name = plain(value, at, 128)?;
    if name.is_empty() {
        return Err(wrong(at, "has a field without a name"));
    }
    Ok(name)
}

/// A text or a whole number, without control characters.
fn plain(value: &Value, at: &str, length_max: usize) -> Result<String, Wrong> {
    let text = match value {
        Value::Integer(number) => number.to_string(),
        other => text(other, at, length_max)?,
    };
    if text.chars().any(char::is_control) {
        return Err(wrong(at, "has control characters"));
    }
    Ok(text)
}

fn headers(value: &Value) -> Result<BTreeMap<String, String>, Wrong> {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in fields(value, "headers")? {
        let at = join("headers", &name);
        header_name(&name, &at)?;
        let lower = name.to_ascii_lowercase();
        if HOSTS_OWN.contains(&lower.as_str()) || lower.starts_with("proxy-") || lower.starts_with("sec-") {
            return Err(wrong(at, "is the host's own header"));
        }
        if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(wrong(at, "must be plain ASCII"));
        }
        if headers.keys().any(|before| before.eq_ignore_ascii_case(&name)) {
            return Err(wrong(at, "stands there twice"));
        }
        headers.insert(name, value);
    }
    Ok(headers)
}

fn header_name(name: &str, at: &str) -> Result<(), Wrong> {
    let token = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if token && name.len() <= 64 {
        Ok(())
    } else {
        Err(wrong(at, "is no name of a header (letters, digits, - and _)"))
    }
}

/// The one body that there is.
fn body(call: &Table) -> Result<CallBody, Wrong> {
    let mut bodies = Vec::new();
    for kind in ["json", "form", "xml"] {
        let value = field(call, "", kind)?;
        if !value.is_nil() {
            bodies.push((kind, value));
        }
    }
    if bodies.len() > 1 {
        return Err(wrong("", "has more than one of json, form and xml"));
    }
    let Some((kind, value)) = bodies.pop() else {
        return Ok(CallBody::None);
    };
    match kind {
        "json" => {
            let mut room = BODY_MAX;
            let document = json::from_lua(&value, "json", &mut room).map_err(|(at, reason)| wrong(at, reason))?;
            Ok(CallBody::Json(document))
        }
        "form" => {
            let fields = fields(&value, "form")?;
            let size = fields
                .iter()
                .map(|(name, value)| name.len().saturating_add(value.len()));
            if size.fold(0, usize::saturating_add) > BODY_MAX {
                return Err(wrong("form", format!("is longer than {BODY_MAX} bytes")));
            }
            Ok(CallBody::Form(fields))
        }
        _ => Ok(CallBody::Xml(text(&value, "xml", BODY_MAX)?)),
    }
}

fn sign(value: &Value, body: &CallBody) -> Result<CallSign, Wrong> {
    let given = table(value, "sign", &["algorithm", "text", "encoding", "into", "name"])?;
    let word = |name: &str, otherwise: &str| match field(given, "sign", name)? {
        Value::Nil => Ok(otherwise.to_owned()),
        value => text(&value, &join("sign", name), 64),
    };
    let none =
        |field: &str, word: &str, there: &str| wrong(join("sign", field), format!("`{word}` is none of {there}"));
    let algorithm = match word("algorithm", "hmac_sha256")?.as_str() {
        "hmac_sha256" => CallAlgorithm::HmacSha256,
        other => return Err(none("algorithm", other, "hmac_sha256")),
    };
    let encoding = match word("encoding", "hex")?.as_str() {
        "hex" => CallEncoding::Hex,
        "base64" => CallEncoding::Base64,
        other => return Err(none("encoding", other, "hex and base64")),
    };
    let into = match (word("into", "header")?.as_str(), body) {
        ("header", _) => SignPlace::Header,
        ("query", _) => SignPlace::Query,
        ("body", CallBody::Form(_) | CallBody::Json(Json::Object(_))) => SignPlace::Body,
        ("body", _) => return Err(wrong("sign.into", "there is no form or JSON object for it")),
        (other, _) => return Err(none("into", other, "header, query and body")),
    };
    let name = name(&field(given, "sign", "name")?, "sign.name")?;
    if into == SignPlace::Header {
        header_name(&name, "sign.name")?;
        let lower = name.to_ascii_lowercase();
        if lower != "authorization" && HOSTS_OWN.contains(&lower.as_str()) {
            return Err(wrong("sign.name", "is the host's own header"));
        }
    }
    Ok(CallSign {
        algorithm,
        text: text(&field(given, "sign", "text")?, "sign.text", BODY_MAX)?,
        encoding,
        into,
        name,
    })
}

/// Reads an answer of `answer`.
pub(crate) fn answer(value: &Value) -> Result<MembershipAnswer, Wrong> {
    let given = table(value, "", &["vip_status", "member_no", "reason"])?;
    let vip_status = match field(given, "", "vip_status")? {
        Value::Nil => None,
        value => Some(match text(&value, "vip_status", 16)?.as_str() {
            "UNACTIVE" => VipStatus::Unactive,
            "ACTIVE" => VipStatus::Active,
            "CLOSED" => VipStatus::Closed,
            "PENDING" => VipStatus::Pending,
            other => {
                let reason = format!("`{other}` is none of UNACTIVE, ACTIVE, CLOSED and PENDING");
                return Err(wrong("vip_status", reason));
            }
        }),
    };
    let member_no = match field(given, "", "member_no")? {
        Value::Nil => None,
        value => Some(plain(&value, "member_no", WORDS_MAX)?),
    };
    Ok(MembershipAnswer {
        vip_status,
        member_no,
        reason: super::reason(&field(given, "", "reason")?, "reason")?,
    })
}
