//! The reconciliation file: read by code of the tests' own, byte by byte, and compared with the gateway's books.

use std::io::{Cursor, Read as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{NaiveDate, TimeDelta};
use flate2::read::ZlibDecoder;
use metropay_simulator::{Effect, MovementKind};
use serde_json::json;

use super::merchant::{Merchant, fields};
use super::verifier::{Fields, scan};

/// A line of the file ZM, by offset and width of the reference's table.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    order_id: String,
    query_id: String,
    txn_type: String,
    amount_fen: i64,
    fee_fen: i64,
    net_fen: i64,
    card: String,
    discount_fen: i64,
    original_query_id: String,
}

fn column(line: &[u8], offset: usize, width: usize) -> String {
    encoding_rs::GBK
        .decode(&line[offset..offset + width])
        .0
        .trim_end()
        .to_owned()
}

/// An amount with its direction: C is credit, D is debit.
fn directed(line: &[u8], offset: usize, width: usize) -> i64 {
    let text = column(line, offset, width);
    let value: i64 = text[1..].trim().parse().unwrap();
    if text.starts_with('D') { -value } else { value }
}

impl Line {
    fn read(line: &[u8]) -> Self {
        assert_eq!(line.len(), 607);
        Self {
            order_id: column(line, 112, 32),
            query_id: column(line, 87, 21),
            txn_type: column(line, 215, 2),
            amount_fen: column(line, 66, 12).parse().unwrap(),
            fee_fen: directed(line, 166, 13),
            net_fen: directed(line, 374, 13),
            card: column(line, 46, 19),
            discount_fen: directed(line, 430, 13),
            original_query_id: column(line, 271, 21),
        }
    }
}

/// The files in an archive, by name.
fn unpacked(content: &str) -> Vec<(String, Vec<u8>)> {
    let mut archive = Vec::new();
    ZlibDecoder::new(STANDARD.decode(content).unwrap().as_slice())
        .read_to_end(&mut archive)
        .unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut files = Vec::new();
    for n in 0..archive.len() {
        let mut file = archive.by_index(n).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        files.push((file.name().unwrap().into_owned(), content));
    }
    files
}

/// The file whose name holds this.
fn named<'a>(files: &'a [(String, Vec<u8>)], part: &str) -> &'a [u8] {
    let found = files.iter().find(|(name, _)| name.contains(part));
    &found.unwrap_or_else(|| panic!("{part} is missing")).1
}

fn lines(content: &str) -> Vec<Line> {
    let files = unpacked(content);
    let text = named(&files, "88ZM_");
    assert!(text.is_empty() || text.ends_with(b"\r\n"));
    text.chunks(609).map(|line| Line::read(&line[..607])).collect()
}

/// A merchant whose clearing day is young, and that day.
async fn early() -> (Merchant, NaiveDate) {
    let shop = Merchant::new().await;
    let now = shop.frame().clock.now();
    let noon = now.date_naive().succ_opt().unwrap().and_hms_opt(12, 0, 0).unwrap();
    let noon = noon.and_local_timezone(now.timezone()).unwrap();
    set_clock(&shop, noon.timestamp_millis());
    (shop, noon.date_naive())
}

fn set_clock(shop: &Merchant, at_ms: i64) {
    let machine_ms = shop.frame().clock.now_ms() - shop.frame().clock.offset_ms();
    shop.frame().clock.set_offset_ms(at_ms - machine_ms);
}

/// Puts the clock to this time of the day after.
fn next_day(shop: &Merchant, day: NaiveDate, hour: u32, minute: u32) {
    let at = (day + TimeDelta::days(1)).and_hms_opt(hour, minute, 0).unwrap();
    let at = at.and_local_timezone(shop.frame().clock.now().timezone()).unwrap();
    set_clock(shop, at.timestamp_millis());
}

fn request(shop: &Merchant, day: NaiveDate) -> Fields {
    let mut message = shop.message("76", "01", "000000");
    message.remove("orderId");
    message.remove("channelType");
    message.extend(fields(&[
        ("settleDate", &day.format("%m%d").to_string()),
        ("fileType", "00"),
    ]));
    shop.sign(message)
}

async fn fetch(shop: &Merchant, day: NaiveDate) -> Fields {
    let message = request(shop, day);
    let pairs: Vec<(&str, &str)> = message.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let (status, body) = shop.form("filedownload/", &pairs).await;
    assert_eq!(status, 200);
    shop.believed(&body)
}

