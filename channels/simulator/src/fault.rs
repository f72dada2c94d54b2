//! The fault script: what goes wrong, where, and how often.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::frame::Gateway;

/// One line of the fault script. Fields left out match everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Given by the simulator; ignored on input.
    #[serde(default)]
    pub id: u64,
    /// Only at this gateway.
    #[serde(default)]
    pub gateway: Option<Gateway>,
    /// Only for this operation. WeChat: the last segment of the path (`pappayapply`, `paporderquery`, `refund`, ...).
    /// Alipay: the method (`alipay.trade.pay`). UnionPay: the transaction type (`01`, `00`, `99`, `79`, ...).
    /// Notifications: `notify`.
    #[serde(default)]
    pub operation: Option<String>,
    /// Only for this merchant's order number (payment, refund or contract number, as sent by the merchant).
    #[serde(default)]
    pub order_no: Option<String>,
    /// How many times it strikes; 0 means until it is removed.
    #[serde(default = "once")]
    pub times: u32,
    /// What goes wrong.
    #[serde(flatten)]
    pub effect: Effect,
}

fn once() -> u32 {
    1
}

/// What goes wrong. Effects on the answer are played by [`before`] and [`after`]; effects on the outcome and on
/// notifications are read by the gateways themselves, in their own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Waits, then goes on as usual.
    Delay { ms: u64 },
    /// Does nothing and lets the caller wait so long, then closes the connection.
    HangBefore { ms: u64 },
    /// Acts, then lets the caller wait so long and closes the connection.
    HangAfter { ms: u64 },
    /// Closes the connection without acting.
    ResetBefore,
    /// Acts, then closes the connection without an answer.
    ResetAfter,
    /// Does nothing and answers this HTTP status with an HTML page.
    HttpErrorBefore { status: u16 },
    /// Acts, then answers this HTTP status with an HTML page.
    HttpErrorAfter { status: u16 },
    /// Acts, then answers 200 with this text instead of the true body.
    Garbage { body: String },
    /// Acts, then answers only the first half of the true body, with the length of the whole.
    HalfBody,
    /// Acts, then answers with a signature that does not fit.
    WrongSignature,
    /// Acts, then leaves the signature out.
    NoSignature,
    /// Does nothing and answers the gateway's "system error".
    SystemErrorBefore,
    /// Acts, then answers the gateway's "system error".
    SystemErrorAfter,
    /// Refuses with this error code of the gateway.
    Refuse { code: String },
    /// A payment or refund that is accepted stays pending so long, then succeeds.
    Pending { ms: u64 },
    /// A payment or refund that is accepted stays pending so long, then fails with this code of the gateway.
    FailLater { ms: u64, code: String },
    /// A query says that there is no such order, although there is one.
    Blind,
    /// The amount in a correctly signed answer or notification is this one.
    WrongAmount { fen: u64 },
    /// A correctly signed answer or notification tells of another order; in JSON it is named `told`, because `order_no`
    /// says which order the line is for.
    WrongOrder {
        #[serde(rename = "told")]
        order_no: String,
    },
    /// A correctly signed answer or notification tells of another merchant account.
    WrongMerchant { account: String },
    /// A correctly signed answer or notification tells of another currency, named in the gateway's own way: `USD`, `840`.
    WrongCurrency { currency: String },
    /// Notification: never sent.
    NoticeLost,
    /// Notification: sent so many times more, each after it was acknowledged; in JSON it is named `more`, because `times`
    /// says how often the line strikes.
    NoticeRepeated {
        #[serde(rename = "more")]
        times: u32,
    },
    /// Notification: sent so late.
    NoticeLate { ms: u64 },
    /// Notification: its signature does not fit.
    NoticeForged,
    /// Money-moving call: the cancelling call answers "done", and the payment succeeds all the same so much later.
    PaidAfterReverse { ms: u64 },
    /// Bill: the gateway says that it is not made yet.
    BillNotReady,
    /// Bill: without any row.
    BillEmpty,
    /// Bill: cut off in the middle of a row.
    BillTruncated,
    /// Bill: every row stands twice.
    BillDoubled,
    /// Bill: the row of this movement (the merchant's number of the payment or refund) is missing; in JSON it is named
    /// `told`, because `order_no` says which order the line is for.
    BillRowMissing {
        #[serde(rename = "told")]
        order_no: String,
    },
    /// Bill: a row more, of a payment that never was, with this number and amount.
    BillRowExtra {
        #[serde(rename = "told")]
        order_no: String,
        fen: u64,
    },
    /// Bill: so many rows more, of payments of one fen that never were.
    BillLong { rows: u32 },
    /// Bill: the row of this movement has another amount.
    BillRowAmount {
        #[serde(rename = "told")]
        order_no: String,
        fen: u64,
    },
    /// Bill: the row of this movement has another fee.
    BillRowFee {
        #[serde(rename = "told")]
        order_no: String,
        fen: u64,
    },
    /// Bill: the row of this movement has another state than the movement has.
    BillRowState {
        #[serde(rename = "told")]
        order_no: String,
    },
}

/// The fault lines that are waiting.
#[derive(Default)]
pub struct Faults {
    inner: Mutex<(u64, Vec<Fault>)>,
}

impl Faults {
    /// Adds a line and returns its id.
    pub fn add(&self, mut fault: Fault) -> u64 {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.0 += 1;
        fault.id = inner.0;
        inner.1.push(fault);
        inner.0
    }

