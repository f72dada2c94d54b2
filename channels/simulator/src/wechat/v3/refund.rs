//! Refunds over APIv3: filing, query, and paying one out by hand that its card could not take (wechat reference, 5.5).

use serde_json::{Value, json};

use super::super::operation::{Family, Form};
use super::super::order::{self, Named, Order};
use super::super::refund::{self, RECEIVED_BY, Refund, Status, Version};
use super::super::refund_judge::Filing;
use super::super::settle::{self, Due};
use super::super::{authority, number, refund_judge};
use super::answer::{Answer, Failure};
use super::cipher;
use super::operation::{Call, Operation};
use super::schema::{Kind, Objection, Rule, may, must};
use crate::frame::Frame;

const SHOP: &[Rule] = &[must("/sub_mchid", Kind::Text(Form::Id(32)))];

/// `POST /v3/refund/domestic/refunds`.
pub(super) static REFUNDS: Operation = Operation {
    name: "refunds",
    family: Family::Refund,
    method: "POST",
    rules: &[
        may("/transaction_id", Kind::Text(Form::Id(32))),
        may("/out_trade_no", Kind::Text(Form::TradeNo)),
        must("/out_refund_no", Kind::Text(Form::RefundNo)),
        may("/reason", Kind::Text(Form::Text(80))),
        may("/notify_url", Kind::Text(Form::NotifyUrl)),
        may("/funds_account", Kind::Text(Form::OneOf(&["AVAILABLE", "UNSETTLED"]))),
        must("/amount/refund", Kind::Fen),
        must("/amount/total", Kind::Fen),
        must("/amount/currency", Kind::Text(Form::OneOf(&["CNY"]))),
        may("/amount/from", Kind::Any),
        may("/goods_detail", Kind::Any),
    ],
    direct: &[],
    provider: SHOP,
    act: |frame, call| {
        let funds = match call.text("/funds_account") {
            Some("AVAILABLE") => "REFUND_SOURCE_RECHARGE_FUNDS",
            _ => "REFUND_SOURCE_UNSETTLED_FUNDS",
        };
        let filing = Filing {
            account: &call.account,
            names: Named {
                mch_id: &call.account.mch_id,
                sub_mch_id: call.sub_mch_id(),
                transaction_id: call.text("/transaction_id"),
                out_trade_no: call.text("/out_trade_no"),
            },
            sub_appid: None,
            out_refund_no: call.field("/out_refund_no"),
            total_fee: call.fen("/amount/total"),
            refund_fee: call.fen("/amount/refund"),
            funds: funds.to_owned(),
            notify_url: call.owned("/notify_url"),
            reason: call.owned("/reason"),
            version: Version::V3,
            effects: &call.effects,
            now_ms: call.now_ms,
        };
        let (refund, order) = filing.file(frame).map_err(|failure| match failure.code.as_str() {
            "ORDERNOTEXIST" => Failure::new("RESOURCE_NOT_EXISTS", failure.text),
            _ => failure.into(),
        })?;
        Ok(Answer::Done(told(&refund, &order)))
    },
};

/// `GET /v3/refund/domestic/refunds/{out_refund_no}`.
pub(super) static QUERY: Operation = Operation {
    name: "refundquery",
    family: Family::RefundQuery,
    method: "GET",
    rules: &[],
    direct: &[],
    provider: SHOP,
    act: |frame, call| {
        let tx = frame.store.begin();
        let found = refund::find(&tx, &refund::key(&call.account.mch_id, &call.number));
        let (refund, order) = own(call, found, |refund| {
            order::find(&tx, &order::key(&refund.mch_id, &refund.out_trade_no))
        })?;
        Ok(Answer::Done(told(&refund, &order)))
    },
};

/// `POST /v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund`.
pub(super) static ABNORMAL: Operation = Operation {
    name: "apply-abnormal-refund",
    family: Family::Refund,
    method: "POST",
    rules: &[
        must("/out_refund_no", Kind::Text(Form::RefundNo)),
        must(
            "/type",
            Kind::Text(Form::OneOf(&["USER_BANK_CARD", "MERCHANT_BANK_CARD"])),
        ),
        may("/bank_type", Kind::Text(Form::Id(16))),
        may("/bank_account", Kind::Text(Form::Text(1_024))),
        may("/real_name", Kind::Text(Form::Text(1_024))),
    ],
    direct: &[],
    provider: SHOP,
    act: |frame, call| {
        let paid_out_to = match call.text("/type") {
            Some("USER_BANK_CARD") => user_card(frame, call)?,
            _ => "商户银行卡".to_owned(),
        };
        let mut tx = frame.store.begin();
        let found = refund::find_by_id(&tx, &call.number);
        let found = found.filter(|refund| refund.out_refund_no == call.field("/out_refund_no"));
        let (mut refund, order) = own(call, found, |refund| {
            order::find(&tx, &order::key(&refund.mch_id, &refund.out_trade_no))
        })?;
        if refund.status != Status::Change {
            return Err(Failure::new("INVALID_REQUEST", "退款单状态不允许发起异常退款"));
        }
        refund.status = Status::Processing;
        let fate = settle::fate(frame, &call.effects);
        refund.will_end = refund_judge::end(&fate);
        refund.paid_out_to = Some(paid_out_to);
        refund.settle_at_ms = settle::after(call.now_ms, fate.wait_ms);
        refund::keep(&mut tx, &refund);
        tx.commit();
        settle::later(frame, Due::Refund(refund.key()), refund.settle_at_ms);
        Ok(Answer::Done(told(&refund, &order)))
    },
};

