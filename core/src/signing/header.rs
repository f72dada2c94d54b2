//! The `Authorization` header of a merchant's request.

use crate::clock::Time;
use crate::id::{MchId, Serial};
use crate::limit::TIMESTAMP_WINDOW;
use crate::problem::{Code, Problem};

use super::{Algorithm, Request, VerifyingKey};

/// Bytes of the header at most: the signature of an RSA key of 8192 bits, and room for the rest.
const HEADER_MAX: usize = 2048;
/// Letters of a merchant id or serial at most.
const NAME_MAX: usize = 64;
/// Letters of a nonce.
const NONCE_LENGTH: std::ops::RangeInclusive<usize> = 16..=64;
/// Letters of a signature at most: Base64 of the 1024 bytes of an RSA key of 8192 bits.
const SIGNATURE_MAX: usize = 1368;

/// `METROPAY-<ALG> mch_id="…",serial="…",timestamp="…",nonce="…",signature="…"`, read and bounded but not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// The algorithm the request claims. The credential's decides.
    pub algorithm: Algorithm,
    /// The merchant.
    pub mch_id: MchId,
    /// The credential.
    pub serial: Serial,
    /// When the request was signed, in Unix seconds.
    pub timestamp: i64,
    /// 16 to 64 of `[0-9A-Za-z_-]`, used once per credential.
    pub nonce: String,
    /// Base64 with padding, not yet decoded.
    pub signature: String,
}

impl Authorization {
    /// Reads the values of all `Authorization` headers of a request; there must be exactly one.
    ///
    /// # Errors
    /// `SIGN_MISSING` without a value, `SIGN_MALFORMED` for one that is not exactly of the form: each parameter once, in
    /// any order, none unknown, one blank after a comma allowed.
    pub fn read<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Problem> {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (None | Some(b""), None) => Err(Problem::new(Code::SignMissing)),
            (Some(value), None) => Self::parse(value).map_err(|rule| Problem {
                rule: Some(rule),
                ..Problem::new(Code::SignMalformed).at("Authorization")
            }),
            (_, Some(_)) => Err(Problem {
                rule: Some("只能出现一次"),
                ..Problem::new(Code::SignMalformed).at("Authorization")
            }),
        }
    }

    fn parse(value: &[u8]) -> Result<Self, &'static str> {
        const FORM: &str = r#"METROPAY-<ALG> mch_id="…",serial="…",timestamp="…",nonce="…",signature="…""#;
        if value.len() > HEADER_MAX {
            return Err("至多 2048 字节");
        }
        let text = std::str::from_utf8(value).map_err(|_| FORM)?;
        let (scheme, rest) = text.split_once(' ').ok_or(FORM)?;
        let algorithm = scheme
            .strip_prefix("METROPAY-")
            .and_then(|word| word.parse().ok())
            .ok_or(FORM)?;
        let mut parts = Parts::default();
        for parameter in rest.split(',') {
            let parameter = parameter.strip_prefix(' ').unwrap_or(parameter);
            let (name, quoted) = parameter.split_once('=').ok_or(FORM)?;
            let value = quoted
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'))
                .ok_or(FORM)?;
            let slot = parts.slot(name).ok_or(FORM)?;
            if slot.replace(value).is_some() {
                return Err("每个参数只能出现一次");
            }
        }
        Ok(Self {
            algorithm,
            mch_id: MchId(letters(parts.mch_id.ok_or(FORM)?, 1..=NAME_MAX).ok_or("mch_id: [0-9A-Za-z_-]{1,64}")?),
            serial: Serial(letters(parts.serial.ok_or(FORM)?, 1..=NAME_MAX).ok_or("serial: [0-9A-Za-z_-]{1,64}")?),
            timestamp: seconds(parts.timestamp.ok_or(FORM)?).ok_or("timestamp: [1-9][0-9]{9}")?,
            nonce: letters(parts.nonce.ok_or(FORM)?, NONCE_LENGTH).ok_or("nonce: [0-9A-Za-z_-]{16,64}")?,
            signature: base64_letters(parts.signature.ok_or(FORM)?).ok_or("signature: [0-9A-Za-z+/]{1,1368}=*")?,
        })
    }

    /// Verifies the request under the credential's key.
    ///
    /// # Errors
    /// `SIGN_INVALID` when the header names another algorithm than the credential has, or the signature does not fit.
    pub fn verify(&self, key: &VerifyingKey, request: &Request<'_>) -> Result<(), Problem> {
        let text = request.text(self.timestamp, &self.nonce);
        key.verify(self.algorithm, text.as_bytes(), &self.signature)
    }

    /// Whether the request is of our time.
    ///
    /// # Errors
    /// `TIMESTAMP_OUT_OF_WINDOW`, with our time (`server_time`, Unix seconds).
    pub fn in_window(&self, now: Time) -> Result<(), Problem> {
        let distance_s = self.timestamp.abs_diff(now.unix_seconds());
        if distance_s <= TIMESTAMP_WINDOW.as_secs() {
            return Ok(());
        }
        Err(Problem::new(Code::TimestampOutOfWindow)
            .at("timestamp")
            .fact("server_time", now.unix_seconds()))
    }
}

/// The parameters as they are met.
#[derive(Default)]
struct Parts<'a> {
    mch_id: Option<&'a str>,
    serial: Option<&'a str>,
    timestamp: Option<&'a str>,
    nonce: Option<&'a str>,
    signature: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn slot(&mut self, name: &str) -> Option<&mut Option<&'a str>> {
        match name {
            "mch_id" => Some(&mut self.mch_id),
            "serial" => Some(&mut self.serial),
            "timestamp" => Some(&mut self.timestamp),
            "nonce" => Some(&mut self.nonce),
            "signature" => Some(&mut self.signature),
            _ => None,
        }
    }
}

