//! Money moves: the state of what it belongs to, the payer's wallet, the fee and the gateways' books, in one unit of work.

use super::order::{Order, Reversal, State};
use super::refund::Refund;
use super::{account, fee, number, wallet};
use crate::books::{self, Movement, MovementKind};
use crate::frame::Gateway;
use crate::store::Tx;

/// The payer pays an order.
pub(super) fn pay(tx: &mut Tx<'_>, order: &mut Order, now_ms: i64) {
    let transaction_id = number::transaction_id(tx, now_ms);
    wallet::pay(tx, &order.user, order.cash_fee());
    order.fee_rate = account::find(tx, &order.mch_id).map_or(0, |account| account.terms.fee_rate);
    order.fee_fen = fee::of(order.total_fee, order.fee_rate);
    order.state = State::Paid;
    order.awaits_password = false;
    order.transaction_id = Some(transaction_id.clone());
    order.paid_at_ms = Some(now_ms);
    order.paid_after_close_ms = None;
    let amount_fen = order.total_fee;
    let movement = of_order(order, MovementKind::Debit, transaction_id, amount_fen, now_ms);
    books::record(tx, movement);
}

/// A paid order is undone: all of it goes back.
pub(super) fn reverse(tx: &mut Tx<'_>, order: &mut Order, now_ms: i64) {
    let refund_id = number::refund_id(tx, now_ms);
    wallet::receive(tx, &order.user, order.cash_fee());
    order.state = State::Revoked;
    order.reversal = Some(Reversal {
        refund_id: refund_id.clone(),
        at_ms: now_ms,
        amount_fen: order.total_fee,
        fee_fen: order.fee_fen,
    });
    let amount_fen = order.total_fee;
    let movement = of_order(order, MovementKind::Reversal, refund_id, amount_fen, now_ms);
    books::record(tx, movement);
}

fn of_order(order: &Order, kind: MovementKind, gateway_no: String, amount_fen: u64, at_ms: i64) -> Movement {
    Movement {
        seq: 0,
        at_ms,
        gateway: Gateway::Wechat,
        account: order.mch_id.clone(),
        kind,
        order_no: order.out_trade_no.clone(),
        payment_no: order.out_trade_no.clone(),
        gateway_no,
        amount_fen,
        payer: order.openid.clone(),
    }
}

/// A refund reaches the payer.
pub(super) fn give_back(tx: &mut Tx<'_>, refund: &mut Refund, user: &str, now_ms: i64) {
    refund.succeeded_at_ms = Some(now_ms);
    wallet::receive(tx, user, refund.cash_fee());
    let movement = Movement {
        seq: 0,
        at_ms: now_ms,
        gateway: Gateway::Wechat,
        account: refund.mch_id.clone(),
        kind: MovementKind::Refund,
        order_no: refund.out_refund_no.clone(),
        payment_no: refund.out_trade_no.clone(),
        gateway_no: refund.refund_id.clone(),
        amount_fen: refund.refund_fee,
        payer: refund.openid.clone(),
    };
    books::record(tx, movement);
}
