//! Orders that move money: payments, undos and refunds, each with a life of its own (unionpay reference, 11.4).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::code;
use super::form::Fields;
use super::reply::Reply;
use super::request::{self, Request, text};
use super::script::Course;
use super::settle;
use crate::books::{Movement, MovementKind};
use crate::frame::{Frame, Gateway};
use crate::store::Tx;

const TABLE: &str = "unionpay_order";
const QUERY_IDS: &str = "unionpay_query_id";
const COUNTERS: &str = "unionpay_counter";

/// Where an order stands. That a payment was undone or refunded is no state of its own: a query goes on saying success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// Accepted, not decided.
    Pending,
    /// Done; the money has moved.
    Success,
    /// Failed for good.
    Failed,
    /// Reversed by 99.
    Reversed,
}

/// A decision that is still to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Due {
    /// A new decision makes the timers of earlier ones void.
    pub(super) ticket: u64,
    pub(super) wait_ms: u64,
    /// What it will be.
    pub(super) code: String,
}

/// A password that the user is asked for.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Question {
    /// When the order fails for want of an answer, on the gateway's clock.
    pub(super) until_ms: i64,
    /// How the payment goes on after the password.
    pub(super) course: Course,
}

/// An order. No `Debug`: it holds what only the merchant and the gateway should know.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Order {
    /// The request that made it.
    pub(super) request: Fields,
    pub(super) amount_fen: u64,
    /// UnionPay's number; refused orders have none.
    pub(super) query_id: Option<String>,
    pub(super) trace_no: String,
    pub(super) accepted_at_ms: i64,
    pub(super) state: State,
    /// The answer code that it was decided to.
    pub(super) code: String,
    pub(super) due: Option<Due>,
    /// Who paid: the token, or the card as others may see it.
    pub(super) payer: String,
    /// The card behind it.
    #[serde(default)]
    pub(super) card_number: String,
    /// What UnionPay bears of it.
    pub(super) discount_fen: u64,
    /// Payments: what of that went back with refunds.
    #[serde(default)]
    pub(super) discount_returned_fen: u64,
    /// Paid on the gateway's own page; only success is notified.
    #[serde(default)]
    pub(super) at_cashier: bool,
    /// Waits for the user's password.
    #[serde(default)]
    pub(super) question: Option<Question>,
    /// Whether the books have its movement.
    pub(super) moved: bool,
    /// Undos and refunds: the payment.
    pub(super) original: Option<String>,
    /// Payments: refunds accepted and not failed.
    pub(super) refunded_fen: u64,
    /// Payments: an undo was accepted and has not failed.
    pub(super) undone: bool,
    /// Payments: succeeds so long after it was reversed.
    pub(super) paid_after_reverse_ms: Option<u64>,
}

impl Order {
    /// An order that was refused; a query will say so.
    pub(super) fn refused(tx: &mut Tx<'_>, request: &Request, now_ms: i64, code: &str) -> Self {
        Self {
            request: request.kept(),
            amount_fen: request.amount_fen(),
            query_id: None,
            trace_no: next_trace_no(tx),
            accepted_at_ms: now_ms,
            state: State::Failed,
            code: code.to_owned(),
            due: None,
            payer: request.token_part("token"),
            card_number: String::new(),
            discount_fen: 0,
            discount_returned_fen: 0,
            at_cashier: false,
            question: None,
            moved: false,
            original: None,
            refunded_fen: 0,
            undone: false,
            paid_after_reverse_ms: None,
        }
    }

    /// An order that was accepted and will be decided as its course wants.
    pub(super) fn accepted(tx: &mut Tx<'_>, request: &Request, now_ms: i64, course: &Course) -> Self {
        let mut order = Self::refused(tx, request, now_ms, "05");
        order.state = State::Pending;
        order.due = Some(Due {
            ticket: 1,
            wait_ms: course.wait_ms,
            code: course.code.clone(),
        });
        let trace_no = &order.trace_no;
        let check = trace_no.bytes().fold(7_u32, |sum, digit| sum + u32::from(digit - b'0')) % 10;
        let time = request.text("txnTime").get(2..).unwrap_or_default();
        let query_id = format!("10{time}{trace_no}{check}");
        tx.put(QUERY_IDS, &query_id, &request.key());
        order.query_id = Some(query_id);
        order
    }

    pub(super) fn key(&self) -> String {
        request::key(&self.request)
    }

    pub(super) fn is_payment(&self) -> bool {
        text(&self.request, "txnType") == "01"
    }

