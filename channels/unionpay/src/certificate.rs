//! What is needed of a certificate, and whether one issued another.
//!
//! UnionPay reference, 1.8 and 1.9. Certificates are read by `x509-parser` and signatures checked by `aws-lc-rs`. SHA-1 is
//! borne between certificates, because the genuine hierarchies are signed with it, only with keys of 2048 bits and more;
//! messages are never judged by it.

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use metropay_core::clock::Time;
use x509_parser::prelude::{FromDer, X509Certificate};

/// `sha256WithRSAEncryption`, and `sha1WithRSAEncryption` of the older hierarchies.
const SHA256_RSA: &str = "1.2.840.113549.1.1.11";
const SHA1_RSA: &str = "1.2.840.113549.1.1.5";

/// Why a certificate is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Distrust {
    /// No certificate, or one of a form that UnionPay does not use.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// Not yet or no longer valid, itself or an authority above it.
    #[error("the certificate is not valid at this time")]
    Expired,
    /// Genuine, but not UnionPay's: a merchant of the same authority, or the test environment's.
    #[error("the certificate is not UnionPay's")]
    Name,
    /// None of the configured authorities issued it.
    #[error("no configured authority issued the certificate")]
    Chain,
}

/// What is needed of a certificate.
#[derive(Clone)]
pub(crate) struct Certificate {
    /// Serial number as an unsigned decimal: the `certId`.
    pub(crate) serial: String,
    /// The public key (PKCS#1).
    pub(crate) key: Vec<u8>,
    /// The public key with its algorithm (`SubjectPublicKeyInfo`).
    pub(crate) key_info: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    signed: Vec<u8>,
    signature: Vec<u8>,
    algorithm: &'static RsaParameters,
    pub(crate) common_name: String,
    /// Whether it is an authority's.
    pub(crate) may_issue: bool,
    pub(crate) life: Life,
}

/// From when to when something is valid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    from: Time,
    pub(crate) to: Time,
}

impl Life {
    pub(crate) fn within(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            to: self.to.min(other.to),
        }
    }

    pub(crate) fn holds(self, now: Time) -> bool {
        self.from <= now && now <= self.to
    }
}

impl Certificate {
    /// Reads all certificates of a PEM text.
    pub(crate) fn read_all(pem: &str) -> Result<Vec<Self>, Distrust> {
        let blocks = pem::parse_many(pem).map_err(|_| Distrust::Unreadable)?;
        let mut certificates = Vec::with_capacity(blocks.len());
        for block in blocks {
            if block.tag() != "CERTIFICATE" {
                return Err(Distrust::Unreadable);
            }
            certificates.push(Self::read(block.contents())?);
        }
        Ok(certificates)
    }

    fn read(der: &[u8]) -> Result<Self, Distrust> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| Distrust::Unreadable)?;
        if !rest.is_empty() || certificate.signature_algorithm != certificate.tbs_certificate.signature {
            return Err(Distrust::Unreadable);
        }
        let algorithm = match certificate.signature_algorithm.algorithm.to_id_string().as_str() {
            SHA256_RSA => &RSA_PKCS1_2048_8192_SHA256,
            SHA1_RSA => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            _ => return Err(Distrust::Unreadable),
        };
        let mut names = certificate.subject().iter_common_name();
        let common_name = match (names.next(), names.next()) {
            (Some(name), None) => name.as_str().map_err(|_| Distrust::Unreadable)?.to_owned(),
            _ => return Err(Distrust::Unreadable),
        };
        let usage = certificate.key_usage().map_err(|_| Distrust::Unreadable)?;
        Ok(Self {
            serial: certificate.serial.to_string(),
            key: certificate.public_key().subject_public_key.data.to_vec(),
            key_info: certificate.public_key().raw.to_vec(),
            subject: certificate.subject().as_raw().to_vec(),
            issuer: certificate.issuer().as_raw().to_vec(),
            signed: certificate.tbs_certificate.as_ref().to_vec(),
            signature: certificate.signature_value.data.to_vec(),
            algorithm,
            common_name,
            may_issue: certificate.is_ca() && usage.is_none_or(|usage| usage.value.key_cert_sign()),
            life: Life {
                from: moment(certificate.validity().not_before.timestamp()),
                to: moment(certificate.validity().not_after.timestamp()),
            },
        })
    }

    /// Whether this authority, of the configured ones, issued it. That they may issue at all was seen when they were read.
    pub(crate) fn issued_by(&self, authority: &Self) -> bool {
        self.issuer == authority.subject
            && UnparsedPublicKey::new(self.algorithm, &authority.key)
                .verify(&self.signed, &self.signature)
                .is_ok()
    }
}

/// A moment from whole seconds of the Unix epoch.
fn moment(seconds: i64) -> Time {
    Time(seconds.saturating_mul(1_000))
}
