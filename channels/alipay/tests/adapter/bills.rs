//! Bills: whole ones are read row by row, and no broken one passes for a short day.

use std::time::Duration;

use futures::StreamExt;
use metropay_core::channel::{BillError, BillRow, BillRowKind, BillRowState, FundRow};
use metropay_core::clock::Day;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::ground::*;
use crate::paper::*;

const DAY: Day = Day(20_260_301);

/// A ground on the morning after, whose gateway hands out this file.
async fn ground(file: Vec<u8>) -> Ground {
    let ground = Ground::new().await;
    ground.clock.advance(Duration::from_secs(25 * 3600));
    let url = format!("{}/downloadBillFile.resource?bizType=trade&token=1", ground.url());
    ground.says(BILL_URL, &success(json!({ "bill_download_url": url })));
    ground.answers(FILE, ResponseTemplate::new(200).set_body_bytes(file));
    ground
}

async fn read(file: Vec<u8>) -> Result<Vec<BillRow>, BillError> {
    all(&ground(file).await).await
}

async fn all(ground: &Ground) -> Result<Vec<BillRow>, BillError> {
    let rows = ground.channel.bills().unwrap().trades(DAY).await?;
    rows.collect::<Vec<_>>().await.into_iter().collect()
}

fn is_unreadable<T>(answer: &Result<T, BillError>) -> bool {
    matches!(answer, Err(BillError::Unreadable(_)))
}

#[tokio::test]
async fn rows_are_told_with_their_coupons_and_fees() {
    let ground = ground(trades(DETAIL, SUMMARY)).await;
    let rows = all(&ground).await.unwrap();
    assert_eq!(
        ground.calls()[0].biz,
        json!({"bill_type": "trade", "bill_date": "2026-03-01"})
    );
    let first = BillRow {
        kind: BillRowKind::Payment,
        state: BillRowState::Done,
        no: Some("MT202603010830050001".to_owned()),
        payment_no: "MT202603010830050001".to_owned(),
        channel_no: TRADE_NO.to_owned(),
        movement_no: None,
        amount: fen(450),
        coupon: fen(100),
        fee_milli_fen: 2_000,
        at: at("2026-03-01 08:30:06"),
    };
    let second = BillRow {
        no: Some("MT202603010830050002".to_owned()),
        payment_no: "MT202603010830050002".to_owned(),
        channel_no: "2026030122001400001400000002".to_owned(),
        amount: fen(900),
        coupon: fen(175),
        fee_milli_fen: 2_700,
        at: at("2026-03-01 09:00:02"),
        ..first.clone()
    };
    let refund = BillRow {
        kind: BillRowKind::Refund,
        no: Some("RF202603020001".to_owned()),
        fee_milli_fen: -2_000,
        at: at("2026-03-01 10:00:01"),
        ..first.clone()
    };
    assert_eq!(rows, [first, second, refund]);
}

#[tokio::test]
async fn signs_of_refunds_the_order_of_files_and_their_names_do_not_matter() {
    let expected = read(trades(DETAIL, SUMMARY)).await.unwrap();
    let positive = DETAIL.replace("-4.50,-4.50,0.00,0.00,-1.00", "4.50,4.50,0.00,0.00,1.00");
    assert_eq!(read(trades(&positive, SUMMARY)).await, Ok(expected.clone()));
    let swapped = packed(&[(SUMMARY_NAME, SUMMARY), (DETAIL_NAME, DETAIL)]);
    assert_eq!(read(swapped).await, Ok(expected.clone()));
    let nameless = packed(&[("1.csv", SUMMARY), ("2.csv", DETAIL)]);
    assert_eq!(read(nameless).await, Ok(expected.clone()));
    // The summary before refunds instead of after them.
    let gross = SUMMARY.replace("合计\t,\t,2,1,9.00,8.00", "合计\t,\t,2,1,13.50,12.50");
    assert_eq!(read(trades(DETAIL, &gross)).await, Ok(expected.clone()));
    // Either proof is enough, and added columns do no harm.
    assert_eq!(read(packed(&[(DETAIL_NAME, DETAIL)])).await, Ok(expected.clone()));
    let untold = DETAIL.replace("#交易合计", "#合计一").replace("#退款合计", "#合计二");
    assert_eq!(read(trades(&untold, SUMMARY)).await, Ok(expected.clone()));
    let wider = DETAIL
        .replace("分润（元）,备注", "分润（元）,备注,新列")
        .replace(",0.00,\n", ",0.00,,新\n");
    assert_ne!(wider, DETAIL);
    assert_eq!(read(trades(&wider, SUMMARY)).await, Ok(expected));
}