    /// Notes who pays, and what UnionPay bears of it.
    pub(super) fn paid_by(&mut self, account: &Account, card_number: &str, payer: String) {
        self.discount_fen = account.conduct.discount_fen.min(self.amount_fen);
        card_number.clone_into(&mut self.card_number);
        self.payer = payer;
    }

    /// Writes the order down.
    pub(super) fn keep(&self, tx: &mut Tx<'_>) {
        tx.put(TABLE, &self.key(), self);
    }

    /// The movement of money of this kind that this order makes now.
    pub(super) fn movement(&self, kind: MovementKind, payment_no: &str, now_ms: i64) -> Movement {
        Movement {
            seq: 0,
            at_ms: now_ms,
            gateway: Gateway::Unionpay,
            account: text(&self.request, "merId").to_owned(),
            kind,
            order_no: text(&self.request, "orderId").to_owned(),
            payment_no: payment_no.to_owned(),
            gateway_no: self.query_id.clone().unwrap_or_default(),
            amount_fen: self.amount_fen,
            payer: self.payer.clone(),
        }
    }

    /// When it was sent, as the systems between the banks write it: without the year.
    pub(super) fn trace_time(&self) -> String {
        text(&self.request, "txnTime").get(4..).unwrap_or_default().to_owned()
    }

    /// What is told of a decided order beyond the base set, in queries and notifications alike. A payment names the kind
    /// of card with a blank, as the gateway does when the merchant is not entitled to know it.
    pub(super) fn facts(&self, account: &Account) -> Fields {
        let settled_fen = if self.state == State::Success {
            self.amount_fen
        } else {
            0
        };
        let mut facts = Fields::new();
        let mut tell = |name: &str, value: String| facts.insert(name.to_owned(), value);
        tell("currencyCode", "156".to_owned());
        tell("settleAmt", settled_fen.to_string());
        tell("settleCurrencyCode", "156".to_owned());
        tell(
            "settleDate",
            account.clearing_day(self.accepted_at_ms).format("%m%d").to_string(),
        );
        tell("traceNo", self.trace_no.clone());
        tell("traceTime", self.trace_time());
        tell("txnAmt", self.amount_fen.to_string());
        if let Some(query_id) = &self.query_id {
            tell("queryId", query_id.clone());
        }
        if self.is_payment() {
            tell("payCardType", String::new());
        }
        if self.discount_fen > 0 && self.state == State::Success {
            tell(
                "reserved",
                STANDARD.encode(format!("{{discountAmt={}}}", self.discount_fen)),
            );
        }
        facts
    }
}

/// The order under this identity.
pub(super) fn find(tx: &Tx<'_>, key: &str) -> Option<Order> {
    tx.get(TABLE, key)
}

/// The order of this number of UnionPay's.
pub(super) fn find_by_query_id(tx: &Tx<'_>, query_id: &str) -> Option<Order> {
    find(tx, &tx.get::<String>(QUERY_IDS, query_id)?)
}

/// Every order that is still to be decided.
pub(super) fn undecided(tx: &Tx<'_>) -> Vec<Order> {
    tx.scan::<Order>(TABLE)
        .into_iter()
        .filter(|order| order.due.is_some() || order.question.is_some())
        .collect()
}

/// Every order there is.
pub(super) fn all(tx: &Tx<'_>) -> Vec<Order> {
    tx.scan(TABLE)
}

/// The next number of the gateway's systems, six digits.
pub(super) fn next_trace_no(tx: &mut Tx<'_>) -> String {
    let last: u32 = tx.get(COUNTERS, "trace_no").unwrap_or(0);
    let next = last % 999_999 + 1;
    tx.put(COUNTERS, "trace_no", &next);
    format!("{next:06}")
}

/// Refuses a request. A refusal from behind the front checks leaves a failed order, unless there is one already.
pub(super) fn refuse(mut tx: Tx<'_>, request: &Request, now_ms: i64, code: &str) -> Reply {
    if request.message.moves_money() && code::leaves_a_failed_order(code) && find(&tx, &request.key()).is_none() {
        Order::refused(&mut tx, request, now_ms, code).keep(&mut tx);
        tx.commit();
    }
    Reply::new(&request.fields, code)
}

/// Commits an accepted order, lets its time begin, and answers.
pub(super) fn accept(frame: &Arc<Frame>, mut tx: Tx<'_>, request: &Request, order: &Order, course: &Course) -> Reply {
    order.keep(&mut tx);
    tx.commit();
    settle::schedule(frame, order);
    let reply = Reply::new(&request.fields, course.answer());
    match &order.query_id {
        Some(query_id) if !course.hangs => reply.with("queryId", query_id),
        _ => reply,
    }
}
