use std::io::Cursor;

use metropay_core::channel::BillRowKind;
use metropay_core::clock::Day;
use proptest::prelude::*;

use super::*;
use crate::bill::file::{MERCHANT, TRADES, content, error_line, payment, refund, text, zip};

const ERRORS: &str = "INN25030188ZME_700000000000001";
const SUMMARY: &str = "RD201025030101_700000000000001";
const VECTOR: &str = include_str!("../../../tests/vectors/v8.content");

fn sheet() -> Sheet {
    Sheet {
        mer_id: MERCHANT.to_owned(),
        day: Day(20_250_301),
        check_totals: true,
    }
}

fn all(zip: impl Read + Seek, sheet: &Sheet) -> Result<Vec<BillRow>, BillError> {
    let mut rows = Vec::new();
    read(zip, sheet, &mut |row| {
        rows.push(row);
        true
    })?;
    Ok(rows)
}

fn rows(entries: &[(&str, &[u8])]) -> Result<Vec<BillRow>, BillError> {
    all(Cursor::new(zip(entries)), &sheet())
}

fn refused(rows: Result<Vec<BillRow>, BillError>) -> String {
    match rows {
        Err(BillError::Unreadable(why)) => why,
        other => panic!("should be unreadable: {other:?}"),
    }
}

fn gbk(text: &str) -> Vec<u8> {
    GBK.encode(text).0.into_owned()
}

#[test]
fn vector_8_is_opened_and_its_rows_are_read() {
    let rows = all(unpack(VECTOR).unwrap(), &sheet()).unwrap();
    let kinds: Vec<_> = rows.iter().map(|row| (row.kind, row.amount.get())).collect();
    assert_eq!(kinds, [(BillRowKind::Payment, 1280), (BillRowKind::Refund, 300)]);
    assert_eq!(rows[1].payment_no, rows[0].payment_no);
    // The rows that these tests make are the vector's, byte for byte.
    let mut vector = ZipArchive::new(unpack(VECTOR).unwrap()).unwrap();
    let mut bytes = Vec::new();
    vector.by_name(TRADES).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, text(&[payment().line(), refund().line()]));
}

#[test]
fn chargebacks_come_behind_the_transactions_and_other_entries_do_not_matter() {
    let rows = rows(&[
        (ERRORS, &text(&[error_line("000000000500")])),
        ("PED25030188_700000000000001", b"whatever"),
        ("readme", b""),
        (TRADES, &text(&[payment().line()])),
    ])
    .unwrap();
    let kinds: Vec<_> = rows.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, [BillRowKind::Payment, BillRowKind::Other]);
}

#[test]
fn a_day_without_any_transaction_is_a_list_without_rows() {
    assert_eq!(rows(&[(TRADES, b"")]), Ok(Vec::new()));
    assert_eq!(rows(&[(ERRORS, b"")]), Ok(Vec::new()));
}

#[test]
fn what_is_cut_off_at_any_layer_is_unreadable() {
    let trades = text(&[payment().line(), refund().line()]);
    // In the rows: within one, or before an end of line.
    for kept in [1, 606, 607, 608, 700, 1217] {
        assert!(refused(rows(&[(TRADES, &trades[..kept])])).contains("row"), "{kept}");
    }
    // In the zip.
    let whole = zip(&[(TRADES, &trades)]);
    for kept in [0, 1, 30, whole.len() / 2, whole.len() - 1] {
        refused(all(Cursor::new(&whole[..kept]), &sheet()));
    }
    // In the zlib stream and its Base64.
    let length = VECTOR.len();
    for kept in [0, 4, 8, 100, length - 8, length - 4, length - 1] {
        assert!(unpack(&VECTOR[..kept]).is_err(), "{kept}");
    }
    assert!(unpack(&VECTOR.replace('/', "!")).is_err());
    assert!(unpack("bm8gemxpYg==").is_err());
}

