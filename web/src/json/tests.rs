use http::HeaderValue;
use metropay_core::money::Fen;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Channel {
    Wechat,
    Alipay,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Item {
    name: String,
    #[serde(default)]
    count: u32,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Order {
    out_request_no: String,
    total_fee: Fen,
    channel: Option<Channel>,
    note: Option<String>,
    items: Option<Vec<Item>>,
    main: Option<Item>,
    shift: Option<i64>,
    express: Option<bool>,
    extra: Option<serde_json::Value>,
}

fn headers(content_type: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in content_type {
        headers.append(CONTENT_TYPE, value.parse().unwrap());
    }
    headers
}

fn order(body: impl Into<Bytes>) -> Result<Order, Problem> {
    read_json(&headers(&["application/json"]), &body.into())
}

#[test]
fn a_body_is_read_as_it_is_written() {
    let body = r#"{"out_request_no":"A-1","total_fee":600,"channel":"wechat","note":"","items":[{"name":"矿泉水 \ud83d\ude00","count":2}],"extra":{"a":[1,-2,3.5,""]},"shift":-1,"express":true}"#;
    let read = order(body).unwrap();
    let expected = Order {
        out_request_no: "A-1".into(),
        total_fee: Fen::new(600).unwrap(),
        channel: Some(Channel::Wechat),
        note: Some(String::new()),
        items: Some(vec![Item {
            name: "矿泉水 😀".into(),
            count: 2,
        }]),
        main: None,
        shift: Some(-1),
        express: Some(true),
        extra: Some(json!({ "a": [1, -2, 3.5, ""] })),
    };
    assert_eq!(read, expected);
}

#[test]
fn what_is_not_one_plain_json_object_is_json_invalid_with_its_place() {
    let good = r#"{"out_request_no":"A","total_fee":1}"#;
    let nested = |depth: usize| format!(r#"{{"extra":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let cases: Vec<(Vec<u8>, &str, u64)> = vec![
        (b"".to_vec(), rule::JSON, 1),
        (b"null".to_vec(), rule::OBJECT_AT_TOP, 1),
        (b"[]".to_vec(), rule::OBJECT_AT_TOP, 1),
        (b"\"text\"".to_vec(), rule::OBJECT_AT_TOP, 1),
        (b"{\n\"out_request_no\":}".to_vec(), rule::JSON, 2),
        (b"{\"out_request_no\":'A'}".to_vec(), rule::JSON, 1),
        (b"{\"total_fee\":NaN}".to_vec(), rule::JSON, 1),
        (b"{\"total_fee\":Infinity}".to_vec(), rule::JSON, 1),
        (b"{\"total_fee\":01}".to_vec(), rule::JSON, 1),
        (b"{\"total_fee\":1,}".to_vec(), rule::JSON, 1),
        (b"{\"total_fee\":1 // fen\n}".to_vec(), rule::JSON, 1),
        (b"{\"note\":\"\\ud800\"}".to_vec(), rule::JSON, 1),
        (b"{\"note\":\"\\udc00\\ud800\"}".to_vec(), rule::JSON, 1),
        (b"{\"note\":\"\x01\"}".to_vec(), rule::JSON, 1),
        (b"\xef\xbb\xbf{}".to_vec(), rule::JSON, 1),
        (b"{\n\n\"note\":\"\xff\"}".to_vec(), rule::UTF8, 3),
        (b"{\"note\":\"\xed\xa0\x80\"}".to_vec(), rule::UTF8, 1),
        (format!("{good}x").into(), rule::NOTHING_AFTER, 1),
        (format!("{good}\n{good}").into(), rule::NOTHING_AFTER, 2),
        (format!("{good}\0").into(), rule::NOTHING_AFTER, 1),
        (br#"{"total_fee":1,"total_fee":2}"#.to_vec(), rule::NO_DUPLICATE_KEY, 1),
        (
            br#"{"total_fee":1,"total_\u0066ee":2}"#.to_vec(),
            rule::NO_DUPLICATE_KEY,
            1,
        ),
        (
            br#"{"extra":[{"a":{"b":1,"b":1}}]}"#.to_vec(),
            rule::NO_DUPLICATE_KEY,
            1,
        ),
        (nested(16).into(), rule::DEPTH, 1),
        (nested(10_000).into(), rule::DEPTH, 1),
    ];
    for (body, rule, line) in cases {
        let problem = order(body.clone()).unwrap_err();
        let shown = String::from_utf8_lossy(&body);
        assert_eq!((problem.code, problem.rule), (Code::JsonInvalid, Some(rule)), "{shown}");
        assert_eq!(problem.facts["line"], line, "{shown}");
        assert!(problem.facts["column"].is_u64(), "{shown}");
    }
    assert_eq!(order(nested(15)).unwrap_err().code, Code::ParamMissing);
}

#[test]
fn a_field_that_is_missing_null_or_empty_is_named() {
    let cases = [
        (r#"{}"#, "out_request_no"),
        (r#"{"out_request_no":null,"total_fee":1}"#, "out_request_no"),
        (r#"{"out_request_no":"","total_fee":1}"#, "out_request_no"),
        (r#"{"out_request_no":"A"}"#, "total_fee"),
        (r#"{"out_request_no":"A","total_fee":null}"#, "total_fee"),
        (r#"{"out_request_no":"A","total_fee":1,"channel":""}"#, "channel"),
        (
            r#"{"out_request_no":"A","total_fee":1,"items":[{"name":"a"},{}]}"#,
            "items[1].name",
        ),
        (
            r#"{"out_request_no":"A","total_fee":1,"items":[{"name":""}]}"#,
            "items[0].name",
        ),
        (r#"{"out_request_no":"A","total_fee":1,"items":[null]}"#, "items[0]"),
        (
            r#"{"out_request_no":"A","total_fee":1,"main":{"name":""}}"#,
            "main.name",
        ),
    ];
    for (body, field) in cases {
        let problem = order(body).unwrap_err();
        assert_eq!(
            (problem.code, problem.field.as_deref()),
            (Code::ParamMissing, Some(field)),
            "{body}"
        );
    }
}

#[test]
fn amounts_are_plain_integers_within_what_every_reader_reads_alike() {
    let bad = [
        "-1",
        "-0",
        "1.0",
        "0.5",
        "1e3",
        "1E0",
        "\"100\"",
        "9007199254740992",
        "9007199254740993",
        "18446744073709551615",
        "18446744073709551616",
        "true",
        "[]",
        "{}",
        "\"\"",
    ];
    for number in bad {
        let problem = order(format!(r#"{{"out_request_no":"A","total_fee":{number}}}"#)).unwrap_err();
        let found = (problem.code, problem.field.as_deref(), problem.rule);
        assert_eq!(
            found,
            (Code::ParamInvalid, Some("total_fee"), Some(rule::INTEGER)),
            "{number}"
        );
    }
    for number in ["0", "1", "9007199254740991"] {
        let read = order(format!(r#"{{"out_request_no":"A","total_fee":{number}}}"#)).unwrap();
        assert_eq!(read.total_fee.get().to_string(), number);
    }
}

#[test]
fn a_value_that_breaks_a_rule_is_named_with_it() {
    let cases = [
        (r#""out_request_no":7"#, "out_request_no", rule::TEXT),
        (r#""out_request_no":["A"]"#, "out_request_no", rule::TEXT),
        (r#""channel":"cash""#, "channel", rule::ONE_OF),
        (r#""channel":1"#, "channel", rule::TEXT),
        (r#""channel":{"wechat":1}"#, "channel.wechat", rule::TEXT),
        (r#""note":1"#, "note", rule::TEXT),
        (r#""items":{}"#, "items", rule::LIST),
        (r#""items":[1]"#, "items[0]", rule::OBJECT),
        (
            r#""items":[{"name":"a","count":4294967296}]"#,
            "items[0].count",
            rule::INTEGER,
        ),
        (r#""main":"a""#, "main", rule::OBJECT),
        (r#""express":"true""#, "express", rule::TRUTH),
        (r#""express":1"#, "express", rule::TRUTH),
        (r#""shift":1.5"#, "shift", rule::SIGNED),
        (r#""shift":-9007199254740992"#, "shift", rule::SIGNED),
        (r#""extra":{"deep":9007199254740992}"#, "extra.deep", rule::INTEGER),
        (r#""role":"admin""#, "role", rule::NO_SUCH_FIELD),
        (
            r#""items":[{"name":"a","price":1}]"#,
            "items[0].price",
            rule::NO_SUCH_FIELD,
        ),
        (r#""a\u202eb\n":1"#, "a?b?", rule::NO_SUCH_FIELD),
    ];
    for (field, name, rule) in cases {
        let rest = if field.starts_with(r#""out_request_no""#) {
            ""
        } else {
            r#","out_request_no":"A""#
        };
        let body = format!(r#"{{{field}{rest},"total_fee":1}}"#);
        let problem = order(body.clone()).unwrap_err();
        let found = (problem.code, problem.field.as_deref(), problem.rule);
        assert_eq!(found, (Code::ParamInvalid, Some(name), Some(rule)), "{body}");
    }
    let problem = order(r#"{"out_request_no":"A","total_fee":1,"channel":"cash"}"#).unwrap_err();
    assert_eq!(problem.facts["one_of"], json!(["wechat", "alipay"]));
}

#[test]
fn an_unknown_field_is_named_once_by_types_that_deny_it_themselves() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[expect(dead_code, reason = "only its refusals are wanted")]
        part: Option<Box<Strict>>,
    }
    let cases = [
        (r#"{"role":1}"#, "role"),
        (r#"{"part":{"role":1}}"#, "part.role"),
        (r#"{"part":{"part":{"parts":1}}}"#, "part.part.parts"),
    ];
    for (body, name) in cases {
        let body = Bytes::from_static(body.as_bytes());
        let problem = read_json::<Strict>(&headers(&["application/json"]), &body).unwrap_err();
        let found = (problem.field.as_deref(), problem.rule);
        assert_eq!(found, (Some(name), Some(rule::NO_SUCH_FIELD)), "{body:?}");
    }
}

#[test]
fn only_plain_json_of_a_bounded_size_is_read() {
    let body = Bytes::from_static(br#"{"out_request_no":"A","total_fee":1}"#);
    let read = |headers: &HeaderMap, body: &Bytes| read_json::<Order>(headers, body).map_err(|problem| problem.code);
    for good in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
    ] {
        assert!(read(&headers(&[good]), &body).is_ok(), "{good}");
    }
    let bad: [&[&str]; 8] = [
        &[],
        &["text/json"],
        &["application/json; charset=gbk"],
        &["application/jsonp"],
        &["application/json, text/plain"],
        &["application/json; charset=utf-8; x=y"],
        &["application/json", "application/json"],
        &["application/x-www-form-urlencoded"],
    ];
    for types in bad {
        assert_eq!(
            read(&headers(types), &body),
            Err(Code::ContentTypeUnsupported),
            "{types:?}"
        );
    }
    for encoding in ["gzip", "identity", ""] {
        let mut encoded = headers(&["application/json"]);
        encoded.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        assert_eq!(read(&encoded, &body), Err(Code::ContentTypeUnsupported), "{encoding}");
    }
    let padded = |length: usize| {
        Bytes::from(format!(
            "{}{}",
            String::from_utf8_lossy(&body),
            " ".repeat(length - body.len())
        ))
    };
    let plain = headers(&["application/json"]);
    assert!(read(&plain, &padded(REQUEST_BODY_MAX)).is_ok());
    assert_eq!(read(&plain, &padded(REQUEST_BODY_MAX + 1)), Err(Code::BodyTooLarge));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        (-(1_i64 << 53) + 1..1_i64 << 53).prop_map(Into::into),
        ".{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            proptest::collection::btree_map(".{0,6}", inner, 0..5).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_object_is_read_as_any_other_reader_reads_it(value in any_json()) {
        #[derive(Deserialize)]
        struct Whole { whole: Option<serde_json::Value> }
        let body = Bytes::from(json!({ "whole": value }).to_string());
        let read: Whole = read_json(&headers(&["application/json"]), &body).unwrap();
        prop_assert_eq!(read.whole.unwrap_or_default(), value);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = order(bytes);
    }

    #[test]
    fn no_text_near_json_makes_the_reader_panic(text in r#"\{("(out_request_no|total_fee|items)":[\[\]{}",:0-9a-z\\.eE+-]{0,12},?){0,4}\}?"#) {
        let _ = order(text);
    }
}
