//! Users of the App: opening and closing the consumption code.

mod take_over;

use crate::engine::Engine;
use crate::id::Uid;
use crate::once::Memory;
use crate::problem::{Code, Problem};
use crate::store;
pub use crate::store::user::{Model as User, UserState};
use crate::vault::{IndexPurpose, Place, Purpose};
pub use take_over::take_over;

/// Opens the consumption code for a user, for the first time or again. The phone is one that the App has verified.
///
/// # Errors
/// `USER_FROZEN` when an operator has frozen him.
pub async fn open(engine: &Engine, uid: &Uid, phone: Option<&str>) -> Result<User, Problem> {
    let place = Place {
        table: "app_user",
        column: "phone_sealed",
        row: uid.as_str(),
    };
    let user = User {
        uid: uid.clone(),
        status: UserState::Active,
        phone_sealed: phone
            .map(|phone| engine.seal(Purpose::Personal, place, phone))
            .transpose()?,
        phone_index: phone.map(|phone| engine.vault.index(IndexPurpose::Phone, phone)),
        opened_at: engine.clock.now(),
        closed_at: None,
    };
    store::user::open(engine.db.write(), user).await?;
    let user = find(engine, uid).await?.ok_or_else(|| Problem::new(Code::Internal))?;
    if user.status == UserState::Frozen {
        return Err(Problem::new(Code::UserFrozen));
    }
    tracing::info!(uid = %uid, "consumption code opened");
    Ok(user)
}

/// Closes the consumption code: codes end at once, payments in progress end by themselves. Closed already counts as done.
///
/// # Errors
/// When the database does not answer.
pub async fn close(engine: &Engine, uid: &Uid) -> Result<(), Problem> {
    let now = engine.clock.now();
    engine
        .db
        .again(&*engine.random, async || {
            let tx = engine.db.begin().await?;
            store::user::close(&tx, uid, now).await?;
            store::code::end(&tx, uid, None, now).await?;
            tx.commit().await
        })
        .await?;
    tracing::info!(uid = %uid, "consumption code closed");
    Ok(())
}

/// The user, if he ever opened the code.
///
/// # Errors
/// When the database does not answer.
pub async fn find(engine: &Engine, uid: &Uid) -> Result<Option<User>, Problem> {
    Ok(store::user::find(engine.db.write(), uid).await?)
}

/// The user, with an open consumption code.
///
/// # Errors
/// `CODE_NOT_OPENED`, `USER_FROZEN`.
pub async fn active(engine: &Engine, uid: &Uid) -> Result<User, Problem> {
    let user = find(engine, uid)
        .await?
        .ok_or_else(|| Problem::new(Code::CodeNotOpened))?;
    match user.status {
        UserState::Active => Ok(user),
        UserState::Closed => Err(Problem::new(Code::CodeNotOpened)),
        UserState::Frozen => Err(Problem::new(Code::UserFrozen)),
    }
}

/// The user's phone, opened.
pub(crate) fn phone(engine: &Engine, user: &User) -> Result<Option<String>, Problem> {
    let place = Place {
        table: "app_user",
        column: "phone_sealed",
        row: user.uid.as_str(),
    };
    user.phone_sealed
        .as_deref()
        .map(|sealed| engine.unseal(place, sealed))
        .transpose()
}

/// Ends an App token or a device at once: its requests are refused from now on, and the user's codes end.
///
/// # Errors
/// When the database does not answer.
pub async fn revoke(engine: &Engine, uid: &Uid, subjects: &[String]) -> Result<(), Problem> {
    let now = engine.clock.now();
    engine
        .db
        .again(&*engine.random, async || {
            let tx = engine.db.begin().await?;
            store::user::hold(&tx, uid).await?;
            for subject in subjects {
                let row = store::revocation::Model {
                    subject: subject.clone(),
                    uid: uid.clone(),
                    revoked_at: now,
                };
                store::revocation::put(&tx, row).await?;
            }
            store::code::end(&tx, uid, None, now).await?;
            tx.commit().await
        })
        .await?;
    tracing::info!(uid = %uid, "device revoked");
    Ok(())
}

/// Whether any of these tokens or devices was revoked.
///
/// # Errors
/// When the database does not answer.
pub async fn is_revoked(engine: &Engine, subjects: Vec<String>) -> Result<bool, Problem> {
    Ok(store::revocation::any(engine.db.read(), subjects).await?)
}

/// Uses a device proof; `false` when it was used before.
///
/// # Errors
/// When the database does not answer.
pub async fn use_proof(
    engine: &Engine,
    memory: Memory,
    thumbprint: &str,
    jti: &str,
    expires_at: crate::clock::Time,
) -> Result<bool, Problem> {
    let scope = format!("proof:{thumbprint}");
    let now = engine.clock.now();
    Ok(engine.once.use_once(memory, &scope, jti, now, expires_at).await?)
}
