//! Certificates as Alipay names them: by the MD5 of issuer and serial number (alipay reference, 1.6).

mod chain;
mod known;
mod name;

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use md5::{Digest, Md5};
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;

pub(crate) use known::Certificates;

/// Object identifiers of RSA signatures begin so; certificates that are signed otherwise do not count in a root's name.
const RSA_SIGNATURES: &str = "1.2.840.113549.1.1.";

/// How many certificates a file may hold.
const FILE_MAX: usize = 64;

/// The certificates of a PEM text in its order, as DER. What is something else, or no Base64, is passed over.
pub(crate) fn blocks(pem: &str) -> Vec<Vec<u8>> {
    Pem::iter_from_buffer(pem.as_bytes())
        .take(FILE_MAX)
        .filter_map(Result::ok)
        .filter(|block| block.label == "CERTIFICATE")
        .map(|block| block.contents)
        .collect()
}

/// A certificate, read.
pub(crate) fn read(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().map(|(_, certificate)| certificate)
}

/// The certificate's SN: what requests and answers call it.
pub(crate) fn sn(certificate: &X509Certificate<'_>) -> String {
    sn_of(
        &name::rfc2253(certificate.issuer()),
        &certificate.tbs_certificate.serial.to_string(),
    )
}

fn sn_of(issuer: &str, serial: &str) -> String {
    let mut digest = Md5::new();
    digest.update(issuer.as_bytes());
    digest.update(serial.as_bytes());
    hex::encode(digest.finalize())
}

/// Whether it is signed with RSA, by whatever digest.
pub(crate) fn is_signed_with_rsa(certificate: &X509Certificate<'_>) -> bool {
    let algorithm = certificate.signature_algorithm.algorithm.to_id_string();
    algorithm.starts_with(RSA_SIGNATURES)
}

/// The RSA key in it, of at least 2048 bits.
pub(crate) fn key(certificate: &X509Certificate<'_>) -> Option<ParsedPublicKey> {
    ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, certificate.public_key().raw).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::vector;

    /// The rows of the reference: issuer, serial number, SN. Those of the first four and the last two are real.
    const NAMES: &[(&str, &str, &str)] = &[
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

    #[test]
    fn names_are_the_references() {
        for (issuer, serial, sn) in NAMES {
            assert_eq!(sn_of(issuer, serial), *sn);
        }
    }

    #[test]
    fn the_certificates_of_the_vectors_have_the_names_of_the_reference() {
        let rows = [
            (
                "app_cert.crt",
                0,
                "Class 2 R1",
                "42701552708448241360226107228231049022",
                "0011657fb565810f4281ac37785787b7",
            ),
            (
                "alipay_cert.crt",
                0,
                "Class 2 R1",
                "160263542531791990212981638410844628720",
                "c6204f0b049ee8a2e17785eb0b82e74c",
            ),
            (
                "root_certs.crt",
                0,
                "E1",
                "4719484692854726999",
                "6cf157ead6322211703ee6bb4fe804c9",
            ),
            (
                "root_certs.crt",
                1,
                "R1",
                "2292228364100439555",
                "5b411b75aeb7a48531c3162ae2314c20",
            ),
        ];
        for (file, place, issuer, serial, expected) in rows {
            let der = blocks(&vector(file)).swap_remove(place);
            let certificate = read(&der).unwrap();
            let issuer = format!(
                "CN=Sim Financial Certification Authority {issuer},OU=Certification Authority,O=Sim Financial,C=CN"
            );
            assert_eq!(name::rfc2253(certificate.issuer()), issuer);
            assert_eq!(certificate.tbs_certificate.serial.to_string(), serial);
            assert_eq!(sn(&certificate), expected);
        }
        let simtrus = blocks(&vector("root_certs.crt")).swap_remove(2);
        let simtrus = read(&simtrus).unwrap();
        let issuer = "CN=SimTrus Class 2 Root CA - G3,OU=Sim Trust Network,O=SimTrus,C=CN";
        assert_eq!(name::rfc2253(simtrus.issuer()), issuer);
        assert_eq!(sn(&simtrus), "b660cbcf128599c88757a8f815406cb8");
    }

    #[test]
    fn only_what_can_be_read_is_handed_out() {
        let rubbish = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
        let key = vector("app_public.pem");
        let text = format!("{rubbish}{key}\n{}", vector("app_cert.crt"));
        assert_eq!(blocks(&text).len(), 1);
        assert!(blocks("").is_empty() && blocks("no PEM at all").is_empty());
        assert!(read(b"\x30\x03\x02\x01\x01").is_none());
    }
}
