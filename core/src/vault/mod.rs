//! Encryption of what must not be read from a stolen database, and keyed hashes for what must still be found in it.
//!
//! One master key, from outside; under it data keys, stored wrapped and versioned for each [`Purpose`]; under them the
//! values. A value is bound to its place (table, column, row), so it cannot be moved to another. No database here:
//! the caller keeps the rows of `data_key` and the texts that [`Vault::seal`] gives.

mod envelope;
mod index;
mod keys;
mod master;
mod seal;

use std::fmt;

pub use self::envelope::Place;
pub use self::index::IndexPurpose;
pub use self::keys::{DataKeyRow, Vault};
pub use self::master::{EXAMPLE_MASTER_KEY, MasterKey};
use crate::problem::Problem;

/// What a data key protects; keys of different purposes are rotated apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Parameters of channel accounts: API keys, private keys.
    ChannelConfig,
    /// Secrets that merchants share with us: API keys, webhook keys.
    MerchantSecret,
    /// Personal data: phones, names, document numbers.
    Personal,
    /// Contract numbers and buyer ids at channels.
    Contract,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::ChannelConfig,
        Self::MerchantSecret,
        Self::Personal,
        Self::Contract,
    ];

    /// The word under which it is stored.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ChannelConfig => "channel_config",
            Self::MerchantSecret => "merchant_secret",
            Self::Personal => "personal",
            Self::Contract => "contract",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.word() == word)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why the vault refused. A value that does not open gives one answer for every cause, so that the answer teaches
/// nothing to one who tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The master key's text is not 32 bytes in hex or base64.
    #[error("the master key must be 32 bytes, written in hex or base64")]
    MasterMalformed,
    /// The master key was typed, follows a pattern or stands in the documentation.
    #[error("the master key is guessable; generate a random one")]
    MasterWeak,
    /// A stored data key is damaged, or was wrapped under another master key.
    #[error("a data key does not open under this master key")]
    DataKeyRefused,
    /// Two data keys share an id, or a purpose and version.
    #[error("a data key for {0} is listed twice")]
    DataKeyTwice(Purpose),
    /// There is no data key to seal with.
    #[error("there is no data key for {0}")]
    NoDataKey(Purpose),
    /// Nothing could be encrypted: the value is larger than the cipher takes.
    #[error("the value cannot be sealed")]
    NotSealed,
    /// The value does not open at this place under the keys at hand.
    #[error("the sealed value does not open")]
    Unreadable,
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        Self::fault(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_purpose_is_read_back_from_its_word() {
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::parse(purpose.word()), Some(purpose));
        }
        assert_eq!(Purpose::parse("Personal"), None);
    }
}
