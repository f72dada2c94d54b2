//! What the demo hands out: `credentials.json`, readable by its owner only.

use metropay_core::people::PublicKey;
use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// Where the server is.
    pub base_url: String,
    /// Where the simulators are.
    pub simulator_url: String,
    /// Merchants with their stores and keys.
    pub merchants: Vec<DemoMerchant>,
    /// Users with tokens of the demo's App.
    pub users: Vec<DemoUser>,
    /// The keys with which answers are signed.
    pub platform_public_keys: Vec<PublicKey>,
}

/// A merchant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DemoMerchant {
    /// Its number.
    pub mch_id: String,
    /// Its stores.
    pub store_ids: Vec<String>,
    /// Its keys, one of each algorithm.
    pub credentials: Vec<DemoCredential>,
}

/// A key of a merchant.
#[derive(Clone, Serialize, Deserialize)]
pub struct DemoCredential {
    /// Its serial number.
    pub serial: String,
    /// Its algorithm.
    pub algorithm: String,
    /// HMAC: the secret.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub secret: Option<String>,
    /// Others: the private key, PKCS#8 PEM.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub private_key_pem: Option<String>,
}

impl std::fmt::Debug for DemoCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoCredential")
            .field("serial", &self.serial)
            .field("algorithm", &self.algorithm)
            .finish()
    }
}

/// A user.
#[derive(Clone, Serialize, Deserialize)]
pub struct DemoUser {
    /// The App's number of the user.
    pub uid: String,
    /// A token of the demo's App, good for a day.
    pub app_token: String,
}

impl std::fmt::Debug for DemoUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoUser")
            .field("uid", &self.uid)
            .finish_non_exhaustive()
    }
}
