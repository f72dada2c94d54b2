//! The certificates of an account: its own, Alipay's, and those of Alipay's that were fetched since (alipay reference,
//! 1.6 and 1.7).

use std::collections::VecDeque;
use std::sync::Mutex;

use metropay_core::channel::ConfigError;
use metropay_core::clock::Time;

use super::chain::Roots;
use super::{blocks, is_signed_with_rsa, key, read, sn};
use crate::config::wrong;
use crate::keys::Verifier;

/// How many fetched certificates are kept; Alipay changes its certificate every few years.
const FETCHED_MAX: usize = 8;

/// A certificate of Alipay's that is believed.
#[derive(Clone)]
struct Known {
    sn: String,
    verifier: Verifier,
}

/// Everything that certificate mode needs beside the app's private key.
pub(crate) struct Certificates {
    /// `app_cert_sn`
    pub(crate) app_sn: String,
    /// `alipay_root_cert_sn`
    pub(crate) root_sn: String,
    roots: Roots,
    /// Authorities between the roots and the leaves, as far as the configured files hold them.
    between: Vec<Vec<u8>>,
    configured: Known,
    /// Subject and issuer of the configured certificate, as they are encoded.
    subject: Vec<u8>,
    issuer: Vec<u8>,
    fetched: Mutex<VecDeque<Known>>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

/// A fetched certificate that is not believed.
#[derive(Debug, thiserror::Error)]
#[error("the certificate is not believed: {0}")]
pub(crate) struct Untrusted(String);

impl Certificates {
    /// Reads the three files. `app_key` is the public half of the app's private key.
    ///
    /// # Errors
    /// [`ConfigError`] naming the file that cannot work.
    pub(crate) fn parse(app: &str, alipay: &str, roots: &str, app_key: &[u8]) -> Result<Self, ConfigError> {
        let mut app = some(app, "app_cert")?;
        let app_der = app.remove(0);
        let app_cert = read(&app_der).ok_or_else(|| wrong("app_cert", "cannot be read"))?;
        if *app_cert.public_key().subject_public_key.data != *app_key {
            return Err(wrong(
                "app_cert",
                "is not the certificate of app_private_key: the two must belong to one key pair",
            ));
        }
        let mut alipay = some(alipay, "alipay_cert")?;
        let alipay_der = alipay.remove(0);
        let unreadable = || wrong("alipay_cert", "holds no RSA key of at least 2048 bits");
        let alipay_cert = read(&alipay_der).ok_or_else(unreadable)?;
        let verifier = Verifier::new(key(&alipay_cert).ok_or_else(unreadable)?);
        if *alipay_cert.public_key().subject_public_key.data == *app_key {
            return Err(wrong(
                "alipay_cert",
                "is the app's own certificate; give Alipay's (alipayCertPublicKey_RSA2.crt)",
            ));
        }
        let (root_sn, roots) = root(roots)?;
        app.append(&mut alipay);
        Ok(Self {
            app_sn: sn(&app_cert),
            root_sn,
            roots,
            between: app,
            configured: Known {
                sn: sn(&alipay_cert),
                verifier,
            },
            subject: alipay_cert.subject().as_raw().to_vec(),
            issuer: alipay_cert.issuer().as_raw().to_vec(),
            fetched: Mutex::new(VecDeque::new()),
        })
    }

    /// The key of the certificate with this SN, where it is known.
    pub(crate) fn of(&self, sn: &str) -> Option<Verifier> {
        self.all()
            .into_iter()
            .find(|known| known.sn == sn)
            .map(|known| known.verifier)
    }

    /// The keys of all known certificates, the newest first.
    pub(crate) fn verifiers(&self) -> Vec<Verifier> {
        self.all().into_iter().map(|known| known.verifier).collect()
    }

    fn all(&self) -> Vec<Known> {
        let fetched = self.fetched.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut all: Vec<Known> = fetched.iter().rev().cloned().collect();
        all.push(self.configured.clone());
        all
    }

    /// The key of a certificate that was fetched under this SN, if it is one of Alipay's.
    ///
    /// A path to the roots alone does not make it so, since the same authorities certify the apps of all merchants: it must
    /// bear the configured certificate's subject or come from the very authority that issued that one, and must not be our
    /// own.
    ///
    /// # Errors
    /// [`Untrusted`] saying why.
    pub(crate) fn prove(&self, asked_sn: &str, pem: &str, now: Time) -> Result<Verifier, Untrusted> {
        let refuse = |reason: &str| Untrusted(reason.to_owned());
        let mut chain = blocks(pem);
        if chain.is_empty() {
            return Err(refuse("it is no certificate"));
        }
        let leaf = chain.remove(0);
        let certificate = read(&leaf).ok_or_else(|| refuse("it cannot be read"))?;
        let its_sn = sn(&certificate);
        if its_sn != asked_sn {
            return Err(refuse("it has another SN than the one that was asked for"));
        }
        let alike = certificate.subject().as_raw() == self.subject || certificate.issuer().as_raw() == self.issuer;
        if !alike || its_sn == self.app_sn {
            return Err(refuse("it was issued for somebody else"));
        }
        chain.extend_from_slice(&self.between);
        self.roots
            .prove(&leaf, &chain, now)
            .map_err(|error| Untrusted(format!("no path leads to a root of alipay_root_cert: {error}")))?;
        key(&certificate)
            .map(Verifier::new)
            .ok_or_else(|| refuse("it holds no RSA key of at least 2048 bits"))
    }

    /// Keeps the key of a proven certificate. The oldest is forgotten when there are too many.
    pub(crate) fn keep(&self, sn: &str, verifier: Verifier) {
        let mut fetched = self.fetched.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if fetched.iter().any(|known| known.sn == sn) {
            return;
        }
        if fetched.len() >= FETCHED_MAX {
            fetched.pop_front();
        }
        fetched.push_back(Known {
            sn: sn.to_owned(),
            verifier,
        });
    }
}

fn some(pem: &str, field: &str) -> Result<Vec<Vec<u8>>, ConfigError> {
    let found = blocks(pem);
    if found.is_empty() {
        return Err(wrong(field, "holds no certificate (PEM, -----BEGIN CERTIFICATE-----)"));
    }
    Ok(found)
}

/// The bundle's SN and its roots. Certificates that are not signed with RSA, or that cannot be read (the real bundle holds
/// one of SM2), do not count.
fn root(pem: &str) -> Result<(String, Roots), ConfigError> {
    let field = "alipay_root_cert";
    let counted: Vec<(String, Vec<u8>)> = some(pem, field)?
        .into_iter()
        .filter_map(|der| {
            let certificate = read(&der)?;
            is_signed_with_rsa(&certificate)
                .then(|| sn(&certificate))
                .map(|sn| (sn, der.clone()))
        })
        .collect();
    let roots = Roots::of(counted.iter().map(|(_, der)| der.as_slice()));
    if roots.is_empty() {
        return Err(wrong(
            field,
            "holds no RSA root certificate; give the whole alipayRootCert.crt",
        ));
    }
    let names: Vec<&str> = counted.iter().map(|(sn, _)| sn.as_str()).collect();
    Ok((names.join("_"), roots))
}
