//! The certificate hierarchy of the simulated gateway: root, middle, and the leaves that sign, encrypt and mislead.

use std::fmt;
use std::sync::OnceLock;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, SerialNumber, date_time_ymd,
};
use rsa::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde::{Deserialize, Serialize};

use crate::frame::{Frame, Refused};

const TABLE: &str = "unionpay_hierarchy";
const ROW: &str = "all";

/// The subject of the gateway's signing certificate; its third segment is what merchants must check
/// (unionpay reference, 1.9).
pub(super) const GATEWAY_CN: &str = "041@8310000000083040@中国银联股份有限公司@00016493";
/// The same in the style of the test environment.
pub(super) const GATEWAY_TEST_CN: &str = "041@Z2017-11-1@00040000:SIGN@00000001";
/// A subject that contains the gateway's name and is not the gateway's.
const WRONG_CN: &str = "041@8310000000083040@中国银联股份有限公司（样本）@00016493";
/// Some merchant's certificate of the same hierarchy.
const STRANGER_CN: &str = "041@Z2026-11-23@777290058199999:SIGN@00000009";
const ENCRYPT_CN: &str = "041@Z2026-11-1@00040000:SIGN@00000006";

/// A certificate with its key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Leaf {
    /// PEM with plain line feeds.
    pub(super) cert_pem: String,
    /// PKCS#8 PEM.
    pub(super) key_pem: String,
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf")
            .field("cert_pem", &self.cert_pem)
            .finish_non_exhaustive()
    }
}

impl Leaf {
    /// The certificate as it stands in `signPubKeyCert`: carriage return and line feed between the lines, none at the end.
    pub(super) fn wire_pem(&self) -> String {
        self.cert_pem.lines().collect::<Vec<_>>().join("\r\n")
    }

    pub(super) fn key(&self) -> RsaPrivateKey {
        RsaPrivateKey::from_pkcs8_pem(&self.key_pem).expect("the hierarchy's own keys are PKCS#8")
    }
}

/// With which certificate the gateway signs towards a merchant; all but the first are to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Signer {
    /// The gateway's own.
    #[default]
    Gateway,
    /// A merchant's certificate of the same hierarchy.
    MerchantCert,
    /// Of the same hierarchy, with a subject that is not the gateway's.
    WrongCn,
    /// The right subject, by an issuer of the same name that nobody trusts.
    OtherCa,
    /// The gateway's own, of the years before.
    Expired,
}

/// Everything that was ever issued but the merchants' own certificates.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Hierarchy {
    pub(super) root_pem: String,
    pub(super) middle: Leaf,
    pub(super) encrypt: Leaf,
    gateway: Leaf,
    gateway_test: Leaf,
    merchant_cert: Leaf,
    wrong_cn: Leaf,
    other_ca: Leaf,
    expired: Leaf,
}

impl Hierarchy {
    /// The hierarchy of this simulator, kept from the first time it is asked for. Simulators that begin in one process
    /// begin with the same one: making keys takes long.
    pub(super) fn of(frame: &Frame) -> Self {
        if let Some(made) = frame.store.begin().get(TABLE, ROW) {
            return made;
        }
        static FRESH: OnceLock<Hierarchy> = OnceLock::new();
        let fresh = FRESH.get_or_init(|| make().expect("keys and certificates of fixed form can be made"));
        let mut tx = frame.store.begin();
        if let Some(made) = tx.get(TABLE, ROW) {
            return made;
        }
        tx.put(TABLE, ROW, fresh);
        tx.commit();
        fresh.clone()
    }

    /// The certificate that signs; `production_name` says whether the gateway bears its name of production.
    pub(super) fn signer(&self, signer: Signer, production_name: bool) -> &Leaf {
        match signer {
            Signer::Gateway if production_name => &self.gateway,
            Signer::Gateway => &self.gateway_test,
            Signer::MerchantCert => &self.merchant_cert,
            Signer::WrongCn => &self.wrong_cn,
            Signer::OtherCa => &self.other_ca,
            Signer::Expired => &self.expired,
        }
    }

    /// Issues a certificate with a key of its own to a merchant.
    pub(super) fn issue_to_merchant(&self, mer_id: &str) -> Result<Leaf, Refused> {
        // The serials of merchants are long: whoever reads them as 64-bit numbers is found out.
        let params = leaf(&format!("041@Z2026-11-23@{mer_id}:SIGN@00000003"), random_serial(16));
        self.issue(&params)
    }

    /// Issues another certificate to encrypt with.
    pub(super) fn issue_for_encryption(&self) -> Result<Leaf, Refused> {
        self.issue(&leaf(ENCRYPT_CN, random_serial(5)))
    }

    fn issue(&self, params: &CertificateParams) -> Result<Leaf, Refused> {
        let made = KeyPair::from_pem(&self.middle.key_pem).and_then(|middle_key| {
            let issuer = Issuer::new(authority("MIDDLE", "ACP SIMULATOR OCA1"), middle_key);
            issue(params, &KeyPair::generate_for(&PKCS_RSA_SHA256)?, &issuer)
        });
        made.map_err(|error| Refused(format!("the certificate could not be made: {error}")))
    }
}

