//! A scene: one channel, one rider who begins from nothing, and two tills at two stores.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_core::signing::Algorithm;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::sheet::Came;
use super::stage::Stage;
use super::tally::yuan;
use crate::demo::client::{App, LiveEvent, LiveEvents, Reply, Till};

/// How late the App may be told what happens.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long an event is waited for before it counts as missing.
const EVENT_MAX: Duration = Duration::from_secs(10);

/// A channel, and how the play goes there.
pub(super) struct Way {
    /// Its id.
    pub channel: &'static str,
    /// Its name in the merchant API.
    pub pay_type: &'static str,
    /// The gateway's words for a deduction and for a query about it, for the fault script.
    pub deduction: &'static str,
    pub query: &'static str,
    /// The rider and his phone.
    pub rider: (&'static str, &'static str),
    /// How the tills of the two stores sign.
    pub algorithms: [Algorithm; 2],
}

/// The three channels. Every algorithm signs at one till at least.
pub(super) const WAYS: [Way; 3] = [
    Way {
        channel: "wechat",
        pay_type: "CT_WECHAT",
        deduction: "pappayapply",
        query: "paporderquery",
        rider: ("U20001", "13900000001"),
        algorithms: [Algorithm::HmacSha256, Algorithm::RsaSha256],
    },
    Way {
        channel: "alipay",
        pay_type: "CT_ALIPAY",
        deduction: "alipay.trade.pay",
        query: "alipay.trade.query",
        rider: ("U20002", "13900000002"),
        algorithms: [Algorithm::RsaPssSha256, Algorithm::Ed25519],
    },
    Way {
        channel: "unionpay",
        pay_type: "CT_UNION",
        deduction: "01",
        query: "00",
        rider: ("U20003", "13900000003"),
        algorithms: [Algorithm::Ed25519, Algorithm::HmacSha256],
    },
];

/// A code on the rider's screen.
pub(super) struct Shown {
    pub id: String,
    pub digits: String,
    pub pictures: [String; 2],
}

/// An order that was asked for: its numbers, and when.
pub(super) struct Order {
    pub no: String,
    pub pay_no: String,
    pub digits: String,
    pub asked: Instant,
    pub answered: Instant,
}

/// One channel's scene.
pub(super) struct Scene<'a> {
    pub stage: &'a Stage,
    pub way: &'static Way,
    pub app: App,
    pub live: LiveEvents,
    tills: [Till; 2],
}

impl<'a> Scene<'a> {
    /// Rider and tills take their places.
    pub(super) async fn open(stage: &'a Stage, way: &'static Way) -> Result<Self> {
        let app = stage.app(way.rider.0, way.rider.1)?;
        let live = LiveEvents::open(&app, None).await?;
        let [one, other] = way.algorithms;
        Ok(Self {
            tills: [stage.till(one)?, stage.till(other)?],
            stage,
            way,
            app,
            live,
        })
    }

    /// A number of the merchant's.
    pub(super) fn no(&self, name: &str) -> String {
        format!("DEMO-{}-{name}", self.way.channel)
    }

    /// A fresh code that asks for this scene's channel.
    pub(super) async fn code(&self) -> Result<Shown> {
        let wish = json!({ "method": self.way.channel });
        let issued = self.app.post("codes", &wish).await?;
        ensure!(issued.status == 200, "no code: {}", refusal(&issued));
        Ok(Shown {
            id: issued.text("code_id"),
            digits: issued.text("digits"),
            pictures: [issued.text("qr_svg"), issued.text("barcode_svg")],
        })
    }

    /// What has become of a code, in the App's word.
    pub(super) async fn code_state(&self, code: &Shown) -> Result<Came> {
        let state = self.app.get(&format!("codes/{}", code.id)).await?;
        Ok(Came::words(said(&state, |reply| reply.text("state"))))
    }

