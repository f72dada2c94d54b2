//! Where the platform may call merchants' servers: their membership systems, and where notices go.

use std::path::PathBuf;

use anyhow::{Context, Result};
use metropay_core::network::Network;
use metropay_outbound::guard::{AddressPolicy, Guard, GuardSettings};
use serde::Deserialize;

/// What holds for addresses that merchants give (ADR 14).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MerchantCallsConfig {
    /// Networks that may be called although they are not public, by `http` and at any port too.
    pub allowed_networks: Vec<Network>,
    /// The platform's own addresses: never called, whatever is allowed.
    pub own_networks: Vec<Network>,
    /// PEM certificates that servers' are checked against; absent means the machine's own.
    pub roots_pem_file: Option<PathBuf>,
}

impl MerchantCallsConfig {
    /// The client for such addresses, counted as calls to this peer.
    ///
    /// # Errors
    /// When the certificates cannot be read.
    pub fn guard(&self, peer: &'static str) -> Result<Guard> {
        let roots_pem = self.roots_pem_file.as_ref().map(|file| {
            std::fs::read(file).with_context(|| format!("merchant_calls.roots_pem_file: {}", file.display()))
        });
        let settings = GuardSettings {
            peer,
            addresses: self.policy(),
            roots_pem: roots_pem.transpose()?,
            ..GuardSettings::default()
        };
        Guard::new(&settings).context("merchant_calls")
    }

    fn policy(&self) -> AddressPolicy {
        AddressPolicy {
            allowed: self.allowed_networks.clone(),
            own: self.own_networks.clone(),
        }
    }

    /// Whether this machine itself may be called: what no production may.
    pub(super) fn allows_this_machine(&self) -> bool {
        let mine = [
            std::net::IpAddr::from(std::net::Ipv4Addr::LOCALHOST),
            std::net::IpAddr::from(std::net::Ipv6Addr::LOCALHOST),
        ];
        let allows = |network: &Network| mine.iter().any(|address| network.contains(*address));
        self.allowed_networks.iter().any(allows)
    }
}
