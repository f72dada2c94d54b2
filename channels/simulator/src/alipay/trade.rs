//! Trades: what is kept of one, and how it is found (alipay reference, 4.3).

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::charset::Charset;
use super::desk::Desk;
use super::failure::Failure;
use super::parts::{Parts, Voucher};
use super::trade_life;
use crate::books::{Movement, MovementKind};
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
    /// The app that called.
    pub(super) app_id: String,
    /// The merchant's app, where a service provider called for it.
    #[serde(default)]
    pub(super) auth_app_id: Option<String>,
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
    /// The payment code that it was made with.
    #[serde(default)]
    pub(super) auth_code: Option<String>,
    /// Whether its payer must give his password first.
    #[serde(default)]
    pub(super) awaits_password: bool,
    pub(super) store_id: Option<String>,
    #[serde(default)]
    pub(super) operator_id: Option<String>,
    pub(super) store_name: Option<String>,
    pub(super) terminal_id: Option<String>,
    pub(super) passback_params: Option<String>,
    /// What its notifications are written in.
    #[serde(default)]
    pub(super) charset: Charset,
    pub(super) notify_url: Option<String>,
    pub(super) buyer_user_id: String,
    pub(super) buyer_logon_id: String,
    /// Where the payer's own money comes from.
    #[serde(default = "balance")]
    pub(super) fund_channel: String,
    /// Who bears which part of the order's amount.
    pub(super) parts: Parts,
    pub(super) vouchers: Vec<Voucher>,
    pub(super) status: Status,
    pub(super) created_ms: i64,
    /// Until when it can be paid.
    pub(super) expires_ms: i64,
    /// The merchant's fee, in ten-thousandths of what he receives.
    #[serde(default)]
    pub(super) fee_rate: u64,
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

fn balance() -> String {
    "ALIPAYACCOUNT".to_owned()
}

impl Trade {
    /// The key of its row.
    pub(super) fn key(&self) -> String {
        key(&self.seller_id, &self.out_trade_no)
    }

    /// The merchant's app, whoever called.
    pub(super) fn merchant_app(&self) -> &str {
        self.auth_app_id.as_deref().unwrap_or(&self.app_id)
    }

    /// The order's amount, in fen.
    pub(super) fn total_fen(&self) -> u64 {
        self.parts.total_fen()
    }

    /// Whether money can still be given back.
    pub(super) fn is_untouched(&self) -> bool {
        self.refunded.total_fen() == 0 && self.refunding_fen == 0
    }

    /// The fee on so much received, in fen, rounded half up.
    pub(super) fn fee_fen(&self, receipt_fen: u64) -> u64 {
        (u128::from(receipt_fen) * u128::from(self.fee_rate) + 5_000)
            .checked_div(10_000)
            .and_then(|fen| u64::try_from(fen).ok())
            .unwrap_or(u64::MAX)
    }

    /// The fee that comes back when these parts go back after those: all refunds together return all of it.
    pub(super) fn fee_returned_fen(&self, before: Parts, now: Parts) -> u64 {
        let left_fen = self.parts.receipt_fen() - before.receipt_fen();
        self.fee_fen(left_fen) - self.fee_fen(left_fen - now.receipt_fen())
    }

    /// Whether these parts, given back, go to a bank card.
    pub(super) fn goes_to_a_card(&self, parts: Parts) -> bool {
        self.fund_channel == "BANKCARD" && parts.own_fen > 0
    }

    /// One movement of its money.
    pub(super) fn movement(&self, at_ms: i64, kind: MovementKind, order_no: &str, amount_fen: u64) -> Movement {
        Movement {
            seq: 0,
            at_ms,
            gateway: Gateway::Alipay,
            account: self.merchant_app().to_owned(),
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
    by_key(desk, &key(seller_id, out_trade_no))
}

/// The trade under this key, as it stands now.
pub(super) fn by_key(desk: &mut Desk<'_>, key: &str) -> Option<Trade> {
    let mut trade: Trade = desk.tx.get(TABLE, key)?;
    trade_life::catch_up(desk, &mut trade);
    Some(trade)
}

/// The trade under this key as it was written down, whatever time has brought since.
pub(super) fn as_written(tx: &Tx<'_>, key: &str) -> Option<Trade> {
    tx.get(TABLE, key)
}

/// The trade with this gateway number, whosever it is, as it was written down.
pub(super) fn by_gateway_number(tx: &Tx<'_>, trade_no: &str) -> Option<Trade> {
    as_written(tx, &tx.get::<String>(BY_TRADE_NO, trade_no)?)
}

/// Every trade, as written down.
pub(super) fn all(tx: &Tx<'_>) -> Vec<Trade> {
    tx.scan(TABLE)
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

/// A moment as the gateway writes it, in China time.
pub(super) fn moment(ms: i64) -> String {
    clock::at(ms).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// `yyyyMMdd` of a moment, in China time.
pub(super) fn day(ms: i64) -> String {
    clock::at(ms).format("%Y%m%d").to_string()
}
