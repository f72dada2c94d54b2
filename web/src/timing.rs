//! How long routes take to answer. The handles of a route's histograms are made when it is asked for first, so that a
//! request costs a look-up and no text.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use http::StatusCode;
use metrics::{Histogram, histogram};
use metropay_core::metric;

/// The classes of answers.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The histograms of the routes of one door.
#[derive(Default)]
pub(crate) struct Timings {
    routes: RwLock<HashMap<String, [Histogram; CLASSES.len()]>>,
}

impl Timings {
    /// Notes an answer. `route` is the template; there are as many as the router has.
    pub(crate) fn note(&self, route: &str, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100)
            .saturating_sub(1)
            .min(CLASSES.len() - 1);
        if let Some(known) = self.routes.read().unwrap_or_else(PoisonError::into_inner).get(route) {
            known[class].record(took);
            return;
        }
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let known = routes.entry(route.to_owned()).or_insert_with(|| {
            CLASSES.map(|class| histogram!(metric::REQUEST_DURATION, "route" => route.to_owned(), "class" => class))
        });
        known[class].record(took);
    }
}
