//! What is measured: one file each.

mod events;
mod pay;
mod query;
mod riders;
mod webhooks;

use std::sync::Arc;

use anyhow::Result;

pub use events::EventsSettings;
pub use pay::PaySettings;
pub use query::QuerySettings;
pub use riders::RidersSettings;
pub use webhooks::WebhooksSettings;

use super::ground::Ground;
use super::process::rss_kib;
use super::report::{Events, Phase};
use super::settings::{GroundSettings, TimeSettings};
use super::till::Till;
use super::wire::Wire;

/// What is measured.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Scenario {
    /// Tills that deduct (applypay), each time with a fresh code.
    Pay(PaySettings),
    /// Tills that ask how an order stands (orderquery) which was paid before.
    Query(QuerySettings),
    /// Apps with a stream of events each, while tills deduct: how soon an App hears, and what a stream costs.
    Events(EventsSettings),
    /// Users at once, each with the code page open: a stream of events, a fresh code in time, a payment every half minute.
    Riders(RidersSettings),
    /// Merchants' endpoints that are told: how soon, without and with some of them hanging.
    Webhooks(WebhooksSettings),
}

impl Scenario {
    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pay(_) => "pay",
            Self::Query(_) => "query",
            Self::Events(_) => "events",
            Self::Riders(_) => "riders",
            Self::Webhooks(_) => "webhooks",
        }
    }

    /// How long it is measured.
    pub fn time(&self) -> &TimeSettings {
        match self {
            Self::Pay(settings) => &settings.time,
            Self::Query(settings) => &settings.time,
            Self::Events(settings) => &settings.time,
            Self::Riders(settings) => &settings.time,
            Self::Webhooks(settings) => &settings.time,
        }
    }

    /// Users without whom it cannot be played.
    pub fn users_min(&self) -> u32 {
        match self {
            Self::Pay(_) | Self::Query(_) | Self::Webhooks(_) => 1,
            Self::Events(settings) => settings.streams,
            Self::Riders(settings) => settings.riders,
        }
    }

    /// Plays it.
    ///
    /// # Errors
    /// When it cannot be carried out; refusals by the server are figures.
    pub(super) async fn play(
        &self,
        ground: &Ground,
        settings: &GroundSettings,
        tell: &impl Fn(&str),
    ) -> Result<(Vec<Phase>, Option<Events>)> {
        match self {
            Self::Pay(own) => Ok((vec![pay::play(own, ground, settings).await?], None)),
            Self::Query(own) => Ok((query::play(own, ground, settings).await?, None)),
            Self::Events(own) => {
                let (phase, events) = events::play(own, ground, settings, tell).await?;
                Ok((vec![phase], Some(events)))
            }
            Self::Riders(own) => riders::play(own, ground, settings, tell).await,
            Self::Webhooks(own) => Ok((webhooks::play(own, ground, tell).await?, None)),
        }
    }
}

/// One till of each merchant.
async fn tills(ground: &Ground, settings: &GroundSettings) -> Result<Vec<Arc<Till>>> {
    let wire = Arc::new(Wire::to(&ground.tills_url).await?);
    let all = ground.credentials.merchants.iter();
    all.map(|merchant| Till::new(&wire, &ground.credentials, merchant, settings.algorithm).map(Arc::new))
        .collect()
}

/// Memory of all servers, in KiB.
fn memory_kib(ground: &Ground) -> u64 {
    ground.pids().iter().map(|pid| rss_kib(*pid)).sum()
}
