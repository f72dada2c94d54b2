//! The glue for the three simulated gateways. It speaks HTTP to their pages and to their control interface, and nothing else:
//! it shares no code with them.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use async_trait::async_trait;
use metropay_core::channel::{ContractRef, SignPage};
use metropay_core::money::Fen;
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::fault::{Act, BillFault, Fault};
use crate::gateway::{Entry, Gateway, Way};

mod process;
mod words;

pub use process::Process;
pub use words::{ALIPAY, UNIONPAY, WECHAT, Words};

/// One of the simulated gateways.
pub struct Simulated {
    origin: String,
    words: &'static Words,
    http: reqwest::Client,
}

/// A movement in the simulators' books.
#[derive(Deserialize)]
struct Movement {
    gateway: String,
    kind: String,
    order_no: String,
    payment_no: String,
    amount_fen: u64,
}

impl Simulated {
    /// The gateway of these words, in the simulator at this address.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(origin: &str, words: &'static Words) -> Result<Self> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Ok(Self {
            origin: origin.trim_end_matches('/').to_owned(),
            words,
            http: http.no_proxy().build()?,
        })
    }

    async fn control(&self, path: &str, wish: &Value) -> Result<Value> {
        let url = format!("{}/control/{path}", self.origin);
        let request = self.http.post(url).header("content-type", "application/json");
        let answer = request.body(wish.to_string()).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "/control/{path} answers {status}: {text}");
        serde_json::from_str(&text).with_context(|| format!("/control/{path} answers {text}"))
    }

    /// Posts a form to a page, and answers its status, where it leads, and its text.
    async fn post(&self, url: &str, fields: &[(&str, &str)]) -> Result<(u16, String)> {
        let body: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self.http.post(url);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(body).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    fn page(&self, path: &str) -> String {
        format!("{}/{}{path}", self.origin, self.words.gateway)
    }

    async fn fault(&self, mut line: Value) -> Result<()> {
        line["gateway"] = json!(self.words.gateway);
        self.control("faults", &line).await?;
        Ok(())
    }

    async fn clear(&self) -> Result<()> {
        let url = format!("{}/control/faults", self.origin);
        self.http.delete(url).send().await?.error_for_status()?;
        Ok(())
    }
}

/// What stands between two texts.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split(before).nth(1)?.split(after).next()
}

#[async_trait]
impl Gateway for Simulated {
    fn origin(&self) -> String {
        self.origin.clone()
    }

    async fn open_account(&self, notify_url: &str) -> Result<Value> {
        let wishes = (self.words.wishes)(notify_url);
        let opened = self
            .control(&format!("accounts/{}", self.words.gateway), &wishes)
            .await?;
        Ok((self.words.config)(&opened))
    }

    async fn decide(&self, page: &SignPage, user: &str, agree: bool) -> Result<()> {
        let agree = if agree { "1" } else { "0" };
        let (shown, url) = match page {
            SignPage::Redirect { url, .. } => {
                let mut answer = self.http.get(url).send().await?;
                let mut at = url.clone();
                if let Some(next) = answer.headers().get("location").and_then(|next| next.to_str().ok()) {
                    at = next.to_owned();
                    answer = self.http.get(&at).send().await?;
                }
                (answer.text().await?, at)
            }
            SignPage::Form { action, fields } => {
                let fields: Vec<(&str, &str)> = fields
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                (self.post(action, &fields).await?.1, action.clone())
            }
        };
        let id = between(&shown, "name=\"id\" value=\"", "\"");
        let id = id.with_context(|| format!("the page at {url} asks the user nothing: {shown}"))?;
        // UnionPay's page asks for the card instead: its last four digits are the user here.
        let fields = [("id", id), ("agree", agree), ("user", user), ("card", "0018")];
        let (status, text) = self.post(&self.page(self.words.decide), &fields).await?;
        ensure!(status < 400, "the user's decision is answered by {status}: {text}");
        Ok(())
    }

    async fn books(&self) -> Result<Vec<Entry>> {
        let url = format!("{}/control/books", self.origin);
        let text = self.http.get(url).send().await?.error_for_status()?.text().await?;
        let movements: Vec<Movement> = serde_json::from_str(&text)?;
        let own = movements
            .into_iter()
            .filter(|movement| movement.gateway == self.words.gateway);
        own.map(|movement| {
            Ok(Entry {
                no: movement.order_no,
                payment_no: movement.payment_no,
                way: if movement.kind == "debit" { Way::Paid } else { Way::Back },
                amount: Fen::new(movement.amount_fen).map_err(|error| anyhow::anyhow!("{error}"))?,
            })
        })
        .collect()
    }

