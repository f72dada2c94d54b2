//! A signing from its beginning to what the user says on the phone (wechat reference, 3.2 and 3.3).

use std::sync::Arc;

use chrono::Months;
use serde::{Deserialize, Serialize};

use super::answer::Failure;
use super::contract::{self, Contract};
use super::request::Call;
use super::sign::SignType;
use super::{account, notify, number};
use crate::clock;
use crate::frame::{Frame, Refused, SignedBefore};
use crate::store::Tx;

const PRE_SIGNS: &str = "wechat_presign";

const CODES: &str = "wechat_contract_code";

/// WeChat must be opened so soon after pre-signing.
const APP_LIFE_MS: i64 = 2 * 60_000;

/// A `redirect_url` lives so long; also how long a page that was opened in time may wait for the user.
const PAGE_LIFE_MS: i64 = 10 * 60_000;

/// The same `contract_code` may be pre-signed again so long.
const CODE_LIFE_MS: i64 = 2 * 3_600_000;

/// An open-ended contract "expires" 30 years after signing, as in the official sample.
const CONTRACT_LIFE: Months = Months::new(30 * 12);

/// Where a signing began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Entry {
    App,
    Page,
    H5,
}

/// A signing that waits for the user.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct PreSign {
    pub id: String,
    pub entry: Entry,
    pub mch_id: String,
    pub sub_mch_id: Option<String>,
    appid: String,
    sub_appid: Option<String>,
    pub plan_id: String,
    pub contract_code: String,
    request_serial: String,
    pub display_account: String,
    notify_url: String,
    sign_type: SignType,
    /// The merchant's page to go back to.
    pub back: Option<String>,
    expires_at_ms: i64,
    opened: bool,
    /// What the user said.
    pub agreed: Option<bool>,
}

/// The first pre-sign of a contract number, and the contract that came of it.
#[derive(Serialize, Deserialize)]
struct CodeUse {
    first_at_ms: i64,
    contract_id: Option<String>,
}

/// Why a page cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageTrouble {
    /// There is no such signing, it is too old, or it was used.
    Gone,
    /// The user has a live contract under this plan.
    SignedAlready,
    /// The plan takes no new contracts.
    PlanDisabled,
}

/// Begins a signing and returns its id.
pub(super) fn begin(frame: &Arc<Frame>, call: &Call, entry: Entry) -> Result<String, Failure> {
    let mut tx = frame.store.begin();
    let plan_id = call.field("plan_id");
    let plan = account::find_plan(&tx, &call.account.mch_id, plan_id);
    let plan = plan.ok_or_else(|| Failure::bad_field("plan_id不存在"))?;
    if plan.disabled {
        return Err(Failure::bad_field("模板已停用"));
    }
    use_code(&mut tx, call)?;
    let wants_back = call.fields.get("return_web") == Some("1");
    let life_ms = if entry == Entry::App { APP_LIFE_MS } else { PAGE_LIFE_MS };
    let pre_sign = PreSign {
        id: number::token(),
        entry,
        mch_id: call.account.mch_id.clone(),
        sub_mch_id: call.sub_mch_id().map(str::to_owned),
        appid: call.account.appid.clone(),
        sub_appid: call.sub_appid().map(str::to_owned),
        plan_id: plan_id.to_owned(),
        contract_code: call.field("contract_code").to_owned(),
        request_serial: call.field("request_serial").to_owned(),
        display_account: call.field("contract_display_account").to_owned(),
        notify_url: call.field("notify_url").to_owned(),
        sign_type: call.sign_type,
        back: call.referer.clone().filter(|_| wants_back),
        expires_at_ms: call.now_ms.saturating_add(life_ms),
        opened: false,
        agreed: None,
    };
    tx.put(PRE_SIGNS, &pre_sign.id, &pre_sign);
    tx.commit();
    Ok(pre_sign.id)
}

/// A contract number may be pre-signed again for two hours, and anew after its contract has ended.
fn use_code(tx: &mut Tx<'_>, call: &Call) -> Result<(), Failure> {
    let key = code_key(&call.account.mch_id, call.field("contract_code"));
    let Some(code) = tx.get::<CodeUse>(CODES, &key) else {
        tx.put(
            CODES,
            &key,
            &CodeUse {
                first_at_ms: call.now_ms,
                contract_id: None,
            },
        );
        return Ok(());
    };
    match code.contract_id.and_then(|id| contract::find(tx, &id)) {
        Some(contract) if contract.is_live(call.now_ms) => Err(Failure::of(&call.account.terms.signed_already_code)),
        Some(_) => Ok(()),
        None if call.now_ms.saturating_sub(code.first_at_ms) > CODE_LIFE_MS => {
            Err(Failure::bad_field("contract_code已使用，请更换"))
        }
        None => Ok(()),
    }
}

fn code_key(mch_id: &str, contract_code: &str) -> String {
    format!("{mch_id}/{contract_code}")
}

/// The contract that a contract number stands for, the latest if there were several.
pub(super) fn find_by_code(tx: &Tx<'_>, mch_id: &str, contract_code: &str) -> Option<Contract> {
    let code: CodeUse = tx.get(CODES, &code_key(mch_id, contract_code))?;
    contract::find(tx, &code.contract_id?)
}

/// Signings that wait for the user now, newest last.
pub(super) fn waiting(frame: &Frame) -> Vec<PreSign> {
    let now_ms = frame.clock.now_ms();
    let all: Vec<PreSign> = frame.store.begin().scan(PRE_SIGNS);
    all.into_iter()
        .filter(|pre_sign| pre_sign.agreed.is_none() && now_ms <= pre_sign.expires_at_ms)
        .collect()
}

