//! Reconciliation files: what is asked, and what each kind of answer becomes.

use std::time::Duration;

use futures::StreamExt;
use metropay_core::channel::{BillError, BillRow, BillRowKind, CallError};
use metropay_core::clock::Day;
use wiremock::ResponseTemplate;

use crate::answers::{FORGED, STRANGE};
use crate::file::{TRADES, content, error_line, payment, refund, text, zip};
use crate::gateway::{Fields, Stage, answer};

const DAY: Day = Day(20_250_301);

async fn stage(script: impl Fn(&Fields) -> ResponseTemplate + Send + Sync + 'static) -> Stage {
    let stage = Stage::new(script).await;
    stage.clock.set("20250302093000");
    stage
}

async fn rows(stage: &Stage, day: Day) -> Result<Vec<BillRow>, BillError> {
    let rows = stage.channel.bills().unwrap().trades(day).await?;
    rows.collect::<Vec<_>>().await.into_iter().collect()
}

fn file(asked: &Fields, content: &str) -> ResponseTemplate {
    let name = ("fileName", "700000000000001_20250301.zip");
    answer(
        asked,
        "00",
        &[
            name,
            ("fileContent", content),
            ("fileType", "00"),
            ("settleDate", "0301"),
        ],
    )
}

#[tokio::test]
async fn a_file_is_asked_for_as_vector_8_and_its_rows_are_handed_over() {
    let stage = stage(|asked| file(asked, vector!("v8.content"))).await;
    let rows = rows(&stage, DAY).await.unwrap();
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.kind, row.amount.get(), row.fee_milli_fen))
        .collect();
    assert_eq!(
        seen,
        [(BillRowKind::Payment, 1280, 8_000), (BillRowKind::Refund, 300, -2_000)]
    );
    let (path, fields) = stage.asked().await.remove(0);
    assert_eq!(path, "/filedownload/");
    let signed = fields.iter().filter(|(name, _)| *name != "signature");
    let sorted: Vec<_> = signed.map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(sorted.join("&"), vector!("v8.sorted"));
    assert_eq!(fields["signature"], vector!("v8.signature"));
}

#[tokio::test]
async fn files_lie_where_the_account_says() {
    let stage = Stage::with(
        |config| {
            let elsewhere = format!("{}/elsewhere/", config["base_url"].as_str().unwrap());
            config["file_url"] = elsewhere.into();
        },
        |asked| answer(asked, "98", &[]),
    )
    .await;
    assert_eq!(rows(&stage, DAY).await, Err(BillError::NotReady));
    assert_eq!(stage.asked().await[0].0, "/elsewhere/");
}

#[tokio::test]
async fn there_are_no_movements_of_funds() {
    let stage = stage(|asked| answer(asked, "98", &[])).await;
    assert!(matches!(stage.channel.bills().unwrap().funds(DAY).await, Ok(None)));
    assert!(stage.asked().await.is_empty());
}

#[tokio::test]
async fn every_code_of_the_table_says_not_ready_ask_again_or_refused() {
    let ask_again = ["02", "03", "04", "05", "06", "12", "34", "37", "42", "70", "74", "83"];
    let refused = [
        "01", "10", "11", "13", "14", "30", "31", "32", "33", "35", "36", "38", "39", "40", "41", "43", "44", "45",
        "60", "61", "62", "63", "64", "65", "66", "67", "68", "69", "71", "72", "73", "75", "76", "77", "78", "79",
        "80", "81", "82", "84", "90", "91", "92", "93", "94", "95", "96", "99", "ZZ",
    ];
    for code in ask_again.iter().chain(&refused).chain(&["98"]).copied() {
        let stage = stage(move |asked| answer(asked, code, &[])).await;
        let told = rows(&stage, DAY).await;
        let fits = match &told {
            Err(BillError::NotReady) => code == "98",
            Err(BillError::Call(CallError::MaybeDone(_))) => ask_again.contains(&code),
            Err(BillError::Refused(why)) => refused.contains(&code) && why.starts_with(code),
            _ => false,
        };
        assert!(fits, "{code}: {told:?}");
    }
}

