//! Notifications of APIv3: the envelope, its sealed resource, and the signature in the headers, made anew for each try
//! (wechat reference, 5.6, 9.3 and 9.4).

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::account::{self, Account};
use super::super::credentials::{self, Credentials};
use super::super::order::Order;
use super::super::refund::{RECEIVED_BY, Refund, Status};
use super::super::{notify, number, order};
use super::answer::distort;
use super::codepay;
use super::signer::{Signer, Spoiled};
use super::{cipher, refund};
use crate::frame::{Frame, Gateway};
use crate::notice::{self, Notice};

/// Tells how a refund ended, where the merchant gave an address.
pub(in super::super) fn refunded(frame: &Arc<Frame>, refund: &Refund) {
    let Some(url) = refund.notify_url.clone() else { return };
    let (event, summary) = match refund.status {
        Status::Success => ("REFUND.SUCCESS", "退款成功"),
        Status::Change => ("REFUND.ABNORMAL", "退款异常"),
        Status::Closed => ("REFUND.CLOSED", "退款关闭"),
        Status::Processing => return,
    };
    let order = order::find(&frame.store.begin(), &order::key(&refund.mch_id, &refund.out_trade_no));
    let Some(order) = order else { return };
    let event = Event {
        kind: event,
        summary,
        original_type: "refund",
        resource: told(refund, &order),
    };
    send(frame, &refund.mch_id, &refund.out_refund_no, url, event);
}

/// Tells that a payment by code succeeded, where the account asked for what the real gateway does not do.
pub(in super::super) fn paid(frame: &Arc<Frame>, order: &Order) {
    let account = account::find(&frame.store.begin(), &order.mch_id);
    let Some(url) = account.and_then(|account| account.terms.transaction_notify_url) else {
        return;
    };
    let event = Event {
        kind: "TRANSACTION.SUCCESS",
        summary: "支付成功",
        original_type: "transaction",
        resource: codepay::told(order),
    };
    send(frame, &order.mch_id, &order.out_trade_no, url, event);
}

/// What happened, and what is told of it.
struct Event {
    kind: &'static str,
    summary: &'static str,
    original_type: &'static str,
    resource: Value,
}

impl Event {
    /// The envelope; a resource that a stranger sealed does not open.
    fn envelope(&self, key: &str, nonce: &str, id: &str, created_at_ms: i64) -> Value {
        let plain = self.resource.to_string();
        let sealed = cipher::seal(key, nonce, self.original_type, plain.as_bytes());
        json!({
            "id": id,
            "create_time": number::rfc3339(created_at_ms),
            "resource_type": "encrypt-resource",
            "event_type": self.kind,
            "summary": self.summary,
            "resource": {
                "original_type": self.original_type,
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": sealed.unwrap_or_default(),
                "associated_data": self.original_type,
                "nonce": nonce,
            },
        })
    }
}

fn told(refund: &Refund, order: &Order) -> Value {
    let mut resource = match &refund.sub_mch_id {
        Some(sub_mch_id) => json!({"sp_mchid": refund.mch_id, "sub_mchid": sub_mch_id}),
        None => json!({"mchid": refund.mch_id}),
    };
    resource["out_trade_no"] = json!(refund.out_trade_no);
    resource["transaction_id"] = json!(refund.transaction_id);
    resource["out_refund_no"] = json!(refund.out_refund_no);
    resource["refund_id"] = json!(refund.refund_id);
    resource["refund_status"] = json!(refund::word(refund.status));
    if let Some(at_ms) = refund.succeeded_at_ms {
        resource["success_time"] = json!(number::rfc3339(at_ms));
    }
    resource["user_received_account"] = json!(refund.paid_out_to.as_deref().unwrap_or(RECEIVED_BY));
    resource["amount"] = json!({
        "total": refund.total_fee,
        "refund": refund.refund_fee,
        "payer_total": order.cash_fee(),
        "payer_refund": refund.cash_fee(),
    });
    resource
}

fn send(frame: &Arc<Frame>, mch_id: &str, order_no: &str, url: String, mut event: Event) {
    let tx = frame.store.begin();
    let (account, credentials) = (account::find(&tx, mch_id), credentials::find(&tx, mch_id));
    drop(tx);
    let (Some(account), Some(credentials)) = (account, credentials) else {
        return;
    };
    distort(&mut event.resource, &notify::wrong_content(frame, order_no));
    let body = event.envelope(
        &credentials.api_v3_key,
        &number::token()[..12],
        &format!("EV-{}", &number::token()[..28]),
        frame.clock.now_ms(),
    );
    let body = body.to_string().into_bytes();
    let notice = Notice {
        gateway: Gateway::Wechat,
        order_no: order_no.to_owned(),
        url,
        content_type: "application/json",
        body: Box::new(move |_| body.clone()),
        acknowledged,
        schedule_s: notify::REFUND_SCHEDULE_S,
    };
    let headers = signature(frame, account, credentials, order_no.to_owned());
    notice::send_with(frame, notice, headers);
}

fn signature(frame: &Arc<Frame>, account: Account, credentials: Credentials, seed: String) -> notice::Headers {
    let frame = Arc::downgrade(frame);
    Box::new(move |body, forged| {
        let Some(frame) = frame.upgrade() else {
            return Vec::new();
        };
        let signer = Signer::of_notice(&frame, &account, &credentials, &seed);
        let spoiled = if forged { Spoiled::Forged } else { Spoiled::No };
        signer.headers(body, frame.clock.now_ms(), spoiled)
    })
}

/// 200 and 204 acknowledge, whatever the body says (wechat reference, 9.2).
fn acknowledged(status: u16, _answer: &[u8]) -> bool {
    matches!(status, 200 | 204)
}

#[cfg(test)]
mod tests {
    use super::super::super::vectors as v2;
    use super::super::vectors;
    use super::*;

    #[test]
    fn a_refund_is_told_as_in_c18() {
        let mut resource = told(&v2::refund(), &v2::order());
        resource["user_received_account"] = json!("招商银行借记卡0403");
        assert_eq!(resource, vectors::json("C18-plain"));
        let event = Event {
            kind: "REFUND.SUCCESS",
            summary: "退款成功",
            original_type: "refund",
            resource,
        };
        let id = "EV-20250301150006000000000001";
        let mut envelope = event.envelope(vectors::V3_KEY, "c18nonce0001", id, 1_740_812_406_000);
        let mut given = vectors::json("C18");
        // The order of the fields within the resource is nobody's promise, so what is sealed may differ.
        for message in [&mut envelope, &mut given] {
            message["resource"]["ciphertext"] = Value::Null;
        }
        assert_eq!(envelope, given);
    }

    #[test]
    fn every_2xx_that_the_reference_names_acknowledges() {
        assert!(acknowledged(200, b"") && acknowledged(204, b"") && acknowledged(200, b"anything"));
        assert!(!acknowledged(202, b"") && !acknowledged(500, b"{}") && !acknowledged(0, b""));
    }
}
