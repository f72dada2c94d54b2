//! The glue to OpenAPI: refusals as documented answers, and the two pages that show a description — the document itself
//! and a reader for it.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use metropay_core::problem::{Code, Problem};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::{Components, ContentBuilder, OpenApi, Ref, RefOr, Response};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use crate::answer::{Refusal, status};
use crate::language::Language;
use crate::text;

/// What an endpoint may refuse with, in groups, so that what all endpoints share is written once.
///
/// ```
/// use metropay_core::problem::Code;
/// use metropay_web::openapi::{Refused, Refuses};
///
/// const SIGNED: &[Code] = &[Code::SignMissing, Code::SignInvalid];
///
/// struct OrderQuery;
/// impl Refuses for OrderQuery {
///     const CODES: &'static [&'static [Code]] = &[SIGNED, &[Code::OrderNotFound]];
/// }
///
/// #[utoipa::path(post, path = "/orderquery", responses((status = 200, body = String), Refused::<OrderQuery>))]
/// async fn order_query() {}
/// ```
pub trait Refuses {
    /// The codes.
    const CODES: &'static [&'static [Code]];
}

/// The documented refusals of an endpoint; stands in `responses(…)` beside the success.
#[derive(Debug)]
pub struct Refused<E>(PhantomData<E>);

impl<E: Refuses> IntoResponses for Refused<E> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals(E::CODES)
    }
}

/// The answers to document for these codes: one for each HTTP status, with an example for each code.
pub fn refusals(groups: &[&[Code]]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in groups.iter().copied().flatten() {
        let codes = by_status.entry(status(code.kind()).as_u16()).or_default();
        if !codes.contains(code) {
            codes.push(*code);
        }
    }
    let documented = |(status, codes): (u16, Vec<Code>)| (status.to_string(), RefOr::T(response(&codes)));
    by_status.into_iter().map(documented).collect()
}

fn response(codes: &[Code]) -> Response {
    const EXAMPLE_ID: &str = "019881f0-5d5b-7c61-9d3f-0b7f3f0c1d2e";
    let examples = codes.iter().map(|code| {
        let refusal = Refusal::new(Problem::new(*code), EXAMPLE_ID, Language::Chinese);
        let value = serde_json::to_value(refusal).ok();
        let english = text::message(*code, Language::English);
        (
            code.word(),
            ExampleBuilder::new()
                .summary(text::message(*code, Language::Chinese))
                .description(english)
                .value(value)
                .build(),
        )
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(Refusal::name())))
        .examples_from_iter(examples)
        .build();
    let words: Vec<_> = codes.iter().map(|code| code.word()).collect();
    ResponseBuilder::new()
        .description(words.join(" · "))
        .content("application/json", content)
        .build()
}

/// Adds to a description what the documented refusals refer to.
pub fn with_refusals(mut description: OpenApi) -> OpenApi {
    let components = description.components.get_or_insert_with(Components::new);
    components
        .schemas
        .insert(Refusal::name().into_owned(), Refusal::schema());
    description
}

