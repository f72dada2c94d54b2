//! The suite: its properties, and the runner that tries them.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures::future::LocalBoxFuture;
use futures::{FutureExt, StreamExt};
use metropay_core::channel::ChannelFactory;

use crate::gateway::Gateway;
use crate::report::{Findings, Report, Row};
use crate::stage::bench::Bench;

mod answers;
mod bills;
mod codes;
mod configuration;
mod contracts;
mod identity;
mod lies;
mod notices;
mod numbers;
mod queries;
mod refunds;
mod reversals;
mod secrets;

/// How many properties are tried at a time; most of them wait.
const AT_A_TIME: usize = 8;
/// How long one property may take.
const PROPERTY_MAX: Duration = Duration::from_secs(90);

/// When a property is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Beside others, while the clocks stand.
    Now,
    /// Beside others, while the clocks are moved on.
    Later,
    /// On the day after.
    NextDay,
    /// At the end, when everything was said.
    Last,
}

type Run = fn(Arc<Bench>, Arc<Findings>) -> LocalBoxFuture<'static, Result<()>>;

/// Something that every channel must be.
#[derive(Clone, Copy)]
pub struct Property {
    /// Its name.
    pub id: &'static str,
    /// What it demands.
    pub says: &'static str,
    /// The duties that it holds, by their names in [`crate::duty::DUTIES`].
    pub duties: &'static [&'static str],
    phase: Phase,
    run: Run,
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Property").field("id", &self.id).finish_non_exhaustive()
    }
}

/// All properties, in the order of the table.
pub fn properties() -> Vec<Property> {
    [
        numbers::PROPERTIES,
        answers::PROPERTIES,
        lies::PROPERTIES,
        queries::PROPERTIES,
        notices::PROPERTIES,
        refunds::PROPERTIES,
        reversals::PROPERTIES,
        contracts::PROPERTIES,
        codes::PROPERTIES,
        bills::PROPERTIES,
        identity::PROPERTIES,
        configuration::PROPERTIES,
        secrets::PROPERTIES,
    ]
    .concat()
}

/// Tries every property of a channel against a gateway.
///
/// # Panics
/// When the gateway opens no account, or the factory builds no adapter from its configuration: then there is nothing to try.
pub async fn conformance<F>(gateway: Arc<dyn Gateway>, factory: F) -> Report
where
    F: ChannelFactory,
    F::Config: fmt::Debug,
{
    let schema = configuration::Shown::of::<F>();
    let made = Bench::new(gateway, factory).await;
    assert!(
        made.is_ok(),
        "the suite cannot begin: {:#}",
        made.err().unwrap_or_else(|| anyhow::anyhow!("?"))
    );
    let mut rows: Vec<(usize, Row)> = Vec::new();
    if let Ok(bench) = made {
        let bench = Arc::new(bench);
        for phase in [Phase::Now, Phase::Later, Phase::NextDay] {
            rows.extend(play(&bench, phase).await);
        }
        let mut last = play(&bench, Phase::Last).await;
        schema.judge::<F>(&bench, &mut last);
        rows.extend(last);
    }
    rows.sort_by_key(|(index, _)| *index);
    Report {
        channel: F::ID,
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    }
}

async fn play(bench: &Arc<Bench>, phase: Phase) -> Vec<(usize, Row)> {
    let of_phase = properties().into_iter().enumerate();
    let of_phase = of_phase.filter(|(_, property)| property.phase == phase);
    let played = of_phase.map(|(index, property)| {
        let bench = Arc::clone(bench);
        async move { (index, one(bench, property).await) }
    });
    // A day can end for one at a time only.
    let at_a_time = if phase == Phase::NextDay { 1 } else { AT_A_TIME };
    futures::stream::iter(played)
        .buffer_unordered(at_a_time)
        .collect()
        .await
}

/// Tries one property. Neither a panic of the adapter nor its silence stops the others.
async fn one(bench: Arc<Bench>, property: Property) -> Row {
    let found = Arc::new(Findings::default());
    let run = AssertUnwindSafe((property.run)(bench, Arc::clone(&found))).catch_unwind();
    match tokio::time::timeout(PROPERTY_MAX, run).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => found.broke(format!("{error:#}")),
        Ok(Err(_)) => found.broke("it panicked".to_owned()),
        Err(_) => found.broke(format!("it did not end within {PROPERTY_MAX:?}")),
    }
    found.row(property.id, property.says)
}

/// Tries cases beside each other, as many at a time as there are places.
async fn each<T, F>(bench: &Bench, cases: Vec<T>, case: impl Fn(T) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let placed = cases.into_iter().map(async |one| {
        let _place = bench.places.acquire().await?;
        case(one).await
    });
    let mut played = futures::stream::iter(placed).buffer_unordered(AT_A_TIME);
    while let Some(one) = played.next().await {
        one?;
    }
    Ok(())
}

/// Writes the line of a property.
macro_rules! property {
    ($id:literal, $phase:ident, $duties:expr, $says:literal, $run:path) => {
        crate::suite::Property {
            id: $id,
            says: $says,
            duties: &$duties,
            phase: crate::suite::Phase::$phase,
            run: |bench, found| Box::pin(async move { $run(&bench, &found).await }),
        }
    };
}
pub(crate) use property;
