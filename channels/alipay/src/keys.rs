//! The keys of an account: parsed once, in whatever dress they are handed out (alipay reference, 1.4 and 1.6).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, PublicKey};
use aws_lc_rs::signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use metropay_core::channel::ConfigError;
use secrecy::zeroize::Zeroizing;

use crate::certificate::Certificates;
use crate::config::{AlipayConfig, wrong};

/// The application's private key, and what makes a message Alipay's.
pub(crate) struct Keys {
    app: KeyPair,
    /// By what Alipay's signatures are known.
    pub(crate) trust: Trust,
}

/// By what Alipay's signatures are known.
#[derive(Debug)]
pub(crate) enum Trust {
    /// Public-key mode: by this key.
    PublicKey(Verifier),
    /// Certificate mode: by the certificate that an answer names.
    Certificates(Box<Certificates>),
}

/// A public key of Alipay's. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Verifier(Arc<ParsedPublicKey>);

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    /// A parsed key.
    pub(crate) fn new(key: ParsedPublicKey) -> Self {
        Self(Arc::new(key))
    }

    /// Whether this is Alipay's signature of the text.
    pub(crate) fn verify(&self, text: &[u8], signature: &str) -> bool {
        STANDARD
            .decode(signature)
            .is_ok_and(|signature| self.0.verify_sig(text, &signature).is_ok())
    }
}

/// A signature that could not be made. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("the request could not be signed")]
pub(crate) struct Unsigned;

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    /// Parses the keys.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field, and what was given instead where that can be told.
    pub(crate) fn parse(config: &AlipayConfig) -> Result<Self, ConfigError> {
        let app = private(config.app_private_key.expose())?;
        let trust = trust(config, app.public_key().as_ref())?;
        Ok(Self { app, trust })
    }

    /// RSASSA-PKCS1-v1_5 over SHA-256, in Base64.
    ///
    /// # Errors
    /// [`Unsigned`] when the library refuses.
    pub(crate) fn sign(&self, text: &[u8]) -> Result<String, Unsigned> {
        let mut signature = vec![0; self.app.public_modulus_len()];
        self.app
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature)
            .map_err(|_| Unsigned)?;
        Ok(STANDARD.encode(signature))
    }

    /// The certificates, in certificate mode.
    pub(crate) fn certificates(&self) -> Option<&Certificates> {
        match &self.trust {
            Trust::PublicKey(_) => None,
            Trust::Certificates(certificates) => Some(certificates),
        }
    }
}

/// Which mode it is, by the fields that are filled in: the key alone, or the three certificates.
fn trust(config: &AlipayConfig, app_key: &[u8]) -> Result<Trust, ConfigError> {
    let files = [
        ("app_cert", &config.app_cert),
        ("alipay_cert", &config.alipay_cert),
        ("alipay_root_cert", &config.alipay_root_cert),
    ];
    match (&config.alipay_public_key, files.map(|(_, file)| file.as_deref())) {
        (Some(_), [None, None, None]) | (None, [None, None, None]) => public_key(config, app_key),
        (None, [Some(app), Some(alipay), Some(roots)]) => {
            let certificates = Certificates::parse(app, alipay, roots, app_key)?;
            Ok(Trust::Certificates(Box::new(certificates)))
        }
        (Some(_), _) => Err(wrong(
            "alipay_public_key",
            "must be empty where certificates are given: an app works with public keys or with certificates, not both",
        )),
        (None, _) => {
            let missing = files.into_iter().find(|(_, file)| file.is_none());
            Err(wrong(
                missing.map_or("app_cert", |(field, _)| field),
                "is missing: certificate mode (证书模式) needs app_cert, alipay_cert and alipay_root_cert",
            ))
        }
    }
}

fn public_key(config: &AlipayConfig, app_key: &[u8]) -> Result<Trust, ConfigError> {
    let field = "alipay_public_key";
    let text = config.alipay_public_key.as_deref().ok_or_else(|| {
        wrong(
            field,
            "is missing: give Alipay's public key (支付宝公钥), or the three certificates",
        )
    })?;
    let (public, alipay) = public(text)?;
    if public.as_ref() == app_key {
        return Err(wrong(
            field,
            "is the application public key (应用公钥), the other half of app_private_key; give Alipay's public key \
             (支付宝公钥), which the open platform shows after the application public key was uploaded",
        ));
    }
    Ok(Trust::PublicKey(Verifier::new(alipay)))
}

fn private(text: &str) -> Result<KeyPair, ConfigError> {
    let field = "app_private_key";
    let (_, der) = der(text).ok_or_else(|| wrong(field, "is neither PEM nor Base64"))?;
    let key = KeyPair::from_pkcs8(&der).or_else(|_| KeyPair::from_der(&der));
    key.map_err(|_| {
        if PublicKey::from_der(&der).is_ok() {
            wrong(field, "is a public key; give the application private key (应用私钥)")
        } else {
            wrong(field, "is no RSA private key of at least 2048 bits (PKCS#8 or PKCS#1)")
        }
    })
}

fn public(text: &str) -> Result<(PublicKey, ParsedPublicKey), ConfigError> {
    let field = "alipay_public_key";
    let (tag, der) = der(text).ok_or_else(|| wrong(field, "is neither PEM nor Base64"))?;
    if tag == "CERTIFICATE" {
        return Err(wrong(
            field,
            "is a certificate; give Alipay's public key (支付宝公钥) here, or the three certificates in their own fields",
        ));
    }
    if KeyPair::from_pkcs8(&der).is_ok() || KeyPair::from_der(&der).is_ok() {
        return Err(wrong(
            field,
            "is a private key; give Alipay's public key (支付宝公钥), and renew the private key if it was shown to others",
        ));
    }
    let short = || wrong(field, "is no RSA public key of at least 2048 bits");
    let key = PublicKey::from_der(&der).map_err(|_| short())?;
    let spki = key.as_der().map_err(|_| short())?;
    let parsed = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki.as_ref()).map_err(|_| short())?;
    Ok((key, parsed))
}

/// The PEM tag (empty for bare Base64) and the DER bytes.
fn der(text: &str) -> Option<(String, Zeroizing<Vec<u8>>)> {
    if text.contains("-----BEGIN") {
        let block = pem::parse(text).ok()?;
        return Some((block.tag().to_owned(), Zeroizing::new(block.into_contents())));
    }
    let bare: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
    let der = STANDARD.decode(bare.as_bytes()).ok()?;
    (!der.is_empty()).then(|| (String::new(), Zeroizing::new(der)))
}
