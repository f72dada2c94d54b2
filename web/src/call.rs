//! What is known of a request before anything of it is believed: its id, its language, where it comes from.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use metropay_core::clock::Clock;
use metropay_core::problem::Problem;
use metropay_core::random::Random;

use crate::answer::Answer;
use crate::language::Language;
use crate::seal::{Seal, SealCell};

/// The header that carries the request id, both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request as the doors know it; handlers take it as an extractor.
#[derive(Debug, Clone)]
pub struct Call {
    /// The id under which it is answered and logged.
    pub request_id: Arc<str>,
    /// The language of its answer.
    pub language: Language,
    /// The client's address, where the socket is known.
    pub client: Option<IpAddr>,
    seal: SealCell,
}

impl Call {
    /// A request with this id.
    pub fn new(request_id: impl Into<Arc<str>>, language: Language, client: Option<IpAddr>) -> Self {
        Self {
            request_id: request_id.into(),
            language,
            client,
            seal: SealCell::default(),
        }
    }

    /// Has the answer sealed, whatever it will be. The first seal of a request stays.
    pub fn seal_with(&self, seal: Arc<dyn Seal>) {
        self.seal.put(seal);
    }

    pub(crate) fn seal(&self) -> Option<Arc<dyn Seal>> {
        self.seal.get()
    }

    /// Answers it.
    pub fn answer<T>(&self, result: Result<T, Problem>) -> Answer<T> {
        Answer {
            call: self.clone(),
            result,
        }
    }

    /// Refuses it.
    pub fn refuse(&self, problem: Problem) -> Answer<()> {
        self.answer(Err(problem))
    }
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Answer<()>;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Answer<()>> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            let unknown = Self::new("-", Language::default(), None);
            unknown.refuse(Problem::fault("the router was not fitted with its layers"))
        })
    }
}

/// The caller's request id where it is well formed (8 to 64 of `[0-9A-Za-z_-]`), else a new one (UUID version 7).
pub fn request_id(headers: &HeaderMap, clock: &dyn Clock, random: &dyn Random) -> Arc<str> {
    let taken = |text: &&str| {
        (8..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    let given = headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(taken);
    given.map_or_else(|| fresh(clock, random), Arc::from)
}

fn fresh(clock: &dyn Clock, random: &dyn Random) -> Arc<str> {
    let mut bytes = [0; 10];
    random.fill(&mut bytes);
    let now_ms = u64::try_from(clock.now().0).unwrap_or(0);
    let id = uuid::Builder::from_unix_timestamp_millis(now_ms, &bytes).into_uuid();
    id.hyphenated().to_string().into()
}

#[cfg(test)]
mod tests {
    use metropay_core::clock::SystemClock;
    use metropay_core::random::SystemRandom;

    use super::*;

    fn id(given: Option<&[u8]>) -> Arc<str> {
        let mut headers = HeaderMap::new();
        if let Some(given) = given {
            headers.insert(REQUEST_ID, http::HeaderValue::from_bytes(given).unwrap());
        }
        request_id(&headers, &SystemClock, &SystemRandom)
    }

    #[test]
    fn a_well_formed_request_id_is_kept_and_any_other_replaced() {
        for good in ["till-0001", "4f1c2a9b-7d3e-48f0-a1b2-c3d4e5f60718", &"a".repeat(64)] {
            assert_eq!(&*id(Some(good.as_bytes())), good);
        }
        let long = "a".repeat(65);
        let bad: [Option<&[u8]>; 7] = [
            None,
            Some(b""),
            Some(b"short"),
            Some(long.as_bytes()),
            Some(b"with blank"),
            Some(b"a;b;c;d;e"),
            Some(b"caf\xe9-caf\xe9"),
        ];
        for given in bad {
            let made = id(given);
            assert_eq!((made.len(), made.as_bytes()[14]), (36, b'7'), "{given:?}");
        }
        assert_ne!(id(None), id(None));
    }
}
