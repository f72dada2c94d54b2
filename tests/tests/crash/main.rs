//! Servers that die: killed as by `kill -9` between any two steps of a payment, a refund and a reversal, and started again.
//!
//! Each case has gateways that outlive the server, and servers that are processes of their own. A server is started with a
//! fail point at which it kills itself, or is killed from outside where the point is a gateway's silence; a case in which
//! it does not die there fails. Then a server is started again, the till repeats its request, or only asks, or does nothing,
//! and everything must come to its one end: each order debited at most once, each refund made once, a reversed order worth
//! nothing, the App told of each thing once, and the books sound.

mod crowd;
mod events;
mod ground;
mod notice;
mod payment;
mod refund;
mod reversal;
mod stop;
mod till;

use metropay_simulator::Effect;

/// What the till does after the server was started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// It sends the same request again until it is told the end.
    Repeat,
    /// It only asks how the order stands.
    Query,
    /// Nothing: the server finds out by itself, and the App hears of it.
    Nothing,
}

/// What happens to a call of the gateway while the server dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// It was sent, and never arrived.
    Lost,
    /// It arrived and was done, and the answer never came.
    Done,
}

impl Sent {
    /// The line of the fault script: longer than any server of a case lives.
    fn hang(self) -> Effect {
        const MS: u64 = 120_000;
        match self {
            Self::Lost => Effect::HangBefore { ms: MS },
            Self::Done => Effect::HangAfter { ms: MS },
        }
    }
}
