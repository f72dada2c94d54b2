//! What a merchant must check of every message (unionpay reference, 1.3 and 1.9), written from the reference alone.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::RsaPublicKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::DecodePublicKey as _;
use rsa::signature::Verifier as _;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::*;

pub(crate) type Fields = BTreeMap<String, String>;

/// Why a message is not believed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    NoCertificate,
    OutOfDate,
    NotTheGateway,
    UnknownIssuer,
    NoSignature,
    SignatureDoesNotFit,
}

/// Verifies messages of a gateway whose middle and root certificates are known.
pub(crate) struct Verifier {
    pub(crate) root_pem: String,
    pub(crate) middle_pem: String,
    /// Off only towards the test environment, whose certificates bear another name.
    pub(crate) check_name: bool,
}

/// Reads a synchronous answer character by character: the first `=` ends a name, braces and brackets hold together.
pub(crate) fn scan(body: &str) -> Fields {
    let mut fields = Fields::new();
    let (mut name, mut text, mut closing) = (None::<String>, String::new(), None::<char>);
    for c in body.trim_end().chars() {
        match (closing, c) {
            (Some(end), _) => {
                text.push(c);
                closing = (c != end).then_some(end);
            }
            (None, '=') if name.is_none() => name = Some(std::mem::take(&mut text)),
            (None, '&') => {
                fields.insert(name.take().unwrap_or_default(), std::mem::take(&mut text));
            }
            (None, _) => {
                text.push(c);
                closing = match c {
                    '{' => Some('}'),
                    '[' => Some(']'),
                    _ => None,
                };
            }
        }
    }
    fields.insert(name.unwrap_or_default(), text);
    fields
}

/// Reads an URL-encoded notification.
pub(crate) fn form(body: &str) -> Fields {
    form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

/// A domain such as `{token=..&trId=..}`.
pub(crate) fn domain(text: &str) -> Fields {
    scan(text.trim_start_matches('{').trim_end_matches('}'))
}

pub(crate) fn digest(fields: &Fields) -> String {
    let pairs: Vec<String> = fields
        .iter()
        .filter(|(name, _)| *name != "signature")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    hex::encode(Sha256::digest(pairs.join("&")))
}

impl Verifier {
    pub(crate) fn verify(&self, fields: &Fields, now_s: i64) -> Result<(), Doubt> {
        let leaf_pem = fields.get("signPubKeyCert").ok_or(Doubt::NoCertificate)?;
        let (leaf, middle, root) = (der(leaf_pem)?, der(&self.middle_pem)?, der(&self.root_pem)?);
        let (leaf, middle, root) = (certificate(&leaf)?, certificate(&middle)?, certificate(&root)?);
        let now = ASN1Time::from_timestamp(now_s).map_err(|_| Doubt::OutOfDate)?;
        if [&leaf, &middle, &root]
            .iter()
            .any(|cert| !cert.validity().is_valid_at(now))
        {
            return Err(Doubt::OutOfDate);
        }
        let name = leaf
            .subject()
            .iter_common_name()
            .next()
            .and_then(|name| name.as_str().ok())
            .unwrap_or_default();
        if self.check_name && name.split('@').nth(2) != Some("中国银联股份有限公司") {
            return Err(Doubt::NotTheGateway);
        }
        for (child, parent) in [(&leaf, &middle), (&middle, &root), (&root, &root)] {
            if child.issuer() != parent.subject() || !parent.is_ca() || !issued(child, parent) {
                return Err(Doubt::UnknownIssuer);
            }
        }
        let signature = STANDARD.decode(fields.get("signature").ok_or(Doubt::NoSignature)?);
        let signature = signature.map_err(|_| Doubt::SignatureDoesNotFit)?;
        fits(&leaf, digest(fields).as_bytes(), &signature)
            .then_some(())
            .ok_or(Doubt::SignatureDoesNotFit)
    }
}

fn der(pem: &str) -> Result<Vec<u8>, Doubt> {
    parse_x509_pem(pem.as_bytes())
        .map(|(_, pem)| pem.contents)
        .map_err(|_| Doubt::NoCertificate)
}

fn certificate(der: &[u8]) -> Result<X509Certificate<'_>, Doubt> {
    X509Certificate::from_der(der)
        .map(|(_, cert)| cert)
        .map_err(|_| Doubt::NoCertificate)
}

/// Certificates of old chains are signed with SHA-1; messages never are.
fn issued(child: &X509Certificate<'_>, parent: &X509Certificate<'_>) -> bool {
    let (text, signature) = (child.tbs_certificate.as_ref(), &child.signature_value.data);
    match child.signature_algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.5" => {
            let key = RsaPublicKey::from_public_key_der(parent.public_key().raw).unwrap();
            Signature::try_from(signature.as_ref())
                .is_ok_and(|s| VerifyingKey::<Sha1>::new(key).verify(text, &s).is_ok())
        }
        _ => fits(parent, text, signature),
    }
}

fn fits(signer: &X509Certificate<'_>, text: &[u8], signature: &[u8]) -> bool {
    let key = RsaPublicKey::from_public_key_der(signer.public_key().raw).unwrap();
    Signature::try_from(signature).is_ok_and(|s| VerifyingKey::<Sha256>::new(key).verify(text, &s).is_ok())
}
