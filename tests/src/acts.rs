//! What people do in a story: riders sign and show codes, tills scan, ask, refund and reverse.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use metropay_core::signing::Algorithm;
use metropay_server::demo::client::{App, Phone, Reply, Till};
use metropay_server::demo::{DemoMerchant, seed};
use metropay_simulator::MovementKind;
use serde_json::{Value, json};

use crate::World;
use crate::channel::Words;

impl World {
    /// A till of this merchant, with its HMAC key.
    ///
    /// # Panics
    /// When it has none.
    pub fn till_of(&self, merchant: &DemoMerchant) -> Till {
        Till::new(&self.credentials, merchant, Algorithm::HmacSha256, self.clock.clone()).expect("it has an HMAC key")
    }

    /// A till of the demo's merchant.
    ///
    /// # Panics
    /// Never: the demo's merchant has a key of each algorithm.
    pub fn till(&self) -> Till {
        self.till_with(Algorithm::HmacSha256)
    }

    /// A till with a key of this algorithm.
    ///
    /// # Panics
    /// Never: the demo's merchant has a key of each algorithm.
    pub fn till_with(&self, algorithm: Algorithm) -> Till {
        let merchant = self.credentials.merchants.first().expect("the demo has a merchant");
        Till::new(&self.credentials, merchant, algorithm, self.clock.clone()).expect("the demo's keys can be read")
    }

