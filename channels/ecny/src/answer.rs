//! What answers and notifications say, and how much of it is about our question.

use metropay_core::channel::{CallError, Hint, Outcome, Paid, Refunded, Refusal, Standing};
use metropay_core::clock::Time;
use metropay_core::money::Fen;
use serde::Deserialize;

use crate::call::maybe;

/// An answer, or the content of a notification.
#[derive(Debug, Deserialize)]
pub(crate) struct Said {
    pub(crate) merchant_no: String,
    #[serde(default)]
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) order: Option<Order>,
    #[serde(default)]
    pub(crate) refund: Option<Refund>,
    #[serde(default)]
    pub(crate) contract: Option<Contract>,
    #[serde(default)]
    pub(crate) page: Option<String>,
    #[serde(default)]
    pub(crate) bill: Option<BillFile>,
    #[serde(default)]
    pub(crate) user: Option<String>,
}

/// How an order stands.
#[derive(Debug, Deserialize)]
pub(crate) struct Order {
    pub(crate) no: String,
    pub(crate) ecny_no: String,
    pub(crate) state: String,
    /// Left out of an order that was closed before it came.
    #[serde(default)]
    pub(crate) amount_fen: Option<u64>,
    pub(crate) currency: String,
    pub(crate) at_ms: i64,
    /// The number of the movement by which all of it was undone.
    #[serde(default)]
    pub(crate) undone_by: Option<String>,
}

/// How a refund stands.
#[derive(Debug, Deserialize)]
pub(crate) struct Refund {
    pub(crate) no: String,
    pub(crate) payment_no: String,
    pub(crate) ecny_no: String,
    pub(crate) state: String,
    pub(crate) amount_fen: u64,
    pub(crate) currency: String,
    pub(crate) at_ms: i64,
}

/// How a contract stands.
#[derive(Debug, Deserialize)]
pub(crate) struct Contract {
    pub(crate) no: String,
    pub(crate) handle: String,
    pub(crate) state: String,
    pub(crate) wallet: String,
    pub(crate) at_ms: i64,
}

/// Where a bill is, and what proves it.
#[derive(Debug, Deserialize)]
pub(crate) struct BillFile {
    pub(crate) day: String,
    pub(crate) path: String,
    pub(crate) rows: u64,
    pub(crate) sha256: String,
}

impl Said {
    /// The error for a code that proves nothing about what was asked.
    pub(crate) fn doubt(&self) -> CallError {
        CallError::MaybeDone(format!("{}: {}", self.code, self.text))
    }

    /// The refusal, where the code is final: the protocol says so of these, and of the request alone.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let hint = match self.code.as_str() {
            "FUNDS" => Hint::Funds,
            "CONTRACT_INVALID" => Hint::ContractGone,
            "CODE_INVALID" | "NOT_PAID" | "TOO_MUCH" => Hint::None,
            _ => return None,
        };
        Some(Refusal {
            code: self.code.clone(),
            text: self.text.clone(),
            hint,
        })
    }
}

impl Order {
    /// How this order stands, if it is the one that was asked about.
    pub(crate) fn standing(&self, no: &str, amount: Fen) -> Result<Standing, CallError> {
        if self.no != no || self.currency != "CNY" {
            return Err(maybe("the answer is about another order or currency"));
        }
        if self.amount_fen.is_some_and(|told| told != amount.get()) {
            return Err(maybe("the answer tells another amount"));
        }
        match self.state.as_str() {
            "PAID" => self
                .paid()
                .map(Standing::Paid)
                .ok_or_else(|| maybe("a paid order without amount")),
            "WAITING" => Ok(Standing::Pending),
            "FAILED" | "CLOSED" => Ok(Standing::NotPaid(Refusal {
                code: self.state.clone(),
                text: String::new(),
                hint: Hint::None,
            })),
            _ => Err(maybe("an order in a state that is not documented")),
        }
    }

    /// The payment that a paid order tells of.
    pub(crate) fn paid(&self) -> Option<Paid> {
        let amount = Fen::new(self.amount_fen?).ok().filter(|amount| !amount.is_zero())?;
        Some(Paid {
            channel_no: self.ecny_no.clone(),
            amount,
            coupon: Fen::ZERO,
            paid_at: Time(self.at_ms),
        })
    }
}

/// What a standing means as the outcome of the order that made it.
pub(crate) fn outcome(standing: Standing) -> Outcome<Paid> {
    match standing {
        Standing::Paid(paid) => Outcome::Done(paid),
        Standing::NotPaid(refusal) => Outcome::Refused(refusal),
        Standing::Pending | Standing::Absent => Outcome::Pending,
    }
}

impl Refund {
    /// Whether this is the refund that was asked about.
    pub(crate) fn is(&self, no: &str, payment_no: &str, amount: Fen) -> bool {
        self.no == no && self.payment_no == payment_no && self.amount_fen == amount.get() && self.currency == "CNY"
    }

    /// The money that a refund that is done gave back.
    pub(crate) fn refunded(&self, amount: Fen) -> Refunded {
        Refunded {
            channel_no: Some(self.ecny_no.clone()),
            amount,
            coupon: Fen::ZERO,
            refunded_at: Time(self.at_ms),
        }
    }
}