#[test]
fn a_byte_that_changed_in_the_zip_does_not_pass_its_checksum() {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file(TRADES, options).unwrap();
    std::io::Write::write_all(&mut zip, &text(&[payment().line()])).unwrap();
    let stored = zip.finish().unwrap().into_inner();
    assert_eq!(all(Cursor::new(&stored), &sheet()).unwrap().len(), 1);
    let mut changed = stored;
    let at = changed.windows(12).position(|bytes| bytes == b"000000001280").unwrap();
    changed[at + 11] = b'1';
    refused(all(Cursor::new(changed), &sheet()));
}

#[test]
fn entries_of_another_day_or_merchant_and_files_without_a_list_are_refused() {
    for (name, why) in [
        ("INN25030288ZM_700000000000001", "day"),
        ("INN24030188ZM_700000000000001", "day"),
        ("INN25030188ZM_700000000000002", "merchant"),
        ("INN25030188ZME_700000000000002", "merchant"),
        ("RD201025030201_700000000000001", "day"),
        ("RD201025030101_700000000000002", "merchant"),
        ("INN25030188XX_700000000000001", "list"),
        ("INN", "list"),
        ("INN商店商店商店ZM_", "list"),
    ] {
        let why_not = refused(rows(&[(name, &text(&[payment().line()]))]));
        assert!(why_not.contains(why), "{name}: {why_not}");
    }
    refused(rows(&[]));
    let many: Vec<String> = (0..65).map(|n| format!("entry{n}")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert!(refused(rows(&many)).contains("too many"));
    refused(rows(&[(TRADES, &[b'x'; 10_000])]));
}

#[test]
fn a_summary_that_does_not_agree_ends_the_rows() {
    let trades = text(&[payment().line(), refund().line()]);
    let agrees = gbk("交易类型 笔数 金额 手续费 净额\r\n消费 1 12.80 0.08 12.72\r\n退货 1 3.00 0.02 2.98\r\n");
    assert_eq!(rows(&[(SUMMARY, &agrees), (TRADES, &trades)]).unwrap().len(), 2);
    let other = gbk("消费 2 25.60 0.16 25.44\r\n退货 1 3.00 0.02 2.98\r\n");
    let why = refused(rows(&[(SUMMARY, &other), (TRADES, &trades)]));
    assert!(why.contains("summary"), "{why}");
    let long = vec![b'1'; (1 << 20) + 1];
    refused(rows(&[(SUMMARY, &long), (TRADES, &trades)]));
    let unchecked = Sheet {
        check_totals: false,
        ..sheet()
    };
    let zip = Cursor::new(zip(&[(SUMMARY, &other), (TRADES, &trades)]));
    assert_eq!(all(zip, &unchecked).unwrap().len(), 2);
}

#[test]
fn reading_stops_when_nobody_takes_rows_any_more() {
    let trades = text(&vec![payment().line(); 10]);
    let mut taken = 0;
    let zip = Cursor::new(zip(&[(TRADES, &trades), (ERRORS, b"rubbish")]));
    let ended = read(zip, &sheet(), &mut |_| {
        taken += 1;
        taken < 3
    });
    assert_eq!((ended, taken), (Ok(()), 3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_upset_the_readers(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = all(Cursor::new(&bytes), &sheet());
        let _ = unpack(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_genuine_zip_with_any_byte_in_it_is_read_or_refused(at in 0_usize..400, byte in any::<u8>()) {
        let mut bytes = zip(&[(TRADES, &text(&[payment().line()])), (ERRORS, b"")]);
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = all(Cursor::new(bytes), &sheet());
    }

    #[test]
    fn what_is_packed_is_unpacked(count in 0_usize..20) {
        let packed = content(&zip(&[(TRADES, &text(&vec![payment().line(); count]))]));
        prop_assert_eq!(all(unpack(&packed).unwrap(), &sheet()).unwrap().len(), count);
    }
}
