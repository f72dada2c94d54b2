//! JSON and Luau's values, both ways, within bounds.

use mlua::{Lua, Result, Table, Value};
use serde_json::{Map, Number, Value as Json};

use crate::host::described;

/// How deep a document may nest.
const DEPTH_MAX: usize = 16;
/// The largest whole number that a double tells from its neighbours.
const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;

/// A document as Luau's values: what is null in an object is left out, what is null in a list is `json.null`. What nests too
/// deep is `json.null` too.
pub(crate) fn to_lua(lua: &Lua, value: &Json) -> Result<Value> {
    within(lua, value, DEPTH_MAX)
}

fn within(lua: &Lua, value: &Json, depth: usize) -> Result<Value> {
    let Some(depth) = depth.checked_sub(1) else {
        return Ok(Value::NULL);
    };
    Ok(match value {
        Json::Null => Value::NULL,
        Json::Bool(truth) => Value::Boolean(*truth),
        // A number that no double holds comes as its text, so that no digit of it is lost.
        Json::Number(number) => match number.as_f64() {
            Some(double) if !number.is_i64() && !number.is_u64() || double.abs() <= WHOLE_MAX => Value::Number(double),
            _ => Value::String(lua.create_string(number.to_string())?),
        },
        Json::String(text) => Value::String(lua.create_string(text)?),
        Json::Array(items) => {
            let list = lua.create_table_with_capacity(items.len(), 0)?;
            for item in items {
                list.raw_push(within(lua, item, depth)?)?;
            }
            Value::Table(list)
        }
        Json::Object(fields) => {
            let table = lua.create_table_with_capacity(0, fields.len())?;
            for (name, field) in fields.iter().filter(|(_, field)| !field.is_null()) {
                table.raw_set(name.as_str(), within(lua, field, depth)?)?;
            }
            Value::Table(table)
        }
    })
}

/// Luau's values as a document: a table with nothing but the keys 1 to n is a list, one with nothing but texts an object, an
/// empty one an object.
///
/// # Errors
/// Where something is no JSON, or the document is larger than `room` bytes (estimated), and why.
pub(crate) fn from_lua(value: &Value, path: &str, room: &mut usize) -> std::result::Result<Json, (String, String)> {
    read(value, path, DEPTH_MAX, room)
}

fn read(value: &Value, path: &str, depth: usize, room: &mut usize) -> std::result::Result<Json, (String, String)> {
    let wrong = |reason: &str| (path.to_owned(), reason.to_owned());
    let depth = depth.checked_sub(1).ok_or_else(|| wrong("nests too deep"))?;
    let takes = match value {
        Value::String(text) => text.as_bytes().len().saturating_add(2),
        _ => 8,
    };
    *room = room.checked_sub(takes).ok_or_else(|| wrong("is too large"))?;
    Ok(match value {
        Value::Nil => Json::Null,
        null if *null == Value::NULL => Json::Null,
        Value::Boolean(truth) => Json::Bool(*truth),
        Value::Integer(whole) => Json::Number((*whole).into()),
        Value::Number(double) => Json::Number(Number::from_f64(*double).ok_or_else(|| wrong("is no number"))?),
        Value::String(text) => {
            let text = text.to_str().map_err(|_| wrong("is no UTF-8"))?;
            Json::String(text.to_owned())
        }
        Value::Table(table) => read_table(table, path, depth, room)?,
        other => return Err(wrong(&format!("is {}, which JSON has not", described(other)))),
    })
}

fn read_table(
    table: &Table,
    path: &str,
    depth: usize,
    room: &mut usize,
) -> std::result::Result<Json, (String, String)> {
    let length = table.raw_len();
    let (mut list, mut fields) = (Vec::new(), Map::new());
    if length > 0 {
        for (place, item) in table.sequence_values::<Value>().enumerate() {
            let path = format!("{path}[{}]", place.saturating_add(1));
            let item = item.map_err(|error| (path.clone(), error.to_string()))?;
            list.push(read(&item, &path, depth, room)?);
        }
    }
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|error| (path.to_owned(), error.to_string()))?;
        match key {
            Value::String(name) => {
                let name = name.to_string_lossy();
                let inner = format!("{path}.{name}");
                *room = room
                    .checked_sub(name.len().saturating_add(4))
                    .ok_or_else(|| (inner.clone(), "is too large".to_owned()))?;
                let value = read(&value, &inner, depth, room)?;
                fields.insert(name, value);
            }
            Value::Integer(place) if usize::try_from(place).is_ok_and(|place| (1..=list.len()).contains(&place)) => {}
            _ => {
                return Err((
                    path.to_owned(),
                    "has a key that is neither a text nor in the list".to_owned(),
                ));
            }
        }
    }
    match (list.is_empty(), fields.is_empty()) {
        (false, true) => Ok(Json::Array(list)),
        (true, _) => Ok(Json::Object(fields)),
        (false, false) => Err((path.to_owned(), "is half a list and half an object".to_owned())),
    }
}
