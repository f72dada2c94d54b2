//! The forms on the wire: URL-encoded in requests and notifications, raw in synchronous answers
//! (unionpay reference, 1.2 and 1.3).

use std::collections::BTreeMap;

/// The fields of a message, in the byte order that signatures want.
pub(super) type Fields = BTreeMap<String, String>;

/// Reads an URL-encoded form. `None` when it is none, or when a field stands in it twice.
pub(super) fn decode(body: &[u8]) -> Option<Fields> {
    let mut fields = Fields::new();
    for (name, value) in form_urlencoded::parse(body) {
        if name.is_empty() || fields.insert(name.into_owned(), value.into_owned()).is_some() {
            return None;
        }
    }
    (!fields.is_empty()).then_some(fields)
}

/// Writes an URL-encoded form, as notifications are.
pub(super) fn encode(fields: &Fields) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

/// Writes fields raw, in this order, as synchronous answers are.
pub(super) fn raw<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<String> = fields.map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Reads a domain of the form `{k=v&k=v}`; `None` when it is not of that form.
pub(super) fn domain(text: &str) -> Option<Fields> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    inner
        .split('&')
        .map(|pair| {
            pair.split_once('=')
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_with_a_field_twice_is_no_form() {
        assert!(decode(b"merId=1&merId=2").is_none());
        assert!(decode(b"").is_none());
        let fields = decode(b"a=%7Bx%3D1%26y%3D2%7D&b=").unwrap();
        assert_eq!((fields["a"].as_str(), fields["b"].as_str()), ("{x=1&y=2}", ""));
    }

    #[test]
    fn a_domain_is_read_by_name() {
        let token = domain("{trId=62000000001&token=6235}").unwrap();
        assert_eq!(
            (token["trId"].as_str(), token["token"].as_str()),
            ("62000000001", "6235")
        );
        assert!(domain("trId=62000000001").is_none());
        assert!(domain("{trId}").is_none());
    }
}
