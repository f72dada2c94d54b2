//! The control interface of the simulators.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::http;

/// The control interface.
#[derive(Clone)]
pub struct Control {
    http: reqwest::Client,
    url: String,
}

impl Control {
    /// The control interface of the simulators at this address.
    pub fn new(simulator_url: &str) -> Self {
        Self {
            http: http(),
            url: simulator_url.to_owned(),
        }
    }

    /// Adds a line to the fault script.
    ///
    /// # Errors
    /// When the line is refused.
    pub async fn fault(&self, line: &Value) -> Result<()> {
        let request = self.http.post(format!("{}/control/faults", self.url));
        let answer = request
            .header("content-type", "application/json")
            .body(line.to_string())
            .send()
            .await?;
        ensure!(
            answer.status().is_success(),
            "the fault line was refused: {}",
            answer.text().await?
        );
        Ok(())
    }

    /// Removes all lines of the fault script.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn clear_faults(&self) -> Result<()> {
        self.http.delete(format!("{}/control/faults", self.url)).send().await?;
        Ok(())
    }

    /// All movements of money, oldest first.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn books(&self) -> Result<Vec<Value>> {
        let answer = self.http.get(format!("{}/control/books", self.url)).send().await?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    /// The movements of one payment, by our number of it.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn movements(&self, payment_no: &str) -> Result<Vec<Value>> {
        let books = self.books().await?;
        Ok(books
            .into_iter()
            .filter(|movement| movement["payment_no"] == payment_no)
            .collect())
    }

    /// The books of the merchant's membership system.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn club(&self) -> Result<Value> {
        let answer = self.http.get(format!("{}/control/club", self.url)).send().await?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    /// What the merchant's membership system does with questions from now on.
    ///
    /// # Errors
    /// When the mood is not known.
    pub async fn club_mood(&self, mood: &str) -> Result<()> {
        let request = self.http.post(format!("{}/control/club", self.url));
        let body = serde_json::json!({ "mood": mood }).to_string();
        let answer = request
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await?;
        ensure!(answer.status().is_success(), "the mood is not known");
        Ok(())
    }

    /// What a merchant's server of this name was told.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn heard(&self, sink: &str) -> Result<Vec<Value>> {
        let url = format!("{}/control/sinks/{sink}", self.url);
        Ok(serde_json::from_slice(
            &self.http.get(url).send().await?.bytes().await?,
        )?)
    }

    /// What a merchant's server of this name does from now on when it is told something.
    ///
    /// # Errors
    /// When the mood is not known.
    pub async fn sink_mood(&self, sink: &str, mood: &str) -> Result<()> {
        let request = self.http.post(format!("{}/control/sinks/{sink}", self.url));
        let body = serde_json::json!({ "mood": mood }).to_string();
        let answer = request
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await?;
        ensure!(answer.status().is_success(), "the mood is not known");
        Ok(())
    }

    /// Moves the gateways' clock against the machine's.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn set_clock(&self, offset_ms: i64) -> Result<()> {
        let body = format!(r#"{{"offset_ms":{offset_ms}}}"#);
        let request = self.http.post(format!("{}/control/clock", self.url));
        let answer = request
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await?;
        ensure!(answer.status().is_success(), "the clock was not moved");
        Ok(())
    }
}
