//! What reads bytes from outside, for the fuzzer: one function a parser. None of them may ever panic.

use std::io::Cursor;

use metropay_core::clock::{Day, Time};

use crate::bill::archive;
use crate::bill::detail::{self, Expected};
use crate::bill::fund::Funds;
use crate::bill::trade::Trades;
use crate::certificate;
use crate::node::{Envelope, Node};
use crate::notice::Notice;

/// An answer's outer object and its node.
pub fn answer(data: &[u8]) {
    if let Ok(envelope) = Envelope::read(data, "alipay_trade_pay_response") {
        let _ = Node::read(envelope.node).map(|node| (node.text("code"), node.fen("total_amount")));
    }
}

/// A node by itself, with a list in it.
pub fn node(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(node) = Node::read(&text) {
        let _ = node.raw("fund_bill_list").map(Node::list);
    }
}

/// A notification's form.
pub fn notice(data: &[u8]) {
    if let Ok(notice) = Notice::read(data) {
        let _ = (
            notice.text("biz_content"),
            notice.fen("total_amount"),
            notice.time("gmt_payment"),
        );
    }
}

/// Certificates in a file.
pub fn certificates(data: &[u8]) {
    for der in certificate::blocks(&String::from_utf8_lossy(data)) {
        let _ = certificate::read(&der).map(|read| (certificate::sn(&read), certificate::key(&read)));
    }
    let _ = certificate::read(data).map(|read| (certificate::sn(&read), certificate::key(&read)));
}

fn expected() -> Expected {
    let day = Time::parse_china("2026-03-01 00:00:00", "%Y-%m-%d %H:%M:%S").map_or(Day(20_260_301), Time::day);
    Expected {
        day,
        pid: Some("2088000000000001".to_owned()),
    }
}

/// The text of a bill of trades.
pub fn trades(data: &[u8]) {
    let _ = detail::read::<Trades>(data, None, &expected(), &mut |_| true);
}

/// The text of an account's statement.
pub fn funds(data: &[u8]) {
    let _ = detail::read::<Funds>(data, None, &expected(), &mut |_| true);
}

/// A bill's archive, in memory.
pub fn bill_archive(data: &[u8]) {
    let _ = archive::read::<Trades, _>(Cursor::new(data), &expected(), &mut |_| true);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [fn(&[u8]); 7] = [answer, node, notice, certificates, trades, funds, bill_archive];

    /// Texts that are nearly bills: their words in any order.
    fn nearly() -> impl Strategy<Value = String> {
        let words = prop_oneof![
            Just("#业务明细列表\n"),
            Just("#----业务明细列表结束----\n"),
            Just("#账号：[20880000000000010156]\n"),
            Just("#起始日期：[2026年03月01日 00:00:00]\n"),
            Just("#交易合计：1笔，商家实收共4.50元\n"),
            Just(
                "支付宝交易号,商户订单号,业务类型,商品名称,完成时间,订单金额（元）,商家实收（元）,退款批次号/请求号,服务费（元）\n"
            ),
            Just("1\t,2\t,交易\t,水,2026-03-01 08:30:06,4.50,4.50,,-0.02\n"),
            Just("1,2,退款,a,b,2026-03-01 08:30:06,-4.50,-4.50,3,0\n"),
            Just(",,,\n"),
            Just("\r\n"),
            Just("合计"),
        ];
        prop::collection::vec(words, 0..12).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_parser_stumble(data in prop::collection::vec(any::<u8>(), 0..400)) {
            for parser in ALL {
                parser(&data);
            }
        }

        #[test]
        fn no_text_makes_a_parser_stumble(text in r#"\PC{0,200}|[\[\]{}",:=&%\\0-9a-z]{0,200}"#) {
            for parser in ALL {
                parser(text.as_bytes());
            }
        }

        #[test]
        fn what_is_nearly_a_bill_makes_none_stumble(text in nearly()) {
            let (bytes, ..) = encoding_rs::GB18030.encode(&text);
            trades(&bytes);
            funds(&bytes);
        }
    }
}
