//! From a JSON value (or the texts of a query) to a type, with errors that name the field and the rule.
//!
//! The deserializer is our own because its errors must be told apart: a missing field, a field nobody knows, a value of
//! the wrong kind. The texts that `serde_json` makes of them carry the value itself, which must not be echoed.

use std::fmt;

use metropay_core::money::FEN_MAX;
use metropay_core::problem::{Code, Problem};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeOwned, Deserializer, EnumAccess, Expected, IntoDeserializer, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Number, Value};

use crate::rule;

/// Letters of a field's name that are echoed.
const FIELD_MAX: usize = 64;

/// Reads a `T`.
pub(crate) fn read<T: DeserializeOwned>(node: Node) -> Result<T, Problem> {
    serde_path_to_error::deserialize(node).map_err(|error| {
        let place = match error.path().to_string() {
            root if root == "." => String::new(),
            place => place,
        };
        error.into_inner().told(&place)
    })
}

/// Why a value is not taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// A field is missing, null or empty; its name where serde tells it beside the path.
    Missing(Option<&'static str>),
    /// A field that nobody reads; its name where serde tells it beside the path.
    Unknown(Option<String>),
    /// A value breaks a rule.
    Breaks(&'static str),
    /// A word that is none of these.
    NoneOf(&'static [&'static str]),
}

impl Refused {
    fn told(self, place: &str) -> Problem {
        let at = |name: &str| match (place, name) {
            ("", name) => shown(name),
            (place, "") => shown(place),
            (place, name) => shown(&format!("{place}.{name}")),
        };
        match self {
            Self::Missing(name) => Problem::new(Code::ParamMissing).at(at(name.unwrap_or(""))),
            // A type that denies unknown fields names the field that the path names already.
            Self::Unknown(name) => {
                let name = name.filter(|_| place.is_empty());
                Problem::invalid(at(name.as_deref().unwrap_or("")), rule::NO_SUCH_FIELD)
            }
            Self::Breaks(rule) => Problem::invalid(at(""), rule),
            Self::NoneOf(words) => Problem::invalid(at(""), rule::ONE_OF).fact("one_of", words),
        }
    }
}

/// A field's name as it may be echoed: shortened, and without characters that steer a screen.
fn shown(name: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    name.chars()
        .take(FIELD_MAX)
        .map(|c| if steers(c) { '?' } else { c })
        .collect()
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not as documented")
    }
}

impl std::error::Error for Refused {}

impl serde::de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Breaks(rule::FORM)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match found {
            Unexpected::Unit | Unexpected::Option => Self::Missing(None),
            _ => Self::Breaks(rule_of(&expected.to_string())),
        }
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Breaks(rule_of(&expected.to_string()))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::NoneOf(expected)
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::Unknown(Some(field.to_owned()))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(Some(field))
    }
}

/// The rule for what serde expected, in serde's own words.
fn rule_of(expected: &str) -> &'static str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => rule::INTEGER,
        "i8" | "i16" | "i32" | "i64" | "isize" => rule::SIGNED,
        "a boolean" => rule::TRUTH,
        "a string" | "a borrowed string" | "str" | "string" => rule::TEXT,
        "a sequence" => rule::LIST,
        other if other.starts_with("struct ") || other == "a map" => rule::OBJECT,
        _ => rule::FORM,
    }
}

/// A value to be read.
#[derive(Debug)]
pub(crate) struct Node {
    value: Value,
    /// Whether an empty text is a text here.
    may_be_empty: bool,
    /// Whether numbers and truths come as texts, as in a query.
    of_query: bool,
}

impl Node {
    /// A value of a JSON body.
    pub(crate) fn json(value: Value) -> Self {
        Self {
            value,
            may_be_empty: false,
            of_query: false,
        }
    }

    /// The parameters of a query, each a text.
    pub(crate) fn query(value: Value) -> Self {
        Self {
            value,
            may_be_empty: false,
            of_query: true,
        }
    }

    fn below(&self, value: Value) -> Self {
        Self {
            value,
            may_be_empty: false,
            of_query: self.of_query,
        }
    }

    /// A text of a query as the number it is plainly written as; everything else stays as it is.
    fn with_number(mut self) -> Self {
        if let (true, Value::String(text)) = (self.of_query, &self.value) {
            let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
            if let Some(number) = text.parse::<u64>().ok().filter(|_| plain) {
                self.value = Value::from(number);
            }
        }
        self
    }

    fn with_truth(mut self) -> Self {
        match (self.of_query, self.value.as_str()) {
            (true, Some("true")) => self.value = Value::Bool(true),
            (true, Some("false")) => self.value = Value::Bool(false),
            _ => {}
        }
        self
    }
}

/// A number as it is given on; an integer beyond 2^53 would be another number to the next reader.
fn number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, Refused> {
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(whole), ..) if whole > FEN_MAX => Err(Refused::Breaks(rule::INTEGER)),
        (_, Some(whole), _) if whole.unsigned_abs() > FEN_MAX => Err(Refused::Breaks(rule::SIGNED)),
        (Some(whole), ..) => visitor.visit_u64(whole),
        (_, Some(whole), _) => visitor.visit_i64(whole),
        (.., Some(fraction)) => visitor.visit_f64(fraction),
        (.., None) => Err(Refused::Breaks(rule::FORM)),
    }
}

impl<'de> IntoDeserializer<'de, Refused> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let of_query = self.of_query;
        let below = |value| Self {
            value,
            may_be_empty: false,
            of_query,
        };
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(truth),
            Value::Number(given) => number(&given, visitor),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(list) => SeqDeserializer::new(list.into_iter().map(below)).deserialize_any(visitor),
            Value::Object(map) => {
                MapDeserializer::new(map.into_iter().map(|(key, value)| (key, below(value)))).deserialize_any(visitor)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(Self {
                may_be_empty: true,
                ..self
            }),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.value.as_str() {
            Some("") if !self.may_be_empty => Err(Refused::Missing(None)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.with_number().deserialize_any(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.with_number().deserialize_any(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.with_number().deserialize_any(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.with_number().deserialize_any(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.with_truth().deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        match &self.value {
            Value::Null => Err(Refused::Missing(None)),
            Value::String(word) if word.is_empty() => Err(Refused::Missing(None)),
            Value::String(word) => {
                let word = word.clone();
                visitor.visit_enum(Variant { word, content: None })
            }
            Value::Object(map) if map.len() == 1 => {
                let (word, value) = map.iter().next().ok_or(Refused::Breaks(rule::FORM))?;
                visitor.visit_enum(Variant {
                    word: word.clone(),
                    content: Some(self.below(value.clone())),
                })
            }
            _ => Err(Refused::Breaks(rule::TEXT)),
        }
    }

    /// Only fields that nobody reads come here: they are refused, whether or not the type denies them.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(Refused::Unknown(None))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
    }
}

/// A variant of an enum: a word, or an object with the word as its only key.
struct Variant {
    word: String,
    content: Option<Node>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<S: serde::de::DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Refused> {
        let word = seed.deserialize(self.word.as_str().into_deserializer())?;
        Ok((word, self))
    }
}

impl Variant {
    fn content(self) -> Result<Node, Refused> {
        self.content.ok_or(Refused::Breaks(rule::OBJECT))
    }
}

impl<'de> VariantAccess<'de> for Variant {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        self.content.map_or(Ok(()), |_| Err(Refused::Breaks(rule::TEXT)))
    }

    fn newtype_variant_seed<S: serde::de::DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Refused> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Refused> {
        self.content()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Refused> {
        self.content()?.deserialize_any(visitor)
    }
}
