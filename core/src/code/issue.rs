//! Issuing a code, and how it stands.

use crate::clock::Time;
use crate::code::foreign::Looks;
use crate::code::form::{CodeForm, Recognised, Symbology};
use crate::engine::Engine;
use crate::id::{ChannelId, CodeId, MchId, Uid};
use crate::limit;
use crate::merchant::Standing;
use crate::payment::Payment;
use crate::problem::{Code as ProblemCode, Problem};
use crate::rule::{RuleScope, Ruling};
use crate::rules::RuleVersion;
use crate::secret::Secret;
pub use crate::store::code::Model as Code;
use crate::vault::IndexPurpose;
use crate::{store, user};

/// Codes of one user in a minute, and in a day (China day).
const PER_MINUTE: u64 = 6;
const PER_DAY: u64 = 300;

/// A code that was just issued. The digits are shown to the App once and kept nowhere.
pub struct Issued {
    /// The code.
    pub code: Code,
    /// Its digits.
    pub digits: String,
    /// What the App shows of it at first.
    pub symbology: Symbology,
}

/// Issues a code: alive for a minute, used once. A third ends the oldest of the two that may live at a time.
///
/// One for a certain merchant has the form of its `code` rule, and is used there or nowhere.
///
/// # Errors
/// `CODE_NOT_OPENED`, `USER_FROZEN`, `RATE_LIMITED`, `MERCHANT_NOT_FOUND`, `RULE_ERROR`.
pub async fn issue(
    engine: &Engine,
    uid: &Uid,
    method: Option<ChannelId>,
    only_at: Option<&MchId>,
) -> Result<Issued, Problem> {
    user::active(engine, uid).await?;
    let form = form(engine, only_at).await?;
    if let Some(method) = &method
        && engine.channel(method).is_none()
    {
        return Err(Problem::invalid("method", "没有这种支付方式"));
    }
    let wish = (method.as_ref(), only_at);
    engine
        .db
        .again(&*engine.random, || write(engine, uid, &form, wish))
        .await
}

async fn write(
    engine: &Engine,
    uid: &Uid,
    form: &CodeForm,
    (method, only_at): (Option<&ChannelId>, Option<&MchId>),
) -> Result<Issued, Problem> {
    let now = engine.clock.now();
    let tx = engine.db.begin().await?;
    store::user::hold(&tx, uid).await?;
    let minute_ago = now.minus(std::time::Duration::from_secs(60));
    if store::code::issued_since(&tx, uid, minute_ago).await? >= PER_MINUTE {
        return Err(Problem::new(ProblemCode::RateLimited).fact("retry_after_s", 10));
    }
    if store::code::issued_since(&tx, uid, now.day().start()).await? >= PER_DAY {
        return Err(Problem::new(ProblemCode::RateLimited).fact("retry_after_s", 3600));
    }
    let alive = store::code::alive(&tx, uid, now).await?;
    let keep = limit::CODES_ALIVE_MAX.saturating_sub(1);
    let superseded: Vec<CodeId> = alive
        .iter()
        .take(alive.len().saturating_sub(keep))
        .map(|code| code.code_id.clone())
        .collect();
    if !superseded.is_empty() {
        store::code::end(&tx, uid, Some(superseded), now).await?;
    }
    let digits = form.issue(&*engine.random);
    let code = Code {
        code_id: CodeId::fresh(&*engine.clock, &*engine.random),
        uid: uid.clone(),
        mch_id: only_at.cloned(),
        code_hash: engine.vault.index(IndexPurpose::Code, &digits),
        method: method.cloned(),
        issued_at: now,
        expires_at: now.plus(form.life()),
        ended_at: None,
    };
    store::code::insert(&tx, code.clone()).await?;
    tx.commit().await?;
    let symbology = form.symbology();
    Ok(Issued {
        code,
        digits,
        symbology,
    })
}

/// The form of codes for this merchant, or of the platform's own.
async fn form(engine: &Engine, only_at: Option<&MchId>) -> Result<CodeForm, Problem> {
    let scope = match only_at {
        None => RuleScope::default(),
        Some(mch_id) => {
            let shop = engine.directory.merchant(mch_id).await?;
            let shop = shop.filter(|shop| shop.merchant.status == Standing::Active);
            RuleScope::of(&*shop.ok_or_else(|| Problem::new(ProblemCode::MerchantNotFound))?)
        }
    };
    let ruling = Ruling::of(engine, scope).await?;
    let form = ruling.form();
    ruling.finish().await;
    Ok(form?.answer)
}

/// How a code stands, as the App shows it.
#[derive(Debug)]
pub enum CodeState {
    /// Waiting for a till.
    Waiting,
    /// Scanned where the user has no mandate: sign, then scan again. With the merchant that scanned it.
    NeedMandate(MchId),
    /// A till placed this order with it.
    Used(Box<Payment>),
    /// Over without use.
    Ended,
}

