//! Trades: what is kept of one, how it is found, and how its state moves (alipay reference, 4.3 and 11.3).
//!
//! ```text
//! (none) -> WAIT_BUYER_PAY -> TRADE_SUCCESS -> TRADE_FINISHED    the refund period is over
//!           WAIT_BUYER_PAY -> TRADE_CLOSED                       time-out, close, cancel, failed in the background
//!           TRADE_SUCCESS  -> TRADE_CLOSED                       refunded in full, or cancelled
//! ```

use serde::{Deserialize, Serialize};

use super::account;
use super::answer::Failure;
use super::call::Call;
use super::desk::{Desk, Due};
use super::notify;
use super::parts::{Parts, Voucher};
use crate::books::{self, Movement, MovementKind};
use crate::clock;
use crate::frame::Gateway;
use crate::store::Tx;

const TABLE: &str = "alipay_trade";
const BY_TRADE_NO: &str = "alipay_trade_no";
const REFUSED_NUMBERS: &str = "alipay_cancelled_number";

/// The state of a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    /// Created, unpaid.
    WaitBuyerPay,
    /// Paid; stays so after partial refunds.
    TradeSuccess,
    /// Paid, and the refund period is over.
    TradeFinished,
    /// Never paid and closed, or paid and given back in full.
    TradeClosed,
}

impl Status {
    /// The word on the wire.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::WaitBuyerPay => "WAIT_BUYER_PAY",
            Self::TradeSuccess => "TRADE_SUCCESS",
            Self::TradeFinished => "TRADE_FINISHED",
            Self::TradeClosed => "TRADE_CLOSED",
        }
    }
}

/// How something ends that is still under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ending {
    /// It succeeds.
    Done,
    /// It fails with this code.
    Failed(String),
}

/// Something under way: when it ends, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    /// When, Unix milliseconds.
    pub(super) due_ms: i64,
    /// How.
    pub(super) ending: Ending,
}

/// What a cancelling call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CancelAction {
    /// Closed an unpaid trade.
    Close,
    /// Gave the money back.
    Refund,
}

/// One trade.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Trade {
    pub(super) app_id: String,
    pub(super) seller_id: String,
    /// The merchant's number, unique per seller.
    pub(super) out_trade_no: String,
    /// The gateway's number.
    pub(super) trade_no: String,
    pub(super) subject: String,
    pub(super) body: Option<String>,
    pub(super) product_code: String,
    pub(super) agreement_no: Option<String>,
    pub(super) external_agreement_no: Option<String>,
    pub(super) store_id: Option<String>,
    pub(super) store_name: Option<String>,
    pub(super) terminal_id: Option<String>,
    pub(super) passback_params: Option<String>,
    pub(super) notify_url: Option<String>,
    pub(super) buyer_user_id: String,
    pub(super) buyer_logon_id: String,
    /// Who bears which part of the order's amount.
    pub(super) parts: Parts,
    pub(super) vouchers: Vec<Voucher>,
    pub(super) status: Status,
    pub(super) created_ms: i64,
    /// Until when it can be paid.
    pub(super) expires_ms: i64,
    /// For how long it can be refunded after payment, in seconds.
    pub(super) refund_window_s: u64,
    /// When the payer was debited; present exactly if he was.
    pub(super) paid_ms: Option<i64>,
    pub(super) closed_ms: Option<i64>,
    /// What is still under way.
    pub(super) pending: Option<Pending>,
    /// The word for asynchronous deduction, where it was asked for.
    pub(super) async_mode: Option<String>,
    pub(super) unpaid_reason: Option<String>,
    pub(super) cancel_action: Option<CancelAction>,
    /// By the fault script: once cancelled, it is paid so much later all the same.
    pub(super) paid_after_cancel_ms: Option<u64>,
    /// What was given back so far.
    pub(super) refunded: Parts,
    /// What is being given back, in fen.
    pub(super) refunding_fen: u64,
}

impl Trade {
    /// The key of its row.
    pub(super) fn key(&self) -> String {
        key(&self.seller_id, &self.out_trade_no)
    }

    /// The order's amount, in fen.
    pub(super) fn total_fen(&self) -> u64 {
        self.parts.total_fen()
    }

