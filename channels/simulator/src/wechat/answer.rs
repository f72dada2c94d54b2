//! Answers: heads, signature with the request's algorithm, and the distortions of the fault script (wechat reference,
//! 1.3, 1.4 and 11.2).

use std::io::Write;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::operation::{Carrier, Family, Operation};
use super::page;
use super::request::Call;
use super::sign::{self, SignType};
use super::xml::{self, Fields};
use super::{number, texts};
use crate::fault::Effect;

/// The field of a successful [`Carrier::GetForPage`] call that holds the page to go on to.
pub(super) const GO_ON_TO: &str = "go_on_to";

/// The field of a successful call for a bill that holds the file.
pub(super) const FILE: &str = "file";

/// What a forger would sign with.
pub(super) const FOREIGN_KEY: &str = "not the key of this account";

/// `result_code=FAIL`: the request was understood and refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub code: String,
    pub text: String,
}

impl Failure {
    pub(super) fn new(code: &str, text: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            text: text.into(),
        }
    }

    /// A failure with the text that usually stands beside its code.
    pub(super) fn of(code: &str) -> Self {
        Self::new(code, texts::of(code))
    }

    pub(super) fn bad_field(text: impl Into<String>) -> Self {
        Self::new("PARAM_ERROR", text)
    }
}

/// `return_code=FAIL`: not processed, and not signed (C29).
pub(super) fn denied(operation: &Operation, text: &str) -> Response {
    if operation.carrier == Carrier::GetForPage {
        return page::trouble(text);
    }
    let mut fields = Fields::new().with("return_code", "FAIL").with("return_msg", text);
    if operation.carrier == Carrier::PostForBill {
        fields = bill_refused(match text {
            "签名错误" => "SIGN ERROR",
            text if text.starts_with("缺少参数") => "missing parameter",
            text => text,
        });
    }
    xml_response(xml::write(&fields, "xml"))
}

/// A file that is not there for the asking: no signature, and a number beside the text (wechat reference, 6.1).
fn bill_refused(text: &str) -> Fields {
    let number = match text {
        "No Bill Exist" | "Bill Creating" => "20002",
        "CompressGZip Error" | "UnCompressGZip Error" => "20003",
        "SYSTEMERROR" => "20100",
        "NOAUTH" => "20007",
        _ => "20001",
    };
    Fields::new()
        .with("return_code", "FAIL")
        .with("return_msg", text)
        .with("error_code", number)
}

/// The answer to a request that passed the door.
pub(super) fn to(operation: &Operation, call: &Call, outcome: Result<Fields, Failure>) -> Response {
    match operation.carrier {
        Carrier::Post => xml_response(xml::write(&signed(operation, call, outcome), "xml")),
        Carrier::PostForBill | Carrier::PostForFundFlow => match outcome {
            Ok(fields) => file(&fields, call.fields.get("tar_type").is_some()),
            Err(failure) if operation.carrier == Carrier::PostForBill => {
                xml_response(xml::write(&bill_refused(&failure.code), "xml"))
            }
            Err(failure) => xml_response(xml::write(&signed(operation, call, Err(failure)), "xml")),
        },
        Carrier::GetForXml => xml_response(xml::write(&unsigned(outcome), "xml")),
        Carrier::GetForPage => match outcome {
            Ok(fields) => redirect(fields.get(GO_ON_TO).unwrap_or_default()),
            Err(failure) => page::trouble(&format!("商家系统错误（{}：{}）", failure.code, failure.text)),
        },
    }
}

fn signed(operation: &Operation, call: &Call, outcome: Result<Fields, Failure>) -> Fields {
    let mut answer = Fields::new().with("return_code", "SUCCESS").with("return_msg", "OK");
    answer.put("appid", &call.account.appid);
    answer.put("mch_id", &call.account.mch_id);
    answer.put_some("sub_appid", call.sub_appid());
    answer.put_some("sub_mch_id", call.sub_mch_id());
    if operation.has_nonce || operation.name == "preentrustweb" {
        answer.put("nonce_str", number::token());
    }
    match outcome {
        Ok(fields) => {
            answer.put("result_code", "SUCCESS");
            answer.append(fields);
        }
        Err(failure) => {
            answer.put("result_code", "FAIL");
            answer.put("err_code", &failure.code);
            answer.put("err_code_des", failure.text);
            if operation.family == Family::Reverse {
                let again = matches!(failure.code.as_str(), "SYSTEMERROR" | "USERPAYING");
                answer.put("recall", if again { "Y" } else { "N" });
            }
        }
    }
    sprinkle(&mut answer, call.fields.get("sign").unwrap_or_default());
    distort(&mut answer, &call.effects);
    if !call.effects.contains(&Effect::NoSignature) {
        seal(
            &mut answer,
            &call.key,
            call.sign_type,
            call.effects.contains(&Effect::WrongSignature),
        );
    }
    answer
}

/// The answer of `h5entrustweb`, which carries neither heads nor a signature.
fn unsigned(outcome: Result<Fields, Failure>) -> Fields {
    let mut answer = Fields::new().with("return_code", "SUCCESS").with("return_msg", "OK");
    match outcome {
        Ok(fields) => {
            answer.put("result_code", "SUCCESS");
            answer.put("result_msg", "OK");
            answer.append(fields);
        }
        Err(failure) => {
            answer.put("result_code", "FAIL");
            answer.put("result_msg", &failure.text);
            answer.put("err_code", failure.code);
            answer.put("err_code_des", failure.text);
        }
    }
    answer
}

/// Adds a field that no client knows to about every fourth message, always to the same.
pub(super) fn sprinkle(message: &mut Fields, seed: &str) {
    if sign::dice(seed) < 64 {
        message.put("future_field", "keep me");
    }
}

