//! `closeorder` (wechat reference, 3.10).

use std::sync::Arc;

use super::answer::Failure;
use super::operation::{Carrier, Family, Form, Operation, Signing, must};
use super::order::{Order, Product, State, keep, named, paid_after_close};
use super::quota;
use super::request::Call;
use super::settle::{self, Due};
use super::terms::Terms;
use super::xml::Fields;
use crate::fault::Effect;
use crate::frame::Frame;
use crate::store::Tx;

/// `/pay/closeorder`.
pub(super) static CLOSEORDER: Operation = Operation {
    name: "closeorder",
    family: Family::Close,
    carrier: Carrier::Post,
    signing: Signing::Md5,
    has_nonce: true,
    is_closed: false,
    is_certified: false,
    bad_field_code: "PARAM_ERROR",
    rules: &[must("out_trade_no", Form::TradeNo)],
    act: close,
};

fn close(frame: &Arc<Frame>, call: &Call) -> Result<Fields, Failure> {
    let mut tx = frame.store.begin();
    let mut order = named(&tx, call)?;
    end(&mut tx, &mut order, &call.account.terms, &call.effects, call.now_ms)?;
    tx.commit();
    if order.awaits_settlement() {
        settle::later(frame, Due::Order(order.key()), order.settle_at_ms);
    }
    Ok(Fields::new())
}

/// Closes an order, as far as its state and its age allow it.
pub(super) fn end(
    tx: &mut Tx<'_>,
    order: &mut Order,
    terms: &Terms,
    effects: &[Effect],
    now_ms: i64,
) -> Result<(), Failure> {
    if order.product == Product::PaymentCode {
        return Err(Failure::new(
            &terms.close_code_order_code,
            "付款码支付订单不支持关单，请调用撤销接口",
        ));
    }
    match order.state {
        State::Paid | State::Refund => return Err(Failure::of("ORDERPAID")),
        State::Closed | State::Revoked => return Err(Failure::of("ORDERCLOSED")),
        State::NotPay | State::UserPaying | State::PayFail => {}
    }
    let open_at_ms = order
        .created_at_ms
        .saturating_add(i64::from(terms.close_after_s) * 1_000);
    if now_ms < open_at_ms {
        return Err(Failure::new(
            &terms.close_early_code,
            "订单生成后不能马上关单，最短调用时间间隔为5分钟",
        ));
    }
    if order.is_open() {
        quota::give_back(tx, &order.quota_key, order.total_fee);
        order.paid_after_close_ms = paid_after_close(effects).or(order.paid_after_close_ms);
    } else {
        order.paid_after_close_ms = None;
    }
    order.state = State::Closed;
    if let Some(wait_ms) = order.paid_after_close_ms {
        order.settle_at_ms = settle::after(now_ms, wait_ms);
    }
    keep(tx, order);
    Ok(())
}
