//! Bills: which are fetched how, and what the channel says instead of one.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures::StreamExt;
use metropay_core::channel::{BillError, BillRow, BillRowKind, BillRowState, FundRow, Rows};
use metropay_core::clock::{Clock, Day, Time};
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::sealed::{By, sealed, v3_scene, v3_vector};
use crate::support::{MCH, ORDER, REFUND, Scene, SetUp, failed, fen, vector};

const DAY: Day = Day(20_250_301);
const V2: &str = "/pay/downloadbill";
const V2_FUNDS: &str = "/pay/downloadfundflow";
const V3: &str = "/v3/bill/tradebill";
const V3_FUNDS: &str = "/v3/bill/fundflowbill";
const FILE: &str = "/v3/billdownload/file";

pub(crate) fn packed() -> Vec<u8> {
    STANDARD.decode(v3_vector("C21", "gzip")).expect("Base64")
}

pub(crate) fn pack(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

pub(crate) fn text() -> String {
    let mut text = String::new();
    GzDecoder::new(&packed()[..])
        .read_to_string(&mut text)
        .expect("packed text");
    text
}

fn sha1(bytes: &[u8]) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    hex::encode(hash)
}

/// Sets the clock to this hour of the next day.
fn morning(scene: &Scene, hour: u64) {
    scene
        .clock
        .set(DAY.end().plus(std::time::Duration::from_secs(hour * 3_600)));
}

async fn v2_scene() -> Scene {
    let scene = Scene::provider().await;
    morning(&scene, 10);
    scene
}

async fn all<T>(rows: Rows<T>) -> Result<Vec<T>, BillError> {
    let rows: Vec<Result<T, BillError>> = rows.collect().await;
    rows.into_iter().collect()
}

async fn trades(scene: &Scene) -> Result<Vec<BillRow>, BillError> {
    let bills = scene.channel.bills().expect("the channel has bills");
    all(bills.trades(DAY).await?).await
}

async fn funds(scene: &Scene) -> Result<Option<Vec<FundRow>>, BillError> {
    let bills = scene.channel.bills().expect("the channel has bills");
    match bills.funds(DAY).await? {
        Some(rows) => Ok(Some(all(rows).await?)),
        None => Ok(None),
    }
}

pub(crate) async fn read_v2(body: impl Into<Vec<u8>>) -> Result<Vec<BillRow>, BillError> {
    let scene = v2_scene().await;
    scene.answers(V2, body).await;
    trades(&scene).await
}

fn at(text: &str) -> Time {
    Time::parse_china(text, "%Y-%m-%d %H:%M:%S").expect("a time")
}

pub(crate) fn the_rows() -> [BillRow; 2] {
    let payment = BillRow {
        kind: BillRowKind::Payment,
        state: BillRowState::Done,
        no: Some(ORDER.to_owned()),
        payment_no: ORDER.to_owned(),
        channel_no: "4200000000202503010000000001".to_owned(),
        movement_no: None,
        amount: fen(1280),
        coupon: fen(0),
        fee_milli_fen: 8_000,
        at: at("2025-03-01 12:34:58"),
    };
    let refund = BillRow {
        kind: BillRowKind::Refund,
        state: BillRowState::Pending,
        no: Some(REFUND.to_owned()),
        movement_no: Some("50300000002025030100000000001".to_owned()),
        amount: fen(300),
        fee_milli_fen: -2_000,
        at: at("2025-03-01 15:00:00"),
        ..payment.clone()
    };
    [payment, refund]
}

#[tokio::test]
async fn vector_c21_is_read_whatever_its_dress() {
    let text = text();
    assert!(text.starts_with('\u{feff}') && text.contains("\r\n"));
    let plain = text.clone();
    let bare = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    for body in [packed(), plain.into_bytes(), bare.trim_end().as_bytes().to_vec()] {
        assert_eq!(read_v2(body).await.unwrap(), the_rows());
    }
}

