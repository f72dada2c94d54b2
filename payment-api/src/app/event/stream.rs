//! `GET /app/v1/events`: what happens, as it happens, by Server-Sent Events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use futures::stream::unfold;
use http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use http::{HeaderMap, Uri};
use metropay_core::event::Event;
use metropay_core::limit;
use metropay_core::problem::{Code, Kind, Problem};
use metropay_web::Call;
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::read_query;
use serde::Deserialize;
use utoipa::IntoParams;

use super::EventTold;
use super::feed::Feed;
use crate::Doors;
use crate::app::refusal::RIDER;
use crate::app::rider::Rider;

/// When an App comes back at the earliest after its stream broke off; at the latest after twice that.
const RETRY: Duration = Duration::from_secs(1);
/// How long a stream rests when there is nothing to tell; the feed knows better.
const REST: Duration = Duration::from_secs(60);
/// The rule of a position.
const POSITION: &str = "非负整数，取自事件的 id";
/// Proxies that collect answers before they pass them on must not do so here.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What is asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::app) struct StreamAsk {
    /// 续传位置：最后收到的事件 id；也可放在 Last-Event-ID 头中，以头为准 (the last event that came; the header counts first).
    last_event_id: Option<u64>,
}

pub(in crate::app) struct EventStream;

impl Refuses for EventStream {
    const CODES: &'static [&'static [Code]] = &[RIDER, &[Code::ParamInvalid]];
}

/// 事件流（SSE）：下单、支付结果、需签约、授权变化即时推送。
///
/// Server-Sent Events. 首个事件 `ready` 带有当前位置；之后每个事件的 `event` 为类型，`id` 为位置，`data` 为 EventTold。断线后以
/// `Last-Event-ID` 续传，不丢不重。每 15 秒一次心跳注释；令牌到期或注销时、服务节点停机时结束，
/// 按 `retry` 的时间重连即可。每个用户至多 5 条流。
#[utoipa::path(
    get, path = "/app/v1/events", tag = "App 事件", security(("app_token" = [])),
    params(StreamAsk, ("Last-Event-ID" = Option<u64>, Header, description = "续传位置")),
    responses((status = 200, body = EventTold, content_type = "text/event-stream"), Refused::<EventStream>)
)]
pub(in crate::app) async fn stream(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match opened(&doors, rider, &uri, &headers).await {
        Ok(feed) => answer(call, feed),
        Err(problem) => call.refuse(problem).into_response(),
    }
}

async fn opened(doors: &Doors, rider: Rider, uri: &Uri, headers: &HeaderMap) -> Result<Feed, Problem> {
    let ask: StreamAsk = read_query(uri)?;
    let after = match headers.get("last-event-id") {
        Some(given) => Some(position(given)?),
        None => ask.last_event_id.map(|seq| i64::try_from(seq).unwrap_or(i64::MAX)),
    };
    Feed::open(doors, rider, after, "stream").await
}

fn position(given: &HeaderValue) -> Result<i64, Problem> {
    let digits = given
        .to_str()
        .ok()
        .filter(|text| (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()));
    let read = digits.and_then(|text| text.parse().ok());
    read.ok_or_else(|| Problem::invalid("Last-Event-ID", POSITION))
}

fn answer(call: Call, feed: Feed) -> Response {
    let mut response = Sse::new(frames(call, feed))
        .keep_alive(KeepAlive::new().interval(limit::EVENT_KEEP_ALIVE))
        .into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    response
}

/// A stream holds one page of events at most, and reads the next when the App has taken that.
struct Stage {
    call: Call,
    feed: Feed,
    page: VecDeque<Event>,
    told_ready: bool,
}

fn frames(call: Call, feed: Feed) -> impl Stream<Item = Result<Frame, Infallible>> {
    let stage = Stage {
        call,
        feed,
        page: VecDeque::new(),
        told_ready: false,
    };
    unfold(stage, |mut stage| async move {
        let frame = stage.next().await?;
        Some((Ok(frame), stage))
    })
}

impl Stage {
    /// The next frame; nothing when the stream is over.
    async fn next(&mut self) -> Option<Frame> {
        if !self.told_ready {
            self.told_ready = true;
            return Some(ready(&self.feed));
        }
        loop {
            if let Some(event) = self.page.pop_front() {
                return self.told(frame(event));
            }
            let page = self.feed.take().await;
            self.page = self.told(page)?.into();
            if self.page.is_empty() {
                if self.feed.is_leaving() {
                    return None;
                }
                self.feed.wait(REST).await;
            }
        }
    }

    /// A problem ends the stream: the App comes back from where it stands, and is told what is wrong. Faults are logged.
    fn told<T>(&self, result: Result<T, Problem>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problem) => {
                if matches!(problem.code.kind(), Kind::Fault | Kind::Unavailable) {
                    let request_id = &*self.call.request_id;
                    tracing::error!(request_id, error = %problem, "an event stream broke off: {problem}");
                }
                None
            }
        }
    }
}

/// The first frame: with it an App that breaks off before anything happened knows where to go on.
fn ready(feed: &Feed) -> Frame {
    let position = feed.position();
    Frame::default()
        .event("ready")
        .id(position.to_string())
        .retry(feed.come_back(RETRY))
        .data(format!(r#"{{"seq":{position}}}"#))
}

fn frame(event: Event) -> Result<Frame, Problem> {
    let told = EventTold::of(event)?;
    let frame = Frame::default().event(&told.kind).id(told.seq.to_string());
    frame.json_data(&told).map_err(Problem::fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_plain_digits() {
        for (text, expected) in [("0", 0), ("42", 42), ("999999999999999999", 999_999_999_999_999_999)] {
            assert_eq!(position(&HeaderValue::from_static(text)).unwrap(), expected);
        }
        for bad in ["", "-1", "+1", "1.0", "1e3", "abc", "1 ", "9999999999999999999"] {
            assert_eq!(
                position(&HeaderValue::from_static(bad)).unwrap_err().code,
                Code::ParamInvalid,
                "{bad}"
            );
        }
    }
}