fn make() -> Result<Hierarchy, rcgen::Error> {
    let key = || KeyPair::generate_for(&PKCS_RSA_SHA256);
    let (root, middle, other_middle) = (key()?, key()?, key()?);
    let (gateway, encrypt, stranger) = (key()?, key()?, key()?);
    let root_params = authority("ROOT", "ACP SIMULATOR ROOT CA");
    let root_pem = root_params.self_signed(&root)?.pem();
    let middle_params = authority("MIDDLE", "ACP SIMULATOR OCA1");
    let middle_pem = middle_params.signed_by(&middle, &Issuer::new(root_params, root))?.pem();
    let middle_key_pem = middle.serialize_pem();
    let issuer = Issuer::new(middle_params.clone(), middle);
    let others = Issuer::new(middle_params, other_middle);
    let mut expired = leaf(GATEWAY_CN, random_serial(5));
    expired.not_after = date_time_ymd(2021, 12, 31);
    Ok(Hierarchy {
        root_pem,
        middle: Leaf {
            cert_pem: middle_pem,
            key_pem: middle_key_pem,
        },
        encrypt: issue(&leaf(ENCRYPT_CN, random_serial(5)), &encrypt, &issuer)?,
        gateway: issue(&leaf(GATEWAY_CN, random_serial(5)), &gateway, &issuer)?,
        gateway_test: issue(&leaf(GATEWAY_TEST_CN, random_serial(5)), &gateway, &issuer)?,
        merchant_cert: issue(&leaf(STRANGER_CN, random_serial(16)), &stranger, &issuer)?,
        wrong_cn: issue(&leaf(WRONG_CN, random_serial(5)), &gateway, &issuer)?,
        other_ca: issue(&leaf(GATEWAY_CN, random_serial(5)), &stranger, &others)?,
        expired: issue(&expired, &gateway, &issuer)?,
    })
}

fn issue(params: &CertificateParams, key: &KeyPair, issuer: &Issuer<'_, KeyPair>) -> Result<Leaf, rcgen::Error> {
    Ok(Leaf {
        cert_pem: params.signed_by(key, issuer)?.pem(),
        key_pem: key.serialize_pem(),
    })
}

/// Parameters of an authority; the same name gives the same parameters, so that a kept key can go on issuing.
pub(super) fn authority(unit: &str, name: &str) -> CertificateParams {
    let mut params = named(name, unit);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub(super) fn leaf(name: &str, serial: SerialNumber) -> CertificateParams {
    let mut params = named(name, "Enterprises");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::ContentCommitment,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::DataEncipherment,
    ];
    params.serial_number = Some(serial);
    params.use_authority_key_identifier_extension = true;
    params
}

fn named(name: &str, unit: &str) -> CertificateParams {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CountryName, "CN");
    subject.push(DnType::OrganizationName, "ACP SIMULATOR");
    subject.push(DnType::OrganizationalUnitName, unit);
    subject.push(DnType::CommonName, name);
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    params
}

pub(super) fn random_serial(bytes: usize) -> SerialNumber {
    let mut serial: Vec<u8> = (0..bytes).map(|_| rand::random()).collect();
    serial[0] = (serial[0] & 0x7f) | 0x10;
    SerialNumber::from(serial)
}

/// What the gateway must know of a certificate.
pub(super) struct Read {
    /// Serial number in decimal: the `certId` (unionpay reference, 1.8).
    pub(super) cert_id: String,
    /// Key that verifies what its owner signs, and encrypts what only its owner may read.
    pub(super) key: RsaPublicKey,
}

/// Reads a certificate in PEM; `None` when it is none, or its key is not RSA.
pub(super) fn read(cert_pem: &str) -> Option<Read> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(cert_pem.as_bytes()).ok()?;
    let cert = pem.parse_x509().ok()?;
    let key = RsaPublicKey::from_public_key_der(cert.public_key().raw).ok()?;
    Some(Read {
        cert_id: cert.tbs_certificate.serial.to_string(),
        key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merchants_certificate_has_a_serial_that_exceeds_64_bits_and_fits_its_key() {
        let hierarchy = make().unwrap();
        let merchant = hierarchy.issue_to_merchant("700000000000009").unwrap();
        let read = read(&merchant.cert_pem).unwrap();
        assert!(
            read.cert_id.len() > 20 && read.cert_id.bytes().all(|b| b.is_ascii_digit()),
            "{}",
            read.cert_id
        );
        assert_eq!(read.key, merchant.key().to_public_key());
    }

    #[test]
    fn a_certificate_on_the_wire_has_carriage_returns_and_no_last_line_break() {
        let leaf = make().unwrap().gateway;
        let wire = leaf.wire_pem();
        assert!(wire.starts_with("-----BEGIN CERTIFICATE-----\r\n") && wire.ends_with("\r\n-----END CERTIFICATE-----"));
        assert!(!format!("{leaf:?}").contains("PRIVATE"));
    }
}
