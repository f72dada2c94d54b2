//! The vectors of the merchant API, round trips of every algorithm, and what must be refused.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::problem::Code;
use crate::random::SystemRandom;
use crate::secret::Secret;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NONCE: &str = "4f1c2a9b7d3e48f0a1b2c3d4e5f60718";
const BODY: &str = r#"{"out_request_no":"SZTX001-20260801-000001","qrcode":"77112345678901234565","body":"矿泉水 2 瓶","total_fee":600,"store_id":"SZTX001"}"#;
const REQUEST: Request<'static> = Request {
    method: "POST",
    authority: "pay.example.com",
    target: "/metro/payment/v1/api/qrcode/applypay",
    body: BODY.as_bytes(),
};

static RSA: LazyLock<KeyPair> = LazyLock::new(|| rsa_pair(RsaSize::Bits2048).unwrap());
static EDWARDS: LazyLock<KeyPair> = LazyLock::new(|| ed25519_pair().unwrap());

/// What the client signs with and what the platform keeps, for an algorithm.
fn material(algorithm: Algorithm) -> (Secret, String) {
    match algorithm {
        Algorithm::HmacSha256 => (Secret::from(SECRET), SECRET.to_owned()),
        Algorithm::RsaSha256 | Algorithm::RsaPssSha256 => (RSA.private_pem.clone(), RSA.public_pem.clone()),
        Algorithm::Ed25519 => (EDWARDS.private_pem.clone(), EDWARDS.public_pem.clone()),
    }
}

fn keys(algorithm: Algorithm) -> (SigningKey, VerifyingKey) {
    let (private, public) = material(algorithm);
    (
        SigningKey::parse(algorithm, &private).unwrap(),
        VerifyingKey::parse(algorithm, &public).unwrap(),
    )
}

fn header(algorithm: Algorithm, signature: String) -> Authorization {
    Authorization {
        algorithm,
        mch_id: "1900000109".into(),
        serial: "K1".into(),
        timestamp: 1_785_542_400,
        nonce: NONCE.to_owned(),
        signature,
    }
}

fn refusal(result: Result<(), crate::problem::Problem>) -> Option<Code> {
    result.err().map(|problem| problem.code)
}

#[test]
fn the_request_of_the_design_has_its_signature() {
    let (signing, verifying) = keys(Algorithm::HmacSha256);
    assert_eq!(REQUEST.body.len(), 138);
    let text = REQUEST.text(1_785_542_400, NONCE);
    assert!(text.ends_with("\n20abe4792a5597108dafe37f9c50958a4a2912f178da2a4aa786593fd3e8a369\n"));
    let signature = signing.sign(text.as_bytes()).unwrap();
    assert_eq!(signature, "q9lmD8utQKct6Qc6gc9bEntsUpZ7DRa4bWUEsAfhVBU=");
    assert!(
        header(Algorithm::HmacSha256, signature)
            .verify(&verifying, &REQUEST)
            .is_ok()
    );
}

#[test]
fn the_answer_of_the_design_has_its_signature() {
    let body = r#"{"code":"OK","message":"成功","request_id":"req-1","data":{"pay_status":"PS_SUCCESS"}}"#;
    let answer = Answer {
        status: 200,
        timestamp: 1_785_542_401,
        nonce: NONCE,
        body: body.as_bytes(),
    };
    let text = answer.text();
    assert!(text.ends_with("\n54b1d791959c7dfa03d706003441ac40464a18eb8b52406002e9089cca057fe1\n"));
    let signature = keys(Algorithm::HmacSha256).0.sign(text.as_bytes()).unwrap();
    assert_eq!(signature, "Yo03GGh11N29inSbFhT8vTLAuxs2Kla/V1grx7suP7E=");
}

#[test]
fn every_algorithm_verifies_what_it_signed_and_nothing_else() {
    for algorithm in Algorithm::ALL {
        let (signing, verifying) = keys(algorithm);
        let signature = signing.sign(REQUEST.text(1_785_542_400, NONCE).as_bytes()).unwrap();
        let good = header(algorithm, signature);
        assert_eq!(refusal(good.verify(&verifying, &REQUEST)), None, "{algorithm}");
        let others = [
            Request {
                method: "PUT",
                ..REQUEST
            },
            Request {
                authority: "sandbox.example.com",
                ..REQUEST
            },
            Request {
                target: "/metro/payment/v1/api/qrcode/applypay?",
                ..REQUEST
            },
            Request { body: b"{}", ..REQUEST },
        ];
        for other in others {
            assert_eq!(
                refusal(good.verify(&verifying, &other)),
                Some(Code::SignInvalid),
                "{algorithm} {other:?}"
            );
        }
        let later = Authorization {
            timestamp: 1_785_542_401,
            ..good.clone()
        };
        assert_eq!(
            refusal(later.verify(&verifying, &REQUEST)),
            Some(Code::SignInvalid),
            "{algorithm}"
        );
        let again = Authorization {
            nonce: NONCE.replace('4', "5"),
            ..good.clone()
        };
        assert_eq!(
            refusal(again.verify(&verifying, &REQUEST)),
            Some(Code::SignInvalid),
            "{algorithm}"
        );
    }
}

