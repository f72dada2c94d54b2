//! `secapi/pay/refund` (wechat reference, 5.2). The judging and filing is [`super::refund_judge`]'s.

use std::sync::Arc;

use super::answer::Failure;
use super::operation::{Carrier, Family, Form, Operation, Signing, may, must};
use super::order::{Named, Order};
use super::refund::{Refund, Version, coupon};
use super::refund_judge::Filing;
use super::request::Call;
use super::xml::Fields;
use crate::frame::Frame;

/// `/secapi/pay/refund`.
pub(super) static REFUND: Operation = Operation {
    name: "refund",
    family: Family::Refund,
    carrier: Carrier::Post,
    signing: Signing::Md5,
    has_nonce: true,
    is_closed: false,
    is_certified: true,
    bad_field_code: "PARAM_ERROR",
    rules: &[
        may("transaction_id", Form::Id(32)),
        may("out_trade_no", Form::TradeNo),
        must("out_refund_no", Form::RefundNo),
        must("total_fee", Form::Amount),
        must("refund_fee", Form::Amount),
        may("refund_fee_type", Form::OneOf(&["CNY"])),
        may("refund_desc", Form::Text(80)),
        may(
            "refund_account",
            Form::OneOf(&["REFUND_SOURCE_UNSETTLED_FUNDS", "REFUND_SOURCE_RECHARGE_FUNDS"]),
        ),
        may("notify_url", Form::NotifyUrl),
    ],
    act: file,
};

fn file(frame: &Arc<Frame>, call: &Call) -> Result<Fields, Failure> {
    let filing = Filing {
        account: &call.account,
        names: Named {
            mch_id: &call.account.mch_id,
            sub_mch_id: call.sub_mch_id(),
            transaction_id: call.fields.get("transaction_id"),
            out_trade_no: call.fields.get("out_trade_no"),
        },
        sub_appid: call.sub_appid().map(str::to_owned),
        out_refund_no: call.field("out_refund_no").to_owned(),
        total_fee: call.amount("total_fee"),
        refund_fee: call.amount("refund_fee"),
        funds: call
            .text("refund_account")
            .unwrap_or_else(|| "REFUND_SOURCE_UNSETTLED_FUNDS".to_owned()),
        notify_url: call.text("notify_url"),
        reason: call.text("refund_desc"),
        version: Version::V2,
        effects: &call.effects,
        now_ms: call.now_ms,
    };
    let (refund, order) = filing.file(frame)?;
    Ok(filed(&refund, &order))
}

/// The answer to filing: filed, not refunded.
fn filed(refund: &Refund, order: &Order) -> Fields {
    let mut answer = Fields::new();
    answer.put("transaction_id", &refund.transaction_id);
    answer.put("out_trade_no", &refund.out_trade_no);
    answer.put("out_refund_no", &refund.out_refund_no);
    answer.put("refund_id", &refund.refund_id);
    answer.put("refund_fee", refund.refund_fee.to_string());
    answer.put("total_fee", refund.total_fee.to_string());
    answer.put("cash_fee", order.cash_fee().to_string());
    answer.put("cash_refund_fee", refund.cash_fee().to_string());
    answer.put("coupon_refund_fee", refund.coupon_fee.to_string());
    answer.put("coupon_refund_count", if refund.coupon_fee > 0 { "1" } else { "0" });
    for (name, value) in coupon(refund, "") {
        answer.put(name, value);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::super::sign::{SignType, sign};
    use super::super::{vectors, xml};
    use super::*;

    #[test]
    fn a_filed_refund_is_told_as_in_c24() {
        let mut answer = filed(&vectors::refund(), &vectors::order());
        let given = xml::read(vectors::wire("C24"), "xml").unwrap();
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
        assert_eq!(
            given.get("sign"),
            Some(sign(&answer, vectors::KEY, SignType::Md5).as_str())
        );
    }
}