    /// Whether money can still be given back.
    pub(super) fn is_untouched(&self) -> bool {
        self.refunded.total_fen() == 0 && self.refunding_fen == 0
    }

    fn movement(&self, at_ms: i64, kind: MovementKind, order_no: &str, amount_fen: u64) -> Movement {
        Movement {
            seq: 0,
            at_ms,
            gateway: Gateway::Alipay,
            account: self.app_id.clone(),
            kind,
            order_no: order_no.to_owned(),
            payment_no: self.out_trade_no.clone(),
            gateway_no: self.trade_no.clone(),
            amount_fen,
            payer: self.buyer_user_id.clone(),
        }
    }
}

/// The key of a trade's row.
pub(super) fn key(seller_id: &str, out_trade_no: &str) -> String {
    format!("{seller_id}/{out_trade_no}")
}

/// The seller's trade with this number, as it stands now.
pub(super) fn by_number(desk: &mut Desk<'_>, seller_id: &str, out_trade_no: &str) -> Option<Trade> {
    let mut trade: Trade = desk.tx.get(TABLE, &key(seller_id, out_trade_no))?;
    catch_up(desk, &mut trade);
    Some(trade)
}

/// The merchant's number of the trade with this gateway number, if it is this seller's.
pub(super) fn number_of(tx: &Tx<'_>, seller_id: &str, trade_no: &str) -> Option<String> {
    let key: String = tx.get(BY_TRADE_NO, trade_no)?;
    key.strip_prefix(seller_id)?.strip_prefix('/').map(str::to_owned)
}

/// The trade that a call names; `trade_no` wins over `out_trade_no`.
pub(super) fn named(desk: &mut Desk<'_>, call: &Call) -> Result<Trade, Failure> {
    let seller_id = &call.account.seller_id;
    let number = match call.text("trade_no") {
        Some(trade_no) => number_of(&desk.tx, seller_id, &trade_no),
        None => Some(
            call.text("out_trade_no")
                .ok_or_else(|| Failure::acq("INVALID_PARAMETER").because("out_trade_no和trade_no不能同时为空"))?,
        ),
    };
    number
        .and_then(|number| by_number(desk, seller_id, &number))
        .ok_or_else(|| Failure::acq("TRADE_NOT_EXIST"))
}

/// Writes a trade down.
pub(super) fn save(desk: &mut Desk<'_>, trade: &Trade) {
    desk.tx.put(TABLE, &trade.key(), trade);
}

/// Writes a new trade down and makes it known under the gateway's number.
pub(super) fn add(desk: &mut Desk<'_>, trade: &Trade) {
    desk.tx.put(BY_TRADE_NO, &trade.trade_no, &trade.key());
    save(desk, trade);
}

/// A new gateway number for a trade: the day, then twenty digits.
pub(super) fn new_number(desk: &mut Desk<'_>) -> String {
    let day = clock::at(desk.now_ms).format("%Y%m%d").to_string();
    format!("{day}220014000014{:08}", desk.next("trade"))
}

/// Remembers that a number was cancelled before a trade came with it: a late payment is refused (4.4).
pub(super) fn refuse_number(desk: &mut Desk<'_>, seller_id: &str, out_trade_no: &str) {
    desk.tx.put(REFUSED_NUMBERS, &key(seller_id, out_trade_no), &true);
}

/// Whether the number was cancelled before a trade came with it.
pub(super) fn is_refused_number(desk: &Desk<'_>, seller_id: &str, out_trade_no: &str) -> bool {
    desk.tx
        .get(REFUSED_NUMBERS, &key(seller_id, out_trade_no))
        .unwrap_or(false)
}

/// Lets the trade be paid: debits the payer once, and tells the merchant.
pub(super) fn pay(desk: &mut Desk<'_>, trade: &mut Trade) {
    if trade.paid_ms.is_none() {
        trade.paid_ms = Some(desk.now_ms);
        let debit = trade.movement(desk.now_ms, MovementKind::Debit, &trade.out_trade_no, trade.total_fen());
        books::record(&mut desk.tx, debit);
    }
    trade.status = Status::TradeSuccess;
    trade.pending = None;
    trade.closed_ms = None;
    trade.cancel_action = None;
    trade.unpaid_reason = None;
    save(desk, trade);
    if let Some(account) = account::find(&desk.tx, &trade.app_id) {
        notify::payment(desk, &account, trade);
    }
}