/// The user's card, from fields that only the gateway can read (wechat reference, 1.10).
fn user_card(frame: &Frame, call: &Call) -> Result<String, Failure> {
    let wrong = |at: &str, issue| {
        let objection = Objection {
            field: at.to_owned(),
            value: Value::Null,
            issue,
        };
        Failure::field("body", &objection)
    };
    if call.text("/bank_type").is_none() {
        return Err(wrong("/bank_type", "缺少必填参数"));
    }
    let Some(key_pem) = key_for(frame, call) else {
        let text = "Http头Wechatpay-Serial缺失，或不是有效的平台证书序列号或公钥ID";
        return Err(Failure::new("PARAM_ERROR", text));
    };
    let open = |at: &str| {
        let sealed = call.text(at).ok_or_else(|| wrong(at, "缺少必填参数"))?;
        cipher::open_field(&key_pem, sealed).ok_or_else(|| wrong(at, "敏感字段解密失败"))
    };
    let (account, name) = (open("/bank_account")?, open("/real_name")?);
    let is_card = (8..=24).contains(&account.len()) && account.bytes().all(|b| b.is_ascii_digit());
    if !is_card || name.trim().is_empty() {
        return Err(wrong("/bank_account", "银行卡号或户名有误"));
    }
    Ok(format!("{}{}", call.field("/bank_type"), &account[account.len() - 4..]))
}

/// The key that the request names as the one it sealed its fields for.
fn key_for(frame: &Frame, call: &Call) -> Option<String> {
    let serial = call.sealed_for.as_deref()?;
    if serial == call.credentials.public_key_id && call.account.terms.v3_mode != "certificate" {
        return Some(authority::root(frame).public_key_twin_pem);
    }
    let platforms = authority::platforms(frame);
    let named = platforms.into_iter().find(|platform| platform.leaf.serial == serial);
    named.map(|platform| platform.leaf.key_pem)
}

/// A refund of the caller's, with its order.
fn own(
    call: &Call,
    found: Option<Refund>,
    order_of: impl Fn(&Refund) -> Option<Order>,
) -> Result<(Refund, Order), Failure> {
    let own = found
        .filter(|refund| refund.mch_id == call.account.mch_id && refund.sub_mch_id.as_deref() == call.sub_mch_id());
    own.and_then(|refund| order_of(&refund).map(|order| (refund, order)))
        .ok_or_else(|| Failure::new("RESOURCE_NOT_EXISTS", "退款单不存在"))
}

/// `status`.
pub(super) fn word(status: Status) -> &'static str {
    match status {
        Status::Processing => "PROCESSING",
        Status::Success => "SUCCESS",
        Status::Closed => "CLOSED",
        Status::Change => "ABNORMAL",
    }
}

/// A refund as APIv3 tells it.
fn told(refund: &Refund, order: &Order) -> Value {
    let funds = match refund.account.as_str() {
        "REFUND_SOURCE_RECHARGE_FUNDS" => "AVAILABLE",
        _ => "UNSETTLED",
    };
    let mut answer = json!({
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "transaction_id": refund.transaction_id,
        "out_trade_no": refund.out_trade_no,
        "channel": if refund.paid_out_to.is_some() { "OTHER_BANKCARD" } else { "ORIGINAL" },
        "user_received_account": refund.paid_out_to.as_deref().unwrap_or(RECEIVED_BY),
        "create_time": number::rfc3339(refund.filed_at_ms),
        "status": word(refund.status),
        "funds_account": funds,
        "amount": {
            "total": refund.total_fee,
            "refund": refund.refund_fee,
            "payer_total": order.cash_fee(),
            "payer_refund": refund.cash_fee(),
            "settlement_refund": refund.refund_fee,
            "settlement_total": refund.total_fee,
            "discount_refund": refund.coupon_fee,
            "currency": "CNY",
        },
    });
    if let Some(at_ms) = refund.succeeded_at_ms {
        answer["success_time"] = json!(number::rfc3339(at_ms));
    }
    if refund.coupon_fee > 0 {
        answer["promotion_detail"] = json!([{
            "promotion_id": "10001", "scope": "GLOBAL", "type": "COUPON", "amount": order.coupon_fee,
            "refund_amount": refund.coupon_fee,
        }]);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::super::super::vectors as v2;
    use super::super::vectors;
    use super::*;

    #[test]
    fn a_filed_refund_is_told_as_in_c16() {
        let refund = Refund {
            status: Status::Processing,
            succeeded_at_ms: None,
            ..v2::refund()
        };
        let mut told = told(&refund, &v2::order());
        told["user_received_account"] = json!("招商银行借记卡0403");
        assert_eq!(told, vectors::json("C16"));
    }
}
