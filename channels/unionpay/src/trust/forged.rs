//! Certificates that somebody made for himself, each wrong in one thing.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, PKCS_RSA_SHA512, SignatureAlgorithm, date_time_ymd,
};

use super::*;

const NAME: &str = "041@Z12@中国银联股份有限公司@00000002";

/// A certificate with its key, and what may be wrong with it.
struct Made {
    params: CertificateParams,
    key: KeyPair,
    pem: String,
}

/// Someone who makes certificates: a subject, for how long, and as what.
#[derive(Clone, Copy)]
struct Wish<'a> {
    name: &'a str,
    years: (i32, i32),
    authority: bool,
    may_sign: bool,
    algorithm: &'static SignatureAlgorithm,
}

fn wish(name: &str) -> Wish<'_> {
    Wish {
        name,
        years: (2020, 2040),
        authority: false,
        may_sign: true,
        algorithm: &PKCS_RSA_SHA256,
    }
}

fn authority(name: &str) -> Wish<'_> {
    Wish {
        authority: true,
        ..wish(name)
    }
}

impl Wish<'_> {
    fn params(self) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, self.name);
        params.not_before = date_time_ymd(self.years.0, 1, 1);
        params.not_after = date_time_ymd(self.years.1, 1, 1);
        if self.authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![if self.may_sign {
                KeyUsagePurpose::KeyCertSign
            } else {
                KeyUsagePurpose::DigitalSignature
            }];
        }
        params
    }

    fn of_itself(self) -> Made {
        let (params, key) = (self.params(), KeyPair::generate_for(self.algorithm).unwrap());
        let pem = params.self_signed(&key).unwrap().pem();
        Made { params, key, pem }
    }

    fn issued_by(self, above: &Made) -> Made {
        let (params, key) = (self.params(), KeyPair::generate_for(self.algorithm).unwrap());
        let issuer = Issuer::from_params(&above.params, &above.key);
        let pem = params.signed_by(&key, &issuer).unwrap().pem();
        Made { params, key, pem }
    }
}

/// A root, a middle under it, and the trust in both.
struct House {
    root: Made,
    middle: Made,
    trust: Trust,
}

fn house_of(root: Wish<'_>, middle: Wish<'_>) -> House {
    let root = root.of_itself();
    let middle = middle.issued_by(&root);
    let trust = Trust::new(&root.pem, &middle.pem, true).unwrap();
    House { root, middle, trust }
}

fn house() -> House {
    house_of(authority("CFCA CS CA"), authority("CFCA OCA1"))
}

fn day() -> Time {
    Time::parse_china("20250301120000", "%Y%m%d%H%M%S").unwrap()
}

#[test]
fn a_right_certificate_is_believed_and_only_the_third_part_of_its_name_counts() {
    let house = house();
    let says = |name: &str| {
        let leaf = wish(name).issued_by(&house.middle);
        house.trust.believes(&leaf.pem, day())
    };
    assert_eq!(says(NAME), Ok(()));
    assert_eq!(says("@@中国银联股份有限公司"), Ok(()));
    for wrong in [
        "中国银联股份有限公司",
        "041@中国银联股份有限公司@Z12@00000002",
        "041@Z12@x@中国银联股份有限公司",
        "041@Z12@中国银联股份有限公司 @00000002",
        "041@Z12@中国银联股份有限公司上海分公司@00000002",
        "041@Z12@700000000000001:SIGN@00000002",
        "041@Z12@00040000:SIGN@00000002",
        "",
    ] {
        assert_eq!(says(wrong), Err(Distrust::Name), "{wrong}");
    }
}

#[test]
fn a_chain_made_for_oneself_under_the_right_names_is_worth_nothing() {
    let (genuine, forged) = (house(), house());
    let leaf = wish(NAME).issued_by(&forged.middle);
    assert_eq!(forged.trust.believes(&leaf.pem, day()), Ok(()), "right in itself");
    assert_eq!(genuine.trust.believes(&leaf.pem, day()), Err(Distrust::Chain));
    let alone = wish(NAME).of_itself();
    assert_eq!(genuine.trust.believes(&alone.pem, day()), Err(Distrust::Chain));
}

#[test]
fn an_exchanged_middle_does_not_bridge_the_chain() {
    let genuine = house();
    let bridge = authority("CFCA OCA1").of_itself();
    let leaf = wish(NAME).issued_by(&bridge);
    assert_eq!(genuine.trust.believes(&leaf.pem, day()), Err(Distrust::Chain));
    // Sent along with the leaf it is not even looked at: authorities come from the configuration alone.
    let both = [leaf.pem.as_str(), bridge.pem.as_str()].concat();
    assert_eq!(genuine.trust.believes(&both, day()), Err(Distrust::Unreadable));
    assert!(Trust::new(&genuine.root.pem, &bridge.pem, true).is_err());
    // Another middle under the same root, which the account does not know.
    let sister = authority("CFCA OCA2").issued_by(&genuine.root);
    let leaf = wish(NAME).issued_by(&sister);
    assert_eq!(genuine.trust.believes(&leaf.pem, day()), Err(Distrust::Chain));
}

