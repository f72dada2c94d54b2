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