#[tokio::test]
async fn the_file_of_a_day_is_what_the_books_say() {
    let (shop, day) = early().await;
    let (first, paid) = shop.pay(1280).await;
    let (_, undone) = shop.pay(2000).await;
    let (reversed, _) = shop.pay(4000).await;
    shop.change(json!({"discount_fen": 100}));
    let (discounted, _) = shop.pay(477).await;
    shop.change(json!({"discount_fen": 0}));
    let failing = shop.consumption(5);
    let code = "64".to_owned();
    shop.script("01", Effect::FailLater { ms: 5, code });
    shop.send(&failing).await;
    shop.decided(&failing).await;
    let refund = shop.giving_back("04", &paid["queryId"], 300);
    let undo = shop.giving_back("31", &undone["queryId"], 2000);
    for message in [&refund, &undo] {
        assert_eq!(shop.send(message).await["respCode"], "00");
        shop.decided(message).await;
    }
    shop.send(&shop.reversal(&reversed)).await;
    assert_eq!(fetch(&shop, day).await["respCode"], "98", "the day is not over");
    next_day(&shop, day, 8, 59);
    assert_eq!(fetch(&shop, day).await["respMsg"], "文件不存在[9898000]");
    next_day(&shop, day, 9, 0);
    shop.pay(1).await;
    let file = fetch(&shop, day).await;
    assert_eq!(
        file["fileName"],
        format!("{}_{}.zip", shop.mer_id, day.format("%Y%m%d"))
    );
    assert_eq!(
        (&file["settleDate"], file["fileType"].as_str()),
        (&paid["settleDate"], "00")
    );
    assert!(!file.contains_key("orderId"));

    let lines = lines(&file["fileContent"]);
    assert_eq!(lines.len(), 5, "{lines:?}");
    let of = |order: &Fields| lines.iter().find(|line| line.order_id == order["orderId"]).unwrap();
    let line = of(&first);
    assert_eq!((line.amount_fen, line.fee_fen, line.net_fen), (1280, -8, 1272));
    assert_eq!(
        (line.query_id.as_str(), line.card.as_str()),
        (paid["queryId"].as_str(), "621626******0018")
    );
    let line = of(&refund);
    assert_eq!((line.amount_fen, line.fee_fen, line.net_fen), (300, 2, -298));
    assert_eq!(
        (line.txn_type.as_str(), &line.original_query_id),
        ("04", &paid["queryId"])
    );
    assert_eq!((of(&undo).txn_type.as_str(), of(&undo).net_fen), ("31", -1988));
    assert_eq!(of(&discounted).discount_fen, 100);

    let end_ms = day.and_hms_opt(23, 0, 0).unwrap();
    let end_ms = end_ms
        .and_local_timezone(shop.frame().clock.now().timezone())
        .unwrap()
        .timestamp_millis();
    let moved: i64 = shop.books().iter().filter(|m| m.at_ms < end_ms).map(signed).sum();
    let gross: i64 = lines.iter().map(|line| line.net_fen - line.fee_fen).sum();
    assert_eq!(gross, moved, "the file is what the books say");
}

fn signed(movement: &metropay_simulator::Movement) -> i64 {
    let amount = i64::try_from(movement.amount_fen).unwrap();
    if movement.kind == MovementKind::Debit {
        amount
    } else {
        -amount
    }
}

#[tokio::test]
async fn what_is_paid_after_the_cut_stands_in_the_file_of_the_next_day() {
    let (shop, day) = early().await;
    let (_, paid) = shop.pay(1000).await;
    let cut = day.and_hms_opt(23, 0, 0).unwrap();
    let cut = cut.and_local_timezone(shop.frame().clock.now().timezone()).unwrap();
    set_clock(&shop, cut.timestamp_millis());
    let refund = shop.giving_back("04", &paid["queryId"], 1000);
    shop.send(&refund).await;
    let told = shop.decided(&refund).await;
    assert_ne!(told["settleDate"], paid["settleDate"]);
    next_day(&shop, day, 9, 30);
    assert_eq!(lines(&fetch(&shop, day).await["fileContent"]).len(), 1);
    next_day(&shop, day.succ_opt().unwrap(), 9, 30);
    let next = lines(&fetch(&shop, day.succ_opt().unwrap()).await["fileContent"]);
    assert_eq!((next.len(), next[0].txn_type.as_str()), (1, "04"));
}

#[tokio::test]
async fn a_file_has_its_summary_its_fee_and_its_layout() {
    let (shop, day) = early().await;
    shop.change(json!({"fee_rate": 38, "bill_ready": "17:00", "old_bill_layout": true}));
    let (_, paid) = shop.pay(10_000).await;
    let refund = shop.giving_back("04", &paid["queryId"], 10_000);
    shop.send(&refund).await;
    shop.decided(&refund).await;
    next_day(&shop, day, 16, 59);
    assert_eq!(fetch(&shop, day).await["respCode"], "98");
    next_day(&shop, day, 17, 0);
    let files = unpacked(&fetch(&shop, day).await["fileContent"]);
    let date = day.format("%y%m%d");
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            format!("INN{date}88ZM_{}", shop.mer_id),
            format!("RD2010{date}01_{}", shop.mer_id)
        ]
    );
    let rows = named(&files, "88ZM_");
    assert_eq!(Line::read(&rows[..607]).fee_fen, -38);
    assert_eq!(
        column(&rows[609..], 476, 131),
        "",
        "the older layout has no order number there"
    );
    let (summary, _, _) = encoding_rs::GBK.decode(named(&files, "RD2010"));
    assert!(summary.contains("消费 1 100.00 0.38 99.62"), "{summary}");
}

