//! The two charsets of the gateway: UTF-8 and GBK (alipay reference, 1.2 and 1.3).

use std::borrow::Cow;
use std::collections::BTreeMap;

use encoding_rs::{Encoding, GBK, UTF_8};
use percent_encoding::percent_decode;
use serde::{Deserialize, Serialize};

/// The charset of a request and of the answer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Charset {
    /// `utf-8`
    #[default]
    Utf8,
    /// `GBK`
    Gbk,
}

impl Charset {
    /// The charset of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Some(Self::Utf8),
            "gbk" => Some(Self::Gbk),
            _ => None,
        }
    }

    /// The name as answers carry it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Gbk => "GBK",
        }
    }

    /// The content type of a form in it.
    pub(super) fn form_type(self) -> &'static str {
        match self {
            Self::Utf8 => "application/x-www-form-urlencoded; charset=utf-8",
            Self::Gbk => "application/x-www-form-urlencoded; charset=GBK",
        }
    }

    /// The text's bytes. What GBK does not know is written as a reference to the character.
    pub(super) fn bytes(self, text: &str) -> Cow<'_, [u8]> {
        match self {
            Self::Utf8 => Cow::Borrowed(text.as_bytes()),
            Self::Gbk => GBK.encode(text).0,
        }
    }

    /// The bytes' text. What is not of this charset becomes a replacement character, and no signature fits it.
    pub(super) fn text(self, bytes: &[u8]) -> String {
        self.encoding().decode_without_bom_handling(bytes).0.into_owned()
    }

    fn encoding(self) -> &'static Encoding {
        match self {
            Self::Utf8 => UTF_8,
            Self::Gbk => GBK,
        }
    }

    /// Adds the pairs of a form or a query; a name that is there already keeps its value.
    pub(super) fn add_pairs(self, form: &[u8], pairs: &mut BTreeMap<String, String>) {
        for pair in form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = self.decoded(halves.next().unwrap_or_default());
            let value = self.decoded(halves.next().unwrap_or_default());
            pairs.entry(name).or_insert(value);
        }
    }

    fn decoded(self, raw: &[u8]) -> String {
        let spaced: Vec<u8> = raw
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect();
        self.text(&percent_decode(&spaced).collect::<Vec<u8>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_in_their_own_charset() {
        let mut pairs = BTreeMap::new();
        Charset::Gbk.add_pairs(b"subject=%B5%D8%CC%FA+a%3D1&a=1&a=2&empty=&&bare", &mut pairs);
        assert_eq!(pairs["subject"], "地铁 a=1");
        assert_eq!(pairs["a"], "1");
        assert!(pairs["empty"].is_empty() && pairs["bare"].is_empty());
        assert_eq!(Charset::Utf8.text("地铁".as_bytes()), "地铁");
        assert_eq!(Charset::Gbk.bytes("地铁").as_ref(), [0xb5, 0xd8, 0xcc, 0xfa]);
    }

    #[test]
    fn only_two_charsets_are_known() {
        assert_eq!(Charset::named("UTF-8"), Some(Charset::Utf8));
        assert_eq!(Charset::named("gbk"), Some(Charset::Gbk));
        assert_eq!(Charset::named("latin1"), None);
    }
}