/// Signs a message; `forged` leaves a signature that does not fit.
pub(super) fn seal(message: &mut Fields, key: &str, sign_type: SignType, forged: bool) {
    let sign = sign::sign(message, if forged { FOREIGN_KEY } else { key }, sign_type);
    message.put("sign", sign);
}

/// Makes a message tell of another amount, order, merchant or currency, before it is signed.
pub(super) fn distort(message: &mut Fields, effects: &[Effect]) {
    for effect in effects {
        match effect {
            Effect::WrongAmount { fen } => replace(message, amount_names(message), &fen.to_string()),
            Effect::WrongOrder { order_no } => replace(message, number_names(message), order_no),
            Effect::WrongMerchant { account } => {
                let name = if message.holds("sub_mch_id") {
                    "sub_mch_id"
                } else {
                    "mch_id"
                };
                replace(message, vec![name.to_owned()], account);
            }
            Effect::WrongCurrency { currency } => replace(message, currency_names(message), currency),
            _ => {}
        }
    }
}

fn replace(message: &mut Fields, names: Vec<String>, value: &str) {
    for name in names {
        message.put(name, value);
    }
}

/// A refund's own amount where the message is about refunds, else the order's.
fn amount_names(message: &Fields) -> Vec<String> {
    let refund = names(message, |stem| {
        matches!(stem, "refund_fee" | "settlement_refund_fee" | "cash_refund_fee")
    });
    if refund.is_empty() {
        names(message, |stem| matches!(stem, "total_fee" | "cash_fee"))
    } else {
        refund
    }
}

/// Which currency is told; where none is told it is yuan, and to say otherwise takes a field more.
fn currency_names(message: &Fields) -> Vec<String> {
    let told = names(message, |stem| {
        matches!(stem, "fee_type" | "cash_fee_type" | "refund_fee_type")
    });
    if told.is_empty() && !amount_names(message).is_empty() {
        vec!["fee_type".to_owned()]
    } else {
        told
    }
}

fn number_names(message: &Fields) -> Vec<String> {
    for number in ["out_refund_no", "out_trade_no", "contract_code"] {
        let found = names(message, |stem| stem == number);
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

fn names(message: &Fields, fits: impl Fn(&str) -> bool) -> Vec<String> {
    let stem = |name: &str| fits(name.trim_end_matches(|c: char| c == '_' || c.is_ascii_digit()));
    message
        .iter()
        .filter(|(name, _)| stem(name))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// A file as it is, or packed.
fn file(fields: &Fields, packed: bool) -> Response {
    let text = fields.get(FILE).unwrap_or_default();
    if packed {
        return Response::new(Body::from(gzip(text)));
    }
    let mut response = Response::new(Body::from(text.to_owned()));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    response
}

/// The text in a gzip file.
pub(super) fn gzip(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    packer.write_all(text.as_bytes()).unwrap_or_default();
    packer.finish().unwrap_or_default()
}

fn xml_response(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=UTF-8"));
    response
}

/// Sends a browser on to another page.
pub(super) fn redirect(to: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(to) else {
        return page::trouble("返回地址无效");
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, location);
    response
}

#[cfg(test)]
mod tests {
    use super::super::vectors;
    use super::*;

    #[test]
    fn messages_of_the_reference_are_written_as_they_stand_there() {
        for vector in vectors::all() {
            // C25 mixes both ways of writing numbers; C12's outer message writes SUCCESS without CDATA.
            if ["C1", "C4", "C5", "C23", "C25", "C26", "C12"].contains(&vector.id) {
                continue;
            }
            let root = if vector.id == "C12-plain" { "root" } else { "xml" };
            let fields = xml::read(vector.wire, root).unwrap();
            assert_eq!(xml::write(&fields, root), vector.wire, "{}", vector.id);
        }
    }

    #[test]
    fn a_distorted_message_is_still_signed_correctly() {
        let c7 = vectors::all().into_iter().find(|vector| vector.id == "C7").unwrap();
        let mut message = xml::read(c7.wire, "xml").unwrap().without("sign");
        distort(
            &mut message,
            &[
                Effect::WrongAmount { fen: 1 },
                Effect::WrongMerchant {
                    account: "1999999999".into(),
                },
            ],
        );
        seal(&mut message, vectors::KEY, SignType::Md5, false);
        assert_eq!(message.get("total_fee"), Some("1"));
        assert_eq!(message.get("sub_mch_id"), Some("1999999999"));
        assert_eq!(message.get("mch_id"), Some("1900009999"));
        assert_eq!(
            message.get("sign"),
            Some(sign::sign(&message, vectors::KEY, SignType::Md5).as_str())
        );
        seal(&mut message, vectors::KEY, SignType::Md5, true);
        assert_ne!(
            message.get("sign"),
            Some(sign::sign(&message, vectors::KEY, SignType::Md5).as_str())
        );
    }

    #[test]
    fn in_refund_messages_the_refund_is_distorted_and_not_the_order() {
        let c24 = vectors::all().into_iter().find(|vector| vector.id == "C24").unwrap();
        let mut message = xml::read(c24.wire, "xml").unwrap();
        distort(
            &mut message,
            &[
                Effect::WrongAmount { fen: 9 },
                Effect::WrongOrder {
                    order_no: "other".into(),
                },
            ],
        );
        assert_eq!(
            (message.get("refund_fee"), message.get("total_fee")),
            (Some("9"), Some("1280"))
        );
        assert_eq!(message.get("out_refund_no"), Some("other"));
        assert_eq!(message.get("out_trade_no"), Some("MC20250301123456000000000000001"));
    }
}
