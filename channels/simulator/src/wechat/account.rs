//! Merchant accounts: direct merchants, service providers with their shops, the deduction plans, and the terms of each.

use rand::Rng;
use rand::distributions::Alphanumeric;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::terms::Terms;
use super::{credentials, login, number};
use crate::frame::{Frame, Refused};
use crate::store::Tx;

const ACCOUNTS: &str = "wechat_account";
const SHOPS: &str = "wechat_shop";
const PLANS: &str = "wechat_plan";

/// After a reset the old and the new key overlap for 15 days (wechat reference, 1.2).
const KEY_OVERLAP_MS: i64 = 15 * 86_400_000;

/// Whether a merchant number acts for itself or for shops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    Direct,
    Provider,
}

/// A merchant number with its key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Account {
    pub mch_id: String,
    pub appid: String,
    pub mode: Mode,
    pub name: String,
    pub api_key: String,
    old_key: Option<OldKey>,
    /// The plan that was opened with the account.
    plan_id: String,
    pub terms: Terms,
}

#[derive(Clone, Serialize, Deserialize)]
struct OldKey {
    key: String,
    until_ms: i64,
}

/// A shop under a service provider.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Shop {
    pub sub_mch_id: String,
    pub name: String,
}

/// A plan of the kind 免密支付.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Plan {
    pub plan_id: String,
    pub name: String,
    /// 解约通知 URL: where `change_type=DELETE` goes.
    pub termination_url: Option<String>,
    /// A disabled plan takes no new contracts; those that exist live on.
    pub disabled: bool,
}

impl Account {
    /// The keys that a request may be signed with now.
    pub(super) fn keys(&self, now_ms: i64) -> impl Iterator<Item = &str> {
        let old = self
            .old_key
            .as_ref()
            .filter(|old| now_ms < old.until_ms)
            .map(|old| old.key.as_str());
        std::iter::once(self.api_key.as_str()).chain(old)
    }
}

/// The account under a merchant number.
pub(super) fn find(tx: &Tx<'_>, mch_id: &str) -> Option<Account> {
    tx.get(ACCOUNTS, mch_id)
}

/// A shop of this provider.
pub(super) fn find_shop(tx: &Tx<'_>, mch_id: &str, sub_mch_id: &str) -> Option<Shop> {
    tx.get(SHOPS, &format!("{mch_id}/{sub_mch_id}"))
}

/// A plan of this merchant number.
pub(super) fn find_plan(tx: &Tx<'_>, mch_id: &str, plan_id: &str) -> Option<Plan> {
    tx.get(PLANS, &format!("{mch_id}/{plan_id}"))
}

/// Keeps an account whose terms changed.
pub(super) fn keep(tx: &mut Tx<'_>, account: &Account) {
    tx.put(ACCOUNTS, &account.mch_id, account);
}

/// What the control interface may wish for; whatever is left over are the account's [`Terms`].
struct Wishes(Map<String, Value>);

impl Wishes {
    /// Takes a wish out. Numbers and texts are both taken as text.
    fn take(&mut self, name: &str) -> Result<Option<String>, Refused> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(Refused(format!("{name} must be a text that is not empty"))),
        }
    }

    fn take_flag(&mut self, name: &str) -> Result<Option<bool>, Refused> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(Refused(format!("{name} must be true or false"))),
        }
    }
}

