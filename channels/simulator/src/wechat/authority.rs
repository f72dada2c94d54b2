//! The gateway's own authority: a small CA, the platform certificates with their rotation, and the key behind the WeChat
//! Pay public key (wechat reference, 1.2 and 1.8).

use std::sync::OnceLock;

use chrono::Datelike;
use rand::RngCore;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, SerialNumber, date_time_ymd,
};
use serde::{Deserialize, Serialize};

use crate::frame::{Frame, Refused};
use crate::store::Tx;

const ROOT: &str = "wechat_authority";
const PLATFORM: &str = "wechat_platform";

/// What the TLS listener is called.
const HOSTS: [&str; 4] = [
    "localhost",
    "127.0.0.1",
    "api.mch.weixin.qq.com",
    "api2.mch.weixin.qq.com",
];

/// How many years a certificate lives.
const LIFE_YEARS: i32 = 5;

/// A certificate with its key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Leaf {
    /// 40 upper-case hex characters.
    pub serial: String,
    pub cert_pem: String,
    /// PKCS#8 PEM.
    pub key_pem: String,
}

/// What is made once for all accounts.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Root {
    pub ca_pem: String,
    ca_key_pem: String,
    /// The private half of the WeChat Pay public key. Every account knows it under an id of its own.
    pub public_key_twin_pem: String,
    first: Platform,
}

/// A platform certificate.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Platform {
    pub leaf: Leaf,
    pub effective_at_ms: i64,
    pub expires_at_ms: i64,
}

/// The root, made the first time it is asked for. Gateways that begin in one process begin with the same one: making keys
/// takes long.
pub(super) fn root(frame: &Frame) -> Root {
    if let Some(made) = frame.store.begin().get(ROOT, "all") {
        return made;
    }
    static FRESH: OnceLock<Root> = OnceLock::new();
    let year = frame.clock.now().year();
    let fresh = FRESH.get_or_init(|| make(year).expect("keys and certificates of fixed form can be made"));
    let mut tx = frame.store.begin();
    if let Some(made) = tx.get(ROOT, "all") {
        return made;
    }
    tx.put(ROOT, "all", fresh);
    keep(&mut tx, 1, &fresh.first);
    tx.commit();
    fresh.clone()
}

/// The platform certificates that have not expired, oldest first. The last one signs.
pub(super) fn platforms(frame: &Frame) -> Vec<Platform> {
    root(frame);
    let now_ms = frame.clock.now_ms();
    let mut all: Vec<Platform> = frame.store.begin().scan(PLATFORM);
    let newest = all.last().cloned();
    all.retain(|platform| now_ms < platform.expires_at_ms);
    // However far the clock was moved, somebody must sign.
    if all.is_empty() {
        all.extend(newest);
    }
    all
}

/// A new platform certificate takes over; the one before it stays valid so long, Unix milliseconds.
pub(super) fn rotate(frame: &Frame, old_until_ms: i64) -> Result<Platform, Refused> {
    let root = root(frame);
    // Midnight in Greenwich comes later than in China; a certificate must not begin in the future.
    let yesterday = frame.clock.now() - chrono::TimeDelta::days(1);
    let begin = (yesterday.year(), yesterday.month(), yesterday.day());
    let fresh = platform(&root.ca_key_pem, begin)
        .map_err(|error| Refused(format!("the certificate could not be made: {error}")))?;
    let mut tx = frame.store.begin();
    let all: Vec<Platform> = tx.scan(PLATFORM);
    for (n, mut platform) in all.iter().cloned().enumerate() {
        platform.expires_at_ms = platform.expires_at_ms.min(old_until_ms);
        keep(&mut tx, n + 1, &platform);
    }
    keep(&mut tx, all.len() + 1, &fresh);
    tx.commit();
    Ok(fresh)
}

fn keep(tx: &mut Tx<'_>, n: usize, platform: &Platform) {
    tx.put(PLATFORM, &format!("{n:06}"), platform);
}

/// Issues an API certificate to a merchant.
pub(super) fn issue(frame: &Frame, mch_id: &str) -> Result<Leaf, Refused> {
    let root = root(frame);
    let year = frame.clock.now().year();
    leaf(&root.ca_key_pem, mch_id, (year - 2, 1, 1))
        .map_err(|error| Refused(format!("the certificate could not be made: {error}")))
}

/// Issues a certificate to the gateway's own TLS listener.
pub(super) fn issue_to_server(frame: &Frame) -> Result<Leaf, Refused> {
    let root = root(frame);
    let year = frame.clock.now().year();
    let names = HOSTS.map(str::to_owned);
    let made = CertificateParams::new(names)
        .and_then(|params| signed(params, &root.ca_key_pem, "localhost", (year - 2, 1, 1)));
    made.map_err(|error| Refused(format!("the certificate could not be made: {error}")))
}

fn make(year: i32) -> Result<Root, rcgen::Error> {
    let ca_key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let ca_key_pem = ca_key.serialize_pem();
    Ok(Root {
        ca_pem: authority().self_signed(&ca_key)?.pem(),
        first: platform(&ca_key_pem, (year - 2, 1, 1))?,
        public_key_twin_pem: KeyPair::generate_for(&PKCS_RSA_SHA256)?.serialize_pem(),
        ca_key_pem,
    })
}

fn platform(ca_key_pem: &str, begin: (i32, u32, u32)) -> Result<Platform, rcgen::Error> {
    Ok(Platform {
        leaf: leaf(ca_key_pem, "Tenpay.com sign (simulated)", begin)?,
        effective_at_ms: midnight_ms(begin),
        expires_at_ms: midnight_ms((begin.0 + LIFE_YEARS, begin.1, 1)),
    })
}

/// Midnight in Greenwich, where certificates begin and end.
fn midnight_ms((year, month, day): (i32, u32, u32)) -> i64 {
    let day = chrono::NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default();
    day.and_hms_opt(0, 0, 0)
        .unwrap_or_default()
        .and_utc()
        .timestamp_millis()
}

fn leaf(ca_key_pem: &str, name: &str, begin: (i32, u32, u32)) -> Result<Leaf, rcgen::Error> {
    signed(CertificateParams::default(), ca_key_pem, name, begin)
}

fn signed(
    mut params: CertificateParams,
    ca_key_pem: &str,
    name: &str,
    begin: (i32, u32, u32),
) -> Result<Leaf, rcgen::Error> {
    let serial = serial();
    params.distinguished_name = subject(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let byte = |n: u32| u8::try_from(n).unwrap_or(1);
    params.not_before = date_time_ymd(begin.0, byte(begin.1), byte(begin.2));
    params.not_after = date_time_ymd(begin.0 + LIFE_YEARS, byte(begin.1), 1);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let issuer = Issuer::new(authority(), KeyPair::from_pem(ca_key_pem)?);
    Ok(Leaf {
        serial: hex::encode_upper(serial),
        cert_pem: params.signed_by(&key, &issuer)?.pem(),
        key_pem: key.serialize_pem(),
    })
}

/// 20 bytes that are 40 hex characters without a zero in front and a positive number.
fn serial() -> [u8; 20] {
    let mut serial = [0_u8; 20];
    rand::thread_rng().fill_bytes(&mut serial);
    serial[0] = serial[0] % 0x60 + 0x10;
    serial
}

/// The same parameters each time, so that a kept key can go on issuing.
fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject("WeChat Pay Simulator Root CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    params
}

fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CountryName, "CN");
    subject.push(DnType::OrganizationName, "metropay simulator");
    subject.push(DnType::CommonName, name);
    subject
}
