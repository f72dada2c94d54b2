//! What an account needs to speak APIv3 (wechat reference, 1.2).

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::KeyPair as _;
use metropay_core::channel::ConfigError;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::aead::Aead;
use super::platform_key::{PlatformKey, serial};
use super::sign::Signer;
use crate::account::{given, key, wrong};
use crate::config::WechatConfig;

/// The keys of an account for APIv3, parsed once.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) signer: Signer,
    pub(crate) aead: Aead,
    /// The WeChat Pay public key, where the account works with that.
    pub(crate) public_key: Option<PlatformKey>,
}

impl Credentials {
    /// From the configuration; nothing where it names no APIv3 key.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field that is missing or wrong.
    pub(crate) fn of(config: &WechatConfig) -> Result<Option<Self>, ConfigError> {
        let public_key = public_key(config)?;
        let Some(secret) = &config.api_v3_key else {
            return match public_key {
                Some(_) => wrong("api_v3_key", "is needed with public_key_id"),
                None => Ok(None),
            };
        };
        key("api_v3_key", secret)?;
        let Some(aead) = Aead::new(secret.expose()) else {
            return wrong("api_v3_key", "must be 32 characters");
        };
        let signer = signer(config)?;
        Ok(Some(Self {
            signer,
            aead,
            public_key,
        }))
    }
}

fn public_key(config: &WechatConfig) -> Result<Option<PlatformKey>, ConfigError> {
    let (id, pem) = (
        given(config.public_key_id.clone()),
        given(config.public_key_pem.clone()),
    );
    match (id, pem) {
        (None, None) => Ok(None),
        (Some(_), None) => wrong("public_key_pem", "is needed with public_key_id"),
        (None, Some(_)) => wrong("public_key_id", "is needed with public_key_pem"),
        (Some(id), Some(pem)) => {
            let fits = id.starts_with("PUB_KEY_ID_") && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_graphic());
            if !fits {
                return wrong("public_key_id", "must begin with PUB_KEY_ID_");
            }
            match PlatformKey::public(&id, &pem) {
                Some(key) => Ok(Some(key)),
                None => wrong(
                    "public_key_pem",
                    "is no RSA public key of at least 2048 bits in PEM (pub_key.pem)",
                ),
            }
        }
    }
}

/// The merchant's private key with its certificate, which gives the serial number and must belong to both.
fn signer(config: &WechatConfig) -> Result<Signer, ConfigError> {
    let Some(cert) = &config.client_cert_pem else {
        return wrong("client_cert_pem", "is needed with api_v3_key");
    };
    let Some(private) = &config.client_key_pem else {
        return wrong("client_key_pem", "is needed with api_v3_key");
    };
    let block = pem::parse(private.expose()).ok();
    let key = block.and_then(|block| {
        KeyPair::from_pkcs8(block.contents())
            .or_else(|_| KeyPair::from_der(block.contents()))
            .ok()
    });
    let Some(key) = key else {
        return wrong("client_key_pem", "is no RSA private key of at least 2048 bits in PEM");
    };
    let block = pem::parse(cert.expose()).ok();
    let block = block.filter(|block| block.tag() == "CERTIFICATE");
    let certificate = block.as_ref().map(|block| X509Certificate::from_der(block.contents()));
    let Some(Ok((_, certificate))) = certificate else {
        return wrong("client_cert_pem", "is no certificate in PEM");
    };
    let public = key.public_key().as_der().ok();
    if public.is_none_or(|public| public.as_ref() != certificate.public_key().raw) {
        return wrong("client_key_pem", "is not the key of the certificate");
    }
    let names = certificate.subject().iter_common_name();
    let mut names = names.filter_map(|name| name.as_str().ok());
    if !names.any(|name| name == config.mch_id) {
        return wrong("client_cert_pem", "is the certificate of another merchant number");
    }
    Ok(Signer {
        mch_id: config.mch_id.clone(),
        serial: serial(&certificate),
        key,
    })
}
