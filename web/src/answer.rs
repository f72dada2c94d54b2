//! The envelope: how every answer looks, and how a [`Problem`] becomes one.

use std::collections::BTreeMap;
use std::error::Error;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use metropay_core::problem::{Code, Kind, Problem};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::call::Call;
use crate::language::Language;
use crate::{rule, text};

/// The word in `code` of an answer that is no refusal.
pub const OK: &str = "OK";

/// An answer that is no refusal.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Envelope<T> {
    /// 固定为 `OK` (always `OK`).
    #[schema(value_type = String, example = "OK")]
    pub code: &'static str,
    /// 给人看的说明 (for people, by `Accept-Language`).
    #[schema(value_type = String, example = "成功")]
    pub message: &'static str,
    /// 请求编号，排查问题时提供 (the id under which the request is logged).
    #[schema(example = "019881f0-5d5b-7c61-9d3f-0b7f3f0c1d2e")]
    pub request_id: String,
    /// 业务数据 (the result).
    pub data: T,
}

/// A refusal, as it stands in the body. Facts of the case stand beside these fields.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Refusal {
    /// 稳定的错误码 (a stable machine word).
    #[schema(value_type = String, example = "PARAM_INVALID")]
    pub code: Code,
    /// 下一步怎么办 (what to do next, by `Accept-Language`).
    #[schema(value_type = String)]
    pub message: &'static str,
    /// 有误的字段 (the field at fault, where one is).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// 该字段应满足的规则 (the rule it breaks).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub rule: Option<&'static str>,
    /// 请求编号 (the id under which the request is logged).
    pub request_id: String,
    /// Further facts, such as `remaining`, `looks_like`, `server_time`.
    #[serde(flatten)]
    #[schema(ignore)]
    pub facts: BTreeMap<&'static str, Value>,
}

/// The names that no fact may take.
const RESERVED: [&str; 6] = ["code", "message", "field", "rule", "request_id", "data"];

/// The HTTP status of a kind of refusal; the only such match.
pub const fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Malformed => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::NotThisWay => StatusCode::METHOD_NOT_ALLOWED,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Kind::Fault => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl Refusal {
    /// The body of a refusal. That of a 5xx carries nothing but code, message and id.
    pub fn new(problem: Problem, request_id: &str, language: Language) -> Self {
        let ours = status(problem.code.kind()).is_server_error();
        let mut facts = if ours { BTreeMap::new() } else { problem.facts };
        facts.retain(|name, _| !RESERVED.contains(name));
        Self {
            code: problem.code,
            message: text::message(problem.code, language),
            field: problem.field.filter(|_| !ours),
            rule: problem.rule.filter(|_| !ours).map(|rule| rule::told(rule, language)),
            request_id: request_id.to_owned(),
            facts,
        }
    }
}

/// A result on its way out: made by [`Call::answer`], it becomes the response and, where it is a fault, the one line in
/// the log.
#[derive(Debug)]
#[must_use = "an answer that is not returned is never sent"]
pub struct Answer<T> {
    /// The request that is answered.
    pub call: Call,
    /// What it came to.
    pub result: Result<T, Problem>,
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let Self { call, result } = self;
        match result {
            Ok(data) => {
                let envelope = Envelope {
                    code: OK,
                    message: text::success(call.language),
                    request_id: call.request_id.to_string(),
                    data,
                };
                match serde_json::to_vec(&envelope) {
                    Ok(body) => json(StatusCode::OK, call.language, body),
                    Err(error) => refused(&call, Problem::fault(error)),
                }
            }
            Err(problem) => refused(&call, problem),
        }
    }
}

fn refused(call: &Call, problem: Problem) -> Response {
    log(call, &problem);
    let status = status(problem.code.kind());
    let retry_after_s = problem.facts.get("retry_after_s").and_then(Value::as_u64);
    let refusal = Refusal::new(problem, &call.request_id, call.language);
    // Words, texts and JSON values always serialise; an empty body would still carry the status.
    let body = serde_json::to_vec(&refusal).unwrap_or_default();
    let mut response = json(status, call.language, body);
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn json(status: StatusCode, language: Language, body: Vec<u8>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CONTENT_LANGUAGE, HeaderValue::from_static(language.tag())),
    ];
    (status, headers, body).into_response()
}

/// Faults are logged here and nowhere else, with their chain of causes; who was not let in, for the watch; the rest only
/// where somebody looks for it. The chain is written with its line ends escaped, so that nobody writes lines of our log.
fn log(call: &Call, problem: &Problem) {
    let (code, request_id) = (problem.code, &*call.request_id);
    match code.kind() {
        // Turned away before anything was done: whoever does that says so, and not for each.
        Kind::Unavailable if problem.facts.contains_key("retry_after_s") => {
            tracing::debug!(request_id, code = code.word(), "request turned away: {code}");
        }
        Kind::Fault | Kind::Unavailable => {
            let cause = chain(problem);
            tracing::error!(request_id, code = code.word(), cause = ?cause, "request failed: {code}");
        }
        Kind::Unauthenticated | Kind::Forbidden | Kind::TooMany => {
            tracing::info!(request_id, code = code.word(), client = ?call.client, "request refused: {code}");
        }
        _ => tracing::debug!(request_id, code = code.word(), field = ?problem.field, "request refused: {code}"),
    }
}

