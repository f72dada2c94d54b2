//! Random runs over the whole wire: tills, Apps, gateways and their faults, all by HTTP. Fewer and slower than the runs
//! against the moody gateway; what they check is what anybody outside can see, and at the end the books are proved.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_core::random::{Random, SystemRandom};
use metropay_simulator::Effect;
use metropay_tests::channel::{ALL, Words};
use metropay_tests::{App, Reply, Wishes, World, story_with};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Acts of a run.
const ACTS: usize = 40;

/// One thing that a till or time does.
#[derive(Debug, Clone)]
enum Act {
    Pay { user: usize, fen: u64 },
    Again { nth: usize },
    Refund { nth: usize, fen: u64 },
    Reverse { nth: usize },
    Query { nth: usize },
    Pass { seconds: u64 },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..3_usize, 1..400_u64).prop_map(|(user, fen)| Act::Pay { user, fen }),
        2 => (0..40_usize).prop_map(|nth| Act::Again { nth }),
        4 => (0..40_usize, 1..300_u64).prop_map(|(nth, fen)| Act::Refund { nth, fen }),
        2 => (0..40_usize).prop_map(|nth| Act::Reverse { nth }),
        3 => (0..40_usize).prop_map(|nth| Act::Query { nth }),
        3 => select(vec![1, 20, 61, 400]).prop_map(|seconds| Act::Pass { seconds }),
    ]
}

/// What goes wrong at the gateways, and at which of their operations.
fn fault() -> impl Strategy<Value = (usize, Effect)> {
    let effects = vec![
        Effect::ResetBefore,
        Effect::ResetAfter,
        Effect::HttpErrorAfter { status: 502 },
        Effect::HalfBody,
        Effect::WrongSignature,
        Effect::SystemErrorBefore,
        Effect::SystemErrorAfter,
        Effect::Pending { ms: 400 },
        Effect::Delay { ms: 120 },
        Effect::NoticeLost,
        Effect::NoticeLate { ms: 400 },
        Effect::NoticeRepeated { times: 2 },
    ];
    (0..5_usize, select(effects))
}

#[tokio::test]
async fn whatever_happens_at_wechat_no_final_word_is_taken_back() {
    whole(&ALL[0]).await;
}

#[tokio::test]
async fn whatever_happens_at_alipay_no_final_word_is_taken_back() {
    whole(&ALL[1]).await;
}

#[tokio::test]
async fn whatever_happens_at_unionpay_no_final_word_is_taken_back() {
    whole(&ALL[2]).await;
}

async fn whole(channel: &Words) {
    let seed = std::env::var("METROPAY_MODEL_SEED").ok();
    let seed = seed.unwrap_or_else(|| SystemRandom.digits(16));
    println!("METROPAY_MODEL_SEED={seed}");
    let mut bytes = [b'0'; 32];
    for (to, from) in bytes.iter_mut().zip(seed.bytes()) {
        *to = from;
    }
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let plan = (
        proptest::collection::vec(act(), ACTS),
        proptest::collection::vec(proptest::option::weighted(0.4, fault()), ACTS),
    );
    let (acts, faults) = plan.new_tree(&mut runner).expect("a plan").current();
    let wishes = Wishes {
        till_wait_ms: 250,
        per_user_day_fen: 1_000_000,
        ..Wishes::default()
    };
    story_with(wishes, async |world| {
        let mut riders = Vec::new();
        for n in 0..3 {
            riders.push(world.rider_of(&format!("U6000{n}"), channel.id).await?);
        }
        let mut till = Till::default();
        for (act, fault) in acts.iter().zip(&faults) {
            world.clear_faults();
            if let Some((operation, effect)) = fault {
                strike(&world, channel, *operation, effect);
            }
            till.act(&world, &riders, act)
                .await
                .with_context(|| format!("{act:?} with {fault:?}"))?;
        }
        world.clear_faults();
        till.ends(&world).await
    })
    .await;
}

fn strike(world: &World, channel: &Words, operation: usize, effect: &Effect) {
    let operation = match effect {
        effect if effect.is_about_notices() => "notify",
        _ => [
            channel.deduct,
            channel.query,
            channel.refund,
            channel.refund_query,
            channel.undo[0],
        ][operation],
    };
    world.fault(channel, operation, effect.clone());
}

/// An order as its till knows it.
struct Order {
    asked: serde_json::Value,
    number: String,
    words: Vec<String>,
    refunds: BTreeMap<String, (u64, Vec<String>)>,
}

