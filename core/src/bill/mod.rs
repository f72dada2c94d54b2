//! The day's totals for merchants (P8).
//!
//! A day is counted by when we booked a fact, so a day that is over never changes again (INV-23); what a channel tells late
//! belongs to the day on which we learn it.

pub mod channel;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Day;
use crate::engine::Engine;
use crate::id::{ChannelId, MchId};
use crate::limit;
use crate::money::Fen;
use crate::problem::{Code, Problem};
use crate::store;
use crate::store::payment::ChannelTotal;

/// How long after midnight the day before is closed: longer than any transaction that began before it.
const READY_AFTER: Duration = Duration::from_secs(5 * 60);

/// A channel's day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelDay {
    /// The channel.
    pub channel: ChannelId,
    /// Payments: how many, how much.
    pub paid: (u64, Fen),
    /// Reversals that gave money back.
    pub reversed: (u64, Fen),
    /// Refunds.
    pub refunded: (u64, Fen),
}

/// A merchant's totals of a China day, one line for each channel on which anything happened.
///
/// # Errors
/// `BILL_NOT_READY` for a day that is not over, `PARAM_INVALID` for one that is too long ago.
pub async fn day(engine: &Engine, mch_id: &MchId, day: Day) -> Result<Vec<ChannelDay>, Problem> {
    let now = engine.clock.now();
    let ready_at = day.end().plus(READY_AFTER);
    if now < ready_at {
        return Err(Problem::new(Code::BillNotReady).fact("ready_at", ready_at.stamp()));
    }
    let days_ago = now.since(day.start()).as_secs() / (24 * 3600);
    if i64::try_from(days_ago).unwrap_or(i64::MAX) > limit::BILL_DAYS_MAX {
        return Err(Problem::invalid("date", "最早可查一年前的账单"));
    }
    let span = (day.start(), day.end());
    let db = engine.db.read();
    let mut lines: BTreeMap<ChannelId, ChannelDay> = BTreeMap::new();
    for total in store::payment::paid_totals(db, mch_id, span).await? {
        line(&mut lines, &total).paid = figures(&total);
    }
    for total in store::reversal::money_back_totals(db, mch_id, span).await? {
        line(&mut lines, &total).reversed = figures(&total);
    }
    for total in store::refund::done_totals(db, mch_id, span).await? {
        line(&mut lines, &total).refunded = figures(&total);
    }
    Ok(lines.into_values().collect())
}

fn line<'a>(lines: &'a mut BTreeMap<ChannelId, ChannelDay>, total: &ChannelTotal) -> &'a mut ChannelDay {
    lines.entry(total.channel.clone()).or_insert_with(|| ChannelDay {
        channel: total.channel.clone(),
        paid: (0, Fen::ZERO),
        reversed: (0, Fen::ZERO),
        refunded: (0, Fen::ZERO),
    })
}

fn figures(total: &ChannelTotal) -> (u64, Fen) {
    (
        u64::try_from(total.count).unwrap_or(0),
        total.amount.unwrap_or(Fen::ZERO),
    )
}
