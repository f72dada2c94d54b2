//! What a `code` rule returned.

use std::time::Duration;

use metropay_core::code::form::{CheckDigit, CodeForm, LENGTH, Recognised, Symbology};
use metropay_core::limit;
use metropay_core::rules::Wrong;
use metropay_core::rules::code::{CodeQuestion, ScanQuestion};
use mlua::Value;
use serde_json::{Value as Json, json};

use super::{field, table, text, wrong};
use crate::host::{scan, whole};

/// Digits of a code, at most, whoever's it is.
const DIGITS_MAX: usize = 64;

/// A form as a rule has named it.
pub(crate) struct NamedForm {
    prefix: String,
    length: usize,
    check: CheckDigit,
    symbology: Symbology,
    life_s: u64,
}

impl NamedForm {
    /// Reads an answer of `issue`.
    pub(crate) fn read(value: &Value, question: &CodeQuestion) -> Result<Self, Wrong> {
        let answer = table(value, "", &["prefix", "length", "check", "symbology", "life_s"])?;
        let given = |name: &str| field(answer, "", name);
        let word = |name: &str, otherwise: &str| match given(name)? {
            Value::Nil => Ok(otherwise.to_owned()),
            value => text(&value, name, 16),
        };
        let number = |name: &str, otherwise: u64| match given(name)? {
            Value::Nil => Ok(otherwise),
            value => whole(&value, 1_000).map_err(|reason| wrong(name, reason)),
        };
        let length = number("length", u64::try_from(LENGTH).unwrap_or(20))?;
        Ok(Self {
            prefix: word("prefix", &question.prefix)?,
            length: usize::try_from(length).map_err(|error| wrong("length", error.to_string()))?,
            check: scan::check(&word("check", "luhn")?).map_err(|reason| wrong("check", reason))?,
            symbology: match word("symbology", "both")?.as_str() {
                "both" => Symbology::Both,
                "code128" => Symbology::Code128,
                "qr" => Symbology::Qr,
                other => {
                    let reason = format!("`{other}` is no symbology; there are both, code128 and qr");
                    return Err(wrong("symbology", reason));
                }
            },
            life_s: number("life_s", limit::CODE_LIFE.as_secs())?,
        })
    }

    /// The form, where it collides with nobody's.
    pub(crate) fn form(&self, question: &CodeQuestion) -> Result<CodeForm, Wrong> {
        let form = CodeForm::of(&self.prefix, question.kind, self.length, self.check)
            .map_err(|unfit| wrong("prefix", format!("`{}`: {unfit}", self.prefix)))?;
        form.shown_as(self.symbology)
            .living(Duration::from_secs(self.life_s))
            .map_err(|unfit| wrong("life_s", unfit.to_string()))
    }

    /// The answer as tests compare it.
    pub(crate) fn told(&self) -> Json {
        json!({
            "prefix": self.prefix,
            "length": self.length,
            "check": if self.check == CheckDigit::Luhn { "luhn" } else { "none" },
            "symbology": match self.symbology {
                Symbology::Both => "both",
                Symbology::Code128 => "code128",
                Symbology::Qr => "qr",
            },
            "life_s": self.life_s,
        })
    }
}

/// What a rule says that a till has scanned.
pub(crate) fn recognised(value: &Value, question: &ScanQuestion) -> Result<Recognised, Wrong> {
    let answer = table(value, "", &["whose", "looks", "digits"])?;
    let whose = text(&field(answer, "", "whose")?, "whose", 16)?;
    let digits = || {
        let digits = text(&field(answer, "", "digits")?, "digits", DIGITS_MAX)?;
        if digits.is_empty() || !question.scanned.contains(&digits) {
            return Err(wrong("digits", "is no piece of what was scanned"));
        }
        Ok(digits)
    };
    match whose.as_str() {
        "ours" => {
            let digits = digits()?;
            if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(wrong("digits", "has more than digits"));
            }
            Ok(Recognised::Ours(digits))
        }
        "malformed" => Ok(Recognised::Malformed),
        "foreign" => {
            let word = text(&field(answer, "", "looks")?, "looks", 16)?;
            let looks = scan::LOOKS
                .iter()
                .find(|(_, known)| **known == word)
                .map(|(looks, _)| *looks);
            let looks = looks.ok_or_else(|| wrong("looks", format!("`{word}` is no known look")))?;
            Ok(Recognised::Foreign {
                looks,
                digits: digits()?,
            })
        }
        other => Err(wrong(
            "whose",
            format!("`{other}` is none of ours, foreign and malformed"),
        )),
    }
}

/// The answer as tests compare it.
pub(crate) fn told(recognised: &Recognised) -> Json {
    match recognised {
        Recognised::Ours(digits) => json!({"whose": "ours", "digits": digits}),
        Recognised::Malformed => json!({"whose": "malformed"}),
        Recognised::Foreign { looks, digits } => {
            json!({"whose": "foreign", "looks": scan::LOOKS.get(looks), "digits": digits})
        }
    }
}
