//! A gateway of e-CNY in our sample protocol, for tests. What it remembers is the kit's; what it says on the wire is written
//! here a second time, from the protocol's description and not from the adapter, and with another library's cryptography.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use metropay_channel_kit::stub::{Event, Stub};
use metropay_channel_kit::{Act, BillFault, Entry, Fault, Gateway};
use metropay_core::channel::{ContractRef, SignPage};
use serde_json::{Value, json};

mod keys;
mod notify;
mod twist;
mod wire;

/// The gateway.
pub(crate) struct Ecny {
    origin: String,
    desk: Arc<Desk>,
}

/// What its routes stand on.
pub(crate) struct Desk {
    pub(crate) stub: Arc<Stub>,
    pub(crate) origin: String,
    pub(crate) accounts: keys::Accounts,
    /// Users by the one-time code that tells of them.
    pub(crate) users: Mutex<BTreeMap<String, String>>,
    /// Bills that were asked for and may be fetched, by the path's last part.
    pub(crate) files: Mutex<BTreeMap<String, wire::BillText>>,
}

impl Ecny {
    /// Starts it on a free port.
    pub(crate) async fn start() -> Result<Self> {
        let (stub, mut events) = Stub::new();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let desk = Arc::new(Desk {
            stub,
            origin: origin.clone(),
            accounts: keys::Accounts::default(),
            users: Mutex::default(),
            files: Mutex::default(),
        });
        let telling = Arc::clone(&desk);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                let event: Event = event;
                tokio::spawn(notify::tell(Arc::clone(&telling), event));
            }
        });
        let app = wire::router(Arc::clone(&desk));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { origin, desk })
    }
}

fn merchant(account: &Value) -> &str {
    account["merchant_no"].as_str().unwrap_or_default()
}

#[async_trait]
impl Gateway for Ecny {
    fn origin(&self) -> String {
        self.origin.clone()
    }

    async fn open_account(&self, _: &str) -> Result<Value> {
        let merchant_no = self.desk.stub.number();
        let (private_key, channel_public_key) = self.desk.accounts.open(&merchant_no)?;
        Ok(json!({
            "merchant_no": merchant_no, "private_key": private_key, "channel_public_key": channel_public_key,
            "base_url": self.origin, "timeout_ms": 2_000,
        }))
    }

    async fn decide(&self, page: &SignPage, user: &str, agree: bool) -> Result<()> {
        let SignPage::Redirect { url, .. } = page else {
            anyhow::bail!("a page of e-CNY is an address");
        };
        let shown = reqwest::get(url).await?.error_for_status()?.text().await?;
        let id = shown.split("contract ").nth(1).and_then(|rest| rest.split('<').next());
        let (account, no) = id.and_then(|id| id.split_once('/')).context("the page asks nothing")?;
        ensure!(
            self.desk.stub.decide(account, no, user, agree).is_some(),
            "nothing to decide"
        );
        Ok(())
    }

    async fn books(&self) -> Result<Vec<Entry>> {
        Ok(self.desk.stub.books())
    }

    async fn end_contract(&self, contract: &ContractRef, _: &str) -> Result<bool> {
        let handle = contract.handle.as_deref().unwrap_or_default();
        for account in self.desk.accounts.all() {
            if let Some(known) = self.desk.stub.contract_of(&account, handle) {
                return Ok(self.desk.stub.end_contract(&account, &known.no, true).is_some());
            }
        }
        Ok(false)
    }

    fn plays(&self, act: Act, fault: &Fault) -> bool {
        match fault {
            Fault::WrongSignature | Fault::NoSignature | Fault::OtherMerchant => act != Act::Sign,
            Fault::SystemErrorBefore | Fault::SystemErrorAfter => !matches!(act, Act::Sign | Act::Notify),
            Fault::OtherOrder(_) => !matches!(act, Act::Sign | Act::Notify),
            Fault::OtherAmount(_) | Fault::OtherCurrency => {
                !matches!(act, Act::Sign | Act::QueryContract | Act::CloseContract)
            }
            Fault::Blind => matches!(act, Act::Query | Act::QueryRefund | Act::QueryContract),
            Fault::Pending(_) | Fault::FailLater(_) | Fault::Refuse => {
                matches!(act, Act::Deduct | Act::PayByCode | Act::Refund)
            }
            Fault::RefuseRepeat => act == Act::Deduct,
            Fault::Repeated(_) | Fault::Late(_) => act == Act::Notify,
        }
    }

    async fn play(&self, act: Act, no: &str, fault: &Fault) -> Result<()> {
        self.desk.stub.play(act, no, fault);
        Ok(())
    }

    async fn put_clock_ahead(&self, ahead: Duration) -> Result<()> {
        self.desk.stub.put_clock_ahead(ahead);
        Ok(())
    }

    fn repeats_notices_within(&self) -> Option<Duration> {
        Some(Duration::from_millis(600))
    }

    async fn show_code(&self, _: &str, needs_password: bool) -> Result<Option<String>> {
        Ok(Some(self.desk.stub.show_code("01", 19, needs_password)))
    }

    async fn type_password(&self, code: &str, agree: bool) -> Result<()> {
        ensure!(
            self.desk.stub.type_password(code, agree),
            "nothing waits for a password"
        );
        Ok(())
    }

    async fn plant(&self, account: &Value, fault: &BillFault) -> Result<bool> {
        self.desk.stub.plant(merchant(account), fault);
        Ok(true)
    }

    async fn identify(&self, page: &str, user: &str) -> Result<Option<String>> {
        ensure!(page.contains("/page/identify?merchant_no="), "{page} is not the page");
        let code = format!("once-{}", self.desk.stub.number());
        let mut users = self.desk.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.insert(code.clone(), user.to_owned());
        Ok(Some(code))
    }

    async fn fill_books(&self, account: &Value, rows: u32) -> Result<bool> {
        self.desk.stub.fill_books(merchant(account), rows);
        Ok(true)
    }
}
