//! `alipay.trade.refund`: giving money back, in whole or in part (alipay reference, 4.6 and 11.3).
//!
//! ```text
//! (none) -> processing -> done | failed      keyed by the trade and the refund's number; a failed one can be asked again
//! ```

use serde::{Deserialize, Serialize};

use super::answer::Node;
use super::call::{Call, is_number};
use super::desk::{Desk, Due};
use super::failure::Failure;
use super::notify::{self, RefundNews};
use super::parts::Parts;
use super::refund_answer::answer;
use super::trade::{self, Ending, Pending, Status, Trade};
use super::{account, message, money, postings, trade_life, wallet};
use crate::books::MovementKind;
use crate::fault::Effect;
use crate::store::Tx;

const TABLE: &str = "alipay_refund";

/// The state of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Progress {
    /// Accepted, no money moved yet.
    Processing,
    /// The money went back.
    Done,
    /// It came to nothing.
    Failed,
}

/// One refund.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) seller_id: String,
    pub(super) out_trade_no: String,
    /// Its number, unique within the trade.
    pub(super) number: String,
    pub(super) amount_fen: u64,
    pub(super) reason: Option<String>,
    pub(super) progress: Progress,
    /// When it was asked for, Unix milliseconds.
    #[serde(default)]
    pub(super) asked_ms: i64,
    /// Who got or bore what, once it is done.
    pub(super) parts: Parts,
    /// When the money went back, Unix milliseconds.
    pub(super) done_ms: Option<i64>,
    pub(super) pending: Option<Pending>,
}

impl Refund {
    fn new(trade: &Trade, number: String, amount_fen: u64, reason: Option<String>, asked_ms: i64) -> Self {
        Self {
            seller_id: trade.seller_id.clone(),
            out_trade_no: trade.out_trade_no.clone(),
            number,
            amount_fen,
            reason,
            progress: Progress::Processing,
            asked_ms,
            parts: Parts::default(),
            done_ms: None,
            pending: None,
        }
    }

    /// The key of its row.
    fn key(&self) -> String {
        key(&self.seller_id, &self.out_trade_no, &self.number)
    }

    /// Merchant money returned by it, in fen.
    pub(super) fn send_back_fen(&self) -> u64 {
        self.parts.receipt_fen()
    }
}

fn key(seller_id: &str, out_trade_no: &str, number: &str) -> String {
    format!("{}/{number}", trade::key(seller_id, out_trade_no))
}

/// The refund of this trade with this number, as it stands now.
pub(super) fn by_number(desk: &mut Desk<'_>, trade: &mut Trade, number: &str) -> Option<Refund> {
    let mut refund: Refund = desk
        .tx
        .get(TABLE, &key(&trade.seller_id, &trade.out_trade_no, number))?;
    if refund
        .pending
        .as_ref()
        .is_some_and(|pending| pending.due_ms <= desk.now_ms)
    {
        settle(desk, trade, &mut refund);
    }
    Some(refund)
}

/// The refund of this trade with this number as it was written down.
pub(super) fn as_written(tx: &Tx<'_>, trade: &Trade, number: &str) -> Option<Refund> {
    tx.get(TABLE, &key(&trade.seller_id, &trade.out_trade_no, number))
}

/// Gives money back, once per number.
pub(super) fn refund(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    let invalid = |why: &str| Failure::acq("INVALID_PARAMETER").because(why);
    let amount_fen = call
        .biz
        .get("refund_amount")
        .and_then(money::fen)
        .ok_or_else(|| invalid("refund_amount格式有误"))?;
    let given = call.text("out_request_no");
    if given.as_ref().is_some_and(|number| !is_number(number, 64, true)) {
        return Err(invalid("out_request_no格式有误"));
    }
    if call
        .text("refund_reason")
        .is_some_and(|reason| reason.chars().count() > 256)
    {
        return Err(invalid("refund_reason过长"));
    }
    let mut trade = trade::named(desk, call)?;
    let number = given.clone().unwrap_or_else(|| trade.out_trade_no.clone());
    let known = by_number(desk, &mut trade, &number);
    if let Some(known) = &known {
        if known.amount_fen != amount_fen {
            return Err(Failure::acq("DISCORDANT_REPEAT_REQUEST"));
        }
        if known.progress != Progress::Failed {
            return Ok(answer(call, &trade, known, false));
        }
    }
    may_refund(&trade, amount_fen)?;
    if wallet::of(&desk.tx, &trade.buyer_user_id).blocked {
        return Err(Failure::acq("BUYER_ENABLE_STATUS_FORBID"));
    }
    has_balance(desk, &trade, amount_fen)?;
    if given.is_none() && amount_fen < trade.total_fen() {
        return Err(invalid("部分退款时out_request_no不能为空"));
    }
    let mut refund = Refund::new(&trade, number, amount_fen, call.text("refund_reason"), desk.now_ms);
    match call.effects.iter().find_map(ending) {
        Some((after_ms, ending)) => pend(desk, &mut trade, &mut refund, after_ms, ending),
        None => execute(desk, &mut trade, &mut refund, MovementKind::Refund),
    }
    Ok(answer(call, &trade, &refund, refund.progress == Progress::Done))
}

