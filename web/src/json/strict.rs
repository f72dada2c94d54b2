//! From bytes to a JSON value, where one text has one meaning.

use metropay_core::json::{JsonFlaw, read_strictly};
use metropay_core::limit::JSON_DEPTH_MAX;
use metropay_core::problem::{Code, Problem};
use serde_json::Value;

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
    let value = read_strictly(text, JSON_DEPTH_MAX).map_err(|refused| {
        let rule = match refused.flaw {
            JsonFlaw::Form => rule::JSON,
            JsonFlaw::Depth => rule::DEPTH,
            JsonFlaw::DuplicateKey => rule::NO_DUPLICATE_KEY,
            JsonFlaw::Trailing => rule::NOTHING_AFTER,
        };
        invalid(rule, refused.line, refused.column)
    })?;
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
