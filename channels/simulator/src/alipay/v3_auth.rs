//! What a call of the v3 protocol is signed with (alipay reference, 1.9).

/// The scheme before the pairs.
const SCHEME: &str = "ALIPAY-SHA256withRSA ";

/// The header `Authorization` of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    /// Everything that is signed of it.
    auth_string: &'a str,
    /// The signature, base64.
    pub(super) sign: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the header; `None` when it is not of this form.
    pub(super) fn read(header: &'a str) -> Option<Self> {
        let (auth_string, sign) = header.strip_prefix(SCHEME)?.split_once(",sign=")?;
        Some(Self { auth_string, sign })
    }

    /// One of its pairs; blank counts as missing.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.auth_string
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .find(|(known, value)| *known == name && !value.is_empty())
            .map(|(_, value)| value)
    }

    /// The text that the signature covers; the token's line is there only when the token is.
    pub(super) fn content(&self, method: &str, target: &str, body: &str, app_auth_token: Option<&str>) -> String {
        let mut content = format!("{}\n{method}\n{target}\n{body}\n", self.auth_string);
        if let Some(token) = app_auth_token {
            content.push_str(token);
            content.push('\n');
        }
        content
    }
}

/// The text that the signature of an answer covers.
pub(super) fn answer_content(timestamp: &str, nonce: &str, body: &str) -> String {
    format!("{timestamp}\n{nonce}\n{body}\n")
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::super::vectors::vector;
    use super::*;

    fn literal(name: &str) -> String {
        serde_json::from_str(vector(name)).unwrap()
    }

    #[test]
    fn a_post_is_signed_as_in_vector_t9() {
        let authorization = Authorization::read(vector("T9 authorization")).unwrap();
        let body = r#"{"out_trade_no":"MT202603010830050001"}"#;
        let content = authorization.content("POST", "/v3/alipay/trade/query", body, None);
        assert_eq!(content, literal("T9 content"));
        let key = vector("app public key");
        assert!(sign::verify(key, &content, authorization.sign));
        let other = authorization.content("GET", "/v3/alipay/trade/query", body, None);
        assert!(!sign::verify(key, other, authorization.sign));
        assert_eq!(authorization.get("app_id"), Some("2021000000000001"));
        assert_eq!(authorization.get("timestamp"), Some("1772325005123"));
        assert_eq!(authorization.get("app_cert_sn"), None);
    }

    #[test]
    fn a_get_with_certificate_and_token_is_signed_as_in_vector_t9b() {
        let content = literal("T9b content");
        let auth_string = content.split('\n').next().unwrap();
        let header = format!("{SCHEME}{auth_string},sign={}", vector("T9b sign"));
        let authorization = Authorization::read(&header).unwrap();
        let target = "/v3/alipay/user/agreement/query?agreement_no=20265301000000000001";
        let token = Some("202603BB_D64b2be8afd4b6c8468cf585bd05E50");
        assert_eq!(authorization.content("GET", target, "", token), content);
        assert!(sign::verify(vector("app public key"), &content, authorization.sign));
        let without = authorization.content("GET", target, "", None);
        assert!(!sign::verify(vector("app public key"), without, authorization.sign));
        assert_eq!(
            authorization.get("app_cert_sn"),
            Some("0011657fb565810f4281ac37785787b7")
        );
    }

    #[test]
    fn an_answer_is_signed_as_in_vector_t9c() {
        let content = literal("T9c content");
        let body = content.split('\n').nth(2).unwrap();
        let content = answer_content("1772325005200", "8f9d2b1c", body);
        assert_eq!(content, literal("T9c content"));
        let signature = sign::sign(vector("alipay private key"), &content);
        assert_eq!(signature.as_deref(), Some(vector("T9c sign")));
    }

    #[test]
    fn another_scheme_is_not_read() {
        assert!(Authorization::read("Bearer x").is_none());
        assert!(Authorization::read("ALIPAY-SHA256withRSA app_id=1").is_none());
    }
}