#[tokio::test]
async fn what_is_asked_for_is_the_shops_packed_bill_of_the_day() {
    let scene = v2_scene().await;
    scene.answers(V2, packed()).await;
    assert!(trades(&scene).await.is_ok());
    let sent = scene.sent(V2).await;
    for part in [
        "<bill_date><![CDATA[20250301]]>",
        "<bill_type><![CDATA[ALL]]>",
        "<tar_type><![CDATA[GZIP]]>",
        "nonce_str",
        "sub_mch_id",
    ] {
        assert!(sent[0].contains(part), "{part}: {sent:?}");
    }
    assert_eq!(funds(&scene).await, Ok(None), "a provider's account is not the shop's");
}

#[tokio::test]
async fn over_apiv3_the_request_is_that_of_vector_c14_and_the_file_is_hashed() {
    for (hash, whole) in [(v3_vector("C21", "sha1").to_owned(), true), ("0".repeat(40), false)] {
        let scene = v3_scene(json!({})).await;
        morning(&scene, 10);
        let url = format!("https://api.mch.weixin.qq.com{FILE}?token=a%2Fb%3D&x=+1");
        let offer = json!({"hash_type": "SHA1", "hash_value": hash, "download_url": url});
        scene.says("GET", V3, 200, &offer).await;
        let file = ResponseTemplate::new(200).set_body_bytes(packed());
        scene.gives("GET", FILE, file, None).await;
        let rows = trades(&scene).await;
        if whole {
            assert_eq!(rows.unwrap(), the_rows());
        } else {
            assert!(matches!(rows, Err(BillError::Unreadable(_))), "{rows:?}");
        }
        let query = v3_vector("C14", "path").split_once('?').unwrap().1;
        assert_eq!(scene.asked(V3).await[0].url.query(), Some(query));
        assert_eq!(scene.asked(FILE).await[0].url.query(), Some("token=a%2Fb%3D&x=+1"));
        assert_eq!(scene.verified().await, 2);
    }
}

#[tokio::test]
async fn an_offer_without_a_proof_and_one_that_is_not_signed_are_not_taken() {
    let url = format!("https://api.mch.weixin.qq.com{FILE}?token=a");
    let hash = v3_vector("C21", "sha1");
    for (n, offer) in [
        json!({"hash_type": "MD5", "hash_value": hash, "download_url": url}),
        json!({"hash_type": "SHA1", "download_url": url}),
        json!({"hash_type": "SHA1", "hash_value": hash}),
        json!({"hash_type": "SHA1", "hash_value": hash, "download_url": "no address"}),
    ]
    .into_iter()
    .enumerate()
    {
        let scene = v3_scene(json!({})).await;
        morning(&scene, 10);
        scene.says("GET", V3, 200, &offer).await;
        let rows = trades(&scene).await;
        assert!(
            matches!(rows, Err(BillError::Unreadable(_) | BillError::Call(_))),
            "{n}: {rows:?}"
        );
        assert!(scene.asked(FILE).await.is_empty());
    }
    let scene = v3_scene(json!({})).await;
    let offer = json!({"hash_type": "SHA1", "hash_value": hash, "download_url": url});
    let unsigned = ResponseTemplate::new(200).set_body_string(offer.to_string());
    scene.gives("GET", V3, unsigned, None).await;
    let rows = trades(&scene).await;
    assert!(matches!(rows, Err(BillError::Call(_))), "{rows:?}");
}

