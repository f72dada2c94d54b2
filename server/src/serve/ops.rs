//! The operators' own listener: what must not stand beside the doors of merchants and Apps. It has no identity of its own, so it
//! belongs on an address that only the operators' machines reach.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use metropay_core::channel::health::AccountHealth;
use metropay_core::engine::Engine;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::listen::{self, Bounds};

/// A running listener.
pub(super) struct Ops {
    pub(super) addr: SocketAddr,
    pub(super) listening: JoinHandle<()>,
}

/// Starts it.
///
/// # Errors
/// When the address is taken.
pub(super) async fn start(at: SocketAddr, engine: Arc<Engine>, stop: CancellationToken, bounds: Bounds) -> Result<Ops> {
    let listener = TcpListener::bind(at).await;
    let listener = listener.with_context(|| format!("server.ops_listen: listening on {at}"))?;
    let addr = listener.local_addr()?;
    let app = Router::new().route("/channels", get(channels)).with_state(engine);
    let listening = tokio::spawn(listen::serve(listener, app, stop, bounds));
    Ok(Ops { addr, listening })
}

/// How the channel accounts are doing, as this process sees it: breaker, figures of the last minute and of the last ten, the
/// last error.
async fn channels(State(engine): State<Arc<Engine>>) -> Json<Vec<AccountHealth>> {
    Json(engine.health().all(engine.clock.now()))
}
