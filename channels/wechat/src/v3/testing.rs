//! Keys and vectors of the reference, for the tests of this module.

use std::collections::BTreeMap;

use aws_lc_rs::rsa::KeyPair;

use super::platform_key::PlatformKey;
use super::sign::Signer;

pub(crate) const V3_KEY: &str = "TESTONLYapiv3key0000000000000001";
pub(crate) const PLATFORM_CERTIFICATE: &str = include_str!("../../tests/vectors/platform.crt.pem");
pub(crate) const PUBLIC_KEY: &str = include_str!("../../tests/vectors/public.pub.pem");
pub(crate) const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_0119000099992025030100000000000001";

/// A vector: words and their texts.
pub(crate) fn block(id: &str) -> BTreeMap<&'static str, &'static str> {
    let file = include_str!("../../tests/vectors/v3.txt");
    let block = file
        .split("\n\n")
        .find(|block| block.lines().next() == Some(&format!("id {id}")));
    let lines = block.expect("a vector of this id").lines();
    lines.map(|line| line.split_once(' ').unwrap_or((line, ""))).collect()
}

pub(crate) fn der(pem: &str) -> Vec<u8> {
    pem::parse(pem).expect("a PEM text").into_contents()
}

pub(crate) fn signer() -> Signer {
    Signer {
        mch_id: "1900009999".to_owned(),
        serial: "3A1C0D5E7B9F2468ACE013579BDF02468ACE1357".to_owned(),
        key: KeyPair::from_pkcs8(&der(include_str!("../../tests/vectors/merchant.key.pem"))).expect("a key"),
    }
}

pub(crate) fn platform_key() -> PlatformKey {
    PlatformKey::certificate(PLATFORM_CERTIFICATE).expect("a certificate")
}

pub(crate) fn public_key() -> PlatformKey {
    PlatformKey::public(PUBLIC_KEY_ID, PUBLIC_KEY).expect("a key")
}
