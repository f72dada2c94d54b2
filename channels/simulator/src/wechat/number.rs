//! The numbers that the gateway gives out (wechat reference, 11.7).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::NaiveDateTime;
use rand::Rng;
use sha2::{Digest, Sha256};

use crate::clock;
use crate::store::Tx;

const TABLE: &str = "wechat_number";

/// The next number of a row, from 1, never given twice.
pub(super) fn next(tx: &mut Tx<'_>, row: &str) -> u64 {
    let next = tx.get::<u64>(TABLE, row).unwrap_or(0) + 1;
    tx.put(TABLE, row, &next);
    next
}

/// A payment's number: `4200`, 6 digits, the date, 10 digits.
pub(super) fn transaction_id(tx: &mut Tx<'_>, now_ms: i64) -> String {
    format!("4200000000{}{:010}", day(now_ms), next(tx, "transaction"))
}

/// A refund's number: `50`, 9 digits, the date, 10 digits.
pub(super) fn refund_id(tx: &mut Tx<'_>, now_ms: i64) -> String {
    format!("50300000000{}{:010}", day(now_ms), next(tx, "refund"))
}

/// A contract's number, 18 digits that begin with the date.
pub(super) fn contract_id(tx: &mut Tx<'_>, now_ms: i64) -> String {
    format!("{}66{:08}", day(now_ms), next(tx, "contract"))
}

/// How an application knows a user: always the same for this pair.
pub(super) fn openid(appid: &str, user: &str) -> String {
    let text = URL_SAFE_NO_PAD.encode(Sha256::digest(format!("openid of {user} at {appid}")));
    format!("o{}", &text[..27])
}

/// 32 hex characters that nobody can guess.
pub(super) fn token() -> String {
    format!("{:032x}", rand::thread_rng().r#gen::<u128>())
}

/// The day in China, `yyyyMMdd`.
pub(super) fn day(ms: i64) -> String {
    clock::at(ms).format("%Y%m%d").to_string()
}

/// `yyyyMMddHHmmss` in China.
pub(super) fn compact_time(ms: i64) -> String {
    clock::at(ms).format("%Y%m%d%H%M%S").to_string()
}

/// The moment that `yyyyMMddHHmmss` in China names, Unix milliseconds.
pub(super) fn moment(text: &str) -> Option<i64> {
    let digits = text.len() == 14 && text.bytes().all(|b| b.is_ascii_digit());
    let read = NaiveDateTime::parse_from_str(text, "%Y%m%d%H%M%S")
        .ok()
        .filter(|_| digits)?;
    Some(read.and_local_timezone(clock::china()).single()?.timestamp_millis())
}

/// RFC 3339 in China, as APIv3 writes it.
pub(super) fn rfc3339(ms: i64) -> String {
    clock::at(ms).format("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// `YYYY-MM-DD HH:MM:SS` in China.
pub(super) fn spaced_time(ms: i64) -> String {
    clock::at(ms).format("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    const AT_MS: i64 = 1_740_801_690_000;

    #[test]
    fn numbers_have_the_documented_shapes_and_do_not_repeat() {
        let store = Store::open(None).unwrap();
        let mut tx = store.begin();
        assert_eq!(transaction_id(&mut tx, AT_MS), "4200000000202503010000000001");
        assert_eq!(transaction_id(&mut tx, AT_MS), "4200000000202503010000000002");
        assert_eq!(refund_id(&mut tx, AT_MS), "50300000000202503010000000001");
        assert_eq!(contract_id(&mut tx, AT_MS), "202503016600000001");
        assert_eq!(
            (compact_time(AT_MS).as_str(), spaced_time(AT_MS).as_str()),
            ("20250301120130", "2025-03-01 12:01:30")
        );
        assert_eq!(rfc3339(AT_MS), "2025-03-01T12:01:30+08:00");
        assert_eq!((moment("20250301120130"), moment("2025030112013")), (Some(AT_MS), None));
    }

    #[test]
    fn an_openid_belongs_to_the_application_and_the_user() {
        let openid_a = openid("wxa", "小明");
        assert_eq!(openid_a, openid("wxa", "小明"));
        assert_ne!(openid_a, openid("wxb", "小明"));
        assert_ne!(openid_a, openid("wxa", "小红"));
        assert!(openid_a.len() == 28 && openid_a.starts_with('o'));
    }
}
