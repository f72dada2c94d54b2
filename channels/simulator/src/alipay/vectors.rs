//! The vectors of the alipay reference, section 2, for the tests of this room.

use super::charset::Charset;
use super::parts::Parts;
use super::trade::{Status, Trade};

/// The text of a vector.
pub(super) fn vector(name: &str) -> &'static str {
    let text = include_str!("vectors.txt");
    let (_, rest) = text
        .split_once(&format!("\n## {name}\n"))
        .expect("a vector of this name");
    rest.split("\n## ").next().unwrap_or_default().trim()
}

/// A moment of the vectors, given in China time.
pub(super) fn at(china_time: &str) -> i64 {
    let time = chrono::DateTime::parse_from_rfc3339(&format!("{china_time}+08:00"));
    time.expect("a time like 2026-03-01T08:30:05").timestamp_millis()
}

/// The trade of T1, T3 and T7, paid.
pub(super) fn paid_trade() -> Trade {
    Trade {
        app_id: "2021000000000001".to_owned(),
        auth_app_id: None,
        seller_id: "2088000000000001".to_owned(),
        out_trade_no: "MT202603010830050001".to_owned(),
        trade_no: "2026030122001400001400000001".to_owned(),
        subject: "地铁便利店 消费码".to_owned(),
        body: None,
        product_code: "GENERAL_WITHHOLDING".to_owned(),
        agreement_no: None,
        external_agreement_no: None,
        auth_code: None,
        awaits_password: false,
        store_id: None,
        operator_id: None,
        store_name: Some("3号线\"sign\"{A口}".to_owned()),
        terminal_id: None,
        passback_params: None,
        charset: Charset::Utf8,
        notify_url: None,
        buyer_user_id: "2088000000000099".to_owned(),
        buyer_logon_id: "159****5620".to_owned(),
        fund_channel: "ALIPAYACCOUNT".to_owned(),
        parts: Parts {
            own_fen: 350,
            coupon_fen: 100,
            ..Parts::default()
        },
        vouchers: Vec::new(),
        status: Status::TradeSuccess,
        created_ms: at("2026-03-01T08:30:05"),
        expires_ms: at("2026-03-16T08:30:05"),
        fee_rate: 60,
        refund_window_s: 3_600,
        paid_ms: Some(at("2026-03-01T08:30:06")),
        closed_ms: None,
        pending: None,
        async_mode: None,
        unpaid_reason: None,
        cancel_action: None,
        paid_after_cancel_ms: None,
        refunded: Parts::default(),
        refunding_fen: 0,
    }
}
