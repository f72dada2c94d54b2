use metropay_core::clock::Day;
use proptest::prelude::*;

use super::*;
use crate::bill::file::{MERCHANT, Row, error_line, payment, refund};

fn sheet() -> Sheet {
    Sheet {
        mer_id: MERCHANT.to_owned(),
        day: Day(20_250_301),
        check_totals: true,
    }
}

fn read(row: &Row) -> BillRow {
    trade(&row.line(), &sheet()).unwrap().row
}

fn china(text: &str) -> Time {
    Time::parse_china(text, "%Y%m%d%H%M%S").unwrap()
}

fn fen_of(amount: u64) -> Fen {
    Fen::new(amount).unwrap()
}

#[test]
fn the_columns_lie_where_the_reference_says() {
    for (column, at, width) in [
        (SENT_AT, 35, 10),
        (AMOUNT, 66, 12),
        (QUERY_ID, 87, 21),
        (ORDER_ID, 112, 32),
        (CARD_TYPE, 145, 2),
        (FEE, 166, 13),
        (SETTLED, 180, 13),
        (TXN_TYPE, 215, 2),
        (ORIGINAL_QUERY_ID, 271, 21),
        (MER_ID, 293, 15),
        (ECHO, 397, 32),
        (COUPON, 430, 13),
        (ORIGINAL_ORDER_ID, 476, 32),
    ] {
        assert_eq!((column.at, column.width), (at, width), "{}", column.name);
    }
    assert_eq!(TRADE.iter().sum::<usize>() + TRADE.len() - 1, 607);
    assert_eq!(ERROR.iter().sum::<usize>() + ERROR.len() - 1, 339);
}

#[test]
fn a_payment_is_named_by_our_number_and_unionpays() {
    let trade = trade(&payment().line(), &sheet()).unwrap();
    assert_eq!(
        trade.row,
        BillRow {
            kind: BillRowKind::Payment,
            state: BillRowState::Done,
            no: Some("MCP20250301123456000001".to_owned()),
            payment_no: "MCP20250301123456000001".to_owned(),
            channel_no: "102503011234560000018".to_owned(),
            movement_no: None,
            amount: fen_of(1280),
            coupon: Fen::ZERO,
            fee_milli_fen: 8_000,
            at: china("20250301123456"),
        }
    );
    assert_eq!((trade.fee_fen, trade.settled_fen), (8, 1272));
    assert_eq!((&trade.txn_type, &trade.card_type), (b"01", b"01"));
}

#[test]
fn a_refund_names_the_payment_where_the_file_does() {
    let row = read(&refund());
    assert_eq!(row.kind, BillRowKind::Refund);
    assert_eq!(row.no.as_deref(), Some("MCR20250301150000000001"));
    assert_eq!(row.payment_no, "MCP20250301123456000001");
    assert_eq!(row.channel_no, "102503011234560000018");
    assert_eq!(row.movement_no.as_deref(), Some("102503011500000000028"));
    assert_eq!((row.amount, row.fee_milli_fen), (fen_of(300), -2_000));
    // The older layout: what stands there is reserved, and only the echo of an undo tells the payment.
    let older = Row {
        original_order_id: "",
        ..refund()
    };
    assert_eq!(read(&older).payment_no, "");
    let undo = Row {
        txn_type: "31",
        echo: "P20250301123456789ABCDEFGHJKLM".to_owned(),
        ..older
    };
    let row = read(&undo);
    assert_eq!(row.kind, BillRowKind::Refund);
    assert_eq!(row.payment_no, "P20250301123456789ABCDEFGHJKLM");
}

#[test]
fn the_refund_behind_a_refused_undo_bears_the_reversals_number() {
    let row = Row {
        order_id: "W20250301123500000ABCDEFGHJKLM".to_owned(),
        ..refund()
    };
    assert_eq!(read(&row).no.as_deref(), Some("V20250301123500000ABCDEFGHJKLM"));
}

#[test]
fn transactions_that_we_never_send_are_other_rows() {
    for txn_type in ["02", "32", "99", ""] {
        let row = Row { txn_type, ..payment() };
        assert_eq!(read(&row).kind, BillRowKind::Other, "{txn_type}");
    }
}

#[test]
fn a_discount_is_the_coupons_part_whichever_way_it_points() {
    for coupon in ["C000000000100", "D000000000100"] {
        let coupon = coupon.to_owned();
        assert_eq!(read(&Row { coupon, ..payment() }).coupon, fen_of(100));
    }
}

