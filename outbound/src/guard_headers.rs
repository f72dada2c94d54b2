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

/// Names that nobody sets but the client itself, and those whose meaning is not the merchant's.
const NEVER: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "metadata",
    "metadata-flavor",
    "origin",
    "range",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];
/// Beginnings of such names.
const NEVER_BEGIN: &[&str] = &["proxy-", "sec-", "if-", "access-control-", "cf-", "true-client-"];

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

/// Further names that a merchant's system reads, as an operator has listed them. Those that steer the connection, a proxy or a
/// framework cannot be listed.
#[derive(Debug, Clone, Default)]
pub struct FurtherHeaders(Vec<String>);

impl FurtherHeaders {
    /// Reads the list.
    ///
    /// # Errors
    /// [`HeaderRefused::Name`] for a name that may never be set, [`HeaderRefused::Count`] for more than 32.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, HeaderRefused> {
        let mut further = Vec::new();
        for name in names {
            let lower = name.to_ascii_lowercase();
            // Where a header becomes a variable of the environment, `_` and `-` are one.
            let read_as = lower.replace('_', "-");
            let steers = NEVER.contains(&read_as.as_str())
                || NEVER_BEGIN
                    .iter()
                    .chain(NOT_THEIRS)
                    .any(|begin| read_as.starts_with(begin));
            if steers || !is_name(&lower) {
                return Err(HeaderRefused::Name);
            }
            if further.len() >= HEADERS_MAX {
                return Err(HeaderRefused::Count);
            }
            further.push(lower);
        }
        Ok(Self(further))
    }
}

fn is_name(lower: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=64).contains(&lower.len()) && lower.bytes().all(letter)
}

pub(crate) fn add(
    headers: &mut HeaderMap,
    further: &FurtherHeaders,
    name: &str,
    value: &str,
) -> Result<(), HeaderRefused> {
    let lower = name.to_ascii_lowercase();
    let theirs = PREFIXES
        .iter()
        .any(|prefix| lower.starts_with(prefix) && lower.len() > prefix.len())
        && !NOT_THEIRS.iter().any(|prefix| lower.starts_with(prefix));
    let usual = (theirs || NAMES.contains(&lower.as_str())) && !lower.contains('_');
    if !(usual || further.0.contains(&lower)) || !is_name(&lower) {
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

    const NONE: FurtherHeaders = FurtherHeaders(Vec::new());

    #[test]
    fn headers_of_the_list_are_sent_once_each() {
        let mut headers = HeaderMap::new();
        for name in ["X-Api-Key", "Authorization", "METROPAY-Nonce", "sign", "webhook-id"] {
            assert_eq!(add(&mut headers, &NONE, name, "a b"), Ok(()), "{name}");
            assert_eq!(add(&mut headers, &NONE, name, "a"), Err(HeaderRefused::Count), "{name}");
        }
        assert!(!format!("{headers:?}").contains("a b"));
        for number in 0..HEADERS_MAX {
            let added = add(&mut headers, &NONE, &format!("x-{number}"), "");
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
                add(&mut HeaderMap::new(), &NONE, name, "a"),
                Err(HeaderRefused::Name),
                "{name}"
            );
        }
        for value in ["a\r\nx-b: c", "a\0", "甲", "\t", &"a".repeat(VALUE_MAX + 1)] {
            assert_eq!(
                add(&mut HeaderMap::new(), &NONE, "x-a", value),
                Err(HeaderRefused::Value),
                "{value}"
            );
        }
    }
    #[test]
    fn an_operator_may_list_further_names_and_never_one_that_steers() {
        let further = FurtherHeaders::new(["appKey", "Tenant_Id"]).unwrap();
        let mut headers = HeaderMap::new();
        for name in ["APPKEY", "tenant_id"] {
            assert_eq!(add(&mut headers, &NONE, name, "a"), Err(HeaderRefused::Name), "{name}");
            assert_eq!(add(&mut headers, &further, name, "a"), Ok(()), "{name}");
        }
        for name in [
            "host",
            "Content_Length",
            "Transfer-Encoding",
            "x_forwarded_for",
            "X-Real-IP",
            "Proxy-Authorization",
            "proxy_x",
            "Cookie",
            "sec-fetch-site",
            "If-Match",
            "Metadata-Flavor",
            "",
            "a b",
            "a:",
            "甲",
        ] {
            assert_eq!(FurtherHeaders::new([name]).unwrap_err(), HeaderRefused::Name, "{name}");
        }
        assert_eq!(FurtherHeaders::new(["a"; 33]).unwrap_err(), HeaderRefused::Count);
    }
}
