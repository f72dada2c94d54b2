//! The duties that the contract with channels imposes, by name: what `metropay-core` says in words, and what holds it here.

/// A duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duty {
    /// Its name: a letter for the page on which it stands, and its number there.
    pub id: &'static str,
    /// The file of `metropay-core` that imposes it.
    pub file: &'static str,
    /// How its text begins there.
    pub begins: &'static str,
}

/// All duties, in the order in which they are imposed.
pub const DUTIES: &[Duty] = &[
    duty("C1", CHANNEL, "MUST send our number with every money call"),
    duty(
        "C2",
        CHANNEL,
        "MUST answer [`Outcome::Done`] only on a verified message",
    ),
    duty("C3", CHANNEL, "MUST answer [`Outcome::Refused`] only where"),
    duty("C4", CHANNEL, "MUST return [`CallError::NotSent`] only when"),
    duty(
        "C5",
        CHANNEL,
        "MUST take an unreadable, unsigned or wrongly signed answer",
    ),
    duty("C6", CHANNEL, "MUST compare number, merchant, amount and currency"),
    duty("C7", CHANNEL, "MUST make [`Channel::reverse`] re-entrant and stateless"),
    duty("C8", CHANNEL, "MUST NOT retry a money call by itself"),
    duty("C9", CHANNEL, "MUST verify a notification over its raw bytes"),
    duty("P1", CODE_PAY, "MUST send the code unchanged"),
    duty("P2", CODE_PAY, "MUST answer [`Outcome::Pending`]"),
    duty("P3", CODE_PAY, "MUST, for a repeat of the same question"),
    duty("B1", BILL, "MUST check what the file offers as a proof of itself"),
    duty("B2", BILL, "MUST NOT hold a file in memory"),
    duty("B3", BILL, "MUST tell \"not made yet\" apart"),
    duty("B4", BILL, "MUST read amounts as decimal text"),
    duty("I1", IDENTITY, "Duty: an id is told only from the channel's own answer"),
];

const CHANNEL: &str = "core/src/channel.rs";
const CODE_PAY: &str = "core/src/channel/code_pay.rs";
const BILL: &str = "core/src/channel/bill.rs";
const IDENTITY: &str = "core/src/channel/identity.rs";

const fn duty(id: &'static str, file: &'static str, begins: &'static str) -> Duty {
    Duty { id, file, begins }
}
