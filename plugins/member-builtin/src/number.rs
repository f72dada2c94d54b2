//! Numbers of members: made from merchant and user by a keyed hash, so that the same user has the same number with a merchant at
//! every repeat and on every node, and nobody can count the members or find the user by it.
//!
//! A number has 18 digits of its own: among a million members of one merchant two share one with a chance of one in two million.
//! Whoever keeps them must still have them unique.

use aws_lc_rs::hmac;
use metropay_core::id::{MchId, Uid};
use metropay_core::secret::Secret;

/// Letters of the key's secret.
const SECRET_LENGTH: std::ops::RangeInclusive<usize> = 32..=128;
/// 10 to the power of 18.
const MODULUS: u128 = 1_000_000_000_000_000_000;

/// The key cannot make numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret of member numbers must have 32 to 128 visible ASCII letters")]
pub struct NumberKeyRefused;

/// What makes the numbers.
#[derive(Clone)]
pub(crate) struct Numbers(hmac::Key);

impl Numbers {
    pub(crate) fn new(secret: &Secret) -> Result<Self, NumberKeyRefused> {
        let text = secret.expose();
        if SECRET_LENGTH.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())))
        } else {
            Err(NumberKeyRefused)
        }
    }

    /// The number: 18 digits and a check digit (Luhn), for people who read it out or type it in.
    pub(crate) fn number(&self, mch_id: &MchId, uid: &Uid) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        // The length in front keeps two pairs of ids apart whatever letters they have.
        context.update(b"member-number\n");
        context.update(format!("{}\n", mch_id.as_str().len()).as_bytes());
        context.update(mch_id.as_str().as_bytes());
        context.update(uid.as_str().as_bytes());
        let tag = context.sign();
        let wide = tag
            .as_ref()
            .iter()
            .take(16)
            .fold(0u128, |wide, byte| (wide << 8) | u128::from(*byte));
        // 128 bits onto 60: no digit is likelier than another by more than one part in 10^20.
        let digits = format!("{:018}", wide.checked_rem(MODULUS).unwrap_or(0));
        let check = check_digit(&digits);
        format!("{digits}{check}")
    }
}

/// The digit by which the whole passes Luhn's check.
fn check_digit(digits: &str) -> u32 {
    let sum = digits.bytes().rev().enumerate().fold(0u32, |sum, (place, byte)| {
        let digit = u32::from(byte.saturating_sub(b'0'));
        let weighed = match (place.is_multiple_of(2), digit) {
            (false, digit) => digit,
            (true, digit @ 0..=4) => digit.saturating_mul(2),
            (true, digit) => digit.saturating_mul(2).saturating_sub(9),
        };
        sum.saturating_add(weighed)
    });
    10u32
        .saturating_sub(sum.checked_rem(10).unwrap_or(0))
        .checked_rem(10)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn numbers() -> Numbers {
        Numbers::new(&Secret::from("0123456789abcdef0123456789abcdef")).unwrap()
    }

    #[test]
    fn the_check_digit_is_luhns() {
        assert_eq!(check_digit("7992739871"), 3);
        assert_eq!(check_digit("0"), 0);
    }

    #[test]
    fn merchants_and_users_are_kept_apart() {
        let numbers = numbers();
        let mut seen = BTreeSet::new();
        for (mch, uid) in [
            ("1", "23"),
            ("12", "3"),
            ("123", ""),
            ("", "123"),
            ("1", "24"),
            ("1\n2", "3"),
            ("1", "\n23"),
        ] {
            assert!(seen.insert(numbers.number(&mch.into(), &uid.into())), "{mch:?} {uid:?}");
        }
        for n in 0..20_000 {
            assert!(seen.insert(numbers.number(&"m".into(), &n.to_string().as_str().into())));
        }
        let other = Numbers::new(&Secret::from("0123456789abcdef0123456789abcdeX")).unwrap();
        assert!(!seen.contains(&other.number(&"1".into(), &"23".into())));
        for bad in ["", "short", &"a".repeat(129), &" ".repeat(32)] {
            assert!(Numbers::new(&Secret::from(bad)).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_number_has_nineteen_digits_and_is_the_same_at_every_repeat(mch in "\\PC{0,20}", uid in "\\PC{0,20}") {
            let number = numbers().number(&mch.as_str().into(), &uid.as_str().into());
            prop_assert_eq!(number.len(), 19);
            prop_assert!(number.bytes().all(|b| b.is_ascii_digit()));
            let again = numbers().number(&mch.as_str().into(), &uid.as_str().into());
            prop_assert_eq!(&number, &again);
            // One wrong digit is noticed.
            let (digits, check) = number.split_at(18);
            prop_assert_eq!(check_digit(digits).to_string(), check);
            for place in 0..18 {
                let mut wrong = digits.as_bytes().to_vec();
                wrong[place] = b'0' + (wrong[place] - b'0' + 1) % 10;
                let wrong = String::from_utf8(wrong).unwrap();
                prop_assert_ne!(check_digit(&wrong).to_string(), check);
            }
        }
    }
}
