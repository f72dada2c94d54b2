//! The headers of a call whose names somebody else has chosen: those of a short list, once each, and never one by which a
//! request could be taken for another, or for two.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Headers of a call at most.
pub const HEADERS_MAX: usize = 32;
/// Letters of a header's value at most.
const VALUE_MAX: usize = 4096;

/// Names that may be set as they are.
const NAMES: &[&str] = &[
    "accept",
    "accept-language",
    "api-key",
    "apikey",
    "app-id",
    "appid",
    "authorization",
    "client-id",
    "content-language",
    "date",
    "digest",
    "content-digest",
    "idempotency-key",
    "nonce",
    "request-id",
    "sign",
    "sign-type",
    "signature",
    "signature-input",
    "timestamp",
    "token",
    "traceparent",
];
/// Beginnings of names that may be set: what merchants' systems call their own.
const PREFIXES: &[&str] = &["x-", "metropay-", "webhook-"];
/// What begins so, and is read by proxies, frameworks and metadata services instead of by the merchant's system.
const NOT_THEIRS: &[&str] = &[
    "x-accel-",
    "x-aws-ec2-",
    "x-envoy-",
    "x-forwarded",
    "x-google-",
    "x-host",
    "x-http-",
    "x-method",
    "x-original-",
    "x-real-",
    "x-rewrite-",
    "x-cluster-",
    "x-client-ip",
    "x-remote-",
    "x-proxy-",
    "x-metadata-",
];

/// Why a header is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderRefused {
    /// Not a name of the list.
    #[error("not a name that may be set")]
    Name,
    /// The same name twice, or too many headers.
    #[error("set twice, or one too many")]
    Count,
    /// Longer than 4096 letters, or others than visible ones of ASCII and blanks.
    #[error("its value is no plain text of at most {VALUE_MAX} letters")]
    Value,
}

pub(crate) fn add(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), HeaderRefused> {
    let lower = name.to_ascii_lowercase();
    let theirs = PREFIXES
        .iter()
        .any(|prefix| lower.starts_with(prefix) && lower.len() > prefix.len())
        && !NOT_THEIRS.iter().any(|prefix| lower.starts_with(prefix));
    if !(theirs || NAMES.contains(&lower.as_str())) || lower.len() > 64 || lower.contains('_') {
        return Err(HeaderRefused::Name);
    }
    let name = HeaderName::from_bytes(lower.as_bytes()).map_err(|_| HeaderRefused::Name)?;
    if headers.contains_key(&name) || headers.len() >= HEADERS_MAX {
        return Err(HeaderRefused::Count);
    }
    let plain = value.len() <= VALUE_MAX && value.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    let value = HeaderValue::from_str(value).ok().filter(|_| plain);
    let mut value = value.ok_or(HeaderRefused::Value)?;
    // Values may be keys: they are not shown when headers are printed.
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_list_are_sent_once_each() {
        let mut headers = HeaderMap::new();
        for name in ["X-Api-Key", "Authorization", "METROPAY-Nonce", "sign", "webhook-id"] {
            assert_eq!(add(&mut headers, name, "a b"), Ok(()), "{name}");
            assert_eq!(add(&mut headers, name, "a"), Err(HeaderRefused::Count), "{name}");
        }
        assert!(!format!("{headers:?}").contains("a b"));
        for number in 0..HEADERS_MAX {
            let added = add(&mut headers, &format!("x-{number}"), "");
            assert_eq!(added.is_ok(), headers.len() <= HEADERS_MAX && added.is_ok());
        }
        assert_eq!(headers.len(), HEADERS_MAX);
    }

    #[test]
    fn headers_that_steer_the_connection_or_a_proxy_are_not_sent() {
        for name in [
            "Host",
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "Upgrade",
            "TE",
            "Trailer",
            "Expect",
            "Cookie",
            "Forwarded",
            "Via",
            "Proxy-Authorization",
            "Accept-Encoding",
            "Content-Type",
            "Content-Encoding",
            "User-Agent",
            "Origin",
            "Range",
            "X-Forwarded-For",
            "X-Real-IP",
            "X-Original-URL",
            "X-HTTP-Method-Override",
            "X-aws-ec2-metadata-token",
            "Metadata-Flavor",
            "Metadata",
            "x-",
            "",
            "x a",
            "x-a\r\nhost",
            "x-é",
            "x_a",
            "x-a_b",
        ] {
            assert_eq!(
                add(&mut HeaderMap::new(), name, "a"),
                Err(HeaderRefused::Name),
                "{name}"
            );
        }
        for value in ["a\r\nx-b: c", "a\0", "甲", "\t", &"a".repeat(VALUE_MAX + 1)] {
            assert_eq!(
                add(&mut HeaderMap::new(), "x-a", value),
                Err(HeaderRefused::Value),
                "{value}"
            );
        }
    }
}
