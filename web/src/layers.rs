//! The layers around a router, as one function: every request gets an id, is read under a limit, and is answered in the
//! envelope, whatever happens inside.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use metropay_core::clock::Clock;
use metropay_core::limit::REQUEST_BODY_MAX;
use metropay_core::problem::{Code, Problem};
use metropay_core::random::Random;
use tokio::time::{Instant, timeout};
use tracing::{Instrument, Span};

use crate::call::{self, Call, REQUEST_ID};
use crate::client::Proxies;
use crate::language::Language;
use crate::rule;
use crate::timing::Timings;

/// What the layers of a door need.
#[derive(Clone)]
pub struct Door {
    /// The clock, for request ids.
    pub clock: Arc<dyn Clock>,
    /// The randomness, for request ids.
    pub random: Arc<dyn Random>,
    /// The proxies that may say whom they forward for.
    pub proxies: Proxies,
    /// Bytes of a body at most.
    pub body_max_bytes: usize,
    /// Paths (by how they begin) whose bodies may be of another size; the longest beginning that fits counts.
    pub body_max_bytes_under: Vec<(&'static str, usize)>,
    /// How long a body may take to arrive.
    pub body_wait: Duration,
    /// How long the handler may take to answer. Afterwards the answer is "unknown, query"; the handler goes on.
    pub answer_wait: Duration,
    /// What else is done with a request's span when it begins, such as linking it to the caller's trace.
    pub on_span: Option<fn(&Span, &HeaderMap)>,
}

impl Door {
    /// A door with the usual bounds that trusts no proxy.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            clock,
            random,
            proxies: Proxies::default(),
            body_max_bytes: REQUEST_BODY_MAX,
            body_max_bytes_under: Vec::new(),
            body_wait: Duration::from_secs(10),
            answer_wait: Duration::from_secs(30),
            on_span: None,
        }
    }

    fn body_max_bytes_of(&self, path: &str) -> usize {
        let under = self
            .body_max_bytes_under
            .iter()
            .filter(|(beginning, _)| path.starts_with(beginning));
        under
            .max_by_key(|(beginning, _)| beginning.len())
            .map_or(self.body_max_bytes, |(_, bytes)| *bytes)
    }

    fn call(&self, request: &Request) -> Call {
        let headers = request.headers();
        let socket = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let client = socket.map(|ConnectInfo(socket)| self.proxies.client(socket.ip(), headers));
        let request_id = call::request_id(headers, &*self.clock, &*self.random);
        Call::new(request_id, Language::of(headers), client)
    }
}

/// Fits a whole router with the layers of its door:
/// a [`Call`] for every handler; a tracing span with the request id; the body read under size and time limits before any
/// handler runs; panics and overlong handlers answered as faults; `404` and `405` in the envelope; the seal of the answer;
/// the headers that every answer has. Paths are taken as they came: nothing is normalised that a signature did not see.
///
/// A handler runs as a task of its own: a client that hangs up does not stop a payment half way.
pub fn fit(router: Router, door: Door) -> Router {
    router
        .fallback(path_unknown)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(
            Arc::new(Fitted {
                door,
                timings: Timings::default(),
            }),
            pass,
        ))
}

/// A door, and how long its routes take.
struct Fitted {
    door: Door,
    timings: Timings,
}

async fn path_unknown(Extension(call): Extension<Call>) -> Response {
    call.refuse(Problem::new(Code::PathUnknown)).into_response()
}

async fn method_not_allowed(Extension(call): Extension<Call>) -> Response {
    call.refuse(Problem::new(Code::MethodNotAllowed)).into_response()
}

async fn pass(State(fitted): State<Arc<Fitted>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let door = &fitted.door;
    let call = door.call(&request);
    // The route, not the path: paths carry numbers of codes and orders.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("-", MatchedPath::as_str)
        .to_owned();
    let status = tracing::field::Empty;
    let span =
        tracing::info_span!("request", request_id = &*call.request_id, method = %request.method(), route, status);
    if let Some(on_span) = door.on_span {
        on_span(&span, request.headers());
    }
    async {
        let response = answered(door, call.clone(), request, next).await;
        let mut response = sealed(&call, response).await;
        add_headers(&mut response, &call);
        Span::current().record("status", response.status().as_u16());
        fitted.timings.note(&route, response.status(), begun.elapsed());
        response
    }
    .instrument(span)
    .await
}

/// Seals an answer where the asker has become known: also that of a panic or of a handler that was too late.
async fn sealed(call: &Call, response: Response) -> Response {
    let Some(seal) = call.seal() else {
        return response;
    };
    let (mut parts, body) = response.into_parts();
    let sealed = match body.collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            seal.seal(parts.status, &body).map(|headers| (headers, body))
        }
        Err(error) => Err(Problem::fault(error)),
    };
    match sealed {
        Ok((headers, body)) => {
            parts.headers.extend(headers);
            Response::from_parts(parts, Body::from(body))
        }
        Err(problem) => call.refuse(problem).into_response(),
    }
}

async fn answered(door: &Door, call: Call, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = match whole_body(body, door.body_max_bytes_of(parts.uri.path()), door.body_wait).await {
        Ok(body) => body,
        Err(problem) => return call.refuse(problem).into_response(),
    };
    parts.extensions.insert(call.clone());
    let request = Request::from_parts(parts, Body::from(body));
    let handler = tokio::spawn(next.run(request).in_current_span());
    let problem = match timeout(door.answer_wait, handler).await {
        Ok(Ok(response)) => return response,
        Ok(Err(stopped)) => Problem::fault(stopped),
        Err(late) => Problem {
            source: Some(Box::new(late)),
            ..Problem::new(Code::Unavailable)
        },
    };
    call.refuse(problem).into_response()
}

/// The whole body. Nothing has been done yet when this fails, so that every failure is a refusal, never "unknown".
async fn whole_body(body: Body, max_bytes: usize, wait: Duration) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Code::BodyTooLarge).fact("max_bytes", max_bytes);
    let broken = || Problem {
        rule: Some(rule::WHOLE_BODY),
        ..Problem::new(Code::JsonInvalid)
    };
    let announced = axum::body::HttpBody::size_hint(&body).lower();
    if usize::try_from(announced).map_or(true, |bytes| bytes > max_bytes) {
        return Err(too_large());
    }
    match timeout(wait, Limited::new(body, max_bytes).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Problem {
            source: Some(error),
            ..broken()
        }),
        Err(_) => Err(broken()),
    }
}

/// The headers that every answer has. What a handler has set stays (the pages of a console may be kept for a while).
fn add_headers(response: &mut Response, call: &Call) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&call.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    let usual: [(HeaderName, &'static str); 3] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in usual {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests;
