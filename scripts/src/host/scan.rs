//! Scanned texts: what a scan gun adds, and whose code is left.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::LazyLock;

use metropay_core::code::foreign::{self, Looks};
use metropay_core::code::form::{self, CheckDigit, CodeForm, LENGTH, Recognised};
use mlua::{Lua, Result, Table, Value};

use super::{Surroundings, described, text, wants, whole};

/// A scanned text, at most, in bytes.
pub(crate) const SCANNED_MAX: usize = 512;
/// Forms of codes that one rule knows, at most.
const FORMS_MAX: usize = 8;

/// The word of each look.
pub(crate) static LOOKS: LazyLock<BTreeMap<Looks, String>> = LazyLock::new(|| {
    let word = |looks: Looks| serde_json::to_value(looks).ok()?.as_str().map(str::to_owned);
    Looks::ALL
        .into_iter()
        .filter_map(|looks| Some((looks, word(looks)?)))
        .collect()
});

/// The functions under `scan`.
pub(crate) fn table(lua: &Lua, surroundings: &Rc<Surroundings>) -> Result<Table> {
    let scan = lua.create_table()?;
    scan.raw_set(
        "strip",
        lua.create_function(|_, scanned: Value| {
            Ok(stripped(&text(&scanned, "the scanned text", SCANNED_MAX)?).to_owned())
        })?,
    )?;
    scan.raw_set(
        "looks_like",
        lua.create_function(|_, digits: Value| {
            let digits = text(&digits, "the digits", SCANNED_MAX)?;
            Ok(foreign::looks_like(&digits).and_then(|looks| LOOKS.get(&looks).cloned()))
        })?,
    )?;
    let surroundings = Rc::clone(surroundings);
    scan.raw_set(
        "among",
        lua.create_function(move |lua, (scanned, forms): (Value, Value)| among(lua, &surroundings, &scanned, &forms))?,
    )?;
    Ok(scan)
}

/// The text without what scan guns put around it: blanks, tabs and line ends, an AIM identifier such as `]C1`, and the address
/// of which the code is the parameter `code` or the last part. Always a piece of the text.
pub(crate) fn stripped(scanned: &str) -> &str {
    let bare = trimmed(scanned);
    let bare = trimmed(identified(bare).unwrap_or(bare));
    trimmed(addressed(bare).unwrap_or(bare))
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

/// What follows an AIM identifier: `]`, a letter for the symbology, a letter or digit for how it was read.
fn identified(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let is = bytes.first() == Some(&b']')
        && bytes.get(1).is_some_and(u8::is_ascii_alphabetic)
        && bytes.get(2).is_some_and(u8::is_ascii_alphanumeric);
    if is { text.get(3..) } else { None }
}

/// The code in an address.
fn addressed(text: &str) -> Option<&str> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| {
        text.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })?;
    let rest = text.get(scheme.len()..)?;
    let rest = rest.split('#').next()?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let parameter = query.split('&').find_map(|pair| pair.strip_prefix("code="));
    let (_, last) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", ""));
    Some(parameter.unwrap_or(last))
}

/// A form as a script writes it, with the environment's type.
pub(crate) fn form_of(table: &Table, surroundings: &Surroundings) -> std::result::Result<CodeForm, String> {
    let field = |name: &str| table.raw_get::<Value>(name).map_err(|error| error.to_string());
    let prefix = text(&field("prefix")?, "prefix", 16).map_err(|error| error.to_string())?;
    let length = match field("length")? {
        Value::Nil => LENGTH,
        value => {
            let length = whole(&value, 64).map_err(|reason| format!("length {reason}"))?;
            usize::try_from(length).map_err(|error| error.to_string())?
        }
    };
    let check = match field("check")? {
        Value::Nil => CheckDigit::Luhn,
        value => check(&text(&value, "check", 16).map_err(|error| error.to_string())?)?,
    };
    CodeForm::of(&prefix, surroundings.code_type.get(), length, check).map_err(|unfit| unfit.to_string())
}

/// The check digit of this word.
pub(crate) fn check(word: &str) -> std::result::Result<CheckDigit, String> {
    match word {
        "luhn" => Ok(CheckDigit::Luhn),
        "none" => Ok(CheckDigit::None),
        other => Err(format!("`{other}` is no check digit; there are luhn and none")),
    }
}

fn among(lua: &Lua, surroundings: &Surroundings, scanned: &Value, forms: &Value) -> Result<Table> {
    let scanned = text(scanned, "the scanned text", SCANNED_MAX)?;
    let Value::Table(list) = forms else {
        return Err(wants(format!("the forms must be a list, not {}", described(forms))));
    };
    let mut forms = Vec::new();
    for (place, row) in list.sequence_values::<Value>().enumerate() {
        let name = format!("forms[{}]", place.saturating_add(1));
        if place >= FORMS_MAX {
            return Err(wants(format!("there are more than {FORMS_MAX} forms")));
        }
        let Value::Table(row) = row? else {
            return Err(wants(format!("{name} must be a table")));
        };
        forms.push(form_of(&row, surroundings).map_err(|reason| wants(format!("{name}: {reason}")))?);
    }
    let answer = lua.create_table()?;
    match form::recognise(&forms, &scanned) {
        Recognised::Ours(digits) => {
            answer.raw_set("whose", "ours")?;
            answer.raw_set("digits", digits)?;
        }
        Recognised::Malformed => answer.raw_set("whose", "malformed")?,
        Recognised::Foreign { looks, digits } => {
            answer.raw_set("whose", "foreign")?;
            answer.raw_set("looks", LOOKS.get(&looks).map(String::as_str))?;
            answer.raw_set("digits", digits)?;
        }
    }
    Ok(answer)
}
