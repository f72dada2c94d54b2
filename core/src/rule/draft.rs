//! Writing a rule.

use super::{Level, Refused, Rule, RuleState};
use crate::engine::Engine;
use crate::id::{MchId, RuleNo};
use crate::merchant::is_category;
use crate::rules::check::{Refusal, RefusalWord};
use crate::rules::{Kind, SOURCE_MAX, Script};
use crate::store;

/// A person's name, at most, in characters.
const NAME_MAX: usize = 64;
/// A note, at most, in characters.
const NOTE_MAX: usize = 1_000;

/// A rule to write.
#[derive(Debug, Clone)]
pub struct NewRule {
    /// What it decides.
    pub kind: Kind,
    /// At which level.
    pub level: Level,
    /// A category (`retail`, `retail/department`), a merchant's number, or nothing for the platform.
    pub scope: String,
    /// The script.
    pub source: String,
    /// Its own tests.
    pub tests: String,
    /// What it is for.
    pub note: String,
    /// Who writes it.
    pub author: String,
}

/// Writes a rule down as a draft. It need not compile yet.
///
/// # Errors
/// [`Refused::Field`], [`Refused::Script`] for a text that is too long.
pub async fn draft(engine: &Engine, new: NewRule) -> Result<Rule, Refused> {
    person(&new.author)?;
    if new.note.chars().count() > NOTE_MAX {
        return Err(field("note", "最多 1000 个字符", "1,000 characters at most"));
    }
    scope(engine, &new).await?;
    for text in [&new.source, &new.tests] {
        if text.len() > SOURCE_MAX {
            return Err(Refused::Script(vec![too_long(new.kind)]));
        }
    }
    let script = Script::new(new.kind, &new.source);
    let now = engine.clock.now();
    let rule = Rule {
        rule_no: RuleNo::fresh(&*engine.clock, &*engine.random),
        kind: new.kind,
        level: new.level,
        scope: new.scope,
        version: script.version.clone(),
        tests: new.tests,
        note: new.note,
        state: RuleState::Draft,
        place: None,
        day_totals: false,
        author: new.author,
        approver: None,
        check_report: None,
        shadow_report: None,
        replaces: None,
        created_at: now,
        activated_at: None,
        ended_at: None,
    };
    let tx = engine.db.begin().await?;
    store::rule_source::keep(&tx, [&script], now).await?;
    store::rule::insert(&tx, rule.clone()).await?;
    let by = (rule.author.as_str(), rule.note.clone());
    store::rule_act::note(&tx, (&rule.rule_no, "draft"), by, now).await?;
    tx.commit().await?;
    Ok(rule)
}

/// Whether this is a person's name.
pub(super) fn person(name: &str) -> Result<(), Refused> {
    let fits = !name.trim().is_empty() && name.chars().count() <= NAME_MAX && !name.chars().any(char::is_control);
    fits.then_some(())
        .ok_or_else(|| field("by", "须为 1–64 个字符的姓名", "a name of 1 to 64 characters"))
}

async fn scope(engine: &Engine, new: &NewRule) -> Result<(), Refused> {
    match new.level {
        Level::Platform if new.scope.is_empty() => Ok(()),
        Level::Platform => Err(field("scope", "平台级不填范围", "the platform's rules have no scope")),
        Level::Category if is_category(&new.scope) => Ok(()),
        Level::Category => Err(field(
            "scope",
            "类目由小写字母、数字和连字符组成，子类目前加斜杠",
            "a category consists of small letters, digits and hyphens, a sub-category follows a slash",
        )),
        Level::Merchant => {
            let merchant = engine.directory.merchant(&MchId(new.scope.clone())).await?;
            merchant
                .map(|_| ())
                .ok_or_else(|| field("scope", "没有这个商户", "there is no such merchant"))
        }
    }
}

fn field(field: &'static str, zh: &'static str, en: &'static str) -> Refused {
    Refused::Field { field, zh, en }
}

fn too_long(kind: Kind) -> Refusal {
    Refusal {
        kind,
        word: RefusalWord::TooLong,
        line: None,
        column: None,
        zh: "脚本与测试各不超过 64 KiB".to_owned(),
        en: "script and tests have 64 KiB each at most".to_owned(),
    }
}
