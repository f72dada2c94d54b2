//! Whose certificate signed a message: validity, name, and a chain that comes from configuration only.
//!
//! UnionPay's hierarchies are RSA, partly with SHA-1, and their leaves carry no server usage, so that web verifiers
//! refuse them. The rules of the reference, 1.9, are few and stand here; certificates are read by `x509-parser` and
//! signatures checked by `aws-lc-rs`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use metropay_core::channel::ConfigError;
use metropay_core::clock::Time;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The third segment of a genuine gateway certificate's name.
const UNIONPAY: &str = "中国银联股份有限公司";
/// The third segment in UnionPay's test environment.
const UNIONPAY_TEST: &str = "00040000:SIGN";
/// Verified certificates kept. UnionPay changes its own once in years; above this the cache begins anew.
const KEPT_MAX: usize = 16;
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
    subject: Vec<u8>,
    issuer: Vec<u8>,
    signed: Vec<u8>,
    signature: Vec<u8>,
    algorithm: &'static RsaParameters,
    common_name: String,
    may_issue: bool,
    life: Life,
}

/// From when to when something is valid.
#[derive(Clone, Copy)]
struct Life {
    from: Time,
    to: Time,
}

impl Life {
    fn within(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            to: self.to.min(other.to),
        }
    }

    fn holds(self, now: Time) -> bool {
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
    fn issued_by(&self, authority: &Self) -> bool {
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

/// A middle authority under one of the roots.
struct Authority {
    certificate: Certificate,
    /// The common life of it and its root.
    life: Life,
}

/// A certificate that was found genuine.
#[derive(Clone)]
struct Genuine {
    key: Vec<u8>,
    life: Life,
}

/// The authorities that this account believes, and the certificates found genuine so far.
pub(crate) struct Trust {
    authorities: Vec<Authority>,
    check_cn: bool,
    genuine: Mutex<HashMap<String, Genuine>>,
}

impl Trust {
    /// Builds the chain from configuration.
    ///
    /// # Errors
    /// [`ConfigError`] when a list is unreadable or empty, or a middle certificate belongs to none of the roots.
    pub(crate) fn new(roots: &str, middles: &str, check_cn: bool) -> Result<Self, ConfigError> {
        let roots = authorities("root_certs_pem", roots)?;
        let mut known = Vec::new();
        for certificate in authorities("middle_certs_pem", middles)? {
            let root = roots.iter().find(|root| certificate.issued_by(root)).ok_or_else(|| {
                wrong(
                    "middle_certs_pem",
                    format!("none of the root certificates issued {}", certificate.common_name),
                )
            })?;
            known.push(Authority {
                life: certificate.life.within(root.life),
                certificate,
            });
        }
        Ok(Self {
            authorities: known,
            check_cn,
            genuine: Mutex::new(HashMap::new()),
        })
    }

    /// The key of the certificate in a message, if it is UnionPay's, valid now, and chained to a configured root.
    ///
    /// # Errors
    /// [`Distrust`] says what it lacks.
    pub(crate) fn key(&self, pem: &str, now: Time) -> Result<Vec<u8>, Distrust> {
        let known = self.kept().get(pem).cloned();
        let genuine = match known {
            Some(genuine) => genuine,
            None => self.examine(pem, now)?,
        };
        if genuine.life.holds(now) {
            Ok(genuine.key)
        } else {
            Err(Distrust::Expired)
        }
    }

    fn examine(&self, pem: &str, now: Time) -> Result<Genuine, Distrust> {
        let mut certificates = Certificate::read_all(pem)?;
        let (Some(leaf), true) = (certificates.pop(), certificates.is_empty()) else {
            return Err(Distrust::Unreadable);
        };
        if !leaf.life.holds(now) {
            return Err(Distrust::Expired);
        }
        let whose = leaf.common_name.split('@').nth(2);
        if whose != Some(UNIONPAY) && (self.check_cn || whose != Some(UNIONPAY_TEST)) {
            return Err(Distrust::Name);
        }
        let issuers = self
            .authorities
            .iter()
            .filter(|known| leaf.issued_by(&known.certificate));
        // The same authority may stand there twice, renewed: the longest life counts.
        let issuer = issuers.max_by_key(|known| known.life.to).ok_or(Distrust::Chain)?;
        let genuine = Genuine {
            life: leaf.life.within(issuer.life),
            key: leaf.key,
        };
        let mut kept = self.kept();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(pem.to_owned(), genuine.clone());
        Ok(genuine)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, Genuine>> {
        self.genuine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn authorities(field: &str, pem: &str) -> Result<Vec<Certificate>, ConfigError> {
    let certificates =
        Certificate::read_all(pem).map_err(|_| wrong(field, "is no list of PEM certificates (RSA)".to_owned()))?;
    if certificates.is_empty() {
        return Err(wrong(field, "holds no certificate".to_owned()));
    }
    match certificates.iter().find(|certificate| !certificate.may_issue) {
        Some(leaf) => Err(wrong(
            field,
            format!("{} is no authority's certificate", leaf.common_name),
        )),
        None => Ok(certificates),
    }
}

fn wrong(field: &str, reason: String) -> ConfigError {
    ConfigError {
        field: field.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests;
