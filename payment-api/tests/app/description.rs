//! The description of the App's API, and what holds for all of its paths.

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Method, Request};
use serde_json::Value;

use super::platform::Platform;

fn document() -> Value {
    let (_, document) = metropay_payment_api::router().split_for_parts();
    serde_json::to_value(metropay_web::openapi::with_refusals(document)).unwrap()
}

/// Method, path and description of every operation.
fn operations(document: &Value) -> Vec<(Method, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let ours = paths.iter().filter(|(path, _)| path.starts_with("/app/"));
    ours.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(|(method, operation)| (method.to_uppercase().parse().unwrap(), path.clone(), operation.clone()))
    })
    .collect()
}

#[test]
fn every_path_of_the_app_is_described_in_chinese_with_token_and_refusals() {
    let document = document();
    assert!(document["components"]["securitySchemes"]["app_token"].is_object());
    let operations = operations(&document);
    let known: BTreeSet<String> = operations
        .iter()
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    let expected = [
        "DELETE /app/v1/code-account",
        "DELETE /app/v1/mandates/{mandate_id}",
        "DELETE /app/v1/merchants/{mch_id}/membership",
        "GET /app/v1/code-account",
        "GET /app/v1/codes/{code_id}",
        "GET /app/v1/events",
        "GET /app/v1/events/poll",
        "GET /app/v1/mandates",
        "GET /app/v1/mandates/{mandate_id}",
        "GET /app/v1/memberships",
        "GET /app/v1/merchants/{mch_id}/channels",
        "GET /app/v1/merchants/{mch_id}/membership",
        "GET /app/v1/records",
        "GET /app/v1/records/{pay_out_trade_no}",
        "GET /app/v1/records/{pay_out_trade_no}/barcode.svg",
        "POST /app/v1/code-account",
        "POST /app/v1/codes",
        "POST /app/v1/devices/revoke",
        "POST /app/v1/mandates",
        "POST /app/v1/phone/code",
        "PUT /app/v1/merchants/{mch_id}/membership",
        "PUT /app/v1/merchants/{mch_id}/preferred-channel",
        "PUT /app/v1/phone",
    ];
    assert_eq!(known, expected.map(str::to_owned).into());
    for (method, path, operation) in operations {
        let summary = operation["summary"].as_str().unwrap();
        assert!(
            summary.starts_with(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)),
            "{method} {path}: {summary}"
        );
        assert!(operation["security"][0]["app_token"].is_array(), "{method} {path}");
        for status in ["200", "401", "429", "500"] {
            assert!(operation["responses"][status].is_object(), "{method} {path} {status}");
        }
    }
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50, "{}", found.len());
    for reference in found {
        assert!(
            document.pointer(reference.trim_start_matches('#')).is_some(),
            "{reference}"
        );
    }
}

#[tokio::test]
async fn no_path_of_the_app_answers_anybody_without_a_token() {
    let platform = Platform::start().await;
    for (method, path, _) in operations(&document()) {
        let path = path.replace(['{', '}'], "");
        let request = Request::builder().method(method.clone()).uri(&path).body(Body::empty());
        let reply = platform.send(request.unwrap()).await;
        assert_eq!(reply.refusal(), (401, "TOKEN_MISSING".to_owned()), "{method} {path}");
        assert_eq!(reply.header("cache-control"), "no-store", "{method} {path}");
    }
}
