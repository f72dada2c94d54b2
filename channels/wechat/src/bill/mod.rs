//! Daily bills: fetched over APIv3, whose answers name a hash of the file, or over APIv2 where the account has no credentials
//! for that; read row by row, and checked against their hash and their own totals (wechat reference, 6).

mod fetch;
mod file;
mod fund;
mod money;
mod table;
mod trade;

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use async_trait::async_trait;
use metropay_core::channel::{BillError, BillRow, Bills, FundRow, Rows, read_rows};
use metropay_core::clock::Day;

use crate::Wechat;
use crate::bill::fetch::Kind;
use crate::bill::file::Lines;
use crate::config::Mode;

/// How large a file may be that travels, in bytes.
const DOWNLOAD_MAX: u64 = 2 << 30;

/// Bills are made from nine to ten o'clock of the next morning on.
const MADE_AFTER: Duration = Duration::from_secs(10 * 3_600);

/// The channel hands out bills of three months.
const HANDED_OUT_FOR: Duration = Duration::from_secs(92 * 24 * 3_600);

/// What the channel has for a day.
pub(crate) enum Fetched {
    /// A file, and the SHA-1 that it must have where the channel told.
    File(File, Option<String>),
    /// Nothing happened on that day.
    Nothing,
}

#[async_trait]
impl Bills for Wechat {
    async fn trades(&self, day: Day) -> Result<Rows<BillRow>, BillError> {
        let whose = trade::Whose {
            mch_id: self.account.mch_id.clone(),
            sub_mch_id: self.account.sub_mch_id.clone(),
        };
        Ok(match self.fetch_bill(Kind::Trades, day).await? {
            Fetched::Nothing => nothing(),
            Fetched::File(file, hash) => {
                read_rows(move |hand_over| trade::read(Lines::new(file, hash)?, whose, hand_over))
            }
        })
    }

    /// A service provider's own account is not its shop's: the shop's statement is none of those that are fetched here.
    async fn funds(&self, day: Day) -> Result<Option<Rows<FundRow>>, BillError> {
        if self.account.mode == Mode::Provider {
            return Ok(None);
        }
        Ok(Some(match self.fetch_bill(Kind::Funds, day).await? {
            Fetched::Nothing => nothing(),
            Fetched::File(file, hash) => read_rows(move |hand_over| fund::read(Lines::new(file, hash)?, hand_over)),
        }))
    }
}

fn nothing<T: Send + 'static>() -> Rows<T> {
    read_rows(|_| Ok(()))
}

impl Wechat {
    /// What it means that the channel has no bill for a day: nothing happened on it, where a bill would be made by now.
    fn no_bill(&self, day: Day) -> Result<Fetched, BillError> {
        let now = self.gate.clock.now();
        if now < day.end().plus(MADE_AFTER) {
            Err(BillError::NotReady)
        } else if now.since(day.end()) > HANDED_OUT_FOR {
            Err(BillError::Refused("the day is too long ago".to_owned()))
        } else {
            Ok(Fetched::Nothing)
        }
    }
}

fn unreadable<T>(reason: impl Into<String>) -> Result<T, BillError> {
    Err(BillError::Unreadable(reason.into()))
}

/// Reads a trade bill of the reference's merchant, for the fuzzer and the benchmark.
pub(crate) fn read_trades(file: impl Read, hand_over: &mut dyn FnMut(BillRow) -> bool) -> Result<(), BillError> {
    let whose = trade::Whose {
        mch_id: "1900009999".to_owned(),
        sub_mch_id: Some("1900012345".to_owned()),
    };
    trade::read(Lines::new(file, None)?, whose, hand_over)
}

/// Reads a fund-flow bill, for the fuzzer.
pub(crate) fn read_funds(file: impl Read, hand_over: &mut dyn FnMut(FundRow) -> bool) -> Result<(), BillError> {
    fund::read(Lines::new(file, None)?, hand_over)
}