#[tokio::test]
async fn whatever_is_not_a_believed_answer_is_no_file() {
    let of_another_day = |asked: &Fields| answer(asked, "98", &[("settleDate", "0302")]);
    let of_another_kind = |asked: &Fields| answer(asked, "98", &[("fileType", "01")]);
    let strange: &[(&str, crate::answers::Say)] = &[("another day", of_another_day), ("another type", of_another_kind)];
    // What is strange about an order or an amount cannot be strange here: a file has neither.
    let no_order = STRANGE
        .iter()
        .filter(|(name, _)| !["another order", "another amount"].contains(name));
    for (name, say) in FORGED.iter().chain(no_order).chain(strange) {
        let stage = stage(*say).await;
        let told = rows(&stage, DAY).await;
        assert!(
            matches!(told, Err(BillError::Call(CallError::MaybeDone(_)))),
            "{name}: {told:?}"
        );
    }
    let slow = stage(|asked| file(asked, vector!("v8.content")).set_delay(Duration::from_millis(900))).await;
    assert!(matches!(rows(&slow, DAY).await, Err(BillError::Call(_))));
    let large = stage(|_| ResponseTemplate::new(200).set_body_bytes(vec![b'a'; (4 << 20) + 1])).await;
    assert!(matches!(rows(&large, DAY).await, Err(BillError::Call(_))));
}

#[tokio::test]
async fn a_file_that_is_broken_or_about_something_else_is_unreadable() {
    let packed = |name: &str, bytes: &[u8]| content(&zip(&[(name, bytes)]));
    let row = text(&[payment().line()]);
    let cut = vector!("v8.content")[..200].to_owned();
    let others = [
        String::new(),
        "rubbish".to_owned(),
        cut,
        content(b"no zip"),
        packed("INN25030288ZM_700000000000001", &row),
        // The date has no year: last year's file would be of the same day.
        packed("INN24030188ZM_700000000000001", &row),
        packed("INN25030188ZM_700000000000002", &row),
        packed(TRADES, &row[..row.len() - 1]),
        packed(TRADES, b"<html>"),
    ];
    for other in others {
        let shown = other.chars().take(20).collect::<String>();
        let stage = stage(move |asked| file(asked, &other)).await;
        let told = rows(&stage, DAY).await;
        assert!(matches!(told, Err(BillError::Unreadable(_))), "{shown}: {told:?}");
    }
    let renamed = stage(|asked| {
        let name = ("fileName", "700000000000001_20240301.zip");
        answer(asked, "00", &[name, ("fileContent", vector!("v8.content"))])
    })
    .await;
    assert!(matches!(rows(&renamed, DAY).await, Err(BillError::Unreadable(_))));
    let unnamed = stage(|asked| answer(asked, "00", &[("fileContent", vector!("v8.content"))])).await;
    assert_eq!(rows(&unnamed, DAY).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_day_that_might_be_taken_for_another_years_is_not_asked_for() {
    let stage = stage(|asked| file(asked, vector!("v8.content"))).await;
    assert_eq!(rows(&stage, Day(20_250_303)).await, Err(BillError::NotReady));
    let old = rows(&stage, Day(20_240_301)).await;
    assert!(matches!(old, Err(BillError::Refused(_))), "{old:?}");
    assert!(stage.asked().await.is_empty());
}

#[tokio::test]
async fn a_chargeback_is_another_row_and_a_summary_at_odds_ends_them_where_it_is_checked() {
    let errors = text(&[error_line("000000000500")]);
    let trades = text(&[payment().line(), refund().line()]);
    let packed = content(&zip(&[
        (TRADES, &trades),
        ("INN25030188ZME_700000000000001", &errors),
        ("RD201025030101_700000000000001", b"3 25.60"),
    ]));
    for check in [true, false] {
        let packed = packed.clone();
        let stage = Stage::with(
            |config| config["check_bill_totals"] = check.into(),
            move |asked| file(asked, &packed),
        )
        .await;
        stage.clock.set("20250302093000");
        match rows(&stage, DAY).await {
            Ok(rows) => {
                assert!(!check);
                assert_eq!((rows.len(), rows[2].kind), (3, BillRowKind::Other));
            }
            Err(error) => assert!(check && error.to_string().contains("summary"), "{error}"),
        }
    }
}

#[tokio::test]
async fn several_thousand_rows_come_in_order() {
    let lines: Vec<Vec<u8>> = (0..5_000)
        .map(|n| {
            let order_id = format!("MCP{n:08}");
            crate::file::Row { order_id, ..payment() }.line()
        })
        .collect();
    let packed = content(&zip(&[(TRADES, &text(&lines))]));
    let stage = stage(move |asked| file(asked, &packed)).await;
    let rows = rows(&stage, DAY).await.unwrap();
    assert_eq!(rows.len(), 5_000);
    assert!(
        rows.iter()
            .enumerate()
            .all(|(n, row)| row.payment_no == format!("MCP{n:08}"))
    );
}
