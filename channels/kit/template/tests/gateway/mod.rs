//! A gateway of foochan for tests. What it remembers is the kit's; what it says on the wire is written here a second time, from
//! the channel's documentation and not from the adapter.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use async_trait::async_trait;
use metropay_channel_kit::stub::Stub;
use metropay_channel_kit::{Act, BillFault, Entry, Fault, Gateway};
use metropay_core::channel::{ContractRef, SignPage};
use serde_json::{Value, json};

mod wire;

/// The gateway.
pub(crate) struct Foochan {
    origin: String,
    stub: Arc<Stub>,
}

impl Foochan {
    /// Starts it on a free port.
    pub(crate) async fn start() -> Result<Self> {
        let (stub, _events) = Stub::new();
        // FILL IN: tell the merchant what happens: a task that takes `_events` and sends each by `stub::deliver`.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let app = wire::router(Arc::clone(&stub));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { origin, stub })
    }
}

#[async_trait]
impl Gateway for Foochan {
    fn origin(&self) -> String {
        self.origin.clone()
    }

    async fn open_account(&self, _notify_url: &str) -> Result<Value> {
        // FILL IN: keys of its own for each account.
        let merchant_no = self.stub.number();
        Ok(json!({
            "merchant_no": merchant_no, "private_key": format!("canary-of-{merchant_no}-0123456789abcdef"),
            "channel_public_key": "none yet", "base_url": self.origin, "timeout_ms": 500,
        }))
    }

    async fn decide(&self, page: &SignPage, _user: &str, _agree: bool) -> Result<()> {
        // FILL IN: read the page as a browser would, and call `stub.decide`.
        bail!("not written yet: the user's page {page:?}")
    }

    async fn books(&self) -> Result<Vec<Entry>> {
        Ok(self.stub.books())
    }

    async fn end_contract(&self, _contract: &ContractRef, _user: &str) -> Result<bool> {
        // FILL IN: by `stub.end_contract`, where users can do that.
        Ok(false)
    }

    fn plays(&self, act: Act, fault: &Fault) -> bool {
        // FILL IN: what `wire` plays; everything that is left out here shows in the table as not played.
        matches!(fault, Fault::Pending(_) | Fault::FailLater(_) | Fault::Refuse)
            && matches!(act, Act::Deduct | Act::Refund)
    }

    async fn play(&self, act: Act, no: &str, fault: &Fault) -> Result<()> {
        self.stub.play(act, no, fault);
        Ok(())
    }

    async fn put_clock_ahead(&self, ahead: Duration) -> Result<()> {
        self.stub.put_clock_ahead(ahead);
        Ok(())
    }

    async fn plant(&self, account: &Value, fault: &BillFault) -> Result<bool> {
        self.stub
            .plant(account["merchant_no"].as_str().unwrap_or_default(), fault);
        Ok(true)
    }
}
