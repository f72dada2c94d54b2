//! Who pays: user ids and the masked login names that the gateway shows.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// The person who signs when nobody else is named.
pub(super) const DEFAULT_USER_ID: &str = "2088000000000099";

/// The Alipay user id of whoever is named by a user id, a mobile number or any other name; always the same for a name.
pub(super) fn user_id(name: &str) -> String {
    let name = name.trim();
    let digits = name.bytes().all(|byte| byte.is_ascii_digit());
    if name.is_empty() {
        return DEFAULT_USER_ID.to_owned();
    }
    if digits && name.len() == 16 && name.starts_with("2088") {
        return name.to_owned();
    }
    if digits && name.len() == 11 {
        return format!("20880{name}");
    }
    let hash = Sha256::digest(name.as_bytes());
    let number = hash
        .iter()
        .take(7)
        .fold(0_u64, |sum, byte| sum * 256 + u64::from(*byte));
    format!("20889{:011}", number % 100_000_000_000)
}

/// The login name as merchants see it.
pub(super) fn logon_id(user_id: &str) -> String {
    if user_id == DEFAULT_USER_ID {
        return "159****5620".to_owned();
    }
    let digits = &user_id[user_id.len().saturating_sub(11)..];
    let (head, tail) = (digits.get(..3).unwrap_or_default(), digits.get(7..).unwrap_or_default());
    format!("{head}****{tail}")
}

/// The name of a user within one app: another app knows him under another (section 7).
pub(super) fn open_id(app_id: &str, user_id: &str) -> String {
    let hash = Sha256::digest(format!("{app_id}/{user_id}"));
    format!("0{}", &URL_SAFE_NO_PAD.encode(hash).replace(['-', '_'], "x"))
}

/// The name as bills show it, mostly masked.
pub(super) fn masked_name(user_id: &str) -> String {
    const ENDINGS: [&str; 8] = ["红", "明", "伟", "芳", "静", "强", "磊", "洋"];
    let last = user_id.bytes().last().map_or(0, usize::from);
    let logon = logon_id(user_id);
    let (head, tail) = (logon.get(..3).unwrap_or_default(), logon.get(9..).unwrap_or_default());
    format!("**{}({head}******{tail})", ENDINGS[last % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_always_means_the_same_user() {
        assert_eq!(user_id("2088000000000123"), "2088000000000123");
        assert_eq!(user_id("13812345678"), "2088013812345678");
        assert_eq!(user_id("小明"), user_id(" 小明 "));
        assert_ne!(user_id("小明"), user_id("小红"));
        assert_eq!(user_id("小明").len(), 16);
        assert_eq!(user_id(""), DEFAULT_USER_ID);
    }

    #[test]
    fn login_names_are_masked() {
        assert_eq!(logon_id(DEFAULT_USER_ID), "159****5620");
        assert_eq!(logon_id("2088013812345678"), "138****5678");
    }

    #[test]
    fn every_app_knows_a_user_under_a_name_of_its_own() {
        let name = open_id("2021000000000001", DEFAULT_USER_ID);
        assert_eq!(name, open_id("2021000000000001", DEFAULT_USER_ID));
        assert_ne!(name, open_id("2021000000000002", DEFAULT_USER_ID));
        assert!(
            name.len() == 44 && name.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{name}"
        );
    }

    #[test]
    fn bills_mask_names() {
        assert_eq!(masked_name(DEFAULT_USER_ID), "**明(159******20)");
    }
}
