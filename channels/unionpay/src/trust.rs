//! Whose certificate signed a message: validity, name, and a chain that comes from configuration only.
//!
//! UnionPay reference, 1.9. Its leaves carry no server usage and its hierarchies partly SHA-1, so that web verifiers refuse
//! them; the rules are few and stand here.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use metropay_core::channel::ConfigError;
use metropay_core::clock::Time;

use crate::certificate::{Certificate, Distrust, Life};

/// The third segment of a genuine gateway certificate's name.
const UNIONPAY: &str = "中国银联股份有限公司";
/// The third segment in UnionPay's test environment.
const UNIONPAY_TEST: &str = "00040000:SIGN";
/// The word by which authorities of the test environment are known: `CFCA TEST OCA1`.
const TEST: &str = "TEST";
/// Verified certificates kept. UnionPay changes its own once in years; above this the cache begins anew.
const KEPT_MAX: usize = 16;

/// A middle authority under one of the roots.
struct Authority {
    certificate: Certificate,
    /// The common life of it and its root.
    life: Life,
}

/// A certificate that was found to be UnionPay's.
#[derive(Debug, Clone)]
pub(crate) struct Genuine {
    /// Its serial number as an unsigned decimal.
    pub(crate) serial: String,
    /// Its key, to verify messages with.
    pub(crate) key: Arc<ParsedPublicKey>,
    /// Its key (`SubjectPublicKeyInfo`), to encrypt to.
    pub(crate) key_info: Vec<u8>,
    /// When it and every authority above it are valid.
    pub(crate) life: Life,
}

/// The authorities that this account believes, and the certificates found genuine so far.
pub(crate) struct Trust {
    authorities: Vec<Authority>,
    check_cn: bool,
    of_test: Option<(&'static str, String)>,
    genuine: Mutex<HashMap<String, Genuine>>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("check_cn", &self.check_cn)
            .finish_non_exhaustive()
    }
}

impl Trust {
    /// Builds the chain from configuration.
    ///
    /// # Errors
    /// [`ConfigError`] when a list is unreadable or empty, or a middle certificate belongs to none of the roots.
    pub(crate) fn new(roots: &str, middles: &str, check_cn: bool) -> Result<Self, ConfigError> {
        let roots = authorities("root_certs_pem", roots)?;
        let middles = authorities("middle_certs_pem", middles)?;
        let of_test = test_name("root_certs_pem", &roots).or_else(|| test_name("middle_certs_pem", &middles));
        let mut known = Vec::new();
        for certificate in middles {
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
            of_test,
            genuine: Mutex::new(HashMap::new()),
        })
    }

    /// The first authority that belongs to a test environment by its name, and the field in which it stands.
    pub(crate) fn of_test(&self) -> Option<(&'static str, &str)> {
        self.of_test.as_ref().map(|(field, name)| (*field, name.as_str()))
    }

    /// The certificate in a message, if it is UnionPay's, valid now, and chained to a configured root.
    ///
    /// # Errors
    /// [`Distrust`] says what it lacks.
    pub(crate) fn genuine(&self, pem: &str, now: Time) -> Result<Genuine, Distrust> {
        let known = self.kept().get(pem).cloned();
        let genuine = match known {
            Some(genuine) => genuine,
            None => self.examine(pem, now)?,
        };
        if genuine.life.holds(now) {
            Ok(genuine)
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
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &leaf.key).map_err(|_| Distrust::Unreadable)?;
        let genuine = Genuine {
            serial: leaf.serial,
            key: Arc::new(key),
            key_info: leaf.key_info,
            life: leaf.life.within(issuer.life),
        };
        let mut kept = self.kept();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(pem.to_owned(), genuine.clone());
        Ok(genuine)
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, Genuine>> {
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

fn test_name(field: &'static str, certificates: &[Certificate]) -> Option<(&'static str, String)> {
    let mut names = certificates.iter().map(|certificate| &certificate.common_name);
    let name = names.find(|name| name.split(' ').any(|word| word.eq_ignore_ascii_case(TEST)))?;
    Some((field, name.clone()))
}

fn wrong(field: &str, reason: String) -> ConfigError {
    ConfigError {
        field: field.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod forged;
#[cfg(test)]
mod tests;
