//! What the description of the interface says, against the tables of the interface.

use std::collections::BTreeSet;

use metropay_payment_api::till;
use metropay_web::openapi::with_refusals;
use serde_json::Value;

use crate::shop::PREFIX_PATH;

fn description() -> Value {
    let (_, description) = till::router().split_for_parts();
    serde_json::to_value(with_refusals(description)).unwrap()
}

/// Follows references until there is none.
fn resolved<'a>(document: &'a Value, mut value: &'a Value) -> &'a Value {
    while let Some(reference) = value["$ref"].as_str() {
        value = document.pointer(reference.trim_start_matches('#')).unwrap();
    }
    value
}

fn words(list: &Value) -> BTreeSet<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn content<'a>(document: &'a Value, holder: &'a Value) -> &'a Value {
    resolved(document, &holder["content"]["application/json"]["schema"])
}

/// An endpoint's fields: required ones of the request, others of it, and those of the answer.
type Fields = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

const ORDER: &[&str] = &[
    "pay_coupon_fee",
    "pay_date",
    "pay_err_desc",
    "pay_out_trade_no",
    "pay_status",
    "pay_time",
    "pay_type",
    "pay_type_trade_no",
    "total_fee",
    "uid",
];
const NUMBERS: &[&str] = &["out_request_no", "pay_out_trade_no"];

const ENDPOINTS: [Fields; 6] = [
    (
        "applypay",
        &["body", "out_request_no", "qrcode", "store_id", "total_fee"],
        &["extra_data"],
        ORDER,
    ),
    ("queryuid", &["qrcode"], &[], &["uid"]),
    ("orderquery", &[], NUMBERS, ORDER),
    ("reverse", &[], NUMBERS, &["recall", "reverse_date", "reverse_time"]),
    (
        "refund",
        &["out_refund_no", "refund_fee"],
        NUMBERS,
        &[
            "out_refund_no",
            "out_request_no",
            "pay_out_trade_no",
            "pay_refund_coupon_fee",
            "pay_refund_fee",
            "pay_refund_id",
            "pay_refund_status",
            "refund_date",
            "refund_time",
            "total_fee",
        ],
    ),
    ("bill", &["date"], &[], &["bill_infos", "date"]),
];

#[test]
fn the_six_endpoints_have_the_fields_of_the_interface() {
    let document = description();
    let paths: BTreeSet<&str> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .filter(|path| path.starts_with(PREFIX_PATH))
        .collect();
    let expected: Vec<String> = ENDPOINTS
        .iter()
        .map(|(name, ..)| format!("{PREFIX_PATH}{name}"))
        .collect();
    assert_eq!(paths, expected.iter().map(String::as_str).collect());
    for ((name, required, optional, answer), path) in ENDPOINTS.iter().zip(&expected) {
        let methods = document["paths"][path].as_object().unwrap();
        assert_eq!(methods.keys().collect::<Vec<_>>(), ["post"], "{name}");
        let post = &methods["post"];
        let request = content(&document, &post["requestBody"]);
        assert_eq!(
            words(&request["required"]),
            required.iter().copied().collect(),
            "{name}"
        );
        let fields: BTreeSet<&str> = request["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(fields, required.iter().chain(*optional).copied().collect(), "{name}");
        let envelope = content(&document, &post["responses"]["200"]);
        let data = resolved(&document, &envelope["properties"]["data"]);
        let fields: BTreeSet<&str> = data["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(fields, answer.iter().copied().collect(), "{name}");
    }
}

#[test]
fn every_endpoint_says_how_it_is_signed_and_what_it_refuses() {
    let document = description();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(
        paths.len(),
        ENDPOINTS.len() + 10,
        "those of tills and those of webhooks"
    );
    for (name, methods) in paths {
        let post = &methods["post"];
        assert_eq!(post["parameters"][0]["name"], "Authorization", "{name}");
        assert_eq!(post["parameters"][0]["in"], "header", "{name}");
        let statuses: Vec<&str> = post["responses"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        for status in ["200", "400", "401", "403", "413", "415", "429", "500", "503"] {
            assert!(statuses.contains(&status), "{name} {status}");
        }
        let spoken = |text: &Value| {
            let text = text.as_str().unwrap_or_default().to_owned();
            assert!(!text.is_ascii() && text.contains(char::is_alphabetic), "{name}: {text}");
        };
        spoken(&post["summary"]);
        spoken(&post["description"]);
    }
}
