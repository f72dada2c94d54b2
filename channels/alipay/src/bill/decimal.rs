//! Decimal texts of a bill as whole numbers, never through floating point.

use metropay_core::money::Fen;

/// Yuan with a sign and up to five decimals, in thousandths of a fen. Nothing at all is nothing.
pub(super) fn milli_fen(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.as_bytes().first() {
        None => return Some(0),
        Some(b'-') => (true, text.get(1..)?),
        Some(b'+') => (false, text.get(1..)?),
        Some(_) => (false, text),
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let decimals = if is_number(decimals) {
        decimals.trim_end_matches('0')
    } else {
        return None;
    };
    if !is_number(whole) || decimals.len() > 5 {
        return None;
    }
    let mut parts: i64 = decimals
        .parse()
        .or_else(|error| if decimals.is_empty() { Ok(0) } else { Err(error) })
        .ok()?;
    for _ in decimals.len()..5 {
        parts = parts.checked_mul(10)?;
    }
    let yuan: i64 = whole.parse().ok()?;
    let amount = yuan.checked_mul(100_000)?.checked_add(parts)?;
    if is_negative {
        amount.checked_neg()
    } else {
        Some(amount)
    }
}

/// Yuan with a sign, in whole fen.
pub(super) fn fen(text: &str) -> Option<i64> {
    let milli_fen = milli_fen(text)?;
    (milli_fen.checked_rem(1_000)? == 0).then(|| milli_fen.checked_div(1_000))?
}

/// The amount behind a sign.
pub(super) fn unsigned(text: &str) -> Option<Fen> {
    Fen::new(fen(text)?.unsigned_abs()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_read_as_they_are_written() {
        for (text, expected) in [
            ("", Some(0)),
            ("0.00", Some(0)),
            ("-0.02", Some(-2_000)),
            ("+4.50", Some(450_000)),
            ("4.5", Some(450_000)),
            ("4", Some(400_000)),
            ("0.00001", Some(1)),
            ("-0.0270", Some(-2_700)),
            ("100000000.00", Some(10_000_000_000_000)),
            ("0.000001", None),
            ("-", None),
            ("4.", None),
            (".5", None),
            ("1,000.00", None),
            ("4e2", None),
            ("--1", None),
            ("元", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(milli_fen(text), expected, "{text}");
        }
        assert_eq!((fen("-4.50"), fen("4.505")), (Some(-450), None));
        assert_eq!(unsigned("-4.50"), Fen::new(450).ok());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_stumble(text in r"\PC{0,30}|[-+0-9.]{0,40}") {
            let _ = (milli_fen(&text), fen(&text), unsigned(&text));
        }

        #[test]
        fn amounts_survive(fen_before in -1_000_000_000_000i64..1_000_000_000_000) {
            let amount = Fen::new(fen_before.unsigned_abs()).unwrap().yuan();
            let text = if fen_before < 0 { format!("-{amount}") } else { amount };
            prop_assert_eq!(fen(&text), Some(fen_before));
        }
    }
}
