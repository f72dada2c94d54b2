//! The keys and vectors of the alipay reference, 2, for tests inside the crate.

use metropay_core::secret::Secret;

use crate::config::AlipayConfig;
use crate::keys::Keys;

/// A file of `tests/vectors`, without the newline at its end.
pub(crate) fn vector(name: &str) -> String {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap().trim_end_matches('\n').to_owned()
}

/// The account of the vectors.
pub(crate) fn config() -> AlipayConfig {
    let mut config: AlipayConfig = serde_json::from_value(serde_json::json!({
        "app_id": "2021000000000001",
        "app_private_key": "",
        "alipay_public_key": vector("alipay_public.pem"),
        "sign_scene": "INDUSTRY|METRO",
    }))
    .unwrap();
    config.app_private_key = Secret::from(vector("app_private.pem"));
    config
}

/// Its keys.
pub(crate) fn keys() -> Keys {
    Keys::parse(&config()).unwrap()
}