/// Two pages: `/openapi.json`, the description, and `/docs`, a reader for it that needs nothing from elsewhere. They are
/// found relative to each other, so that both may be nested.
///
/// # Errors
/// When the description cannot be written as JSON.
pub fn pages(description: OpenApi) -> Result<Router, serde_json::Error> {
    const READER: &str = include_str!("reader.html");
    /// The page runs its own script and speaks to its own host, nothing else.
    const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
                          base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let document = Bytes::from(with_refusals(description).to_json()?);
    let document = move || async move { ([(CONTENT_TYPE, "application/json")], document).into_response() };
    let reader = || async {
        (
            [
                (CONTENT_TYPE, "text/html; charset=utf-8"),
                (CONTENT_SECURITY_POLICY, POLICY),
            ],
            READER,
        )
            .into_response()
    };
    Ok(Router::new()
        .route("/openapi.json", get(document))
        .route("/docs", get(reader)))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde::Serialize;
    use serde_json::Value;
    use tower::ServiceExt;
    use utoipa::OpenApi as _;

    use super::*;
    use crate::answer::Envelope;

    #[derive(Serialize, ToSchema)]
    struct Paid {
        /// 支付状态
        pay_status: String,
    }

    struct Pay;
    impl Refuses for Pay {
        const CODES: &'static [&'static [Code]] = &[
            &[Code::SignInvalid, Code::NonceReplayed],
            &[Code::NeedMandate, Code::SignInvalid],
        ];
    }

    #[utoipa::path(post, path = "/pay", tag = "收款", responses((status = 200, body = Envelope<Paid>), Refused::<Pay>))]
    #[expect(dead_code, reason = "only its description is wanted")]
    async fn pay() {}

    #[derive(utoipa::OpenApi)]
    #[openapi(paths(pay))]
    struct Description;

    async fn fetched(path: &str) -> (http::HeaderMap, Bytes) {
        let router = Router::new().nest("/v1", pages(Description::openapi()).unwrap());
        let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let (parts, body) = response.into_parts();
        (parts.headers, body.collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn a_description_has_the_envelope_and_an_example_of_every_refusal() {
        let (_, body) = fetched("/v1/openapi.json").await;
        let document: Value = serde_json::from_slice(&body).unwrap();
        let responses = &document["paths"]["/pay"]["post"]["responses"];
        assert_eq!(
            responses.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["200", "401", "422"]
        );

        let refused = &responses["401"]["content"]["application/json"];
        assert_eq!(refused["schema"]["$ref"], "#/components/schemas/Refusal");
        let examples = refused["examples"].as_object().unwrap();
        assert_eq!(examples.keys().collect::<Vec<_>>(), ["NONCE_REPLAYED", "SIGN_INVALID"]);
        assert_eq!(examples["SIGN_INVALID"]["value"]["code"], "SIGN_INVALID");
        assert_eq!(
            examples["SIGN_INVALID"]["value"]["message"],
            text::message(Code::SignInvalid, Language::Chinese)
        );

        let envelope = responses["200"]["content"]["application/json"]["schema"]["$ref"]
            .as_str()
            .unwrap();
        let name = envelope.strip_prefix("#/components/schemas/").unwrap();
        let schemas = &document["components"]["schemas"];
        let fields = schemas[name]["properties"].as_object().unwrap();
        assert_eq!(
            fields.keys().collect::<Vec<_>>(),
            ["code", "data", "message", "request_id"]
        );
        let fields = schemas["Refusal"]["properties"].as_object().unwrap();
        assert_eq!(
            fields.keys().collect::<Vec<_>>(),
            ["code", "field", "message", "request_id", "rule"]
        );
    }

    #[tokio::test]
    async fn every_reference_of_a_description_leads_somewhere() {
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
        let (_, body) = fetched("/v1/openapi.json").await;
        let document: Value = serde_json::from_slice(&body).unwrap();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() >= 3, "{found:?}");
        for reference in found {
            assert!(
                document.pointer(reference.trim_start_matches('#')).is_some(),
                "{reference}"
            );
        }
    }

    #[tokio::test]
    async fn the_reader_needs_nothing_from_elsewhere() {
        let (headers, body) = fetched("/v1/docs").await;
        let page = std::str::from_utf8(&body).unwrap();
        assert!(
            headers[CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap()
                .starts_with("default-src 'none'")
        );
        for foreign in ["http://", "https://", "src=", "@import", "innerHTML", "eval("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        assert!(page.contains(r#"lang="zh-CN""#) && page.contains("fetch('openapi.json')"));
    }

    #[test]
    fn the_document_of_all_codes_names_each_once() {
        let responses = refusals(&[Code::ALL, Code::ALL]);
        let count: usize = responses
            .values()
            .map(|response| match response {
                RefOr::T(response) => response.description.split(" · ").count(),
                RefOr::Ref(_) => 0,
            })
            .sum();
        assert_eq!(count, Code::ALL.len());
    }
}
