//! A merchant's server that takes notifications.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::OriginalUri;
use axum::{Router, routing::post};

use crate::shop;

/// The form's pairs of one notification, and the path it came to.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) pairs: BTreeMap<String, String>,
}

impl Received {
    /// A value, empty when it is missing.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.pairs.get(name).map_or("", String::as_str)
    }

    /// Whether all these `name=value` hold.
    pub(crate) fn says(&self, words: &str) -> bool {
        words.split(' ').all(|word| {
            word.split_once('=')
                .is_some_and(|(name, value)| self.text(name) == value)
        })
    }

    /// Whether the gateway's signature fits.
    pub(crate) fn is_signed(&self) -> bool {
        let covered = self
            .pairs
            .iter()
            .filter(|(name, _)| !["sign", "sign_type"].contains(&name.as_str()));
        let text: Vec<String> = covered.map(|(name, value)| format!("{name}={value}")).collect();
        shop::fits(&text.join("&"), self.text("sign"))
    }
}

/// The server. It answers with the bodies it was given, then with `success`.
pub(crate) struct Merchant {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Merchant {
    pub(crate) async fn start(first_answers: &[&'static str]) -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(first_answers.to_vec()));
        let taken = Arc::clone(&received);
        let take = move |OriginalUri(uri): OriginalUri, body: String| async move {
            let pairs = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            let path = uri.path().to_owned();
            taken.lock().unwrap().push(Received { path, pairs });
            let mut answers = answers.lock().unwrap();
            if answers.is_empty() {
                "success"
            } else {
                answers.remove(0)
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app: Router = Router::new().route("/{*path}", post(take));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, received }
    }

    /// The address of this path.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    /// What came so far and says this.
    pub(crate) fn received(&self, words: &str) -> Vec<Received> {
        self.received
            .lock()
            .unwrap()
            .iter()
            .filter(|notice| notice.says(words))
            .cloned()
            .collect()
    }

    /// Waits for the first notification that says this.
    pub(crate) async fn wait(&self, words: &str) -> Received {
        self.wait_for(words, 1).await.remove(0)
    }

    /// Waits until so many notifications say this.
    pub(crate) async fn wait_for(&self, words: &str, count: usize) -> Vec<Received> {
        for _ in 0..400 {
            let found = self.received(words);
            if found.len() >= count {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "not {count} notifications that say {words}; received: {:?}",
            self.received.lock().unwrap()
        );
    }
}
