//! Chains of certificates other than the usual one: old ones that must be believed, and wrong ones that must not
//! (unionpay reference, 1.9).

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{Certificate, Issuer, KeyPair, PKCS_RSA_SHA256, date_time_ymd};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use x509_parser::prelude::FromDer as _;
use x509_parser::prelude::X509Certificate;

use super::certificates::{GATEWAY_CN, GATEWAY_TEST_CN, Hierarchy, Leaf, authority, leaf, random_serial};
use crate::frame::Frame;

const TABLE: &str = "unionpay_chain";
const ROW: &str = "all";

/// sha256WithRSAEncryption, as it stands in a certificate.
const SHA256_WITH_RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
/// The last byte of sha1WithRSAEncryption; all before it is the same.
const SHA1_WITH_RSA_END: u8 = 0x05;

/// Which chain stands behind the gateway's messages to a merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Chain {
    /// The gateway's own, of today.
    #[default]
    Usual,
    /// One of the old style, signed with SHA-1 from the root to the leaf. It is to be believed: the merchant is given its
    /// root and middle certificate.
    Sha1,
    /// The usual one, with a leaf whose subject is not the gateway's.
    WrongCn,
    /// A chain that is right in itself and ends at a root that the merchant was not given.
    ForeignRoot,
    /// The usual one, with a leaf of the years before.
    Expired,
    /// A chain whose root and leaf are valid and whose middle certificate, which the merchant is given, is not any more.
    ExpiredMiddle,
}

/// The other chains, kept from the first time that one is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Chains {
    root_pem: String,
    expired_middle_pem: String,
    foreign: Leaf,
    sha1_root_pem: String,
    sha1_middle_pem: String,
    sha1: Leaf,
    sha1_test: Leaf,
}

impl Chains {
    /// The other chains of this simulator. Simulators that begin in one process begin with the same ones.
    pub(super) fn of(frame: &Frame) -> Self {
        if let Some(made) = frame.store.begin().get(TABLE, ROW) {
            return made;
        }
        static FRESH: OnceLock<Chains> = OnceLock::new();
        let fresh = FRESH.get_or_init(|| make().expect("keys and certificates of fixed form can be made"));
        let mut tx = frame.store.begin();
        if let Some(made) = tx.get(TABLE, ROW) {
            return made;
        }
        tx.put(TABLE, ROW, fresh);
        tx.commit();
        fresh.clone()
    }

    /// The certificate that signs on such a chain; `None` when it is one of the usual hierarchy.
    pub(super) fn leaf(frame: &Frame, chain: Chain, production_name: bool) -> Option<Leaf> {
        match chain {
            Chain::Usual | Chain::WrongCn | Chain::Expired => None,
            Chain::ForeignRoot | Chain::ExpiredMiddle => Some(Self::of(frame).foreign),
            Chain::Sha1 if production_name => Some(Self::of(frame).sha1),
            Chain::Sha1 => Some(Self::of(frame).sha1_test),
        }
    }

    /// The root and the middle certificate that a merchant is given.
    pub(super) fn handed_out(frame: &Frame, chain: Chain, hierarchy: &Hierarchy) -> (String, String) {
        match chain {
            Chain::Sha1 => {
                let chains = Self::of(frame);
                (chains.sha1_root_pem, chains.sha1_middle_pem)
            }
            Chain::ExpiredMiddle => {
                let chains = Self::of(frame);
                (chains.root_pem, chains.expired_middle_pem)
            }
            _ => (hierarchy.root_pem.clone(), hierarchy.middle.cert_pem.clone()),
        }
    }
}

fn make() -> Result<Chains, rcgen::Error> {
    let key = || KeyPair::generate_for(&PKCS_RSA_SHA256);
    let (root, middle, gateway) = (key()?, key()?, key()?);
    let (root_pem_key, middle_pem_key) = (root.serialize_pem(), middle.serialize_pem());
    let root_params = authority("ROOT", "ACP SIMULATOR OTHER ROOT CA");
    let middle_params = authority("MIDDLE", "ACP SIMULATOR OTHER OCA1");
    let mut expired_params = middle_params.clone();
    expired_params.not_after = date_time_ymd(2021, 12, 31);
    let root_cert = root_params.self_signed(&root)?;
    let above = Issuer::new(root_params, root);
    let middle_cert = middle_params.signed_by(&middle, &above)?;
    let expired_middle = expired_params.signed_by(&middle, &above)?;
    let issuer = Issuer::new(middle_params, middle);
    let issue = |name: &str| leaf(name, random_serial(5)).signed_by(&gateway, &issuer);
    let (named, named_test) = (issue(GATEWAY_CN)?, issue(GATEWAY_TEST_CN)?);
    let of_gateway = |cert_pem: String| Leaf {
        cert_pem,
        key_pem: gateway.serialize_pem(),
    };
    Ok(Chains {
        root_pem: root_cert.pem(),
        expired_middle_pem: expired_middle.pem(),
        sha1_root_pem: with_sha1(&root_cert, &root_pem_key),
        sha1_middle_pem: with_sha1(&middle_cert, &root_pem_key),
        sha1: of_gateway(with_sha1(&named, &middle_pem_key)),
        sha1_test: of_gateway(with_sha1(&named_test, &middle_pem_key)),
        foreign: of_gateway(named.pem()),
    })
}

