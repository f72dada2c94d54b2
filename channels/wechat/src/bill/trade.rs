//! The trade bill: what was paid and given back (wechat reference, 6.2).

use std::io::Read;

use metropay_core::channel::{BillError, BillRow, BillRowKind, BillRowState};
use metropay_core::clock::Time;
use metropay_core::money::Fen;

use super::file::Lines;
use super::money::units;
use super::table::{self, Bill, Cells, Column, Header};
use super::unreadable;

/// Whose bill it must be.
pub(super) struct Whose {
    pub(super) mch_id: String,
    pub(super) sub_mch_id: Option<String>,
}

/// The columns, by the names of both layouts.
struct Columns {
    at: Column,
    mch_id: Column,
    sub_mch_id: Option<Column>,
    channel_no: Column,
    no: Column,
    state: Column,
    currency: Option<Column>,
    /// What the merchant gets of the order before fees; in the older layout the order's amount.
    settled: Column,
    coupon: Option<Column>,
    refund_id: Column,
    refund_no: Column,
    refunded: Column,
    refunded_coupon: Option<Column>,
    refund_state: Column,
    fee: Column,
    /// Only in the newer layout.
    order_amount: Option<Column>,
    asked_back: Option<Column>,
}

/// Sums in fen.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    rows: i64,
    settled: i64,
    refunded: i64,
    order_amount: i64,
    asked_back: i64,
}

struct Trades<'a> {
    whose: Whose,
    columns: Columns,
    totals: Totals,
    hand_over: &'a mut dyn FnMut(BillRow) -> bool,
}

/// Reads a trade bill.
///
/// # Errors
/// [`BillError::Unreadable`] when it is not whole, not ours, or not of this form.
pub(super) fn read<R: Read>(
    lines: Lines<R>,
    whose: Whose,
    hand_over: &mut dyn FnMut(BillRow) -> bool,
) -> Result<(), BillError> {
    table::read(lines, |header| {
        Ok(Trades {
            whose,
            columns: Columns::of(header)?,
            totals: Totals::default(),
            hand_over,
        })
    })
}

impl Columns {
    fn of(header: &Header) -> Result<Self, BillError> {
        Ok(Self {
            at: header.need(&["交易时间"])?,
            mch_id: header.need(&["商户号"])?,
            sub_mch_id: header.find(&["特约商户号", "子商户号"]),
            channel_no: header.need(&["微信订单号"])?,
            no: header.need(&["商户订单号"])?,
            state: header.need(&["交易状态"])?,
            currency: header.find(&["货币种类"]),
            settled: header.need(&["应结订单金额", "总金额"])?,
            coupon: header.find(&["代金券金额", "代金券或立减优惠金额"]),
            refund_id: header.need(&["微信退款单号"])?,
            refund_no: header.need(&["商户退款单号"])?,
            refunded: header.need(&["退款金额"])?,
            refunded_coupon: header.find(&["充值券退款金额", "代金券或立减优惠退款金额"]),
            refund_state: header.need(&["退款状态"])?,
            fee: header.need(&["手续费"])?,
            order_amount: header.find(&["订单金额"]),
            asked_back: header.find(&["申请退款金额"]),
        })
    }
}

/// The amounts of a row, in fen.
struct Amounts {
    settled: i64,
    refunded: i64,
    order_amount: i64,
    asked_back: i64,
    coupon: i64,
    refunded_coupon: i64,
}

fn fen(cells: &Cells<'_>, column: Column) -> Result<i64, BillError> {
    let text = cells.get(column);
    match units(text, 2) {
        Some(fen) => Ok(fen),
        None => unreadable("a cell is no amount"),
    }
}

impl Trades<'_> {
    fn amounts(&self, cells: &Cells<'_>) -> Result<Amounts, BillError> {
        let columns = &self.columns;
        let (settled, refunded) = (fen(cells, columns.settled)?, fen(cells, columns.refunded)?);
        let or = |column: Option<Column>, other| column.map_or(Ok(other), |column| fen(cells, column));
        Ok(Amounts {
            settled,
            refunded,
            order_amount: or(columns.order_amount, settled)?,
            asked_back: or(columns.asked_back, refunded)?,
            coupon: or(columns.coupon, 0)?,
            refunded_coupon: or(columns.refunded_coupon, 0)?,
        })
    }

    fn add(&mut self, amounts: &Amounts) -> Result<(), BillError> {
        let totals = &self.totals;
        let sum = || {
            Some(Totals {
                rows: totals.rows.checked_add(1)?,
                settled: totals.settled.checked_add(amounts.settled)?,
                refunded: totals.refunded.checked_add(amounts.refunded)?,
                order_amount: totals.order_amount.checked_add(amounts.order_amount)?,
                asked_back: totals.asked_back.checked_add(amounts.asked_back)?,
            })
        };
        match sum() {
            Some(sum) => {
                self.totals = sum;
                Ok(())
            }
            None => unreadable("its amounts are beyond all bounds"),
        }
    }
}

