//! Undoing a payment by code: what both versions do, and `secapi/pay/reverse` of APIv2 (wechat reference, 4.4).

use std::sync::Arc;

use super::answer::Failure;
use super::money;
use super::operation::{Carrier, Family, Form, Operation, Signing, may};
use super::order::{self, Named, Order, Product, State, paid_after_close};
use super::request::Call;
use super::settle::{self, Due};
use super::terms::Terms;
use super::xml::Fields;
use crate::fault::Effect;
use crate::frame::Frame;

/// An order can be reversed so long.
const AGE_MS_MAX: i64 = 7 * 86_400_000;

/// `/secapi/pay/reverse`.
pub(super) static REVERSE: Operation = Operation {
    name: "reverse",
    family: Family::Reverse,
    carrier: Carrier::Post,
    signing: Signing::Md5,
    has_nonce: true,
    is_closed: false,
    is_certified: true,
    bad_field_code: "PARAM_ERROR",
    rules: &[may("transaction_id", Form::Id(32)), may("out_trade_no", Form::TradeNo)],
    act: |frame, call| {
        let names = Named {
            mch_id: &call.account.mch_id,
            sub_mch_id: call.sub_mch_id(),
            transaction_id: call.fields.get("transaction_id"),
            out_trade_no: call.fields.get("out_trade_no"),
        };
        reverse(frame, &names, &call.account.terms, &call.effects, call.now_ms)
            .map_err(|failure| unknown(call, failure))?;
        Ok(Fields::new().with("recall", "N"))
    },
};

/// The call has no code of its own for an order that is not there.
fn unknown(call: &Call, failure: Failure) -> Failure {
    match (failure.code.as_str(), call.fields.get("transaction_id")) {
        ("ORDERNOTEXIST", Some(_)) => Failure::of("INVALID_TRANSACTIONID"),
        ("ORDERNOTEXIST", None) => Failure::new(&call.account.terms.unknown_reverse_code, failure.text),
        _ => failure,
    }
}

/// Ends an order that is not paid, gives back one that is. An order that is reversed already stays so.
pub(super) fn reverse(
    frame: &Arc<Frame>,
    names: &Named<'_>,
    terms: &Terms,
    effects: &[Effect],
    now_ms: i64,
) -> Result<Order, Failure> {
    let mut tx = frame.store.begin();
    let mut order = names.find(&tx)?;
    if order.product != Product::PaymentCode {
        return Err(Failure::new("INVALID_REQUEST", "非付款码支付订单不支持撤销"));
    }
    let age_ms = now_ms.saturating_sub(order.created_at_ms);
    match order.state {
        State::Revoked => return Ok(order),
        _ if age_ms > AGE_MS_MAX => return Err(Failure::of("REVERSE_EXPIRE")),
        State::Refund => return Err(Failure::new("TRADE_ERROR", "订单已发起退款，不支持撤销")),
        State::NotPay | State::UserPaying if age_ms < i64::from(terms.reverse_after_s) * 1_000 => {
            return Err(Failure::new("USERPAYING", "用户支付中，请稍后再撤销"));
        }
        State::NotPay | State::UserPaying => {
            order.state = State::Revoked;
            order.awaits_password = false;
            order.paid_after_close_ms = paid_after_close(effects).or(order.paid_after_close_ms);
            if let Some(wait_ms) = order.paid_after_close_ms {
                order.settle_at_ms = settle::after(now_ms, wait_ms);
            }
        }
        State::PayFail | State::Closed => order.state = State::Revoked,
        State::Paid => money::reverse(&mut tx, &mut order, now_ms),
    }
    order::keep(&mut tx, &order);
    tx.commit();
    if order.awaits_settlement() {
        settle::later(frame, Due::Order(order.key()), order.settle_at_ms);
    }
    Ok(order)
}