#[tokio::test]
async fn rows_of_an_unknown_kind_are_for_a_person_to_look_at() {
    let unknown = DETAIL
        .replace("退款\t,", "冻结\t,")
        .replace("#退款合计：1笔", "#退款合计：0笔");
    let unknown = unknown.replace("商家实收退款共-4.50元", "商家实收退款共0.00元");
    let rows = read(packed(&[(DETAIL_NAME, &unknown)])).await.unwrap();
    assert_eq!(rows[2].kind, BillRowKind::Other);
}

const END: &str = "#-----------------------------------------业务明细列表结束------------------------------------\n";

async fn are_unreadable(files: Vec<(&str, Vec<u8>)>) {
    for (what, file) in files {
        let answer = read(file).await;
        assert!(is_unreadable(&answer), "{what}: {answer:?}");
    }
}

/// The detail without the row of this payment.
fn without(no: &str) -> String {
    let lines = DETAIL.split_inclusive('\n');
    lines.filter(|line| !line.contains(no)).collect()
}

#[tokio::test]
async fn a_file_that_was_cut_or_does_not_add_up_is_no_short_day() {
    let (head, _) = DETAIL.split_once(END).unwrap();
    let cut_row = &head[..head.len() - 60];
    let two_rows = without("MT202603010830050002");
    let no_proof = DETAIL.replace("#交易合计", "#甲").replace("#退款合计", "#乙");
    let last = head.lines().last().unwrap();
    let summary = |from: &str, to: &str| trades(DETAIL, &SUMMARY.replace(from, to));
    are_unreadable(vec![
        ("cut behind a row", trades(head, SUMMARY)),
        ("cut within a row", trades(cut_row, SUMMARY)),
        ("a row missing", trades(&two_rows, SUMMARY)),
        (
            "a row missing, no trailer",
            trades(&two_rows.replace("合计", "共计"), SUMMARY),
        ),
        ("a row missing, no summary", packed(&[(DETAIL_NAME, &two_rows)])),
        ("no proof at all", packed(&[(DETAIL_NAME, &no_proof)])),
        ("rows behind the end", trades(&format!("{head}{END}{last}"), SUMMARY)),
        ("a cut summary", trades(DETAIL, SUMMARY.split_once("合计\t").unwrap().0)),
        ("a summary of others", summary("合计\t,\t,2,1", "合计\t,\t,3,1")),
        ("a summary of other amounts", summary("2,1,9.00", "2,1,9.01")),
    ])
    .await;
}

#[tokio::test]
async fn a_file_that_says_something_else_than_it_should_is_not_read() {
    let bad = |from: &str, to: &str| {
        let text = DETAIL.replacen(from, to, 1);
        assert_ne!(text, DETAIL, "{from}");
        trades(&text, SUMMARY)
    };
    are_unreadable(vec![
        ("an amount changed", bad("4.50,4.50,0.00", "5.50,5.50,0.00")),
        ("an amount that is none", bad("9.00,8.00", "9.00,much")),
        ("an amount finer than fen", bad("9.00,8.00", "9.005,8.00")),
        (
            "a date that is none",
            bad("2026-03-01 08:30:05,2026-03-01 08:30:06", "gestern,heute"),
        ),
        ("a column missing", bad("商户订单号", "别的")),
        (
            "too few fields",
            bad("\t,4.50,4.50,0.00,0.00,1.00,", "\t,4.50,4.50,1.00,"),
        ),
        (
            "another account's",
            bad("[20880000000000010156]", "[20880000000000020156]"),
        ),
        ("another day's", bad("[2026年03月01日", "[2026年02月28日")),
    ])
    .await;
}