/// The causes of a problem, from near to far.
fn chain(problem: &Problem) -> String {
    const CAUSES_MAX: usize = 16;
    let first = problem
        .source
        .as_ref()
        .map(|source| &**source as &(dyn Error + 'static));
    let causes = std::iter::successors(first, |cause| (**cause).source());
    causes
        .take(CAUSES_MAX)
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http_body_util::BodyExt;

    use super::*;

    fn call(language: Language) -> Call {
        Call::new("req-0001", language, None)
    }

    async fn taken(response: Response) -> (u16, String) {
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_success_has_the_envelope_of_the_design() {
        let data = serde_json::json!({ "pay_status": "PS_SUCCESS" });
        let answer = taken(call(Language::Chinese).answer(Ok(&data)).into_response()).await;
        let expected = r#"{"code":"OK","message":"成功","request_id":"req-0001","data":{"pay_status":"PS_SUCCESS"}}"#;
        assert_eq!(answer, (200, expected.to_owned()));
        let english = taken(call(Language::English).answer(Ok(())).into_response()).await;
        assert_eq!(
            english.1,
            r#"{"code":"OK","message":"Success","request_id":"req-0001","data":null}"#
        );
    }

    #[tokio::test]
    async fn a_refusal_names_field_and_rule_and_carries_its_facts() {
        let problem = Problem::invalid("total_fee", rule::INTEGER)
            .fact("remaining", 600)
            .fact("code", "OK");
        let answer = taken(call(Language::English).refuse(problem).into_response()).await;
        let expected = concat!(
            r#"{"code":"PARAM_INVALID","message":"A parameter does not follow its rule: correct it.","field":"total_fee","#,
            r#""rule":"an unsigned integer without quotes, at most 9007199254740991","request_id":"req-0001","remaining":600}"#
        );
        assert_eq!(answer, (400, expected.to_owned()));
    }

    #[tokio::test]
    async fn what_is_our_fault_shows_nothing_but_its_id() {
        let mut problem = Problem::fault("SELECT secret FROM table")
            .at("password")
            .fact("path", "/etc");
        problem.rule = Some(rule::TEXT);
        let (status, body) = taken(call(Language::Chinese).refuse(problem).into_response()).await;
        assert_eq!(status, 500);
        let message = text::message(Code::Internal, Language::Chinese);
        assert_eq!(
            body,
            format!(r#"{{"code":"INTERNAL","message":"{message}","request_id":"req-0001"}}"#)
        );
    }

    #[tokio::test]
    async fn data_that_cannot_be_written_is_a_fault_and_not_half_an_answer() {
        let data = std::collections::BTreeMap::from([((1, 2), 3)]);
        let (status, body) = taken(call(Language::English).answer(Ok(data)).into_response()).await;
        assert_eq!(status, 500);
        assert!(body.starts_with(r#"{"code":"INTERNAL""#));
    }

    #[test]
    fn when_to_come_again_stands_in_the_header_too() {
        let problem = Problem::new(Code::RateLimited).fact("retry_after_s", 7);
        let response = call(Language::Chinese).refuse(problem).into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "7");
        assert_eq!(response.headers()[CONTENT_LANGUAGE], "zh-CN");
    }

    #[test]
    fn every_refusal_has_a_status_that_tells_not_paid_from_unknown() {
        for code in Code::ALL {
            let status = status(code.kind());
            let ours = matches!(code.kind(), Kind::Fault | Kind::Unavailable);
            assert_eq!(status.is_server_error(), ours, "{code}");
            assert_eq!(status.is_client_error(), !ours, "{code}");
        }
    }

    /// What is logged while something is answered.
    fn logged(problem: Problem) -> String {
        #[derive(Clone, Default)]
        struct Lines(Arc<Mutex<Vec<u8>>>);
        impl std::io::Write for Lines {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        // While only one subscriber is known, a call site that another thread meets first is switched off by that thread.
        let _second = tracing::Dispatch::new(tracing_subscriber::registry());
        tracing::subscriber::with_default(subscriber, || {
            let _ = call(Language::Chinese).refuse(problem).into_response();
        });
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_fault_is_logged_once_with_its_id_and_chain_of_causes_on_one_line() {
        #[derive(Debug, thiserror::Error)]
        #[error("the order was not written")]
        struct Outer(#[source] std::io::Error);
        let line = logged(Problem::fault(Outer(std::io::Error::other(
            "disk full\nERROR a line of another",
        ))));
        assert_eq!(line.lines().count(), 1, "{line}");
        for part in [
            "ERROR",
            "req-0001",
            "INTERNAL",
            r#""the order was not written: disk full\nERROR a line of another""#,
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }

    #[test]
    fn who_was_not_let_in_is_logged_and_a_refusal_of_business_is_not() {
        let line = logged(Problem::new(Code::SignInvalid));
        assert!(line.contains("INFO") && line.contains("SIGN_INVALID"), "{line}");
        assert_eq!(logged(Problem::new(Code::CodeInvalid)), "");
    }
}
