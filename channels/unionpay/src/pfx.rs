//! The merchant's PFX file, as UnionPay hands it out: key, certificate, and often the authority's certificate too.
//!
//! UnionPay reference, 1.8. Genuine files use the old algorithms (RC2-40, 3DES, SHA-1), which many readers refuse.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use metropay_core::channel::ConfigError;
use metropay_core::secret::Secret;
use p12_keystore::Pkcs12Archive;
use pem::Pem;

use crate::account::wrong;

/// What a PFX file holds, as PEM.
pub(crate) struct Opened {
    /// Every certificate; which one is the key's, the key tells.
    pub(crate) certs_pem: String,
    /// The private key (PKCS#8).
    pub(crate) key_pem: Secret,
}

/// Opens a PFX file that was given as Base64.
///
/// # Errors
/// [`ConfigError`] when it is none, its password is another, or it does not hold one key alone.
pub(crate) fn open(pfx: &Secret, password: &Secret) -> Result<Opened, ConfigError> {
    let letters: String = pfx.expose().split_ascii_whitespace().collect();
    let file = BASE64
        .decode(letters)
        .map_err(|_| wrong("sign_pfx", "is not the Base64 of a file"))?;
    // Which of the two is wrong the file cannot tell.
    let opened = Pkcs12Archive::from_pkcs12(&file, password.expose())
        .map_err(|_| wrong("sign_pfx", "is no PFX file, or sign_pfx_password is not its password"))?;
    let [key] = &opened.keys[..] else {
        return Err(wrong("sign_pfx", "must hold one private key"));
    };
    let certs = opened.certs.iter().map(|bag| bag.cert.as_der());
    let certs: Vec<Pem> = certs.map(|der| Pem::new("CERTIFICATE", der)).collect();
    let key = pem::encode(&Pem::new("PRIVATE KEY", key.key.as_der()));
    Ok(Opened {
        certs_pem: pem::encode_many(&certs),
        key_pem: Secret::from(key.as_str()),
    })
}
