//! Signatures of calls. The keys stay here: no rule ever sees one.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metropay_core::member::MemberSetting;
use metropay_core::problem::Problem;
use metropay_core::rules::membership::{CallAlgorithm, CallEncoding, CallSign};
use metropay_core::secret::Secret;
use metropay_core::signing::{Algorithm, Request};
use metropay_outbound::guard::MerchantUrl;

/// Letters of a merchant's secret.
const SECRET_LENGTH: std::ops::RangeInclusive<usize> = 16..=128;
/// Letters of a nonce: hexadecimal digits.
const NONCE_LENGTH: usize = 32;

/// A merchant's own secret, parsed once.
pub(crate) struct MerchantKey {
    key: hmac::Key,
    /// To take it out of what the other side says.
    secret: Secret,
}

impl MerchantKey {
    /// Reads a secret: its ASCII bytes are the key.
    pub(crate) fn parse(secret: Secret) -> Option<Self> {
        let text = secret.expose();
        let fits = SECRET_LENGTH.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()))
            .map(|key| Self { key, secret })
    }

    /// Signs as the rule describes.
    pub(crate) fn sign(&self, sign: &CallSign) -> String {
        let signature = match sign.algorithm {
            CallAlgorithm::HmacSha256 => hmac::sign(&self.key, sign.text.as_bytes()),
        };
        match sign.encoding {
            CallEncoding::Hex => hex::encode(signature),
            CallEncoding::Base64 => STANDARD.encode(signature),
        }
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// The value of an `Authorization` header by which the platform signs a call, in the form of the merchant API: the merchant
/// verifies it with the platform's public key of that serial.
pub(crate) fn authorization(
    setting: &MemberSetting,
    algorithm: Algorithm,
    method: &str,
    url: &MerchantUrl,
    body: &[u8],
) -> Result<String, Problem> {
    let timestamp = setting.clock.now().unix_seconds();
    let nonce = setting.random.letters(NONCE_LENGTH, b"0123456789abcdef");
    let (authority, target) = (url.authority(), url.target());
    let request = Request {
        method,
        authority: &authority,
        target: &target,
        body,
    };
    let text = request.text(timestamp, &nonce);
    let (serial, signature) = setting.signer.sign(algorithm, text.as_bytes())?;
    Ok(format!(
        r#"METROPAY-{algorithm} mch_id="{}",serial="{serial}",timestamp="{timestamp}",nonce="{nonce}",signature="{signature}""#,
        setting.mch_id
    ))
}