#[tokio::test]
async fn a_day_without_a_bill_is_empty_or_not_made_yet_or_too_long_ago() {
    let none =
        "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[NO Bill Exist]]></return_msg></xml>";
    for (hours, expected) in [
        (0, Err("not made")),
        (9, Err("not made")),
        (10, Ok(0)),
        (24 * 80, Ok(0)),
        (24 * 93, Err("refused")),
    ] {
        for body in [vector("C29.2", "wire"), none] {
            let scene = v2_scene().await;
            morning(&scene, hours);
            scene.answers(V2, body).await;
            let told = trades(&scene).await.map(|rows| rows.len());
            let told = told.map_err(|error| match error {
                BillError::NotReady => "not made",
                BillError::Refused(_) => "refused",
                BillError::Unreadable(_) | BillError::Call(_) => "unknown",
            });
            assert_eq!(told, expected, "{hours}");
        }
        let scene = v3_scene(json!({})).await;
        morning(&scene, hours);
        let none = json!({"code": "NO_STATEMENT_EXIST", "message": "x"});
        scene.says("GET", V3, 400, &none).await;
        let told = trades(&scene).await.map(|rows| rows.len());
        assert_eq!(told.ok(), expected.ok(), "{hours}");
    }
}

#[tokio::test]
async fn each_refusal_is_told_as_what_it_is() {
    let refusal = |text: &str| {
        format!(
            "<xml><return_code>FAIL</return_code><return_msg>{text}</return_msg><error_code>20001</error_code></xml>"
        )
    };
    for (text, expected) in [
        ("Bill Creating", "not made"),
        ("invalid bill_type", "refused"),
        ("data format error", "refused"),
        ("missing parameter", "refused"),
        ("SIGN ERROR", "refused"),
        ("CompressGZip Error", "unknown"),
        ("UnCompressGZip Error", "unknown"),
        ("SYSTEMERROR", "unknown"),
        ("something new", "unknown"),
    ] {
        assert_eq!(class(&read_v2(refusal(text)).await), expected, "{text}");
    }
    let closed = refusal("something new").replace("20001", "20007");
    assert_eq!(class(&read_v2(closed).await), "refused");
    for (status, code, expected) in [
        (400, "STATEMENT_CREATING", "not made"),
        (400, "INVALID_REQUEST", "refused"),
        (400, "PARAM_ERROR", "refused"),
        (403, "NO_AUTH", "refused"),
        (401, "SIGN_ERROR", "refused"),
        (429, "FREQUENCY_LIMITED", "unknown"),
        (500, "SYSTEM_ERROR", "unknown"),
        (500, "NO_STATEMENT_EXIST", "unknown"),
    ] {
        let scene = v3_scene(json!({})).await;
        morning(&scene, 10);
        scene
            .says("GET", V3, status, &json!({"code": code, "message": "x"}))
            .await;
        assert_eq!(class(&trades(&scene).await), expected, "{code}");
    }
}

fn class<T>(rows: &Result<T, BillError>) -> &'static str {
    match rows {
        Ok(_) => "rows",
        Err(BillError::NotReady) => "not made",
        Err(BillError::Refused(_)) => "refused",
        Err(BillError::Unreadable(_)) => "unreadable",
        Err(BillError::Call(_)) => "unknown",
    }
}

#[tokio::test]
async fn an_answer_that_is_no_bill_at_all_is_unknown() {
    for response in [
        ResponseTemplate::new(200).set_body_string(""),
        ResponseTemplate::new(200).set_body_string("<html><body>hello</body></html>"),
        ResponseTemplate::new(200).set_body_string("{\"code\":\"SYSTEM_ERROR\"}"),
        ResponseTemplate::new(500).set_body_bytes(packed()),
        ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/"),
    ] {
        let scene = v2_scene().await;
        scene.responds(V2, response).await;
        let rows = trades(&scene).await;
        assert!(matches!(rows, Err(BillError::Call(_))), "{rows:?}");
    }
}

const FUND_ROWS: &str = "\u{feff}记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额（元）,账户结余（元）,资金变更提交申请人,备注,业务凭证号\r\n\
    `2025-03-01 12:34:58,`4200000000202503010000000001,`4200000000202503010000000001,`交易,`交易,`收入,`12.80,`112.80,`system,`a,`b,`MC1\r\n\
    `2025-03-01 15:00:00,`50300000002025030100000000001,`4200000000202503010000000001,`退款,`退款,`支出,`2.98,`109.82,`1900009999API,`退款总金额3.00元;含手续费0.02元,`MCR1\r\n\
    资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n`2,`1,`12.80,`1,`2.98\r\n";

