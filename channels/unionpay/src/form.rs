//! The grammar of messages: forms, answers that only look like forms, and domains in braces.
//!
//! UnionPay reference, 1.2 and 1.3.

use std::collections::BTreeMap;

use form_urlencoded::byte_serialize;

/// The fields of a message by name, in the byte order in which they are signed. Blank values stay.
pub(crate) type Fields = BTreeMap<String, String>;

/// A body that is no message. It never quotes the body, which may carry a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// Nothing at all.
    #[error("the body is empty")]
    Empty,
    /// Bytes that are no UTF-8.
    #[error("the body is no UTF-8")]
    NoText,
    /// Text without the structure of a message: plain sentences, HTML.
    #[error("the body is no list of fields")]
    NoFields,
    /// The same name twice: one could be signed and the other read.
    #[error("a field stands twice")]
    Twice,
    /// A brace or bracket that is never closed.
    #[error("a brace is never closed")]
    Open,
}

/// Reads a synchronous answer: looks like a form but is not URL-encoded, and what stands in braces or brackets belongs
/// to the value. Values are kept byte for byte; only the very end of the body is trimmed (UnionPay reference, 1.3).
///
/// # Errors
/// [`Unreadable`] for everything that is no such message.
pub(crate) fn read_answer(body: &[u8]) -> Result<Fields, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|_| Unreadable::NoText)?.trim_end();
    if text.is_empty() {
        return Err(Unreadable::Empty);
    }
    let mut fields = Fields::new();
    for pair in pairs(text)? {
        let (name, value) = pair.split_once('=').ok_or(Unreadable::NoFields)?;
        put(&mut fields, name.to_owned(), value.to_owned())?;
    }
    Ok(fields)
}

/// Reads a notification: an ordinary URL-encoded form.
///
/// # Errors
/// [`Unreadable`] for everything that is no such form.
pub(crate) fn read_form(body: &[u8]) -> Result<Fields, Unreadable> {
    if body.is_empty() {
        return Err(Unreadable::Empty);
    }
    let mut fields = Fields::new();
    for (name, value) in form_urlencoded::parse(body.trim_ascii_end()) {
        put(&mut fields, name.into_owned(), value.into_owned())?;
    }
    Ok(fields)
}

/// Reads a domain such as `{token=…&trId=…}`; `None` for what is none.
pub(crate) fn read_domain(value: &str) -> Option<Fields> {
    let inner = value.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut fields = Fields::new();
    for pair in inner.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        put(&mut fields, name.to_owned(), value.to_owned()).ok()?;
    }
    Some(fields)
}

/// Writes a request's body: every value URL-encoded.
pub(crate) fn write(fields: &Fields) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        if !body.is_empty() {
            body.push('&');
        }
        body.extend(byte_serialize(name.as_bytes()));
        body.push('=');
        body.extend(byte_serialize(value.as_bytes()));
    }
    body
}

