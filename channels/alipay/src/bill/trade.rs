//! The bill of trades (alipay reference, 6.3 and 6.4).

use metropay_core::channel::{BillError, BillRow, BillRowKind, BillRowState};
use metropay_core::clock::Time;
use metropay_core::money::Fen;

use super::detail::Sheet;
use super::summary::Summary;
use super::table::{Columns, Fields};
use super::trailer::Trailer;
use super::{decimal, unreadable};

/// What coupons, packets and points paid, by whomever they are borne.
const COUPONS: [&str; 6] = [
    "支付宝红包(元)",
    "集分宝(元)",
    "支付宝优惠(元)",
    "商家优惠(元)",
    "券核销金额(元)",
    "商家红包消费金额(元)",
];

/// The columns that are read, and what the rows came to so far.
pub(crate) struct Trades {
    trade_no: usize,
    out_trade_no: usize,
    kind: usize,
    created: Option<usize>,
    done: usize,
    amount: usize,
    received: usize,
    coupons: [Option<usize>; 6],
    refund_no: usize,
    fee: usize,
    payments: Sum,
    refunds: Sum,
}

/// What rows of one kind came to, in fen.
#[derive(Debug, Default)]
struct Sum {
    count: u64,
    amount: i128,
    received: i128,
}

impl Sum {
    fn add(&mut self, amount: Fen, received: Fen) {
        self.count = self.count.saturating_add(1);
        self.amount = self.amount.saturating_add(i128::from(amount.get()));
        self.received = self.received.saturating_add(i128::from(received.get()));
    }

    fn is(&self, trailer: &Trailer) -> bool {
        let is_received = |fen: u64| i128::from(fen) == self.received;
        trailer.count == self.count && trailer.amount("商家实收").is_none_or(is_received)
    }
}

impl Sheet for Trades {
    type Row = BillRow;

    const SUMMARY: &'static [&'static str] = &["交易订单总笔数", "退款订单总笔数", "订单金额(元)", "商家实收(元)"];

    fn new(columns: &Columns) -> Result<Self, BillError> {
        Ok(Self {
            trade_no: columns.must("支付宝交易号")?,
            out_trade_no: columns.must("商户订单号")?,
            kind: columns.must("业务类型")?,
            created: columns.place("创建时间"),
            done: columns.must("完成时间")?,
            amount: columns.must("订单金额(元)")?,
            received: columns.must("商家实收(元)")?,
            coupons: COUPONS.map(|name| columns.place(name)),
            refund_no: columns.must("退款批次号/请求号")?,
            fee: columns.must("服务费(元)")?,
            payments: Sum::default(),
            refunds: Sum::default(),
        })
    }

    fn row(&mut self, fields: &Fields<'_>) -> Result<BillRow, BillError> {
        let money = |place: Option<usize>| {
            decimal::unsigned(fields.text(place)).ok_or_else(|| unreadable("an amount of a row is none"))
        };
        let amount = money(Some(self.amount))?;
        let received = money(Some(self.received))?;
        let mut coupon = Fen::ZERO;
        for place in self.coupons {
            let more = coupon.plus(money(place)?);
            coupon = more.map_err(|_| unreadable("the amounts of a row are too large"))?;
        }
        let fee = decimal::milli_fen(fields.text(self.fee)).ok_or_else(|| unreadable("the fee of a row is none"))?;
        let payment_no = fields.text(self.out_trade_no);
        let (kind, no) = match fields.text(self.kind) {
            "交易" => (BillRowKind::Payment, payment_no),
            "退款" => (BillRowKind::Refund, fields.text(self.refund_no)),
            _ => (BillRowKind::Other, fields.text(self.refund_no)),
        };
        match kind {
            BillRowKind::Payment => self.payments.add(amount, received),
            BillRowKind::Refund => self.refunds.add(amount, received),
            BillRowKind::Other => {}
        }
        Ok(BillRow {
            kind,
            state: BillRowState::Done,
            no: Some(no).filter(|no| !no.is_empty()).map(str::to_owned),
            payment_no: payment_no.to_owned(),
            channel_no: fields.text(self.trade_no).to_owned(),
            movement_no: None,
            amount,
            coupon: coupon.min(amount),
            fee_milli_fen: charged(kind, fee),
            at: time(fields.text(self.done))
                .or_else(|| time(fields.text(self.created)))
                .ok_or_else(|| unreadable("the date of a row is none"))?,
        })
    }

    fn adds_up(&self, trailer: &Trailer) -> Option<bool> {
        match trailer.of.as_str() {
            "交易合计" => Some(self.payments.is(trailer)),
            "退款合计" => Some(self.refunds.is(trailer)),
            _ => None,
        }
    }

    /// Whether the summary's amounts are before or after refunds is not certain; either proves the rows.
    fn agrees(&self, summary: &Summary) -> bool {
        let is_either = |fen: Option<i64>, paid: i128, back: i128| {
            fen.map(i128::from)
                .is_some_and(|fen| fen == paid || fen == paid.saturating_sub(back))
        };
        summary.count(0) == Some(self.payments.count)
            && summary.count(1) == Some(self.refunds.count)
            && is_either(summary.fen(2), self.payments.amount, self.refunds.amount)
            && is_either(summary.fen(3), self.payments.received, self.refunds.received)
    }
}

/// The fee as the channel's charge: it is taken with payments and comes back with refunds, whatever sign the file writes.
fn charged(kind: BillRowKind, fee: i64) -> i64 {
    match kind {
        BillRowKind::Payment => fee.saturating_abs(),
        BillRowKind::Refund => fee.saturating_abs().saturating_neg(),
        BillRowKind::Other => fee.saturating_neg(),
    }
}

/// A date of a bill.
pub(super) fn time(text: &str) -> Option<Time> {
    Time::parse_china(text, "%Y-%m-%d %H:%M:%S")
}
