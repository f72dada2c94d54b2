//! `codepay`: a payment by code over APIv3, and how an order is told in this version (wechat reference, 4.6).

use serde_json::{Value, json};

use super::super::code_payment::{self, Outcome, Wish};
use super::super::number;
use super::super::operation::{Family, Form};
use super::super::order::{BANK_TYPE, Order};
use super::super::order_query::state_words;
use super::super::sign;
use super::answer::{Answer, Failure};
use super::operation::{Call, Operation};
use super::schema::{Kind, Rule, may, must};

const ID: Kind = Kind::Text(Form::Id(32));

/// The heads of a direct merchant's request about a payment.
pub(super) const DIRECT: &[Rule] = &[must("/appid", ID), must("/mchid", ID)];

/// `POST …/codepay`.
pub(super) static CODEPAY: Operation = Operation {
    name: "codepay",
    family: Family::CodePayment,
    method: "POST",
    rules: &[
        must("/description", Kind::Text(Form::Text(127))),
        must("/out_trade_no", Kind::Text(Form::TradeNoV3)),
        may("/attach", Kind::Text(Form::Text(128))),
        may("/goods_tag", Kind::Text(Form::Text(32))),
        may("/support_fapiao", Kind::Flag),
        must("/payer/auth_code", Kind::Text(Form::Text(128))),
        must("/amount/total", Kind::Fen),
        may("/amount/currency", Kind::Text(Form::OneOf(&["CNY"]))),
        must("/scene_info/store_info", Kind::Any),
        may("/scene_info/device_id", Kind::Text(Form::Text(32))),
        may("/scene_info/device_ip", Kind::Text(Form::Ip)),
        may("/detail", Kind::Any),
        may("/settle_info/profit_sharing", Kind::Flag),
    ],
    direct: DIRECT,
    provider: &[
        must("/sp_appid", ID),
        must("/sp_mchid", ID),
        may("/sub_appid", ID),
        must("/sub_mchid", ID),
    ],
    act: |frame, call| {
        let wish = Wish {
            account: &call.account,
            sub_mch_id: call.sub_mch_id().map(str::to_owned),
            sub_appid: call.owned("/sub_appid"),
            out_trade_no: call.field("/out_trade_no"),
            auth_code: call.field("/payer/auth_code"),
            total_fee: call.fen("/amount/total"),
            body: call.field("/description"),
            attach: call.owned("/attach"),
            device_info: call.owned("/scene_info/device_id"),
            expires_at_ms: None,
            fingerprint: fingerprint(call),
            effects: &call.effects,
            now_ms: call.now_ms,
        };
        match code_payment::pay(frame, &wish)? {
            Outcome::Paid(order) => Ok(Answer::Done(told(&order))),
            Outcome::UserPaying(_) if call.account.terms.codepay_waiting == "error" => Err(Failure::of("USERPAYING")),
            Outcome::UserPaying(order) => Ok(Answer::Accepted(told(&order))),
        }
    },
};

/// Stands for the business fields of a request; the code is compared apart.
fn fingerprint(call: &Call) -> String {
    let mut fields = call.input.clone();
    if let Some(payer) = fields.get_mut("payer") {
        *payer = Value::Null;
    }
    sign::digest(&fields.to_string())
}

/// An order as APIv3 tells it.
pub(super) fn told(order: &Order) -> Value {
    let (state, text) = state_words(order.state, "PAYERROR");
    let mut answer = heads(order);
    answer["out_trade_no"] = json!(order.out_trade_no);
    answer["trade_type"] = json!(order.trade_type());
    answer["trade_state"] = json!(state);
    answer["trade_state_desc"] = json!(text);
    answer["amount"] = json!({"total": order.total_fee, "currency": "CNY"});
    if let Some(attach) = &order.attach {
        answer["attach"] = json!(attach);
    }
    let (Some(transaction_id), Some(paid_at_ms)) = (&order.transaction_id, order.paid_at_ms) else {
        return answer;
    };
    answer["transaction_id"] = json!(transaction_id);
    answer["bank_type"] = json!(BANK_TYPE);
    answer["success_time"] = json!(number::rfc3339(paid_at_ms));
    answer["amount"]["payer_total"] = json!(order.cash_fee());
    answer["amount"]["payer_currency"] = json!("CNY");
    answer["payer"] = if order.sub_mch_id.is_some() {
        json!({"sp_openid": order.openid})
    } else {
        json!({"openid": order.openid})
    };
    if let Some(sub_openid) = &order.sub_openid {
        answer["payer"]["sub_openid"] = json!(sub_openid);
    }
    if let Some(device) = &order.device_info {
        answer["scene_info"] = json!({"device_id": device});
    }
    if order.coupon_fee > 0 {
        answer["promotion_detail"] = json!([{
            "coupon_id": "10001", "scope": "GLOBAL", "type": "CASH", "amount": order.coupon_fee, "currency": "CNY",
        }]);
    }
    answer
}

/// Whose order it is.
fn heads(order: &Order) -> Value {
    let Some(sub_mch_id) = &order.sub_mch_id else {
        return json!({"appid": order.appid, "mchid": order.mch_id});
    };
    let mut heads = json!({"sp_appid": order.appid, "sp_mchid": order.mch_id, "sub_mchid": sub_mch_id});
    if let Some(sub_appid) = &order.sub_appid {
        heads["sub_appid"] = json!(sub_appid);
    }
    heads
}

#[cfg(test)]
mod tests {
    use super::super::super::order::{Product, State};
    use super::super::super::vectors as v2;
    use super::super::vectors;
    use super::*;

    #[test]
    fn a_payment_that_waits_is_told_as_in_c31() {
        let order = Order {
            out_trade_no: "MC20250301130000000000000000003".to_owned(),
            state: State::UserPaying,
            product: Product::PaymentCode,
            transaction_id: None,
            paid_at_ms: None,
            attach: None,
            ..v2::order()
        };
        assert_eq!(told(&order), vectors::json("C31"));
    }
}
