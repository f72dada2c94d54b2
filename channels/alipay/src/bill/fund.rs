//! The account's statement, `signcustomer` (alipay reference, 6.5).

use metropay_core::channel::{BillError, FundRow};
use metropay_core::money::Fen;

use super::detail::Sheet;
use super::summary::Summary;
use super::table::{Columns, Fields};
use super::trade::time;
use super::trailer::Trailer;
use super::{decimal, unreadable};

/// The columns that are read, and what the rows came to so far.
pub(crate) struct Funds {
    no: usize,
    cause_no: usize,
    at: usize,
    came: usize,
    went: usize,
    balance: Option<usize>,
    kind: usize,
    remark: Option<usize>,
    income: Sum,
    expense: Sum,
}

/// How many movements in one direction, and how much they were, in fen.
#[derive(Debug, Default)]
struct Sum {
    count: u64,
    fen: i128,
}

impl Sum {
    fn add(&mut self, fen: i64) {
        if fen != 0 {
            self.count = self.count.saturating_add(1);
            self.fen = self.fen.saturating_add(i128::from(fen));
        }
    }

    fn is(&self, count: Option<u64>, fen: Option<u64>) -> bool {
        count == Some(self.count) && fen.is_none_or(|fen| i128::from(fen) == self.fen)
    }
}

impl Sheet for Funds {
    type Row = FundRow;

    const SUMMARY: &'static [&'static str] = &["收入笔数", "收入金额(+元)", "支出笔数", "支出金额(-元)"];

    fn new(columns: &Columns) -> Result<Self, BillError> {
        Ok(Self {
            no: columns.must("账务流水号")?,
            cause_no: columns.must("商户订单号")?,
            at: columns.must("发生时间")?,
            came: columns.must("收入金额(+元)")?,
            went: columns.must("支出金额(-元)")?,
            balance: columns.place("账户余额(元)"),
            kind: columns.must("业务类型")?,
            remark: columns.place("备注"),
            income: Sum::default(),
            expense: Sum::default(),
        })
    }

    /// Expenses are written with a minus or without; their column tells them.
    fn row(&mut self, fields: &Fields<'_>) -> Result<FundRow, BillError> {
        let money = |place: usize| {
            let fen = decimal::unsigned(fields.text(place));
            fen.map(Fen::signed)
                .ok_or_else(|| unreadable("an amount of a row is none"))
        };
        let (came, went) = (money(self.came)?, money(self.went)?);
        self.income.add(came);
        self.expense.add(went);
        let balance = fields.text(self.balance);
        let balance_fen = if balance.is_empty() {
            None
        } else {
            Some(decimal::fen(balance).ok_or_else(|| unreadable("the balance of a row is none"))?)
        };
        let filled = |text: &str| Some(text).filter(|text| !text.is_empty()).map(str::to_owned);
        let what = filled(fields.text(self.kind)).or_else(|| filled(fields.text(self.remark)));
        Ok(FundRow {
            no: fields.text(self.no).to_owned(),
            cause_no: filled(fields.text(self.cause_no)),
            what: what.unwrap_or_default(),
            amount_fen: came.saturating_sub(went),
            balance_fen,
            at: time(fields.text(self.at)).ok_or_else(|| unreadable("the date of a row is none"))?,
        })
    }

    fn adds_up(&self, trailer: &Trailer) -> Option<bool> {
        let sum = match trailer.of.as_str() {
            "收入合计" => &self.income,
            "支出合计" => &self.expense,
            _ => return None,
        };
        Some(sum.is(Some(trailer.count), trailer.amount("")))
    }

    fn agrees(&self, summary: &Summary) -> bool {
        let fen = |place| summary.fen(place).map(i64::unsigned_abs);
        self.income.is(summary.count(0), fen(1)) && self.expense.is(summary.count(2), fen(3))
    }
}