#[test]
fn the_year_is_that_of_the_clearing_day_give_or_take_its_turn() {
    let of = |day: i32, sent_at: &str| {
        let sheet = Sheet {
            day: Day(day),
            ..sheet()
        };
        let sent_at = sent_at.to_owned();
        let row = Row { sent_at, ..payment() };
        trade(&row.line(), &sheet).unwrap().row.at
    };
    assert_eq!(of(20_260_101, "1231233000"), china("20251231233000"));
    assert_eq!(of(20_260_101, "0101120000"), china("20260101120000"));
    assert_eq!(of(20_251_231, "1231120000"), china("20251231120000"));
    assert_eq!(of(20_240_301, "0229235959"), china("20240229235959"));
}

#[test]
fn a_row_that_is_not_what_it_should_be_is_not_read() {
    let change = |change: fn(&mut Row)| {
        let mut row = payment();
        change(&mut row);
        row.line()
    };
    // A Chinese text of four bytes in GBK has six in UTF-8, and moves what stands behind it.
    let mut converted = payment().line();
    converted.splice(327..331, "商店".bytes());
    let mut holed = payment().line();
    holed[65] = b'0';
    for line in [
        Vec::new(),
        payment().line()[..606].to_vec(),
        payment().line()[1..].to_vec(),
        converted,
        holed,
        change(|row| row.mer_id = "700000000000002"),
        change(|row| row.mer_id = ""),
        change(|row| row.amount = "00000000128x".to_owned()),
        change(|row| row.amount = "-00000001280".to_owned()),
        change(|row| row.amount = "0000000012.8".to_owned()),
        change(|row| row.fee = "X000000000008".to_owned()),
        change(|row| row.fee = " 000000000008".to_owned()),
        change(|row| row.settled = "C00000000127x".to_owned()),
        change(|row| row.coupon = "D000000001281".to_owned()),
        change(|row| row.order_id = String::new()),
        change(|row| row.order_id = "MCP 1".to_owned()),
        change(|row| row.query_id = String::new()),
        change(|row| row.sent_at = "1301123456".to_owned()),
        change(|row| row.sent_at = "0230123456".to_owned()),
    ] {
        let refused = trade(&line, &sheet()).map(|trade| trade.row);
        assert!(matches!(refused, Err(BillError::Unreadable(_))), "{refused:?}");
    }
    let mut longer = payment().line();
    longer.extend(b" something newer");
    assert!(trade(&longer, &sheet()).is_ok(), "newer files may have more columns");
    let mut gbk = payment().line();
    gbk.splice(327..331, [0xc9, 0xcc, 0xb5, 0xea]);
    assert!(trade(&gbk, &sheet()).is_ok(), "Chinese in columns that we do not read");
}

#[test]
fn a_chargeback_is_for_a_person_to_look_at() {
    let row = error_row(&error_line("000000000500"), &sheet()).unwrap();
    assert_eq!(
        row,
        BillRow {
            kind: BillRowKind::Other,
            state: BillRowState::Done,
            no: None,
            payment_no: String::new(),
            channel_no: String::new(),
            movement_no: Some("0000090301160000".to_owned()),
            amount: fen_of(500),
            coupon: Fen::ZERO,
            fee_milli_fen: -3_000,
            at: china("20250301160000"),
        }
    );
    for line in [
        error_line("00000000050x"),
        error_line("000000000500")[..338].to_vec(),
        payment().line(),
    ] {
        assert!(error_row(&line, &sheet()).is_err());
    }
}

proptest! {
    #[test]
    fn no_bytes_upset_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
        let _ = (trade(&bytes, &sheet()), error_row(&bytes, &sheet()));
    }

    #[test]
    fn a_genuine_row_with_any_byte_in_it_is_read_or_refused(at in 0_usize..607, byte in any::<u8>()) {
        let mut line = payment().line();
        line[at] = byte;
        let _ = (trade(&line, &sheet()), error_row(&line, &sheet()));
    }

    #[test]
    fn a_row_is_read_as_it_was_written(
        amount in 1_u64..=999_999_999_999,
        fee in -999_999_999_999_i64..=999_999_999_999,
        order_id in "[0-9A-Z]{8,32}",
        second in 0_u32..86_400,
    ) {
        let sent_at = china("20250301000000").plus(std::time::Duration::from_secs(second.into()));
        let row = Row {
            amount: format!("{amount:012}"),
            fee: format!("{}{:012}", if fee >= 0 { 'D' } else { 'C' }, fee.unsigned_abs()),
            order_id: order_id.clone(),
            sent_at: sent_at.stamp()[4..].to_owned(),
            ..payment()
        };
        let read = read(&row);
        prop_assert_eq!(read.amount.get(), amount);
        prop_assert_eq!(read.fee_milli_fen, fee * 1_000);
        prop_assert_eq!(read.no, Some(own_number(&order_id)));
        prop_assert_eq!(read.at, sent_at);
    }
}
