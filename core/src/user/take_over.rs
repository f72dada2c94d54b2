//! Users taken over in bulk: a migration from an earlier system, or the crowd of a load test.

use super::{User, nobody, with_phone};
use crate::engine::Engine;
use crate::id::Uid;
use crate::problem::Problem;
use crate::store;

/// Users that are written down by one statement.
const AT_ONCE: usize = 500;

/// Opens the consumption code for all of these users, each with the phone that the App has verified. Whoever has it open
/// already keeps it; a frozen user stays frozen. Memberships come from the earlier system too: none is wished here.
///
/// # Errors
/// When the database does not answer; those before are open then, and doing it again is safe.
pub async fn take_over(engine: &Engine, users: &[(Uid, String)]) -> Result<(), Problem> {
    for some in users.chunks(AT_ONCE) {
        let rows = some.iter().map(|(uid, phone)| row(engine, uid, phone));
        let rows = rows.collect::<Result<Vec<User>, Problem>>()?;
        store::user::open_all(engine.db.write(), rows).await?;
    }
    tracing::info!(users = users.len(), "users taken over");
    Ok(())
}

fn row(engine: &Engine, uid: &Uid, phone: &str) -> Result<User, Problem> {
    with_phone(engine, nobody(uid, engine.clock.now()), phone, engine.clock.now())
}