#[test]
fn the_root_and_leaves_issue_no_gateway_certificates() {
    let house = house();
    let under_root = wish(NAME).issued_by(&house.root);
    assert_eq!(house.trust.believes(&under_root.pem, day()), Err(Distrust::Chain));
    let leaf = wish(NAME).issued_by(&house.middle);
    let under_leaf = wish(NAME).issued_by(&leaf);
    assert_eq!(house.trust.believes(&under_leaf.pem, day()), Err(Distrust::Chain));
}

#[test]
fn whatever_of_the_chain_is_out_of_its_time_the_leaf_is_not_valid() {
    let chain = |root: (i32, i32), middle: (i32, i32), leaf: (i32, i32)| {
        let years = |wish: Wish<'static>, years| Wish { years, ..wish };
        let house = house_of(
            years(authority("CFCA CS CA"), root),
            years(authority("CFCA OCA1"), middle),
        );
        let leaf = years(wish(NAME), leaf).issued_by(&house.middle);
        house.trust.believes(&leaf.pem, day())
    };
    let (good, past, future) = ((2020, 2040), (2011, 2025), (2026, 2040));
    assert_eq!(chain(good, good, good), Ok(()));
    for bad in [past, future] {
        for (root, middle, leaf) in [(bad, good, good), (good, bad, good), (good, good, bad)] {
            assert_eq!(
                chain(root, middle, leaf),
                Err(Distrust::Expired),
                "{root:?} {middle:?} {leaf:?}"
            );
        }
    }
}

#[test]
fn certificates_of_other_kinds_are_not_read() {
    let house = house();
    let elliptic = Wish {
        algorithm: &PKCS_ECDSA_P256_SHA256,
        ..wish(NAME)
    };
    // Its issuer's signature is RSA; its own key is not.
    assert_eq!(
        house.trust.believes(&elliptic.issued_by(&house.middle).pem, day()),
        Err(Distrust::Unreadable)
    );
    assert_eq!(
        house.trust.believes(&elliptic.of_itself().pem, day()),
        Err(Distrust::Unreadable)
    );
    let mut two_names = wish(NAME).params();
    // A second common name, hidden where a careless reader takes the last one.
    two_names
        .distinguished_name
        .push(DnType::CustomDnType(vec![2, 5, 4, 3]), "041@Z12@x@1");
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let issuer = Issuer::from_params(&house.middle.params, &house.middle.key);
    let pem = two_names.signed_by(&key, &issuer).unwrap().pem();
    assert_ne!(house.trust.believes(&pem, day()), Ok(()));
    let mut extended = wish(NAME).params();
    extended
        .custom_extensions
        .push(CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]));
    let pem = extended.signed_by(&key, &issuer).unwrap().pem();
    assert_eq!(
        house.trust.believes(&pem, day()),
        Ok(()),
        "unknown extensions do not matter"
    );
    let sha512 = Wish {
        algorithm: &PKCS_RSA_SHA512,
        ..wish(NAME)
    };
    assert_eq!(
        house.trust.believes(&sha512.of_itself().pem, day()),
        Err(Distrust::Unreadable)
    );
}

#[test]
fn what_may_not_issue_is_no_authority() {
    let house = house();
    let no_authority = wish("CFCA OCA1").issued_by(&house.root);
    let no_signer = Wish {
        may_sign: false,
        ..authority("CFCA OCA1")
    }
    .issued_by(&house.root);
    for (roots, middles, field) in [
        (&house.root.pem, &no_authority.pem, "middle_certs_pem"),
        (&house.root.pem, &no_signer.pem, "middle_certs_pem"),
        (&no_authority.pem, &house.middle.pem, "root_certs_pem"),
        // Exchanged by a mistake of the hand.
        (&house.middle.pem, &house.root.pem, "middle_certs_pem"),
    ] {
        assert_eq!(Trust::new(roots, middles, true).err().unwrap().field, field);
    }
}

#[test]
fn authorities_of_a_test_environment_are_known_by_their_name() {
    assert_eq!(house().trust.of_test(), None);
    let middle = house_of(authority("CFCA CS CA"), authority("CFCA TEST OCA1"));
    assert_eq!(middle.trust.of_test(), Some(("middle_certs_pem", "CFCA TEST OCA1")));
    let root = house_of(authority("CFCA TEST CS CA"), authority("CFCA OCA1"));
    assert_eq!(root.trust.of_test(), Some(("root_certs_pem", "CFCA TEST CS CA")));
    assert_eq!(
        house_of(authority("CONTEST CA"), authority("CFCA OCA1"))
            .trust
            .of_test(),
        None
    );
}
