//! One table for every call: whatever is no message of Alipay's leaves it unknown.

use std::time::Duration;

use metropay_core::channel::{BillError, CallError, CodePayQuestion};
use metropay_core::clock::Day;
use metropay_core::secret::Secret;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::ground::*;

/// The calls, by the method that is answered badly.
const CALLS: &[(&str, &str)] = &[
    ("deduct", PAY),
    ("pay by code", PAY),
    ("query payment", QUERY),
    ("reverse", CANCEL),
    ("close", CLOSE),
    ("refund", REFUND),
    ("query refund", REFUND_QUERY),
    ("query contract", AGREEMENT_QUERY),
    ("close contract", UNSIGN),
    ("bill", BILL_URL),
    ("user", TOKEN),
];

/// A success that would be believed if it were genuine: members for every call at once.
fn success_of_all() -> Value {
    success(json!({
        "out_trade_no": pay_no().0, "trade_no": TRADE_NO, "trade_status": "TRADE_SUCCESS", "total_amount": "4.50",
        "buyer_pay_amount": "3.50", "gmt_payment": "2026-03-01 08:30:06", "retry_flag": "N", "action": "close",
        "fund_change": "Y", "refund_fee": "4.50", "refund_amount": "4.50", "refund_status": "REFUND_SUCCESS",
        "out_request_no": "RF202603020001", "agreement_no": AGREEMENT_NO, "status": "NORMAL",
        "external_agreement_no": "MTSIGN20260301000001", "access_token": "t", "user_id": "2088000000000099",
        "bill_download_url": "http://127.0.0.1:1/", "bill_file_code": "EMPTY_DATA_WITH_BILL_FILE",
    }))
}

fn unsigned(method: &str, node: &Value) -> String {
    let root = format!("{}_response", method.replace('.', "_"));
    json!({ root: node }).to_string()
}

