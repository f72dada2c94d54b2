//! A channel's own bill of a day, read once through and summed: whether it can be fetched and read at all, and what it says in
//! all. Matching it row by row with our books is reconciliation's.

use futures::StreamExt;
use serde::Serialize;

use crate::channel::{BillError, BillRow, BillRowKind, BillRowState};
use crate::clock::Day;
use crate::engine::Engine;
use crate::id::AccountId;
use crate::money::Fen;
use crate::problem::{Code, Problem};

/// So many movements, so much together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// How much, in fen.
    pub amount: Fen,
}

impl Sum {
    fn add(&mut self, amount: Fen) -> Result<(), Problem> {
        self.count = self.count.saturating_add(1);
        self.amount = self.amount.plus(amount)?;
        Ok(())
    }
}

/// What a channel's bill says in all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChannelBill {
    /// Payments.
    pub paid: Sum,
    /// Refunds and reversals, done or on their way.
    pub back: Sum,
    /// Rows of movements that came to nothing.
    pub failed: u64,
    /// Rows for a person to look at.
    pub other: u64,
    /// What coupons paid of the payments, in fen.
    pub coupon: Fen,
    /// What the channel charged in all, in thousandths of a fen.
    pub fee_milli_fen: i64,
}

impl ChannelBill {
    fn count(&mut self, row: &BillRow) -> Result<(), Problem> {
        self.fee_milli_fen = self
            .fee_milli_fen
            .checked_add(row.fee_milli_fen)
            .ok_or_else(|| Problem::fault("the fees of a bill exceed all bounds"))?;
        match (row.kind, row.state) {
            (BillRowKind::Other, _) => self.other = self.other.saturating_add(1),
            (_, BillRowState::Failed) => self.failed = self.failed.saturating_add(1),
            (BillRowKind::Payment, _) => {
                self.paid.add(row.amount)?;
                self.coupon = self.coupon.plus(row.coupon)?;
            }
            (BillRowKind::Refund, _) => self.back.add(row.amount)?,
        }
        Ok(())
    }
}

/// Fetches and reads the channel's bill of an account's China day.
///
/// # Errors
/// `CHANNEL_NOT_CONFIGURED` for an account that is unknown or whose channel hands out no bill, `BILL_NOT_READY`,
/// `CHANNEL_REFUSED`, and `CHANNEL_UNAVAILABLE` where the file did not come or cannot be believed: none of it is told.
pub async fn read(engine: &Engine, account: &AccountId, day: Day) -> Result<ChannelBill, Problem> {
    let channel = engine.adapter_of(account).await?;
    let bills = channel
        .bills()
        .ok_or_else(|| Problem::new(Code::ChannelNotConfigured))?;
    let mut rows = bills.trades(day).await.map_err(problem)?;
    let mut bill = ChannelBill::default();
    while let Some(row) = rows.next().await {
        bill.count(&row.map_err(problem)?)?;
    }
    Ok(bill)
}

fn problem(error: BillError) -> Problem {
    let code = match &error {
        BillError::NotReady => Code::BillNotReady,
        BillError::Refused(_) => Code::ChannelRefused,
        BillError::Unreadable(_) | BillError::Call(_) => Code::ChannelUnavailable,
    };
    let text = error.to_string();
    Problem {
        source: Some(Box::new(error)),
        ..Problem::new(code).fact("reason", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;

    fn row(kind: BillRowKind, state: BillRowState, fen: u64) -> BillRow {
        BillRow {
            kind,
            state,
            no: None,
            payment_no: "P".to_owned(),
            channel_no: "4200".to_owned(),
            movement_no: None,
            amount: Fen::new(fen).unwrap(),
            coupon: Fen::new(10).unwrap(),
            fee_milli_fen: -360,
            at: Time(0),
        }
    }

    #[test]
    fn only_money_that_moved_is_summed() {
        let mut bill = ChannelBill::default();
        for row in [
            row(BillRowKind::Payment, BillRowState::Done, 600),
            row(BillRowKind::Payment, BillRowState::Done, 100),
            row(BillRowKind::Refund, BillRowState::Pending, 50),
            row(BillRowKind::Refund, BillRowState::Failed, 7),
            row(BillRowKind::Other, BillRowState::Done, 9),
        ] {
            bill.count(&row).unwrap();
        }
        let sum = |count, fen| Sum {
            count,
            amount: Fen::new(fen).unwrap(),
        };
        assert_eq!((bill.paid, bill.back), (sum(2, 700), sum(1, 50)));
        assert_eq!((bill.failed, bill.other, bill.coupon.get()), (1, 1, 20));
        assert_eq!(bill.fee_milli_fen, -1_800);
    }
}