#[tokio::test]
async fn a_chargeback_stands_in_the_error_file_and_in_the_books() {
    let (shop, day) = early().await;
    let (order, paid) = shop.pay(1000).await;
    let wishes = [
        ("query_id", paid["queryId"].as_str()),
        ("amount", "500"),
        ("reason", "4515"),
    ];
    assert_eq!(shop.form("sim/chargeback", &wishes).await.0, 200);
    let too_much = [("query_id", paid["queryId"].as_str()), ("amount", "501")];
    assert_eq!(shop.form("sim/chargeback", &too_much).await.0, 400);
    let books = shop.books();
    assert_eq!(
        (books[1].kind, books[1].amount_fen, &books[1].payment_no),
        (MovementKind::Refund, 500, &order["orderId"])
    );
    next_day(&shop, day, 9, 30);
    let files = unpacked(&fetch(&shop, day).await["fileContent"]);
    let line = named(&files, "88ZME_");
    assert_eq!(line.len(), 341);
    assert_eq!(column(line, 66, 12), "000000000500");
    // Column 13 is the reason; before it stand 3+11+11+6+10+19+12+4+2+2+6+10 bytes and 12 blanks.
    assert_eq!(column(line, 108, 4), "4515");
    assert_eq!(named(&files, "88ZM_").len(), 609);
}

#[tokio::test]
async fn every_flaw_of_a_file_can_be_had() {
    let (shop, day) = early().await;
    let (first, _) = shop.pay(1000).await;
    let (second, _) = shop.pay(2000).await;
    next_day(&shop, day, 9, 30);
    let flawed = async |effect: Effect| {
        shop.script("76", effect);
        fetch(&shop, day).await
    };
    let told = || first["orderId"].clone();
    assert_eq!(flawed(Effect::BillNotReady).await["respCode"], "98");
    let empty = flawed(Effect::BillEmpty).await;
    assert_eq!(
        (empty["respCode"].as_str(), lines(&empty["fileContent"]).len()),
        ("00", 0)
    );
    let cut = unpacked(&flawed(Effect::BillTruncated).await["fileContent"]);
    assert_eq!(named(&cut, "88ZM_").len(), 2 * 609 - 300);
    assert_eq!(lines(&flawed(Effect::BillDoubled).await["fileContent"]).len(), 4);
    let left = lines(&flawed(Effect::BillRowMissing { order_no: told() }).await["fileContent"]);
    assert_eq!((left.len(), &left[0].order_id), (1, &second["orderId"]));
    let order_no = "NEVER20250301".to_owned();
    let more = lines(&flawed(Effect::BillRowExtra { order_no, fen: 77 }).await["fileContent"]);
    assert_eq!(
        (more.len(), more[2].order_id.as_str(), more[2].amount_fen),
        (3, "NEVER20250301", 77)
    );
    let order_no = told();
    let other = lines(&flawed(Effect::BillRowAmount { order_no, fen: 1001 }).await["fileContent"]);
    assert_eq!((other[0].amount_fen, other[0].net_fen), (1001, 995));
    let order_no = told();
    let other = lines(&flawed(Effect::BillRowFee { order_no, fen: 7 }).await["fileContent"]);
    assert_eq!((other[0].fee_fen, other[0].net_fen), (-7, 993));
    let other = lines(&flawed(Effect::BillRowState { order_no: told() }).await["fileContent"]);
    assert_eq!((other[0].txn_type.as_str(), other[0].net_fen), ("31", -994));
    assert_eq!(flawed(Effect::Refuse { code: "99".to_owned() }).await["respCode"], "99");
    let plain = lines(&fetch(&shop, day).await["fileContent"]);
    assert_eq!((plain[0].amount_fen, plain[1].amount_fen), (1000, 2000));
}

#[tokio::test]
async fn a_file_is_refused_without_a_day_and_to_whoever_cannot_sign() {
    let (shop, day) = early().await;
    let post = async |message: Fields| {
        let pairs: Vec<(&str, &str)> = message.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        shop.form("filedownload/", &pairs).await.1
    };
    let mut without = request(&shop, day);
    without.remove("settleDate");
    assert_eq!(
        scan(&post(without).await)["respMsg"],
        "[9100003]Mandatory field[settleDate] missed"
    );
    let mut altered = request(&shop, day);
    altered.insert("settleDate".to_owned(), "0101".to_owned());
    assert_eq!(scan(&post(altered).await)["respCode"], "11");
    let mut impossible = request(&shop, day);
    impossible.insert("settleDate".to_owned(), "1399".to_owned());
    assert_eq!(scan(&post(shop.sign(impossible)).await)["respCode"], "10");
    let mut nobody = request(&shop, day);
    nobody.remove("merId");
    assert_eq!(post(nobody).await, "Invalid request.");
    assert_eq!(fetch(&shop, day).await["respCode"], "98");
}
