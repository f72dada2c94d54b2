//! The `Authorization` header of a request and the message that it signs (wechat reference, 1.6).

use rsa::RsaPublicKey;

use super::cipher;

const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// How far a request's timestamp may lie from the gateway's clock, in seconds.
pub(super) const WINDOW_S: i64 = 300;

/// The five parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authorization {
    pub mchid: String,
    pub nonce: String,
    pub timestamp: String,
    pub serial: String,
    pub signature: String,
}

impl Authorization {
    /// Reads the header. Each of the five parameters must stand there once and nothing else; their order does not matter.
    pub(super) fn read(header: &str) -> Option<Self> {
        let rest = header.strip_prefix(SCHEME)?.strip_prefix(' ')?;
        let mut found: [Option<String>; 5] = Default::default();
        for pair in rest.split(',') {
            let (name, value) = pair.trim().split_once('=')?;
            let value = value.strip_prefix('"')?.strip_suffix('"')?;
            let names = ["mchid", "nonce_str", "timestamp", "serial_no", "signature"];
            let place = found.get_mut(names.iter().position(|known| *known == name)?)?;
            if value.is_empty() || place.replace(value.to_owned()).is_some() {
                return None;
            }
        }
        let [mchid, nonce, timestamp, serial, signature] = found;
        Some(Self {
            mchid: mchid?,
            nonce: nonce.filter(|nonce| nonce.len() <= 32)?,
            timestamp: timestamp.filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?,
            serial: serial?,
            signature: signature?,
        })
    }

    /// Whether the timestamp is near enough to the gateway's clock.
    pub(super) fn is_fresh(&self, now_ms: i64) -> bool {
        let given: Option<i64> = self.timestamp.parse().ok();
        given.is_some_and(|given| (now_ms / 1_000).abs_diff(given) <= WINDOW_S.unsigned_abs())
    }

    /// What is signed, for this method, target (path and query as sent) and body.
    pub(super) fn message(&self, method: &str, target: &str, body: &[u8]) -> Vec<u8> {
        let head = format!("{method}\n{target}\n{}\n{}\n", self.timestamp, self.nonce);
        [head.as_bytes(), body, b"\n"].concat()
    }

    /// Whether this key signed the request under one of the targets.
    pub(super) fn verifies(&self, key: &RsaPublicKey, method: &str, targets: &[&str], body: &[u8]) -> bool {
        targets
            .iter()
            .any(|target| cipher::verifies(key, &self.message(method, target, body), &self.signature))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::credentials::read_certificate;
    use super::super::vectors;
    use super::*;

    #[test]
    fn the_requests_c13_to_c15_are_believed_and_altered_ones_are_not() {
        let (serial, key) = read_certificate(vectors::MERCHANT_CERT).unwrap();
        for id in ["C13", "C14", "C15"] {
            let authorization = Authorization::read(vectors::line(id, "authorization")).unwrap();
            assert_eq!(
                (authorization.mchid.as_str(), &authorization.serial),
                ("1900009999", &serial)
            );
            let message = vectors::line(id, "message").replace("\\n", "\n");
            let parts: Vec<&str> = message.splitn(5, '\n').collect();
            let (method, target, body) = (parts[0], parts[1], parts[4].strip_suffix('\n').unwrap());
            assert_eq!(
                authorization.message(method, target, body.as_bytes()),
                message.as_bytes()
            );
            let believed =
                |targets: &[&str], body: &str| authorization.verifies(&key, method, targets, body.as_bytes());
            assert!(believed(&[target], body));
            assert!(believed(&[&format!("/wechat{target}"), target], body));
            assert!(!believed(&[&format!("{target}&x=1")], body));
            assert!(!believed(&[target], &format!("{body} ")));
            let now_ms: i64 = authorization.timestamp.parse::<i64>().unwrap() * 1_000;
            assert!(authorization.is_fresh(now_ms + 300_000) && authorization.is_fresh(now_ms - 300_000));
            assert!(!authorization.is_fresh(now_ms + 301_000) && !authorization.is_fresh(now_ms - 301_000));
        }
    }

    #[test]
    fn a_header_of_another_form_is_no_authorization() {
        let good = vectors::line("C13", "authorization");
        let twice = format!("{good},mchid=\"1\"");
        let strange = format!("{good},extra=\"1\"");
        let spaced = good.replace("\",", "\", ");
        assert!(Authorization::read(&spaced).is_some());
        for bad in [
            "",
            "Bearer x",
            "WECHATPAY2-SHA256-RSA2048",
            "WECHATPAY2-SHA256-RSA2048 mchid=\"1\"",
            &twice,
            &strange,
            &good.replace("\"1900009999\"", "1900009999"),
            &good.replace("1554208460", "soon"),
            &good.replace("WECHATPAY2-SHA256-RSA2048", "WECHATPAY2-SM2-WITH-SM3"),
        ] {
            assert_eq!(Authorization::read(bad), None, "{bad}");
        }
    }
}
