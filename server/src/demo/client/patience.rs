//! Patience: whoever gets no answer asks the same again, as the guide for callers says.

use std::future::Future;
use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};

use super::Reply;

/// Between two askings.
const PAUSE: Duration = Duration::from_millis(200);
/// How long one goes on asking.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks, and where one is patient asks again until there is an answer: one that is not "not now" and comes from the platform.
pub(super) async fn asked<F: Future<Output = Result<Reply>>>(is_patient: bool, ask: impl Fn() -> F) -> Result<Reply> {
    let began = Instant::now();
    loop {
        let told = ask().await;
        let is_answer = told.as_ref().is_ok_and(|told| ![502, 503, 504].contains(&told.status));
        if is_answer || !is_patient || began.elapsed() > PATIENCE {
            return told;
        }
        sleep(PAUSE).await;
    }
}
