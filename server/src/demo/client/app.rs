//! The metro App in a user's hand.

use anyhow::{Context, Result};
use serde_json::Value;

use super::patience::asked;
use super::{Reply, STREAM, http};
use crate::demo::{Credentials, DemoUser};

/// The App, signed in as a user.
#[derive(Clone)]
pub struct App {
    http: reqwest::Client,
    base_url: String,
    /// The user.
    pub uid: String,
    token: String,
    /// Whether it asks again where it gets no answer.
    pub(super) is_patient: bool,
}

impl App {
    /// The App of a user of the demo.
    pub fn new(credentials: &Credentials, user: &DemoUser) -> Self {
        Self {
            http: http(),
            base_url: credentials.base_url.clone(),
            uid: user.uid.clone(),
            token: user.app_token.clone(),
            is_patient: false,
        }
    }

    /// The same, that asks again where it gets no answer.
    #[must_use]
    pub fn patient(self) -> Self {
        Self {
            is_patient: true,
            ..self
        }
    }

    /// The same at another address.
    #[must_use]
    pub fn at(&self, base_url: &str) -> Self {
        Self {
            base_url: base_url.to_owned(),
            ..self.clone()
        }
    }

    /// GET under `/app/v1/`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<Reply> {
        self.send(self.request(reqwest::Method::GET, path)).await
    }

    /// POST under `/app/v1/`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Reply> {
        self.send(with_json(self.request(reqwest::Method::POST, path), body))
            .await
    }

    /// PUT under `/app/v1/`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Reply> {
        self.send(with_json(self.request(reqwest::Method::PUT, path), body))
            .await
    }

    /// DELETE under `/app/v1/`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn delete(&self, path: &str) -> Result<Reply> {
        self.send(self.request(reqwest::Method::DELETE, path)).await
    }

    /// Opens the stream of live events from a position on; the answer's body is read as it comes.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn events(&self, after: Option<i64>) -> Result<reqwest::Response> {
        let mut request = self
            .request(reqwest::Method::GET, "events")
            .timeout(STREAM)
            .header("accept", "text/event-stream");
        if let Some(after) = after {
            request = request.header("last-event-id", after.to_string());
        }
        Ok(request.send().await?)
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}/app/v1/{path}", self.base_url))
            .bearer_auth(&self.token)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply> {
        let ask = async || {
            // None of these streams its body, so each can be sent again.
            let again = request.try_clone().context("a request that can be repeated")?;
            self.send_once(again).await
        };
        asked(self.is_patient, ask).await
    }

    async fn send_once(&self, request: reqwest::RequestBuilder) -> Result<Reply> {
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await?;
        Ok(Reply {
            status,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        })
    }
}

fn with_json(request: reqwest::RequestBuilder, body: &Value) -> reqwest::RequestBuilder {
    request
        .header("content-type", "application/json")
        .body(body.to_string())
}