#[test]
fn the_capitals_of_the_host_do_not_matter() {
    let (signing, verifying) = keys(Algorithm::Ed25519);
    let signature = signing.sign(REQUEST.text(1_785_542_400, NONCE).as_bytes()).unwrap();
    let capital = Request {
        authority: "PAY.example.com",
        ..REQUEST
    };
    assert!(
        header(Algorithm::Ed25519, signature)
            .verify(&verifying, &capital)
            .is_ok()
    );
}

#[test]
fn the_credentials_algorithm_decides_not_the_headers() {
    for real in Algorithm::ALL {
        let (signing, verifying) = keys(real);
        let text = REQUEST.text(1_785_542_400, NONCE);
        let signature = signing.sign(text.as_bytes()).unwrap();
        for claimed in Algorithm::ALL.into_iter().filter(|it| *it != real) {
            let result = verifying.verify(claimed, text.as_bytes(), &signature);
            assert_eq!(refusal(result), Some(Code::SignInvalid), "{real} claimed as {claimed}");
        }
    }
}

#[test]
fn a_public_key_is_no_shared_secret_and_a_secret_no_public_key() {
    // The classic confusion: an HMAC made with the platform's copy of the public key as the secret.
    let text = REQUEST.text(1_785_542_400, NONCE);
    let confused = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, RSA.public_pem.as_bytes());
    let forged = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        aws_lc_rs::hmac::sign(&confused, text.as_bytes()),
    );
    let (_, verifying) = keys(Algorithm::RsaSha256);
    for claimed in [Algorithm::HmacSha256, Algorithm::RsaSha256] {
        assert_eq!(
            refusal(verifying.verify(claimed, text.as_bytes(), &forged)),
            Some(Code::SignInvalid)
        );
    }
    assert_eq!(
        VerifyingKey::parse(Algorithm::HmacSha256, &RSA.public_pem).unwrap_err(),
        KeyRefused::Secret
    );
    assert_eq!(
        VerifyingKey::parse(Algorithm::RsaSha256, SECRET).unwrap_err(),
        KeyRefused::Pem
    );
    assert_eq!(
        VerifyingKey::parse(Algorithm::RsaSha256, &EDWARDS.public_pem).unwrap_err(),
        KeyRefused::Kind
    );
    assert_eq!(
        VerifyingKey::parse(Algorithm::Ed25519, &RSA.public_pem).unwrap_err(),
        KeyRefused::Kind
    );
    assert_eq!(
        SigningKey::parse(Algorithm::Ed25519, &RSA.private_pem).unwrap_err(),
        KeyRefused::Kind
    );
    assert_eq!(
        SigningKey::parse(Algorithm::RsaPssSha256, &EDWARDS.private_pem).unwrap_err(),
        KeyRefused::Kind
    );
}

#[test]
fn key_material_must_be_one_block_of_the_right_kind_and_size() {
    let public = &RSA.public_pem;
    let bad = [
        String::new(),
        "-----BEGIN PUBLIC KEY-----".to_owned(),
        format!("{public}{public}"),
        format!("trust me\n{public}"),
        format!("{public}trust me"),
        public.replace("PUBLIC KEY", "RSA PUBLIC KEY"),
        RSA.private_pem.expose().to_owned(),
    ];
    for material in bad {
        assert_eq!(
            VerifyingKey::parse(Algorithm::RsaSha256, &material).unwrap_err(),
            KeyRefused::Pem,
            "{material}"
        );
    }
    assert_eq!(
        SigningKey::parse(Algorithm::RsaSha256, &Secret::from(public.as_str())).unwrap_err(),
        KeyRefused::Pem
    );
    assert_eq!(
        VerifyingKey::parse(Algorithm::RsaPssSha256, RSA_1024).unwrap_err(),
        KeyRefused::Size
    );
    for secret in [
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef 123456789abcdef",
        "密密密密密密密密密密密",
        &"a".repeat(129),
    ] {
        assert_eq!(
            VerifyingKey::parse(Algorithm::HmacSha256, secret).unwrap_err(),
            KeyRefused::Secret,
            "{secret}"
        );
    }
}

