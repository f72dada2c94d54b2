//! Messages to the app's gateway in the second style: 蚂蚁消息 (alipay reference, 9.4).

use serde_json::json;

use super::account::Account;
use super::desk::Desk;
use super::money::yuan;
use super::notify::{self, Letter};
use super::refund::Refund;
use super::trade::{Trade, moment};

/// Tells the app's gateway that the bank took a refund's card part back.
pub(super) fn deposit_back(desk: &mut Desk<'_>, account: &Account, trade: &Trade, refund: &Refund) {
    let Some(url) = account.terms.app_gateway_url.clone() else {
        return;
    };
    let time = refund.done_ms.map(moment).unwrap_or_default();
    let content = json!({
        "trade_no": trade.trade_no,
        "out_trade_no": trade.out_trade_no,
        "out_request_no": refund.number,
        "dback_status": "S",
        "dback_amount": yuan(refund.parts.own_fen),
        "bank_ack_time": time,
        "est_bank_receipt_time": time,
    });
    let pairs = vec![
        ("app_id", account.app_id.clone()),
        ("charset", "UTF-8".to_owned()),
        ("msg_method", "alipay.trade.refund.depositback.completed".to_owned()),
        ("notify_id", notify::new_id(desk)),
        ("sign_type", "RSA2".to_owned()),
        ("utc_timestamp", desk.now_ms.to_string()),
        ("version", "1.1".to_owned()),
        ("biz_content", content.to_string()),
    ];
    desk.send(Letter::new(account, &refund.number, url, pairs));
}
