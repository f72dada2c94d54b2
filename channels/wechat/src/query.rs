//! How an order stands (wechat reference, 3.9 and 4.3).

use std::time::Duration;

use metropay_core::channel::{CallError, Hint, Paid, PaymentRef, Product, Refusal, Standing};
use metropay_core::money::Fen;

use crate::Wechat;
use crate::call::{Call, by_mode, maybe, other, other_shop};
use crate::codes::{Asked, Class, Failure, normal};
use crate::xml::Message;

/// The query of deductions does not know orders older than a month; the general one knows them all.
const YOUNG_FOR: Duration = Duration::from_secs(28 * 24 * 3600);

/// What the query of deductions says to an order that was closed: ask the general one.
const NOT_A_DEDUCTION: &str = "订单不是委托代扣场景";

/// An order as a query saw it.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) standing: Standing,
    /// The channel's word for it; empty where it knows no such order.
    pub(crate) state: String,
    /// Whether the channel has a number for a payment of it: it has none for orders that were never paid.
    pub(crate) was_paid: bool,
}

impl Order {
    /// The channel knows no such order.
    pub(crate) fn absent() -> Self {
        Self {
            standing: Standing::Absent,
            state: String::new(),
            was_paid: false,
        }
    }
}

/// What a query said.
enum Told {
    Order(Order),
    AskGeneral,
}

impl Wechat {
    pub(crate) async fn order_standing(&self, payment: &PaymentRef) -> Result<Standing, CallError> {
        match payment.product {
            Product::Mandate => self.deduction_standing(payment).await,
            Product::PaymentCode => Ok(self.code_order(payment).await?.standing),
        }
    }

    async fn deduction_standing(&self, payment: &PaymentRef) -> Result<Standing, CallError> {
        if self.gate.clock.now().since(payment.at) < YOUNG_FOR {
            let path = by_mode(&self.account, "pay", "paporderquery");
            if let Told::Order(order) = self.ask(path, payment).await? {
                return Ok(order.standing);
            }
        }
        Ok(self.general_order(payment).await?.standing)
    }

    /// By the query that knows every order.
    pub(crate) async fn general_order(&self, payment: &PaymentRef) -> Result<Order, CallError> {
        match self.ask("/pay/orderquery".to_owned(), payment).await? {
            Told::Order(order) => Ok(order),
            Told::AskGeneral => Err(maybe(NOT_A_DEDUCTION)),
        }
    }

    async fn ask(&self, path: String, payment: &PaymentRef) -> Result<Told, CallError> {
        let mut call = Call::new(&self.account, &self.gate, path).nonce();
        call.message.text("out_trade_no", payment.no.as_str());
        let reply = call.send().await?;
        if let crate::call::Reply::Unsigned(text) = &reply
            && text.contains(NOT_A_DEDUCTION)
        {
            return Ok(Told::AskGeneral);
        }
        match reply.signed()? {
            Ok(message) => Ok(Told::Order(self.read_order(payment, &message)?)),
            Err((failure, _)) if failure.text.contains(NOT_A_DEDUCTION) => Ok(Told::AskGeneral),
            Err((failure, message)) => match failure.row(Asked::QueryOrder).map(|row| row.class) {
                Some(Class::Done) => Ok(Told::Order(Order::absent())),
                // A failed query may still tell that the order failed; nothing else is believed of it.
                _ => match message.get("trade_state").and_then(failed) {
                    Some(_) => Ok(Told::Order(self.read_order(payment, &message)?)),
                    None => Err(maybe(failure.line())),
                },
            },
        }
    }

    fn read_order(&self, payment: &PaymentRef, message: &Message) -> Result<Order, CallError> {
        if message.get("out_trade_no") != Some(payment.no.as_str()) || other_shop(&self.account, message) {
            return Err(maybe("the answer is about another order"));
        }
        if message.get("total_fee").is_some() && message.amount("total_fee") != Some(payment.amount) {
            return Err(maybe("the answer tells another amount"));
        }
        let Some(state) = message.get("trade_state") else {
            return Err(maybe("an answer without trade_state"));
        };
        let standing = match state {
            "SUCCESS" | "REFUND" => {
                let paid = paid(message).map(Standing::Paid);
                paid.ok_or_else(|| maybe("a paid order without number, amount or time"))?
            }
            state => failed(state).map_or(Standing::Pending, |state| Standing::NotPaid(outcome(message, state))),
        };
        Ok(Order {
            standing,
            state: state.to_owned(),
            was_paid: message.get("transaction_id").is_some(),
        })
    }
}

/// The final states in which nothing was paid, or nothing is any more.
pub(crate) fn failed(state: &str) -> Option<&'static str> {
    ["PAY_FAIL", "PAYERROR", "CLOSED", "REVOKED"]
        .into_iter()
        .find(|failed| *failed == state)
}

/// The payment that a message of success tells of.
pub(crate) fn paid(message: &Message) -> Option<Paid> {
    let amount = message.amount("total_fee")?;
    let coupon = match message.get("coupon_fee") {
        Some(_) => message.amount("coupon_fee")?,
        None => Fen::ZERO,
    };
    if other(message, "fee_type", "CNY") || coupon > amount || amount.is_zero() {
        return None;
    }
    Some(Paid {
        channel_no: message.get("transaction_id")?.to_owned(),
        amount,
        coupon,
        paid_at: message.time("time_end")?,
    })
}

/// Why an order ended unpaid.
fn outcome(message: &Message, state: &str) -> Refusal {
    let failure = Failure {
        code: normal(message.get("err_code").unwrap_or_default()),
        text: message
            .get("err_code_des")
            .or_else(|| message.get("trade_state_desc"))
            .unwrap_or_default()
            .to_owned(),
    };
    match failure.row(Asked::Outcome) {
        Some(row) if row.class == Class::Final => failure.refusal(row.hint),
        _ => Refusal {
            code: state.to_owned(),
            text: failure.text,
            hint: Hint::None,
        },
    }
}