/// The same certificate, signed by its issuer with SHA-1, in PEM. The two names of the algorithm and the two signatures
/// are of the same length, so nothing else in the certificate moves.
fn with_sha1(cert: &Certificate, issuer_key_pem: &str) -> String {
    let mut der = cert.der().to_vec();
    let parsed = X509Certificate::from_der(cert.der()).map(|(_, parsed)| parsed);
    let parsed = parsed.expect("a certificate that was just made can be read");
    let signed = parsed.tbs_certificate.as_ref();
    let start = position(&der, signed).expect("what is signed stands in the certificate");
    let end = start + signed.len();
    for range in [start..end, end..der.len()] {
        let at = range.start + position(&der[range], &SHA256_WITH_RSA).expect("made with SHA-256");
        der[at + SHA256_WITH_RSA.len() - 1] = SHA1_WITH_RSA_END;
    }
    let key = RsaPrivateKey::from_pkcs8_pem(issuer_key_pem).expect("the authority's key was just made");
    let signature = SigningKey::<Sha1>::new(key).sign(&der[start..end]).to_bytes();
    let tail = der.len() - signature.len();
    der[tail..].copy_from_slice(&signature);
    pem(&der)
}

fn position(whole: &[u8], part: &[u8]) -> Option<usize> {
    whole.windows(part.len()).position(|window| window == part)
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem += line;
        pem.push('\n');
        rest = after;
    }
    pem + "-----END CERTIFICATE-----\n"
}

#[cfg(test)]
mod tests {
    use rsa::RsaPublicKey;
    use rsa::pkcs1v15::{Signature, VerifyingKey};
    use rsa::pkcs8::DecodePublicKey as _;
    use rsa::signature::Verifier as _;
    use sha2::Sha256;
    use x509_parser::pem::parse_x509_pem;

    use super::*;

    /// Whether the first is signed by the second, with SHA-1 and with SHA-256.
    fn issued(child: &str, parent: &str) -> (bool, bool) {
        let (_, child) = parse_x509_pem(child.as_bytes()).unwrap();
        let (_, parent) = parse_x509_pem(parent.as_bytes()).unwrap();
        let (child, parent) = (child.parse_x509().unwrap(), parent.parse_x509().unwrap());
        assert_eq!(child.issuer(), parent.subject());
        let key = RsaPublicKey::from_public_key_der(parent.public_key().raw).unwrap();
        let signature = Signature::try_from(child.signature_value.data.as_ref()).unwrap();
        let signed = child.tbs_certificate.as_ref();
        let sha1 = VerifyingKey::<Sha1>::new(key.clone())
            .verify(signed, &signature)
            .is_ok();
        (
            sha1,
            VerifyingKey::<Sha256>::new(key).verify(signed, &signature).is_ok(),
        )
    }

    #[test]
    fn the_old_chain_is_signed_with_sha1_throughout_and_says_so() {
        let chains = make().unwrap();
        let (root, middle) = (&chains.sha1_root_pem, &chains.sha1_middle_pem);
        for (child, parent) in [(root, root), (middle, root), (&chains.sha1.cert_pem, middle)] {
            assert_eq!(issued(child, parent), (true, false));
            let (_, pem) = parse_x509_pem(child.as_bytes()).unwrap();
            let cert = pem.parse_x509().unwrap();
            let named = [&cert.signature_algorithm, &cert.tbs_certificate.signature];
            assert!(
                named
                    .iter()
                    .all(|a| a.algorithm.to_id_string() == "1.2.840.113549.1.1.5")
            );
        }
    }

    #[test]
    fn the_middle_that_has_expired_did_issue_the_leaf() {
        let chains = make().unwrap();
        assert_eq!(
            issued(&chains.foreign.cert_pem, &chains.expired_middle_pem),
            (false, true)
        );
        assert_eq!(issued(&chains.expired_middle_pem, &chains.root_pem), (false, true));
    }
}
