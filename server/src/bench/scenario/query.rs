//! `query`: how orders stand that were paid before.

use std::sync::Arc;

use anyhow::{Result, ensure};

use super::super::drive::drive;
use super::super::ground::Ground;
use super::super::measure::Outcome;
use super::super::report::Phase;
use super::super::settings::{GroundSettings, PaceSettings, TimeSettings};
use super::super::till::Till;
use super::memory_kib;
use super::pay::Scans;

/// How it is played.
#[derive(Debug, Clone, clap::Args)]
pub struct QuerySettings {
    #[command(flatten)]
    pub(super) pace: PaceSettings,
    #[command(flatten)]
    pub(super) time: TimeSettings,
    /// Orders that are paid before it is measured, and asked about in turn.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) orders: u32,
}

/// Orders that are paid at a time beforehand.
const PAID_AT_ONCE: usize = 8;
/// Plays it.
pub(super) async fn play(own: &QuerySettings, ground: &Ground, settings: &GroundSettings) -> Result<Vec<Phase>> {
    let count = usize::try_from(own.orders)?;
    let scans = Scans::with_codes(ground, settings, own.time.whole()).await?;
    let mut paying = tokio::task::JoinSet::new();
    for first in 0..PAID_AT_ONCE {
        let scans = Arc::clone(&scans);
        paying.spawn(async move {
            let mut paid = Vec::new();
            for _ in (first..count).step_by(PAID_AT_ONCE) {
                let scanned = scans.scan().await;
                paid.extend(scanned.order.filter(|_| scanned.outcome.wanted));
            }
            paid
        });
    }
    let paid: Vec<(Arc<Till>, String)> = paying.join_all().await.into_iter().flatten().collect();
    ensure!(paid.len() == count, "of {count} orders only {} were paid", paid.len());
    drop(scans);
    let pace = own.pace.pace();
    let ask = move |number| {
        let order = usize::try_from(number).ok().and_then(|number| paid.get(number % count));
        let order = order.cloned();
        async move {
            match order {
                Some((till, number)) => till.query(&number).await,
                None => Outcome::lost("driver: no order"),
            }
        }
    };
    let driven = drive(pace, &own.time, &ground.probe(), ask).await?;
    Ok(vec![Phase::of("orderquery", pace, driven, memory_kib(ground))])
}
