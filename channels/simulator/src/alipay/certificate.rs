//! Certificates: serial names, and what must be known of one (alipay reference, 1.6).

use md5::{Digest, Md5};
use rsa::pkcs8::{DecodePublicKey, EncodePublicKey, LineEnding};
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;

/// Every signature algorithm with RSA begins so.
const RSA_SIGNATURES: &str = "1.2.840.113549.1.1.";

/// What the gateway must know of a certificate.
#[derive(Debug)]
pub(super) struct Read {
    /// The serial name, 32 hexadecimal digits.
    pub(super) sn: String,
    /// The key in it, as PEM; `None` when it is no RSA key.
    pub(super) public_key: Option<String>,
    /// Until when it is good, Unix milliseconds.
    pub(super) not_after_ms: i64,
    is_signed_with_rsa: bool,
}

/// Reads the first certificate of a PEM text.
pub(super) fn read(pem: &str) -> Option<Read> {
    blocks(pem)
        .next()
        .and_then(|block| block.parse_x509().ok().map(|cert| known(&cert)))
}

/// The serial name of a bundle of roots: those that are signed with RSA, in the order of the file.
pub(super) fn root_sn(bundle: &str) -> String {
    let known = blocks(bundle).filter_map(|block| block.parse_x509().ok().map(|cert| known(&cert)));
    let counted: Vec<String> = known
        .filter(|read| read.is_signed_with_rsa)
        .map(|read| read.sn)
        .collect();
    counted.join("_")
}

fn blocks(text: &str) -> impl Iterator<Item = Pem> {
    Pem::iter_from_buffer(text.as_bytes()).filter_map(Result::ok)
}

fn known(cert: &X509Certificate<'_>) -> Read {
    let public_key = rsa::RsaPublicKey::from_public_key_der(cert.public_key().raw).ok();
    Read {
        sn: sn(&issuer(cert), &cert.tbs_certificate.serial.to_string()),
        public_key: public_key.and_then(|key| key.to_public_key_pem(LineEnding::LF).ok()),
        not_after_ms: cert.validity().not_after.timestamp().saturating_mul(1_000),
        is_signed_with_rsa: cert
            .signature_algorithm
            .algorithm
            .to_id_string()
            .starts_with(RSA_SIGNATURES),
    }
}

/// The serial name from the issuer's name and the decimal serial number.
fn sn(issuer: &str, serial: &str) -> String {
    hex::encode(Md5::digest(format!("{issuer}{serial}")))
}

/// The issuer's name with its parts in reverse order, as RFC 2253 writes it.
fn issuer(cert: &X509Certificate<'_>) -> String {
    let mut parts: Vec<String> = cert
        .issuer()
        .iter_attributes()
        .map(|part| {
            let value = part.as_str().unwrap_or_default().replace(',', "\\,");
            format!("{}={value}", short_name(&part.attr_type().to_id_string()))
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

fn short_name(oid: &str) -> &str {
    match oid {
        "2.5.4.3" => "CN",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::super::vectors::vector;
    use super::*;

    #[test]
    fn serial_names_are_as_in_the_reference() {
        let app = read(vector("app certificate")).unwrap();
        assert_eq!(app.sn, "0011657fb565810f4281ac37785787b7");
        let alipay = read(vector("alipay certificate")).unwrap();
        assert_eq!(alipay.sn, "c6204f0b049ee8a2e17785eb0b82e74c");
        let key = alipay.public_key.unwrap();
        assert_eq!(sign::public(&key), sign::public(vector("alipay public key")));
        assert_eq!(alipay.not_after_ms, 2_398_377_600_000);
    }

    #[test]
    fn a_bundle_counts_only_what_is_signed_with_rsa() {
        let expected = "5b411b75aeb7a48531c3162ae2314c20_b660cbcf128599c88757a8f815406cb8";
        assert_eq!(root_sn(vector("root certificates")), expected);
        assert_eq!(
            read(vector("root certificates")).unwrap().sn,
            "6cf157ead6322211703ee6bb4fe804c9",
            "the first is signed with an elliptic curve"
        );
    }

    #[test]
    fn the_real_serial_names_come_of_name_and_number() {
        let rows = [
            (
                "CN=ROOTCA,O=NRCAC,C=CN",
                "7629940819692799611",
                "9e64d67d36446de33aae13a33a89e5a7",
            ),
            (
                "CN=Ant Financial Certification Authority R1,OU=Certification Authority,O=Ant Financial,C=CN",
                "2292228364100439313",
                "687b59193f3f462dd5336e5abf83c5d8",
            ),
            (
                "CN=Ant Financial Certification Authority E1,OU=Certification Authority,O=Ant Financial,C=CN",
                "4719484692854726474",
                "8af620707e5ddd8c7e76747e86a604dc",
            ),
            (
                "CN=iTrusChina Class 2 Root CA - G3,OU=China Trust Network,O=iTrusChina,C=CN",
                "95790491425698859646659490580052089075020051350",
                "02941eef3187dddf3d3b83462e1dfcf6",
            ),
            (
                "CN=Ant Financial Certification Authority Class 2 R1,OU=Certification Authority,O=Ant Financial,C=CN",
                "42701552432456004857627230056898180491",
                "7513daaaa48aa3ba2e4018d84402479c",
            ),
            (
                "CN=Ant Financial Certification Authority Class 1 R1,OU=Certification Authority,O=Ant Financial,C=CN",
                "42701552708448241360226107228231049510",
                "866efef280dec9137a87d047ac446315",
            ),
        ];
        for (issuer, serial, expected) in rows {
            assert_eq!(sn(issuer, serial), expected);
        }
    }

    #[test]
    fn what_is_no_certificate_is_not_read() {
        assert!(read("").is_none() && read("nonsense").is_none());
        assert!(read(vector("app public key")).is_none());
    }
}
