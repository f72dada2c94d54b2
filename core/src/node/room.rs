//! A database without room is tried until it has some.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;

/// Between two trials.
const TRY_EVERY: Duration = Duration::from_secs(2);

/// Tries for ever whether a database that had no room has some again. Costs nothing while it has.
pub async fn follow_room(engine: Arc<Engine>) {
    loop {
        tokio::time::sleep(TRY_EVERY).await;
        if let Err(error) = engine.db.try_room(&*engine.random, engine.clock.now()).await {
            tracing::debug!(%error, "the database has no room yet: {error}");
        }
    }
}