fn letters(text: &str, length: std::ops::RangeInclusive<usize>) -> Option<String> {
    let taken = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (length.contains(&text.len()) && text.bytes().all(taken)).then(|| text.to_owned())
}

/// Ten digits: from 2001 to 2286. Milliseconds have thirteen, and are told so.
fn seconds(text: &str) -> Option<i64> {
    let plain = text.len() == 10 && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn base64_letters(text: &str) -> Option<String> {
    let taken = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/' || b == b'=';
    ((1..=SIGNATURE_MAX).contains(&text.len()) && text.bytes().all(taken)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"METROPAY-ED25519 mch_id="1900000109",serial="K1",timestamp="1785542400",nonce="4f1c2a9b7d3e48f0",signature="AAAA""#;

    fn code(header: &str) -> Option<Code> {
        Authorization::read([header.as_bytes()])
            .err()
            .map(|problem| problem.code)
    }

    #[test]
    fn a_header_is_read_with_its_parameters_in_any_order() {
        let read = Authorization::read([GOOD.as_bytes()]).unwrap();
        assert_eq!(read.algorithm, Algorithm::Ed25519);
        assert_eq!((read.mch_id.as_str(), read.serial.as_str()), ("1900000109", "K1"));
        assert_eq!(
            (read.timestamp, read.nonce.as_str(), read.signature.as_str()),
            (1_785_542_400, "4f1c2a9b7d3e48f0", "AAAA")
        );
        let turned = r#"METROPAY-ED25519 signature="AAAA", nonce="4f1c2a9b7d3e48f0", serial="K1", timestamp="1785542400", mch_id="1900000109""#;
        assert_eq!(Authorization::read([turned.as_bytes()]).unwrap(), read);
    }

    #[test]
    fn no_header_is_missing_and_two_are_malformed() {
        assert_eq!(Authorization::read([]).unwrap_err().code, Code::SignMissing);
        assert_eq!(code(""), Some(Code::SignMissing));
        let twice = Authorization::read([GOOD.as_bytes(), GOOD.as_bytes()]);
        assert_eq!(twice.unwrap_err().code, Code::SignMalformed);
    }

    #[test]
    fn whatever_is_not_exactly_of_the_form_is_malformed() {
        let changes = [
            ("METROPAY-ED25519", "METROPAY-ed25519"),
            ("METROPAY-ED25519", "METROPAY-NONE"),
            ("METROPAY-ED25519", "Bearer"),
            ("METROPAY-ED25519 ", "METROPAY-ED25519\t"),
            ("METROPAY-ED25519 ", " METROPAY-ED25519 "),
            (r#"serial="K1","#, ""),
            (r#"serial="K1","#, r#"serial="K1",serial="K1","#),
            (r#"serial="K1","#, r#"serial="K1",alg="NONE","#),
            (r#"serial="K1","#, r#"serial=K1,"#),
            (r#"serial="K1","#, r#"serial="","#),
            (r#"serial="K1","#, r#"serial="K 1","#),
            (r#"serial="K1","#, r#"serial="K'1","#),
            (r#"serial="K1","#, r#"SERIAL="K1","#),
            (r#"serial="K1","#, r#"serial ="K1","#),
            (r#"serial="K1","#, r#"serial="K1",,"#),
            (r#"serial="K1","#, "serial=\"K1\",  "),
            (r#"serial="K1","#, r#"serial="Ｋ１","#),
            ("1785542400", "1785542400000"),
            ("1785542400", "-178554240"),
            ("1785542400", "+178554240"),
            ("1785542400", "0785542400"),
            ("1785542400", "17855424.0"),
            ("4f1c2a9b7d3e48f0", "4f1c2a9b7d3e48f"),
            ("4f1c2a9b7d3e48f0", "4f1c2a9b7d3e48f."),
            ("\"AAAA\"", "\"\""),
            ("\"AAAA\"", "\"AA AA\""),
            ("\"AAAA\"", "\"AAAA\","),
            ("\"AAAA\"", "\"AAAA\"\""),
        ];
        for (from, to) in changes {
            let bad = GOOD.replacen(from, to, 1);
            assert_ne!(bad, GOOD);
            assert_eq!(code(&bad), Some(Code::SignMalformed), "{bad}");
        }
        for (from, letters) in [
            ("1900000109", 65),
            ("K1", 65),
            ("4f1c2a9b7d3e48f0", 65),
            ("AAAA", 1369),
            ("AAAA", 4000),
        ] {
            let long = GOOD.replacen(from, &"a".repeat(letters), 1);
            assert_eq!(code(&long), Some(Code::SignMalformed), "{from} with {letters}");
        }
    }

    #[test]
    fn a_request_is_taken_up_to_five_minutes_off() {
        let read = Authorization::read([GOOD.as_bytes()]).unwrap();
        for off in [-300_i64, 0, 300] {
            assert!(read.in_window(Time((read.timestamp + off) * 1000)).is_ok(), "{off}");
        }
        for off in [-301_i64, 301, 1_000_000_000] {
            let problem = read.in_window(Time((read.timestamp + off) * 1000)).unwrap_err();
            assert_eq!(problem.code, Code::TimestampOutOfWindow);
            assert_eq!(
                problem.facts.get("server_time").unwrap(),
                &serde_json::json!(read.timestamp + off)
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Authorization::read([bytes.as_slice()]);
        }

        #[test]
        fn no_text_near_the_form_makes_the_reader_panic(text in r#"METROPAY-(ED25519|RSA-SHA256) ([a-z_]{0,9}="?[ -~]{0,9}"?,? ?){0,6}"#) {
            let _ = Authorization::read([text.as_bytes()]);
        }
    }
}
