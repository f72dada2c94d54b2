//! The form of our codes. The platform's own has 20 digits, `PP T RRRRRRRRRRRRRRRR C` — prefix, type, 16 random digits, Luhn
//! digit; a `code` rule may name another, for one merchant or for all.
//!
//! Digits only, because scan guns act as keyboards and Chinese input methods change letters; an even number, because
//! Code 128 set C packs two a symbol; a length that no payment code of others has. The check digit catches misreads and
//! gives no security: that is in the random digits (53 bits at least), the short life and the single use.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limit;
use crate::random::Random;

use super::foreign::{self, Looks, Unfit};

/// Digits of a code of the platform's own form.
pub const LENGTH: usize = 20;
/// Digits of a code, at most: more make bars that are too fine on a telephone's screen.
pub const LENGTH_MAX: usize = 32;
/// The prefix of our codes where the configuration names no other.
pub const PREFIX: &str = "77";
/// Digits of a prefix, at most.
const PREFIX_MAX: usize = 8;

/// The type digit of a code. `5` is kept for codes made off line, which have a form of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeType {
    /// Issued on line, for real money.
    Online,
    /// Of a test environment. Production refuses it, and a test environment refuses all others.
    Test,
}

impl CodeType {
    /// Its digit.
    pub const fn digit(self) -> char {
        match self {
            Self::Online => '1',
            Self::Test => '9',
        }
    }
}

/// How a misread is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckDigit {
    /// The last digit is the Luhn digit of all before it.
    Luhn,
    /// There is none: the last digit is as random as the others.
    None,
}

impl CheckDigit {
    /// How many digits it takes.
    const fn digits(self) -> usize {
        match self {
            Self::Luhn => 1,
            Self::None => 0,
        }
    }
}

/// What the App shows of a code at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Symbology {
    /// Bars and a square of the same digits.
    Both,
    /// Bars alone: Code 128, set C.
    Code128,
    /// A square alone: QR.
    Qr,
}

/// A form of codes that collides with nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeForm {
    /// Prefix and type digit: what every code begins with.
    beginning: String,
    prefix_length: usize,
    length: usize,
    check: CheckDigit,
    symbology: Symbology,
    life: Duration,
}

/// What a till has scanned.
#[derive(Clone, PartialEq, Eq)]
pub enum Recognised {
    /// One of ours, well formed: its digits. Whether it was ever issued is not known yet.
    Ours(String),
    /// Misread, of another environment, or nothing that is known.
    Malformed,
    /// Somebody else's.
    Foreign {
        /// What it looks like.
        looks: Looks,
        /// The digits, without what the scan gun added.
        digits: String,
    },
}

impl fmt::Debug for Recognised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(digits) => write!(f, "Ours({})", masked(digits)),
            Self::Malformed => f.write_str("Malformed"),
            Self::Foreign { looks, .. } => write!(f, "Foreign({looks:?})"),
        }
    }
}

impl CodeForm {
    /// The platform's own form with this prefix (two digits) and type.
    ///
    /// # Errors
    /// When codes of this form could be taken for something else.
    pub fn new(prefix: &str, kind: CodeType) -> Result<Self, Unfit> {
        if prefix.len() != 2 {
            return Err(Unfit::Beginning);
        }
        Self::of(prefix, kind, LENGTH, CheckDigit::Luhn)
    }

    /// A form with this prefix, after which the type digit stands, this many digits in all, and this check digit.
    ///
    /// # Errors
    /// When codes of this form could be guessed or taken for something else.
    pub fn of(prefix: &str, kind: CodeType, length: usize, check: CheckDigit) -> Result<Self, Unfit> {
        if prefix.len() > PREFIX_MAX {
            return Err(Unfit::Beginning);
        }
        if length > LENGTH_MAX {
            return Err(Unfit::TooLong);
        }
        let beginning = format!("{prefix}{}", kind.digit());
        let form = Self {
            beginning,
            prefix_length: prefix.len(),
            length,
            check,
            symbology: Symbology::Both,
            life: limit::CODE_LIFE,
        };
        foreign::check(&form.beginning, length, form.random_digits())?;
        Ok(form)
    }

    /// How many of its digits are random.
    fn random_digits(&self) -> usize {
        let fixed = self.beginning.len().saturating_add(self.check.digits());
        self.length.saturating_sub(fixed)
    }

    /// The same form, shown like this.
    #[must_use]
    pub fn shown_as(self, symbology: Symbology) -> Self {
        Self { symbology, ..self }
    }

