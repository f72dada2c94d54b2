//! `refundquery` (wechat reference, 5.3).

use std::sync::Arc;

use super::answer::Failure;
use super::number;
use super::operation::{Carrier, Family, Form, Operation, Signing, may};
use super::order::{self, Order};
use super::refund::{RECEIVED_BY, Refund, coupon, find, find_by_id, key};
use super::request::Call;
use super::xml::Fields;
use crate::frame::Frame;

/// Refunds in one answer of `refundquery`.
const PAGE_LEN: usize = 10;

/// `/pay/refundquery`.
pub(super) static REFUNDQUERY: Operation = Operation {
    name: "refundquery",
    family: Family::RefundQuery,
    carrier: Carrier::Post,
    signing: Signing::Md5,
    has_nonce: true,
    is_closed: false,
    is_certified: false,
    bad_field_code: "PARAM_ERROR",
    rules: &[
        may("refund_id", Form::Id(32)),
        may("out_refund_no", Form::RefundNo),
        may("transaction_id", Form::Id(32)),
        may("out_trade_no", Form::TradeNo),
        may("offset", Form::Digits(4)),
    ],
    act: ask,
};

fn ask(frame: &Arc<Frame>, call: &Call) -> Result<Fields, Failure> {
    let tx = frame.store.begin();
    let fields = &call.fields;
    let by_id = fields.get("refund_id").map(|id| find_by_id(&tx, id));
    let by_number = || {
        fields
            .get("out_refund_no")
            .map(|number| find(&tx, &key(&call.account.mch_id, number)))
    };
    let missing = || Failure::of("REFUNDNOTEXIST");
    let (order, refunds) = match by_id.or_else(by_number) {
        Some(found) => {
            let refund = found
                .filter(|refund| refund.mch_id == call.account.mch_id)
                .ok_or_else(missing)?;
            let order = order::find(&tx, &order::key(&refund.mch_id, &refund.out_trade_no)).ok_or_else(missing)?;
            (order, vec![refund])
        }
        None => {
            let order = order::named(&tx, call).map_err(|failure| match failure.code.as_str() {
                "ORDERNOTEXIST" => missing(),
                _ => failure,
            })?;
            let refunds = order
                .refunds
                .iter()
                .filter_map(|number| find(&tx, &key(&order.mch_id, number)))
                .collect();
            (order, refunds)
        }
    };
    if refunds.is_empty() || order.sub_mch_id.as_deref() != call.sub_mch_id() {
        return Err(missing());
    }
    let offset = fields.get("offset").and_then(|offset| offset.parse().ok()).unwrap_or(0);
    Ok(told(&order, &refunds, offset))
}

fn told(order: &Order, refunds: &[Refund], offset: usize) -> Fields {
    let page = refunds.iter().skip(offset).take(PAGE_LEN);
    let mut answer = Fields::new();
    answer.put_some("transaction_id", order.transaction_id.as_deref());
    answer.put("out_trade_no", &order.out_trade_no);
    answer.put("total_fee", order.total_fee.to_string());
    answer.put("fee_type", "CNY");
    answer.put("cash_fee", order.cash_fee().to_string());
    answer.put("refund_count", page.len().to_string());
    if refunds.len() > PAGE_LEN {
        answer.put("total_refund_count", refunds.len().to_string());
    }
    for (n, refund) in page.enumerate() {
        answer.put(format!("out_refund_no_{n}"), &refund.out_refund_no);
        answer.put(format!("refund_id_{n}"), &refund.refund_id);
        answer.put(format!("refund_fee_{n}"), refund.refund_fee.to_string());
        if refund.coupon_fee > 0 {
            answer.put(format!("coupon_refund_fee_{n}"), refund.coupon_fee.to_string());
            answer.put(format!("coupon_refund_count_{n}"), "1");
        }
        for (name, value) in coupon(refund, &format!("_{n}")) {
            answer.put(name, value);
        }
        answer.put(format!("refund_status_{n}"), refund.status.word());
        answer.put(format!("refund_account_{n}"), &refund.account);
        // Until the money is back nobody can say where it went (C25).
        let received_by = refund.succeeded_at_ms.map_or("", |_| RECEIVED_BY);
        answer.put(format!("refund_recv_accout_{n}"), received_by);
        if let Some(at_ms) = refund.succeeded_at_ms {
            answer.put(format!("refund_channel_{n}"), "ORIGINAL");
            answer.put(format!("refund_success_time_{n}"), number::spaced_time(at_ms));
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::super::refund::Status;
    use super::super::sign::{SignType, sign};
    use super::super::{vectors, xml};
    use super::*;

    #[test]
    fn two_refunds_one_with_a_coupon_are_told_as_in_c25() {
        let order = Order {
            coupon_fee: 50,
            ..vectors::order()
        };
        let first = Refund {
            coupon_fee: 50,
            ..vectors::refund()
        };
        let second = Refund {
            out_refund_no: "MCR20250301150200000000000000002".to_owned(),
            refund_id: "50300000002025030100000000002".to_owned(),
            refund_fee: 200,
            status: Status::Processing,
            succeeded_at_ms: None,
            ..vectors::refund()
        };
        let mut answer = told(&order, &[first, second], 0);
        let given = xml::read(vectors::wire("C25"), "xml").unwrap();
        for name in [
            "return_code",
            "return_msg",
            "result_code",
            "appid",
            "mch_id",
            "sub_mch_id",
            "nonce_str",
        ] {
            answer.put_some(name, given.get(name));
        }
        // The vector leaves these optional fields out.
        let answer = answer
            .without("fee_type")
            .without("refund_account_0")
            .without("refund_account_1");
        assert!(answer.holds("refund_recv_accout_1") && answer.get("refund_recv_accout_1").is_none());
        assert_eq!(
            given.get("sign"),
            Some(sign(&answer, vectors::KEY, SignType::Md5).as_str())
        );
    }
}