    /// The lines that are still waiting.
    pub fn list(&self) -> Vec<Fault> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Removes one line; `false` when it is not there (any more).
    pub fn remove(&self, id: u64) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let before = inner.1.len();
        inner.1.retain(|fault| fault.id != id);
        inner.1.len() < before
    }

    /// Removes all lines.
    pub fn clear(&self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).1.clear();
    }

    /// Takes the effects that strike this operation now and that the caller can play (`fits`); each counts as used.
    pub fn take(
        &self,
        gateway: Gateway,
        operation: &str,
        order_no: &str,
        fits: impl Fn(&Effect) -> bool,
    ) -> Vec<Effect> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut effects = Vec::new();
        inner.1.retain_mut(|fault| {
            let strikes = fault.gateway.is_none_or(|g| g == gateway)
                && fault.operation.as_deref().is_none_or(|o| o == operation)
                && fault.order_no.as_deref().is_none_or(|n| n == order_no)
                && fits(&fault.effect);
            if !strikes {
                return true;
            }
            effects.push(fault.effect.clone());
            match fault.times {
                0 => true,
                1 => false,
                _ => {
                    fault.times -= 1;
                    true
                }
            }
        });
        effects
    }
}

impl Effect {
    /// Whether the effect is about a bill's rows or its being there; such a line is written for the operation that fetches
    /// the bill.
    pub fn is_about_bills(&self) -> bool {
        matches!(
            self,
            Self::BillNotReady
                | Self::BillEmpty
                | Self::BillTruncated
                | Self::BillDoubled
                | Self::BillRowMissing { .. }
                | Self::BillRowExtra { .. }
                | Self::BillLong { .. }
                | Self::BillRowAmount { .. }
                | Self::BillRowFee { .. }
                | Self::BillRowState { .. }
        )
    }

    /// Whether the effect is about a notification.
    pub fn is_about_notices(&self) -> bool {
        matches!(
            self,
            Self::NoticeLost | Self::NoticeRepeated { .. } | Self::NoticeLate { .. } | Self::NoticeForged
        )
    }
}

/// The numbers of the payments that make a bill long.
pub(crate) fn fillers(rows: u32) -> impl Iterator<Item = String> {
    (0..rows).map(|row| format!("F{row:09}"))
}

/// Plays what happens before the gateway acts. `Some` ends the call with that answer; nothing was done.
pub(crate) async fn before(effects: &[Effect]) -> Option<Response> {
    for effect in effects {
        match effect {
            Effect::Delay { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Effect::HangBefore { ms } => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                return Some(cut_off());
            }
            Effect::ResetBefore => return Some(cut_off()),
            Effect::HttpErrorBefore { status } => return Some(html(*status)),
            _ => {}
        }
    }
    None
}

/// Plays what happens to the answer after the gateway acted.
pub(crate) async fn after(effects: &[Effect], answer: Response) -> Response {
    for effect in effects {
        match effect {
            Effect::HangAfter { ms } => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                return cut_off();
            }
            Effect::ResetAfter => return cut_off(),
            Effect::HttpErrorAfter { status } => return html(*status),
            Effect::Garbage { body } => return Response::new(Body::from(body.clone())),
            Effect::HalfBody => return half(answer).await,
            _ => {}
        }
    }
    answer
}

fn html(status: u16) -> Response {
    Response::builder()
        .status(status)
        .header("content-type", "text/html")
        .body(Body::from(
            "<html><head><title>error</title></head><body><h1>error</h1></body></html>",
        ))
        .expect("a status between 100 and 999")
}

/// An answer whose promised body never comes: the caller sees a broken connection.
fn cut_off() -> Response {
    Response::builder()
        .header("content-length", "100")
        .body(Body::from_stream(Broken(None)))
        .expect("fixed headers")
}

async fn half(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let whole = axum::body::to_bytes(body, 1 << 22).await.unwrap_or_default();
    parts.headers.insert("content-length", whole.len().into());
    Response::from_parts(parts, Body::from_stream(Broken(Some(whole.slice(..whole.len() / 2)))))
}

/// A body that gives what it has and then breaks.
struct Broken(Option<axum::body::Bytes>);

impl futures_core::Stream for Broken {
    type Item = Result<axum::body::Bytes, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let item = self
            .0
            .take()
            .ok_or_else(|| std::io::Error::other("cut off by the fault script"));
        std::task::Poll::Ready(Some(item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_taken_out_alone() {
        let faults = Faults::default();
        let line = r#"{"effect":"reset_before"}"#;
        let (one, other) = (
            faults.add(serde_json::from_str(line).unwrap()),
            faults.add(serde_json::from_str(line).unwrap()),
        );
        assert!(faults.remove(one) && !faults.remove(one));
        assert_eq!(faults.list()[0].id, other);
    }

    #[test]
    fn a_fault_strikes_only_what_it_names_and_only_so_often() {
        let faults = Faults::default();
        let line = r#"{"gateway":"wechat","operation":"pappayapply","effect":"hang_after","ms":5,"times":2}"#;
        faults.add(serde_json::from_str(line).unwrap());
        assert!(faults.take(Gateway::Alipay, "pappayapply", "n", |_| true).is_empty());
        assert!(faults.take(Gateway::Wechat, "refund", "n", |_| true).is_empty());
        assert!(
            faults
                .take(Gateway::Wechat, "pappayapply", "n", Effect::is_about_notices)
                .is_empty()
        );
        for _ in 0..2 {
            assert_eq!(
                faults.take(Gateway::Wechat, "pappayapply", "n", |_| true),
                [Effect::HangAfter { ms: 5 }]
            );
        }
        assert!(faults.take(Gateway::Wechat, "pappayapply", "n", |_| true).is_empty());
    }
}