#[test]
fn keys_do_not_show_themselves() {
    let (signing, verifying) = keys(Algorithm::HmacSha256);
    assert_eq!(
        format!("{signing:?} {verifying:?}"),
        "SigningKey(HMAC-SHA256) VerifyingKey(HMAC-SHA256)"
    );
    assert!(!format!("{:?}", *RSA).contains("PRIVATE"));
}

#[test]
fn new_keys_are_new_and_their_public_half_is_told() {
    for algorithm in [Algorithm::RsaSha256, Algorithm::Ed25519] {
        let (private, public) = material(algorithm);
        let signing = SigningKey::parse(algorithm, &private).unwrap();
        assert_eq!(signing.public_pem().unwrap(), Some(public));
    }
    let secret = hmac_secret(&SystemRandom);
    assert_eq!(secret.expose().len(), 32);
    assert_ne!(secret.expose(), hmac_secret(&SystemRandom).expose());
    assert_eq!(
        SigningKey::parse(Algorithm::HmacSha256, &secret)
            .unwrap()
            .public_pem()
            .unwrap(),
        None
    );
    assert_ne!(ed25519_pair().unwrap().public_pem, EDWARDS.public_pem);
}

#[test]
fn a_signature_must_be_base64_as_it_is_written_with_padding() {
    let (signing, verifying) = keys(Algorithm::HmacSha256);
    let text = b"text";
    let good = signing.sign(text).unwrap();
    assert!(good.ends_with('='));
    // The last letter before the padding carries two unused bits; other spellings of them are refused.
    let (head, tail) = good.trim_end_matches('=').split_at(42);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let next = alphabet.chars().nth(alphabet.find(tail).unwrap() + 1).unwrap();
    for bad in [
        good.trim_end_matches('=').to_owned(),
        format!("{good}="),
        format!("{good}\n"),
        format!("{head}{next}="),
        String::new(),
    ] {
        assert_eq!(
            refusal(verifying.verify(Algorithm::HmacSha256, text, &bad)),
            Some(Code::SignInvalid),
            "{bad}"
        );
    }
}

#[test]
fn a_salt_of_another_length_is_refused() {
    static LONG_SALT: aws_lc_rs::signature::RsaSignatureEncoding =
        aws_lc_rs::signature::RSA_PSS_SHA256.with_pss_salt_length(aws_lc_rs::signature::RsaPssSaltLength::Custom(64));
    let der = pem_contents(RSA.private_pem.expose(), "PRIVATE KEY").unwrap();
    let pair = aws_lc_rs::signature::RsaKeyPair::from_pkcs8(&der).unwrap();
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(
        &LONG_SALT,
        &aws_lc_rs::rand::SystemRandom::new(),
        b"text",
        &mut signature,
    )
    .unwrap();
    let signature = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, signature);
    let (_, verifying) = keys(Algorithm::RsaPssSha256);
    assert_eq!(
        refusal(verifying.verify(Algorithm::RsaPssSha256, b"text", &signature)),
        Some(Code::SignInvalid)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flip_of_any_bit_of_text_or_signature_is_refused(
        which in 0..Algorithm::ALL.len(),
        text in proptest::collection::vec(any::<u8>(), 1..200),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let algorithm = Algorithm::ALL[which];
        let (signing, verifying) = keys(algorithm);
        let signature = signing.sign(&text).unwrap();
        prop_assert!(verifying.verify(algorithm, &text, &signature).is_ok());

        let mut other = text.clone();
        other[at.index(text.len())] ^= 1 << bit;
        prop_assert!(verifying.verify(algorithm, &other, &signature).is_err());

        let engine = base64::engine::general_purpose::STANDARD;
        let mut bytes = base64::Engine::decode(&engine, &signature).unwrap();
        let place = at.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let forged = base64::Engine::encode(&engine, bytes);
        prop_assert!(verifying.verify(algorithm, &text, &forged).is_err());
    }
}

/// A public key that is too short.
const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDDNvwt2x8L/UNAwiJeOx4hm25U
ZA9iuxDnhu63qqFQcvGKhMl3tLREZ8xi0KhCnvZfYwyrXwuP/YF/aA64LxT9555D
k18FJfnNh1gSOqzDQ0P6J4YCsOKJxxBqS5qnjxPQgLm8MOraG6sw0gp5LN2qKPPX
ZArDa5+jc0xMFJQ4rwIDAQAB
-----END PUBLIC KEY-----
";
