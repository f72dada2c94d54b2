use super::*;

macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!("../../tests/vectors/certificates/", $name, ".pem"))
    };
}

impl Trust {
    pub(super) fn believes(&self, pem: &str, now: Time) -> Result<(), Distrust> {
        self.genuine(pem, now).map(|_| ())
    }
}

fn trust(check_cn: bool) -> Trust {
    Trust::new(pem!("root"), pem!("middle"), check_cn).unwrap()
}

fn day(text: &str) -> Time {
    Time::parse_china(&format!("{text}120000"), "%Y%m%d%H%M%S").unwrap()
}

#[test]
fn unionpays_certificate_is_believed_and_its_test_certificate_only_where_that_is_set() {
    let now = day("20250301");
    assert!(trust(true).believes(pem!("gateway_prod"), now).is_ok());
    assert!(trust(false).believes(pem!("gateway_prod"), now).is_ok());
    assert!(trust(false).believes(pem!("gateway_test"), now).is_ok());
    assert_eq!(trust(true).believes(pem!("gateway_test"), now), Err(Distrust::Name));
}

#[test]
fn a_merchants_certificate_of_the_same_authority_is_not_unionpays() {
    for check_cn in [true, false] {
        assert_eq!(
            trust(check_cn).believes(pem!("merchant"), day("20250301")),
            Err(Distrust::Name)
        );
    }
}

#[test]
fn validity_is_checked_again_when_the_certificate_is_known_already() {
    let trust = trust(true);
    assert_eq!(
        trust.believes(pem!("gateway_prod"), day("20191230")),
        Err(Distrust::Expired)
    );
    assert!(trust.believes(pem!("gateway_prod"), day("20250301")).is_ok());
    assert_eq!(trust.kept().len(), 1);
    assert!(trust.believes(pem!("gateway_prod"), day("20260301")).is_ok());
    assert_eq!(
        trust.believes(pem!("gateway_prod"), day("20500102")),
        Err(Distrust::Expired)
    );
    assert_eq!(trust.kept().len(), 1);
}

#[test]
fn the_same_names_under_another_root_are_worth_nothing() {
    let (now, trust) = (day("20270101"), trust(true));
    let foreign = Certificate::read_all(pem!("other_gateway")).unwrap();
    let own = Certificate::read_all(pem!("middle")).unwrap();
    assert_eq!(foreign[0].issuer, own[0].subject, "only the signature tells them apart");
    assert_eq!(trust.believes(pem!("other_gateway"), now), Err(Distrust::Chain));
    assert!(trust.kept().is_empty());
    let other = Trust::new(pem!("other_root"), pem!("other_middle"), true).unwrap();
    assert!(other.believes(pem!("other_gateway"), now).is_ok());
    assert_eq!(other.believes(pem!("gateway_prod"), now), Err(Distrust::Chain));
}

#[test]
fn what_is_no_authority_cannot_issue() {
    assert_eq!(
        trust(true).believes(pem!("issued_by_merchant"), day("20270101")),
        Err(Distrust::Chain)
    );
    let error = Trust::new(pem!("root"), pem!("merchant"), true).err().unwrap();
    assert_eq!(error.field, "middle_certs_pem");
}

#[test]
fn older_hierarchies_with_sha1_are_verified_all_the_same() {
    let legacy = Trust::new(pem!("legacy_root"), pem!("legacy_middle"), true).unwrap();
    assert!(legacy.believes(pem!("legacy_gateway"), day("20270101")).is_ok());
    assert_eq!(
        trust(true).believes(pem!("legacy_gateway"), day("20270101")),
        Err(Distrust::Chain)
    );
    let both = Trust::new(
        &[pem!("root"), pem!("legacy_root")].concat(),
        &[pem!("legacy_middle"), pem!("middle")].concat(),
        true,
    )
    .unwrap();
    assert!(both.believes(pem!("legacy_gateway"), day("20270101")).is_ok());
    assert!(both.believes(pem!("gateway_prod"), day("20270101")).is_ok());
}

#[test]
fn two_certificates_none_and_rubbish_are_unreadable() {
    let two = [pem!("gateway_prod"), pem!("gateway_prod")].concat();
    let cut = pem!("gateway_prod").replace("MIIDnj", "MIIDnz");
    for text in [
        "",
        "rubbish",
        &two,
        &cut,
        include_str!("../../tests/vectors/certificates/gateway.key"),
    ] {
        assert_eq!(trust(true).believes(text, day("20250301")), Err(Distrust::Unreadable));
    }
}

#[test]
fn authorities_that_do_not_fit_are_refused_by_field() {
    for (roots, middles, field) in [
        ("", pem!("middle"), "root_certs_pem"),
        ("rubbish", pem!("middle"), "root_certs_pem"),
        (pem!("root"), "", "middle_certs_pem"),
        (pem!("root"), pem!("legacy_middle"), "middle_certs_pem"),
        (pem!("root"), pem!("other_middle"), "middle_certs_pem"),
    ] {
        assert_eq!(Trust::new(roots, middles, true).err().unwrap().field, field);
    }
}
