//! Every reader of foreign bytes, for fuzzers and benchmarks. Not part of the interface.

use metropay_core::channel::{BillError, BillRow};
use metropay_core::clock::Time;

use crate::bill;
use crate::v3::{Aead, Envelope, Json, listed};
use crate::xml::Message;

const KEY: &str = "TESTONLYapiv3key0000000000000001";

/// Messages of APIv2.
pub fn message(data: &[u8]) {
    if let Ok(message) = Message::read(data, "xml") {
        let again = Message::read(&message.write(), "xml");
        assert!(
            again.is_ok() || message.pairs().next().is_none(),
            "what was read cannot be written"
        );
    }
}

/// Answers of APIv3 and of the user-information interface.
pub fn answer(data: &[u8]) {
    if let Some(json) = Json::read(data) {
        let _ = (
            json.text("/code"),
            json.fen("/amount/total"),
            json.time("/success_time"),
        );
    }
}

/// Notifications of APIv3.
pub fn envelope(data: &[u8]) {
    if let Some(key) = Aead::new(KEY) {
        let _ = Envelope::open(data, &key);
    }
}

/// Lists of platform certificates.
pub fn certificates(data: &[u8]) {
    if let (Some(json), Some(key)) = (Json::read(data), Aead::new(KEY)) {
        let _ = listed(&json, &key, Time(0));
    }
}

/// Trade bills.
pub fn trade_bill(data: &[u8]) {
    let _ = trades(data, &mut |_| true);
}

/// Fund-flow bills.
pub fn fund_bill(data: &[u8]) {
    let _ = bill::read_funds(data, &mut |_| true);
}

/// Hands over the rows of a trade bill of shop 1900012345 at provider 1900009999.
///
/// # Errors
/// [`BillError`] when it cannot be read to its end.
pub fn trades(data: impl std::io::Read, hand_over: &mut dyn FnMut(BillRow) -> bool) -> Result<(), BillError> {
    bill::read_trades(data, hand_over)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,\
        货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,\
        手续费,费率,订单金额,申请退款金额,费率备注";
    const SUMMARY: &str =
        "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";

    fn row(fen: u64, goods: &str) -> String {
        let yuan = format!("{}.{:02}", fen / 100, fen % 100);
        format!(
            "`2025-03-01 12:34:58,`wx,`1900009999,`1900012345,`,`42,`P{fen},`o,`PAP,`SUCCESS,`CMB,`CNY,`{yuan},`0.00,`0,`0,\
             `0.00,`0.00,`,`,`{goods},`,`0.08000,`0.60%,`{yuan},`0.00,`\r\n"
        )
    }

    fn bill(amounts: &[u64], goods: &str) -> String {
        let rows: Vec<String> = amounts.iter().map(|fen| row(*fen, goods)).collect();
        let sum: u64 = amounts.iter().sum();
        let sum = format!("{}.{:02}", sum / 100, sum % 100);
        let count = amounts.len();
        format!(
            "\u{feff}{HEADER}\r\n{}{SUMMARY}\r\n`{count},`{sum},`0.00,`0.00,`0.08000,`{sum},`0.00\r\n",
            rows.concat()
        )
    }

    proptest! {
        #[test]
        fn no_bytes_make_any_reader_fall(data in proptest::collection::vec(any::<u8>(), 0..600), text in "[<>{}\\[\\]\":,`a0-9\\r\\n]{0,200}") {
            for data in [&data[..], text.as_bytes()] {
                message(data);
                answer(data);
                envelope(data);
                certificates(data);
                trade_bill(data);
                fund_bill(data);
            }
            trade_bill(&[&[0x1f, 0x8b][..], &data].concat());
            trade_bill(&[HEADER.as_bytes(), b"\r\n", &data].concat());
            trade_bill(format!("{HEADER}\r\n`{text}\r\n{SUMMARY}\r\n`{text}").as_bytes());
        }

        #[test]
        fn a_bill_tells_its_rows_and_every_part_of_it_is_no_bill(
            amounts in proptest::collection::vec(1u64..1_000_000_000, 1..8),
            goods in "[^\\r\\n\\p{Cc}]{0,20}",
            cut in any::<prop::sample::Index>(),
        ) {
            let bill = bill(&amounts, &goods);
            let mut told = Vec::new();
            let read = trades(bill.as_bytes(), &mut |row| {
                told.push(row.amount.get());
                true
            });
            prop_assert_eq!(read, Ok(()));
            prop_assert_eq!(&told, &amounts);
            // Without its last cell and line end nothing is missing that could be noticed; of all else every byte is.
            let whole = bill.trim_end().len() - "`0.00".len();
            prop_assert!(trades(&bill.as_bytes()[..cut.index(whole)], &mut |_| true).is_err());
        }
    }
}
