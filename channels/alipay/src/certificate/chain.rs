//! Whether a certificate descends from one of the configured roots (alipay reference, 1.7).

use std::time::Duration;

use metropay_core::clock::Time;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::aws_lc_rs::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512};
use webpki::{EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter, anchor_from_trusted_cert};

/// Alipay signs with RSA. SHA-1 is not taken: nobody may be able to make a second certificate.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512,
];

/// The roots of a bundle that are RSA certificates.
pub(super) struct Roots(Vec<TrustAnchor<'static>>);

impl Roots {
    /// Those of these certificates that can be roots.
    pub(super) fn of<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let anchors = certificates.into_iter().filter_map(|der| {
            let der = CertificateDer::from_slice(der);
            anchor_from_trusted_cert(&der).ok().map(|anchor| anchor.to_owned())
        });
        Self(anchors.collect())
    }

    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Builds a path from the leaf over these others to a root, and checks signatures, validity and constraints on it.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn prove(&self, leaf: &[u8], others: &[Vec<u8>], now: Time) -> Result<(), Error> {
        let leaf = CertificateDer::from_slice(leaf);
        let leaf = EndEntityCert::try_from(&leaf)?;
        let others: Vec<CertificateDer<'_>> = others.iter().map(|der| CertificateDer::from_slice(der)).collect();
        let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        leaf.verify_for_usage(ALGORITHMS, &self.0, &others, now, AnyUse, None, None)
            .map(|_| ())
    }
}

/// Signing of gateway messages is no use that the extension has a word for.
struct AnyUse;

impl ExtendedKeyUsageValidator for AnyUse {
    fn validate(&self, iter: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        // Read to the end all the same: what cannot be read is refused.
        for purpose in iter {
            purpose?;
        }
        Ok(())
    }
}
