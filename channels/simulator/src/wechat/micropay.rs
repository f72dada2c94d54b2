//! `micropay` and `authcodetoopenid` of APIv2 (wechat reference, 4.2 and 4.5).

use std::sync::Arc;

use super::answer::Failure;
use super::code_payment::{self, Outcome, Wish};
use super::operation::{Carrier, Family, Form, Operation, Signing, may, must};
use super::order::{BANK_TYPE, Order};
use super::order_apply::fingerprint;
use super::request::Call;
use super::xml::Fields;
use super::{number, pay_code};
use crate::frame::Frame;

const YES_NO: Form = Form::OneOf(&["Y", "N"]);

/// `/pay/micropay`.
pub(super) static MICROPAY: Operation = Operation {
    name: "micropay",
    family: Family::CodePayment,
    carrier: Carrier::Post,
    signing: Signing::Md5,
    has_nonce: true,
    is_closed: false,
    is_certified: false,
    bad_field_code: "PARAM_ERROR",
    rules: &[
        may("device_info", Form::Text(32)),
        must("body", Form::Text(127)),
        may("detail", Form::Text(6_000)),
        may("attach", Form::Text(127)),
        must("out_trade_no", Form::TradeNo),
        must("total_fee", Form::Amount),
        may("fee_type", Form::OneOf(&["CNY"])),
        must("spbill_create_ip", Form::Ip),
        may("goods_tag", Form::Text(32)),
        may("limit_pay", Form::OneOf(&["no_credit"])),
        may("time_start", Form::Moment),
        may("time_expire", Form::Moment),
        may("receipt", Form::OneOf(&["Y"])),
        may("profit_sharing", YES_NO),
        may("deposit", YES_NO),
        may("version", Form::Text(32)),
        must("auth_code", Form::Text(128)),
        may("scene_info", Form::SceneInfo),
    ],
    act: pay,
};

/// `/tools/authcodetoopenid`.
pub(super) static AUTHCODETOOPENID: Operation = Operation {
    name: "authcodetoopenid",
    family: Family::CodeLookup,
    carrier: Carrier::Post,
    signing: Signing::Md5,
    has_nonce: true,
    is_closed: false,
    is_certified: false,
    bad_field_code: "PARAM_ERROR",
    rules: &[must("auth_code", Form::Text(128))],
    act: look_up,
};

fn pay(frame: &Arc<Frame>, call: &Call) -> Result<Fields, Failure> {
    let wish = Wish {
        account: &call.account,
        sub_mch_id: call.sub_mch_id().map(str::to_owned),
        sub_appid: call.sub_appid().map(str::to_owned),
        out_trade_no: call.field("out_trade_no").to_owned(),
        auth_code: call.field("auth_code").to_owned(),
        total_fee: call.amount("total_fee"),
        body: call.field("body").to_owned(),
        attach: call.text("attach"),
        device_info: call.text("device_info"),
        expires_at_ms: call.fields.get("time_expire").and_then(number::moment),
        fingerprint: fingerprint(&call.fields),
        effects: &call.effects,
        now_ms: call.now_ms,
    };
    match code_payment::pay(frame, &wish)? {
        Outcome::Paid(order) => Ok(paid(&order)),
        Outcome::UserPaying(_) => Err(Failure::of("USERPAYING")),
    }
}

fn paid(order: &Order) -> Fields {
    let mut answer = Fields::new().with("openid", &order.openid);
    answer.put("is_subscribe", "N");
    if let Some(sub_openid) = &order.sub_openid {
        answer.put("sub_openid", sub_openid);
        answer.put("sub_is_subscribe", "N");
    }
    answer.put("trade_type", order.trade_type());
    answer.put("bank_type", BANK_TYPE);
    answer.append(order.amounts());
    answer.put_some("transaction_id", order.transaction_id.as_deref());
    answer.put("out_trade_no", &order.out_trade_no);
    answer.put_some("attach", order.attach.as_deref());
    answer.put("time_end", number::compact_time(order.paid_at_ms.unwrap_or_default()));
    answer
}

/// Afterwards only the merchant number that asked may use the code.
fn look_up(frame: &Arc<Frame>, call: &Call) -> Result<Fields, Failure> {
    let mut tx = frame.store.begin();
    let mut code = pay_code::good(&tx, call.field("auth_code"), &call.account.mch_id, call.now_ms)?;
    let mut answer = Fields::new().with("openid", number::openid(&call.account.appid, &code.user));
    if let Some(sub_appid) = call.sub_appid() {
        answer.put("sub_openid", number::openid(sub_appid, &code.user));
    }
    code.bound_to = Some(call.account.mch_id.clone());
    pay_code::keep(&mut tx, &code);
    tx.commit();
    Ok(answer)
}
