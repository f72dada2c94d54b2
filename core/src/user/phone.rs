//! Changing the phone number (P2): a code goes to the new number, and comes back with the wish.

use std::time::Duration;

use super::{User, active, with_phone};
use crate::clock::Time;
use crate::engine::Engine;
use crate::event::{self, EventKind};
use crate::id::Uid;
use crate::membership;
use crate::problem::{Code, Problem};
use crate::secret::Secret;
use crate::sms::SmsMessage;
use crate::store::phone_change::Model as PhoneChange;
use crate::store::{self, Tx};
use crate::vault::{IndexPurpose, Place, Purpose};

/// How long a code counts.
const CODE_KEPT: Duration = Duration::from_secs(5 * 60);
/// Digits of a code.
const CODE_LENGTH: usize = 6;
/// Wrong codes before it counts no more.
const WRONG_MAX: i32 = 5;
/// Between two codes to one user.
const RESEND_AFTER: Duration = Duration::from_secs(60);
/// The time over which codes are counted.
const SENDS_WITHIN: Duration = Duration::from_secs(24 * 3_600);
/// Codes to one user in that time.
const SENDS_MAX: i32 = 10;
/// Users who may have codes sent to one number in that time.
const SENDERS_MAX: u64 = 3;

/// A code is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhoneCodeSent {
    /// Until when it counts.
    pub expires_at: Time,
    /// From when on another may be asked for.
    pub resend_at: Time,
}

/// Whether it is written as a number of the mainland: 11 digits, the first a one.
pub fn is_phone(text: &str) -> bool {
    text.len() == 11 && text.starts_with('1') && text.bytes().all(|b| b.is_ascii_digit())
}

/// Sends a code to the number that the user wants to have.
///
/// # Errors
/// `CODE_NOT_OPENED`, `USER_FROZEN`; `PARAM_INVALID` for a number that is none, or his already; `RATE_LIMITED`; `SMS_NOT_SENT`.
pub async fn send_phone_code(engine: &Engine, uid: &Uid, phone: &Secret) -> Result<PhoneCodeSent, Problem> {
    let index = index_of(engine, phone)?;
    if active(engine, uid).await?.phone_index.as_ref() == Some(&index) {
        return Err(Problem::invalid("phone", "与当前手机号不同的新手机号"));
    }
    let code = engine.random.digits(CODE_LENGTH);
    let sent = engine
        .db
        .again(&*engine.random, || note(engine, (uid, phone, &index), &code))
        .await?;
    let message = SmsMessage::PhoneCode {
        code: code.into(),
        minutes: CODE_KEPT.as_secs() / 60,
    };
    engine.sms.send(phone, &message).await.map_err(|error| Problem {
        source: Some(Box::new(error)),
        ..Problem::new(Code::SmsNotSent)
    })?;
    Ok(sent)
}

/// Notes the code before it leaves, so that none is sent that was not counted.
async fn note(
    engine: &Engine,
    (uid, phone, index): (&Uid, &Secret, &str),
    code: &str,
) -> Result<PhoneCodeSent, Problem> {
    let now = engine.clock.now();
    let window = now.minus(SENDS_WITHIN);
    let tx = engine.db.begin().await?;
    store::user::hold(&tx, uid).await?;
    let before = store::phone_change::find(&tx, uid).await?;
    let before = before.filter(|before| before.first_sent_at > window);
    if let Some(before) = &before {
        too_soon(before.sent_at.plus(RESEND_AFTER), now)?;
        if before.sends >= SENDS_MAX {
            too_soon(before.first_sent_at.plus(SENDS_WITHIN), now)?;
        }
    }
    let others = store::phone_change::sent_to(&tx, index, window, uid).await?;
    if others >= SENDERS_MAX {
        too_soon(now.plus(SENDS_WITHIN), now)?;
    }
    let change = PhoneChange {
        uid: uid.clone(),
        phone_sealed: engine.seal(Purpose::Personal, place(uid), phone.expose())?,
        phone_index: index.to_owned(),
        code_hash: hash(engine, uid, index, code),
        wrong: 0,
        sends: before.as_ref().map_or(0, |before| before.sends).saturating_add(1),
        first_sent_at: before.map_or(now, |before| before.first_sent_at),
        sent_at: now,
        expires_at: now.plus(CODE_KEPT),
    };
    store::phone_change::put(&tx, change).await?;
    tx.commit().await?;
    Ok(PhoneCodeSent {
        expires_at: now.plus(CODE_KEPT),
        resend_at: now.plus(RESEND_AFTER),
    })
}

