//! Bills: of trades, and of what moved on the merchant's account (alipay reference, 6).
//!
//! `fetch` asks for the file's address and downloads it; `archive` opens it; `detail` walks its lines, hands over rows and holds
//! the file to its own totals; `trade` and `fund` know the columns.

mod address;
pub(crate) mod archive;
mod decimal;
pub(crate) mod detail;
mod fetch;
pub(crate) mod fund;
mod line;
mod summary;
mod table;
pub(crate) mod trade;
mod trailer;

use async_trait::async_trait;
use metropay_core::channel::{BillError, BillRow, Bills, FundRow, Rows, read_rows};
use metropay_core::clock::Day;

use crate::Alipay;
use detail::{Expected, Sheet};
use fund::Funds;
use trade::Trades;

#[async_trait]
impl Bills for Alipay {
    async fn trades(&self, day: Day) -> Result<Rows<BillRow>, BillError> {
        rows::<Trades>(self, "trade", day).await
    }

    async fn funds(&self, day: Day) -> Result<Option<Rows<FundRow>>, BillError> {
        rows::<Funds>(self, "signcustomer", day).await.map(Some)
    }
}

async fn rows<S: Sheet>(alipay: &Alipay, bill_type: &str, day: Day) -> Result<Rows<S::Row>, BillError> {
    let expected = Expected {
        day,
        pid: alipay.terms.seller_id.clone(),
    };
    Ok(match fetch::fetch(alipay, bill_type, day).await? {
        Some(file) => read_rows(move |hand_over| archive::read::<S, _>(file, &expected, hand_over)),
        None => read_rows(|_| Ok(())),
    })
}

/// A file that is not what it should be.
fn unreadable(reason: impl Into<String>) -> BillError {
    BillError::Unreadable(reason.into())
}
