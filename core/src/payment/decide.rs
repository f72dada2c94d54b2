//! The decision before any money moves: pure, from facts that were loaded at once.

use serde_json::{Value, json};

use super::PayAsk;
use crate::builtin_rules::{FeeQuestion, RouteQuestion, Rules, Way};
use crate::channel::health::{Breaker, Health};
use crate::clock::Time;
use crate::code::foreign::Looks;
use crate::engine::Caps;
use crate::id::{AccountId, ChannelId, CodeId, ContractNo, MandateId, Uid};
use crate::merchant::{ChannelAccount, MerchantFile};
use crate::money::Fen;
use crate::problem::{Code, Problem};
use crate::store::payment::Facts;
use crate::store::user::UserState;

/// Go: by this way, at this fee.
#[derive(Debug, Clone)]
pub(super) struct Decision {
    /// Who pays, on which consent; nothing where the channel's own payment code was scanned.
    pub payer: Option<Payer>,
    pub channel: ChannelId,
    pub account: AccountId,
    pub fee: Fen,
    pub pins: String,
}

/// A user of ours who pays with a code of ours, on a mandate.
#[derive(Debug, Clone)]
pub(super) struct Payer {
    pub code_id: CodeId,
    pub uid: Uid,
    pub mandate: MandateId,
    pub contract: ContractNo,
    pub handle_sealed: String,
}

/// Not: with what the App must be told, where it must.
#[derive(Debug)]
pub(super) enum No {
    /// Refused, and nothing else.
    Refused(Problem),
    /// The user has no mandate: the App opens the page on which he signs. The code stays alive.
    NeedMandate {
        uid: Uid,
        code_id: CodeId,
        chosen: Option<ChannelId>,
    },
}

impl From<Problem> for No {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

/// Decides. `facts` are those of the newest code with the scanned digits, one row for each usable mandate.
pub(super) fn decide(
    ask: &PayAsk,
    shop: &MerchantFile,
    facts: &[Facts],
    rules: &dyn Rules,
    (caps, health): (&Caps, &Health),
    now: Time,
) -> Result<Decision, No> {
    let code = facts.first().ok_or_else(|| Problem::new(Code::CodeInvalid))?;
    let facts = facts.iter().filter(|row| row.code_id == code.code_id);
    alive(code, shop, now)?;
    within_cap(ask, caps)?;
    let usable: Vec<&Facts> = facts.filter(|row| usable(row, shop, now)).collect();
    let question = RouteQuestion {
        mch_id: shop.merchant.mch_id.clone(),
        store_id: ask.store_id.clone(),
        amount: ask.total_fee,
        chosen: code.method.clone(),
        preferred: code.preferred.clone(),
        ways: usable.iter().filter_map(|row| way(row, caps, health, now)).collect(),
    };
    let route = rules.route(&question).map_err(rule_error)?;
    let chosen = route.answer.as_ref().and_then(|id| {
        let way = question.ways.iter().find(|way| way.mandate == *id)?.clone();
        let row = usable.iter().find(|row| row.mandate_id.as_ref() == Some(id))?;
        Some((row, way, row.contract_no.clone()?, row.handle_sealed.clone()?))
    });
    let Some((row, way, contract, handle)) = chosen else {
        return Err(No::NeedMandate {
            uid: code.uid.clone(),
            code_id: code.code_id.clone(),
            chosen: code.method.clone().or(code.preferred.clone()),
        });
    };
    let (fee, fee_pin) = fee(ask, shop, &way.channel, rules)?;
    let pins = json!({
        "route": { "version": route.version, "question": question, "answer": route.answer },
        "fee": fee_pin,
    });
    Ok(Decision {
        payer: Some(Payer {
            code_id: row.code_id.clone(),
            uid: row.uid.clone(),
            mandate: way.mandate,
            contract,
            handle_sealed: handle,
        }),
        channel: way.channel,
        account: way.account,
        fee,
        pins: pins.to_string(),
    })
}

/// Decides about a channel's own payment code: the code itself names the channel, `account` is the merchant's with it.
pub(super) fn decide_foreign(
    ask: &PayAsk,
    shop: &MerchantFile,
    account: &ChannelAccount,
    looks: Looks,
    rules: &dyn Rules,
    caps: &Caps,
) -> Result<Decision, Problem> {
    within_cap(ask, caps)?;
    let (fee, fee_pin) = fee(ask, shop, &account.channel, rules)?;
    let pins = json!({
        "route": { "version": "payment-code-1", "question": { "looks_like": looks }, "answer": account.account_id },
        "fee": fee_pin,
    });
    Ok(Decision {
        payer: None,
        channel: account.channel.clone(),
        account: account.account_id.clone(),
        fee,
        pins: pins.to_string(),
    })
}

fn within_cap(ask: &PayAsk, caps: &Caps) -> Result<(), Problem> {
    if ask.total_fee > caps.per_payment {
        return Err(Problem::new(Code::LimitExceeded).fact("limit", "per_payment"));
    }
    Ok(())
}

/// The platform's fee, and what is pinned of how it came about.
fn fee(ask: &PayAsk, shop: &MerchantFile, channel: &ChannelId, rules: &dyn Rules) -> Result<(Fen, Value), Problem> {
    let question = FeeQuestion {
        mch_id: shop.merchant.mch_id.clone(),
        channel: channel.clone(),
        amount: ask.total_fee,
        agreed_rate: u32::try_from(shop.merchant.fee_rate).unwrap_or(0),
    };
    let fee = rules.fee(&question).map_err(rule_error)?;
    if fee.answer > ask.total_fee {
        return Err(Problem::new(Code::RuleError));
    }
    let pin = json!({ "version": fee.version, "question": question, "answer": fee.answer });
    Ok((fee.answer, pin))
}

/// Whether the code may still be used. Unknown, expired and superseded are told alike, so that guessing learns nothing; a
/// used code is told only to who used it.
fn alive(code: &Facts, shop: &MerchantFile, now: Time) -> Result<(), Problem> {
    if let Some(user) = &code.used_by {
        let told = if *user == shop.merchant.mch_id {
            Code::CodeUsed
        } else {
            Code::CodeInvalid
        };
        return Err(Problem::new(told));
    }
    if code.user_status != UserState::Active {
        return Err(Problem::new(Code::CodeAccountClosed));
    }
    if code.ended_at.is_some() || code.expires_at <= now {
        return Err(Problem::new(Code::CodeInvalid));
    }
    Ok(())
}

/// Whether a mandate can carry a payment now: its account is in use and its contract has not run out (INV-22).
fn usable(row: &Facts, shop: &MerchantFile, now: Time) -> bool {
    let account = |id: &AccountId| shop.usable_accounts().any(|account| account.account_id == *id);
    row.account_id.as_ref().is_some_and(account)
        && row.handle_sealed.is_some()
        && row.contract_expires_at.is_none_or(|at| at > now)
}

fn way(row: &Facts, caps: &Caps, health: &Health, now: Time) -> Option<Way> {
    let account = row.account_id.clone()?;
    let mut health = health.of(&account, now);
    if !caps.breaker {
        health.breaker = Breaker::Closed;
    }
    Some(Way {
        channel: row.mandate_channel.clone()?,
        health,
        account,
        mandate: row.mandate_id.clone()?,
    })
}

fn rule_error(error: crate::builtin_rules::RuleError) -> Problem {
    Problem {
        source: Some(Box::new(error)),
        ..Problem::new(Code::RuleError)
    }
}
