//! The story of a mandate, from the wish to sign to the way back from the channel's page.

use std::sync::Arc;

use sea_orm::DatabaseTransaction;

use super::contract::{FIRST_LOOK, reference};
use super::{Contract, Mandate, MandateState, recheck};
use crate::channel::{Channel, Outcome, SignPage, SignQuestion};

use crate::engine::Engine;
use crate::id::{ChannelId, ContractNo, MandateId, MchId, Uid};
use crate::limit;
use crate::merchant::{ChannelAccount, Standing};
use crate::problem::{Code, Problem};
use crate::store;
use crate::user::{self, User};
use crate::vault::IndexPurpose;

/// What a user wants to sign.
#[derive(Debug, Clone)]
pub struct Signing {
    /// Who.
    pub uid: Uid,
    /// To be deducted by whom.
    pub mch_id: MchId,
    /// Through which channel.
    pub channel: ChannelId,
    /// His address, for channels that want it.
    pub user_ip: Option<String>,
}

/// What comes of the wish.
#[derive(Debug)]
pub struct SignStart {
    /// The mandate.
    pub mandate: Mandate,
    /// Where the user signs; nothing when no signing is needed (the channel's contract stands already).
    pub page: Option<SignPage>,
}

/// Begins a mandate. Where the user has a contract under the same heading at the channel, it carries this mandate too; else
/// a contract is prepared and the user is sent to the channel's page. Asked again while signing, the same mandate answers.
///
/// # Errors
/// `MERCHANT_NOT_FOUND`, `CHANNEL_NOT_CONFIGURED`, `CODE_NOT_OPENED`, `CHANNEL_UNAVAILABLE`, `CHANNEL_REFUSED`.
pub async fn sign(engine: &Engine, wish: Signing) -> Result<SignStart, Problem> {
    let user = user::active(engine, &wish.uid).await?;
    let account = account(engine, &wish).await?;
    let channel = engine.adapter(&account).await?;
    let scope = channel.contract_scope();
    let mandate = match stand(engine, &wish, &account, &scope).await? {
        Some(mandate) => mandate,
        // Somebody was faster, such as a second tap on the same button: now it is there.
        None => {
            let again = stand(engine, &wish, &account, &scope).await?;
            again.ok_or_else(|| Problem::new(Code::Internal))?
        }
    };
    if mandate.state != MandateState::Pending {
        return Ok(SignStart { mandate, page: None });
    }
    let contract = store::contract::find(engine.db.write(), &mandate.contract_no).await?;
    let contract = contract.ok_or_else(|| Problem::new(Code::Internal))?;
    let page = ask_page(engine, &*channel, &wish, &user, &mandate, &contract).await?;
    Ok(SignStart {
        mandate,
        page: Some(page),
    })
}

/// The mandate that stands, or one that is written down now; nothing when things changed in between.
async fn stand(
    engine: &Engine,
    wish: &Signing,
    account: &ChannelAccount,
    scope: &str,
) -> Result<Option<Mandate>, Problem> {
    let db = engine.db.write();
    if let Some(living) = store::mandate::living(db, &wish.uid, &wish.mch_id, &wish.channel).await? {
        return Ok(Some(living));
    }
    match store::contract::active(db, &wish.uid, &wish.channel, scope).await? {
        Some(contract) => attach(engine, wish, account, &contract).await,
        None => begin(engine, wish, account, scope).await,
    }
}

async fn account(engine: &Engine, wish: &Signing) -> Result<ChannelAccount, Problem> {
    let shop = engine.directory.merchant(&wish.mch_id).await?;
    let shop = shop.filter(|shop| shop.merchant.status == Standing::Active);
    let shop = shop.ok_or_else(|| Problem::new(Code::MerchantNotFound))?;
    let account = shop.usable_accounts().find(|account| account.channel == wish.channel);
    account
        .cloned()
        .ok_or_else(|| Problem::new(Code::ChannelNotConfigured).at("channel"))
}

/// A mandate on a contract that stands: usable at once.
async fn attach(
    engine: &Engine,
    wish: &Signing,
    account: &ChannelAccount,
    contract: &Contract,
) -> Result<Option<Mandate>, Problem> {
    let now = engine.clock.now();
    let mandate = Mandate {
        state: MandateState::Active,
        activated_at: Some(now),
        ..fresh(engine, wish, account, contract.contract_no.clone())
    };
    let attached = engine
        .db
        .again(&*engine.random, || write_attached(engine, wish, contract, &mandate))
        .await?;
    if attached {
        engine.live.wake(&wish.uid);
    }
    Ok(attached.then_some(mandate))
}

