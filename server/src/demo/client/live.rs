//! The App's live events (Server-Sent Events), read in the background as they come.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::App;

/// How long a stream may take to say that it is ready.
const READY_MAX: Duration = Duration::from_secs(5);

/// An event as it came.
#[derive(Debug, Clone)]
pub struct LiveEvent {
    /// Its position, from which a stream goes on.
    pub id: i64,
    /// What happened: `payment.succeeded`, …
    pub kind: String,
    /// The event as the App reads it: `seq`, `kind`, `code_id`, `at`, `data`.
    pub body: Value,
    /// When it arrived here.
    pub arrived: Instant,
}

impl LiveEvent {
    /// A text field of what the event tells.
    pub fn text(&self, field: &str) -> &str {
        self.body["data"][field].as_str().unwrap_or_default()
    }

    /// An amount in fen of what the event tells.
    pub fn amount(&self, field: &str) -> u64 {
        self.body["data"][field].as_u64().unwrap_or_default()
    }
}

/// How soon a patient one comes back when its stream has ended.
const COME_BACK: Duration = Duration::from_millis(100);

/// A stream of live events; that of a patient App comes back when it ends. Dropping it closes the stream.
pub struct LiveEvents {
    incoming: mpsc::UnboundedReceiver<LiveEvent>,
    /// What has come and nobody asked for yet.
    waiting: Vec<LiveEvent>,
    reading: JoinHandle<()>,
}

impl LiveEvents {
    /// Opens the stream of an App, from now on or after a position, and waits until it is ready.
    ///
    /// # Errors
    /// When it is refused, is no event stream, or does not become ready.
    pub async fn open(app: &App, after: Option<i64>) -> Result<Self> {
        let mut answer = stream(app, after).await?;
        let (sender, incoming) = mpsc::unbounded_channel();
        let app = app.clone();
        let reading = tokio::spawn(async move {
            let mut last = after;
            loop {
                let mut frames = Frames::default();
                while let Ok(Some(bytes)) = answer.chunk().await {
                    for event in frames.read(&bytes) {
                        last = Some(event.id);
                        // Nobody waits any more.
                        if sender.send(event).is_err() {
                            return;
                        }
                    }
                }
                if !app.is_patient {
                    return;
                }
                // Its node has gone: another goes on from the last event that was heard.
                answer = loop {
                    tokio::time::sleep(COME_BACK).await;
                    match stream(&app, last).await {
                        Ok(answer) => break answer,
                        Err(_) if !sender.is_closed() => {}
                        Err(_) => return,
                    }
                };
            }
        });
        let mut events = Self {
            incoming,
            waiting: Vec::new(),
            reading,
        };
        events.next("ready", READY_MAX, |_| true).await?;
        Ok(events)
    }

    /// The oldest event of this kind that fits and was not asked for before. Others stay for later questions.
    ///
    /// # Errors
    /// When none comes in time, or the stream ends.
    pub async fn next(&mut self, kind: &str, within: Duration, fits: impl Fn(&LiveEvent) -> bool) -> Result<LiveEvent> {
        let wanted = |event: &LiveEvent| event.kind == kind && fits(event);
        if let Some(place) = self.waiting.iter().position(wanted) {
            return Ok(self.waiting.remove(place));
        }
        let deadline = Instant::now() + within;
        loop {
            let Ok(event) = timeout_at(deadline, self.incoming.recv()).await else {
                bail!("no {kind} within {:.1} s", within.as_secs_f32());
            };
            let event = event.context("the stream of events has ended")?;
            if wanted(&event) {
                return Ok(event);
            }
            self.waiting.push(event);
        }
    }
}

/// A stream of events that has begun.
async fn stream(app: &App, after: Option<i64>) -> Result<reqwest::Response> {
    let answer = app.events(after).await?;
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
    ensure!(
        answer.status() == 200 && kind.is_some_and(|kind| kind.starts_with("text/event-stream")),
        "no stream of events: {}",
        answer.status()
    );
    Ok(answer)
}

impl Drop for LiveEvents {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Puts lines and frames together from pieces that may end anywhere.
#[derive(Default)]
struct Frames {
    line: Vec<u8>,
    id: i64,
    kind: String,
    data: String,
}

impl Frames {
    fn read(&mut self, bytes: &[u8]) -> Vec<LiveEvent> {
        let mut events = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            events.extend(self.take(line.trim_end_matches('\r')));
        }
        events
    }

    /// One line; an empty one ends a frame. Lines that begin with a colon are heartbeats.
    fn take(&mut self, line: &str) -> Option<LiveEvent> {
        if line.is_empty() {
            let (kind, data) = (std::mem::take(&mut self.kind), std::mem::take(&mut self.data));
            return (!data.is_empty()).then(|| LiveEvent {
                id: self.id,
                kind,
                body: serde_json::from_str(&data).unwrap_or(Value::Null),
                arrived: Instant::now(),
            });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.id = value.parse().unwrap_or(self.id),
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "event: ready\nid: 7\nretry: 2000\ndata: {\"seq\":7}\n\n:\n\n\
        event: payment.placed\r\nid: 8\r\ndata: {\"data\":{\"body\":\"水\"},\ndata: \"seq\":8}\r\n\r\nevent: half\ndata: {";

    fn told(events: &[LiveEvent]) -> Vec<(i64, &str, &str)> {
        events
            .iter()
            .map(|event| (event.id, event.kind.as_str(), event.text("body")))
            .collect()
    }

    #[test]
    fn frames_are_put_together_wherever_the_pieces_end() {
        let whole = Frames::default().read(STREAM.as_bytes());
        assert_eq!(told(&whole), [(7, "ready", ""), (8, "payment.placed", "水")]);
        for size in 1..20 {
            let mut frames = Frames::default();
            let pieces = STREAM.as_bytes().chunks(size);
            let events: Vec<LiveEvent> = pieces.flat_map(|piece| frames.read(piece)).collect();
            assert_eq!(told(&events), told(&whole), "pieces of {size} bytes");
        }
    }

    #[test]
    fn a_heartbeat_is_no_event() {
        assert!(Frames::default().read(b":\n\n: still here\n\n").is_empty());
    }
}
