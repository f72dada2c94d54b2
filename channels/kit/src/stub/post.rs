//! Sending a notification until it is acknowledged.

use std::time::Duration;

/// A notification, as it goes out at one try.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Where to.
    pub url: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

/// How long the waits before each further try are.
const WAITS: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
];

/// Sends a letter, and again until the receiver acknowledges it; `write` makes it anew for each try.
pub async fn deliver(write: impl Fn() -> Letter, acknowledged: fn(u16, &str) -> bool) {
    let Ok(client) = reqwest::Client::builder().no_proxy().build() else {
        return;
    };
    for wait in [&[Duration::ZERO][..], &WAITS[..]].concat() {
        tokio::time::sleep(wait).await;
        let letter = write();
        let mut request = client.post(&letter.url).body(letter.body);
        for (name, value) in &letter.headers {
            request = request.header(name, value);
        }
        if let Ok(answer) = request.timeout(Duration::from_secs(5)).send().await {
            let status = answer.status().as_u16();
            if acknowledged(status, &answer.text().await.unwrap_or_default()) {
                return;
            }
        }
    }
}
