//! The strict reader of JSON bodies. One text has one meaning here: no key twice, no number that another reader would
//! round, no field that nobody reads.

mod strict;
mod typed;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use metropay_core::limit::REQUEST_BODY_MAX;
use metropay_core::problem::{Code, Problem};
use serde::de::DeserializeOwned;

use crate::rule;

pub(crate) use typed::{Node, read};

/// Reads a body of at most [`REQUEST_BODY_MAX`] bytes as `T`.
///
/// Unknown fields are refused whether or not `T` denies them. An empty text counts as missing where `T` has a plain text,
/// and is kept where it has an `Option`. Integers must be plainly written and lie within 2^53.
///
/// # Errors
/// `CONTENT_TYPE_UNSUPPORTED`, `BODY_TOO_LARGE`, `JSON_INVALID` (with `line` and `column`), `PARAM_MISSING` and
/// `PARAM_INVALID` (with field and rule).
pub fn read_json<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T, Problem> {
    read_json_within(REQUEST_BODY_MAX, headers, body)
}

/// As [`read_json`], for bodies that may be larger.
///
/// # Errors
/// As [`read_json`].
pub fn read_json_within<T: DeserializeOwned>(
    max_bytes: usize,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<T, Problem> {
    is_plain_json(headers)?;
    if body.len() > max_bytes {
        return Err(Problem::new(Code::BodyTooLarge).fact("max_bytes", max_bytes));
    }
    let value = strict::parse(body)?;
    read(Node::json(value))
}

fn is_plain_json(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |field, rule| Problem {
        rule: Some(rule),
        ..Problem::new(Code::ContentTypeUnsupported).at(field)
    };
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(unsupported("Content-Encoding", rule::NO_ENCODING));
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let only = types
        .next()
        .and_then(|value| value.to_str().ok())
        .filter(|_| types.next().is_none());
    let plain = only.is_some_and(|value| {
        let (kind, parameter) = value.split_once(';').unwrap_or((value, "charset=utf-8"));
        let parameter = parameter.trim().to_ascii_lowercase();
        kind.trim().eq_ignore_ascii_case("application/json")
            && matches!(parameter.as_str(), "charset=utf-8" | "charset=\"utf-8\"")
    });
    if plain {
        Ok(())
    } else {
        Err(unsupported("Content-Type", rule::CONTENT_TYPE))
    }
}

#[cfg(test)]
mod tests;