#[tokio::test]
async fn an_archive_that_is_broken_or_holds_something_else_is_not_read() {
    let mut flipped = trades(DETAIL, SUMMARY);
    let middle = flipped.len() / 3;
    flipped[middle] ^= 0x55;
    let only_head = &DETAIL[..DETAIL.find("支付宝交易号").unwrap()];
    are_unreadable(vec![
        ("no detail", packed(&[(SUMMARY_NAME, SUMMARY)])),
        (
            "two details",
            packed(&[(DETAIL_NAME, DETAIL), ("x_业务明细.csv", DETAIL)]),
        ),
        ("nothing in it", packed(&[])),
        ("only a head", trades(only_head, SUMMARY)),
        ("flipped bits", flipped),
        ("half an archive", trades(DETAIL, SUMMARY)[..400].to_vec()),
        ("a page", b"<html>expired</html>".to_vec()),
        ("nothing", Vec::new()),
        ("an endless line", packed(&[(DETAIL_NAME, &"9".repeat(200_000))])),
    ])
    .await;
}

#[tokio::test]
async fn not_made_yet_is_told_apart_from_nothing_happened() {
    let nothing = ["NO_BILL_DATA", "BILL_NOT_EXIST", "isp.bill_not_exist"];
    for sub_code in nothing {
        let ground = Ground::new().await;
        ground.says(BILL_URL, &failure("40004", sub_code));
        // On the day itself nobody is asked.
        assert_eq!(all(&ground).await, Err(BillError::NotReady));
        assert!(ground.called().is_empty());
        ground.clock.advance(Duration::from_secs(25 * 3600));
        assert_eq!(all(&ground).await, Err(BillError::NotReady), "{sub_code}");
        // 18:00 of the next day: nothing will come any more.
        ground.clock.advance(Duration::from_secs(9 * 3600));
        assert_eq!(all(&ground).await, Ok(Vec::new()), "{sub_code}");
    }
    let ground = Ground::new().await;
    ground.clock.advance(Duration::from_secs(25 * 3600));
    let empty = json!({"bill_download_url": "http://127.0.0.1:1/", "bill_file_code": "EMPTY_DATA_WITH_BILL_FILE"});
    ground.says(BILL_URL, &success(empty));
    assert_eq!(all(&ground).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_day_without_rows_is_read_as_one() {
    let head = DETAIL.split_once("2026030122001400001400000001").unwrap().0;
    let empty = format!(
        "{head}#----业务明细列表结束----\n#交易合计：0笔，商家实收共0.00元\n#退款合计：0笔，商家实收退款共0.00元\n"
    );
    assert_eq!(read(packed(&[(DETAIL_NAME, &empty)])).await, Ok(Vec::new()));
}

#[tokio::test]
async fn refusals_unknown_answers_and_strange_addresses_are_told() {
    let answer = |body: String| async move {
        let ground = Ground::new().await;
        ground.clock.advance(Duration::from_secs(25 * 3600));
        ground.sends(BILL_URL, &body);
        all(&ground).await
    };
    let said = |node: &Value| signed(BILL_URL, node);
    for sub_code in [
        "INVAILID_ARGUMENTS",
        "isv.invalid_arguments",
        "BILL_DATE_BEFORE_REGISTRATION",
        "TYPE_NOT_SUPPORTED",
        "SOMETHING_NEW",
        "isv.insufficient-isv-permissions",
    ] {
        let told = answer(said(&failure("40004", sub_code))).await;
        assert!(
            matches!(&told, Err(BillError::Refused(text)) if text.contains(sub_code)),
            "{told:?}"
        );
    }
    for (code, sub_code) in [
        ("40004", "SYSTEM_RATE_LIMIT"),
        ("40004", "USER_RATE_LIMIT"),
        ("40004", "UNKNOWN_ERROR"),
        ("20000", "isp.unknow-error"),
        ("40005", "isv.app-call-limited"),
    ] {
        let told = answer(said(&failure(code, sub_code))).await;
        assert!(matches!(told, Err(BillError::Call(_))), "{sub_code}: {told:?}");
    }
    let url = |url: &str| said(&success(json!({ "bill_download_url": url })));
    for address in [
        "",
        "no address",
        "ftp://127.0.0.1/x",
        "http://10.0.0.1:8080/x",
        "https://a:b@c.d/",
    ] {
        let told = answer(url(address)).await;
        assert!(
            matches!(told, Err(BillError::Refused(_) | BillError::Call(_))),
            "{address}: {told:?}"
        );
    }
    // An unsigned address is not gone to; an unsigned gateway error is shown for what it says.
    let unsigned =
        |node: &Value| json!({ "alipay_data_dataservice_bill_downloadurl_query_response": node }).to_string();
    let told = answer(unsigned(&success(json!({"bill_download_url": "http://127.0.0.1:1/"})))).await;
    assert!(matches!(told, Err(BillError::Call(_))), "{told:?}");
    // Nor is one believed that is a success and an error at once.
    let both = json!({"sub_code": "isv.invalid-app-id", "bill_file_code": "EMPTY_DATA_WITH_BILL_FILE"});
    let told = answer(unsigned(&success(both))).await;
    assert!(matches!(told, Err(BillError::Call(_))), "{told:?}");
    let told = answer(unsigned(&failure("40004", "NO_BILL_DATA"))).await;
    assert!(matches!(told, Err(BillError::Call(_))), "{told:?}");
    let told = answer(unsigned(&failure("40002", "isv.invalid-app-id"))).await;
    assert!(
        matches!(&told, Err(BillError::Refused(text)) if text.contains("invalid-app-id")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_download_that_is_not_answered_well_is_no_bill() {
    for template in [
        ResponseTemplate::new(404),
        ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/"),
        ResponseTemplate::new(502).set_body_bytes(trades(DETAIL, SUMMARY)),
    ] {
        let ground = Ground::new().await;
        ground.clock.advance(Duration::from_secs(25 * 3600));
        let url = format!("{}/downloadBillFile.resource", ground.url());
        ground.says(BILL_URL, &success(json!({ "bill_download_url": url })));
        ground.answers(FILE, template);
        let told = all(&ground).await;
        assert!(matches!(told, Err(BillError::Call(_))), "{told:?}");
    }
}

async fn funds(detail: &str, summary: &str) -> Result<Vec<FundRow>, BillError> {
    let names = (
        "20880000000000010156_20260301_账务明细.csv",
        "20880000000000010156_20260301_账务明细(汇总).csv",
    );
    let ground = ground(packed(&[(names.0, detail), (names.1, summary)])).await;
    let rows = ground.channel.bills().unwrap().funds(DAY).await?.unwrap();
    assert_eq!(ground.calls()[0].biz["bill_type"], "signcustomer");
    rows.collect::<Vec<_>>().await.into_iter().collect()
}

#[tokio::test]
async fn the_accounts_statement_tells_what_came_and_went() {
    let row = |no: &str, what: &str, amount_fen: i64, balance_fen: i64, time: &str| FundRow {
        no: no.to_owned(),
        cause_no: (no != "1003").then(|| "MT202603010830050001".to_owned()),
        what: what.to_owned(),
        amount_fen,
        balance_fen: Some(balance_fen),
        at: at(time),
    };
    let expected = vec![
        row("1001", "在线支付", 450, 10_450, "2026-03-01 08:30:06"),
        row("1002", "收费", -2, 10_448, "2026-03-01 08:30:06"),
        row("1003", "提现", -10_000, 448, "2026-03-01 20:00:00"),
    ];
    assert_eq!(funds(FUNDS, FUND_SUMMARY).await, Ok(expected.clone()));
    let unsummed: String = FUND_SUMMARY
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("合计"))
        .collect();
    assert_eq!(funds(FUNDS, &unsummed).await, Ok(expected));
}

#[tokio::test]
async fn a_statement_that_does_not_add_up_ends_unreadable() {
    let missing: String = FUNDS
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("1002"))
        .collect();
    for (detail, summary) in [
        (missing, FUND_SUMMARY.to_owned()),
        (
            FUNDS.replace("4.50,0.00,104.50", "4.60,0.00,104.50"),
            FUND_SUMMARY.to_owned(),
        ),
        (FUNDS.replace("104.48", "rich"), FUND_SUMMARY.to_owned()),
        (FUNDS.replace("共4.50元", "共4.51元"), FUND_SUMMARY.to_owned()),
        (FUNDS.to_owned(), FUND_SUMMARY.replace("合计\t,1", "合计\t,2")),
        (FUNDS.split_once("#---").unwrap().0.to_owned(), FUND_SUMMARY.to_owned()),
        (DETAIL.to_owned(), FUND_SUMMARY.to_owned()),
    ] {
        let answer = funds(&detail, &summary).await;
        assert!(is_unreadable(&answer), "{detail}: {answer:?}");
    }
}