/// Opens an account, adds a shop or plan to one, or changes one's terms.
///
/// * `provider`: the number of a provider that exists; a further shop is opened under it.
/// * `mch_id` of an account that exists: its terms, key, plan or shop are changed as the other wishes say.
/// * otherwise a new account of the `mode` is opened, with the fixed numbers that are given and made-up ones for the rest.
pub(super) fn open(frame: &Frame, spec: &Value) -> Result<Value, Refused> {
    let Value::Object(map) = spec else {
        return Err(Refused("the account must be a JSON object".to_owned()));
    };
    let mut wishes = Wishes(map.clone());
    let mut tx = frame.store.begin();
    let provider = wishes.take("provider")?;
    let mch_id = wishes.take("mch_id")?;
    if let (Some(provider), Some(mch_id)) = (&provider, &mch_id)
        && provider != mch_id
    {
        return Err(Refused(
            "provider and mch_id are the same number; give one of them".to_owned(),
        ));
    }
    let wants_shop = provider.is_some();
    let known = provider
        .as_deref()
        .or(mch_id.as_deref())
        .and_then(|number| find(&tx, number));
    if wants_shop && !known.as_ref().is_some_and(|account| account.mode == Mode::Provider) {
        return Err(Refused("there is no service provider with this number".to_owned()));
    }
    let is_new = known.is_none();
    let mut account = match known {
        Some(account) => changed(account, &mut wishes, frame.clock.now_ms())?,
        None => fresh(&mut tx, mch_id, &mut wishes)?,
    };
    let plan = open_plan(&mut tx, &mut account, &mut wishes, is_new)?;
    let shop = match account.mode {
        Mode::Provider => open_shop(&mut tx, &account, &mut wishes, is_new || wants_shop)?,
        Mode::Direct => None,
    };
    let credentials_wishes = credentials::Wishes {
        api_v3_key: wishes.take("api_v3_key")?,
        api_cert_pem: wishes.take("api_cert_pem")?,
        public_key_id: wishes.take("public_key_id")?,
    };
    credentials_wishes.check()?;
    let (app_secret, oauth_domain) = (wishes.take("app_secret")?, wishes.take("oauth_domain")?);
    account.terms = account.terms.changed(std::mem::take(&mut wishes.0)).map_err(Refused)?;
    keep(&mut tx, &account);
    let app = login::register(&mut tx, &account.appid, app_secret, oauth_domain);
    tx.commit();
    let mut opened = json!({
        "app_secret": app.secret,
        "mode": account.mode,
        "appid": account.appid,
        "mch_id": account.mch_id,
        "api_key": account.api_key,
        "plan_id": plan,
        "base_url": format!("{}/wechat", frame.public_url),
    });
    if let Some(sub_mch_id) = shop {
        opened["sub_mch_id"] = json!(sub_mch_id);
    }
    let credentials = credentials::open(frame, &account.mch_id, credentials_wishes)?;
    if let (Value::Object(opened), Value::Object(credentials)) = (&mut opened, credentials) {
        opened.extend(credentials);
    }
    Ok(opened)
}

fn fresh(tx: &mut Tx<'_>, mch_id: Option<String>, wishes: &mut Wishes) -> Result<Account, Refused> {
    let mode = match wishes.take("mode")?.as_deref() {
        Some("direct") => Mode::Direct,
        Some("provider") => Mode::Provider,
        _ => return Err(Refused("mode must be direct or provider".to_owned())),
    };
    let mch_id = match mch_id {
        Some(number) => digits("mch_id", number, 32)?,
        None => format!("16{:08}", number::next(tx, "merchant")),
    };
    let appid = wishes
        .take("appid")?
        .unwrap_or_else(|| format!("wx{:016x}", rand::thread_rng().r#gen::<u64>()));
    let hex = appid.strip_prefix("wx").unwrap_or_default();
    if hex.len() != 16 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Refused("appid must be wx and 16 hex characters".to_owned()));
    }
    let name = match mode {
        Mode::Direct => wishes.take("shop_name")?.unwrap_or_else(|| format!("商户{mch_id}")),
        Mode::Provider => format!("服务商{mch_id}"),
    };
    Ok(Account {
        api_key: key(wishes.take("api_key")?)?.unwrap_or_else(made_up_key),
        old_key: None,
        plan_id: String::new(),
        terms: Terms::default(),
        mch_id,
        appid,
        mode,
        name,
    })
}

