//! The fund-flow bill: what moved on the merchant's account (wechat reference, 6.4).

use std::io::Read;

use metropay_core::channel::{BillError, FundRow};
use metropay_core::clock::Time;

use super::file::Lines;
use super::money::units;
use super::table::{self, Bill, Cells, Column, Header};
use super::unreadable;

struct Columns {
    at: Column,
    no: Column,
    name: Column,
    kind: Option<Column>,
    direction: Column,
    amount: Column,
    balance: Option<Column>,
    cause_no: Option<Column>,
}

/// Counts, and sums in fen.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    rows: i64,
    rows_in: i64,
    amount_in: i64,
    rows_out: i64,
    amount_out: i64,
}

struct Funds<'a> {
    columns: Columns,
    totals: Totals,
    hand_over: &'a mut dyn FnMut(FundRow) -> bool,
}

/// Reads a fund-flow bill.
///
/// # Errors
/// [`BillError::Unreadable`] when it is not whole or not of this form.
pub(super) fn read<R: Read>(lines: Lines<R>, hand_over: &mut dyn FnMut(FundRow) -> bool) -> Result<(), BillError> {
    table::read(lines, |header| {
        Ok(Funds {
            columns: Columns {
                at: header.need(&["记账时间"])?,
                no: header.need(&["微信支付业务单号"])?,
                name: header.need(&["业务名称"])?,
                kind: header.find(&["业务类型"]),
                direction: header.need(&["收支类型"])?,
                amount: header.need(&["收支金额(元)"])?,
                balance: header.find(&["账户结余(元)"]),
                cause_no: header.find(&["业务凭证号"]),
            },
            totals: Totals::default(),
            hand_over,
        })
    })
}

impl Funds<'_> {
    /// `None` where a cell is no time, no direction or no amount.
    fn fund_row(&self, cells: &Cells<'_>) -> Option<FundRow> {
        let columns = &self.columns;
        let amount = units(cells.get(columns.amount), 2).filter(|fen| *fen >= 0)?;
        let amount_fen = match cells.get(columns.direction) {
            "收入" => amount,
            "支出" => amount.checked_neg()?,
            _ => return None,
        };
        let (name, kind) = (
            cells.get(columns.name),
            columns.kind.map(|column| cells.get(column)).unwrap_or_default(),
        );
        let balance = columns.balance.map(|column| cells.get(column));
        Some(FundRow {
            no: cells.get(columns.no).to_owned(),
            cause_no: cells.number(columns.cause_no).map(str::to_owned),
            what: if kind.is_empty() || kind == name {
                name.to_owned()
            } else {
                format!("{name} {kind}")
            },
            amount_fen,
            balance_fen: match balance.filter(|text| !text.is_empty()) {
                Some(text) => Some(units(text, 2)?),
                None => None,
            },
            at: Time::parse_china(cells.get(columns.at), "%Y-%m-%d %H:%M:%S")?,
        })
    }

    fn add(&self, amount: i64) -> Option<Totals> {
        let totals = &self.totals;
        let (rows_in, amount_in) = if amount >= 0 { (1, amount) } else { (0, 0) };
        let (rows_out, amount_out) = if amount < 0 { (1, amount.checked_neg()?) } else { (0, 0) };
        Some(Totals {
            rows: totals.rows.checked_add(1)?,
            rows_in: totals.rows_in.checked_add(rows_in)?,
            amount_in: totals.amount_in.checked_add(amount_in)?,
            rows_out: totals.rows_out.checked_add(rows_out)?,
            amount_out: totals.amount_out.checked_add(amount_out)?,
        })
    }
}

impl Bill for Funds<'_> {
    const SUMMARY: &'static str = "资金流水总笔数";
    const FREE: &'static [&'static str] = &["备注"];

    fn row(&mut self, cells: &Cells<'_>) -> Result<bool, BillError> {
        let row = self.fund_row(cells);
        let totals = row.as_ref().and_then(|row| self.add(row.amount_fen));
        match (row, totals) {
            (Some(row), Some(totals)) => {
                self.totals = totals;
                Ok((self.hand_over)(row))
            }
            _ => unreadable("a row has a cell that is no time, no direction or no amount"),
        }
    }

    fn summary(&self, header: &Header, cells: &Cells<'_>) -> Result<(), BillError> {
        let number = |name: &str, decimals| match units(cells.get(header.need(&[name])?), decimals) {
            Some(number) => Ok(number),
            None => unreadable("a total is no number"),
        };
        let told = Totals {
            rows: number(Self::SUMMARY, 0)?,
            rows_in: number("收入笔数", 0)?,
            amount_in: number("收入金额", 2)?,
            rows_out: number("支出笔数", 0)?,
            amount_out: number("支出金额", 2)?,
        };
        if told == self.totals {
            Ok(())
        } else {
            unreadable("its totals are not those of its rows")
        }
    }
}
