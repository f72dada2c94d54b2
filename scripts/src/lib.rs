//! The host of rules written in Luau: routing, fees, codes and membership.
//!
//! A script is text that returns a table of functions. Each function is pure: it gets a table that describes a question, and
//! returns an answer, which is held to a schema before anybody sees it. `docs/rules.md` has the tables and the helpers;
//! `types/` has the same for editors.
//!
//! Reading order: [`budget`] (what a call may cost), `lexer` and `compile` (what a text must be), `vm` and `prelude.luau` (what
//! a script can see), `host` (what it is given), `question`, `answer` (what is asked and what may be answered), `cache`, and
//! `trial` (a script's own tests).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use metropay_core::code::form::{CodeForm, Recognised};
use metropay_core::rules::check::{Refusal, RefusalWord, TestRun};
use metropay_core::rules::code::{CodeQuestion, ScanQuestion};
use metropay_core::rules::fee::{FeeAnswer, FeeQuestion};
use metropay_core::rules::membership::{MembershipAnswer, MembershipCall, MembershipQuestion, MembershipReply};
use metropay_core::rules::route::{Choice, RouteQuestion};
use metropay_core::rules::{Kind, Needs, RuleError, Rules, Script, Wrong};
use mlua::{Lua, Table, Value};

mod answer;
pub mod budget;
mod cache;
mod compile;
mod host;
mod json;
mod lexer;
mod question;
mod reach;
mod trial;
mod vm;

pub use cache::{Held, held};
pub use compile::text_of;
pub use reach::reachable;

use answer::code::NamedForm;
use vm::Machine;

/// What runs rules written in Luau.
#[derive(Debug)]
pub struct LuauRules {
    routing: Arc<Script>,
    fee: Arc<Script>,
    code: Arc<Script>,
    membership: Arc<Script>,
}

impl Default for LuauRules {
    fn default() -> Self {
        Self::new()
    }
}

impl LuauRules {
    /// The host, with the scripts that come with this release.
    pub fn new() -> Self {
        let script = |kind, source| Arc::new(Script::new(kind, source));
        Self {
            routing: script(Kind::Routing, include_str!("../defaults/routing.luau")),
            fee: script(Kind::Fee, include_str!("../defaults/fee.luau")),
            code: script(Kind::Code, include_str!("../defaults/code.luau")),
            membership: script(Kind::Membership, include_str!("../defaults/membership.luau")),
        }
    }

    /// Asks a script of this kind, on this thread's machine of it.
    fn ask<T>(
        script: &Script,
        kind: Kind,
        entry: &str,
        question: impl Fn(&Lua) -> mlua::Result<Table>,
        read: impl Fn(&Value) -> Result<T, Wrong>,
    ) -> Result<T, RuleError> {
        Self::on_machine(script, kind, |machine| {
            let question = question(machine.lua()).map_err(|error| vm::raised(&error))?;
            read(&machine.ask(entry, &question)?)
        })
    }

    /// The form that a code rule names, checked.
    fn named_form(&self, script: &Script, question: &CodeQuestion) -> Result<NamedForm, RuleError> {
        Self::on_machine(script, Kind::Code, |machine| {
            machine.set_code_type(question.kind);
            let asked = question::issue(machine.lua(), question).map_err(|error| vm::raised(&error))?;
            let named = NamedForm::read(&machine.ask("issue", &asked)?, question)?;
            named.form(question)?;
            Ok(named)
        })
    }

    fn on_machine<T>(script: &Script, kind: Kind, run: impl Fn(&Machine) -> Result<T, Wrong>) -> Result<T, RuleError> {
        let answered = if script.kind == kind {
            guarded(|| cache::with(script, run))
        } else {
            Err(Wrong::Unfit(format!(
                "a {} rule was asked as a {kind} rule",
                script.kind
            )))
        };
        answered.map_err(|wrong| RuleError {
            version: script.version.clone(),
            wrong,
        })
    }
}

/// Turns a panic into a wrong answer. There is none to be expected; a fault of ours must not stop the thread that takes payments.
fn guarded<T>(run: impl FnOnce() -> Result<T, Wrong>) -> Result<T, Wrong> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(Wrong::Raised("the host failed".to_owned())))
}

fn failed(kind: Kind) -> Vec<Refusal> {
    vec![compile::refusal(
        kind,
        RefusalWord::Raised,
        "宿主出错",
        "the host failed",
    )]
}

impl Rules for LuauRules {
    fn default_script(&self, kind: Kind) -> Arc<Script> {
        Arc::clone(match kind {
            Kind::Routing => &self.routing,
            Kind::Fee => &self.fee,
            Kind::Code => &self.code,
            Kind::Membership => &self.membership,
        })
    }

    fn compile(&self, kind: Kind, source: &str) -> Result<Needs, Vec<Refusal>> {
        catch_unwind(|| compile::check(kind, source)).unwrap_or_else(|_| Err(failed(kind)))
    }

    fn test(&self, script: &Script, tests: &str) -> Result<Vec<TestRun>, Vec<Refusal>> {
        catch_unwind(AssertUnwindSafe(|| trial::run(self, script, tests))).unwrap_or_else(|_| Err(failed(script.kind)))
    }

    fn form(&self, script: &Script, question: &CodeQuestion) -> Result<CodeForm, RuleError> {
        let named = self.named_form(script, question)?;
        named.form(question).map_err(|wrong| RuleError {
            version: script.version.clone(),
            wrong,
        })
    }

    fn recognise(&self, script: &Script, question: &ScanQuestion) -> Result<Recognised, RuleError> {
        Self::on_machine(script, Kind::Code, |machine| {
            machine.set_code_type(question.code.kind);
            let asked = question::recognise(machine.lua(), question).map_err(|error| vm::raised(&error))?;
            answer::code::recognised(&machine.ask("recognise", &asked)?, question)
        })
    }

    fn route(&self, script: &Script, question: &RouteQuestion) -> Result<Vec<Choice>, RuleError> {
        Self::ask(
            script,
            Kind::Routing,
            "route",
            |lua| question::route(lua, question),
            |value| answer::route(value, question),
        )
    }

    fn fee(&self, script: &Script, question: &FeeQuestion) -> Result<FeeAnswer, RuleError> {
        Self::ask(
            script,
            Kind::Fee,
            "fee",
            |lua| question::fee(lua, question),
            |value| answer::fee(value, question),
        )
    }

    fn membership_call(&self, script: &Script, question: &MembershipQuestion) -> Result<MembershipCall, RuleError> {
        Self::ask(
            script,
            Kind::Membership,
            "request",
            |lua| question::request(lua, question),
            answer::membership::call,
        )
    }

    fn membership_answer(&self, script: &Script, reply: &MembershipReply) -> Result<MembershipAnswer, RuleError> {
        Self::ask(
            script,
            Kind::Membership,
            "answer",
            |lua| question::reply(lua, reply),
            answer::membership::answer,
        )
    }
}
