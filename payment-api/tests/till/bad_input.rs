//! The table of bad input, row by row: what is changed about a good request, and how it is refused. Every refusal carries
//! the platform's signature, and none of them moves money.

use metropay_core::engine::Caps;
use metropay_core::money::Fen;
use metropay_core::user;
use metropay_payment_api::till::BudgetSettings;
use serde_json::{Value, json};

use crate::shop::{Asked, MCH, OTHER, PREFIX_PATH, Shop};

/// Budgets that no table uses up.
fn plenty() -> BudgetSettings {
    let number = std::num::NonZeroU32::new(100_000).unwrap();
    BudgetSettings {
        requests_per_second: number,
        invalid_codes_per_store_minute: number,
        invalid_codes_per_store_day: number,
        invalid_codes_per_merchant_minute: number,
        invalid_codes_per_second: number,
        ..BudgetSettings::default()
    }
}

async fn shop() -> Shop {
    Shop::open_with(Caps::default(), plenty()).await
}

/// A request's fields, each with its value as it stands on the wire.
type Fields = Vec<(&'static str, String)>;

fn written(fields: &Fields) -> String {
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!(r#""{name}":{value}"#))
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn with(fields: &Fields, name: &'static str, value: &str) -> String {
    let mut fields = fields.clone();
    fields.retain(|(other, _)| *other != name);
    fields.push((name, value.to_owned()));
    written(&fields)
}

fn without(fields: &Fields, name: &str) -> String {
    let mut fields = fields.clone();
    fields.retain(|(other, _)| *other != name);
    written(&fields)
}

fn text(value: &str) -> String {
    json!(value).to_string()
}

fn of(body: &Value) -> Fields {
    let names = [
        "out_request_no",
        "pay_out_trade_no",
        "qrcode",
        "body",
        "total_fee",
        "extra_data",
        "store_id",
        "out_refund_no",
        "refund_fee",
        "date",
    ];
    let fields = names
        .into_iter()
        .filter_map(|name| Some((name, body.get(name)?.to_string())));
    fields.collect()
}

const OUT_NO: &str = "1–64 位字母、数字、下划线或连字符";
const AMOUNT: &str = "整数分, 1–上限";

#[tokio::test]
async fn required_fields_that_are_missing_null_or_empty_are_named() {
    let shop = shop().await;
    let sale = of(&shop.sale("77112345678901234565"));
    let refund = of(&json!({ "out_request_no": "A-1", "out_refund_no": "R-1", "refund_fee": 1 }));
    let code = of(&json!({ "qrcode": "77112345678901234565" }));
    let date = of(&json!({ "date": "20260731" }));
    let required: [(&str, &Fields, &[&'static str]); 4] = [
        (
            "applypay",
            &sale,
            &["out_request_no", "qrcode", "body", "total_fee", "store_id"],
        ),
        ("queryuid", &code, &["qrcode"]),
        ("refund", &refund, &["out_refund_no", "refund_fee"]),
        ("bill", &date, &["date"]),
    ];
    for (endpoint, fields, names) in required {
        for name in names.iter().copied() {
            let mut bodies = vec![without(fields, name), with(fields, name, "null")];
            if !name.ends_with("fee") {
                bodies.push(with(fields, name, r#""""#));
            }
            for body in bodies {
                let reply = shop.send_as(&shop.till, shop.ask(endpoint, body.clone())).await;
                assert_eq!(reply.refusal(), (400, "PARAM_MISSING", Some(name)), "{endpoint} {body}");
            }
        }
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table is one natural whole")]
async fn fields_that_break_their_rule_are_named_with_it() {
    let shop = shop().await;
    let sale = of(&shop.sale("77112345678901234565"));
    let refund = of(&json!({ "out_request_no": "A-1", "out_refund_no": "R-1", "refund_fee": 1 }));
    let order = of(&json!({ "out_request_no": "A-1" }));
    let code = of(&json!({ "qrcode": "77112345678901234565" }));
    let date = of(&json!({ "date": "20260731" }));
    let (long_no, long_body, long_extra) = ("a".repeat(65), "水".repeat(129), "a".repeat(1025));
    let mut rows: Vec<(&str, &Fields, &'static str, String, Option<&str>)> = Vec::new();
    for amount in [
        "0",
        "-1",
        "1.0",
        "1e3",
        "\"100\"",
        "5000001",
        "9007199254740993",
        "18446744073709551616",
        "true",
        "[1]",
        "{}",
    ] {
        rows.push(("applypay", &sale, "total_fee", amount.to_owned(), Some(AMOUNT)));
    }
    for amount in ["0", "-1", "1.0", "\"100\"", "9007199254740993"] {
        rows.push((
            "refund",
            &refund,
            "refund_fee",
            amount.to_owned(),
            Some("整数分, 至少 1"),
        ));
    }
    for number in [
        &*long_no,
        "Ａ１２",
        "１２３",
        "A-1 ",
        " A-1",
        "A\u{0}",
        "A.1",
        "A/1",
        "A'1",
        "单号",
    ] {
        rows.push(("applypay", &sale, "out_request_no", text(number), Some(OUT_NO)));
        rows.push(("refund", &refund, "out_refund_no", text(number), Some(OUT_NO)));
        for endpoint in ["orderquery", "reverse"] {
            rows.push((endpoint, &order, "out_request_no", text(number), Some(OUT_NO)));
            rows.push((endpoint, &order, "pay_out_trade_no", text(number), Some(OUT_NO)));
        }
    }
    for body in [&*long_body, "a\nb", "a\u{0}b", "a\u{7f}", "\u{202e}abc", "\u{2066}abc"] {
        rows.push((
            "applypay",
            &sale,
            "body",
            text(body),
            Some("1–128 个字符，不含控制字符和文字方向控制符"),
        ));
    }
    for extra in [&*long_extra, "a\u{0}b", "a\u{1b}[2J"] {
        rows.push(("applypay", &sale, "extra_data", text(extra), None));
    }
    for store in ["S 1", "S\u{0}", "S\n", &"S".repeat(65)] {
        rows.push(("applypay", &sale, "store_id", text(store), Some("1–64 个可见字符")));
    }
    for scanned in [
        &*"7".repeat(129),
        "7711\u{0}2345678901234565",
        "\u{1b}77112345678901234565",
    ] {
        for (endpoint, fields) in [("applypay", &sale), ("queryuid", &code)] {
            rows.push((
                endpoint,
                fields,
                "qrcode",
                text(scanned),
                Some("至多 128 个字符，不含控制字符"),
            ));
        }
    }
    for day in [
        "20230229",
        "2022-08-22",
        "2022082",
        "20261301",
        "２０２２０８２２",
        "today",
    ] {
        rows.push(("bill", &date, "date", text(day), Some("YYYYMMDD 格式的日期")));
    }
    rows.push(("bill", &date, "date", text("20260802"), Some("不能晚于今天")));
    rows.push(("bill", &date, "date", text("20250101"), Some("最早可查一年前的账单")));
    for (endpoint, fields, name) in [
        ("applypay", &sale, "qrcode"),
        ("bill", &date, "date"),
        ("reverse", &order, "out_request_no"),
    ] {
        rows.push((endpoint, fields, name, "77".to_owned(), Some("须为字符串")));
    }
    for (endpoint, fields) in [
        ("applypay", &sale),
        ("queryuid", &code),
        ("orderquery", &order),
        ("reverse", &order),
        ("refund", &refund),
        ("bill", &date),
    ] {
        rows.push((endpoint, fields, "mch_id", text(OTHER), Some("没有这个字段")));
    }
    assert!(rows.len() > 90);
    for (endpoint, fields, name, value, rule) in rows {
        let reply = shop
            .send_as(&shop.till, shop.ask(endpoint, with(fields, name, &value)))
            .await;
        assert_eq!(
            reply.refusal(),
            (400, "PARAM_INVALID", Some(name)),
            "{endpoint} {name}={value}"
        );
        if let Some(rule) = rule {
            assert_eq!(reply.body["rule"], rule, "{endpoint} {name}={value}");
        }
    }
    assert!(shop.gateway.deductions() == 0);
}

#[tokio::test]
async fn a_body_that_is_not_one_plain_json_object_is_refused_everywhere() {
    let shop = shop().await;
    let deep = format!(r#"{{"out_request_no":{}"A"{}}}"#, "[".repeat(16), "]".repeat(16));
    let bodies: [&[u8]; 12] = [
        b"",
        b"out_request_no=A",
        b"[]",
        b"null",
        br#"{"out_request_no":"A","out_request_no":"B"}"#,
        deep.as_bytes(),
        b"{\"out_request_no\":\"\xff\"}",
        br#"{"out_request_no":"\ud800"}"#,
        br#"{"out_request_no":"A"} x"#,
        br#"{"out_request_no":NaN}"#,
        br#"{"out_request_no":'A'}"#,
        b"\xef\xbb\xbf{}",
    ];
    for endpoint in ["applypay", "queryuid", "orderquery", "reverse", "refund", "bill"] {
        for body in bodies {
            let reply = shop.send_as(&shop.till, shop.ask(endpoint, body)).await;
            let shown = String::from_utf8_lossy(body);
            assert_eq!(reply.refusal(), (400, "JSON_INVALID", None), "{endpoint} {shown}");
            assert!(
                reply.body["rule"].is_string() && reply.body["line"].is_u64(),
                "{endpoint} {shown}"
            );
        }
        let typed = |headers: Vec<(&'static str, &str)>| Asked {
            headers: headers
                .into_iter()
                .map(|(name, value)| (name, value.to_owned()))
                .collect(),
            ..shop.ask(endpoint, r#"{"out_request_no":"A"}"#)
        };
        let json = ("content-type", "application/json");
        for headers in [
            vec![],
            vec![("content-type", "text/plain")],
            vec![json, ("content-encoding", "gzip")],
        ] {
            let reply = shop.send_as(&shop.till, typed(headers.clone())).await;
            assert_eq!(
                (reply.status, reply.code()),
                (415, "CONTENT_TYPE_UNSUPPORTED"),
                "{endpoint} {headers:?}"
            );
        }
        let large = format!(r#"{{"out_request_no":"{}"}}"#, "A".repeat(64 * 1024));
        let reply = shop.send(shop.ask(endpoint, large).signed(&shop.till)).await;
        assert_eq!((reply.status, reply.code()), (413, "BODY_TOO_LARGE"), "{endpoint}");
    }
}

#[tokio::test]
async fn only_the_exact_paths_and_their_method_exist() {
    let shop = shop().await;
    for method in ["GET", "PUT", "HEAD", "DELETE", "OPTIONS"] {
        let asked = Asked {
            method,
            ..shop.ask("applypay", "{}")
        };
        assert_eq!(shop.send(asked.signed(&shop.till)).await.status, 405, "{method}");
    }
    for path in [
        "applypay/",
        "/applypay",
        "./applypay",
        "x/../applypay",
        "%61pplypay",
        "applypay;x",
        "ApplyPay",
        "close",
    ] {
        let reply = shop.send(shop.ask(path, "{}").signed(&shop.till)).await;
        assert_eq!(reply.refusal(), (404, "PATH_UNKNOWN", None), "{PREFIX_PATH}{path}");
    }
}

#[tokio::test]
async fn what_is_no_live_code_of_ours_is_told_as_far_as_it_may_be() {
    let shop = shop().await;
    let rider = shop.rider().await;
    let expired = shop.code_of(&rider).await;
    shop.clock.advance(std::time::Duration::from_secs(60));
    let superseded = shop.code_of(&rider).await;
    shop.clock.advance(std::time::Duration::from_secs(1));
    let _second = shop.code_of(&rider).await;
    shop.clock.advance(std::time::Duration::from_secs(1));
    let live = shop.code_of(&rider).await;
    let closed = shop.rider().await;
    let of_closed = shop.code_of(&closed).await;
    user::close(&shop.engine, &closed).await.unwrap();
    let mut misread = live.clone().into_bytes();
    misread[10] = if misread[10] == b'9' { b'0' } else { misread[10] + 1 };
    let misread = String::from_utf8(misread).unwrap();
    let cases = [
        ("134567890123456789", "CODE_FOREIGN", Some("WeChat Pay payment code")),
        ("2812345678901234", "CODE_FOREIGN", Some("Alipay payment code")),
        ("6212345678901234567", "CODE_FOREIGN", Some("UnionPay payment code")),
        (
            "0112345678901234567\r\n",
            "CODE_FOREIGN",
            Some("digital yuan payment code"),
        ),
        ("6901234567892", "CODE_MALFORMED", Some("goods barcode")),
        (&misread, "CODE_MALFORMED", None),
        ("7711234567890123456", "CODE_MALFORMED", None),
        ("7711234567890123456X", "CODE_MALFORMED", None),
        ("https://qr.example.com/1", "CODE_MALFORMED", None),
        ("\r\n", "CODE_MALFORMED", None),
        ("77112345678901234565", "CODE_INVALID", None),
        (&expired, "CODE_INVALID", None),
        (&superseded, "CODE_INVALID", None),
        (&of_closed, "CODE_ACCOUNT_CLOSED", None),
    ];
    let mut invalid = Vec::new();
    for (scanned, code, looks) in cases {
        for (endpoint, body) in [
            ("applypay", shop.sale(scanned)),
            ("queryuid", json!({ "qrcode": scanned })),
        ] {
            // A code that was ended with its account lives no more for who only asks whose it is.
            let code = if (endpoint, code) == ("queryuid", "CODE_ACCOUNT_CLOSED") {
                "CODE_INVALID"
            } else {
                code
            };
            let mut reply = shop.post(endpoint, body).await;
            assert_eq!(reply.refusal(), (422, code, None), "{endpoint} {scanned}");
            assert_eq!(reply.body["looks_like"].as_str(), looks, "{endpoint} {scanned}");
            if code == "CODE_INVALID" {
                reply.body["request_id"] = Value::Null;
                invalid.push(reply.body);
            }
        }
    }
    invalid.dedup();
    assert_eq!(invalid.len(), 1, "unknown, expired and superseded codes are told alike");
    assert!(shop.gateway.deductions() == 0);
    let paid = shop.post("applypay", shop.sale(&format!("\t{live}\r\n"))).await;
    assert_eq!(paid.data()["uid"], rider.as_str());
}

#[tokio::test]
async fn a_store_is_the_merchants_own_and_in_use() {
    let shop = shop().await;
    let code = shop.code().await;
    let at = |store: &str| {
        let mut sale = shop.sale(&code);
        sale["store_id"] = json!(store);
        sale
    };
    for store in ["SZTX999", "门店", "a/b"] {
        let reply = shop.post("applypay", at(store)).await;
        assert_eq!(reply.refusal(), (422, "STORE_UNKNOWN", Some("store_id")), "{store}");
    }
    shop.switches.stores_off.lock().unwrap().push("SZTX002".into());
    assert_eq!(
        shop.post("applypay", at("SZTX002")).await.refusal(),
        (403, "STORE_DISABLED", None)
    );
    assert_eq!(
        shop.post("applypay", at("SZTX001")).await.data()["pay_status"],
        "PS_SUCCESS"
    );
}

#[tokio::test]
async fn a_code_that_is_refused_before_it_is_used_is_still_good() {
    let shop = shop().await;
    let stranger = shop.stranger().await;
    let code = shop.code_of(&stranger).await;
    let sale = shop.sale(&code);
    assert_eq!(
        shop.post("applypay", sale.clone()).await.refusal(),
        (422, "NEED_MANDATE", None)
    );
    assert_eq!(
        shop.post("orderquery", json!({ "out_request_no": sale["out_request_no"] }))
            .await
            .status,
        404
    );
    shop.sign(&stranger, MCH, "unionpay").await;
    let mut large = sale.clone();
    large["total_fee"] = json!(100_001);
    let reply = shop.post("applypay", large).await;
    assert_eq!(
        (reply.refusal(), &reply.body["limit"]),
        ((422, "LIMIT_EXCEEDED", None), &json!("per_payment"))
    );
    let paid = shop.post("applypay", sale).await;
    assert_eq!(
        (&paid.data()["pay_status"], &paid.data()["pay_type"]),
        (&json!("PS_SUCCESS"), &json!("CT_UNION"))
    );
}

#[tokio::test]
async fn a_users_day_has_its_cap_whatever_the_merchant() {
    let caps = Caps {
        per_user_day: Fen::new(1_000).unwrap(),
        ..Caps::default()
    };
    let shop = Shop::open_with(caps, plenty()).await;
    let rider = shop.rider().await;
    assert_eq!(
        shop.post("applypay", shop.sale(&shop.code_of(&rider).await))
            .await
            .data()["pay_status"],
        "PS_SUCCESS"
    );
    let second = shop.sale(&shop.code_of(&rider).await);
    let reply = shop.post_as(&shop.other, "applypay", second).await;
    assert_eq!(
        (reply.refusal(), &reply.body["limit"]),
        ((422, "LIMIT_EXCEEDED", None), &json!("per_user_day"))
    );
}

#[tokio::test]
async fn a_used_code_is_told_only_to_who_used_it() {
    let shop = shop().await;
    let (sale, paid) = shop.paid().await;
    let code = sale["qrcode"].as_str().unwrap();
    assert_eq!(
        shop.post("applypay", shop.sale(code)).await.refusal(),
        (422, "CODE_USED", None)
    );
    assert_eq!(
        shop.post_as(&shop.other, "applypay", shop.sale(code)).await.refusal(),
        (422, "CODE_INVALID", None)
    );
    assert_eq!(
        shop.post_as(&shop.other, "queryuid", json!({ "qrcode": code }))
            .await
            .refusal(),
        (422, "CODE_INVALID", None)
    );
    assert_eq!(
        shop.post("queryuid", json!({ "qrcode": code })).await.data()["uid"],
        paid["uid"]
    );
    assert_eq!(shop.gateway.deductions(), 1);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table is one natural whole")]
async fn an_order_is_named_by_one_number_or_by_two_that_agree() {
    let shop = shop().await;
    let (one, first) = shop.paid().await;
    let (other, _) = shop.paid().await;
    let (mine, ours) = (&one["out_request_no"], &first["pay_out_trade_no"]);
    let foreign = {
        let reply = shop
            .post_as(&shop.other, "applypay", shop.sale(&shop.code().await))
            .await;
        reply.data()["pay_out_trade_no"].clone()
    };
    let refund = |mut body: Value| {
        body["out_refund_no"] = json!("R-1");
        body["refund_fee"] = json!(1);
        body
    };
    let rows = [
        (json!({}), 400, "PARAM_EITHER_OR"),
        (
            json!({ "out_request_no": "", "pay_out_trade_no": null }),
            400,
            "PARAM_EITHER_OR",
        ),
        (
            json!({ "out_request_no": other["out_request_no"], "pay_out_trade_no": ours }),
            409,
            "IDS_DISAGREE",
        ),
        (
            json!({ "out_request_no": "NONE", "pay_out_trade_no": ours }),
            409,
            "IDS_DISAGREE",
        ),
        (
            json!({ "out_request_no": mine, "pay_out_trade_no": "P-NONE" }),
            409,
            "IDS_DISAGREE",
        ),
        (
            json!({ "out_request_no": mine, "pay_out_trade_no": foreign }),
            409,
            "IDS_DISAGREE",
        ),
        (
            json!({ "out_request_no": "NONE", "pay_out_trade_no": "P-NONE" }),
            404,
            "ORDER_NOT_FOUND",
        ),
        (json!({ "pay_out_trade_no": "P-NONE" }), 404, "ORDER_NOT_FOUND"),
        (json!({ "pay_out_trade_no": foreign }), 404, "ORDER_NOT_FOUND"),
    ];
    for (body, status, code) in rows {
        for (endpoint, body) in [
            ("orderquery", body.clone()),
            ("refund", refund(body.clone())),
            ("reverse", body.clone()),
        ] {
            let reply = shop.post(endpoint, body.clone()).await;
            assert_eq!(reply.refusal(), (status, code, None), "{endpoint} {body}");
        }
    }
    let unknown = json!({ "out_request_no": "NONE" });
    assert_eq!(
        shop.post("orderquery", unknown.clone()).await.refusal(),
        (404, "ORDER_NOT_FOUND", None)
    );
    assert_eq!(
        shop.post("refund", refund(unknown)).await.refusal(),
        (404, "ORDER_NOT_FOUND", None)
    );
    for body in [
        json!({ "out_request_no": mine }),
        json!({ "pay_out_trade_no": ours }),
        json!({ "out_request_no": mine, "pay_out_trade_no": ours }),
        json!({ "out_request_no": mine, "pay_out_trade_no": "" }),
    ] {
        assert_eq!(&shop.post("orderquery", body).await.data()["pay_out_trade_no"], ours);
    }
    assert_eq!(shop.gateway.net(), 3 * 600);
}

#[tokio::test]
async fn a_bill_is_ready_when_its_day_is_over() {
    let shop = shop().await;
    let reply = shop.post("bill", json!({ "date": "20260801" })).await;
    assert_eq!(
        (reply.refusal(), &reply.body["ready_at"]),
        ((422, "BILL_NOT_READY", None), &json!("20260802000500"))
    );
    shop.clock.set("20260802000459");
    assert_eq!(
        shop.post("bill", json!({ "date": "20260801" })).await.code(),
        "BILL_NOT_READY"
    );
    shop.clock.set("20260802000500");
    assert_eq!(
        shop.post("bill", json!({ "date": "20260801" })).await.data(),
        &json!({ "date": "20260801", "bill_infos": [] })
    );
    assert_eq!(
        shop.post("bill", json!({ "date": "20250801" })).await.data()["date"],
        "20250801"
    );
    assert_eq!(
        shop.post("bill", json!({ "date": "20250731" })).await.refusal(),
        (400, "PARAM_INVALID", Some("date"))
    );
}
