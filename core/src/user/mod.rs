//! Users of the App: opening and closing the consumption code.

mod phone;
mod take_over;

use crate::clock::Time;
use crate::engine::Engine;
use crate::id::Uid;
use crate::membership;
use crate::once::Memory;
use crate::problem::{Code, Problem};
use crate::store;
pub use crate::store::user::{Model as User, UserState};
use crate::vault::{IndexPurpose, Place, Purpose};
pub use phone::{PhoneCodeSent, change_phone, is_phone, send_phone_code};
pub use take_over::take_over;

/// Opens the consumption code for a user, for the first time or again, and wishes him the memberships that merchants want from then
/// on (P9). The phone is one that the App has verified. An account that is open keeps the number that it has: that is changed by
/// [`change_phone`] alone.
///
/// # Errors
/// `USER_FROZEN` when an operator has frozen him.
pub async fn open(engine: &Engine, uid: &Uid, phone: Option<&str>) -> Result<User, Problem> {
    let user = engine
        .db
        .again(&*engine.random, async || {
            let now = engine.clock.now();
            let tx = engine.db.begin().await?;
            store::user::hold(&tx, uid).await?;
            let before = store::user::find(&tx, uid).await?;
            let user = User {
                status: UserState::Active,
                opened_at: now,
                closed_at: None,
                ..before.clone().unwrap_or_else(|| nobody(uid, now))
            };
            // The App's word may be older than a change of his number here; an open account keeps the one that it has.
            let keeps = before
                .as_ref()
                .is_some_and(|before| before.status == UserState::Active && before.phone_index.is_some());
            let user = match phone.filter(|_| !keeps) {
                Some(phone) => with_phone(engine, user, phone, now)?,
                None => user,
            };
            store::user::open_all(&tx, vec![user.clone()]).await?;
            let user = store::user::find(&tx, uid).await?.unwrap_or(user);
            if user.status != UserState::Frozen {
                membership::register(&tx, uid, now).await?;
                if before.is_some_and(|before| before.phone_version != user.phone_version) {
                    membership::phone_changed(&tx, uid, now).await?;
                }
            }
            tx.commit().await?;
            Ok::<User, Problem>(user)
        })
        .await?;
    if user.status == UserState::Frozen {
        return Err(Problem::new(Code::UserFrozen));
    }
    tracing::info!(uid = %uid, "consumption code opened");
    Ok(user)
}

/// A user who has never opened it.
fn nobody(uid: &Uid, now: Time) -> User {
    User {
        uid: uid.clone(),
        status: UserState::Active,
        phone_sealed: None,
        phone_index: None,
        phone_version: 0,
        phone_changed_at: None,
        opened_at: now,
        closed_at: None,
    }
}

/// The user with this number; another than before is another version.
fn with_phone(engine: &Engine, user: User, phone: &str, now: Time) -> Result<User, Problem> {
    let index = engine.vault.index(IndexPurpose::Phone, phone);
    if user.phone_index.as_deref() == Some(index.as_str()) {
        return Ok(user);
    }
    Ok(User {
        phone_sealed: Some(engine.seal(Purpose::Personal, phone_place(&user.uid), phone)?),
        phone_index: Some(index),
        phone_version: user.phone_version.saturating_add(1),
        phone_changed_at: Some(now),
        ..user
    })
}

fn phone_place(uid: &Uid) -> Place<'_> {
    Place {
        table: "app_user",
        column: "phone_sealed",
        row: uid.as_str(),
    }
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
    user.phone_sealed
        .as_deref()
        .map(|sealed| engine.unseal(phone_place(&user.uid), sealed))
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
