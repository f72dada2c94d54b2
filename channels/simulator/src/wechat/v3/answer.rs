//! Answers of APIv3: status, JSON, `Request-ID`, signature, and the distortions of the fault script (wechat reference, 1.6
//! to 1.8 and 8.8).

use axum::body::Body;
use axum::http::HeaderValue;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::super::answer::{Failure as V2Failure, gzip};
use super::super::texts;
use super::code;
use super::schema::Objection;
use super::signer::{Signer, Spoiled};
use crate::fault::Effect;

/// What a call answers when nothing is wrong.
pub(super) enum Answer {
    /// 200 with a body.
    Done(Value),
    /// 202 with a body: accepted, not finished.
    Accepted(Value),
    /// 204.
    Empty,
    /// A file, without a signature; perhaps packed.
    File { text: String, packed: bool },
}

/// An error answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failure {
    pub code: String,
    pub message: String,
    pub detail: Option<Value>,
}

impl Failure {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            detail: None,
        }
    }

    /// A failure with the text that usually stands beside its code.
    pub(super) fn of(code: &str) -> Self {
        Self::new(code, texts::of(code))
    }

    /// `PARAM_ERROR` about one field.
    pub(super) fn field(location: &str, objection: &Objection) -> Self {
        let detail = json!({
            "location": location, "field": objection.field, "value": objection.value, "issue": objection.issue,
        });
        Self {
            code: "PARAM_ERROR".to_owned(),
            message: format!("参数错误：{} {}", objection.field, objection.issue),
            detail: Some(detail),
        }
    }
}

/// What both versions refuse for the same reason.
impl From<V2Failure> for Failure {
    fn from(failure: V2Failure) -> Self {
        Self::new(code::of_v2(&failure.code), failure.text)
    }
}

/// What is true of an answer whatever it says.
pub(super) struct Envelope {
    pub signer: Signer,
    pub effects: Vec<Effect>,
    pub now_ms: i64,
}

impl Envelope {
    /// The outcome as it travels.
    pub(super) fn send(&self, outcome: Result<Answer, Failure>) -> Response {
        match outcome {
            Ok(Answer::File { text, packed }) => {
                let bytes = if packed { gzip(&text) } else { text.into_bytes() };
                let mut response = Response::new(Body::from(bytes));
                let kind = if packed {
                    "application/x-gzip"
                } else {
                    "text/plain; charset=utf-8"
                };
                put(&mut response, "Content-Type", kind);
                put(&mut response, "Request-ID", &request_id(""));
                response
            }
            Ok(Answer::Done(body)) => self.signed(200, "", Some(body)),
            Ok(Answer::Accepted(body)) => self.signed(202, "", Some(body)),
            Ok(Answer::Empty) => self.signed(204, "", None),
            Err(failure) => {
                let mut body = json!({"code": failure.code, "message": failure.message});
                if let Some(detail) = failure.detail {
                    body["detail"] = detail;
                }
                self.signed(code::status(&failure.code), &failure.code, Some(body))
            }
        }
    }

    fn signed(&self, status: u16, code: &str, body: Option<Value>) -> Response {
        let body = body.map(|mut body| {
            distort(&mut body, &self.effects);
            body.to_string()
        });
        let bytes = body.unwrap_or_default();
        let spoiled = if self.effects.contains(&Effect::NoSignature) {
            Spoiled::Missing
        } else if self.effects.contains(&Effect::WrongSignature) {
            Spoiled::Forged
        } else {
            Spoiled::No
        };
        let headers = self.signer.headers(bytes.as_bytes(), self.now_ms, spoiled);
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = axum::http::StatusCode::from_u16(status).unwrap_or_default();
        if status != 204 {
            put(&mut response, "Content-Type", "application/json; charset=utf-8");
        }
        put(&mut response, "Request-ID", &request_id(code));
        for (name, value) in headers {
            put(&mut response, name, &value);
        }
        response
    }
}

fn request_id(code: &str) -> String {
    format!(
        "{}-{}",
        super::super::number::token().to_uppercase(),
        code::number(code)
    )
}

fn put(response: &mut Response, name: &'static str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.parse::<axum::http::HeaderName>(), HeaderValue::from_str(value)) {
        response.headers_mut().insert(name, value);
    }
}

/// Makes a message tell of another amount, order, merchant or currency, before it is signed or sealed.
pub(super) fn distort(message: &mut Value, effects: &[Effect]) {
    let Value::Object(fields) = message else { return };
    for effect in effects {
        match effect {
            Effect::WrongAmount { fen } => {
                if let Some(Value::Object(amount)) = fields.get_mut("amount") {
                    let is_refund = amount.contains_key("refund");
                    let names = if is_refund {
                        ["refund", "payer_refund", "settlement_refund"]
                    } else {
                        ["total", "payer_total", "settlement_total"]
                    };
                    replace(amount, &names, &json!(fen));
                }
            }
            Effect::WrongOrder { order_no } => replace_first(fields, &["out_refund_no", "out_trade_no"], order_no),
            Effect::WrongMerchant { account } => replace_first(fields, &["sub_mchid", "mchid", "sp_mchid"], account),
            Effect::WrongCurrency { currency } => {
                if let Some(Value::Object(amount)) = fields.get_mut("amount") {
                    replace(amount, &["currency", "payer_currency"], &json!(currency));
                }
            }
            _ => {}
        }
    }
}

fn replace(fields: &mut Map<String, Value>, names: &[&str], value: &Value) {
    for name in names {
        if let Some(field) = fields.get_mut(*name) {
            *field = value.clone();
        }
    }
}

fn replace_first(fields: &mut Map<String, Value>, names: &[&str], value: &str) {
    if let Some(name) = names.iter().find(|name| fields.contains_key(**name)) {
        replace(fields, &[name], &json!(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lie_is_about_the_refund_where_there_is_one() {
        let effects = [
            Effect::WrongAmount { fen: 9 },
            Effect::WrongOrder {
                order_no: "other".into(),
            },
            Effect::WrongMerchant { account: "1".into() },
        ];
        let mut order =
            json!({"sp_mchid": "2", "sub_mchid": "3", "out_trade_no": "A", "amount": {"total": 5, "payer_total": 5}});
        distort(&mut order, &effects);
        let told = json!({"sp_mchid": "2", "sub_mchid": "1", "out_trade_no": "other", "amount": {"total": 9, "payer_total": 9}});
        assert_eq!(order, told);
        let mut refund = json!({"out_trade_no": "A", "out_refund_no": "R", "amount": {"total": 5, "refund": 2}});
        distort(&mut refund, &effects);
        assert_eq!(
            refund,
            json!({"out_trade_no": "A", "out_refund_no": "other", "amount": {"total": 5, "refund": 9}})
        );
    }
}