fn too_soon(again_at: Time, now: Time) -> Result<(), Problem> {
    if again_at <= now {
        return Ok(());
    }
    let wait = again_at.since(now).as_secs().saturating_add(1);
    Err(Problem::new(Code::RateLimited).fact("retry_after_s", wait))
}

/// Changes the user's number to the one that the code was sent to, and has every merchant told with whom he is a member.
///
/// # Errors
/// `PARAM_INVALID` for a number that is none; `PHONE_CODE_INVALID` where no such code counts; `CODE_NOT_OPENED`, `USER_FROZEN`.
pub async fn change_phone(engine: &Engine, uid: &Uid, phone: &Secret, code: &Secret) -> Result<User, Problem> {
    let index = index_of(engine, phone)?;
    let changed = engine
        .db
        .again(&*engine.random, || change(engine, (uid, phone, &index), code))
        .await?;
    let user = changed.ok_or_else(|| Problem::new(Code::PhoneCodeInvalid))?;
    engine.live.wake(uid);
    tracing::info!(uid = %uid, "phone number changed");
    Ok(user)
}

/// Nothing where the code does not count.
async fn change(
    engine: &Engine,
    (uid, phone, index): (&Uid, &Secret, &str),
    code: &Secret,
) -> Result<Option<User>, Problem> {
    let now = engine.clock.now();
    let user = active(engine, uid).await?;
    let tx = engine.db.begin().await?;
    store::user::hold(&tx, uid).await?;
    let Some(under_way) = store::phone_change::find(&tx, uid).await? else {
        return Ok(None);
    };
    if under_way.expires_at <= now || under_way.wrong >= WRONG_MAX || under_way.phone_index != index {
        return Ok(None);
    }
    if !is_same(&under_way.code_hash, &hash(engine, uid, index, code.expose())) {
        let wrong = under_way.wrong.saturating_add(1);
        store::phone_change::put(&tx, PhoneChange { wrong, ..under_way }).await?;
        tx.commit().await?;
        return Ok(None);
    }
    // It counts once.
    let used = PhoneChange {
        expires_at: now,
        ..under_way
    };
    store::phone_change::put(&tx, used).await?;
    let user = with_phone(engine, user, phone.expose(), now)?;
    write(&tx, &user, now).await?;
    tx.commit().await?;
    Ok(Some(user))
}

async fn write(tx: &Tx, user: &User, now: Time) -> Result<(), Problem> {
    store::user::set_phone(tx, user).await?;
    let merchants = membership::phone_changed(tx, &user.uid, now).await?;
    let payload = serde_json::json!({ "merchants": merchants });
    event::push(tx, EventKind::PhoneChanged, &user.uid, None, &payload, now).await
}

fn index_of(engine: &Engine, phone: &Secret) -> Result<String, Problem> {
    if !is_phone(phone.expose()) {
        return Err(Problem::invalid("phone", "11 位数字的手机号"));
    }
    Ok(engine.vault.index(IndexPurpose::Phone, phone.expose()))
}

fn hash(engine: &Engine, uid: &Uid, phone_index: &str, code: &str) -> String {
    engine
        .vault
        .index(IndexPurpose::SentCode, &format!("{uid}\0{phone_index}\0{code}"))
}

fn is_same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

fn place(uid: &Uid) -> Place<'_> {
    Place {
        table: "phone_change",
        column: "phone_sealed",
        row: uid.as_str(),
    }
}