/// The coupons' part of what went back. In the newer layout free coupons are what was asked back beyond `退款金额`, and
/// prepaid ones have a column; in the older one the column tells of all.
fn coupon_back(amounts: &Amounts) -> i64 {
    let free = amounts.asked_back.saturating_sub(amounts.refunded).max(0);
    free.saturating_add(amounts.refunded_coupon)
}

impl Trades<'_> {
    /// `None` where a cell is no time or no amount.
    fn bill_row(&self, cells: &Cells<'_>, amounts: &Amounts) -> Option<BillRow> {
        let columns = &self.columns;
        let (mut kind, state) = kind(cells.get(columns.state), cells.get(columns.refund_state));
        if columns.currency.is_some_and(|column| cells.get(column) != "CNY") {
            kind = BillRowKind::Other;
        }
        let (amount, coupon) = if kind == BillRowKind::Payment || amounts.asked_back == 0 {
            (amounts.order_amount, amounts.coupon)
        } else {
            (amounts.asked_back, coupon_back(amounts))
        };
        let fen = |fen: i64| u64::try_from(fen).ok().and_then(|fen| Fen::new(fen).ok());
        let payment_no = cells.get(columns.no);
        // The undoing of a whole order has no number of its own: the order's stands there again, or nothing.
        let refund_no = cells.number(Some(columns.refund_no)).filter(|no| *no != payment_no);
        let no = if kind == BillRowKind::Payment {
            Some(payment_no)
        } else {
            refund_no
        };
        Some(BillRow {
            kind,
            state,
            no: no.map(str::to_owned),
            payment_no: payment_no.to_owned(),
            channel_no: cells.get(columns.channel_no).to_owned(),
            movement_no: cells.number(Some(columns.refund_id)).map(str::to_owned),
            amount: fen(amount)?,
            coupon: fen(coupon)?,
            fee_milli_fen: units(cells.get(columns.fee), 5)?,
            at: Time::parse_china(cells.get(columns.at), "%Y-%m-%d %H:%M:%S")?,
        })
    }
}

/// What a row tells of, and how it stood.
fn kind(state: &str, refund_state: &str) -> (BillRowKind, BillRowState) {
    match (state, refund_state) {
        ("SUCCESS", _) => (BillRowKind::Payment, BillRowState::Done),
        ("REFUND", "SUCCESS") | ("REVOKED", "SUCCESS" | "") => (BillRowKind::Refund, BillRowState::Done),
        ("REFUND" | "REVOKED", "FAIL") => (BillRowKind::Refund, BillRowState::Failed),
        // Also what is parked for a person to handle: it has not come to nothing.
        ("REFUND" | "REVOKED", _) => (BillRowKind::Refund, BillRowState::Pending),
        _ => (BillRowKind::Other, BillRowState::Done),
    }
}

impl Bill for Trades<'_> {
    const SUMMARY: &'static str = "总交易单数";
    const FREE: &'static [&'static str] = &["商品名称", "商户数据包"];

    fn row(&mut self, cells: &Cells<'_>) -> Result<bool, BillError> {
        let columns = &self.columns;
        let sub_mch_id = columns.sub_mch_id.map(|column| cells.get(column));
        let other_shop = self
            .whose
            .sub_mch_id
            .as_deref()
            .is_some_and(|ours| sub_mch_id.is_some_and(|theirs| theirs != ours));
        if cells.get(columns.mch_id) != self.whose.mch_id || other_shop {
            return unreadable("it is the bill of another merchant");
        }
        let amounts = self.amounts(cells)?;
        let row = self.bill_row(cells, &amounts);
        self.add(&amounts)?;
        match row {
            Some(row) => Ok((self.hand_over)(row)),
            None => unreadable("a row has a cell that is no time or no amount"),
        }
    }

    /// The fee's total is left out: how the channel rounds it is not documented.
    fn summary(&self, header: &Header, cells: &Cells<'_>) -> Result<(), BillError> {
        let amount = |names: &[&str]| header.need(names).and_then(|column| fen(cells, column));
        let (settled, refunded) = (
            amount(&["应结订单总金额", "总交易额"])?,
            amount(&["退款总金额", "总退款金额"])?,
        );
        let or = |name: &str, other| header.find(&[name]).map_or(Ok(other), |column| fen(cells, column));
        let told = Totals {
            rows: match units(cells.get(header.need(&[Self::SUMMARY])?), 0) {
                Some(rows) => rows,
                None => return unreadable("the number of its rows is no number"),
            },
            settled,
            refunded,
            order_amount: or("订单总金额", self.totals.order_amount)?,
            asked_back: or("申请退款总金额", self.totals.asked_back)?,
        };
        if told == self.totals {
            Ok(())
        } else {
            unreadable("its totals are not those of its rows")
        }
    }
}
