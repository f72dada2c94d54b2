//! What can be wrong with a configuration, in words that name the field.

use std::time::Duration;

use metropay_core::channel::ConfigError;

use super::{AlipayConfig, Timeouts};

impl AlipayConfig {
    /// Checks everything but the keys, which are checked where they are parsed.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first field that cannot work.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if !is_app(&self.app_id) {
            return Err(wrong("app_id", "must be the app's number, digits only (usually 16)"));
        }
        if self.seller_id.as_deref().is_some_and(|pid| !is_pid(pid)) {
            return Err(wrong(
                "seller_id",
                "must be the merchant's PID: 16 digits beginning with 2088",
            ));
        }
        check_address("gateway_url", &self.gateway_url)?;
        check_address("authorize_url", &self.authorize_url)?;
        self.check_provider()?;
        for (field, code) in [
            ("product_code", &self.product_code),
            ("personal_product_code", &self.personal_product_code),
            ("payment_code_product", &self.payment_code_product),
        ] {
            if !is_code(code) {
                return Err(wrong(
                    field,
                    "must be a product code: capitals, digits and '_', at most 64",
                ));
            }
        }
        check_scene(&self.sign_scene)?;
        for (field, ms) in [
            ("pay_timeout_ms", self.pay_timeout_ms),
            ("query_timeout_ms", self.query_timeout_ms),
            ("refund_timeout_ms", self.refund_timeout_ms),
        ] {
            if !(1_000..=60_000).contains(&ms) {
                return Err(wrong(field, "must lie between 1000 and 60000 milliseconds"));
            }
        }
        Ok(())
    }

    /// A service provider's app acts for a merchant: both apps must be known, or notices of one merchant would pass for
    /// those of another.
    fn check_provider(&self) -> Result<(), ConfigError> {
        match (&self.app_auth_token, &self.auth_app_id) {
            (Some(_), None) => Err(wrong(
                "auth_app_id",
                "is missing: app_auth_token was given for a merchant's app, whose number is needed to check notices",
            )),
            (None, Some(_)) => Err(wrong(
                "app_auth_token",
                "is missing: auth_app_id names the app of a merchant who must have authorised the service provider's",
            )),
            (Some(_), Some(app)) if !is_app(app) || *app == self.app_id => Err(wrong(
                "auth_app_id",
                "must be the number of the merchant's own app, not of the service provider's",
            )),
            _ => match &self.service_provider_id {
                Some(pid) if !is_pid(pid) => Err(wrong(
                    "service_provider_id",
                    "must be the service provider's PID: 16 digits beginning with 2088",
                )),
                _ => Ok(()),
            },
        }
    }

    /// The timeouts of calls.
    pub(crate) fn timeouts(&self) -> Timeouts {
        let ms = |ms: u32| Duration::from_millis(u64::from(ms));
        Timeouts {
            pay: ms(self.pay_timeout_ms),
            query: ms(self.query_timeout_ms),
            refund: ms(self.refund_timeout_ms),
        }
    }
}

/// A mistake in this field.
pub(crate) fn wrong(field: &str, reason: impl Into<String>) -> ConfigError {
    ConfigError {
        field: field.to_owned(),
        reason: reason.into(),
    }
}

fn is_app(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_pid(text: &str) -> bool {
    text.len() == 16 && text.starts_with("2088") && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_code(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

/// Any host is allowed: the simulator and a proxy of one's own are gateways too (alipay reference, 1.1).
fn check_address(field: &str, text: &str) -> Result<(), ConfigError> {
    let url = url::Url::parse(text).map_err(|_| wrong(field, "is no address"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(wrong(field, "must begin with https:// (or http://) and name a host"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(
            field,
            "must have neither '?' nor '#': the parameters are added to it",
        ));
    }
    Ok(())
}

/// We always send a contract number of our own, and then the scene must not be the default (alipay reference, 3.1).
fn check_scene(scene: &str) -> Result<(), ConfigError> {
    let parts: Vec<&str> = scene.split('|').collect();
    if scene.len() > 64 || parts.len() != 2 || !parts.iter().all(|part| is_code(part)) {
        return Err(wrong(
            "sign_scene",
            "must have the form X|Y, for example INDUSTRY|METRO",
        ));
    }
    if scene == "DEFAULT|DEFAULT" {
        return Err(wrong(
            "sign_scene",
            "must not be DEFAULT|DEFAULT: agreements with a number of our own need the scene that Alipay assigned",
        ));
    }
    Ok(())
}
