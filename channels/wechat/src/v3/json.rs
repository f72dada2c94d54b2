//! Bodies of APIv3: fields by their path, amounts and times as what they are (wechat reference, 10.1 and 10.2).

use chrono::DateTime;
use metropay_core::clock::Time;
use metropay_core::money::Fen;
use serde_json::Value;

/// A body that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Json(Value);

impl Json {
    /// Reads a body; `None` where it is no JSON object.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        value.is_object().then_some(Self(value))
    }

    /// A body without anything in it.
    pub(crate) fn empty() -> Self {
        Self(Value::Null)
    }

    /// A text at a path such as `/amount/currency`; an empty one counts as missing.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.0.pointer(path)?.as_str().filter(|text| !text.is_empty())
    }

    /// An amount in fen: a whole number that is not negative.
    pub(crate) fn fen(&self, path: &str) -> Option<Fen> {
        Fen::new(self.0.pointer(path)?.as_u64()?).ok()
    }

    /// A whole number.
    pub(crate) fn number(&self, path: &str) -> Option<i64> {
        self.0.pointer(path)?.as_i64()
    }

    /// Whether there is anything at this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.pointer(path).is_some_and(|value| !value.is_null())
    }

    /// A time as RFC 3339 writes it.
    pub(crate) fn time(&self, path: &str) -> Option<Time> {
        let time = DateTime::parse_from_rfc3339(self.text(path)?).ok()?;
        Some(Time(time.timestamp_millis()))
    }

    /// The object at a path.
    pub(crate) fn part(&self, path: &str) -> Option<Self> {
        self.0
            .pointer(path)
            .filter(|value| value.is_object())
            .cloned()
            .map(Self)
    }

    /// The objects of a list at a path; `None` where there is no list, or one with something else in it.
    pub(crate) fn list(&self, path: &str) -> Option<Vec<Self>> {
        let all = self.0.pointer(path)?.as_array()?;
        all.iter()
            .map(|value| value.is_object().then(|| Self(value.clone())))
            .collect()
    }

    /// Whether a text says something else than ours where it says anything.
    pub(crate) fn other(&self, path: &str, ours: &str) -> bool {
        self.has(path) && self.text(path) != Some(ours)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_whole_numbers_and_times_have_an_offset() {
        let json = Json::read(
            br#"{"a":{"b":1280,"c":-1,"d":12.8,"e":"1280","f":9007199254740992},"t":"2025-03-01T15:00:05+08:00","u":"2025-03-01 15:00:05","n":null,"s":""}"#,
        )
        .unwrap();
        assert_eq!(json.fen("/a/b"), Fen::new(1280).ok());
        for bad in ["/a/c", "/a/d", "/a/e", "/a/f", "/a/g", "/t", "/a"] {
            assert_eq!(json.fen(bad), None, "{bad}");
        }
        assert_eq!(json.time("/t"), Time::parse_china("20250301150005", "%Y%m%d%H%M%S"));
        assert_eq!(json.time("/u"), None);
        assert!(!json.has("/n") && json.has("/s") && json.text("/s").is_none());
        assert!(json.other("/s", "x") && json.other("/a", "x") && !json.other("/n", "x") && !json.other("/z", "x"));
        for bad in ["", "[]", "1", "{", "{}x", "null"] {
            assert_eq!(Json::read(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_fall(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "[\\[{\":,}\\]a0-9]{0,60}") {
            let _ = Json::read(&bytes);
            let _ = Json::read(text.as_bytes());
            let deep = "[".repeat(bytes.len() * 50);
            prop_assert_eq!(Json::read(deep.as_bytes()), None);
        }
    }
}
