//! What operators see: the figures, the traces, and that their pages tell of both as they are.
#![expect(clippy::float_arithmetic, reason = "figures are scraped as floats; none is money")]

mod figures;
mod pages;
mod scrape;
mod traces;

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::Layer;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

/// Figures belong to the process: one story at a time.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Has this thread's lines and spans go to a layer. A story runs on one thread, so that only its own do.
fn told_to(layer: impl Layer<Registry> + Send + Sync) -> DefaultGuard {
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    // What an earlier story passed was of interest to nobody then.
    tracing::callsite::rebuild_interest_cache();
    guard
}
