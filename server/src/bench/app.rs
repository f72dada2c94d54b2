//! The App in a user's hand: fetches codes, and holds a stream of events open.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;

use super::wire::Wire;

/// The App of one user.
pub(super) struct App {
    wire: Arc<Wire>,
    pub(super) token: String,
}

impl App {
    /// The App with this token.
    pub(super) fn new(wire: &Arc<Wire>, token: &str) -> Self {
        Self {
            wire: Arc::clone(wire),
            token: token.to_owned(),
        }
    }

    /// A fresh code: its digits.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal; the text has its code.
    pub(super) async fn code(&self) -> Result<String> {
        let request = Request::post("/app/v1/codes")
            .header("host", self.wire.authority())
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::new(Bytes::new()))?;
        let reply = self.wire.ask(request).await?;
        let body: Value = serde_json::from_slice(&reply.body)?;
        ensure!(reply.status == 200, "{}", body["code"].as_str().unwrap_or("unreadable"));
        let digits = body["data"]["digits"].as_str();
        Ok(digits.context("a code without digits")?.to_owned())
    }
}
