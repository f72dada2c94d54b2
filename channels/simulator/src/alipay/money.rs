//! Yuan on the wire, fen inside (alipay reference, section 10).

use serde_json::Value;

/// The largest amount of one trade, in fen.
const FEN_MAX: u64 = 10_000_000_000;

/// An amount as the gateway writes it: always two decimals.
pub(super) fn yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

/// Reads an amount of 0.01 to 100000000.00 yuan from a string or a JSON number with at most two decimals.
pub(super) fn fen(value: &Value) -> Option<u64> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, "0"));
    let digits = |part: &str, len_max: usize| {
        !part.is_empty() && part.len() <= len_max && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(whole, 9) || !digits(decimals, 2) {
        return None;
    }
    let fen = whole.parse::<u64>().ok()? * 100 + format!("{decimals:0<2}").parse::<u64>().ok()?;
    (1..=FEN_MAX).contains(&fen).then_some(fen)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_written_with_two_decimals() {
        let written = [1, 10, 100, 450, 10_000_000_000].map(yuan);
        assert_eq!(written, ["0.01", "0.10", "1.00", "4.50", "100000000.00"]);
    }

    #[test]
    fn amounts_are_read_without_loss_or_not_at_all() {
        let read = |value: Value| fen(&value);
        assert_eq!(read(json!("4.50")), Some(450));
        assert_eq!(read(json!("0.1")), Some(10));
        assert_eq!(read(json!(4.5)), Some(450));
        assert_eq!(read(json!(12)), Some(1200));
        assert_eq!(read(json!("100000000.00")), Some(10_000_000_000));
        for wrong in [
            "1.005",
            "0.00",
            "-1",
            "+1",
            "1e2",
            "",
            " 1",
            "1.",
            ".5",
            "100000000.01",
            "1,000",
        ] {
            assert_eq!(read(json!(wrong)), None, "{wrong:?}");
        }
        assert_eq!(read(json!(null)), None);
    }
}
