//! The invariants of the books that a stranger can check, by the ids under which the documentation lists them.

use serde::Serialize;

/// An invariant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Invariant {
    /// Every journal sums to zero, and all accounts together.
    #[serde(rename = "INV-01")]
    JournalsSumToZero,
    /// A balance shown (last sealed roll-up plus what came after) is the sum of its entries.
    #[serde(rename = "INV-02")]
    BalancesAreSums,
    /// Sealed entries are chained; none was changed, added or removed.
    #[serde(rename = "INV-03")]
    EntriesAreChained,
    /// At most one standing debit per merchant and `out_request_no`.
    #[serde(rename = "INV-05")]
    OneDebitPerRequest,
    /// At most one debit per code, ever.
    #[serde(rename = "INV-06")]
    OneDebitPerCode,
    /// Refunds done and in progress, and a reversal, never exceed what was paid.
    #[serde(rename = "INV-11")]
    RefundsWithinPayment,
    /// One `out_refund_no`, at most one refund at the channel.
    #[serde(rename = "INV-12")]
    OneRefundPerNumber,
    /// A reversal and refunds exclude each other.
    #[serde(rename = "INV-13")]
    ReversalExcludesRefunds,
    /// Splits conserve: paid = user part + coupon; credited = paid − refunded − fee.
    #[serde(rename = "INV-16")]
    SplitsConserve,
    /// Each change that owes a message has one event, written with it.
    #[serde(rename = "INV-17")]
    ChangesAreOwed,
    /// Every payment pins rule versions, questions and answers; asked again, they answer the same.
    #[serde(rename = "INV-25")]
    DecisionsRepeat,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::JournalsSumToZero,
        Self::BalancesAreSums,
        Self::EntriesAreChained,
        Self::OneDebitPerRequest,
        Self::OneDebitPerCode,
        Self::RefundsWithinPayment,
        Self::OneRefundPerNumber,
        Self::ReversalExcludesRefunds,
        Self::SplitsConserve,
        Self::ChangesAreOwed,
        Self::DecisionsRepeat,
    ];

    /// Its id.
    pub const fn id(self) -> &'static str {
        match self {
            Self::JournalsSumToZero => "INV-01",
            Self::BalancesAreSums => "INV-02",
            Self::EntriesAreChained => "INV-03",
            Self::OneDebitPerRequest => "INV-05",
            Self::OneDebitPerCode => "INV-06",
            Self::RefundsWithinPayment => "INV-11",
            Self::OneRefundPerNumber => "INV-12",
            Self::ReversalExcludesRefunds => "INV-13",
            Self::SplitsConserve => "INV-16",
            Self::ChangesAreOwed => "INV-17",
            Self::DecisionsRepeat => "INV-25",
        }
    }

    /// What it says.
    pub const fn says(self) -> &'static str {
        match self {
            Self::JournalsSumToZero => "every journal sums to zero, and all accounts together",
            Self::BalancesAreSums => "every balance is the sum of its entries",
            Self::EntriesAreChained => "sealed entries are chained; none was changed, added or removed",
            Self::OneDebitPerRequest => "at most one standing debit per merchant and out_request_no",
            Self::OneDebitPerCode => "at most one debit per code, ever",
            Self::RefundsWithinPayment => "refunds and reversal never exceed what was paid",
            Self::OneRefundPerNumber => "one out_refund_no, at most one refund",
            Self::ReversalExcludesRefunds => "a reversal and refunds exclude each other",
            Self::ChangesAreOwed => {
                "every change that a merchant is owed to hear of is owed once, and was taken, was given up, or waits to be told"
            }
            Self::DecisionsRepeat => "every payment's rules, asked again, decide the same",
            Self::SplitsConserve => "paid = user part + coupon; credited = paid - refunded - fee",
        }
    }
}
