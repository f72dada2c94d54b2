//! The strict reader of query parameters.

use http::Uri;
use metropay_core::problem::{Code, Problem};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::json::{Node, read};
use crate::rule;

/// Parameters of a query at most.
const PARAMETERS_MAX: usize = 64;

/// Reads the parameters of a path's query as `T`. Numbers are plain digits; a parameter comes once; none is unknown; an
/// empty one counts as missing where `T` has a plain text.
///
/// # Errors
/// `PARAM_MISSING` and `PARAM_INVALID`, with field and rule.
pub fn read_query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let mut parameters = Map::new();
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        if value.contains('\u{fffd}') || parameters.len() >= PARAMETERS_MAX {
            return Err(Problem {
                rule: Some(rule::FORM),
                ..Problem::new(Code::ParamInvalid)
            });
        }
        if parameters.contains_key(&*name) {
            return Err(Problem {
                rule: Some(rule::ONCE),
                ..Problem::new(Code::ParamInvalid)
            });
        }
        parameters.insert(name.into_owned(), Value::String(value.into_owned()));
    }
    read(Node::query(Value::Object(parameters)))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Page {
        channel: String,
        size: Option<u64>,
        open: Option<bool>,
        cursor: Option<String>,
    }

    #[test]
    fn a_query_is_read_as_it_is_written() {
        let uri = "/records?channel=%E5%BE%AE%E4%BF%A1&size=20&open=true&cursor=007"
            .parse()
            .unwrap();
        let page: Page = read_query(&uri).unwrap();
        let expected = Page {
            channel: "微信".into(),
            size: Some(20),
            open: Some(true),
            cursor: Some("007".into()),
        };
        assert_eq!(page, expected);
    }

    #[test]
    fn what_a_query_should_not_have_is_refused() {
        let cases = [
            ("/", "PARAM_MISSING", Some("channel"), None),
            ("/?channel=", "PARAM_MISSING", Some("channel"), None),
            ("/?channel=a&channel=b", "PARAM_INVALID", None, Some(rule::ONCE)),
            ("/?channel=%ff", "PARAM_INVALID", None, Some(rule::FORM)),
            (
                "/?channel=a&sort=b",
                "PARAM_INVALID",
                Some("sort"),
                Some(rule::NO_SUCH_FIELD),
            ),
            (
                "/?channel=a&size=+20",
                "PARAM_INVALID",
                Some("size"),
                Some(rule::INTEGER),
            ),
            (
                "/?channel=a&size=020",
                "PARAM_INVALID",
                Some("size"),
                Some(rule::INTEGER),
            ),
            (
                "/?channel=a&size=-1",
                "PARAM_INVALID",
                Some("size"),
                Some(rule::INTEGER),
            ),
            (
                "/?channel=a&size=1e3",
                "PARAM_INVALID",
                Some("size"),
                Some(rule::INTEGER),
            ),
            (
                "/?channel=a&size=9007199254740992",
                "PARAM_INVALID",
                Some("size"),
                Some(rule::INTEGER),
            ),
            (
                "/?channel=a&size=18446744073709551616",
                "PARAM_INVALID",
                Some("size"),
                Some(rule::INTEGER),
            ),
            ("/?channel=a&open=yes", "PARAM_INVALID", Some("open"), Some(rule::TRUTH)),
        ];
        for (uri, code, field, rule) in cases {
            let problem = read_query::<Page>(&uri.parse().unwrap()).unwrap_err();
            assert_eq!(
                (problem.code.word(), problem.field.as_deref(), problem.rule),
                (code, field, rule),
                "{uri}"
            );
        }
    }
}
