//! The raw text of an answer's node, and its members (alipay reference, 1.5).
//!
//! The signature covers the node as it stands in the body, so it is never re-serialised: `serde_json` hands out the very
//! substring, and understands strings and escapes while it looks for its end.

use std::fmt;

use metropay_core::money::Fen;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An answer that is no message of the gateway.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer cannot be read: {0}")]
pub(crate) struct Unreadable(pub(crate) String);

/// The outer object of an answer.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    /// The node, to the byte.
    pub(crate) node: &'a str,
    /// The signature, if there is one.
    pub(crate) sign: Option<String>,
    /// The SN of the certificate whose key signed, in certificate mode.
    pub(crate) cert_sn: Option<String>,
}

impl<'a> Envelope<'a> {
    /// Reads the outer object. `root` is the node's name for the method; `error_response` stands for requests that the
    /// gateway could not attribute.
    ///
    /// # Errors
    /// [`Unreadable`] when the body is no JSON object, has a name twice, or has not exactly one of the two nodes.
    pub(crate) fn read(body: &'a [u8], root: &str) -> Result<Self, Unreadable> {
        let members: Members<'a> = serde_json::from_slice(body).map_err(|error| Unreadable(error.to_string()))?;
        let mut nodes = [root, "error_response"]
            .into_iter()
            .filter_map(|name| members.find(name));
        let node = match (nodes.next(), nodes.next()) {
            (Some(node), None) => node.get(),
            (None, _) => return Err(Unreadable(format!("it has no node {root}"))),
            (Some(_), Some(_)) => return Err(Unreadable("it has two nodes".to_owned())),
        };
        let text = |name: &str| match members.find(name) {
            None => Ok(None),
            Some(raw) => string(raw.get())
                .map(Some)
                .ok_or_else(|| Unreadable(format!("its {name} is no text"))),
        };
        Ok(Self {
            node,
            sign: text("sign")?,
            cert_sn: text("alipay_cert_sn")?,
        })
    }
}

/// The members of a node.
#[derive(Debug, Default)]
pub(crate) struct Node(Vec<(String, Box<RawValue>)>);

impl Node {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// [`Unreadable`] when it is something else or has a name twice.
    pub(crate) fn read(text: &str) -> Result<Self, Unreadable> {
        let members: Members<'_> = serde_json::from_str(text).map_err(|error| Unreadable(error.to_string()))?;
        let owned = members.0.into_iter().map(|(name, raw)| (name, raw.to_owned()));
        Ok(Self(owned.collect()))
    }

    /// A list of JSON objects; `None` when the text is something else.
    pub(crate) fn list(text: &str) -> Option<Vec<Self>> {
        let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        items.into_iter().map(|item| Self::read(item.get()).ok()).collect()
    }

    /// The JSON text of a member.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, raw)| raw.get())
    }

    /// A text, or a number as it is written. Empty counts as absent.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let raw = self.raw(name)?;
        let text = if raw.starts_with('"') {
            string(raw)?
        } else if raw.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            raw.to_owned()
        } else {
            return None;
        };
        (!text.is_empty()).then_some(text)
    }

    /// An amount in yuan, never through floating point.
    pub(crate) fn fen(&self, name: &str) -> Option<Fen> {
        Fen::from_yuan(&self.text(name)?).ok()
    }
}