/// Opens the signing page. An H5 address can be opened once; the user comes back to the page that he came from.
pub(super) fn open(frame: &Frame, id: &str, referer: Option<&str>) -> Result<PreSign, PageTrouble> {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let mut pre_sign = undecided(&tx, id, now_ms)?;
    if pre_sign.opened && pre_sign.entry == Entry::H5 {
        return Err(PageTrouble::Gone);
    }
    if !pre_sign.opened {
        pre_sign.opened = true;
        if pre_sign.entry == Entry::H5 {
            pre_sign.back = referer.map(str::to_owned);
        }
        pre_sign.expires_at_ms = now_ms.saturating_add(PAGE_LIFE_MS);
        tx.put(PRE_SIGNS, id, &pre_sign);
        tx.commit();
    }
    Ok(pre_sign)
}

fn undecided(tx: &Tx<'_>, id: &str, now_ms: i64) -> Result<PreSign, PageTrouble> {
    let pre_sign: PreSign = tx.get(PRE_SIGNS, id).ok_or(PageTrouble::Gone)?;
    let usable = pre_sign.agreed.is_none() && now_ms <= pre_sign.expires_at_ms;
    if usable { Ok(pre_sign) } else { Err(PageTrouble::Gone) }
}

/// The user agrees or refuses. Refusing is never notified (wechat reference, 3.4).
pub(super) fn decide(frame: &Arc<Frame>, id: &str, agree: bool, user: &str) -> Result<PreSign, PageTrouble> {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let mut pre_sign = undecided(&tx, id, now_ms)?;
    pre_sign.agreed = Some(agree);
    if !agree {
        tx.put(PRE_SIGNS, id, &pre_sign);
        tx.commit();
        return Ok(pre_sign);
    }
    let plan = account::find_plan(&tx, &pre_sign.mch_id, &pre_sign.plan_id);
    if plan.is_none_or(|plan| plan.disabled) {
        return Err(PageTrouble::PlanDisabled);
    }
    let of_user = contract::find_of_user(&tx, &pre_sign.mch_id, &pre_sign.plan_id, user);
    let of_code = find_by_code(&tx, &pre_sign.mch_id, &pre_sign.contract_code);
    if of_user
        .into_iter()
        .chain(of_code)
        .any(|contract| contract.is_live(now_ms))
    {
        return Err(PageTrouble::SignedAlready);
    }
    let contract = agreed(&mut tx, &pre_sign, user, now_ms);
    keep_agreed(&mut tx, &contract, now_ms);
    tx.put(PRE_SIGNS, id, &pre_sign);
    tx.commit();
    notify::contract_signed(frame, &contract);
    Ok(pre_sign)
}

/// Contracts that users signed before.
pub(super) fn sign_before(frame: &Frame, wish: &SignedBefore) -> Result<Vec<String>, Refused> {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let account = account::find(&tx, &wish.account);
    let account = account.ok_or_else(|| Refused(format!("there is no merchant number {}", wish.account)))?;
    let plan = wish
        .plan_id
        .as_deref()
        .and_then(|plan| account::find_plan(&tx, &account.mch_id, plan));
    let plan = plan.ok_or_else(|| Refused("plan_id names no plan of this merchant number".to_owned()))?;
    let mut handles = Vec::with_capacity(wish.contracts.len());
    for signer in &wish.contracts {
        let pre_sign = PreSign {
            id: String::new(),
            entry: Entry::Page,
            mch_id: account.mch_id.clone(),
            sub_mch_id: wish.sub_mch_id.clone(),
            appid: account.appid.clone(),
            sub_appid: None,
            plan_id: plan.plan_id.clone(),
            contract_code: signer.no.clone(),
            request_serial: "1".to_owned(),
            display_account: signer.user.clone(),
            notify_url: plan.termination_url.clone().unwrap_or_default(),
            sign_type: SignType::Md5,
            back: None,
            expires_at_ms: now_ms,
            opened: true,
            agreed: Some(true),
        };
        let contract = agreed(&mut tx, &pre_sign, &signer.user, now_ms);
        keep_agreed(&mut tx, &contract, now_ms);
        handles.push(contract.contract_id);
    }
    tx.commit();
    Ok(handles)
}

/// Writes a contract down with its number.
fn keep_agreed(tx: &mut Tx<'_>, contract: &Contract, now_ms: i64) {
    contract::keep(tx, contract);
    let code = CodeUse {
        first_at_ms: now_ms,
        contract_id: Some(contract.contract_id.clone()),
    };
    tx.put(CODES, &code_key(&contract.mch_id, &contract.contract_code), &code);
}

fn agreed(tx: &mut Tx<'_>, pre_sign: &PreSign, user: &str, now_ms: i64) -> Contract {
    let pre_sign = pre_sign.clone();
    Contract {
        contract_id: number::contract_id(tx, now_ms),
        openid: number::openid(&pre_sign.appid, user),
        sub_openid: pre_sign.sub_appid.as_deref().map(|appid| number::openid(appid, user)),
        user: user.to_owned(),
        mch_id: pre_sign.mch_id,
        sub_mch_id: pre_sign.sub_mch_id,
        appid: pre_sign.appid,
        sub_appid: pre_sign.sub_appid,
        plan_id: pre_sign.plan_id,
        contract_code: pre_sign.contract_code,
        request_serial: pre_sign.request_serial,
        display_account: pre_sign.display_account,
        notify_url: pre_sign.notify_url,
        sign_type: pre_sign.sign_type,
        signed_at_ms: now_ms,
        expires_at_ms: (clock::at(now_ms) + CONTRACT_LIFE).timestamp_millis(),
        ended: None,
    }
}