fn faults(method: &str) -> Vec<(&'static str, ResponseTemplate)> {
    let good = signed(method, &success_of_all());
    let ok = |body: String| ResponseTemplate::new(200).set_body_raw(body, "text/html;charset=utf-8");
    let (node, _) = good.split_once(r#","sign":"#).unwrap();
    let (_, member) = node.split_once('{').unwrap();
    let elsewhere = method.replace('.', "_");
    vec![
        ("a page", ok("<html><body>502 Bad Gateway</body></html>".to_owned())),
        ("nothing", ok(String::new())),
        ("half", ok(good[..good.len() / 2].to_owned())),
        ("ten megabytes", ok(format!("{}{good}", " ".repeat(10 << 20)))),
        (
            "another status",
            ResponseTemplate::new(502).set_body_string(good.clone()),
        ),
        (
            "a redirect",
            ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/"),
        ),
        ("no signature", ok(unsigned(method, &success_of_all()))),
        ("a changed node", ok(good.replace("4.50", "45.0"))),
        (
            "a changed signature",
            ok(good.replace(r#""sign":""#, r#""sign":"AAAA"#)),
        ),
        ("two nodes", ok(good.replacen('{', &format!("{{{member},"), 1))),
        (
            "another call's node",
            ok(good.replace(&elsewhere, "alipay_trade_other")),
        ),
        ("garbage", ok("\u{0}\u{1}{]}".to_owned())),
        (
            "a busy service",
            ok(signed(method, &failure("20000", "isp.unknow-error"))),
        ),
        (
            "a forged refusal",
            ok(unsigned(method, &failure("40004", "ACQ.PAYMENT_FAIL"))),
        ),
        (
            "a forged absence",
            ok(unsigned(method, &failure("40004", "ACQ.TRADE_NOT_EXIST"))),
        ),
        (
            "a forged end",
            ok(unsigned(method, &failure("40004", "USER_AGREEMENT_NOT_EXIST"))),
        ),
    ]
}

/// What a call came to: `None` when it is unknown, which is all that it may be here.
async fn outcome(ground: &Ground, call: &str) -> Option<String> {
    let channel = &ground.channel;
    fn told<T: std::fmt::Debug>(answer: &Result<T, CallError>) -> Option<String> {
        (!matches!(answer, Err(CallError::MaybeDone(_)))).then(|| format!("{answer:?}"))
    }
    match call {
        "deduct" => told(&channel.deduct(&deduction()).await),
        "pay by code" => {
            let question = CodePayQuestion {
                no: pay_no(),
                at: at("2026-03-01 08:30:05"),
                amount: fen(450),
                body: "水".to_owned(),
                store: "S1".to_owned(),
                code: Secret::from("281234567890123456"),
            };
            told(&channel.code_pay().unwrap().pay_by_code(&question).await)
        }
        "query payment" => told(&channel.query_payment(&payment()).await),
        "reverse" | "close" => told(&channel.reverse(&reversal()).await),
        "refund" => told(&channel.refund(&refund(450)).await),
        "query refund" => told(&channel.query_refund(&refund(450)).await),
        "query contract" => told(&channel.query_contract(&contract(Some(AGREEMENT_NO))).await),
        "close contract" => told(&channel.close_contract(&contract(Some(AGREEMENT_NO))).await),
        "bill" => {
            let rows = channel.bills().unwrap().trades(Day(20_260_228)).await;
            let unknown = matches!(&rows, Err(BillError::Call(CallError::MaybeDone(_))));
            (!unknown).then(|| format!("{:?}", rows.map(|_| "rows")))
        }
        "user" => told(&channel.identity().unwrap().user(&Secret::from("c")).await),
        other => panic!("{other}"),
    }
}

/// A ground on which everything before the call itself goes well.
async fn prepared(call: &str) -> Ground {
    let ground = Ground::with(json!({"payment_code": true, "identity_scope": "auth_base"})).await;
    match call {
        "reverse" => ground.says(QUERY, &paid_trade("TRADE_SUCCESS")),
        "close" => {
            ground.says(QUERY, &unpaid_trade("WAIT_BUYER_PAY"));
            ground.says(CANCEL, &failure("40004", "ACQ.CANCEL_NOT_ALLOWED"));
        }
        _ => {}
    }
    ground
}

async fn leaves_it_unknown(call: &str, method: &str, fault: &str, template: ResponseTemplate) {
    let ground = prepared(call).await;
    ground.answers(method, template);
    let told = outcome(&ground, call).await;
    // A cancellation that a busy service did not do is to be repeated, and says so.
    let is_repeat = (call, fault) == ("reverse", "a busy service") && told.as_deref() == Some("Ok(Pending)");
    assert!(told.is_none() || is_repeat, "{call}, {fault}: {told:?}");
    let asked = ground.called().into_iter().filter(|called| called == method).count();
    assert_eq!(asked, 1, "{call}, {fault}: nothing is asked twice by itself");
}

#[tokio::test]
async fn no_fault_of_the_wire_is_ever_an_outcome() {
    for (call, method) in CALLS {
        for (fault, template) in faults(method) {
            leaves_it_unknown(call, method, fault, template).await;
        }
    }
}

#[tokio::test]
async fn silence_is_never_an_outcome() {
    // All at once: they only wait.
    let calls = CALLS.iter().map(async |(call, method)| {
        let good = ResponseTemplate::new(200).set_body_string(signed(method, &success_of_all()));
        leaves_it_unknown(call, method, "silence", good.set_delay(Duration::from_secs(3))).await;
    });
    futures::future::join_all(calls).await;
}

#[tokio::test]
async fn an_unsigned_gateway_error_ends_no_money_call_and_says_where_to_look() {
    for (call, method) in CALLS.iter().filter(|(call, _)| !["bill", "user"].contains(call)) {
        let ground = prepared(call).await;
        ground.sends(method, &unsigned(method, &failure("40002", "isv.invalid-app-id")));
        let told = outcome(&ground, call).await;
        assert!(told.is_none(), "{call}: {told:?}");
    }
    let ground = Ground::new().await;
    ground.sends(PAY, &vector("t5b.json"));
    let answer = format!("{:?}", ground.channel.deduct(&deduction()).await);
    assert!(
        answer.contains("isv.invalid-app-id") && answer.contains("check the set-up"),
        "{answer}"
    );
}
