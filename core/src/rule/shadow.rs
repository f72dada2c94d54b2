//! Running a rule on past payments, beside what decided then: what would have gone another way, and at which fee.

use serde::{Deserialize, Serialize};

use super::draft::person;
use super::explain::find;
use super::life::{Act, advance, record};
use super::repeat::Pins;
use super::{Level, Place, Refused, Rule};
use crate::engine::Engine;
use crate::id::{PayNo, RuleNo};
use crate::money::Fen;
use crate::payment::Payment;
use crate::problem::Problem;
use crate::rules::fee::DayTotals;
use crate::rules::{Kind, Rules, Script};
use crate::store;

/// Payments that a rule is run on, where nothing else is said.
pub const SHADOW_DEFAULT: u64 = 1_000;
/// Payments that a rule is run on, at most.
pub const SHADOW_MAX: u64 = 100_000;
/// Differences that are written down one by one; all are counted.
const DIFFERENCES_MAX: usize = 1_000;
/// Payments read at a time.
const PAGE: u64 = 1_000;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowReport {
    /// Payments that were looked at.
    pub payments: u64,
    /// Payments on which the rule was run: those that a rule of its kind had decided.
    pub run: u64,
    /// Payments on which it decides alike.
    pub same: u64,
    /// Payments that would go through another account, or nowhere.
    pub moved: u64,
    /// Payments with another fee.
    pub charged: u64,
    /// Payments on which it failed: they would have been refused.
    pub failed: u64,
    /// The fees of the payments on which it was run, as they were.
    pub fee_before: Fen,
    /// The same fees under this rule.
    pub fee_after: Fen,
    /// The first differences, one by one.
    pub differences: Vec<Difference>,
}

/// A payment that would have been decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Which.
    pub pay_no: PayNo,
    /// How it was decided.
    pub before: String,
    /// How this rule decides.
    pub after: String,
}

/// Runs a checked rule on the last payments of those it is for, and writes down what came of it.
///
/// # Errors
/// [`Refused::State`], [`Refused::Field`] for more than [`SHADOW_MAX`] payments.
pub async fn shadow(engine: &Engine, rule_no: &RuleNo, last: u64, by: &str) -> Result<(Rule, ShadowReport), Refused> {
    person(by)?;
    bounded(last)?;
    let (mut rule, script) = find(engine, rule_no).await?;
    let seen = advance(&mut rule, Act::Shadow)?;
    let report = run(engine, (&script, rule.day_totals), &rule.stands_at(), last).await?;
    rule.shadow_report = Some(serde_json::to_string(&report).map_err(Problem::fault)?);
    let now = engine.clock.now();
    let tx = engine.db.begin().await?;
    let found = format!(
        "{} payments, {} the same, {} failed",
        report.run, report.same, report.failed
    );
    record(&tx, (&rule, seen), "shadow", (by, found), now).await?;
    tx.commit().await?;
    Ok((rule, report))
}

/// Runs a script on the last payments of those it would be for at this place, and writes nothing down.
///
/// # Errors
/// [`Refused::Script`] for one that does not compile, [`Refused::Field`] for more than [`SHADOW_MAX`] payments.
pub async fn try_on_past(engine: &Engine, script: &Script, place: &Place, last: u64) -> Result<ShadowReport, Refused> {
    bounded(last)?;
    let needs = engine.rules.compile(script.kind, &script.source);
    let needs = needs.map_err(Refused::Script)?;
    run(engine, (script, needs.day_totals), place, last).await
}

fn bounded(last: u64) -> Result<(), Refused> {
    if (1..=SHADOW_MAX).contains(&last) {
        return Ok(());
    }
    Err(Refused::Field {
        field: "last",
        zh: "1–100000 笔",
        en: "1 to 100,000 payments",
    })
}

async fn run(
    engine: &Engine,
    (script, day_totals): (&Script, bool),
    place: &Place,
    last: u64,
) -> Result<ShadowReport, Refused> {
    let mut report = ShadowReport::default();
    // Neither codes nor calls to members' systems are kept with payments: there is nothing to run such a rule on.
    if !matches!(place.kind, Kind::Routing | Kind::Fee) {
        return Ok(report);
    }
    let mut before: Option<PayNo> = None;
    let db = engine.db.read();
    while report.payments < last {
        let limit = last.saturating_sub(report.payments).min(PAGE);
        let page = match place.level {
            Level::Platform => store::payment::newest(db, before, limit).await?,
            Level::Category => store::payment::newest_of_category(db, &place.scope, before, limit).await?,
            Level::Merchant => store::payment::newest_of_merchant(db, &place.scope, before, limit).await?,
        };
        let Some(oldest) = page.last() else { break };
        before = Some(oldest.pay_no.clone());
        for payment in &page {
            report.payments = report.payments.saturating_add(1);
            let totals = if place.kind == Kind::Fee && day_totals {
                Some(totals_then(engine, payment).await?)
            } else {
                None
            };
            compare(&*engine.rules, script, payment, totals, &mut report)?;
        }
        // A long run lets others have the thread.
        tokio::task::yield_now().await;
    }
    Ok(report)
}

/// What the merchant had taken that day before this payment.
async fn totals_then(engine: &Engine, payment: &Payment) -> Result<DayTotals, Refused> {
    let until = payment.created_at;
    Ok(store::payment::totals(engine.db.read(), &payment.mch_id, (until.day().start(), until)).await?)
}

fn compare(
    rules: &dyn Rules,
    script: &Script,
    payment: &Payment,
    totals: Option<DayTotals>,
    report: &mut ShadowReport,
) -> Result<(), Problem> {
    let pins = Pins::of(payment).map_err(Problem::fault)?;
    let (before, after) = match script.kind {
        Kind::Routing => {
            let Some(route) = pins.route else { return Ok(()) };
            let after = rules.route(script, &route.question);
            let after = after.map(|choices| choices.first().map(|choice| choice.account.0.clone()));
            let after = after.map(|account| account.unwrap_or_else(|| "-".to_owned()));
            (payment.account_id.0.clone(), after)
        }
        _ => {
            let mut question = pins.fee.question;
            question.day_totals = totals.or(question.day_totals);
            let after = rules.fee(script, &question);
            if let Ok(answer) = &after {
                report.fee_before = report.fee_before.plus(payment.fee)?;
                report.fee_after = report.fee_after.plus(answer.fee)?;
            }
            (payment.fee.to_string(), after.map(|answer| answer.fee.to_string()))
        }
    };
    report.run = report.run.saturating_add(1);
    let count = match &after {
        Err(_) => &mut report.failed,
        Ok(after) if *after == before => &mut report.same,
        Ok(_) if script.kind == Kind::Routing => &mut report.moved,
        Ok(_) => &mut report.charged,
    };
    *count = count.saturating_add(1);
    let after = after.unwrap_or_else(|error| error.wrong.to_string());
    if after != before && report.differences.len() < DIFFERENCES_MAX {
        let pay_no = payment.pay_no.clone();
        report.differences.push(Difference { pay_no, before, after });
    }
    Ok(())
}