/// The text of a JSON string.
pub(crate) fn string(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

/// The members of an object with the raw text of each value; a name that stands twice is refused, since two readers of
/// one text might each take another of the two.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    fn find(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, raw)| *raw)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members(Vec::new());
                while let Some((name, raw)) = map.next_entry::<String, &'de RawValue>()? {
                    if members.find(&name).is_some() {
                        return Err(A::Error::custom("a name stands twice"));
                    }
                    members.0.push((name, raw));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Each)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_node_is_found_whatever_stands_in_its_strings() {
        let node = r#"{"a":"}\"sign\":\"x\\","b":{"c":"{["},"sign":"inner"}"#;
        for body in [
            format!(r#"{{"r_response":{node},"sign":"S"}}"#),
            format!(" {{ \"sign\" : \"S\" ,\n \"r_response\" :\t{node} }} "),
        ] {
            let envelope = Envelope::read(body.as_bytes(), "r_response").unwrap();
            assert_eq!((envelope.node, envelope.sign.as_deref()), (node, Some("S")));
        }
    }

    #[test]
    fn a_body_with_two_roots_or_none_is_refused_even_if_one_is_written_with_escapes() {
        for body in [
            r#"{"r_response":{"code":"1"},"r_response":{"code":"2"},"sign":"S"}"#,
            r#"{"r_response":{"code":"1"},"r_respons\u0065":{"code":"2"},"sign":"S"}"#,
            r#"{"r_response":{"code":"1"},"error_response":{"code":"2"},"sign":"S"}"#,
            r#"{"r_response":{"code":"1"},"sign":"S","sign":"T"}"#,
            r#"{"q_response":{"code":"1"},"sign":"S"}"#,
            r#"{"r_response":{"code":"1"},"sign":7}"#,
            r#"{"r_response":{"code":"1"},"sign":"S"}x"#,
            r#"{"r_response":{"code":"1"},"sign":"S""#,
            r#"["r_response"]"#,
            "<html></html>",
            "",
        ] {
            assert!(Envelope::read(body.as_bytes(), "r_response").is_err(), "{body}");
        }
    }

    #[test]
    fn amounts_are_read_from_their_text_be_they_texts_or_numbers() {
        let node = Node::read(r#"{"a":"4.50","b":4.5,"c":0.1,"d":"","e":"1.005","f":-1,"g":45e-1,"h":null,"i":{}}"#);
        let node = node.unwrap();
        assert_eq!(node.fen("a"), Fen::new(450).ok());
        assert_eq!(node.fen("b"), Fen::new(450).ok());
        assert_eq!(node.fen("c"), Fen::new(10).ok());
        for name in ["d", "e", "f", "g", "h", "i", "absent"] {
            assert_eq!(node.fen(name), None, "{name}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            r#"[\PC"\\{}\[\]:,/]{0,12}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(r#"[a-z"\\{}]{0,6}"#, inner, 0..5).prop_map(|members| json!(members)),
            ]
        })
    }

    /// Writes JSON as another writer might: slashes and other letters escaped, blanks between the tokens.
    fn dressed(value: &Value, slashes: bool, unicode: bool, pretty: bool) -> String {
        let mut text = if pretty {
            format!("{value:#}")
        } else {
            value.to_string()
        };
        if slashes {
            text = text.replace('/', r"\/");
        }
        if unicode {
            let escape = |c: char| {
                let mut units = [0; 2];
                c.encode_utf16(&mut units)
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}"))
                    .collect::<String>()
            };
            text = text
                .chars()
                .map(|c| if c.is_ascii() { c.to_string() } else { escape(c) })
                .collect();
        }
        text
    }

    proptest! {
        #[test]
        fn the_substring_of_any_node_is_the_node(
            members in prop::collection::btree_map(r#"[a-z"\\{}]{0,6}"#, any_json(), 0..5),
            before in prop::collection::btree_map("[0-9]{1,4}", any_json(), 0..3),
            after in prop::collection::btree_map("[A-Z]{1,4}", any_json(), 0..3),
            dress in any::<(bool, bool, bool)>(),
        ) {
            let node = dressed(&json!(members), dress.0, dress.1, dress.2);
            let outer = |members: &std::collections::BTreeMap<String, Value>| {
                members.iter().map(|(name, value)| format!("{}:{value},", json!(name))).collect::<String>()
            };
            let body = format!(r#"{{{}"r_response":{node},{}"sign":"S"}}"#, outer(&before), outer(&after));
            let envelope = Envelope::read(body.as_bytes(), "r_response").unwrap();
            prop_assert_eq!(envelope.node, node.as_str());
            prop_assert_eq!(envelope.sign.as_deref(), Some("S"));
            let parsed = Node::read(envelope.node).unwrap();
            for (name, value) in &members {
                let raw: Value = serde_json::from_str(parsed.raw(name).unwrap()).unwrap();
                prop_assert_eq!(&raw, value);
            }
        }

        #[test]
        fn no_bytes_make_the_scanner_stumble(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(envelope) = Envelope::read(&bytes, "r_response") {
                prop_assert!(std::str::from_utf8(&bytes).unwrap().contains(envelope.node));
            }
        }

        #[test]
        fn a_cut_body_is_refused(cut in 0usize..70) {
            let body = r#"{"r_response":{"code":"10000","x":"{\"}"},"sign":"AAAABBBBCCCCDDDD=="}"#;
            prop_assert!(Envelope::read(&body.as_bytes()[..cut.min(body.len() - 1)], "r_response").is_err());
        }

        #[test]
        fn amounts_survive_the_way_into_a_node_and_out_again(fen in 0..=metropay_core::money::FEN_MAX) {
            let fen = Fen::new(fen).unwrap();
            let node = Node::read(&format!(r#"{{"text":"{0}","number":{0}}}"#, fen.yuan())).unwrap();
            prop_assert_eq!(node.fen("text"), Some(fen));
            prop_assert_eq!(node.fen("number"), Some(fen));
        }
    }
}
