//! Amounts of bills: yuan as decimal text, into whole units (wechat reference, 6.2).

/// Reads yuan into units of 10⁻`decimals` yuan. A sign may stand in front; further decimals must be zeros.
pub(super) fn units(text: &str, decimals: usize) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return None;
    }
    let part = part.trim_end_matches('0');
    if part.len() > decimals {
        return None;
    }
    let number: i64 = format!("{whole}{part:0<decimals$}").parse().ok()?;
    Some(if negative { number.checked_neg()? } else { number })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_to_the_last_decimal_and_never_rounded() {
        for (text, decimals, expected) in [
            ("48", 2, Some(4_800)),
            ("45.0", 2, Some(4_500)),
            ("12.80", 2, Some(1_280)),
            ("0.00", 2, Some(0)),
            ("-3.00", 2, Some(-300)),
            ("0.08000", 5, Some(8_000)),
            ("-0.02000", 5, Some(-2_000)),
            ("0.00001", 5, Some(1)),
            ("12.345", 2, None),
            ("0.000001", 5, None),
            ("", 2, None),
            (".5", 2, None),
            ("1.", 2, None),
            ("+1", 2, None),
            ("--1", 2, None),
            ("1e3", 2, None),
            ("1,000.00", 2, None),
            (" 1", 2, None),
            ("١", 2, None),
            ("99999999999999999999", 2, None),
        ] {
            assert_eq!(units(text, decimals), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_no_text_makes_it_fall(fen in -9_000_000_000_000_000i64..9_000_000_000_000_000, text in "\\PC{0,30}") {
            let sign = if fen < 0 { "-" } else { "" };
            let fen_abs = fen.unsigned_abs();
            prop_assert_eq!(units(&format!("{sign}{}.{:02}", fen_abs / 100, fen_abs % 100), 2), Some(fen));
            let _ = units(&text, 2);
        }
    }
}
