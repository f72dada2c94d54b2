//! Notifications: of contracts, payments and refunds.

use std::sync::Arc;

use metropay_channel_kit::stub::{Event, Letter, deliver};
use metropay_channel_kit::{Act, Fault};
use serde_json::{Value, json};

use super::twist::{headers, twist};
use super::{Desk, wire};

/// Tells the merchant what happened, as the script allows.
pub(crate) async fn tell(desk: Arc<Desk>, event: Event) {
    let (account, no, url, content): (String, String, String, Value) = match &event {
        Event::Contract(contract) => (
            contract.account.clone(),
            contract.no.clone(),
            contract.notify_url.clone(),
            json!({ "contract": wire::contract(contract) }),
        ),
        Event::Paid(order) => (
            order.asked.account.clone(),
            order.asked.no.clone(),
            order.asked.notify_url.clone(),
            json!({ "order": wire::order(order) }),
        ),
        Event::Refunded(refund) => (
            refund.asked.account.clone(),
            refund.asked.no.clone(),
            refund.asked.notify_url.clone(),
            json!({ "refund": wire::refund(refund) }),
        ),
    };
    if url.is_empty() {
        return;
    }
    let faults = desk.stub.strikes(Act::Notify, &no);
    let mut said = content;
    said["merchant_no"] = json!(account);
    twist(&mut said, &faults);
    let mut times = 1;
    for fault in &faults {
        match fault {
            Fault::Late(wait) => tokio::time::sleep(*wait).await,
            Fault::Repeated(more) => times += more,
            _ => {}
        }
    }
    let body = said.to_string();
    for _ in 0..times {
        let write = || Letter {
            url: url.clone(),
            headers: headers(&desk, &account, ("NOTICE", ""), "notice", &body, &faults),
            body: body.clone(),
        };
        deliver(write, |status, body| status == 200 && body == "ok").await;
    }
}