    /// The App of the demo's first or second user, signed in now.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn app(&self, user: usize) -> App {
        let users = ["U10001", "U10002"];
        self.app_of(users.get(user).expect("the demo has two users"))
    }

    /// The App of any user, signed in now, for a day.
    ///
    /// # Panics
    /// When the App's key does not sign.
    pub fn app_of(&self, uid: &str) -> App {
        let phone = format!(
            "13{:09}",
            uid.bytes()
                .fold(7_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 1_000_000_000)
        );
        let user = seed::token(&self.config, self.server.engine(), &self.app_key, uid, &phone);
        App::new(&self.credentials, &user.expect("the App's key signs"))
    }

    /// The first user's App with an open code account and a mandate with this channel.
    ///
    /// # Errors
    /// When something on the way refuses.
    pub async fn rider(&self, channel: &str) -> Result<App> {
        self.rider_of("U10001", channel).await
    }

    /// The same of any user.
    ///
    /// # Errors
    /// When something on the way refuses.
    pub async fn rider_of(&self, uid: &str, channel: &str) -> Result<App> {
        let app = self.app_of(uid);
        ensure!(
            app.post("code-account", &json!({})).await?.status == 200,
            "the code account does not open"
        );
        self.sign(&app, channel).await?;
        Ok(app)
    }

    /// Signs a mandate with the demo's merchant through a channel, and waits until it is usable.
    ///
    /// # Errors
    /// When a page or the channel refuses, or it does not become usable.
    pub async fn sign(&self, app: &App, channel: &str) -> Result<String> {
        self.sign_with(app, &self.credentials.merchants[0].mch_id, channel)
            .await
    }

    /// The same with any merchant.
    ///
    /// # Errors
    /// When a page or the channel refuses, or it does not become usable.
    pub async fn sign_with(&self, app: &App, mch_id: &str, channel: &str) -> Result<String> {
        let wish = json!({ "mch_id": mch_id, "channel": channel });
        let begun = app.post("mandates", &wish).await?;
        ensure!(begun.status == 200, "signing does not begin: {}", begun.body);
        let mandate = begun.text("mandate_id");
        if let Some(url) = begun.body["data"]["page"]["url"].as_str() {
            Phone::new(&app.uid).agree(url).await?;
        }
        self.mandate_becomes(app, &mandate, "ACTIVE").await?;
        Ok(mandate)
    }

    /// Waits until a mandate stands so.
    ///
    /// # Errors
    /// When it does not within some seconds.
    pub async fn mandate_becomes(&self, app: &App, mandate: &str, state: &str) -> Result<Reply> {
        let mut seen = String::new();
        for _ in 0..200 {
            let now = app.get(&format!("mandates/{mandate}")).await?;
            if now.text("state") == state {
                return Ok(now);
            }
            seen = now.body.to_string();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the mandate does not become {state}: {seen}")
    }

    /// A fresh code's digits and id. Who has had too many is let wait a minute.
    ///
    /// # Errors
    /// When none is issued.
    pub async fn code(&self, app: &App) -> Result<(String, String)> {
        let mut issued = app.post("codes", &json!({})).await?;
        if issued.code() == "RATE_LIMITED" {
            self.advance(Duration::from_secs(61));
            issued = app.post("codes", &json!({})).await?;
        }
        ensure!(issued.status == 200, "no code: {}", issued.body);
        Ok((issued.text("digits"), issued.text("code_id")))
    }

    /// The body of an `applypay` at the first store.
    pub fn order(no: &str, digits: &str, fen: u64) -> Value {
        json!({ "out_request_no": no, "qrcode": digits, "body": "矿泉水 2 瓶", "total_fee": fen, "store_id": "SZTX001" })
    }

    /// Scans a fresh code of this App and pays.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn pay(&self, app: &App, no: &str, fen: u64) -> Result<Reply> {
        let (digits, _) = self.code(app).await?;
        self.till().call("applypay", &Self::order(no, &digits, fen)).await
    }

    /// The payment code in a shopper's App of this channel; he may have to type his password for it.
    ///
    /// # Errors
    /// When the gateway shows none.
    pub async fn shown_by(&self, shopper: &str, channel: &Words, needs_password: bool) -> Result<String> {
        let url = self.frame().public_url.clone();
        Phone::new(shopper).show_code(&url, channel.id, needs_password).await
    }

    /// The shopper types his password for what a till wants with this code.
    ///
    /// # Errors
    /// When nothing waits for it.
    pub async fn typed(&self, channel: &Words, code: &str) -> Result<()> {
        let url = self.frame().public_url.clone();
        Phone::new("shopper").type_password(&url, channel.id, code).await
    }

    /// Asks how an order stands.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn query(&self, no: &str) -> Result<Reply> {
        self.till().call("orderquery", &json!({ "out_request_no": no })).await
    }

    /// Asks for a refund.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn refund(&self, no: &str, refund_no: &str, fen: u64) -> Result<Reply> {
        let ask = json!({ "out_request_no": no, "out_refund_no": refund_no, "refund_fee": fen });
        self.till().call("refund", &ask).await
    }

    /// Asks for a reversal.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn reverse(&self, no: &str) -> Result<Reply> {
        self.till().call("reverse", &json!({ "out_request_no": no })).await
    }

    /// Asks for a reversal again and again, as a till does, while time passes, until it is certain or refused.
    ///
    /// # Errors
    /// When it does not become so within twenty minutes.
    pub async fn reversed_in_time(&self, no: &str) -> Result<Reply> {
        for _ in 0..20 {
            let told = self.reverse(no).await?;
            if told.text("recall") != "Y" {
                return Ok(told);
            }
            self.advance(Duration::from_secs(60));
        }
        bail!("the reversal of {no} does not end")
    }

    /// Asks for a refund again and again, while time passes, until it has ended.
    ///
    /// # Errors
    /// When it does not within some hours.
    pub async fn refunded_in_time(&self, no: &str, refund_no: &str, fen: u64) -> Result<Reply> {
        for _ in 0..60 {
            let told = self.refund(no, refund_no, fen).await?;
            if told.text("pay_refund_status") != "RS_PROCESSING" {
                return Ok(told);
            }
            self.advance(Duration::from_secs(60));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the refund {refund_no} does not end")
    }

    /// What moved at the gateways for an order, oldest first: the kind and the amount in fen.
    ///
    /// # Errors
    /// When there is no such order.
    pub async fn moved(&self, no: &str) -> Result<Vec<(MovementKind, u64)>> {
        let pay_no = self.query(no).await?.text("pay_out_trade_no");
        ensure!(!pay_no.is_empty(), "there is no order {no}");
        Ok(self.moved_for(&pay_no))
    }

    /// The same by our number.
    pub fn moved_for(&self, pay_no: &str) -> Vec<(MovementKind, u64)> {
        let books = self.frame().books().into_iter();
        books
            .filter(|movement| movement.payment_no == pay_no)
            .map(|movement| (movement.kind, movement.amount_fen))
            .collect()
    }

    /// Waits until an order has reached its end, and answers it.
    ///
    /// # Errors
    /// When it does not within the time.
    pub async fn ended(&self, no: &str, within: Duration) -> Result<Reply> {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let order = self.till().call("orderquery", &json!({ "out_request_no": no })).await?;
            if order.text("pay_status") != "PS_PAYING" || tokio::time::Instant::now() > deadline {
                ensure!(order.text("pay_status") != "PS_PAYING", "{no} is still paying");
                return Ok(order);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Lets time pass, ten seconds at each look, until an order has reached its end, and answers it.
    ///
    /// # Errors
    /// When it does not within a quarter of an hour.
    pub async fn ended_in_time(&self, no: &str) -> Result<Reply> {
        for _ in 0..90 {
            let order = self.till().call("orderquery", &json!({ "out_request_no": no })).await?;
            if order.text("pay_status") != "PS_PAYING" {
                return Ok(order);
            }
            self.advance(Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        bail!("{no} does not end")
    }
}
