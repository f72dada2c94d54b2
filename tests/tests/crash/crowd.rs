//! Many cases at the same time: they wait far more than they work.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use anyhow::Result;
use futures::future::join_all;
use metropay_tests::store::Store;
use tokio::sync::Semaphore;

/// A case and its name.
pub(crate) struct Case {
    name: String,
    play: Pin<Box<dyn Future<Output = Result<()>> + Send>>,
}

impl Case {
    /// A case that is not begun yet.
    pub(crate) fn new(name: String, play: impl Future<Output = Result<()>> + Send + 'static) -> Self {
        Self {
            name,
            play: Box::pin(play),
        }
    }
}

/// Cases of all tests that are played at the same time. On PostgreSQL, which all of them share, each takes more room.
const AT_ONCE: u32 = 18;
static ROOM: Semaphore = Semaphore::const_new(AT_ONCE as usize);

/// Plays all cases, the first ones first.
///
/// # Panics
/// When one fails, with all that failed.
pub(crate) async fn play(cases: Vec<Case>) {
    let count = cases.len();
    let begun = Instant::now();
    let takes = match Store::asked() {
        Store::Embedded => 1,
        Store::Postgres | Store::Nodes => 2,
    };
    let played = cases.into_iter().map(|case| async move {
        let _place = ROOM.acquire_many(takes).await.expect("the room is never closed");
        let begun = Instant::now();
        let result = tokio::spawn(case.play).await;
        let took = begun.elapsed().as_secs();
        match result {
            Ok(Ok(())) => {
                println!("ok      {:>4} s  {}", took, case.name);
                None
            }
            Ok(Err(error)) => Some(format!("{} (after {took} s)\n{error:#}", case.name)),
            Err(error) => Some(format!("{} (after {took} s)\n{error}", case.name)),
        }
    });
    let failed: Vec<String> = join_all(played).await.into_iter().flatten().collect();
    println!("{count} cases in {} s", begun.elapsed().as_secs());
    assert!(
        failed.is_empty(),
        "{} of {count} cases failed:\n\n{}",
        failed.len(),
        failed.join("\n\n")
    );
}