    /// The same form with this life. The bounds are [`limit::CODE_LIFE_MIN`] and [`limit::CODE_LIFE_MAX`].
    ///
    /// # Errors
    /// [`Unfit::Life`] outside them.
    pub fn living(self, life: Duration) -> Result<Self, Unfit> {
        if (limit::CODE_LIFE_MIN..=limit::CODE_LIFE_MAX).contains(&life) {
            Ok(Self { life, ..self })
        } else {
            Err(Unfit::Life)
        }
    }

    /// How long a code lives.
    pub const fn life(&self) -> Duration {
        self.life
    }

    /// What the App shows of it at first.
    pub const fn symbology(&self) -> Symbology {
        self.symbology
    }

    /// A fresh code. Whether it lives already is for the database to say.
    pub fn issue(&self, random: &dyn Random) -> String {
        let mut digits = format!("{}{}", self.beginning, random.digits(self.random_digits()));
        if self.check == CheckDigit::Luhn {
            digits.push(check_digit(&digits));
        }
        digits
    }

    /// Says what a till has scanned, where codes of this form alone are ours; see [`recognise`].
    pub fn recognise(&self, scanned: &str) -> Recognised {
        recognise(std::slice::from_ref(self), scanned)
    }

    /// Whether a text of digits is one of this form: nothing where it is of another, false where it begins like one and has
    /// its length, and is none.
    fn holds(&self, text: &str) -> Option<bool> {
        let prefix = self.beginning.get(..self.prefix_length).unwrap_or(&self.beginning);
        if text.len() != self.length || !text.starts_with(prefix) {
            return None;
        }
        let checked = match (self.check, text.split_at_checked(self.length.saturating_sub(1))) {
            (CheckDigit::None, _) => true,
            (CheckDigit::Luhn, Some((body, check))) => check.starts_with(check_digit(body)),
            (CheckDigit::Luhn, None) => false,
        };
        Some(checked && text.starts_with(&self.beginning))
    }
}

/// Says what a till has scanned, where codes of these forms are ours. Blanks, tabs and line ends around it, which scan guns
/// add, are taken off; nothing else is changed.
pub fn recognise(forms: &[CodeForm], scanned: &str) -> Recognised {
    let text = scanned.trim_matches([' ', '\t', '\r', '\n']);
    // Ours are tested first and by one exact pattern each; what begins like ours and fails was misread, never foreign.
    if text.bytes().all(|b| b.is_ascii_digit()) {
        match forms.iter().filter_map(|form| form.holds(text)).max() {
            Some(true) => return Recognised::Ours(text.to_owned()),
            Some(false) => return Recognised::Malformed,
            None => {}
        }
    }
    foreign::looks_like(text).map_or(Recognised::Malformed, |looks| Recognised::Foreign {
        looks,
        digits: text.to_owned(),
    })
}

/// A code as it may stand in logs: the first three digits and the last two.
pub fn masked(digits: &str) -> String {
    match (digits.get(..3), digits.get(digits.len().saturating_sub(2)..)) {
        (Some(first), Some(last)) if digits.len() >= LENGTH => format!("{first}***{last}"),
        _ => "***".to_owned(),
    }
}

