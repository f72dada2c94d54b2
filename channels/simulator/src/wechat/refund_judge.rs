//! A refund is judged and filed, whichever version of the interface asks for it (wechat reference, 5.1).

use std::sync::Arc;

use super::account::Account;
use super::answer::Failure;
use super::order::{self, Named, Order, State};
use super::refund::{Refund, Status, Version, find, keep, key};
use super::settle::{self, Due, Fate};
use super::{account, fee, number};
use crate::fault::Effect;
use crate::frame::Frame;
use crate::store::Tx;

/// A payment can be refunded so long.
const AGE_MS_MAX: i64 = 365 * 86_400_000;

/// Refunds of one payment.
const COUNT_MAX: usize = 50;

/// What a merchant asks for.
pub(super) struct Filing<'a> {
    pub account: &'a Account,
    pub names: Named<'a>,
    pub sub_appid: Option<String>,
    pub out_refund_no: String,
    pub total_fee: u64,
    pub refund_fee: u64,
    /// Which of the merchant's funds pay it, in the version's own word.
    pub funds: String,
    pub notify_url: Option<String>,
    pub reason: Option<String>,
    pub version: Version,
    pub effects: &'a [Effect],
    pub now_ms: i64,
}

impl Filing<'_> {
    /// Files the refund, or finds it filed. The codes of a failure are those of APIv2.
    pub(super) fn file(&self, frame: &Arc<Frame>) -> Result<(Refund, Order), Failure> {
        let mut tx = frame.store.begin();
        let order = self.names.find(&tx)?;
        match order.state {
            State::Paid | State::Refund => {}
            State::Revoked => return Err(Failure::new("INVALID_REQUEST", "订单已撤销")),
            _ => return Err(Failure::new("ORDERNOTEXIST", "订单未支付")),
        }
        let known = find(&tx, &key(&self.account.mch_id, &self.out_refund_no));
        if let Some(known) = &known {
            self.check_repeat(known, &order)?;
            if known.status != Status::Closed {
                return Ok((known.clone(), order));
            }
        }
        self.check_order(&order)?;
        self.take_funds(&mut tx)?;
        let (order, refund) = self.made(frame, &mut tx, order, known);
        keep(&mut tx, &refund);
        order::keep(&mut tx, &order);
        tx.commit();
        settle::later(frame, Due::Refund(refund.key()), refund.settle_at_ms);
        Ok((refund, order))
    }

    /// The same number is the same refund; it must carry the same fields.
    fn check_repeat(&self, known: &Refund, order: &Order) -> Result<(), Failure> {
        if known.out_trade_no != order.out_trade_no {
            return Err(Failure::new("INVALID_REQUEST", "商户退款单号已用于其他订单"));
        }
        if known.refund_fee != self.refund_fee || known.total_fee != self.total_fee {
            return Err(Failure::of("REFUND_FEE_MISMATCH"));
        }
        Ok(())
    }

    fn check_order(&self, order: &Order) -> Result<(), Failure> {
        let terms = &self.account.terms;
        if order.total_fee != self.total_fee {
            return Err(Failure::new("INVALID_REQUEST", "total_fee与原订单金额不一致"));
        }
        if self.now_ms.saturating_sub(order.paid_at_ms.unwrap_or_default()) > AGE_MS_MAX {
            return Err(Failure::of("TRADE_OVERDUE"));
        }
        if order.refunds.len() >= COUNT_MAX {
            return Err(Failure::new("INVALID_REQUEST", "一笔订单最多退款50次"));
        }
        if order.refunded_fen.saturating_add(self.refund_fee) > order.total_fee {
            return Err(Failure::new("REFUND_FEE_MISMATCH", "累计退款金额大于支付金额"));
        }
        let spacing_ms = i64::from(terms.refund_spacing_s) * 1_000;
        if order
            .last_refund_at_ms
            .is_some_and(|last_ms| self.now_ms.saturating_sub(last_ms) < spacing_ms)
        {
            return Err(Failure::of(&terms.refund_spacing_code));
        }
        Ok(())
    }

    fn take_funds(&self, tx: &mut Tx<'_>) -> Result<(), Failure> {
        // Read anew: another refund may have taken from the funds since the request passed the door.
        let Some(mut account) = account::find(tx, &self.account.mch_id) else {
            return Ok(());
        };
        let Some(funds) = account.terms.refund_funds_fen else {
            return Ok(());
        };
        let left = funds.checked_sub(self.refund_fee);
        account.terms.refund_funds_fen = Some(left.ok_or_else(|| Failure::new("NOTENOUGH", "商户可用退款余额不足"))?);
        account::keep(tx, &account);
        Ok(())
    }

    /// The order with its new refund. A refund that was closed and is filed again keeps its `refund_id`.
    fn made(&self, frame: &Frame, tx: &mut Tx<'_>, mut order: Order, known: Option<Refund>) -> (Order, Refund) {
        let refund_fee = self.refund_fee;
        let out_refund_no = self.out_refund_no.clone();
        let fate = settle::fate(frame, self.effects);
        let coupon_fee = coupon_part(&order, refund_fee);
        let is_new = known.is_none();
        let refund = Refund {
            mch_id: order.mch_id.clone(),
            sub_mch_id: order.sub_mch_id.clone(),
            appid: order.appid.clone(),
            sub_appid: self.sub_appid.clone(),
            filed_at_ms: known.as_ref().map_or(self.now_ms, |known| known.filed_at_ms),
            refund_id: known.map_or_else(|| number::refund_id(tx, self.now_ms), |known| known.refund_id),
            out_refund_no: out_refund_no.clone(),
            out_trade_no: order.out_trade_no.clone(),
            transaction_id: order.transaction_id.clone().unwrap_or_default(),
            openid: order.openid.clone(),
            total_fee: order.total_fee,
            refund_fee,
            coupon_fee,
            account: self.funds.clone(),
            notify_url: self
                .notify_url
                .clone()
                .or_else(|| self.account.terms.refund_notify_url.clone()),
            status: Status::Processing,
            will_end: end(&fate),
            settle_at_ms: settle::after(self.now_ms, fate.wait_ms),
            succeeded_at_ms: None,
            ended_at_ms: None,
            fee_fen: fee::back(&order, refund_fee),
            version: self.version,
            reason: self.reason.clone(),
            paid_out_to: None,
        };
        order.state = State::Refund;
        order.refunded_fen += refund_fee;
        order.refunded_coupon_fen += coupon_fee;
        order.last_refund_at_ms = Some(self.now_ms);
        if is_new {
            order.refunds.push(out_refund_no);
        }
        (order, refund)
    }
}

/// How a refund with this fate ends.
pub(super) fn end(fate: &Fate) -> Status {
    match fate.fails_with.as_deref() {
        None => Status::Success,
        Some("CHANGE" | "ABNORMAL") => Status::Change,
        Some(_) => Status::Closed,
    }
}

/// Coupons go back in proportion; the last refund takes what rounding left.
fn coupon_part(order: &Order, refund_fee: u64) -> u64 {
    if order.refunded_fen + refund_fee == order.total_fee {
        return order.coupon_fee - order.refunded_coupon_fen;
    }
    let part = u128::from(order.coupon_fee) * u128::from(refund_fee) / u128::from(order.total_fee);
    u64::try_from(part).unwrap_or(order.coupon_fee)
}

#[cfg(test)]
mod tests {
    use super::super::vectors;
    use super::*;

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