/// Closes an unpaid trade. Nothing is debited for it any more.
pub(super) fn close(desk: &mut Desk<'_>, trade: &mut Trade, reason: Option<String>) {
    trade.status = Status::TradeClosed;
    trade.closed_ms = Some(desk.now_ms);
    trade.pending = None;
    trade.unpaid_reason = reason;
    save(desk, trade);
}

/// Gives money back: `kind` says whether by refund or by cancelling. The trade is closed when nothing is left.
pub(super) fn give_back(desk: &mut Desk<'_>, trade: &mut Trade, kind: MovementKind, number: &str, fen: u64) -> Parts {
    let parts = trade.parts.without(trade.refunded).take(fen);
    trade.refunded = trade.refunded.with(parts);
    if trade.refunded == trade.parts {
        trade.status = Status::TradeClosed;
        trade.closed_ms = Some(desk.now_ms);
    }
    let movement = trade.movement(desk.now_ms, kind, number, parts.total_fen());
    books::record(&mut desk.tx, movement);
    save(desk, trade);
    parts
}

/// Settles what is under way, whatever the clock says: its timer rang.
pub(super) fn settle_due(desk: &mut Desk<'_>, key: &str) {
    let Some(mut trade) = desk.tx.get::<Trade>(TABLE, key) else {
        return;
    };
    if trade.status == Status::WaitBuyerPay && desk.now_ms >= trade.expires_ms {
        close(desk, &mut trade, None);
    } else {
        settle(desk, &mut trade);
    }
}

/// Everything that is under way, with its time.
pub(super) fn waiting(tx: &Tx<'_>) -> Vec<(Due, i64)> {
    let trades: Vec<Trade> = tx.scan(TABLE);
    trades
        .into_iter()
        .filter_map(|trade| Some((Due::Trade(trade.key()), trade.pending?.due_ms)))
        .collect()
}

/// Lets happen what the passing of time brings: the end of what is under way, of the time to pay, of the refund period.
fn catch_up(desk: &mut Desk<'_>, trade: &mut Trade) {
    let unpaid = trade.status == Status::WaitBuyerPay;
    let due = trade
        .pending
        .as_ref()
        .is_some_and(|pending| pending.due_ms <= desk.now_ms);
    let in_time = trade
        .pending
        .as_ref()
        .is_some_and(|pending| pending.due_ms < trade.expires_ms);
    if due && (in_time || !unpaid) {
        settle(desk, trade);
    } else if unpaid && desk.now_ms >= trade.expires_ms {
        close(desk, trade, None);
    }
    let refund_ms = i64::try_from(trade.refund_window_s)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000);
    let over = trade
        .paid_ms
        .is_some_and(|paid_ms| desk.now_ms >= paid_ms.saturating_add(refund_ms));
    if trade.status == Status::TradeSuccess && over {
        trade.status = Status::TradeFinished;
        save(desk, trade);
    }
}

fn settle(desk: &mut Desk<'_>, trade: &mut Trade) {
    match trade.pending.take().map(|pending| pending.ending) {
        Some(Ending::Done) => pay(desk, trade),
        Some(Ending::Failed(code)) => close(desk, trade, Some(code)),
        None => {}
    }
}

/// Lets something end later: writes down how, and sets the timer.
pub(super) fn pend(desk: &mut Desk<'_>, trade: &mut Trade, after_ms: u64, ending: Ending) {
    let due_ms = desk.now_ms.saturating_add_unsigned(after_ms);
    trade.pending = Some(Pending { due_ms, ending });
    save(desk, trade);
    desk.wake(Due::Trade(trade.key()), after_ms);
}

/// A moment as the gateway writes it, in China time.
pub(super) fn moment(ms: i64) -> String {
    clock::at(ms).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// `yyyyMMdd` of a moment, in China time.
pub(super) fn day(ms: i64) -> String {
    clock::at(ms).format("%Y%m%d").to_string()
}