fn changed(mut account: Account, wishes: &mut Wishes, now_ms: i64) -> Result<Account, Refused> {
    let same_mode = match wishes.take("mode")?.as_deref() {
        None => true,
        Some("direct") => account.mode == Mode::Direct,
        Some("provider") => account.mode == Mode::Provider,
        Some(_) => false,
    };
    let same_appid = wishes.take("appid")?.is_none_or(|appid| appid == account.appid);
    if !same_mode || !same_appid {
        return Err(Refused("mode and appid of an account cannot be changed".to_owned()));
    }
    if account.mode == Mode::Direct
        && let Some(name) = wishes.take("shop_name")?
    {
        account.name = name;
    }
    if let Some(api_key) = key(wishes.take("api_key")?)?
        && api_key != account.api_key
    {
        let old = std::mem::replace(&mut account.api_key, api_key);
        account.old_key = Some(OldKey {
            key: old,
            until_ms: now_ms.saturating_add(KEY_OVERLAP_MS),
        });
    }
    Ok(account)
}

/// The plan that was asked for: an existing one by number, changed where wished, or a new one.
fn open_plan(tx: &mut Tx<'_>, account: &mut Account, wishes: &mut Wishes, is_new: bool) -> Result<String, Refused> {
    let wanted = wishes.take("plan_id")?;
    let name = wishes.take("plan_name")?;
    let termination_url = wishes.take("termination_url")?;
    let disabled = wishes.take_flag("plan_disabled")?;
    let plan_id = match wanted {
        Some(plan_id) => digits("plan_id", plan_id, 28)?,
        None if is_new => format!("1{:05}", number::next(tx, "plan")),
        None => account.plan_id.clone(),
    };
    let mut plan = find_plan(tx, &account.mch_id, &plan_id).unwrap_or_else(|| Plan {
        name: "消费码免密支付".to_owned(),
        termination_url: None,
        disabled: false,
        plan_id: plan_id.clone(),
    });
    plan.name = name.unwrap_or(plan.name);
    plan.termination_url = termination_url.or(plan.termination_url);
    plan.disabled = disabled.unwrap_or(plan.disabled);
    tx.put(PLANS, &format!("{}/{plan_id}", account.mch_id), &plan);
    if is_new {
        account.plan_id.clone_from(&plan_id);
    }
    Ok(plan_id)
}

fn open_shop(tx: &mut Tx<'_>, account: &Account, wishes: &mut Wishes, needed: bool) -> Result<Option<String>, Refused> {
    let name = wishes.take("shop_name")?;
    let sub_mch_id = match wishes.take("sub_mch_id")? {
        Some(sub_mch_id) => digits("sub_mch_id", sub_mch_id, 32)?,
        None if needed => format!("17{:08}", number::next(tx, "merchant")),
        None => return Ok(None),
    };
    let known = find_shop(tx, &account.mch_id, &sub_mch_id);
    let name = name
        .or(known.map(|shop| shop.name))
        .unwrap_or_else(|| format!("门店{sub_mch_id}"));
    let shop = Shop {
        sub_mch_id: sub_mch_id.clone(),
        name,
    };
    tx.put(SHOPS, &format!("{}/{sub_mch_id}", account.mch_id), &shop);
    Ok(Some(sub_mch_id))
}

fn digits(name: &str, text: String, len_max: usize) -> Result<String, Refused> {
    if text.len() <= len_max && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(text);
    }
    Err(Refused(format!("{name} must be at most {len_max} digits")))
}

fn key(wish: Option<String>) -> Result<Option<String>, Refused> {
    match wish {
        Some(key) if key.len() != 32 => Err(Refused("api_key must have exactly 32 characters".to_owned())),
        wish => Ok(wish),
    }
}

fn made_up_key() -> String {
    rand::thread_rng()
        .sample_iter(&Alphanumeric)
        .take(32)
        .map(char::from)
        .collect()
}
