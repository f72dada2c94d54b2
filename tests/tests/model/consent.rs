//! What is withdrawn while a payment is being decided carries no payment (INV-19, INV-22).

use std::sync::{Arc, Mutex, PoisonError};

use metropay_core::code::form::{CodeForm, Recognised};
use metropay_core::code::issue;
use metropay_core::engine::Engine;
use metropay_core::mandate;
use metropay_core::payment::pay::pay;
use metropay_core::problem::{Code, Problem};
use metropay_core::rules::check::{Refusal, TestRun};
use metropay_core::rules::code::{CodeQuestion, ScanQuestion};
use metropay_core::rules::fee::{FeeAnswer, FeeQuestion};
use metropay_core::rules::membership::{MembershipAnswer, MembershipCall, MembershipQuestion, MembershipReply};
use metropay_core::rules::route::{Choice, RouteQuestion};
use metropay_core::rules::{Kind, Needs, RuleError, Rules, Script};
use metropay_core::user;
use metropay_scripts::LuauRules;

use crate::act::Order;
use crate::auditor::Auditor;
use crate::ground::{Ground, mch_id, uid};

type Meanwhile = Box<dyn FnOnce() + Send>;

/// The rules of the release, and something that happens the next time they are asked for a fee: after the facts were read, and
/// before anything is written down.
struct Interrupted {
    rules: LuauRules,
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl Rules for Interrupted {
    fn default_script(&self, kind: Kind) -> Arc<Script> {
        self.rules.default_script(kind)
    }

    fn compile(&self, kind: Kind, source: &str) -> Result<Needs, Vec<Refusal>> {
        self.rules.compile(kind, source)
    }

    fn test(&self, script: &Script, tests: &str) -> Result<Vec<TestRun>, Vec<Refusal>> {
        self.rules.test(script, tests)
    }

    fn form(&self, script: &Script, question: &CodeQuestion) -> Result<CodeForm, RuleError> {
        self.rules.form(script, question)
    }

    fn recognise(&self, script: &Script, question: &ScanQuestion) -> Result<Recognised, RuleError> {
        self.rules.recognise(script, question)
    }

    fn route(&self, script: &Script, question: &RouteQuestion) -> Result<Vec<Choice>, RuleError> {
        self.rules.route(script, question)
    }

    fn fee(&self, script: &Script, question: &FeeQuestion) -> Result<FeeAnswer, RuleError> {
        let meanwhile = self.meanwhile.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        self.rules.fee(script, question)
    }

    fn membership_call(&self, script: &Script, question: &MembershipQuestion) -> Result<MembershipCall, RuleError> {
        self.rules.membership_call(script, question)
    }

    fn membership_answer(&self, script: &Script, reply: &MembershipReply) -> Result<MembershipAnswer, RuleError> {
        self.rules.membership_answer(script, reply)
    }
}

/// Pays, and lets something happen in the middle of it; answers what was refused, and whether anything reached the gateway.
async fn interrupted<T>(meanwhile: impl FnOnce(Arc<Engine>) -> T) -> (Result<(), Code>, usize)
where
    T: Future<Output = Result<(), Problem>> + Send + 'static,
{
    let rules = Arc::new(Interrupted {
        rules: LuauRules::new(),
        meanwhile: Mutex::default(),
    });
    let ground = Ground::with_rules(Vec::new(), rules.clone()).await;
    let issued = issue::issue(&ground.engine, &uid(0), None, None).await.expect("a code");
    let ask = Auditor::new().ask(Order { merchant: 0, no: 0 }, &issued.digits, 100);
    let happens = meanwhile(Arc::clone(&ground.engine));
    let runtime = tokio::runtime::Handle::current();
    let happens: Meanwhile = Box::new(move || {
        tokio::task::block_in_place(|| runtime.block_on(happens)).expect("it happens");
    });
    *rules.meanwhile.lock().unwrap_or_else(PoisonError::into_inner) = Some(happens);
    let told = pay(&ground.engine, &mch_id(0), ask).await;
    assert!(
        rules.meanwhile.lock().unwrap_or_else(PoisonError::into_inner).is_none(),
        "it has happened"
    );
    (
        told.map(|_| ()).map_err(|problem| problem.code),
        ground.gateway.orders().len(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_debited_for_a_consent_that_was_withdrawn_while_it_was_decided() {
    // The contract stands on, for the other merchant.
    let told = interrupted(async |engine: Arc<Engine>| {
        let all = mandate::list(&engine, &uid(0), false).await?;
        let own = all
            .iter()
            .find(|mandate| mandate.mch_id == mch_id(0))
            .expect("he has signed");
        mandate::close(&engine, &uid(0), &own.mandate_id).await.map(|_| ())
    })
    .await;
    assert_eq!(told, (Err(Code::NeedMandate), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_debited_for_an_account_that_was_closed_while_it_was_decided() {
    let told = interrupted(async |engine: Arc<Engine>| user::close(&engine, &uid(0)).await).await;
    assert_eq!(told, (Err(Code::CodeAccountClosed), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_debited_for_a_code_that_was_revoked_while_it_was_decided() {
    let told = interrupted(async |engine: Arc<Engine>| user::revoke(&engine, &uid(0), &[]).await).await;
    assert_eq!(told, (Err(Code::CodeInvalid), 0));
}
