//! The numbers and names by which things are known. Each is a type of its own, so that none is taken for another.

use std::fmt;

use schemars::JsonSchema;
use sea_orm::{DeriveValueType, TryFromU64};
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, Time};
use crate::random::Random;

/// Letters of the numbers we make: capitals and digits, which every channel accepts.
const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// Declares text identifiers; each is a string in the database and in JSON.
macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, DeriveValueType)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    )*};
}

text_ids! {
    /// A merchant.
    MchId,
    /// A store of a merchant, in the merchant's own numbering (for example `SZTX001`).
    StoreId,
    /// The serial number of a credential (API key or certificate).
    Serial,
    /// A user, by the App's own number.
    Uid,
    /// A channel: `wechat`, `alipay`, `unionpay`, …
    ChannelId,
    /// A merchant's account with a channel.
    AccountId,
    /// A consumption code: the payment id of the source (支付 ID), known to the App before any order.
    CodeId,
    /// A mandate.
    MandateId,
    /// A contract at a channel; it is also our number of it there (letters and digits, at most 32).
    ContractNo,
    /// A payment: `pay_out_trade_no`, also its number at the channel (capitals and digits, at most 32).
    PayNo,
    /// A refund: `pay_refund_id`, also its number at the channel (capitals and digits, at most 32).
    RefundNo,
    /// A reversal, also its number at the channel (capitals and digits, at most 32).
    ReversalNo,
    /// A rule: one version at one level.
    RuleNo,
    /// The merchant's own number of a payment.
    OutRequestNo,
    /// The merchant's own number of a refund.
    OutRefundNo,
}

/// A fresh number: one letter, the China time to the millisecond, and twelve random letters — 30 in all. Never reused,
/// and unique without any two clocks agreeing.
fn number(prefix: char, now: Time, random: &dyn Random) -> String {
    format!(
        "{prefix}{}{}",
        now.in_china().format("%Y%m%d%H%M%S%3f"),
        random.letters(12, ALPHABET)
    )
}

impl PayNo {
    /// A fresh payment number.
    pub fn fresh(clock: &dyn Clock, random: &dyn Random) -> Self {
        Self(number('P', clock.now(), random))
    }
}

impl RefundNo {
    /// A fresh refund number.
    pub fn fresh(clock: &dyn Clock, random: &dyn Random) -> Self {
        Self(number('R', clock.now(), random))
    }
}

impl ReversalNo {
    /// A fresh reversal number.
    pub fn fresh(clock: &dyn Clock, random: &dyn Random) -> Self {
        Self(number('V', clock.now(), random))
    }
}

impl RuleNo {
    /// A fresh rule number.
    pub fn fresh(clock: &dyn Clock, random: &dyn Random) -> Self {
        Self(number('L', clock.now(), random))
    }
}

impl ContractNo {
    /// A fresh contract number.
    pub fn fresh(clock: &dyn Clock, random: &dyn Random) -> Self {
        Self(number('C', clock.now(), random))
    }
}

impl MandateId {
    /// A fresh mandate id.
    pub fn fresh(clock: &dyn Clock, random: &dyn Random) -> Self {
        Self(number('M', clock.now(), random))
    }
}

impl CodeId {
    /// A fresh code id.
    pub fn fresh(clock: &dyn Clock, random: &dyn Random) -> Self {
        Self(number('Q', clock.now(), random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::random::SystemRandom;

    #[test]
    fn numbers_fit_every_channel() {
        let no = PayNo::fresh(&SystemClock, &SystemRandom);
        assert_eq!(no.0.len(), 30);
        assert!(no.0.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()));
        assert_ne!(no, PayNo::fresh(&SystemClock, &SystemRandom));
    }
}