fn direct() -> serde_json::Value {
    json!({"mode": "direct", "sub_mch_id": null})
}

#[tokio::test]
async fn the_statement_of_the_merchants_account_is_read() {
    let scene = Scene::new(SetUp {
        config: direct(),
        ..SetUp::default()
    })
    .await;
    morning(&scene, 10);
    scene.answers_once(V2_FUNDS, pack(FUND_ROWS)).await;
    scene.answers_once(V2_FUNDS, failed("NO_BILL_EXIST", "")).await;
    scene.answers_once(V2_FUNDS, failed("BILL_CREATING", "")).await;
    scene.answers_once(V2_FUNDS, failed("PARAM_ERROR", "")).await;
    scene.answers_once(V2_FUNDS, failed("SYSTEMERROR", "")).await;
    for cut in [
        "`2,`1,`12.80,`1,`2.98",
        "`退款,`支出",
        "`12.80,`112.80",
        "资金流水总笔数",
    ] {
        let to = if cut.starts_with('`') {
            cut.replace("1", "7").replace("支出", "x")
        } else {
            String::new()
        };
        scene.answers_once(V2_FUNDS, FUND_ROWS.replace(cut, &to)).await;
    }
    let rows = funds(&scene).await.unwrap().unwrap();
    let income = FundRow {
        no: "4200000000202503010000000001".to_owned(),
        cause_no: Some("MC1".to_owned()),
        what: "交易".to_owned(),
        amount_fen: 1_280,
        balance_fen: Some(11_280),
        at: at("2025-03-01 12:34:58"),
    };
    assert_eq!(rows[0], income);
    assert_eq!((rows[1].amount_fen, rows[1].cause_no.as_deref()), (-298, Some("MCR1")));
    let sent = scene.sent(V2_FUNDS).await;
    for part in ["<account_type><![CDATA[Basic]]>", "<sign_type><![CDATA[HMAC-SHA256]]>"] {
        assert!(sent[0].contains(part), "{part}: {sent:?}");
    }
    assert_eq!(funds(&scene).await, Ok(Some(Vec::new())));
    assert_eq!(class(&funds(&scene).await), "not made");
    assert_eq!(class(&funds(&scene).await), "refused");
    assert_eq!(class(&funds(&scene).await), "unknown");
    for _ in 0..4 {
        assert_eq!(class(&funds(&scene).await), "unreadable");
    }
}

#[tokio::test]
async fn the_statement_over_apiv3_is_hashed_as_well() {
    let scene = v3_scene(direct()).await;
    morning(&scene, 10);
    let url = format!("https://api.mch.weixin.qq.com{FILE}?token=t");
    let offer = json!({"hash_type": "SHA1", "hash_value": sha1(FUND_ROWS.as_bytes()), "download_url": url});
    let offer = sealed(By::Public, scene.clock.now(), 200, &offer.to_string());
    scene.gives("GET", V3_FUNDS, offer, None).await;
    let good = ResponseTemplate::new(200).set_body_bytes(pack(FUND_ROWS));
    scene.gives("GET", FILE, good, Some(1)).await;
    let other = ResponseTemplate::new(200).set_body_bytes(pack(&FUND_ROWS.replace("MCR1", "MCR2")));
    scene.gives("GET", FILE, other, None).await;
    assert_eq!(funds(&scene).await.unwrap().unwrap().len(), 2);
    assert_eq!(class(&funds(&scene).await), "unreadable");
    let query = scene.asked(V3_FUNDS).await[0].url.query().map(str::to_owned);
    assert_eq!(
        query.as_deref(),
        Some("bill_date=2025-03-01&account_type=BASIC&tar_type=GZIP")
    );
    assert!(scene.verified().await >= 4, "{MCH}");
}
