//! What the script makes of an answer or notification, and how it is signed.

use metropay_channel_kit::Fault;
use serde_json::{Value, json};

use super::Desk;

/// The things of which a message tells.
const THINGS: [&str; 3] = ["order", "refund", "contract"];

/// Makes a message tell of something else; it is signed as it then stands.
pub(crate) fn twist(said: &mut Value, faults: &[Fault]) {
    for fault in faults {
        match fault {
            Fault::OtherMerchant => said["merchant_no"] = json!("9000000000000000"),
            Fault::OtherOrder(no) => replace(said, "no", &json!(no)),
            Fault::OtherAmount(amount) => replace(said, "amount_fen", &json!(amount.get())),
            Fault::OtherCurrency => replace(said, "currency", &json!("USD")),
            _ => {}
        }
    }
}

fn replace(said: &mut Value, field: &str, value: &Value) {
    for thing in THINGS {
        if let Some(told) = said.get_mut(thing).and_then(|thing| thing.get_mut(field)) {
            *told = value.clone();
        }
    }
}

/// A message's headers.
pub(crate) fn headers(
    desk: &Desk,
    merchant_no: &str,
    (what, place): (&str, &str),
    nonce: &str,
    body: &str,
    faults: &[Fault],
) -> Vec<(String, String)> {
    let time = desk.stub.now().0.to_string();
    let text = format!("ECNY-{what}\n{place}\n{time}\n{nonce}\n{body}");
    let wrong = faults.contains(&Fault::WrongSignature);
    let signature = desk.accounts.sign(merchant_no, text.as_bytes(), wrong);
    let mut headers = vec![
        ("content-type", "application/json; charset=utf-8".to_owned()),
        ("x-ecny-timestamp", time),
        ("x-ecny-nonce", nonce.to_owned()),
        ("x-ecny-signature", signature),
    ];
    if faults.contains(&Fault::NoSignature) {
        headers.pop();
    }
    headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
