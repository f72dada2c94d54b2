//! Signing a request, and its two dresses: a POST and a link (alipay reference, 1.3 and 1.4).

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::keys::{Keys, Unsigned};

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Joins parameters as they are signed: sorted by name, `name=value`, with `&` between them, values raw.
pub(crate) fn joined<'a>(parameters: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Vec<u8> {
    let mut parameters: Vec<_> = parameters.into_iter().collect();
    parameters.sort_unstable();
    let pairs: Vec<Vec<u8>> = parameters
        .into_iter()
        .map(|(name, value)| [name, b"=", value].concat())
        .collect();
    pairs.join(&b'&')
}

/// Percent-encodes a text as a part of a URL, blanks as `%20`.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// What travels in the form body of a POST: the business parameters, and tokens, which would stand in other people's logs if
/// they were part of the address.
const IN_BODY: &[&str] = &["app_auth_token", "auth_token", "biz_content", "code", "grant_type"];

/// A request with its signature.
#[derive(Debug)]
pub(crate) struct Signed(BTreeMap<String, String>);

impl Signed {
    /// Drops empty and blank parameters and signs the others.
    ///
    /// # Errors
    /// [`Unsigned`] when the signature cannot be made.
    pub(crate) fn new(parameters: BTreeMap<String, String>, keys: &Keys) -> Result<Self, Unsigned> {
        let mut kept = parameters;
        kept.retain(|name, value| name != "sign" && !value.trim().is_empty());
        let sign = keys.sign(&text(&kept))?;
        kept.insert("sign".to_owned(), sign);
        Ok(Self(kept))
    }

    /// The query of a POST: everything that is not in its body. The gateway verifies both together.
    pub(crate) fn query(&self) -> String {
        self.form(false)
    }

    /// The form body of a POST.
    pub(crate) fn body(&self) -> String {
        self.form(true)
    }

    fn form(&self, in_body: bool) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let names = |name: &str| IN_BODY.contains(&name) == in_body;
        form.extend_pairs(self.0.iter().filter(|(name, _)| names(name)));
        form.finish()
    }

    /// The whole request as the query of a link.
    pub(crate) fn link(&self) -> String {
        let pairs: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        pairs.join("&")
    }
}

fn text(parameters: &BTreeMap<String, String>) -> Vec<u8> {
    joined(
        parameters
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
    )
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};

    use super::*;
    use crate::testing::{keys, vector};

    fn parameters(file: &str) -> BTreeMap<String, String> {
        serde_json::from_str(&vector(file)).unwrap()
    }

    #[test]
    fn requests_are_signed_and_sent_byte_for_byte_as_in_t1() {
        let parameters = parameters("t1.json");
        let mut kept = parameters.clone();
        kept.retain(|_, value| !value.trim().is_empty());
        assert_eq!(String::from_utf8(text(&kept)).unwrap(), vector("t1.text"));
        let hash = hex::encode(digest(&SHA256, &text(&kept)));
        assert_eq!(hash, "7a249c20c68b59b57e2e777e28c08805ae461b69e4bce4a54eb15cb0806e4fd6");
        let signed = Signed::new(parameters, &keys()).unwrap();
        assert_eq!(signed.0["sign"], vector("t1.sign"));
        assert_eq!(format!("/gateway.do?{}", signed.query()), vector("t1.target"));
        assert_eq!(signed.body(), vector("t1.body"));
    }

    #[test]
    fn further_parameters_are_signed_whatever_their_names_as_in_t2() {
        assert_eq!(
            String::from_utf8(text(&parameters("t2.json"))).unwrap(),
            vector("t2.text")
        );
        let signed = Signed::new(parameters("t2.json"), &keys()).unwrap();
        assert_eq!(signed.0["sign"], vector("t2.sign"));
        let hash = hex::encode(digest(&SHA256, vector("t2.text").as_bytes()));
        assert_eq!(hash, "5b4b5d6334deeab3e42dfe3195fc7d3f0c748f0a56f5484157ef4fe8f4ba816b");
    }

    #[test]
    fn bytes_of_another_charset_are_signed_as_they_are_as_in_t2b() {
        let text = vector("t2b.text");
        let (gbk, _, lossy) = encoding_rs::GBK.encode(&text);
        assert!(!lossy);
        let hash = hex::encode(digest(&SHA256, &gbk));
        assert_eq!(hash, "044dfd26c1512376f03b457cf38409dc4ec0ae1cc5bc3072f7909a553025561e");
        assert_eq!(keys().sign(&gbk).unwrap(), vector("t2b.sign"));
    }

    #[test]
    fn a_sealed_content_is_signed_as_it_is_sent_as_in_t6() {
        let mut sealed = parameters("t1.json");
        sealed.retain(|_, value| !value.trim().is_empty());
        sealed.insert("biz_content".to_owned(), vector("t6.content"));
        sealed.insert("encrypt_type".to_owned(), "AES".to_owned());
        assert_eq!(String::from_utf8(text(&sealed)).unwrap(), vector("t6.text"));
        assert_eq!(Signed::new(sealed, &keys()).unwrap().0["sign"], vector("t6.sign"));
    }

    #[test]
    fn tokens_travel_in_the_body_of_a_post() {
        let mut parameters = parameters("t1.json");
        parameters.insert("app_auth_token".to_owned(), "canary".to_owned());
        let signed = Signed::new(parameters, &keys()).unwrap();
        assert!(signed.body().contains("app_auth_token=canary") && !signed.query().contains("canary"));
        assert!(signed.link().contains("app_auth_token=canary"), "a page has no body");
    }

    #[test]
    fn names_sort_by_their_bytes() {
        let pairs = [(&b"b"[..], &b"1"[..]), (b"a_b", b"2"), (b"aB", b"3"), (b"ab", b"")];
        assert_eq!(joined(pairs), b"aB=3&a_b=2&ab=&b=1");
    }
}
