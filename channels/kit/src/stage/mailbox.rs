//! Where the gateway's notifications arrive: they are kept as they came, and acknowledged, or not, in the channel's own way.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use metropay_core::channel::{NoticeAnswer, RawNotice};
use metropay_core::clock::{Clock, MovedClock};

#[derive(Debug, Default)]
struct Letters {
    letters: Vec<(u64, RawNotice)>,
    answers: HashMap<u64, NoticeAnswer>,
}

/// The mailbox; each adapter of the suite has a slot of its own in it.
#[derive(Clone)]
pub(crate) struct Mailbox {
    origin: String,
    slots: Arc<AtomicU64>,
    held: Arc<Held>,
}

struct Held {
    clock: Arc<MovedClock>,
    inside: Mutex<Letters>,
}

impl Held {
    fn with<T>(&self, act: impl FnOnce(&mut Letters) -> T) -> T {
        act(&mut self.inside.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Mailbox {
    /// A mailbox on a free port.
    pub(crate) async fn open(clock: Arc<MovedClock>) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let held = Arc::new(Held {
            clock,
            inside: Mutex::default(),
        });
        let app = Router::new()
            .route("/notify/{slot}", post(take))
            .with_state(Arc::clone(&held));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self {
            origin,
            slots: Arc::default(),
            held,
        })
    }

    /// A slot of its own.
    pub(crate) fn slot(&self) -> u64 {
        self.slots.fetch_add(1, Ordering::SeqCst)
    }

    /// The address of a slot.
    pub(crate) fn url(&self, slot: u64) -> String {
        format!("{}/notify/{slot}", self.origin)
    }

    /// What is answered to what comes into this slot from now on.
    pub(crate) fn answers(&self, slot: u64, answer: NoticeAnswer) {
        self.held.with(|inside| inside.answers.insert(slot, answer));
    }

    /// How many letters came into all slots.
    pub(crate) fn length(&self) -> usize {
        self.held.with(|inside| inside.letters.len())
    }

    /// What came behind so many letters, into all slots: some gateways keep one address for all calls of an account.
    pub(crate) fn since(&self, letters: usize) -> Vec<RawNotice> {
        self.held.with(|inside| {
            let later = inside.letters.iter().skip(letters);
            later.map(|(_, letter)| letter.clone()).collect()
        })
    }

    /// How much came into this slot.
    pub(crate) fn count(&self, slot: u64) -> usize {
        self.held
            .with(|inside| inside.letters.iter().filter(|(known, _)| *known == slot).count())
    }
}

async fn take(State(held): State<Arc<Held>>, Path(slot): Path<u64>, headers: HeaderMap, body: Bytes) -> Response {
    let headers = headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let letter = RawNotice {
        headers: headers.collect(),
        body: body.to_vec(),
        received_at: held.clock.now(),
    };
    let answer = held.with(|inside| {
        inside.letters.push((slot, letter));
        inside.answers.get(&slot).cloned()
    });
    match answer {
        Some(answer) => {
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, [(header::CONTENT_TYPE, answer.content_type)], answer.body).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