/// The Luhn digit that makes the number whole. What is no digit counts as nought.
fn check_digit(body: &str) -> char {
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte.saturating_sub(b'0'));
            match (place.is_multiple_of(2), digit) {
                (true, 5..) => digit.saturating_mul(2).saturating_sub(9),
                (true, _) => digit.saturating_mul(2),
                (false, _) => digit,
            }
        })
        .fold(0, u32::saturating_add);
    let rest = 10u32.saturating_sub(sum.rem_euclid(10)).rem_euclid(10);
    char::from_digit(rest, 10).unwrap_or('0')
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::random::{SeededRandom, SystemRandom};

    fn ours() -> CodeForm {
        CodeForm::new(PREFIX, CodeType::Online).unwrap()
    }

    #[test]
    fn the_code_of_the_design_is_well_formed() {
        let digits = "77112345678901234565";
        assert_eq!(ours().recognise(digits), Recognised::Ours(digits.to_owned()));
    }

    #[test]
    fn what_a_scan_gun_adds_is_taken_off_and_nothing_else() {
        let digits = "77112345678901234565";
        for text in [
            "77112345678901234565\r\n",
            "\t77112345678901234565\t",
            "  77112345678901234565 ",
            "77112345678901234565\n",
        ] {
            assert_eq!(ours().recognise(text), Recognised::Ours(digits.to_owned()), "{text:?}");
        }
        for text in [
            "7711 2345 6789 0123 4565",
            "77112345678901234565\0",
            "\u{3000}77112345678901234565",
            "]C077112345678901234565",
            "７７１１２３４５６７８９０１２３４５６５",
            "771123456789012345650",
            "7711234567890123456",
            "7711234567890123456X",
            "",
            "\r\n",
        ] {
            assert_eq!(ours().recognise(text), Recognised::Malformed, "{text:?}");
        }
    }

    #[test]
    fn codes_of_another_environment_are_refused_on_both_sides() {
        let test = CodeForm::new(PREFIX, CodeType::Test).unwrap();
        let (real, trial) = (ours().issue(&SystemRandom), test.issue(&SystemRandom));
        assert!(real.starts_with("771") && trial.starts_with("779"));
        assert_eq!(ours().recognise(&trial), Recognised::Malformed);
        assert_eq!(test.recognise(&real), Recognised::Malformed);
        let other = CodeForm::new("76", CodeType::Online).unwrap();
        assert_eq!(other.recognise(&real), Recognised::Malformed);
    }

    #[test]
    fn a_prefix_of_somebody_else_makes_no_form() {
        for (prefix, expected) in [
            ("28", Unfit::Collides(Looks::Alipay)),
            ("00", Unfit::Collides(Looks::Logistics)),
            ("84", Unfit::Collides(Looks::DrugTrace)),
            ("89", Unfit::Collides(Looks::SimCard)),
            ("7", Unfit::Beginning),
            ("777", Unfit::Beginning),
            ("7七", Unfit::Beginning),
            ("é", Unfit::Beginning),
        ] {
            assert_eq!(CodeForm::new(prefix, CodeType::Online), Err(expected), "{prefix}");
        }
    }

    #[test]
    fn a_hundred_thousand_codes_are_ours_and_look_like_nothing_else() {
        let (form, random) = (ours(), SeededRandom::new(77));
        let mut seen = HashSet::new();
        for _ in 0..100_000 {
            let digits = form.issue(&random);
            assert_eq!(foreign::looks_like(&digits), None, "{digits}");
            assert_eq!(form.recognise(&digits), Recognised::Ours(digits.clone()));
            assert!(seen.insert(digits));
        }
    }

    #[test]
    fn a_hundred_thousand_foreign_codes_are_never_ours() {
        let (form, random) = (ours(), SeededRandom::new(78));
        for round in 0..100_000 {
            let foreign = &foreign::FOREIGN[round % foreign::FOREIGN.len()];
            let spread = foreign.lengths.end() - foreign.lengths.start() + 1;
            let length = foreign.lengths.start() + round % spread;
            let span = usize::from(foreign.starts.end() - foreign.starts.start()) + 1;
            let start = usize::from(*foreign.starts.start()) + (round / 7) % span;
            let text = format!("{start:02}{}", random.digits(length - 2));
            assert!(matches!(form.recognise(&text), Recognised::Foreign { .. }), "{text}");
        }
    }

    #[test]
    fn every_misread_of_one_digit_and_most_swaps_are_caught() {
        let (form, random) = (ours(), SeededRandom::new(79));
        for _ in 0..200 {
            let digits = form.issue(&random);
            for place in 0..LENGTH {
                for wrong in b'0'..=b'9' {
                    let mut bytes = digits.clone().into_bytes();
                    if bytes[place] == wrong {
                        continue;
                    }
                    bytes[place] = wrong;
                    let misread = String::from_utf8(bytes).unwrap();
                    assert!(!matches!(form.recognise(&misread), Recognised::Ours(_)), "{misread}");
                }
            }
            for place in 3..LENGTH - 1 {
                let mut bytes = digits.clone().into_bytes();
                bytes.swap(place, place + 1);
                let (a, b) = (bytes[place], bytes[place + 1]);
                // The one pair that Luhn cannot tell.
                if a != b && !matches!((a, b), (b'0', b'9') | (b'9', b'0')) {
                    let swapped = String::from_utf8(bytes).unwrap();
                    assert_eq!(form.recognise(&swapped), Recognised::Malformed, "{swapped}");
                }
            }
        }
    }

    #[test]
    fn a_lost_digit_is_a_misread_and_a_wallets_code_is_named() {
        assert_eq!(ours().recognise("7711234567890123465"), Recognised::Malformed);
        let wechat = |digits: &str| Recognised::Foreign {
            looks: Looks::Wechat,
            digits: digits.to_owned(),
        };
        assert_eq!(ours().recognise("134567890123456789\r"), wechat("134567890123456789"));
        assert_eq!(
            ours().recognise("6212345678901234567"),
            Recognised::Foreign {
                looks: Looks::Unionpay,
                digits: "6212345678901234567".to_owned()
            }
        );
    }

    #[test]
    fn a_code_does_not_show_itself() {
        let shown = format!("{:?}", ours().recognise("77112345678901234565"));
        assert_eq!(shown, "Ours(771***65)");
        assert_eq!(masked("771"), "***");
    }
}
