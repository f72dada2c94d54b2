//! What the database takes back because two of us were in each other's way: a deadlock, or a serialization failure. Nothing of
//! such a transaction stands, so the whole phase is done again, a few times. A phase is what lies between two calls of a
//! channel; none holds a call, so none is ever made twice by this.

use std::time::Duration;

use metrics::counter;
use sea_orm::{DbErr, RuntimeErr};

use super::Db;
use crate::metric;
use crate::problem::Problem;
use crate::random::Random;

/// How often a phase is tried in all.
const TRIES_MAX: u32 = 3;
/// The longest wait before the second try; before each further one it is twice as long.
const WAIT_MAX: Duration = Duration::from_millis(20);

/// What a phase may end with: it may hold what the database said.
pub trait MayBeTheDatabase {
    /// What the database said, where it is that.
    fn database(&self) -> Option<&DbErr>;
}

impl MayBeTheDatabase for DbErr {
    fn database(&self) -> Option<&DbErr> {
        Some(self)
    }
}

impl MayBeTheDatabase for Problem {
    fn database(&self) -> Option<&DbErr> {
        self.source.as_deref()?.downcast_ref()
    }
}

impl Db {
    /// Does a phase, and does it again when the database has taken it back. The phase begins and ends its own transactions, and
    /// calls nobody outside.
    pub async fn again<T, E, F>(&self, random: &dyn Random, phase: impl FnMut() -> F) -> Result<T, E>
    where
        E: MayBeTheDatabase,
        F: Future<Output = Result<T, E>>,
    {
        self.noted(repeated(random, phase).await)
    }

    /// Notes when a write was refused for want of room. What is not a phase of [`Db::again`] and is written often passes here.
    pub fn noted<T, E: MayBeTheDatabase>(&self, done: Result<T, E>) -> Result<T, E> {
        if let Err(error) = &done
            && says(error, is_full)
        {
            self.has_no_room();
        }
        done
    }
}

async fn repeated<T, E, F>(random: &dyn Random, mut phase: impl FnMut() -> F) -> Result<T, E>
where
    E: MayBeTheDatabase,
    F: Future<Output = Result<T, E>>,
{
    let mut tries = 1;
    loop {
        let done = phase().await;
        if !done.as_ref().is_err_and(|error| says(error, is_torn)) {
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

/// Whether it is the database's word, with a code like this.
fn says(error: &impl MayBeTheDatabase, like: fn(&str) -> bool) -> bool {
    let Some(DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error.database()
    else {
        return false;
    };
    let code = error
        .as_database_error()
        .and_then(sea_orm::sqlx::error::DatabaseError::code);
    code.is_some_and(|code| like(&code))
}

/// PostgreSQL: `serialization_failure`, `deadlock_detected`. SQLite: `BUSY_SNAPSHOT`, somebody wrote since we had read. Its plain
/// `BUSY` is none of them: whoever gets that has waited long already.
fn is_torn(code: &str) -> bool {
    matches!(code, "40001" | "40P01" | "517")
}

/// PostgreSQL: `disk_full`. SQLite: `FULL`.
fn is_full(code: &str) -> bool {
    matches!(code, "53100" | "13")
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
    use std::borrow::Cow;
    use std::cell::Cell;
    use std::sync::Arc;

    use sea_orm::sqlx;
    use sea_orm::sqlx::error::{DatabaseError, ErrorKind};

    use super::*;
    use crate::random::SystemRandom;

    /// What the database says with such a code.
    #[derive(Debug)]
    struct Said(&'static str);

    impl std::fmt::Display for Said {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Said {}

    impl DatabaseError for Said {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    fn said(code: &'static str) -> DbErr {
        DbErr::Query(RuntimeErr::SqlxError(Arc::new(sqlx::Error::Database(Box::new(Said(
            code,
        ))))))
    }

    /// How often a phase was tried whose first tries fail with this code, and whether it went well in the end.
    async fn tries(failures: u32, code: &'static str) -> (u32, bool) {
        let tried = Cell::new(0);
        let done = repeated(&SystemRandom, || {
            tried.set(tried.get() + 1);
            let fails = tried.get() <= failures;
            // As flows hand it on.
            async move { if fails { Err(Problem::from(said(code))) } else { Ok(()) } }
        });
        let done = done.await.is_ok();
        (tried.get(), done)
    }

    #[tokio::test]
    async fn what_was_taken_back_is_done_three_times_at_most_and_nothing_else_twice() {
        for torn in ["40001", "40P01", "517"] {
            assert_eq!(tries(0, torn).await, (1, true));
            assert_eq!(tries(2, torn).await, (3, true));
            assert_eq!(tries(9, torn).await, (3, false));
        }
        for other in ["23505", "53100", "13", "5"] {
            assert_eq!(tries(9, other).await, (1, false), "{other}");
        }
    }

    #[test]
    fn nobody_waits_long() {
        for tries in 1..TRIES_MAX {
            assert!(wait(&SystemRandom, tries) <= WAIT_MAX * 2_u32.pow(tries - 1));
        }
    }
}