    /// Scans a code at a store's till.
    pub(super) async fn scan(&self, store: usize, no: &str, digits: &str, fen: u64) -> Result<Reply> {
        let order = json!({
            "out_request_no": no, "qrcode": digits, "body": "矿泉水 2 瓶", "total_fee": fen,
            "store_id": self.stage.store(store),
        });
        self.call(store, "applypay", &order).await
    }

    /// Calls an operation from a store's till.
    pub(super) async fn call(&self, store: usize, operation: &str, body: &Value) -> Result<Reply> {
        let till = self.tills.get(store).context("no such till")?;
        till.call(operation, body).await
    }

    /// Calls an operation from the first till.
    pub(super) async fn till(&self, operation: &str, body: &Value) -> Result<Reply> {
        self.call(0, operation, body).await
    }

    /// Scans a code at the first till, and takes the order's numbers down.
    pub(super) async fn order(&self, name: &str, digits: &str, fen: u64) -> Result<(Reply, Order)> {
        let (no, asked) = (self.no(name), Instant::now());
        let reply = self.scan(0, &no, digits, fen).await?;
        let order = Order {
            no,
            pay_no: reply.text("pay_out_trade_no"),
            digits: digits.to_owned(),
            asked,
            answered: Instant::now(),
        };
        Ok((reply, order))
    }

    /// The same, in the words of [`standing`].
    pub(super) async fn pay(&self, name: &str, digits: &str, fen: u64) -> Result<Came<Order>> {
        let (reply, order) = self.order(name, digits, fen).await?;
        Ok(Came::words(standing(&reply)).with(order))
    }

    /// How a payment of so much stands once it is paid here, in the words of [`standing`].
    pub(super) fn paid(&self, fen: u64) -> String {
        format!("PS_SUCCESS {} {}", self.way.pay_type, yuan(fen))
    }

    /// Waits for an event, which must come at once after a moment, or before it: its kind, and more of it.
    pub(super) async fn told(
        &mut self,
        kind: &str,
        since: Instant,
        fits: impl Fn(&LiveEvent) -> bool,
        more: impl Fn(&LiveEvent) -> String,
    ) -> Result<Came> {
        let event = self.live.next(kind, EVENT_MAX, fits).await?;
        let late = event.arrived.saturating_duration_since(since);
        let words = format!("{} {}", event.kind, more(&event));
        let words = match late <= AT_ONCE {
            true => words,
            false => format!("{words}, but late"),
        };
        Ok(Came::words(words).note(format!("{} ms", late.as_millis())))
    }

    /// The gateway's own movements of an order: debits with plus, what went back with minus.
    pub(super) async fn movements(&self, pay_no: &str) -> Result<Came> {
        let movements = self.stage.control.movements(pay_no).await?;
        let words: Vec<String> = movements.iter().map(movement).collect();
        Ok(Came::words(words.join(" ")))
    }

    /// How the App's record of an order stands.
    pub(super) async fn record(&self, pay_no: &str) -> Result<Reply> {
        self.app.get(&format!("records/{pay_no}")).await
    }
}

fn movement(movement: &Value) -> String {
    let sign = if movement["kind"] == "debit" { '+' } else { '-' };
    format!("{sign}{}", yuan(movement["amount_fen"].as_u64().unwrap_or(0)))
}

/// What a reply says: by its data, or by its refusal.
pub(super) fn said(reply: &Reply, data: impl Fn(&Reply) -> String) -> String {
    if reply.status == 200 {
        data(reply)
    } else {
        refusal(reply)
    }
}

/// A refusal: status and code.
pub(super) fn refusal(reply: &Reply) -> String {
    format!("{} {}", reply.status, reply.code())
}

/// How an order stands in a reply of `applypay` or `orderquery`: status, channel, amount.
pub(super) fn standing(reply: &Reply) -> String {
    said(reply, |reply| {
        let amount = reply.body["data"]["total_fee"].as_u64().unwrap_or(0);
        format!(
            "{} {} {}",
            reply.text("pay_status"),
            reply.text("pay_type"),
            yuan(amount)
        )
    })
}
