//! `GET /app/v1/events/poll`: the same events by long-poll, where streams do not get through.

use std::time::Duration;

use axum::extract::State;
use http::Uri;
use metropay_core::limit;
use metropay_core::problem::{Code, Problem};
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope, read_query};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use super::EventTold;
use super::feed::Feed;
use crate::Doors;
use crate::app::refusal::RIDER;
use crate::app::rider::Rider;

/// Where the long-poll is found.
pub(in crate::app) const PATH: &str = "/app/v1/events/poll";
/// The rule of the wait.
const WAIT: &str = "等待秒数，0–25";

/// What is asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::app) struct PollAsk {
    /// 上次返回的 next；不传则从现在开始 (where the last answer ended; from now on without).
    after: Option<u64>,
    /// 没有事件时至多等待的秒数，0–25，默认 25 (how long to wait for the first).
    #[param(minimum = 0, maximum = 25)]
    wait_s: Option<u64>,
}

/// 事件与下次的位置 (events, and where to go on).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::app) struct EventPage {
    /// 事件，旧的在前，至多 100 个 (the oldest first, at most 100).
    events: Vec<EventTold>,
    /// 下次请求的 after (to ask with next).
    #[schema(example = 42)]
    next: i64,
}

pub(in crate::app) struct EventPoll;

impl Refuses for EventPoll {
    const CODES: &'static [&'static [Code]] = &[RIDER, &[Code::ParamInvalid]];
}

/// 长轮询事件：有事件立即返回，否则至多等待 wait_s 秒。不丢不重。
///
/// The events after a position; waits for the first. Lossless with the `next` of the answer before.
#[utoipa::path(
    get, path = PATH, tag = "App 事件", security(("app_token" = [])), params(PollAsk),
    responses((status = 200, body = Envelope<EventPage>), Refused::<EventPoll>)
)]
pub(in crate::app) async fn poll(call: Call, State(doors): State<Doors>, rider: Rider, uri: Uri) -> Answer<EventPage> {
    call.answer(polled(&doors, rider, &uri).await)
}

async fn polled(doors: &Doors, rider: Rider, uri: &Uri) -> Result<EventPage, Problem> {
    let ask: PollAsk = read_query(uri)?;
    let wait = ask.wait_s.map_or(limit::LONG_POLL_MAX, Duration::from_secs);
    if wait > limit::LONG_POLL_MAX {
        return Err(Problem::invalid("wait_s", WAIT));
    }
    let after = ask.after.map(|seq| i64::try_from(seq).unwrap_or(i64::MAX));
    let mut feed = Feed::open(doors, rider, after, "poll").await?;
    let end = Instant::now() + wait;
    loop {
        let events = feed.take().await?;
        let left = end.saturating_duration_since(Instant::now());
        if !events.is_empty() || left.is_zero() || feed.is_leaving() {
            let events = events.into_iter().map(EventTold::of).collect::<Result<_, _>>()?;
            return Ok(EventPage {
                events,
                next: feed.position(),
            });
        }
        feed.wait(left).await;
    }
}
