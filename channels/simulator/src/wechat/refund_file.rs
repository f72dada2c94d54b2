//! `secapi/pay/refund`: a refund is judged and filed (wechat reference, 5.1 and 5.2).

use std::sync::Arc;

use super::answer::Failure;
use super::operation::{Carrier, Family, Form, Operation, Signing, may, must};
use super::order::{self, Order, State};
use super::refund::{Refund, Status, coupon, find, keep, key};
use super::request::Call;
use super::settle::{self, Due};
use super::xml::Fields;
use super::{account, number};
use crate::frame::Frame;
use crate::store::Tx;

/// A payment can be refunded so long.
const AGE_MS_MAX: i64 = 365 * 86_400_000;

/// Refunds of one payment.
const COUNT_MAX: usize = 50;

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
    let mut tx = frame.store.begin();
    let order = order::named(&tx, call)?;
    if !matches!(order.state, State::Paid | State::Refund) {
        return Err(Failure::new("ORDERNOTEXIST", "订单未支付"));
    }
    let known = find(&tx, &key(&call.account.mch_id, call.field("out_refund_no")));
    if let Some(known) = &known {
        check_repeat(known, &order, call)?;
        if known.status != Status::Closed {
            return Ok(filed(known, &order));
        }
    }
    check_order(&order, call)?;
    take_funds(&mut tx, call)?;
    let (order, refund) = made(frame, &mut tx, call, order, known);
    keep(&mut tx, &refund);
    order::keep(&mut tx, &order);
    tx.commit();
    settle::later(frame, Due::Refund(refund.key()), refund.settle_at_ms);
    Ok(filed(&refund, &order))
}

/// The same number is the same refund; it must carry the same fields.
fn check_repeat(known: &Refund, order: &Order, call: &Call) -> Result<(), Failure> {
    if known.out_trade_no != order.out_trade_no {
        return Err(Failure::new("INVALID_REQUEST", "商户退款单号已用于其他订单"));
    }
    if known.refund_fee != call.amount("refund_fee") || known.total_fee != call.amount("total_fee") {
        return Err(Failure::of("REFUND_FEE_MISMATCH"));
    }
    Ok(())
}

fn check_order(order: &Order, call: &Call) -> Result<(), Failure> {
    let terms = &call.account.terms;
    if order.total_fee != call.amount("total_fee") {
        return Err(Failure::new("INVALID_REQUEST", "total_fee与原订单金额不一致"));
    }
    if call.now_ms.saturating_sub(order.paid_at_ms.unwrap_or_default()) > AGE_MS_MAX {
        return Err(Failure::of("TRADE_OVERDUE"));
    }
    if order.refunds.len() >= COUNT_MAX {
        return Err(Failure::new("INVALID_REQUEST", "一笔订单最多退款50次"));
    }
    if order.refunded_fen.saturating_add(call.amount("refund_fee")) > order.total_fee {
        return Err(Failure::new("REFUND_FEE_MISMATCH", "累计退款金额大于支付金额"));
    }
    let spacing_ms = i64::from(terms.refund_spacing_s) * 1_000;
    if order
        .last_refund_at_ms
        .is_some_and(|last_ms| call.now_ms.saturating_sub(last_ms) < spacing_ms)
    {
        return Err(Failure::of(&terms.refund_spacing_code));
    }
    Ok(())
}

fn take_funds(tx: &mut Tx<'_>, call: &Call) -> Result<(), Failure> {
    // Read anew: another refund may have taken from the funds since the request passed the door.
    let Some(mut account) = account::find(tx, &call.account.mch_id) else {
        return Ok(());
    };
    let Some(funds) = account.terms.refund_funds_fen else {
        return Ok(());
    };
    let left = funds.checked_sub(call.amount("refund_fee"));
    account.terms.refund_funds_fen = Some(left.ok_or_else(|| Failure::new("NOTENOUGH", "商户可用退款余额不足"))?);
    account::keep(tx, &account);
    Ok(())
}

/// The order with its new refund. A refund that was closed and is filed again keeps its `refund_id`.
fn made(frame: &Frame, tx: &mut Tx<'_>, call: &Call, mut order: Order, known: Option<Refund>) -> (Order, Refund) {
    let refund_fee = call.amount("refund_fee");
    let out_refund_no = call.field("out_refund_no").to_owned();
    let fate = settle::fate(frame, &call.effects);
    let coupon_fee = coupon_part(&order, refund_fee);
    let is_new = known.is_none();
    let refund = Refund {
        mch_id: order.mch_id.clone(),
        sub_mch_id: order.sub_mch_id.clone(),
        appid: order.appid.clone(),
        sub_appid: call.sub_appid().map(str::to_owned),
        refund_id: known.map_or_else(|| number::refund_id(tx, call.now_ms), |known| known.refund_id),
        out_refund_no: out_refund_no.clone(),
        out_trade_no: order.out_trade_no.clone(),
        transaction_id: order.transaction_id.clone().unwrap_or_default(),
        openid: order.openid.clone(),
        total_fee: order.total_fee,
        refund_fee,
        coupon_fee,
        account: call
            .text("refund_account")
            .unwrap_or_else(|| "REFUND_SOURCE_UNSETTLED_FUNDS".to_owned()),
        notify_url: call
            .text("notify_url")
            .or_else(|| call.account.terms.refund_notify_url.clone()),
        status: Status::Processing,
        will_end: match fate.fails_with.as_deref() {
            None => Status::Success,
            Some("CHANGE") => Status::Change,
            Some(_) => Status::Closed,
        },
        settle_at_ms: settle::after(call.now_ms, fate.wait_ms),
        succeeded_at_ms: None,
    };
    order.state = State::Refund;
    order.refunded_fen += refund_fee;
    order.refunded_coupon_fen += coupon_fee;
    order.last_refund_at_ms = Some(call.now_ms);
    if is_new {
        order.refunds.push(out_refund_no);
    }
    (order, refund)
}

/// Coupons go back in proportion; the last refund takes what rounding left.
fn coupon_part(order: &Order, refund_fee: u64) -> u64 {
    if order.refunded_fen + refund_fee == order.total_fee {
        return order.coupon_fee - order.refunded_coupon_fen;
    }
    let part = u128::from(order.coupon_fee) * u128::from(refund_fee) / u128::from(order.total_fee);
    u64::try_from(part).unwrap_or(order.coupon_fee)
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

    #[test]
    fn coupons_go_back_in_proportion_and_whole_in_the_end() {
        let order = |refunded_fen, refunded_coupon_fen| Order {
            coupon_fee: 50,
            refunded_fen,
            refunded_coupon_fen,
            ..vectors::order()
        };
        assert_eq!(coupon_part(&order(0, 0), 1_280), 50);
        assert_eq!(coupon_part(&order(0, 0), 300), 11);
        assert_eq!(coupon_part(&order(300, 11), 1), 0);
        assert_eq!(coupon_part(&order(301, 11), 979), 39);
    }
}
