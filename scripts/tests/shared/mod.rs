//! Questions as the tests ask them.

#![expect(dead_code, reason = "each test file asks its own questions")]

use std::time::Duration;

use metropay_core::channel::Product;
use metropay_core::channel::health::{Breaker, WayHealth};
use metropay_core::clock::Time;
use metropay_core::id::{ChannelId, MandateId};
use metropay_core::money::Fen;
use metropay_core::rules::fee::{DayTotals, FeeQuestion};
use metropay_core::rules::route::{RouteQuestion, Way};
use rustix::time::{ClockId, clock_gettime};

/// An amount.
pub(crate) fn fen(amount: u64) -> Fen {
    Fen::new(amount).expect("an amount")
}

/// A fee's question.
pub(crate) fn fee_question(amount: u64, agreed_rate: u32) -> FeeQuestion {
    FeeQuestion {
        mch_id: "M1".into(),
        category: Some("food".to_owned()),
        store_id: "S1".into(),
        channel: "wechat".into(),
        account: "A1".into(),
        product: Product::Mandate,
        amount: fen(amount),
        agreed_rate,
        at: Time(1_795_739_400_000),
        day_totals: Some(DayTotals::default()),
    }
}

/// A routing question with a way at each of these channels.
pub(crate) fn route_question(chosen: Option<&str>, preferred: Option<&str>, ways: &[&str]) -> RouteQuestion {
    let ways = ways.iter().map(|channel| Way {
        channel: (*channel).into(),
        account: format!("at-{channel}").as_str().into(),
        mandate: MandateId(format!("on-{channel}")),
        health: WayHealth {
            breaker: Breaker::Closed,
            answered_permille: Some(998),
            latency_ms: Some(200),
        },
        weight: 1,
        cost_rate: 20,
    });
    RouteQuestion {
        mch_id: "M1".into(),
        category: None,
        store_id: "S1".into(),
        amount: fen(1_280),
        at: Time(1_795_739_400_000),
        draw: 0,
        chosen: chosen.map(ChannelId::from),
        preferred: preferred.map(ChannelId::from),
        ways: ways.collect(),
    }
}

/// How long this thread has computed.
pub(crate) fn computed() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}
