//! The names of what can go wrong, in nobody's protocol.

use std::fmt;
use std::time::Duration;

use metropay_core::money::Fen;

/// What an adapter is asked for, and what a gateway does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Act {
    /// A deduction.
    Deduct,
    /// A payment by the channel's own code.
    PayByCode,
    /// The question about a payment.
    Query,
    /// The undoing of a payment: whichever calls that takes.
    Reverse,
    /// A refund.
    Refund,
    /// The question about a refund.
    QueryRefund,
    /// The preparation of a signing.
    Sign,
    /// The question about a contract.
    QueryContract,
    /// The end of a contract, asked for by us.
    CloseContract,
    /// A notification.
    Notify,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deduct => "deduction",
            Self::PayByCode => "payment by code",
            Self::Query => "query",
            Self::Reverse => "reversal",
            Self::Refund => "refund",
            Self::QueryRefund => "refund query",
            Self::Sign => "signing",
            Self::QueryContract => "contract query",
            Self::CloseContract => "contract closing",
            Self::Notify => "notification",
        })
    }
}

/// What only a gateway can play, because it takes its words or its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Acts; the signature of the answer (or notification) does not fit.
    WrongSignature,
    /// Acts; the answer bears no signature.
    NoSignature,
    /// Does not act, and answers its "system error".
    SystemErrorBefore,
    /// Acts, and answers its "system error".
    SystemErrorAfter,
    /// A true signature over another number of ours.
    OtherOrder(String),
    /// A true signature over another amount.
    OtherAmount(Fen),
    /// A true signature over another merchant.
    OtherMerchant,
    /// A true signature over another currency.
    OtherCurrency,
    /// A query says that there is no such thing, although there is.
    Blind,
    /// What is accepted stays in progress so long, then succeeds.
    Pending(Duration),
    /// What is accepted stays in progress so long, then fails.
    FailLater(Duration),
    /// Refuses finally: the payer has not enough, or the like.
    Refuse,
    /// Refuses, finally, a repeat of a number that was paid: at some channels a refusal speaks of the request alone.
    RefuseRepeat,
    /// A notification is sent so many times more.
    Repeated(u32),
    /// A notification is sent so late.
    Late(Duration),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongSignature => "wrong signature",
            Self::NoSignature => "no signature",
            Self::SystemErrorBefore => "system error before acting",
            Self::SystemErrorAfter => "system error after acting",
            Self::OtherOrder(_) => "other order",
            Self::OtherAmount(_) => "other amount",
            Self::OtherMerchant => "other merchant",
            Self::OtherCurrency => "other currency",
            Self::Blind => "blind query",
            Self::Pending(_) => "pending for a while",
            Self::FailLater(_) => "late failure",
            Self::Refuse => "final refusal",
            Self::RefuseRepeat => "final refusal of a repeat",
            Self::Repeated(_) => "repeated notice",
            Self::Late(_) => "late notice",
        })
    }
}

/// What can be wrong with a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BillFault {
    /// Not made yet.
    NotReady,
    /// Cut off in the middle.
    CutOff,
    /// Every row stands twice.
    Doubled,
    /// The row of this movement is missing.
    Missing(String),
    /// A row more, of a payment that never was.
    Extra(String, Fen),
    /// The row of this movement has another amount.
    Amount(String, Fen),
    /// The row of this movement has another fee, in fen.
    Fee(String, Fen),
    /// The row of this movement has another state.
    State(String),
}

impl fmt::Display for BillFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotReady => "not ready",
            Self::CutOff => "cut off",
            Self::Doubled => "doubled",
            Self::Missing(_) => "missing row",
            Self::Extra(..) => "extra row",
            Self::Amount(..) => "other amount",
            Self::Fee(..) => "other fee",
            Self::State(_) => "other state",
        })
    }
}
