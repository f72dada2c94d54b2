//! The algorithms that a credential may have.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};

/// How a credential signs. It belongs to the credential's record; a request can only repeat it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, DeriveValueType,
)]
#[sea_orm(value_type = "String")]
pub enum Algorithm {
    /// HMAC with SHA-256; the key is the secret's own ASCII bytes.
    #[serde(rename = "HMAC-SHA256")]
    HmacSha256,
    /// RSA, PKCS#1 v1.5, SHA-256: for integrators who know it from WeChat Pay.
    #[serde(rename = "RSA-SHA256")]
    RsaSha256,
    /// RSA-PSS, SHA-256, MGF1 with SHA-256, salt of 32 bytes.
    #[serde(rename = "RSA-PSS-SHA256")]
    RsaPssSha256,
    /// Ed25519.
    #[serde(rename = "ED25519")]
    Ed25519,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::HmacSha256, Self::RsaSha256, Self::RsaPssSha256, Self::Ed25519];

    /// The word as it stands in headers and in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::HmacSha256 => "HMAC-SHA256",
            Self::RsaSha256 => "RSA-SHA256",
            Self::RsaPssSha256 => "RSA-PSS-SHA256",
            Self::Ed25519 => "ED25519",
        }
    }

    /// Whether both sides hold the same key, so that answers are signed with it too. Answers to the others carry a
    /// signature of the platform's own key of that kind.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::HmacSha256)
    }
}

/// A word that names no algorithm of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such signature algorithm")]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|it| it.word() == text)
            .ok_or(UnknownAlgorithm)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_algorithm_is_the_same_word_in_headers_json_and_database() {
        for algorithm in Algorithm::ALL {
            let word = algorithm.word();
            assert_eq!(word.parse(), Ok(algorithm));
            assert_eq!(serde_json::to_value(algorithm).unwrap(), word);
            assert_eq!(sea_orm::Value::from(algorithm), sea_orm::Value::from(word));
        }
        for bad in ["", "hmac-sha256", "HMAC-SHA1", "none", "HMAC-SHA256 "] {
            assert_eq!(bad.parse::<Algorithm>(), Err(UnknownAlgorithm), "{bad}");
        }
    }
}
