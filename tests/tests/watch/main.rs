//! What operators see: the figures, the traces, and that their pages tell of both as they are.
#![expect(clippy::float_arithmetic, reason = "figures are scraped as floats; none is money")]

mod collector;
mod figures;
mod pages;
mod scrape;
mod traces;

/// Figures belong to the process: one story at a time.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
