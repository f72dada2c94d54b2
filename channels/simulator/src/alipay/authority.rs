//! Alipay's certificate authority: the roots in the bundle, the authority below them, and what it issues (1.6).

use std::sync::OnceLock;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384,
    PKCS_RSA_SHA256, PublicKeyData, SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use rsa::pkcs1::EncodeRsaPublicKey;
use serde::{Deserialize, Serialize};

use super::sign;
use crate::frame::{Frame, Refused};
use crate::store::Tx;

const TABLE: &str = "alipay_authority";
const ISSUED: &str = "alipay_certificate";
const ROW: &str = "all";

const ORGANISATION: &str = "Sim Financial";
const UNIT: &str = "Certification Authority";
const MIDDLE: &str = "Sim Financial Certification Authority Class 2 R1";

/// The authority with the key that issues.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Authority {
    /// The bundle of roots: one with an elliptic curve, which does not count, and two with RSA.
    pub(super) roots: String,
    /// The certificate of the authority below the root.
    pub(super) middle: String,
    middle_key: String,
}

impl Authority {
    /// The authority of this simulator, kept from the first time it is asked for. Simulators that begin in one process
    /// begin with the same one: making keys takes long.
    pub(super) fn of(frame: &Frame) -> Result<Self, Refused> {
        static FRESH: OnceLock<Option<Authority>> = OnceLock::new();
        if let Some(made) = frame.store.begin().get(TABLE, ROW) {
            return Ok(made);
        }
        let fresh = FRESH.get_or_init(|| make().ok()).as_ref();
        let fresh = fresh.ok_or_else(|| Refused("the certificate authority could not be made".to_owned()))?;
        let mut tx = frame.store.begin();
        if let Some(made) = tx.get(TABLE, ROW) {
            return Ok(made);
        }
        tx.put(TABLE, ROW, fresh);
        tx.commit();
        Ok(fresh.clone())
    }

    /// A certificate for this public key. The name is in Chinese, as the real ones are.
    pub(super) fn issue(&self, organisation: &str, name: &str, public_key: &str) -> Result<String, Refused> {
        let key = sign::public(public_key).and_then(|key| key.to_pkcs1_der().ok());
        let key = key.ok_or_else(|| Refused("a certificate needs an RSA public key".to_owned()))?;
        let made = KeyPair::from_pem(&self.middle_key).and_then(|middle_key| {
            let issuer = Issuer::new(authority(ORGANISATION, UNIT, MIDDLE), middle_key);
            let mut params = named(organisation, "Alipay", name);
            params.is_ca = IsCa::ExplicitNoCa;
            params.signed_by(&Subject(key.as_bytes().to_vec()), &issuer)
        });
        let made = made.map_err(|error| Refused(format!("the certificate could not be issued: {error}")))?;
        Ok(made.pem())
    }
}

/// Keeps a certificate of Alipay's for download by its serial name (1.7).
pub(super) fn keep(tx: &mut Tx<'_>, sn: &str, pem: &str) {
    tx.put(ISSUED, sn, &pem);
}

/// The kept certificate of Alipay's with this serial name.
pub(super) fn kept(tx: &Tx<'_>, sn: &str) -> Option<String> {
    tx.get(ISSUED, sn)
}

/// The public key that a certificate is made for.
struct Subject(Vec<u8>);

impl PublicKeyData for Subject {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_RSA_SHA256
    }
}

fn make() -> Result<Authority, rcgen::Error> {
    let (root_key, other_key) = (
        KeyPair::generate_for(&PKCS_RSA_SHA256)?,
        KeyPair::generate_for(&PKCS_RSA_SHA256)?,
    );
    let curve_key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
    let middle_key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let root = authority(ORGANISATION, UNIT, "Sim Financial Certification Authority R1");
    let curve = authority(ORGANISATION, UNIT, "Sim Financial Certification Authority E1");
    let other = authority("SimTrus", "Sim Trust Network", "SimTrus Class 2 Root CA - G3");
    let roots = [
        curve.self_signed(&curve_key)?.pem(),
        root.self_signed(&root_key)?.pem(),
        other.self_signed(&other_key)?.pem(),
    ];
    let issuer = Issuer::new(root, root_key);
    Ok(Authority {
        roots: roots.join("\n"),
        middle: authority(ORGANISATION, UNIT, MIDDLE)
            .signed_by(&middle_key, &issuer)?
            .pem(),
        middle_key: middle_key.serialize_pem(),
    })
}

fn authority(organisation: &str, unit: &str, name: &str) -> CertificateParams {
    let mut params = named(organisation, unit, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn named(organisation: &str, unit: &str, name: &str) -> CertificateParams {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CountryName, "CN");
    subject.push(DnType::OrganizationName, organisation);
    subject.push(DnType::OrganizationalUnitName, unit);
    subject.push(DnType::CommonName, name);
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    // The real serials have up to 48 decimal digits: whoever reads them as 64-bit numbers is found out.
    let mut serial: [u8; 16] = rand::random();
    serial[0] = (serial[0] & 0x7f) | 0x10;
    params.serial_number = Some(SerialNumber::from(serial.to_vec()));
    params
}

#[cfg(test)]
mod tests {
    use super::super::certificate;
    use super::super::vectors::vector;
    use super::*;

    #[test]
    fn what_it_issues_bears_the_given_key_and_a_long_serial() {
        let authority = make().unwrap();
        let pem = authority
            .issue(
                "支付宝",
                "支付宝(中国)网络技术有限公司-2088000000000001",
                vector("alipay public key"),
            )
            .unwrap();
        let read = certificate::read(&pem).unwrap();
        let key = sign::public(&read.public_key.unwrap());
        assert_eq!(key, sign::public(vector("alipay public key")));
        assert!(certificate::read(&authority.middle).is_some());
        let counted = certificate::root_sn(&authority.roots);
        assert_eq!(counted.split('_').count(), 2, "the root with a curve does not count");
        assert!(authority.issue("a", "b", "nonsense").is_err());
    }
}
