//! What a payment's rules cost: routing among three ways and the fee, tables included, beside a call that does nothing; and what
//! a thousand merchants' scripts take in memory.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use metropay_core::rules::fee::FeeQuestion;
use metropay_core::rules::route::RouteQuestion;
use metropay_core::rules::{Kind, Rules, Script};
use metropay_scripts::{LuauRules, held};

#[path = "../tests/shared/mod.rs"]
mod shared;

/// Merchants, each with a script of its own.
const MERCHANTS: u64 = 1_000;

/// What this process holds in memory, in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The median of many calls, one by one.
fn median(mut call: impl FnMut()) -> Duration {
    const CALLS: usize = 100_000;
    let mut took: Vec<Duration> = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let begun = Instant::now();
        call();
        took.push(begun.elapsed());
    }
    took.sort();
    took[CALLS / 2]
}

fn memory(rules: &LuauRules, question: &FeeQuestion) {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/fee/tiered.luau")).unwrap_or_default();
    assert!(!text.is_empty(), "the example is gone");
    // Two threads' worth of what a thread keeps, so that none is dropped while it is counted.
    let before = resident();
    let counted: Vec<_> = (0..2)
        .map(|half| {
            let (text, question) = (text.clone(), question.clone());
            let rules = LuauRules::new();
            std::thread::scope(|scope| {
                let thread = scope.spawn(move || {
                    for number in 0..MERCHANTS / 2 {
                        let script = Script::new(Kind::Fee, &format!("-- merchant {half} {number}\n{text}"));
                        black_box(rules.fee(&script, &question).expect("a fee"));
                    }
                    (held(), resident())
                });
                thread.join().expect("a thread")
            })
        })
        .collect();
    let _ = rules;
    let machines: usize = counted.iter().map(|(held, _)| held.machines).sum();
    let bytes: usize = counted.iter().map(|(held, _)| held.bytes).sum();
    let grown = counted.first().map_or(0, |(_, after)| after.saturating_sub(before));
    println!(
        "memory: {machines} scripts, {} KiB each by Luau's own count, {} KiB each by the growth of the process (first {})",
        bytes / machines.max(1) / 1024,
        grown / (MERCHANTS / 2),
        MERCHANTS / 2,
    );
}

fn main() {
    let rules = LuauRules::new();
    let fee: FeeQuestion = shared::fee_question(1_280, 60);
    let route: RouteQuestion = shared::route_question(None, Some("alipay"), &["wechat", "alipay", "unionpay"]);
    let (routing, fees) = (rules.default_script(Kind::Routing), rules.default_script(Kind::Fee));
    let nothing = Script::new(Kind::Fee, "return { fee = function() return 0 end }");

    memory(&rules, &fee);

    let empty = median(|| drop(black_box(rules.fee(&nothing, &fee))));
    let both = median(|| {
        drop(black_box(rules.route(&routing, &route)));
        drop(black_box(rules.fee(&fees, &fee)));
    });
    println!("median of 100,000: a call that does nothing {empty:?}; routing and fee for one payment {both:?}");

    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("a fee that does nothing, with its table", |b| {
        b.iter(|| rules.fee(&nothing, &fee));
    });
    criterion.bench_function("the default fee", |b| b.iter(|| rules.fee(&fees, &fee)));
    criterion.bench_function("the default routing, three ways", |b| {
        b.iter(|| rules.route(&routing, &route));
    });
    criterion.bench_function("routing and fee for one payment", |b| {
        b.iter(|| (rules.route(&routing, &route), rules.fee(&fees, &fee)));
    });
    criterion.final_summary();
}