/// A till and what it was told.
#[derive(Default)]
struct Till {
    orders: Vec<Order>,
}

impl Till {
    async fn act(&mut self, world: &World, riders: &[App], act: &Act) -> Result<()> {
        match act {
            Act::Pay { user, fen } => self.pay(world, &riders[*user], *fen).await,
            Act::Pass { seconds } => {
                world.advance(Duration::from_secs(*seconds));
                tokio::time::sleep(Duration::from_millis(60)).await;
                Ok(())
            }
            Act::Again { nth } | Act::Refund { nth, .. } | Act::Reverse { nth } | Act::Query { nth } => {
                if self.orders.is_empty() {
                    return Ok(());
                }
                let nth = nth % self.orders.len();
                self.about(world, nth, act).await
            }
        }
    }

    async fn pay(&mut self, world: &World, app: &App, fen: u64) -> Result<()> {
        let (digits, _) = world.code(app).await?;
        let asked = World::order(&format!("N{}", self.orders.len()), &digits, fen);
        let told = world.till().call("applypay", &asked).await?;
        ensure!(told.status == 200, "{}", told.body);
        let mut order = Order {
            asked,
            number: told.text("pay_out_trade_no"),
            words: Vec::new(),
            refunds: BTreeMap::new(),
        };
        order.heard(&told)?;
        self.orders.push(order);
        Ok(())
    }

    async fn about(&mut self, world: &World, nth: usize, act: &Act) -> Result<()> {
        let (order, no) = (&mut self.orders[nth], format!("N{nth}"));
        match act {
            Act::Again { .. } => {
                let told = world.till().call("applypay", &order.asked).await?;
                ensure!(told.status == 200, "{}", told.body);
                order.heard(&told)
            }
            Act::Query { .. } => order.heard(&world.query(&no).await?),
            Act::Reverse { .. } => {
                let told = world.reverse(&no).await?;
                let known = told.status == 200 || told.code() == "REVERSE_REFUSED";
                ensure!(known, "{}", told.body);
                Ok(())
            }
            Act::Refund { fen, .. } => {
                let number = format!("R{nth}-{}", order.refunds.len());
                let told = world.refund(&no, &number, *fen).await?;
                order.refunded(number, *fen, &told)
            }
            Act::Pay { .. } | Act::Pass { .. } => Ok(()),
        }
    }

    /// Every order and every refund has an end, which nobody was told otherwise before.
    async fn ends(&mut self, world: &World) -> Result<()> {
        world.rest().await?;
        for (nth, order) in self.orders.iter_mut().enumerate() {
            let told = world.ended_in_time(&format!("N{nth}")).await?;
            order.heard(&told)?;
            for (number, (fen, _)) in order.refunds.clone() {
                let told = world.refunded_in_time(&format!("N{nth}"), &number, fen).await?;
                order.refunded(number, fen, &told)?;
            }
        }
        Ok(())
    }
}

impl Order {
    /// What was final stays: a success may become closed by a reversal, and nothing else changes (INV-09, INV-10).
    fn heard(&mut self, told: &Reply) -> Result<()> {
        ensure!(told.text("pay_out_trade_no") == self.number, "INV-10: {}", told.body);
        let word = told.text("pay_status");
        let before = self.words.last().map_or("PS_PAYING", String::as_str);
        // `applypay` says failed of what `orderquery` calls closed.
        let over = ["PS_FAILED", "PS_CLOSED"];
        let may = match before {
            "PS_PAYING" => true,
            "PS_SUCCESS" => word == "PS_SUCCESS" || over.contains(&word.as_str()),
            _ => over.contains(&word.as_str()),
        };
        ensure!(may, "INV-09: {:?}, then {}", self.words, told.body);
        self.words.push(word);
        Ok(())
    }

    fn refunded(&mut self, number: String, fen: u64, told: &Reply) -> Result<()> {
        if told.status != 200 {
            let known = ["ORDER_NOT_PAID", "ORDER_REVERSED", "REFUND_EXCEEDS"].contains(&told.code());
            ensure!(known && !self.refunds.contains_key(&number), "{}", told.body);
            return Ok(());
        }
        let word = told.text("pay_refund_status");
        let (_, words) = self.refunds.entry(number).or_insert((fen, Vec::new()));
        let before = words.last().map_or("RS_PROCESSING", String::as_str);
        ensure!(
            before == "RS_PROCESSING" || before == word,
            "INV-09: {words:?}, then {}",
            told.body
        );
        words.push(word);
        Ok(())
    }
}