async fn write_attached(
    engine: &Engine,
    wish: &Signing,
    contract: &Contract,
    mandate: &Mandate,
) -> Result<bool, Problem> {
    let tx = engine.db.begin().await?;
    store::user::hold(&tx, &wish.uid).await?;
    // It may have ended since it was read; a mandate on it would be usable for ever and never work.
    let present = store::contract::find(&tx, &contract.contract_no).await?;
    if present.is_none_or(|present| present.state != MandateState::Active) || !insert(&tx, mandate).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    super::settle::tell(&tx, mandate, mandate.created_at).await?;
    tx.commit().await?;
    Ok(true)
}

/// A contract to be signed and the mandate on it, written down before the channel hears of them.
async fn begin(
    engine: &Engine,
    wish: &Signing,
    account: &ChannelAccount,
    scope: &str,
) -> Result<Option<Mandate>, Problem> {
    let now = engine.clock.now();
    let contract = Contract {
        contract_no: ContractNo::fresh(&*engine.clock, &*engine.random),
        uid: wish.uid.clone(),
        channel: wish.channel.clone(),
        account_id: account.account_id.clone(),
        scope: scope.to_owned(),
        state: MandateState::Pending,
        handle_sealed: None,
        handle_index: None,
        payer_sealed: None,
        display: None,
        created_at: now,
        signed_at: None,
        expires_at: None,
        ended_at: None,
        ended_by: None,
        next_look_at: Some(now.plus(FIRST_LOOK)),
        looks: 0,
    };
    let mandate = fresh(engine, wish, account, contract.contract_no.clone());
    let begun = engine
        .db
        .again(&*engine.random, || write_begun(engine, &contract, &mandate))
        .await?;
    Ok(begun.then_some(mandate))
}

async fn write_begun(engine: &Engine, contract: &Contract, mandate: &Mandate) -> Result<bool, Problem> {
    let tx = engine.db.begin().await?;
    store::user::hold(&tx, &mandate.uid).await?;
    store::contract::insert(&tx, contract.clone()).await?;
    if !insert(&tx, mandate).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    super::settle::count(&tx, mandate);
    tx.commit().await?;
    Ok(true)
}