/// Gives everything back as the cancelling call does; it can be found under the trade's own number (4.7).
pub(super) fn whole(desk: &mut Desk<'_>, trade: &mut Trade, kind: MovementKind) -> Result<(), Failure> {
    has_balance(desk, trade, trade.total_fen())?;
    let number = trade.out_trade_no.clone();
    let mut refund = Refund::new(trade, number, trade.total_fen(), None, desk.now_ms);
    execute(desk, trade, &mut refund, kind);
    Ok(())
}

/// What goes back comes from the merchant's account, together with the fee that Alipay returns.
fn has_balance(desk: &Desk<'_>, trade: &Trade, amount_fen: u64) -> Result<(), Failure> {
    let Some(opening_fen) = account::find(&desk.tx, trade.merchant_app()).and_then(|account| account.terms.balance_fen)
    else {
        return Ok(());
    };
    let parts = trade.parts.without(trade.refunded).take(amount_fen);
    let needed_fen = parts.receipt_fen() - trade.fee_returned_fen(trade.refunded, parts);
    let balance_fen = postings::balance_fen(&desk.tx, &trade.seller_id, opening_fen);
    if balance_fen < i128::from(needed_fen) {
        return Err(Failure::acq("SELLER_BALANCE_NOT_ENOUGH"));
    }
    Ok(())
}

/// Settles what is under way, whatever the clock says: its timer rang.
pub(super) fn settle_due(desk: &mut Desk<'_>, key: &str) {
    let Some(mut refund) = desk.tx.get::<Refund>(TABLE, key) else {
        return;
    };
    if refund.pending.is_none() {
        return;
    }
    if let Some(mut trade) = trade::by_number(desk, &refund.seller_id, &refund.out_trade_no) {
        settle(desk, &mut trade, &mut refund);
    }
}

/// Everything that is under way, with its time.
pub(super) fn waiting(tx: &Tx<'_>) -> Vec<(Due, i64)> {
    let refunds: Vec<Refund> = tx.scan(TABLE);
    refunds
        .into_iter()
        .filter_map(|refund| Some((Due::Refund(refund.key()), refund.pending?.due_ms)))
        .collect()
}

fn may_refund(trade: &Trade, amount_fen: u64) -> Result<(), Failure> {
    match trade.status {
        Status::WaitBuyerPay => return Err(Failure::acq("TRADE_STATUS_ERROR")),
        Status::TradeClosed => return Err(Failure::acq("TRADE_HAS_CLOSE")),
        Status::TradeFinished => return Err(Failure::acq("TRADE_HAS_FINISHED")),
        Status::TradeSuccess => {}
    }
    if trade.refunded.total_fen() + trade.refunding_fen + amount_fen > trade.total_fen() {
        return Err(Failure::acq("REFUND_AMT_NOT_EQUAL_TOTAL"));
    }
    Ok(())
}

fn ending(effect: &Effect) -> Option<(u64, Ending)> {
    match effect {
        Effect::Pending { ms } => Some((*ms, Ending::Done)),
        Effect::FailLater { ms, code } => Some((*ms, Ending::Failed(code.clone()))),
        _ => None,
    }
}

fn pend(desk: &mut Desk<'_>, trade: &mut Trade, refund: &mut Refund, after_ms: u64, ending: Ending) {
    let due_ms = desk.now_ms.saturating_add_unsigned(after_ms);
    refund.pending = Some(Pending { due_ms, ending });
    trade.refunding_fen += refund.amount_fen;
    trade::save(desk, trade);
    desk.tx.put(TABLE, &refund.key(), refund);
    desk.wake(Due::Refund(refund.key()), after_ms);
}

fn settle(desk: &mut Desk<'_>, trade: &mut Trade, refund: &mut Refund) {
    let Some(pending) = refund.pending.take() else { return };
    trade.refunding_fen -= refund.amount_fen;
    match pending.ending {
        Ending::Done => execute(desk, trade, refund, MovementKind::Refund),
        Ending::Failed(_) => {
            refund.progress = Progress::Failed;
            trade::save(desk, trade);
            desk.tx.put(TABLE, &refund.key(), refund);
        }
    }
}

fn execute(desk: &mut Desk<'_>, trade: &mut Trade, refund: &mut Refund, kind: MovementKind) {
    refund.parts = trade_life::give_back(desk, trade, kind, &refund.number, refund.amount_fen);
    refund.progress = Progress::Done;
    refund.done_ms = Some(desk.now_ms);
    desk.tx.put(TABLE, &refund.key(), refund);
    let news = RefundNews {
        number: &refund.number,
        send_back_fen: refund.send_back_fen(),
        at_ms: desk.now_ms,
    };
    let Some(account) = account::find(&desk.tx, &trade.app_id) else {
        return;
    };
    notify::refund(desk, &account, trade, &news);
    if trade.goes_to_a_card(refund.parts) {
        message::deposit_back(desk, &account, trade, refund);
    }
}