/// How one of the user's codes stands.
///
/// # Errors
/// `CODE_NOT_FOUND` for none or somebody else's.
pub async fn state(engine: &Engine, uid: &Uid, code_id: &CodeId) -> Result<(Code, CodeState), Problem> {
    let db = engine.db.read();
    let code = store::code::find(db, uid, code_id).await?;
    let code = code.ok_or_else(|| Problem::new(ProblemCode::CodeNotFound))?;
    if let Some(payment) = store::payment::by_code(db, code_id).await? {
        return Ok((code, CodeState::Used(Box::new(payment))));
    }
    if let Some(event) = store::event::newest_about(db, uid, code_id).await? {
        let payload: serde_json::Value = serde_json::from_str(&event.payload).map_err(Problem::fault)?;
        if let Some(mch_id) = payload.get("mch_id").and_then(|mch_id| mch_id.as_str()) {
            return Ok((code, CodeState::NeedMandate(mch_id.into())));
        }
    }
    let over = code.ended_at.is_some() || code.expires_at <= engine.clock.now();
    Ok((code, if over { CodeState::Ended } else { CodeState::Waiting }))
}

/// What a till scanned.
pub(crate) struct Scanned {
    /// The version of the rule that recognised it.
    pub(crate) version: RuleVersion,
    /// The keyed hash under which it is known.
    pub(crate) hash: String,
    /// What it is where it is a channel's own payment code.
    pub(crate) foreign: Option<Foreign>,
}

/// A payment code of a linked channel's own App.
pub(crate) struct Foreign {
    /// What it looks like.
    pub(crate) looks: Looks,
    /// The channel whose code it is.
    pub(crate) channel: ChannelId,
    /// Its digits.
    pub(crate) digits: Secret,
}

/// Recognises what a till scanned.
///
/// # Errors
/// `CODE_MALFORMED` for a misread or something that is no payment code, `CODE_FOREIGN` for one of a channel that is not
/// linked, `RULE_ERROR`.
pub(crate) fn scanned(engine: &Engine, ruling: &Ruling<'_>, text: &str) -> Result<Scanned, Problem> {
    let hash = |digits: &str| engine.vault.index(IndexPurpose::Code, digits);
    let ruled = ruling.recognise(text)?;
    let version = ruled.version;
    match ruled.answer {
        Recognised::Ours(digits) => Ok(Scanned {
            version,
            hash: hash(&digits),
            foreign: None,
        }),
        Recognised::Malformed => Err(Problem::new(ProblemCode::CodeMalformed)),
        Recognised::Foreign { looks, digits } => {
            let channel = engine.channels.of_code(looks).ok_or_else(|| foreign(looks))?;
            Ok(Scanned {
                version,
                hash: hash(&digits),
                foreign: Some(Foreign {
                    looks,
                    channel,
                    digits: Secret::from(digits),
                }),
            })
        }
    }
}

/// Whether what a till sends is the code of this hash: as it is recognised, or, where its rule has changed or fails, as it
/// stands.
pub(crate) fn is_of(engine: &Engine, scanned: Option<&Scanned>, text: &str, hash: &str) -> bool {
    scanned.is_some_and(|scanned| scanned.hash == hash) || engine.vault.index(IndexPurpose::Code, text.trim()) == hash
}

/// The refusal of somebody else's code, with what it is.
pub(crate) fn foreign(looks: Looks) -> Problem {
    let code = if looks.is_payment_code() {
        ProblemCode::CodeForeign
    } else {
        ProblemCode::CodeMalformed
    };
    Problem::new(code)
        .fact("looks_like", looks.en())
        .fact("looks_like_zh", looks.zh())
}

/// Whose code this is (P4). Reads the code and nothing else; it stays alive.
///
/// # Errors
/// `CODE_MALFORMED`, `CODE_FOREIGN`, `CODE_INVALID`, `CODE_ACCOUNT_CLOSED`.
pub async fn whose(engine: &Engine, mch_id: &MchId, scanned: &str) -> Result<Uid, Problem> {
    let shop = engine.directory.merchant(mch_id).await?;
    let shop = shop.ok_or_else(|| Problem::new(ProblemCode::MerchantDisabled))?;
    let ruling = Ruling::of(engine, RuleScope::of(&shop)).await?;
    let scanned = self::scanned(engine, &ruling, scanned);
    ruling.finish().await;
    let scanned = scanned?;
    if let Some(other) = scanned.foreign {
        return Err(foreign(other.looks));
    }
    let db = engine.db.read();
    let code = store::code::newest_by_hash(db, &scanned.hash).await?;
    let code = code.ok_or_else(|| Problem::new(ProblemCode::CodeInvalid))?;
    let used = store::payment::by_code(db, &code.code_id).await?;
    let ours = used.as_ref().is_some_and(|payment| payment.mch_id == *mch_id);
    // Who used it may ask again; to everybody else it is as unknown as one that never was.
    let elsewhere = code.mch_id.as_ref().is_some_and(|only_at| only_at != mch_id);
    let readable = ours || (used.is_none() && !elsewhere && lives(&code, engine.clock.now()));
    if !readable {
        return Err(Problem::new(ProblemCode::CodeInvalid));
    }
    let user = user::find(engine, &code.uid).await?;
    if user.is_none_or(|user| user.status != user::UserState::Active) {
        return Err(Problem::new(ProblemCode::CodeAccountClosed));
    }
    Ok(code.uid)
}

fn lives(code: &Code, now: Time) -> bool {
    code.ended_at.is_none() && code.expires_at > now
}
