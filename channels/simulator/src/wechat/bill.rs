//! Bills: of which days there are some, how they are made, and the calls of APIv2 that fetch them (wechat reference, 6.1
//! and 6.5).

use std::sync::Arc;

use chrono::{Days, Months, NaiveDate};

use super::account::Account;
use super::answer::{FILE, Failure};
use super::bill_file::{self, BillType, Layout};
use super::bill_row::{self, Scope};
use super::flow;
use super::operation::{Carrier, Family, Form, Operation, Signing, may, must};
use super::request::Call;
use super::xml::Fields;
use crate::clock;
use crate::fault::Effect;
use crate::frame::Frame;

/// How long bills can be fetched.
const HISTORY: Months = Months::new(3);

/// Which file of a day is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paper {
    Trade(BillType),
    /// 充值退款: nothing here ever makes a row of it.
    RechargeRefund,
    FundFlow(flow::Ledger),
}

/// Why there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoBill {
    Creating,
    Empty,
}

/// What is asked for.
pub(super) struct Wish<'a> {
    pub account: &'a Account,
    pub sub_mch_id: Option<String>,
    pub day: NaiveDate,
    pub paper: Paper,
    pub effects: &'a [Effect],
    pub now_ms: i64,
}

impl Wish<'_> {
    /// The file as it was made at its hour, and as the fault script wants it.
    pub(super) fn file(&self, frame: &Frame) -> Result<String, NoBill> {
        if self.effects.contains(&Effect::BillNotReady) {
            return Err(NoBill::Creating);
        }
        let scope = self.scope()?;
        let layout = Layout::of(&self.account.terms);
        let tx = frame.store.begin();
        match self.paper {
            Paper::RechargeRefund => Err(NoBill::Empty),
            Paper::Trade(bill_type) => {
                let mut rows = bill_row::all(&tx, &scope);
                bill_row::distort(&mut rows, self.effects, &scope);
                rows.retain(|row| bill_file::lists(bill_type, row));
                (!rows.is_empty())
                    .then(|| bill_file::write(&rows, bill_type, layout))
                    .ok_or(NoBill::Empty)
            }
            Paper::FundFlow(ledger) => {
                let mut rows = flow::all(&tx, &scope, ledger);
                flow::distort(&mut rows, self.effects, &scope);
                (!rows.is_empty())
                    .then(|| flow::write(&rows, layout.line_end))
                    .ok_or(NoBill::Empty)
            }
        }
    }

    /// The day, if there is a file of it by now.
    fn scope(&self) -> Result<Scope, NoBill> {
        let today = clock::at(self.now_ms).date_naive();
        let oldest = today.checked_sub_months(HISTORY).unwrap_or(today);
        let next = self.day.checked_add_days(Days::new(1)).ok_or(NoBill::Empty)?;
        if self.day >= today || self.day < oldest {
            return Err(NoBill::Empty);
        }
        let (from_ms, until_ms) = (midnight_ms(self.day), midnight_ms(next));
        let made_at_ms = until_ms.saturating_add(i64::from(self.account.terms.bill_ready_hour) * 3_600_000);
        if self.now_ms < made_at_ms {
            return Err(NoBill::Creating);
        }
        Ok(Scope {
            mch_id: self.account.mch_id.clone(),
            sub_mch_id: self.sub_mch_id.clone(),
            from_ms,
            until_ms,
            made_at_ms,
        })
    }
}

/// Midnight in China at the beginning of a day.
fn midnight_ms(day: NaiveDate) -> i64 {
    let midnight = day.and_hms_opt(0, 0, 0).unwrap_or_default();
    let in_china = midnight.and_local_timezone(clock::china()).single();
    in_china.map_or(0, |at| at.timestamp_millis())
}

/// What is left of a file whose end did not come: it stops in the middle of its last row.
pub(super) fn truncated(file: &str) -> &str {
    let lines: Vec<&str> = file.split_inclusive('\n').collect();
    let last_row = lines.len().saturating_sub(3);
    let before: usize = lines.iter().take(last_row).map(|line| line.len()).sum();
    let half = lines.get(last_row).map_or(0, |line| line.len() / 2);
    let cut = (0..=before + half).rev().find(|at| file.is_char_boundary(*at));
    &file[..cut.unwrap_or(0)]
}

