//! From a text to a JSON value, where one text has one meaning: no key twice, a bounded depth, nothing after the value. What two
//! readers could take for two things is refused.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonFlaw {
    /// It is no JSON.
    Form,
    /// It is nested too deep.
    Depth,
    /// An object has a key twice.
    DuplicateKey,
    /// Something follows the value.
    Trailing,
}

/// A text that is not taken: what is wrong, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {flaw:?}")]
pub struct NotStrict {
    /// What is wrong.
    pub flaw: JsonFlaw,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

/// The value of a text, at most `depth_max` lists and objects deep.
///
/// # Errors
/// [`NotStrict`].
pub fn read_strictly(text: &str, depth_max: usize) -> Result<Value, NotStrict> {
    let broken = Cell::new(JsonFlaw::Form);
    let refused = |error: &serde_json::Error, flaw| NotStrict {
        flaw,
        line: error.line(),
        column: error.column(),
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Checked {
        left: depth_max,
        broken: &broken,
    }
    .deserialize(&mut reader)
    .map_err(|error| refused(&error, broken.get()))?;
    reader.end().map_err(|error| refused(&error, JsonFlaw::Trailing))?;
    Ok(value)
}

/// Reads a value that may hold `left` more beneath each other, and notes what is wrong.
#[derive(Clone, Copy)]
struct Checked<'a> {
    left: usize,
    broken: &'a Cell<JsonFlaw>,
}

impl Checked<'_> {
    fn refuse<E: Error>(self, flaw: JsonFlaw) -> E {
        self.broken.set(flaw);
        E::custom("refused")
    }

    fn inside<E: Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1);
        let left = left.ok_or_else(|| self.refuse(JsonFlaw::Depth))?;
        Ok(Self { left, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Checked<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(inside)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut object = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(self.refuse(JsonFlaw::DuplicateKey));
            }
            object.insert(key, access.next_value_seed(inside)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_text_has_one_meaning() {
        assert_eq!(
            read_strictly(r#" {"a":[1,{"b":null}]} "#, 3),
            Ok(json!({ "a": [1, { "b": null }] }))
        );
        assert_eq!(read_strictly("7", 0), Ok(json!(7)));
        for (text, flaw) in [
            ("", JsonFlaw::Form),
            ("{a:1}", JsonFlaw::Form),
            (r#"{"a":1,}"#, JsonFlaw::Form),
            ("NaN", JsonFlaw::Form),
            ("{} {}", JsonFlaw::Trailing),
            (r#"{"a":1,"a":1}"#, JsonFlaw::DuplicateKey),
            (r#"[{"a":1,"\u0061":2}]"#, JsonFlaw::DuplicateKey),
            ("[[[[1]]]]", JsonFlaw::Depth),
            (r#"{"a":{"a":{"a":{}}}}"#, JsonFlaw::Depth),
        ] {
            assert_eq!(read_strictly(text, 3).map_err(|it| it.flaw), Err(flaw), "{text}");
        }
        let deep = "[".repeat(1_000_000);
        assert_eq!(read_strictly(&deep, 16).map_err(|it| it.flaw), Err(JsonFlaw::Depth));
        let at = read_strictly("{\n \"a\":1, \"a\":2}", 3).unwrap_err();
        assert_eq!(at.line, 2);
    }
}
