//! Opening, closing and opening again.

use metropay_core::payment::PaymentState;
use metropay_core::payment::complete::complete;
use metropay_payment_api::app::token::TokenClaims;
use serde_json::{Value, json};

use super::gateway::Deducts;
use super::platform::{PHONE, Platform};

const ACCOUNT: &str = "/app/v1/code-account";

#[tokio::test]
async fn a_user_opens_closes_and_opens_the_code_again() {
    let platform = Platform::start().await;
    let anna = platform.app("anna");

    let before = anna.get(ACCOUNT).await.data();
    let never = json!({ "status": "NOT_OPENED", "phone_on_file": false, "opened_at": null, "closed_at": null });
    assert_eq!(before, never);
    assert_eq!(anna.delete(ACCOUNT).await.data(), never);
    assert_eq!(
        anna.post("/app/v1/codes", None).await.refusal(),
        (422, "CODE_NOT_OPENED".to_owned())
    );

    let opened = anna.post(ACCOUNT, Some(json!({ "phone": PHONE }))).await.data();
    assert_eq!(
        (&opened["status"], &opened["phone_on_file"]),
        (&"ACTIVE".into(), &true.into())
    );
    assert!(opened["opened_at"].as_str().unwrap().ends_with("+08:00"), "{opened}");
    assert_eq!(anna.get(ACCOUNT).await.data(), opened);

    let (code, digits) = anna.code().await;
    let closed = anna.delete(ACCOUNT).await.data();
    assert_eq!(closed["status"], "CLOSED");
    assert!(closed["closed_at"].is_string());
    assert_eq!(
        anna.get(&format!("/app/v1/codes/{code}")).await.data()["state"],
        "ENDED"
    );
    assert!(platform.scan(&digits, 600).await.is_err());
    assert_eq!(
        anna.post("/app/v1/codes", None).await.refusal(),
        (422, "CODE_NOT_OPENED".to_owned())
    );

    let again = anna.post(ACCOUNT, None).await.data();
    assert_eq!(
        (&again["status"], &again["closed_at"]),
        (&"ACTIVE".into(), &Value::Null)
    );
    anna.code().await;
}

#[tokio::test]
async fn without_a_verified_phone_the_code_opens_without_one() {
    let platform = Platform::start().await;
    let claims = TokenClaims {
        phone_number_verified: false,
        ..platform.claims("anna")
    };
    let anna = platform.app_with(&claims);
    assert_eq!(anna.post(ACCOUNT, Some(json!({}))).await.data()["phone_on_file"], false);
}

#[tokio::test]
async fn an_order_that_is_being_paid_ends_after_the_code_was_closed() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;
    let (code, digits) = anna.code().await;
    platform.gateway.books().deducts = Deducts::Waits;
    let payment = platform.scan(&digits, 600).await.unwrap();
    assert_eq!(payment.state, PaymentState::Paying);

    assert_eq!(anna.delete(ACCOUNT).await.data()["status"], "CLOSED");
    let path = format!("/app/v1/codes/{code}");
    assert_eq!(anna.get(&path).await.data()["state"], "PAYING");
    platform.gateway.take(&payment.pay_no, 600);
    complete(&platform.engine, &payment).await.unwrap();
    assert_eq!(anna.get(&path).await.data()["state"], "PAID");
}
