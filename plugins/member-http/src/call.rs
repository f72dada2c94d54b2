//! From a call as the rule has shaped it to a request as it leaves: address, body, headers, and the signature in its place.

use metropay_core::member::{MemberFailure, MemberSetting, MemberTrouble};
use metropay_core::rules::membership::{CallBody, MembershipCall, SignPlace};
use metropay_outbound::guard::GuardedRequest;

use crate::config::{Account, Signing};
use crate::sign::authorization;

/// The header by which a merchant knows a repeated call again.
const REQUEST_NO: &str = "metropay-request-no";
/// Letters of a call's number at most.
const REQUEST_NO_MAX: usize = 64;

/// Shapes the request. Nothing has left when this fails.
pub(crate) fn request(
    account: &Account,
    setting: &MemberSetting,
    call: MembershipCall,
    request_no: &str,
) -> Result<GuardedRequest, MemberFailure> {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !(1..=REQUEST_NO_MAX).contains(&request_no.len()) || !request_no.bytes().all(letter) {
        return Err(unfit("the number of the call"));
    }
    // The host authenticates; a rule that did would carry the secret in its text.
    if call
        .headers
        .keys()
        .any(|name| name.eq_ignore_ascii_case("authorization"))
    {
        return Err(unfit("headers.authorization"));
    }
    let call = match &account.signing {
        Signing::Secret(key) => {
            let sign = call.sign.as_ref().ok_or_else(|| unfit("sign: the rule makes none"))?;
            let signature = key.sign(sign);
            placed(call, signature)?
        }
        Signing::None | Signing::Platform(_) => call,
    };
    let url = account
        .url
        .below(&call.path, &call.query)
        .map_err(|refused| unfit(format!("path: {}", refused.word())))?;
    let (content_type, body) = written(&call.body).map_err(|_| unfit("body"))?;
    let authorization = match &account.signing {
        Signing::Platform(algorithm) => {
            let header = authorization(setting, *algorithm, &call.method, &url, &body);
            Some(header.map_err(|_| unfit("the platform's signature"))?)
        }
        Signing::None | Signing::Secret(_) => None,
    };
    let refused = |what: &str| unfit(format!("{what}: may not be sent"));
    let mut request = GuardedRequest::new(&call.method, url).map_err(|_| refused("method"))?;
    if let Some(content_type) = content_type {
        request = request.body(content_type, body).map_err(|_| refused("body"))?;
    }
    request = request.header(REQUEST_NO, request_no).map_err(|_| refused("number"))?;
    for (name, value) in authorization.iter().map(|value| ("authorization", value)) {
        request = request
            .header(name, value)
            .map_err(|_| refused("the platform's signature"))?;
    }
    for (name, value) in &call.headers {
        request = request
            .further_header(&account.headers, name, value)
            .map_err(|_| refused("headers"))?;
    }
    Ok(request)
}

/// The call with its signature in the place that the rule names.
fn placed(mut call: MembershipCall, signature: String) -> Result<MembershipCall, MemberFailure> {
    let Some(sign) = call.sign.take() else {
        return Ok(call);
    };
    let there_already = || unfit("sign.name: stands there already");
    match (sign.into, &mut call.body) {
        (SignPlace::Header, _) => {
            if call.headers.keys().any(|name| name.eq_ignore_ascii_case(&sign.name)) {
                return Err(there_already());
            }
            call.headers.insert(sign.name, signature);
        }
        (SignPlace::Query, _) => add(&mut call.query, sign.name, signature).ok_or_else(there_already)?,
        (SignPlace::Body, CallBody::Form(fields)) => add(fields, sign.name, signature).ok_or_else(there_already)?,
        (SignPlace::Body, CallBody::Json(serde_json::Value::Object(object))) => {
            if object.contains_key(&sign.name) {
                return Err(there_already());
            }
            object.insert(sign.name, signature.into());
        }
        (SignPlace::Body, _) => return Err(unfit("sign.into: no form and no JSON object")),
    }
    Ok(call)
}

fn add(fields: &mut Vec<(String, String)>, name: String, value: String) -> Option<()> {
    if fields.iter().any(|(there, _)| *there == name) {
        return None;
    }
    fields.push((name, value));
    Some(())
}

/// A body with its content type.
fn written(body: &CallBody) -> Result<(Option<&'static str>, Vec<u8>), serde_json::Error> {
    Ok(match body {
        CallBody::None => (None, Vec::new()),
        CallBody::Json(value) => (Some("application/json"), serde_json::to_vec(value)?),
        CallBody::Form(fields) => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(fields);
            (Some("application/x-www-form-urlencoded"), form.finish().into_bytes())
        }
        CallBody::Xml(text) => (Some("application/xml; charset=utf-8"), text.clone().into_bytes()),
    })
}

/// What is wrong with a call, by the name of its part alone: its values may be personal.
fn unfit(what: impl Into<String>) -> MemberFailure {
    MemberFailure::not_sent(MemberTrouble::Call, what)
}
