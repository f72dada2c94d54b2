//! Sending notifications: by the gateway's own schedule, until the receiver acknowledges in the gateway's own way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::fault::Effect;
use crate::frame::{Frame, Gateway};

/// How many tries are remembered for the control interface.
const REMEMBERED_MAX: usize = 2_000;

/// One try to deliver a notification.
#[derive(Debug, Clone, Serialize)]
pub struct NoticeAttempt {
    /// Who sent it.
    pub gateway: Gateway,
    /// The merchant's number that it is about.
    pub order_no: String,
    /// Where it went.
    pub url: String,
    /// When, Unix milliseconds on the gateways' clock.
    pub at_ms: i64,
    /// 1 for the first try.
    pub attempt: usize,
    /// HTTP status, 0 when there was no answer.
    pub status: u16,
    /// Whether the receiver acknowledged it as the gateway demands.
    pub acknowledged: bool,
    /// The body that was sent.
    pub body: String,
}

/// A notification to deliver.
pub(crate) struct Notice {
    /// Who sends it.
    pub gateway: Gateway,
    /// The merchant's number that it is about (faults match on it).
    pub order_no: String,
    /// Where it goes.
    pub url: String,
    /// The content type.
    pub content_type: &'static str,
    /// The body, made anew for each try: `forged` asks for one whose signature does not fit.
    pub body: Box<dyn Fn(bool) -> Vec<u8> + Send + Sync>,
    /// Whether this answer (status, body) acknowledges the notification.
    pub acknowledged: fn(u16, &[u8]) -> bool,
    /// The waits before each further try, in seconds of the gateway's documentation.
    pub schedule_s: &'static [u64],
}

/// The post office of the gateways.
pub struct Notices {
    client: reqwest::Client,
    attempts: Mutex<Vec<NoticeAttempt>>,
}

impl Notices {
    pub(crate) fn new() -> Self {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("a client without special needs can be built");
        Self {
            client,
            attempts: Mutex::default(),
        }
    }

    /// What was tried so far, oldest first.
    pub fn attempts(&self) -> Vec<NoticeAttempt> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Headers that go with a body, made anew for each try; `forged` asks for a signature that does not fit.
pub(crate) type Headers = Box<dyn Fn(&[u8], bool) -> Vec<(&'static str, String)> + Send + Sync>;

/// Sends a notification in the background, as the fault script allows.
pub(crate) fn send(frame: &Arc<Frame>, notice: Notice) {
    send_with(frame, notice, Box::new(|_, _| Vec::new()));
}

/// Sends a notification whose signature stands in its headers.
pub(crate) fn send_with(frame: &Arc<Frame>, notice: Notice, headers: Headers) {
    let frame = Arc::clone(frame);
    let effects = frame
        .faults
        .take(notice.gateway, "notify", &notice.order_no, Effect::is_about_notices);
    if effects.contains(&Effect::NoticeLost) {
        return;
    }
    tokio::spawn(async move {
        let forged = effects.contains(&Effect::NoticeForged);
        let mut copies = 1;
        for effect in &effects {
            match effect {
                Effect::NoticeLate { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
                Effect::NoticeRepeated { times } => copies += *times,
                _ => {}
            }
        }
        for _ in 0..copies {
            deliver(&frame, &notice, &headers, forged).await;
        }
    });
}

async fn deliver(frame: &Frame, notice: &Notice, headers: &Headers, forged: bool) {
    if attempt(frame, notice, headers, forged, 1).await {
        return;
    }
    for (n, wait_s) in notice.schedule_s.iter().enumerate() {
        let wait_ms = wait_s * 1_000 * u64::from(frame.settings.notice_pace_percent) / 100;
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        if attempt(frame, notice, headers, forged, n + 2).await {
            return;
        }
    }
}

async fn attempt(frame: &Frame, notice: &Notice, headers: &Headers, forged: bool, attempt: usize) -> bool {
    let body = (notice.body)(forged);
    let shown = String::from_utf8_lossy(&body).into_owned();
    let mut request = frame
        .notices
        .client
        .post(&notice.url)
        .header("content-type", notice.content_type);
    for (name, value) in headers(&body, forged) {
        request = request.header(name, value);
    }
    let sent = request.body(body).send().await;
    let (status, answer) = match sent {
        Ok(answer) => (answer.status().as_u16(), answer.bytes().await.unwrap_or_default()),
        Err(_) => (0, axum::body::Bytes::new()),
    };
    let acknowledged = status != 0 && (notice.acknowledged)(status, &answer);
    let mut attempts = frame.notices.attempts.lock().unwrap_or_else(PoisonError::into_inner);
    if attempts.len() >= REMEMBERED_MAX {
        attempts.remove(0);
    }
    attempts.push(NoticeAttempt {
        gateway: notice.gateway,
        order_no: notice.order_no.clone(),
        url: notice.url.clone(),
        at_ms: frame.clock.now_ms(),
        attempt,
        status,
        acknowledged,
        body: shown,
    });
    acknowledged
}
