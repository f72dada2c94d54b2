//! What the database takes back because two of us were in each other's way: a deadlock, or a serialization failure. Nothing of
//! such a transaction stands, so the whole phase is done again, a few times. A phase is what lies between two calls of a
//! channel; none holds a call, so none is ever made twice by this.

use std::time::Duration;

use metrics::counter;
use sea_orm::{DbErr, RuntimeErr};

use crate::metric;
use crate::problem::Problem;
use crate::random::Random;

/// How often a phase is tried in all.
const TRIES_MAX: u32 = 3;
/// The longest wait before the second try; before each further one it is twice as long.
const WAIT_MAX: Duration = Duration::from_millis(20);

/// An error that may say that the transaction was taken back for another's sake.
pub trait Torn {
    /// Whether it says so: then nothing stands, and the same may succeed at once.
    fn is_torn(&self) -> bool;
}

impl Torn for DbErr {
    fn is_torn(&self) -> bool {
        let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = self else {
            return false;
        };
        let code = error.as_database_error().and_then(|error| error.code());
        // PostgreSQL: serialization_failure, deadlock_detected. SQLite: BUSY_SNAPSHOT, somebody wrote since we had read. Its plain
        // BUSY is none of them: whoever gets that has waited long already.
        matches!(code.as_deref(), Some("40001" | "40P01" | "517"))
    }
}

impl Torn for Problem {
    fn is_torn(&self) -> bool {
        let source = self.source.as_deref();
        source
            .and_then(|source| source.downcast_ref::<DbErr>())
            .is_some_and(Torn::is_torn)
    }
}

/// Does a phase, and does it again when the database has taken it back. The phase begins and ends its own transactions, and
/// calls nobody outside.
pub async fn again<T, E, F>(random: &dyn Random, mut phase: impl FnMut() -> F) -> Result<T, E>
where
    E: Torn,
    F: Future<Output = Result<T, E>>,
{
    let mut tries = 1;
    loop {
        let done = phase().await;
        if !done.as_ref().is_err_and(Torn::is_torn) {
            return done;
        }
        if tries >= TRIES_MAX {
            counter!(metric::PHASES_TORN, "then" => "given_up").increment(1);
            tracing::warn!("the database has taken a transaction back {tries} times; it is given up");
            return done;
        }
        counter!(metric::PHASES_TORN, "then" => "repeated").increment(1);
        tokio::time::sleep(wait(random, tries)).await;
        tries = tries.saturating_add(1);
    }
}

/// Those who were in each other's way come back at different times.
fn wait(random: &dyn Random, tries: u32) -> Duration {
    let mut drawn = [0_u8; 1];
    random.fill(&mut drawn);
    let longest = WAIT_MAX.saturating_mul(1 << tries.saturating_sub(1).min(8));
    longest.saturating_mul(u32::from(drawn[0]).saturating_add(1)) / 256
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::random::SystemRandom;

    struct Broken {
        torn: bool,
    }

    impl Torn for Broken {
        fn is_torn(&self) -> bool {
            self.torn
        }
    }

    /// How often a phase was tried whose first tries fail so.
    async fn tries(failures: u32, torn: bool) -> (u32, bool) {
        let tried = Cell::new(0);
        let done = again(&SystemRandom, || {
            tried.set(tried.get() + 1);
            let fails = tried.get() <= failures;
            async move { if fails { Err(Broken { torn }) } else { Ok(()) } }
        });
        let done = done.await.is_ok();
        (tried.get(), done)
    }

    #[tokio::test]
    async fn what_was_taken_back_is_done_three_times_at_most_and_nothing_else_twice() {
        assert_eq!(tries(0, true).await, (1, true));
        assert_eq!(tries(2, true).await, (3, true));
        assert_eq!(tries(9, true).await, (3, false));
        assert_eq!(tries(9, false).await, (1, false));
    }

    #[test]
    fn nobody_waits_long() {
        for tries in 1..TRIES_MAX {
            assert!(wait(&SystemRandom, tries) <= WAIT_MAX * 2_u32.pow(tries - 1));
        }
    }
}
