//! The reconciliation file of a clearing day.
//!
//! UnionPay reference, section 6. It comes inside a signed answer, which bounds it to a megabyte of packed rows; from there on
//! it is unpacked into a file without name and read row by row: `archive` opens it, `line` reads its rows, `totals` compares
//! them with the summary that comes along.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use metropay_core::channel::{BillError, BillRow, Bills, FundRow, Rows, read_rows};
use metropay_core::clock::Day;

use crate::Unionpay;
use crate::call::{Answer, Kind};
use crate::codes::{Class, find};

pub(crate) mod archive;
#[cfg(test)]
#[path = "../tests/file/mod.rs"]
pub(crate) mod file;
pub(crate) mod line;
pub(crate) mod totals;

/// The dates of files have no year: a day as far back as this might be answered with another year's file.
const OLDEST_DAYS: u64 = 360;
/// "There is no file": not made yet, or nothing to put into it.
const NO_FILE: &str = "98";
/// How long after a day it can only mean the latter: nine hours longer than files take (section 6.1).
const EMPTY_AFTER: Duration = Duration::from_secs(18 * 3_600);

/// What a file must be about.
#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    pub(crate) mer_id: String,
    pub(crate) day: Day,
    /// Whether its rows must agree with its summary.
    pub(crate) check_totals: bool,
}

impl Sheet {
    /// The day as names of entries write it: `yyMMdd`.
    pub(crate) fn short_day(&self) -> String {
        self.day.to_string().get(2..).unwrap_or_default().to_owned()
    }
}

/// What a file is that must not be used.
pub(crate) fn unreadable(what: impl Into<String>) -> BillError {
    BillError::Unreadable(what.into())
}

#[async_trait]
impl Bills for Unionpay {
    async fn trades(&self, day: Day) -> Result<Rows<BillRow>, BillError> {
        let now = self.setting.clock.now();
        if day.start() > now {
            return Err(BillError::NotReady);
        }
        if now.since(day.start()).as_secs() > OLDEST_DAYS.saturating_mul(86_400) {
            return Err(BillError::Refused("the day is too long ago".to_owned()));
        }
        let sheet = Sheet {
            mer_id: self.account.mer_id.clone(),
            day,
            check_totals: self.account.check_bill_totals,
        };
        let Some(answer) = self.file(day).await? else {
            return Ok(futures::stream::empty().boxed());
        };
        named(&answer, &sheet)?;
        let content = answer.get("fileContent").unwrap_or_default().to_owned();
        drop(answer);
        Ok(read_rows(move |hand_over| {
            let file = archive::unpack(&content)?;
            drop(content);
            archive::read(file, &sheet, hand_over)
        }))
    }

    async fn funds(&self, _: Day) -> Result<Option<Rows<FundRow>>, BillError> {
        Ok(None)
    }
}

impl Unionpay {
    /// Asks for the file of a clearing day.
    async fn file(&self, day: Day) -> Result<Option<Answer>, BillError> {
        let kind = Kind {
            txn_type: "76",
            txn_sub_type: "01",
            biz_type: "000000",
        };
        let mut fields = self.head(kind, self.setting.clock.now());
        let month_and_day = day.to_string().get(4..).unwrap_or_default().to_owned();
        fields.insert("settleDate".to_owned(), month_and_day);
        fields.insert("fileType".to_owned(), "00".to_owned());
        let url = format!("{}/", self.account.file_url);
        let answer = self.post(&self.files, url, fields, self.account.patience.file).await?;
        match find(answer.code()).map(|code| code.class) {
            Some(Class::Success) => Ok(Some(answer)),
            _ if answer.code() == NO_FILE && self.setting.clock.now() < day.end().plus(EMPTY_AFTER) => {
                Err(BillError::NotReady)
            }
            _ if answer.code() == NO_FILE => Ok(None),
            // For files 99 is a failure and not an unknown outcome, and so is what is not listed (sections 6.1 and 8).
            Some(Class::Query | Class::Retry) if answer.code() != "99" => Err(answer.useless().into()),
            _ => Err(BillError::Refused(format!("{} {}", answer.code(), answer.text()))),
        }
    }
}

/// A file's name tells merchant and day, `700000000000001_20250301.zip`, where it is written that way.
fn named(answer: &Answer, sheet: &Sheet) -> Result<(), BillError> {
    let name = answer.get("fileName").unwrap_or_default();
    let day = name
        .strip_prefix(&sheet.mer_id)
        .and_then(|rest| rest.strip_prefix('_'))
        .and_then(|rest| rest.strip_suffix(".zip"))
        .and_then(Day::parse);
    match day {
        Some(day) if day != sheet.day => Err(unreadable(format!("it is the file of {day}"))),
        _ => Ok(()),
    }
}
