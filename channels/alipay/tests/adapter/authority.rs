//! A certificate authority of the tests: a root, an authority below it, and what that one issues.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use metropay_core::clock::Time;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    PKCS_RSA_SHA256, SerialNumber, date_time_ymd,
};

use crate::ground::*;

pub(crate) const ALIPAY: &str = "支付宝(中国)网络技术有限公司-2088000000000001";

/// What one certificate is made of.
pub(crate) struct Wish<'a> {
    pub(crate) name: &'a str,
    pub(crate) serial: u64,
    pub(crate) years: (i32, i32),
    pub(crate) is_authority: bool,
}

impl<'a> Wish<'a> {
    pub(crate) fn of(name: &'a str, serial: u64) -> Self {
        Self {
            name,
            serial,
            years: (2020, 2049),
            is_authority: false,
        }
    }
}

/// A root and an authority below it, by the last word of their names.
pub(crate) struct Authority {
    pub(crate) root: Certificate,
    pub(crate) middle: Certificate,
    middle_name: String,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new(root_name: &str, middle_name: &str) -> Self {
        let (root_key, key) = (fresh_key(), fresh_key());
        let root_params = params(&authority(root_name, 1));
        let root = root_params.self_signed(&root_key).unwrap();
        let middle = params(&authority(middle_name, 2))
            .signed_by(&key, &Issuer::new(root_params, root_key))
            .unwrap();
        Self {
            root,
            middle,
            middle_name: middle_name.to_owned(),
            key,
        }
    }

    /// A certificate for this key: its PEM and its SN.
    pub(crate) fn issue(&self, wish: &Wish<'_>, key: &KeyPair) -> (String, String) {
        let issuer = Issuer::new(params(&authority(&self.middle_name, 2)), &self.key);
        let certificate = params(wish).signed_by(key, &issuer).unwrap();
        let name = format!(
            "CN={},OU=Certification Authority,O=Sim Financial,C=CN",
            self.middle_name
        );
        let sn = hex::encode(Md5::digest(format!("{name}{}", wish.serial)));
        (certificate.pem(), sn)
    }
}

fn authority(name: &str, serial: u64) -> Wish<'_> {
    Wish {
        is_authority: true,
        ..Wish::of(name, serial)
    }
}

pub(crate) fn params(wish: &Wish<'_>) -> CertificateParams {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CountryName, "CN");
    subject.push(DnType::OrganizationName, "Sim Financial");
    subject.push(DnType::OrganizationalUnitName, "Certification Authority");
    subject.push(DnType::CommonName, wish.name);
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.not_before = date_time_ymd(wish.years.0, 1, 1);
    params.not_after = date_time_ymd(wish.years.1, 1, 1);
    params.serial_number = Some(SerialNumber::from(wish.serial));
    params.is_ca = if wish.is_authority {
        IsCa::Ca(BasicConstraints::Unconstrained)
    } else {
        IsCa::ExplicitNoCa
    };
    params
}

pub(crate) fn fresh_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap()
}

/// The key of the vectors with which Alipay signs.
pub(crate) fn alipay_key() -> KeyPair {
    KeyPair::from_pem(&vector("alipay_private.pem")).unwrap()
}

/// The key of the vectors with which the app signs.
pub(crate) fn app_key() -> KeyPair {
    KeyPair::from_pem(&vector("app_private.pem")).unwrap()
}

/// RSA2 with any key.
pub(crate) fn signs(key: &KeyPair, text: &str) -> String {
    let key = rsa::KeyPair::from_pkcs8(key.serialized_der()).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .unwrap();
    STANDARD.encode(signature)
}

/// A house of certificates that is made once for all tests: making keys takes long.
pub(crate) struct House {
    pub(crate) authority: Authority,
    /// Another authority below another root.
    pub(crate) stranger: Authority,
    /// The one that certifies apps: below the same root in real life, here with a root of its own in the same bundle.
    pub(crate) for_apps: Authority,
    /// The key that Alipay changes to.
    pub(crate) next_key: KeyPair,
}

pub(crate) fn house() -> &'static House {
    static HOUSE: OnceLock<House> = OnceLock::new();
    HOUSE.get_or_init(|| House {
        authority: Authority::new("Root R1", "Class 2 R1"),
        stranger: Authority::new("Root R1", "Class 2 R1"),
        for_apps: Authority::new("Root R2", "Class 1 R1"),
        next_key: fresh_key(),
    })
}

impl House {
    /// The configuration of an account in certificate mode, and the SN of its Alipay certificate.
    pub(crate) fn config(&self) -> (serde_json::Value, String) {
        let (app, _) = self
            .for_apps
            .issue(&Wish::of("2088000000000001-2021000000000001", 77), &app_key());
        let (alipay, sn) = self.authority.issue(&Wish::of(ALIPAY, 10), &alipay_key());
        let files = serde_json::json!({
            "alipay_public_key": null,
            "app_cert": app,
            "alipay_cert": format!("{alipay}{}", self.authority.middle.pem()),
            "alipay_root_cert": format!("{}{}", self.authority.root.pem(), self.for_apps.root.pem()),
        });
        (files, sn)
    }

    /// Alipay's next certificate with what stands above it, and its SN.
    pub(crate) fn next(&self) -> (String, String) {
        let (pem, sn) = self.authority.issue(&Wish::of(ALIPAY, 11), &self.next_key);
        (format!("{pem}{}", self.authority.middle.pem()), sn)
    }
}

/// The answer to a download, signed with this key.
pub(crate) fn handed_out(pem: &str, key: &KeyPair, sn: &str) -> String {
    let node = success(serde_json::json!({ "alipay_cert_content": STANDARD.encode(pem) })).to_string();
    let root = CERT_DOWNLOAD.replace('.', "_");
    let sign = signs(key, &node);
    format!(r#"{{"{root}_response":{node},"alipay_cert_sn":"{sn}","sign":"{sign}"}}"#)
}

/// A moment within every certificate's life.
pub(crate) fn then() -> Time {
    at("2026-03-01 08:30:05")
}
