//! The decision before any money moves: pure, from facts that were loaded at once.

use super::PayAsk;
use crate::channel::Product;
use crate::channel::health::{Breaker, Health};
use crate::clock::Time;
use crate::code::foreign::Looks;
use crate::engine::{Caps, Engine};
use crate::id::{AccountId, ChannelId, CodeId, ContractNo, MandateId, Uid};
use crate::merchant::{ChannelAccount, MerchantFile};
use crate::money::Fen;
use crate::problem::{Code, Problem};
use crate::rule::Ruling;
use crate::rule::repeat::{FeePin, Pins, RoutePin};
use crate::rules::RuleVersion;
use crate::rules::fee::FeeQuestion;
use crate::rules::route::{Choice, RouteQuestion, Way};
use crate::store::facts::Facts;
use crate::store::user::UserState;

/// What a decision depends on beside the order: bounds, how channels are doing, the time, and chance.
pub(super) struct Circumstances<'a> {
    pub caps: &'a Caps,
    pub health: &'a Health,
    pub now: Time,
    /// Evenly spread over 0 to 9,999.
    pub draw: u32,
}

impl<'a> Circumstances<'a> {
    /// As they are now.
    pub(super) fn of(engine: &'a Engine) -> Self {
        Self {
            caps: &engine.caps,
            health: engine.health(),
            now: engine.clock.now(),
            draw: engine.random.digits(4).parse().unwrap_or(0),
        }
    }
}

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
    (ruling, recognised_by): (&Ruling<'_>, &RuleVersion),
    by: &Circumstances<'_>,
) -> Result<Decision, No> {
    let now = by.now;
    let code = facts.first().ok_or_else(|| Problem::new(Code::CodeInvalid))?;
    let facts = facts.iter().filter(|row| row.code_id == code.code_id);
    alive(code, shop, now)?;
    within_cap(ask, by.caps)?;
    let usable: Vec<&Facts> = facts.filter(|row| usable(row, shop, now)).collect();
    let question = RouteQuestion {
        mch_id: shop.merchant.mch_id.clone(),
        category: shop.merchant.category.clone(),
        store_id: ask.store_id.clone(),
        amount: ask.total_fee,
        at: now,
        draw: by.draw,
        chosen: code.method.clone(),
        preferred: code.preferred.clone(),
        ways: usable.iter().filter_map(|row| way(row, shop, by)).collect(),
    };
    let route = ruling.route(&question)?;
    let chosen = taken(&question, &route.answer).and_then(|way| {
        let row = usable
            .iter()
            .find(|row| row.mandate_id.as_ref() == Some(&way.mandate))?;
        Some((row, way.clone(), row.contract_no.clone()?, row.handle_sealed.clone()?))
    });
    let Some((row, way, contract, handle)) = chosen else {
        return Err(No::NeedMandate {
            uid: code.uid.clone(),
            code_id: code.code_id.clone(),
            chosen: code.method.clone().or(code.preferred.clone()),
        });
    };
    let by_what = (&way.channel, &way.account, Product::Mandate);
    let fee_pin = fee(ask, shop, by_what, ruling, now)?;
    let fee = fee_pin.answer.fee;
    let pins = Pins {
        code: recognised_by.clone(),
        route: Some(RoutePin {
            version: route.version,
            question,
            answer: route.answer,
            taken: way.account.clone(),
        }),
        looks_like: None,
        fee: fee_pin,
    };
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
        pins: written(&pins)?,
    })
}

/// The first of the rule's choices that the user did not exclude, and whose channel answers; where none answers, the first.
/// Who chose a channel for this very code is never charged through another, whatever a rule says.
fn taken<'a>(question: &'a RouteQuestion, choices: &[Choice]) -> Option<&'a Way> {
    let way = |choice: &Choice| question.ways.iter().find(|way| way.account == choice.account);
    let wanted = |way: &&Way| question.chosen.as_ref().is_none_or(|chosen| way.channel == *chosen);
    let mut ways = choices.iter().filter_map(way).filter(wanted);
    let first = ways.clone().next();
    ways.find(|way| way.health.breaker != Breaker::Open).or(first)
}

/// Decides about a channel's own payment code: the code itself names the channel, `account` is the merchant's with it.
pub(super) fn decide_foreign(
    ask: &PayAsk,
    shop: &MerchantFile,
    (account, looks): (&ChannelAccount, Looks),
    (ruling, recognised_by): (&Ruling<'_>, &RuleVersion),
    by: &Circumstances<'_>,
) -> Result<Decision, Problem> {
    within_cap(ask, by.caps)?;
    let by_what = (&account.channel, &account.account_id, Product::PaymentCode);
    let fee_pin = fee(ask, shop, by_what, ruling, by.now)?;
    let fee = fee_pin.answer.fee;
    let pins = Pins {
        code: recognised_by.clone(),
        route: None,
        looks_like: Some(looks),
        fee: fee_pin,
    };
    Ok(Decision {
        payer: None,
        channel: account.channel.clone(),
        account: account.account_id.clone(),
        fee,
        pins: written(&pins)?,
    })
}

fn written(pins: &Pins) -> Result<String, Problem> {
    serde_json::to_string(pins).map_err(Problem::fault)
}

fn within_cap(ask: &PayAsk, caps: &Caps) -> Result<(), Problem> {
    if ask.total_fee > caps.per_payment {
        return Err(Problem::new(Code::LimitExceeded).fact("limit", "per_payment"));
    }
    Ok(())
}

/// The platform's fee, and what is pinned of how it came about.
fn fee(
    ask: &PayAsk,
    shop: &MerchantFile,
    (channel, account, product): (&ChannelId, &AccountId, Product),
    ruling: &Ruling<'_>,
    at: Time,
) -> Result<FeePin, Problem> {
    let question = FeeQuestion {
        mch_id: shop.merchant.mch_id.clone(),
        category: shop.merchant.category.clone(),
        store_id: ask.store_id.clone(),
        channel: channel.clone(),
        account: account.clone(),
        product,
        amount: ask.total_fee,
        agreed_rate: u32::try_from(shop.merchant.fee_rate).unwrap_or(0),
        at,
        day_totals: ruling.day_totals(),
    };
    let ruled = ruling.fee(&question)?;
    Ok(FeePin {
        version: ruled.version,
        question,
        answer: ruled.answer,
    })
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
    // A code that was issued for one merchant is to every other as unknown as one that never was.
    let elsewhere = code
        .only_at
        .as_ref()
        .is_some_and(|only_at| *only_at != shop.merchant.mch_id);
    if elsewhere || code.ended_at.is_some() || code.expires_at <= now {
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

fn way(row: &Facts, shop: &MerchantFile, by: &Circumstances<'_>) -> Option<Way> {
    let id = row.account_id.as_ref()?;
    let account = shop.accounts.iter().find(|account| account.account_id == *id)?;
    let mut health = by.health.of(id, by.now);
    if !by.caps.breaker {
        health.breaker = Breaker::Closed;
    }
    Some(Way {
        channel: row.mandate_channel.clone()?,
        health,
        account: id.clone(),
        mandate: row.mandate_id.clone()?,
        weight: u32::try_from(account.weight).unwrap_or(0),
        cost_rate: u32::try_from(account.cost_rate).unwrap_or(0),
    })
}
