//! Random runs: each act is done, its answer judged by the second model, and after it everything checked that must hold at
//! every moment. At the end everything goes well, and everything must agree.

use std::collections::BTreeSet;
use std::time::Duration;

use metropay_core::audit::open;
use metropay_core::id::{MandateId, PayNo};
use metropay_core::job::Job;
use metropay_core::mandate;
use metropay_core::payment::{self, PayAsk, Payment, PaymentState};
use metropay_core::problem::{Code, Problem};
use metropay_core::refund::{self, Refund, RefundAsk};
use metropay_core::reversal::{self, Recall};
use metropay_core::user;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::act::{Act, Order, act};
use crate::auditor::{Auditor, Expected, is_fault, key};
use crate::books::{self, Snapshot};
use crate::gateway::At;
use crate::ground::{Ground, mch_id, uid};

/// Runs when nobody asks for another number.
const CASES: u32 = 24;

#[test]
fn whatever_happens_in_whatever_order_the_answers_are_possible_and_the_books_agree() {
    let seed = std::env::var("METROPAY_MODEL_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand_seed);
    println!("METROPAY_MODEL_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    let config = Config {
        cases: cases.unwrap_or(CASES),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let run = (vec(any::<u8>(), 1..40), vec(act(), 1..45));
    let outcome = runner.run(&run, |(moods, acts)| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime
            .expect("a runtime can be made")
            .block_on(Run::whole(moods, acts));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("METROPAY_MODEL_SEED={seed}\n{error}");
    }
}

fn rand_seed() -> u64 {
    use metropay_core::random::{Random, SystemRandom};
    let mut bytes = [0; 8];
    SystemRandom.fill(&mut bytes);
    u64::from_be_bytes(bytes)
}

/// An act with everything it needs, ready to be done.
enum Deed {
    Pay(Order, usize, PayAsk),
    Refund(Order, u8, u64),
    Reverse(Order),
    Query(Order),
    Notice(Order, PayNo, u8),
    Close(usize, usize, MandateId),
    Sign(usize, usize),
    CloseAccount(usize),
    OpenAccount(usize),
    Jobs,
    Nothing,
}

/// What came of it.
enum Came {
    Paid(Result<Payment, Problem>),
    Refunded(Result<Refund, Problem>),
    Reversed(Result<Recall, Problem>),
    Told(Result<Payment, Problem>),
    Done(Result<(), Problem>),
}

struct Run {
    ground: Ground,
    auditor: Auditor,
    /// The orders as they stood when they were looked at last.
    seen: Snapshot,
    late: BTreeSet<String>,
}

impl Run {
    async fn whole(moods: Vec<u8>, acts: Vec<Act>) {
        let mut run = Self {
            ground: Ground::new(moods).await,
            auditor: Auditor::new(),
            seen: Snapshot::new(),
            late: BTreeSet::new(),
        };
        run.auditor.read_consents(&run.ground, None).await;
        for act in acts {
            run.one(act).await;
        }
        run.end().await;
    }

    async fn one(&mut self, act: Act) {
        // No two acts are of the same moment, so that what is older is known.
        self.ground.advance(Duration::from_millis(7));
        match act {
            Act::Both(one, other) => {
                let (one, other) = (self.prepared(*one).await, self.prepared(*other).await);
                let came = tokio::join!(done(&self.ground, &one), done(&self.ground, &other));
                for (deed, came) in [(one, came.0), (other, came.1)] {
                    self.learn(&deed, &came, None).await;
                    if let Deed::Pay(_, user, _) = deed {
                        self.auditor.codes_are_open(user);
                    }
                }
                self.auditor.read_consents(&self.ground, None).await;
            }
            single => {
                let deed = self.prepared(single).await;
                let before = self.auditor.snapshot(&self.ground).await;
                let came = done(&self.ground, &deed).await;
                self.learn(&deed, &came, Some(&before)).await;
                self.auditor.read_consents(&self.ground, None).await;
            }
        }
        self.look().await;
    }

    /// Reads all orders, and checks what must hold of them now and since they were read last.
    async fn look(&mut self) {
        let now = self.auditor.snapshot(&self.ground).await;
        for (order, before) in &self.seen {
            let after = &now[order].payment;
            assert!(
                books::may_follow(&before.payment, after),
                "INV-09: {order:?} was {:?}/{:?} and is {:?}/{:?}",
                before.payment.state,
                before.payment.reversal,
                after.state,
                after.reversal
            );
        }
        books::hold(&self.ground, &now, &self.late).await;
        self.seen = now;
    }

    async fn prepared(&mut self, act: Act) -> Deed {
        match act {
            Act::Pay {
                order,
                user,
                fen,
                fresh,
            } => match self.auditor.code(&self.ground, user, fresh).await {
                Some(digits) => Deed::Pay(order, user, self.auditor.ask(order, &digits, fen)),
                None => Deed::Nothing,
            },
            Act::Again { order, twist } => {
                let order = self.aimed(order);
                match self.auditor.again(&self.ground, order, twist).await {
                    Some((user, ask)) => Deed::Pay(order, user, ask),
                    None => Deed::Nothing,
                }
            }
            Act::Refund { order, refund, fen } => Deed::Refund(self.aimed(order), refund, fen),
            Act::Reverse { order } => Deed::Reverse(self.aimed(order)),
            Act::Query { order } => Deed::Query(self.aimed(order)),
            Act::Notice { order, times } => match self.auditor.orders.get(&self.aimed(order)) {
                Some(known) => Deed::Notice(self.aimed(order), known.pay_no.clone(), times),
                None => Deed::Nothing,
            },
            Act::Late { order } => self.paid_late(self.aimed(order)),
            Act::Withdraw { user, merchant, in_app } => self.withdrawn(user, merchant, in_app).await,
            Act::Sign { user, merchant } => Deed::Sign(user, merchant),
            Act::CloseAccount { user } => Deed::CloseAccount(user),
            Act::OpenAccount { user } => Deed::OpenAccount(user),
            Act::Pass { seconds } => {
                self.ground.advance(Duration::from_secs(seconds));
                Deed::Nothing
            }
            Act::Jobs => Deed::Jobs,
            Act::Both(one, _) => Box::pin(self.prepared(*one)).await,
        }
    }

    /// Mostly an order that is there.
    fn aimed(&self, order: Order) -> Order {
        let known = self.auditor.orders.len();
        let nth = usize::from(order.no) + order.merchant;
        match known {
            0 => order,
            _ if order.no % 8 == 7 => order,
            _ => *self.auditor.orders.keys().nth(nth % known).expect("a known order"),
        }
    }

    fn paid_late(&mut self, order: Order) -> Deed {
        if let Some(known) = self.auditor.orders.get(&order) {
            let no = known.pay_no.as_str();
            if self.ground.gateway.order(no).is_some_and(|held| held.at != At::Paid) {
                self.ground.gateway.pay(no);
                self.late.insert(no.to_owned());
            }
        }
        Deed::Nothing
    }

    async fn withdrawn(&mut self, user: usize, merchant: usize, in_app: bool) -> Deed {
        let Some(id) = self.auditor.consent(user, merchant) else {
            return Deed::Nothing;
        };
        if in_app {
            return Deed::Close(user, merchant, id);
        }
        let stands = mandate::find(&self.ground.engine, &uid(user), &id)
            .await
            .expect("his own mandate");
        self.ground.gateway.end_contract(stands.contract_no.as_str());
        self.auditor.read_consents(&self.ground, Some(user)).await;
        Deed::Nothing
    }

    /// Judges an answer where only one thing happened, and learns from it.
    async fn learn(&mut self, deed: &Deed, came: &Came, before: Option<&Snapshot>) {
        let now = self.ground.now();
        let after = self.auditor.snapshot(&self.ground).await;
        let moments: Vec<&Snapshot> = before.into_iter().chain(before.map(|_| &after)).collect();
        match (deed, came) {
            (Deed::Pay(order, user, ask), Came::Paid(came)) => {
                let expected: Vec<Expected> = moments
                    .iter()
                    .flat_map(|moment| self.auditor.pay(*order, ask, now, moment))
                    .collect();
                self.paid(*order, *user, ask, came, before.is_some().then_some(&expected[..]));
            }
            (Deed::Refund(order, number, fen), Came::Refunded(came)) => {
                let expected: Vec<_> = moments
                    .iter()
                    .map(|moment| self.auditor.refund(*order, *number, *fen, now, moment))
                    .collect();
                let told = came
                    .as_ref()
                    .map(|refund| refund.refund_no.clone())
                    .map_err(|problem| problem.code);
                let fits = |one: &Result<Option<_>, Code>| match (one, &told) {
                    (Ok(known), Ok(told)) => known.as_ref().is_none_or(|known| known == told),
                    (Err(expected), Err(told)) => expected == told,
                    _ => false,
                };
                assert!(
                    before.is_none() || expected.iter().any(fits),
                    "refund R{number} of {order:?}: {told:?}, not {expected:?}"
                );
                if let Ok(told) = told {
                    self.auditor.refunded(*order, *number, *fen, &told);
                }
            }
            (Deed::Reverse(order), Came::Reversed(came)) => {
                let expected: Vec<_> = moments
                    .iter()
                    .flat_map(|moment| self.auditor.reverse(*order, now, moment))
                    .collect();
                let told = came.as_ref().map(|_| ()).map_err(|problem| problem.code);
                assert!(
                    before.is_none() || expected.contains(&told),
                    "reverse {order:?}: {told:?}, not {expected:?}"
                );
                let there = payment::find::find(&self.ground.engine, &mch_id(order.merchant), &key(*order)).await;
                if told.is_ok() && there.is_err() {
                    self.auditor.buried(*order);
                }
            }
            (Deed::Query(order), Came::Told(came)) => {
                let known = self.auditor.orders.get(order).map(|known| known.pay_no.clone());
                let told = came
                    .as_ref()
                    .map(|payment| payment.pay_no.clone())
                    .map_err(|problem| problem.code);
                let expected = known.ok_or(Code::OrderNotFound);
                assert!(
                    before.is_none() || told == expected,
                    "query {order:?}: {told:?}, not {expected:?}"
                );
            }
            (_, Came::Done(came)) => self.happened(deed, came, before.is_some()).await,
            _ => unreachable!("an answer to another question"),
        }
    }

    /// `expected` is nothing where two things happened at once.
    fn paid(
        &mut self,
        order: Order,
        user: usize,
        ask: &PayAsk,
        came: &Result<Payment, Problem>,
        expected: Option<&[Expected]>,
    ) {
        let told = match came {
            Ok(payment) => match self.auditor.orders.get(&order) {
                Some(_) => Expected::Same(payment.pay_no.clone()),
                None => Expected::Fresh,
            },
            Err(problem) if problem.code == Code::OutRequestNoConflict => {
                let field = problem.field.as_deref().unwrap_or_default();
                let fields = ["total_fee", "qrcode", "store_id", "body", "extra_data"];
                Expected::Conflict(
                    fields
                        .into_iter()
                        .find(|known| *known == field)
                        .expect("a field of the request"),
                )
            }
            Err(problem) => {
                assert!(!is_fault(problem), "{problem}");
                Expected::Refused(problem.code)
            }
        };
        if let Some(expected) = expected {
            assert!(
                expected.contains(&told),
                "pay {order:?} with {ask:?}: {told:?}, not {expected:?}"
            );
        }
        if let Ok(payment) = came {
            assert_eq!((payment.amount, &payment.body), (ask.total_fee, &ask.body), "INV-10");
            if let Some(known) = self.auditor.orders.get(&order) {
                assert_eq!(known.pay_no, payment.pay_no, "INV-10: one number, two orders");
            }
            self.auditor.placed(order, user, ask, payment);
        }
    }

    async fn happened(&mut self, deed: &Deed, came: &Result<(), Problem>, alone: bool) {
        if let Err(problem) = came {
            let refused = matches!(deed, Deed::Sign(..)) && problem.code == Code::CodeNotOpened;
            assert!(refused, "{problem}");
        }
        match deed {
            Deed::CloseAccount(user) => self.auditor.account(*user, false),
            Deed::OpenAccount(user) => self.auditor.account(*user, true),
            Deed::Close(user, merchant, _) if alone => {
                self.auditor.read_consents(&self.ground, None).await;
                assert_eq!(self.auditor.consent(*user, *merchant), None, "it was withdrawn");
            }
            _ => {}
        }
    }

    /// Everything goes well from now on; when everything has ended, everything must agree.
    async fn end(&mut self) {
        self.ground.gateway.calm_down();
        for _ in 0..40 {
            for (order, known) in &self.auditor.orders {
                if self
                    .ground
                    .gateway
                    .order(known.pay_no.as_str())
                    .is_some_and(|held| held.at == At::Paid)
                {
                    let told = self.ground.notify(order.merchant, known.pay_no.as_str()).await;
                    told.expect("a notification is taken");
                }
            }
            self.ground.advance(Duration::from_secs(301));
            done(&self.ground, &Deed::Jobs).await;
            if open::count(&self.ground.engine).await.expect("the books can be read") == 0 {
                break;
            }
        }
        let open = open::count(&self.ground.engine).await.expect("the books can be read");
        assert_eq!(open, 0, "INV-15: something does not end");
        self.look().await;
        books::agree(&self.ground, &self.seen).await;
        let paying = self
            .seen
            .values()
            .filter(|stands| stands.payment.state == PaymentState::Paying);
        assert_eq!(paying.count(), 0);
    }
}

async fn done(ground: &Ground, deed: &Deed) -> Came {
    let engine = &ground.engine;
    match deed {
        Deed::Pay(order, _, ask) => Came::Paid(payment::pay::pay(engine, &mch_id(order.merchant), ask.clone()).await),
        Deed::Refund(order, number, fen) => {
            let ask = RefundAsk {
                order: key(*order),
                out_refund_no: Auditor::refund_no(*number),
                refund_fee: metropay_core::money::Fen::new(*fen).expect("an amount"),
            };
            let came = refund::ask::refund(engine, &mch_id(order.merchant), ask).await;
            Came::Refunded(came.map(|(_, refund)| refund))
        }
        Deed::Reverse(order) => {
            Came::Reversed(reversal::reverse::reverse(engine, &mch_id(order.merchant), &key(*order)).await)
        }
        Deed::Query(order) => Came::Told(payment::query::query(engine, &mch_id(order.merchant), &key(*order)).await),
        Deed::Notice(order, no, times) => {
            let mut came = Ok(());
            for _ in 0..*times {
                came = came.and(ground.notify(order.merchant, no.as_str()).await);
            }
            Came::Done(came)
        }
        Deed::Close(user, _, id) => Came::Done(mandate::close(engine, &uid(*user), id).await.map(|_| ())),
        Deed::Sign(user, merchant) => Came::Done(ground.sign(*user, *merchant).await.map(|_| ())),
        Deed::CloseAccount(user) => Came::Done(user::close(engine, &uid(*user)).await),
        Deed::OpenAccount(user) => Came::Done(user::open(engine, &uid(*user), None).await.map(|_| ())),
        Deed::Jobs => {
            let mut came = Ok(());
            for job in Job::ALL {
                came = came.and(job.turn(engine).await.map(|_| ()));
            }
            Came::Done(came)
        }
        Deed::Nothing => Came::Done(Ok(())),
    }
}
