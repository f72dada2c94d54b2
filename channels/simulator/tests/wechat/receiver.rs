//! Where notifications arrive.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use tokio::net::TcpListener;

use super::wire::{Message, from_xml};

const OK: &str = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>";

/// A notification as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Raw {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
struct Inbox {
    arrived: Vec<(String, Raw)>,
    refusals_left: usize,
}

/// A server that keeps every notification.
#[derive(Clone)]
pub(crate) struct Receiver {
    url: String,
    inbox: Arc<Mutex<Inbox>>,
}

impl Receiver {
    /// Acknowledges everything.
    pub(crate) async fn start() -> Self {
        Self::refusing(0).await
    }

    /// Refuses the first notifications that come.
    pub(crate) async fn refusing(refusals_left: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inbox = Arc::new(Mutex::new(Inbox {
            arrived: Vec::new(),
            refusals_left,
        }));
        let app = Router::new().fallback(take).with_state(Arc::clone(&inbox));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, inbox }
    }

    /// An address under which notifications arrive.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// What arrived at this path so far.
    pub(crate) fn arrived(&self, path: &str) -> Vec<Message> {
        let inbox = self.inbox.lock().unwrap();
        inbox
            .arrived
            .iter()
            .filter(|(at, _)| at == path)
            .map(|(_, raw)| from_xml(std::str::from_utf8(&raw.body).unwrap(), "xml"))
            .collect()
    }

    /// Waits until so many arrived at this path, and returns the last of them as it came.
    pub(crate) async fn wait_raw(&self, path: &str, count: usize) -> Raw {
        until(&format!("{count} notifications at {path}"), async || {
            let inbox = self.inbox.lock().unwrap();
            let mut here = inbox.arrived.iter().filter(|(at, _)| at == path);
            here.nth(count - 1).map(|(_, raw)| raw.clone())
        })
        .await
    }

    /// Waits until so many arrived at this path, and returns the last of them.
    pub(crate) async fn wait(&self, path: &str, count: usize) -> Message {
        until(&format!("{count} notifications at {path}"), async || {
            self.arrived(path).get(count - 1).cloned()
        })
        .await
    }
}

async fn take(
    State(inbox): State<Arc<Mutex<Inbox>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let mut inbox = inbox.lock().unwrap();
    let raw = Raw {
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: body.to_vec(),
    };
    inbox.arrived.push((uri.path().to_owned(), raw));
    if inbox.refusals_left > 0 {
        inbox.refusals_left -= 1;
        return (StatusCode::INTERNAL_SERVER_ERROR, "no");
    }
    (StatusCode::OK, OK)
}

/// Asks again and again until there is an answer, for five seconds at most.
pub(crate) async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    for _ in 0..1_000 {
        if let Some(found) = ask().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("waited in vain for {what}");
}