/// `/pay/downloadbill`.
pub(super) static DOWNLOADBILL: Operation = Operation {
    name: "downloadbill",
    family: Family::Bill,
    carrier: Carrier::PostForBill,
    signing: Signing::Md5,
    has_nonce: true,
    is_closed: false,
    is_certified: false,
    bad_field_code: "invalid parameter",
    rules: &[
        must("bill_date", Form::Digits(8)),
        may("bill_type", Form::Text(16)),
        may("tar_type", Form::OneOf(&["GZIP"])),
    ],
    act: |frame, call| {
        let paper = match call.fields.get("bill_type") {
            None | Some("ALL") => Paper::Trade(BillType::All),
            Some("SUCCESS") => Paper::Trade(BillType::Success),
            Some("REFUND") => Paper::Trade(BillType::Refund),
            Some("RECHARGE_REFUND") => Paper::RechargeRefund,
            Some(_) => return Err(Failure::of("invalid bill_type")),
        };
        let day = day(call).ok_or_else(|| Failure::of("data format error"))?;
        fetch(frame, call, day, paper).map_err(|no_bill| {
            Failure::of(match no_bill {
                NoBill::Creating => "Bill Creating",
                NoBill::Empty => "No Bill Exist",
            })
        })
    },
};

/// `/pay/downloadfundflow`.
pub(super) static DOWNLOADFUNDFLOW: Operation = Operation {
    name: "downloadfundflow",
    family: Family::Bill,
    carrier: Carrier::PostForFundFlow,
    signing: Signing::HmacRequired,
    has_nonce: true,
    is_closed: false,
    is_certified: true,
    bad_field_code: "PARAM_ERROR",
    rules: &[
        must("bill_date", Form::Digits(8)),
        must("account_type", Form::OneOf(&["Basic", "Operation", "Fees"])),
        may("tar_type", Form::OneOf(&["GZIP"])),
    ],
    act: |frame, call| {
        let day = day(call).ok_or_else(|| Failure::bad_field("参数格式校验错误:bill_date"))?;
        let ledger = flow::Ledger::named(call.field("account_type"));
        fetch(frame, call, day, Paper::FundFlow(ledger)).map_err(|no_bill| {
            Failure::of(match no_bill {
                NoBill::Creating => "BILL_CREATING",
                NoBill::Empty => "NO_BILL_EXIST",
            })
        })
    },
};

fn day(call: &Call) -> Option<NaiveDate> {
    let text = call.field("bill_date");
    NaiveDate::parse_from_str(text, "%Y%m%d")
        .ok()
        .filter(|_| text.len() == 8)
}

fn fetch(frame: &Arc<Frame>, call: &Call, day: NaiveDate, paper: Paper) -> Result<Fields, NoBill> {
    let wish = Wish {
        account: &call.account,
        sub_mch_id: call.sub_mch_id().map(str::to_owned),
        day,
        paper,
        effects: &call.effects,
        now_ms: call.now_ms,
    };
    let file = wish.file(frame)?;
    if call.effects.contains(&Effect::BillTruncated) {
        return Ok(Fields::new().with(FILE, truncated(&file)));
    }
    Ok(Fields::new().with(FILE, file))
}

#[cfg(test)]
mod tests {
    use super::super::vectors;
    use super::*;

    #[test]
    fn a_truncated_file_ends_within_its_last_row() {
        let whole = vectors::bill();
        let cut = truncated(&whole);
        assert!(whole.starts_with(cut) && !cut.ends_with('\n'));
        assert_eq!(cut.split('\n').count(), 3, "{cut}");
        assert_eq!(truncated(""), "");
        assert_eq!(truncated("中文"), "中");
    }

    #[test]
    fn a_day_begins_at_midnight_in_china() {
        let day = NaiveDate::from_ymd_opt(2025, 3, 1).unwrap();
        assert_eq!(midnight_ms(day), 1_740_758_400_000);
    }
}
