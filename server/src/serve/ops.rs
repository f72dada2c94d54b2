//! The operators' own listener: what must not stand beside the doors of merchants and Apps. It has no identity of its own, so it
//! belongs on an address that only the operators' machines reach.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::{FromRef, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use metropay_core::bill::channel;
use metropay_core::channel::health::AccountHealth;
use metropay_core::clock::{Day, MovedClock};
use metropay_core::engine::Engine;
use metropay_core::id::AccountId;
use metropay_core::problem::Problem;
use metropay_web::answer::status;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::listen::{self, Bounds};
use crate::watch::metrics::{self, Figures};

/// A running listener.
pub(super) struct Ops {
    pub(super) addr: SocketAddr,
    pub(super) listening: JoinHandle<()>,
    upkeep: Option<JoinHandle<()>>,
}

impl Drop for Ops {
    fn drop(&mut self) {
        if let Some(upkeep) = &self.upkeep {
            upkeep.abort();
        }
    }
}

/// What its pages stand on.
#[derive(Clone, FromRef)]
struct Known {
    engine: Arc<Engine>,
    movable: Option<Arc<MovedClock>>,
    figures: Option<Figures>,
}

/// Starts it.
///
/// # Errors
/// When the address is taken.
pub(super) async fn start(
    at: SocketAddr,
    (engine, movable): (Arc<Engine>, Option<Arc<MovedClock>>),
    stop: CancellationToken,
    bounds: Bounds,
) -> Result<Ops> {
    let listener = TcpListener::bind(at).await;
    let listener = listener.with_context(|| format!("server.ops_listen: listening on {at}"))?;
    let addr = listener.local_addr()?;
    let figures = Figures::keep();
    let app = Router::new()
        .route("/channels", get(channels))
        .route("/channels/{account}/bill/{day}", get(bill))
        .route("/metrics", get(scrape))
        .route("/clock", post(move_clock))
        .with_state(Known {
            engine,
            movable,
            figures: figures.clone(),
        });
    let listening = tokio::spawn(listen::serve(listener, app, stop, bounds));
    let upkeep = figures.map(|figures| tokio::spawn(figures.upkeep()));
    Ok(Ops {
        addr,
        listening,
        upkeep,
    })
}

/// How the channel accounts are doing, as this process sees it: breaker, figures of the last minute and of the last ten, the
/// last error.
async fn channels(State(engine): State<Arc<Engine>>) -> Json<Vec<AccountHealth>> {
    Json(engine.health().all(engine.clock.now()))
}

/// How far this node's time is to be moved.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    offset_ms: i64,
}

/// Moves this node's time, where it was started for a drill.
async fn move_clock(State(movable): State<Option<Arc<MovedClock>>>, Json(wish): Json<Move>) -> StatusCode {
    let Some(clock) = movable else {
        return StatusCode::NOT_FOUND;
    };
    tracing::warn!(offset_ms = wish.offset_ms, "this node's time is moved for a drill");
    clock.set_ms(wish.offset_ms);
    StatusCode::NO_CONTENT
}

/// The figures of this process.
async fn scrape(State(Known { engine, figures, .. }): State<Known>) -> Response {
    match figures {
        Some(figures) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], figures.scrape(&engine).await).into_response(),
        None => (
            StatusCode::NOT_IMPLEMENTED,
            "another library keeps this process's figures",
        )
            .into_response(),
    }
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
