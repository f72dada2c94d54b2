//! The door of the channels' notifications. Each channel speaks its own wire form here and is answered in it, to the
//! letter: what it does not understand it takes as a failure, and sends the same again for days.
//!
//! The raw bytes go to the engine as they came, because a channel's signature is over them.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use metropay_core::channel::{NoticeAnswer, RawNotice};
use metropay_core::id::{AccountId, ChannelId};
use metropay_core::notice;
use metropay_core::problem::Problem;
use metropay_web::Call;
use utoipa_axum::router::OpenApiRouter;

use crate::Doors;

/// What the paths of notifications begin with. Bodies under it may be as large as
/// [`NOTICE_BODY_MAX`](metropay_core::limit::NOTICE_BODY_MAX).
pub const PATHS: &str = "/notify/";

/// The paths of notifications; they are no part of the API and not in its description.
pub fn router() -> OpenApiRouter<Doors> {
    let taken = post(receive).fallback(async || plain(StatusCode::METHOD_NOT_ALLOWED));
    OpenApiRouter::new().route("/notify/{channel}/{account}/{token}", taken)
}

type Names = (String, String, String);

async fn receive(
    call: Call,
    State(doors): State<Doors>,
    path: Result<Path<Names>, PathRejection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(Path((channel, account, token))) = path else {
        return plain(StatusCode::NOT_FOUND);
    };
    let engine = &doors.engine;
    let raw = RawNotice {
        headers: lower_case(&headers),
        body: body.to_vec(),
        received_at: engine.clock.now(),
    };
    let answer = notice::receive(engine, &ChannelId(channel), &AccountId(account), &token, raw).await;
    match answer {
        Ok(Some(answer)) => verbatim(answer).unwrap_or_else(|problem| failed(&call, problem)),
        Ok(None) => plain(StatusCode::NOT_FOUND),
        Err(problem) => failed(&call, problem),
    }
}

/// The headers as channels' signatures name them. Names come in lower case from the wire library.
fn lower_case(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect()
}

/// The channel's own form of an answer.
fn verbatim(answer: NoticeAnswer) -> Result<Response, Problem> {
    let status = StatusCode::from_u16(answer.status).map_err(Problem::fault)?;
    let kind = HeaderValue::from_static(answer.content_type);
    Ok((status, [(CONTENT_TYPE, kind)], answer.body).into_response())
}

/// Our failure: logged like every other, answered so that every channel comes again.
fn failed(call: &Call, problem: Problem) -> Response {
    plain(call.refuse(problem).into_response().status())
}

fn plain(status: StatusCode) -> Response {
    let text = status.canonical_reason().unwrap_or_default();
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_in_lower_case_with_every_value() {
        let mut headers = HeaderMap::new();
        headers.append("Wechatpay-Serial", HeaderValue::from_static("A"));
        headers.append("Wechatpay-Serial", HeaderValue::from_static("B"));
        headers.append("X-Text", HeaderValue::from_bytes("中".as_bytes()).unwrap());
        let mut taken = lower_case(&headers);
        taken.sort();
        let expected = [("wechatpay-serial", "A"), ("wechatpay-serial", "B"), ("x-text", "中")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(taken, expected);
    }

    #[test]
    fn an_answer_that_is_none_is_a_fault_and_not_a_panic() {
        let answer = |status| NoticeAnswer {
            status,
            content_type: "text/xml",
            body: "<xml/>".to_owned(),
        };
        assert_eq!(verbatim(answer(200)).unwrap().status(), StatusCode::OK);
        assert!(verbatim(answer(99)).is_err());
    }
}
