//! Who asks, on which device.

use axum::body::Body;
use http::Request;
use metropay_core::clock::Clock;
use metropay_payment_api::app::token::TokenClaims;

use super::phone::Phone;
use super::platform::{PUBLIC_URL, Platform, Wishes, text};

const PATH: &str = "/app/v1/code-account";

#[tokio::test]
async fn a_token_bound_to_a_device_counts_with_its_proof_only() {
    let platform = Platform::start().await;
    let anna = platform.app_on("anna", Phone::new());
    assert_eq!(anna.get(PATH).await.status, 200);
    assert_eq!(
        anna.get("/app/v1/records?limit=5").await.status,
        200,
        "the query is no part of the address"
    );

    let stolen = platform.app_with(&TokenClaims {
        jkt: Some(Phone::new().thumbprint()),
        ..platform.claims("anna")
    });
    assert_eq!(
        stolen.get(PATH).await.refusal(),
        (401, "DEVICE_PROOF_MISSING".to_owned())
    );
    let mut stolen = stolen;
    stolen.phone = Some(Phone::new());
    assert_eq!(
        stolen.get(PATH).await.refusal(),
        (401, "DEVICE_PROOF_INVALID".to_owned())
    );
}

#[tokio::test]
async fn a_proof_is_good_for_one_request() {
    let platform = Platform::start().await;
    let phone = Phone::new();
    let claims = TokenClaims {
        jkt: Some(phone.thumbprint()),
        ..platform.claims("anna")
    };
    let token = platform.issue(&claims);
    let proof = phone.prove("GET", &format!("{PUBLIC_URL}{PATH}"), &token, platform.clock.now());
    let ask = |method: &str, path: &str, host: &str| {
        let request = Request::builder().method(method).uri(path).header("host", host);
        let request = request
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", &proof);
        platform.send(request.body(Body::empty()).unwrap())
    };
    assert_eq!(
        ask("DELETE", PATH, "pay.example.com").await.refusal().1,
        "DEVICE_PROOF_INVALID"
    );
    assert_eq!(
        ask("GET", "/app/v1/mandates", "pay.example.com").await.refusal().1,
        "DEVICE_PROOF_INVALID"
    );
    assert_eq!(ask("GET", PATH, "pay.example.com").await.status, 200);
    assert_eq!(
        ask("GET", PATH, "pay.example.com").await.refusal(),
        (401, "DEVICE_PROOF_REPLAYED".to_owned())
    );
}

#[tokio::test]
async fn a_proof_for_another_host_does_not_count_whatever_host_the_request_names() {
    let platform = Platform::start().await;
    let phone = Phone::new();
    let token = platform.issue(&TokenClaims {
        jkt: Some(phone.thumbprint()),
        ..platform.claims("anna")
    });
    let proof = phone.prove(
        "GET",
        &format!("https://thief.example{PATH}"),
        &token,
        platform.clock.now(),
    );
    let request = Request::get(PATH)
        .header("host", "thief.example")
        .header("authorization", format!("Bearer {token}"))
        .header("dpop", proof);
    let reply = platform.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.refusal(), (401, "DEVICE_PROOF_INVALID".to_owned()));
}

#[tokio::test]
async fn a_platform_that_asks_for_proofs_takes_no_token_without_a_device() {
    let wishes = Wishes {
        require_device_proof: true,
        ..Wishes::default()
    };
    let platform = Platform::start_with(wishes).await;
    assert_eq!(platform.app_on("anna", Phone::new()).get(PATH).await.status, 200);
    let mut unbound = platform.app("anna");
    assert_eq!(
        unbound.get(PATH).await.refusal(),
        (401, "DEVICE_PROOF_MISSING".to_owned())
    );
    unbound.phone = Some(Phone::new());
    let refused = unbound.get(PATH).await;
    assert_eq!(refused.refusal(), (401, "TOKEN_INVALID".to_owned()));
    assert!(text(&refused.json()["rule"]).contains("cnf.jkt"));
}

#[tokio::test]
async fn revoking_ends_the_token_the_device_and_the_codes() {
    let platform = Platform::start().await;
    let phone = Phone::new();
    let jkt = phone.thumbprint();
    let anna = platform.app_on("anna", phone).open().await;
    let (code, _) = anna.code().await;
    assert_eq!(anna.post("/app/v1/devices/revoke", None).await.data()["device"], true);
    assert_eq!(anna.get(PATH).await.refusal(), (401, "TOKEN_REVOKED".to_owned()));

    // A new token for the same device does not help; one for another does.
    let same_device = platform.app_with(&TokenClaims {
        jkt: Some(jkt),
        ..platform.claims("anna")
    });
    assert_eq!(same_device.get(PATH).await.refusal(), (401, "TOKEN_REVOKED".to_owned()));
    let anna = platform.app_on("anna", Phone::new());
    let standing = anna.get(&format!("/app/v1/codes/{code}")).await.data();
    assert_eq!(standing["state"], "ENDED");
}

#[tokio::test]
async fn an_unbound_token_is_revoked_alone() {
    let platform = Platform::start().await;
    let (anna, other) = (platform.app("anna"), platform.app("anna"));
    assert_eq!(anna.post("/app/v1/devices/revoke", None).await.data()["device"], false);
    assert_eq!(anna.get(PATH).await.refusal(), (401, "TOKEN_REVOKED".to_owned()));
    assert_eq!(other.get(PATH).await.status, 200);
}