/// The text that is signed: all fields but the signature, raw, sorted by name (UnionPay reference, 1.7).
pub(crate) fn signed_text(fields: &Fields) -> String {
    let mut text = String::new();
    for (name, value) in fields.iter().filter(|(name, _)| *name != "signature") {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    text
}

fn put(fields: &mut Fields, name: String, value: String) -> Result<(), Unreadable> {
    if name.is_empty() {
        return Err(Unreadable::NoFields);
    }
    match fields.insert(name, value) {
        None => Ok(()),
        Some(_) => Err(Unreadable::Twice),
    }
}

/// Splits at every `&` that stands outside of braces and brackets. They open only inside a value.
fn pairs(text: &str) -> Result<Vec<&str>, Unreadable> {
    let mut found = Vec::new();
    let (mut start, mut in_value, mut closing) = (0, false, None);
    for (at, letter) in text.char_indices() {
        match (closing, letter) {
            (Some(awaited), _) if letter == awaited => closing = None,
            (Some(_), _) => {}
            (None, '&') => {
                found.push(text.get(start..at).unwrap_or_default());
                (start, in_value) = (at.saturating_add(1), false);
            }
            (None, '=') => in_value = true,
            (None, '{') if in_value => closing = Some('}'),
            (None, '[') if in_value => closing = Some(']'),
            _ => {}
        }
    }
    if closing.is_some() {
        return Err(Unreadable::Open);
    }
    found.push(text.get(start..).unwrap_or_default());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_stands_in_braces_and_brackets_belongs_to_the_value() {
        let body = "respMsg=[9100003]Invalid field[a&b=c]&tokenPayData={token=1&trId=2}&sign=a+b/c==&blank=\r\n";
        let fields = read_answer(body.as_bytes()).unwrap();
        assert_eq!(fields["respMsg"], "[9100003]Invalid field[a&b=c]");
        assert_eq!(fields["tokenPayData"], "{token=1&trId=2}");
        assert_eq!(fields["sign"], "a+b/c==");
        assert_eq!(fields["blank"], "");
        let domain = read_domain(&fields["tokenPayData"]).unwrap();
        assert_eq!((domain["token"].as_str(), domain["trId"].as_str()), ("1", "2"));
    }

    #[test]
    fn what_is_no_message_is_not_read() {
        for (body, why) in [
            ("", Unreadable::Empty),
            (" \r\n", Unreadable::Empty),
            ("Invalid request.", Unreadable::NoFields),
            ("<html><body>Bad Gateway</body></html>", Unreadable::NoFields),
            ("a=1&&b=2", Unreadable::NoFields),
            ("=1", Unreadable::NoFields),
            ("a=1&a=2", Unreadable::Twice),
            ("a={b=1&c=2", Unreadable::Open),
        ] {
            assert_eq!(read_answer(body.as_bytes()), Err(why), "{body}");
        }
        assert_eq!(read_answer(b"a=\xff"), Err(Unreadable::NoText));
        assert_eq!(read_form(b"a=1&a=2"), Err(Unreadable::Twice));
        for no_domain in ["", "token=1", "{token}", "{token=1", "{token=1&token=2}"] {
            assert_eq!(read_domain(no_domain), None, "{no_domain}");
        }
    }

    /// A value as it can stand raw in an answer: free text without separators, or one domain of pairs, or brackets.
    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-zA-Z0-9+/=. 成功]{0,20}",
            "\\{[a-z]{1,5}=[0-9]{0,5}(&[a-z]{1,5}=[0-9]{0,5}){0,3}\\}",
            "成功\\[[0-9&=]{1,9}\\]",
        ]
        // Blanks at the very end of a body are trimmed, so no value ends with one.
        .prop_map(|value| value.trim_end().to_owned())
    }

    proptest! {
        #[test]
        fn an_answer_is_read_as_it_was_written(fields in proptest::collection::btree_map("[a-zA-Z]{1,12}", value(), 1..12)) {
            let raw = fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
            prop_assert_eq!(read_answer(raw.as_bytes()), Ok(fields));
        }

        #[test]
        fn a_form_survives_the_way_there_and_back(fields in proptest::collection::btree_map("[a-zA-Z]{1,12}", "\\PC{0,24}", 1..12)) {
            prop_assert_eq!(read_form(write(&fields).as_bytes()), Ok(fields));
        }

        #[test]
        fn no_bytes_upset_the_readers(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = (read_answer(&body), read_form(&body));
        }

        #[test]
        fn nothing_of_a_readable_answer_is_lost(body in "[a-c=&{}\\[\\]]{1,40}") {
            if let Ok(fields) = read_answer(body.as_bytes()) {
                let letters: usize = fields.iter().map(|(name, value)| name.len() + 1 + value.len()).sum();
                prop_assert_eq!(letters + fields.len() - 1, body.len());
            }
        }
    }
}
