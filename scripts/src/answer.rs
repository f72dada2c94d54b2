//! What scripts return, held to the schema of its kind before anybody sees it.

use metropay_core::money::Fen;
use metropay_core::rules::Wrong;
use metropay_core::rules::fee::{FeeAnswer, FeeQuestion};
use metropay_core::rules::route::{Choice, RouteQuestion};
use mlua::{Table, Value};

use crate::host::{described, whole};

pub(crate) mod code;
pub(crate) mod membership;

/// Accounts of an answer, at most.
pub(crate) const CHOICES_MAX: usize = 16;
/// A reason, at most, in bytes.
pub(crate) const REASON_MAX: usize = 128;

/// A wrong answer.
pub(crate) fn wrong(at: impl Into<String>, reason: impl Into<String>) -> Wrong {
    Wrong::Answer {
        at: at.into(),
        reason: reason.into(),
    }
}

/// The table of an answer, or of a part of it, with none but these fields.
pub(crate) fn table<'a>(value: &'a Value, at: &str, fields: &[&str]) -> Result<&'a Table, Wrong> {
    let Value::Table(table) = value else {
        return Err(wrong(at, format!("must be a table, not {}", described(value))));
    };
    for pair in table.pairs::<Value, Value>() {
        let (key, _) = pair.map_err(|error| wrong(at, error.to_string()))?;
        let known = matches!(&key, Value::String(key) if fields.iter().any(|field| key == *field));
        if !known {
            let key = match &key {
                Value::String(key) => crate::vm::bounded(&key.to_string_lossy()),
                Value::Integer(place) => place.to_string(),
                other => described(other).to_owned(),
            };
            return Err(wrong(
                join(at, &key),
                format!("is not known; there are {}", fields.join(", ")),
            ));
        }
    }
    Ok(table)
}

/// The path of a field.
pub(crate) fn join(at: &str, field: &str) -> String {
    if at.is_empty() {
        field.to_owned()
    } else {
        format!("{at}.{field}")
    }
}

/// A field's value.
pub(crate) fn field(table: &Table, at: &str, name: &str) -> Result<Value, Wrong> {
    table
        .raw_get(name)
        .map_err(|error: mlua::Error| wrong(join(at, name), error.to_string()))
}

/// A text of at most so many bytes.
pub(crate) fn text(value: &Value, at: &str, length_max: usize) -> Result<String, Wrong> {
    let Value::String(text) = value else {
        return Err(wrong(at, format!("must be a text, not {}", described(value))));
    };
    let text = text.to_str().map_err(|_| wrong(at, "is no UTF-8"))?;
    if text.len() > length_max {
        return Err(wrong(at, format!("is longer than {length_max} bytes")));
    }
    Ok(text.to_owned())
}

/// A reason: none, or a short text without control characters.
fn reason(value: &Value, at: &str) -> Result<String, Wrong> {
    if value.is_nil() {
        return Ok(String::new());
    }
    let reason = text(value, at, REASON_MAX)?;
    if reason.chars().any(char::is_control) {
        return Err(wrong(at, "has control characters"));
    }
    Ok(reason)
}

/// What a fee rule returned: a whole number of fen, or a table of `fee` and `reason`.
pub(crate) fn fee(value: &Value, question: &FeeQuestion) -> Result<FeeAnswer, Wrong> {
    let (number, at, said) = match value {
        Value::Table(_) => {
            let answer = table(value, "", &["fee", "reason"])?;
            let said = reason(&field(answer, "", "reason")?, "reason")?;
            (field(answer, "", "fee")?, "fee", said)
        }
        other => (other.clone(), "fee", String::new()),
    };
    let fee = whole(&number, question.amount.get()).map_err(|reason| wrong(at, reason))?;
    let fee = Fen::new(fee).map_err(|error| wrong(at, error.to_string()))?;
    Ok(FeeAnswer { fee, reason: said })
}

/// What a routing rule returned: a list of accounts, each its number or a table of `account` and `reason`.
pub(crate) fn route(value: &Value, question: &RouteQuestion) -> Result<Vec<Choice>, Wrong> {
    let Value::Table(list) = value else {
        return Err(wrong("choices", format!("must be a list, not {}", described(value))));
    };
    let length = list.raw_len();
    if length > CHOICES_MAX {
        return Err(wrong("choices", format!("has more than {CHOICES_MAX} accounts")));
    }
    let mut choices: Vec<Choice> = Vec::with_capacity(length);
    for (place, item) in list.sequence_values::<Value>().enumerate() {
        let at = format!("choices[{}]", place.saturating_add(1));
        let item = item.map_err(|error| wrong(&at, error.to_string()))?;
        let choice = choice(&item, &at)?;
        if !question.ways.iter().any(|way| way.account == choice.account) {
            return Err(wrong(
                join(&at, "account"),
                format!("`{}` is none of the ways", choice.account),
            ));
        }
        if choices.iter().any(|before| before.account == choice.account) {
            return Err(wrong(
                join(&at, "account"),
                format!("`{}` stands here twice", choice.account),
            ));
        }
        choices.push(choice);
    }
    let mut keys = 0usize;
    for pair in list.pairs::<Value, Value>() {
        pair.map_err(|error| wrong("choices", error.to_string()))?;
        keys = keys.saturating_add(1);
    }
    if keys != choices.len() {
        return Err(wrong("choices", "is no list: it has other keys than 1, 2, 3 and so on"));
    }
    Ok(choices)
}

fn choice(item: &Value, at: &str) -> Result<Choice, Wrong> {
    /// An account's number, at most, in bytes.
    const ACCOUNT_MAX: usize = 128;
    if let Value::String(_) = item {
        let account = text(item, &join(at, "account"), ACCOUNT_MAX)?;
        return Ok(Choice {
            account: account.as_str().into(),
            reason: String::new(),
        });
    }
    let fields = table(item, at, &["account", "reason"])?;
    let account = text(&field(fields, at, "account")?, &join(at, "account"), ACCOUNT_MAX)?;
    Ok(Choice {
        account: account.as_str().into(),
        reason: reason(&field(fields, at, "reason")?, &join(at, "reason"))?,
    })
}
