//! What the host gives to scripts beside Luau's own library: money and scanned texts. Nothing here has an effect, nothing
//! panics, and everything is bounded by its arguments.

use std::cell::Cell;
use std::rc::Rc;

use metropay_core::code::form::CodeType;
use mlua::{Error, Lua, Result, Table, Value};

pub(crate) mod fen;
pub(crate) mod scan;

/// What a question brings along that scripts cannot name themselves.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// The environment's type, whose digit the host puts into every form of codes.
    pub(crate) code_type: Cell<CodeType>,
}

/// The table of everything that the host gives.
pub(crate) fn tables(lua: &Lua, surroundings: &Rc<Surroundings>) -> Result<Table> {
    let host = lua.create_table()?;
    host.raw_set("fen", fen::table(lua)?)?;
    host.raw_set("scan", scan::table(lua, surroundings)?)?;
    host.raw_set("null", Value::NULL)?;
    Ok(host)
}

/// An error that says what a function wants.
pub(crate) fn wants(text: impl Into<String>) -> Error {
    Error::runtime(text.into())
}

/// The text of an argument.
pub(crate) fn text(value: &Value, name: &str, length_max: usize) -> Result<String> {
    let Value::String(text) = value else {
        return Err(wants(format!("{name} must be a text, not {}", described(value))));
    };
    let text = text
        .to_str()
        .map_err(|_| wants(format!("{name} must be UTF-8")))?
        .to_owned();
    if text.len() > length_max {
        return Err(wants(format!("{name} is longer than {length_max} bytes")));
    }
    Ok(text)
}

/// A whole number between nothing and `most`.
pub(crate) fn whole(value: &Value, most: u64) -> std::result::Result<u64, String> {
    let number = match value {
        Value::Integer(number) => *number,
        Value::Number(number) if number.is_nan() => return Err("is no number (NaN)".to_owned()),
        Value::Number(number) if number.is_infinite() => return Err("is infinite".to_owned()),
        Value::Number(number) if *number == 0.0 => return Err("is minus nought".to_owned()),
        Value::Number(number) if number.fract() != 0.0 => return Err(format!("is no whole number: {number}")),
        Value::Number(number) => return Err(format!("is out of range: {number}")),
        other => return Err(format!("must be a whole number, not {}", described(other))),
    };
    let whole = u64::try_from(number).map_err(|_| format!("is negative: {number}"))?;
    if whole > most {
        return Err(format!("is more than {most}: {whole}"));
    }
    Ok(whole)
}

/// What a value is, for messages.
pub(crate) fn described(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nothing",
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) | Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Table(_) => "a table",
        Value::Function(_) => "a function",
        _ => "something else",
    }
}
