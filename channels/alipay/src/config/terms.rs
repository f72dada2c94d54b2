//! What flows read of a configuration: everything but its keys.

use std::time::Duration;

use super::{AlipayConfig, IdentityScope, SignChannel};

/// What the account is signed up for: the configuration without its keys.
#[derive(Debug)]
pub(crate) struct Terms {
    /// The calling app.
    pub(crate) app_id: String,
    /// The merchant's PID, where it was given.
    pub(crate) seller_id: Option<String>,
    /// For whom a service provider's app acts.
    pub(crate) provider: Option<Provider>,
    /// The sales product of deductions.
    pub(crate) product_code: String,
    /// The product of the user's agreement.
    pub(crate) personal_product_code: String,
    /// The scene of the agreement.
    pub(crate) sign_scene: String,
    /// How the user gets to the signing page.
    pub(crate) sign_channel: SignChannel,
    /// The sales product of payments by payment code, where the account has it.
    pub(crate) payment_code: Option<String>,
    /// What users are asked to tell.
    pub(crate) identity_scope: IdentityScope,
    /// Where they are asked.
    pub(crate) authorize_url: String,
}

/// A service provider's app acting for a merchant (alipay reference, 3.8).
#[derive(Debug)]
pub(crate) struct Provider {
    /// The merchant's own app.
    pub(crate) auth_app_id: String,
    /// The service provider's PID, where it was given.
    pub(crate) pid: Option<String>,
}

impl From<AlipayConfig> for Terms {
    fn from(config: AlipayConfig) -> Self {
        let pid = config.service_provider_id;
        Self {
            app_id: config.app_id,
            seller_id: config.seller_id,
            provider: config.auth_app_id.map(|auth_app_id| Provider { auth_app_id, pid }),
            product_code: config.product_code,
            personal_product_code: config.personal_product_code,
            sign_scene: config.sign_scene,
            sign_channel: config.sign_channel,
            payment_code: config.payment_code.then_some(config.payment_code_product),
            identity_scope: config.identity_scope,
            authorize_url: config.authorize_url,
        }
    }
}

/// How long calls may take (alipay reference, 10).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// A deduction.
    pub(crate) pay: Duration,
    /// A query.
    pub(crate) query: Duration,
    /// Whatever undoes something.
    pub(crate) refund: Duration,
}