/// Writes a mandate down; `false` when the user has a living one already. The database decides.
async fn insert(tx: &DatabaseTransaction, mandate: &Mandate) -> Result<bool, Problem> {
    match store::mandate::insert(tx, mandate.clone()).await {
        Ok(()) => Ok(true),
        Err(error) if store::is_unique_violation(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn fresh(engine: &Engine, wish: &Signing, account: &ChannelAccount, contract: ContractNo) -> Mandate {
    Mandate {
        mandate_id: MandateId::fresh(&*engine.clock, &*engine.random),
        uid: wish.uid.clone(),
        mch_id: wish.mch_id.clone(),
        channel: wish.channel.clone(),
        account_id: account.account_id.clone(),
        contract_no: contract,
        state: MandateState::Pending,
        living: Some(wish.uid.0.clone()),
        created_at: engine.clock.now(),
        activated_at: None,
        ended_at: None,
        ended_by: None,
    }
}

async fn ask_page(
    engine: &Engine,
    channel: &dyn Channel,
    wish: &Signing,
    user: &User,
    mandate: &Mandate,
    contract: &Contract,
) -> Result<SignPage, Problem> {
    let phone = user::phone(engine, user)?;
    let tail = phone
        .as_deref()
        .and_then(|phone| phone.get(phone.len().saturating_sub(4)..));
    let question = SignQuestion {
        contract: reference(contract, None),
        sequence: sequence(engine),
        display: tail.map_or_else(|| "metro".to_owned(), |tail| format!("metro{tail}")),
        return_url: return_url(engine, mandate),
        user_ip: wish.user_ip.clone(),
    };
    match channel.sign_contract(&question).await {
        Ok(Outcome::Done(page)) => Ok(page),
        Ok(Outcome::Refused(refusal)) => {
            tracing::warn!(channel = %wish.channel, code = %refusal.code, "signing refused: {}", refusal.text);
            Err(Problem::new(Code::ChannelRefused).fact("channel_code", refusal.code))
        }
        Ok(Outcome::Pending) => Err(Problem::new(Code::ChannelUnavailable)),
        Err(error) => Err(Problem {
            source: Some(Box::new(error)),
            ..Problem::new(Code::ChannelUnavailable)
        }),
    }
}

/// Growing and unique: the time to the millisecond and three random digits.
fn sequence(engine: &Engine) -> u64 {
    let random: u64 = engine.random.digits(3).parse().unwrap_or(0);
    u64::try_from(engine.clock.now().0)
        .unwrap_or(0)
        .saturating_mul(1_000)
        .saturating_add(random)
}

/// The way back: its state names the mandate and proves itself; it is good for one return.
fn return_url(engine: &Engine, mandate: &Mandate) -> String {
    let nonce = engine.random.letters(16, b"0123456789abcdefghijklmnopqrstuvwxyz");
    let state = proof(engine, &mandate.mandate_id, &nonce);
    format!(
        "{}/app/return/{}/{nonce}/{state}",
        engine.public_url, mandate.mandate_id
    )
}

fn proof(engine: &Engine, mandate: &MandateId, nonce: &str) -> String {
    engine
        .vault
        .index(IndexPurpose::NotifyPath, &format!("return:{mandate}:{nonce}"))
}

/// The user came back from the channel's page. What he says there proves nothing: the channel is asked.
///
/// # Errors
/// `STATE_INVALID` for a way back that is forged or was used.
pub async fn came_back(engine: &Engine, id: &MandateId, nonce: &str, state: &str) -> Result<Mandate, Problem> {
    let expected = proof(engine, id, nonce);
    if !bool::from(subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), state.as_bytes())) {
        return Err(Problem::new(Code::StateInvalid));
    }
    let until = engine.clock.now().plus(limit::SIGN_WINDOW);
    if !store::nonce::use_once(engine.db.write(), "return", nonce, until).await? {
        return Err(Problem::new(Code::StateInvalid));
    }
    let mandate = store::mandate::find_any(engine.db.write(), id).await?;
    let mandate = mandate.ok_or_else(|| Problem::new(Code::StateInvalid))?;
    recheck::recheck(engine, &mandate.contract_no).await;
    let mandate = store::mandate::find_any(engine.db.write(), id).await?;
    mandate.ok_or_else(|| Problem::new(Code::StateInvalid))
}

/// The form that a browser must post to reach the channel's page, for channels that want one: made anew for a pending
/// mandate, under a ticket that only who began it knows.
///
/// # Errors
/// `STATE_INVALID` for a forged ticket or a mandate that is not pending; otherwise as [`sign`].
pub async fn sign_page(engine: &Arc<Engine>, id: &MandateId, ticket: &str) -> Result<SignPage, Problem> {
    let expected = page_ticket(engine, id);
    if !bool::from(subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), ticket.as_bytes())) {
        return Err(Problem::new(Code::StateInvalid));
    }
    let mandate = store::mandate::find_any(engine.db.write(), id).await?;
    let mandate = mandate.filter(|mandate| mandate.state == MandateState::Pending);
    let mandate = mandate.ok_or_else(|| Problem::new(Code::StateInvalid))?;
    let wish = Signing {
        uid: mandate.uid,
        mch_id: mandate.mch_id,
        channel: mandate.channel,
        user_ip: None,
    };
    sign(engine, wish)
        .await?
        .page
        .ok_or_else(|| Problem::new(Code::StateInvalid))
}

/// The ticket under which a pending mandate's form can be fetched by the user's browser.
pub(super) fn page_ticket(engine: &Engine, id: &MandateId) -> String {
    engine.vault.index(IndexPurpose::NotifyPath, &format!("page:{id}"))
}

impl SignStart {
    /// The address that the user's browser opens to sign; nothing when no signing is needed.
    pub fn url(&self, engine: &Engine) -> Option<String> {
        match self.page.as_ref()? {
            SignPage::Redirect { url, .. } => Some(url.clone()),
            SignPage::Form { .. } => {
                let id = &self.mandate.mandate_id;
                Some(format!(
                    "{}/app/sign/{id}/{}",
                    engine.public_url,
                    page_ticket(engine, id)
                ))
            }
        }
    }
}