    async fn end_contract(&self, contract: &ContractRef, user: &str) -> Result<bool> {
        let Some((path, name)) = self.words.end_contract else {
            return Ok(false);
        };
        let handle = contract.handle.as_deref().unwrap_or_default();
        let fields = [("user", user), (name, handle), ("act", "unsign")];
        let (status, text) = self.post(&self.page(path), &fields).await?;
        ensure!(status < 400, "the end of a contract is answered by {status}: {text}");
        Ok(true)
    }

    fn plays(&self, act: Act, fault: &Fault) -> bool {
        (self.words.plays)(act, fault)
    }

    async fn play(&self, act: Act, no: &str, fault: &Fault) -> Result<()> {
        let Some(effect) = self.words.effect(act, fault) else {
            bail!("{} does not play {fault}", self.words.gateway);
        };
        for operation in (self.words.operations)(act) {
            let mut line = effect.clone();
            line["operation"] = json!(operation);
            line["order_no"] = json!(no);
            self.fault(line).await?;
        }
        Ok(())
    }

    async fn put_clock_ahead(&self, ahead: Duration) -> Result<()> {
        let offset_ms = i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX);
        self.control("clock", &json!({ "offset_ms": offset_ms })).await?;
        Ok(())
    }

    fn repeats_notices_within(&self) -> Option<Duration> {
        Some(self.words.repeats_within)
    }

    async fn show_code(&self, user: &str, needs_password: bool) -> Result<Option<String>> {
        let needs = if needs_password { "1" } else { "0" };
        let fields = [("user", user), ("needs_password", needs)];
        let (status, text) = self.post(&self.page("/phone/code"), &fields).await?;
        if status == 404 {
            return Ok(None);
        }
        let shown: Value = serde_json::from_str(&text).with_context(|| format!("a code is answered by {text}"))?;
        let code = shown.get("code").and_then(Value::as_str);
        Ok(Some(code.with_context(|| format!("no code in {text}"))?.to_owned()))
    }

    async fn type_password(&self, code: &str, agree: bool) -> Result<()> {
        let fields = [("code", code), ("agree", if agree { "1" } else { "0" })];
        let (status, text) = self.post(&self.page("/phone/password"), &fields).await?;
        ensure!(status < 400, "a password is answered by {status}: {text}");
        Ok(())
    }

    async fn identify(&self, page: &str, user: &str) -> Result<Option<String>> {
        // A page outside the simulator is one that this account does not use.
        if !page.starts_with("http://127.0.0.1") {
            return Ok(None);
        }
        let shown = self.http.get(page).send().await?.text().await?;
        let action = between(&shown, "<form method=\"post\" action=\"", "\"");
        let action = action.with_context(|| format!("the page at {page} asks the user nothing: {shown}"))?;
        let target = url::Url::parse(page)?.join(action)?;
        let hidden = shown.split("<input type=\"hidden\" name=\"").skip(1);
        let mut fields: Vec<(&str, String)> = hidden
            .filter_map(|input| {
                let (name, rest) = input.split_once("\" value=\"")?;
                let value = rest.split('"').next()?;
                Some((name, value.replace("&amp;", "&")))
            })
            .collect();
        fields.push(("user", user.to_owned()));
        fields.push(("agree", "1".to_owned()));
        let body: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&fields)
            .finish();
        let request = self.http.post(target);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(body).send().await?;
        let back = answer.headers().get("location").and_then(|back| back.to_str().ok());
        let back = url::Url::parse(back.context("the user's browser is not sent back")?)?;
        let code = back
            .query_pairs()
            .find(|(name, _)| name == "code" || name == "auth_code");
        Ok(Some(code.context("the user's browser brings no code")?.1.into_owned()))
    }

    async fn plant(&self, _: &Value, fault: &BillFault) -> Result<bool> {
        // What an earlier case planted and nobody fetched must not meet this one.
        self.clear().await?;
        let line = match fault {
            BillFault::NotReady => json!({ "effect": "bill_not_ready" }),
            BillFault::CutOff => json!({ "effect": "bill_truncated" }),
            BillFault::Doubled => json!({ "effect": "bill_doubled" }),
            BillFault::Missing(no) => json!({ "effect": "bill_row_missing", "told": no }),
            BillFault::Extra(no, amount) => json!({ "effect": "bill_row_extra", "told": no, "fen": amount.get() }),
            BillFault::Amount(no, amount) => json!({ "effect": "bill_row_amount", "told": no, "fen": amount.get() }),
            BillFault::Fee(no, amount) => json!({ "effect": "bill_row_fee", "told": no, "fen": amount.get() }),
            BillFault::State(no) => json!({ "effect": "bill_row_state", "told": no }),
        };
        self.fault(line).await?;
        Ok(true)
    }

    async fn fill_books(&self, _: &Value, rows: u32) -> Result<bool> {
        self.clear().await?;
        self.fault(json!({ "effect": "bill_long", "rows": rows })).await?;
        Ok(true)
    }
}
