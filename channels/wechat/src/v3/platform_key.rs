//! One key of the channel: of a platform certificate, or the WeChat Pay public key (wechat reference, 1.8).

use std::fmt;

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use metropay_core::clock::Time;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A key that verifies what the channel signed.
pub(crate) struct PlatformKey {
    /// How `Wechatpay-Serial` names it.
    pub(crate) id: String,
    key: ParsedPublicKey,
    from: Time,
    to: Time,
}

impl fmt::Debug for PlatformKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlatformKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl PlatformKey {
    /// The WeChat Pay public key, which does not expire. `None` when it is no RSA key of at least 2048 bits.
    pub(crate) fn public(id: &str, pem: &str) -> Option<Self> {
        let block = pem::parse(pem).ok().filter(|block| block.tag() == "PUBLIC KEY")?;
        Some(Self {
            id: id.to_owned(),
            key: ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, block.contents()).ok()?,
            from: Time(i64::MIN),
            to: Time(i64::MAX),
        })
    }

    /// The key of a platform certificate. `None` when it cannot be read.
    pub(crate) fn certificate(pem: &str) -> Option<Self> {
        let block = pem::parse(pem).ok().filter(|block| block.tag() == "CERTIFICATE")?;
        let (_, certificate) = X509Certificate::from_der(block.contents()).ok()?;
        let moment = |seconds: i64| Time(seconds.saturating_mul(1_000));
        Some(Self {
            id: serial(&certificate),
            key: ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, certificate.public_key().raw).ok()?,
            from: moment(certificate.validity().not_before.timestamp()),
            to: moment(certificate.validity().not_after.timestamp()),
        })
    }

    /// Whether it may be used now.
    pub(crate) fn lives(&self, now: Time) -> bool {
        self.from <= now && now <= self.to
    }

    /// When it ends.
    pub(crate) fn ends(&self) -> Time {
        self.to
    }

    /// Whether this is the channel's signature of the text.
    pub(crate) fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(text, signature).is_ok()
    }
}

/// A certificate's serial number as the channel writes it: upper-case hex.
pub(crate) fn serial(certificate: &X509Certificate<'_>) -> String {
    let raw = certificate.raw_serial();
    hex::encode_upper(raw.strip_prefix(&[0]).unwrap_or(raw))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{PLATFORM_CERTIFICATE, PUBLIC_KEY};
    use super::*;

    #[test]
    fn keys_are_read_from_what_the_channel_hands_out() {
        let key = PlatformKey::certificate(PLATFORM_CERTIFICATE).unwrap();
        assert_eq!(key.id, "5B2E8F4A6C0D1357BDF02468ACE13579BDF02468");
        let at = |text| Time::parse_china(text, "%Y%m%d%H%M%S").unwrap();
        assert!(key.lives(at("20240101080000")) && key.lives(at("20500101075959")));
        assert!(!key.lives(at("20240101075959")) && !key.lives(at("20500101080000")));
        assert!(PlatformKey::public("PUB_KEY_ID_1", PUBLIC_KEY).unwrap().lives(Time(0)));
        for bad in ["", "x", PUBLIC_KEY] {
            assert!(PlatformKey::certificate(bad).is_none());
        }
        assert!(PlatformKey::public("PUB_KEY_ID_1", PLATFORM_CERTIFICATE).is_none());
    }
}
