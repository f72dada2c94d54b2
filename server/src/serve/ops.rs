//! The operators' own listener: what must not stand beside the doors of merchants and Apps. It has no identity of its own, so it
//! belongs on an address that only the operators' machines reach.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metropay_core::bill::channel;
use metropay_core::channel::health::AccountHealth;
use metropay_core::clock::Day;
use metropay_core::engine::Engine;
use metropay_core::id::AccountId;
use metropay_core::problem::Problem;
use metropay_web::answer::status;
use serde_json::json;
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
    let app = Router::new()
        .route("/channels", get(channels))
        .route("/channels/{account}/bill/{day}", get(bill))
        .with_state(engine);
    let listening = tokio::spawn(listen::serve(listener, app, stop, bounds));
    Ok(Ops { addr, listening })
}

/// How the channel accounts are doing, as this process sees it: breaker, figures of the last minute and of the last ten, the
/// last error.
async fn channels(State(engine): State<Arc<Engine>>) -> Json<Vec<AccountHealth>> {
    Json(engine.health().all(engine.clock.now()))
}

/// What the channel's own bill of an account's China day (`YYYYMMDD`) says in all; it is fetched and read for this answer.
async fn bill(State(engine): State<Arc<Engine>>, Path((account, day)): Path<(AccountId, String)>) -> Response {
    let Some(day) = Day::parse(&day) else {
        return refused(&Problem::invalid("day", "YYYYMMDD"));
    };
    match channel::read(&engine, &account, day).await {
        Ok(bill) => Json(bill).into_response(),
        Err(problem) => refused(&problem),
    }
}

/// A refusal in the words of operators: the code and the facts.
fn refused(problem: &Problem) -> Response {
    let mut body = json!({ "code": problem.code, "field": problem.field });
    if let Some(body) = body.as_object_mut() {
        body.extend(
            problem
                .facts
                .iter()
                .map(|(name, fact)| ((*name).to_owned(), fact.clone())),
        );
    }
    (status(problem.code.kind()), Json(body)).into_response()
}
