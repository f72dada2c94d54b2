//! From bytes to a JSON value, where one text has one meaning.

use std::cell::Cell;
use std::fmt;

use metropay_core::limit::JSON_DEPTH_MAX;
use metropay_core::problem::{Code, Problem};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::rule;

/// The value of a body: one object in UTF-8, at most [`JSON_DEPTH_MAX`] deep, no key twice, nothing after it.
pub(super) fn parse(body: &[u8]) -> Result<Value, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let good = body.get(..error.valid_up_to()).unwrap_or_default();
        let line_start = good
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at.saturating_add(1));
        let line = good.iter().filter(|b| **b == b'\n').count().saturating_add(1);
        invalid(
            rule::UTF8,
            line,
            good.len().saturating_sub(line_start).saturating_add(1),
        )
    })?;
    let broken = Cell::new(rule::JSON);
    let refused = |error: &serde_json::Error, rule| invalid(rule, error.line(), error.column());
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Checked {
        depth: 0,
        broken: &broken,
    }
    .deserialize(&mut reader)
    .map_err(|error| refused(&error, broken.get()))?;
    reader.end().map_err(|error| refused(&error, rule::NOTHING_AFTER))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(invalid(rule::OBJECT_AT_TOP, 1, 1))
    }
}

fn invalid(rule: &'static str, line: usize, column: usize) -> Problem {
    let problem = Problem::new(Code::JsonInvalid)
        .fact("line", line)
        .fact("column", column);
    Problem {
        rule: Some(rule),
        ..problem
    }
}

/// Reads a value that stands inside `depth` others, and notes the rule that is broken.
#[derive(Clone, Copy)]
struct Checked<'a> {
    depth: usize,
    broken: &'a Cell<&'static str>,
}

impl Checked<'_> {
    fn refuse<E: Error>(self, rule: &'static str) -> E {
        self.broken.set(rule);
        E::custom(rule)
    }

    fn inside<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.saturating_add(1);
        if depth > JSON_DEPTH_MAX {
            Err(self.refuse(rule::DEPTH))
        } else {
            Ok(Self { depth, ..self })
        }
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
                return Err(self.refuse(rule::NO_DUPLICATE_KEY));
            }
            object.insert(key, access.next_value_seed(inside)?);
        }
        Ok(Value::Object(object))
    }
}
