//! Money is conserved: whatever is asked, a fee is a whole number between nothing and the amount, the helpers compute what a
//! plain model in wide integers does, and the same question has the same answer.

use std::fs;
use std::path::Path;
use std::thread;

use metropay_core::clock::Time;
use metropay_core::money::FEN_MAX;
use metropay_core::random::{Random, SeededRandom};
use metropay_core::rules::fee::{DayTotals, FeeQuestion};
use metropay_core::rules::{Kind, Rules, Script, Wrong};
use metropay_scripts::LuauRules;
use proptest::prelude::*;

mod shared;

fn rule(path: &str) -> Script {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a rule");
    Script::new(Kind::Fee, &text)
}

/// A number below `end`, the small and the large alike often.
fn spread(random: &dyn Random, end: u64) -> u64 {
    let digits: u64 = random.digits(16).parse().unwrap_or(0);
    let magnitude = digits % 16;
    (digits / 16) % 10u64.pow(u32::try_from(magnitude).unwrap_or(0) + 1).min(end)
}

fn question(random: &dyn Random) -> FeeQuestion {
    let mut question = shared::fee_question(
        spread(random, FEN_MAX),
        u32::try_from(spread(random, 10_001)).unwrap_or(0),
    );
    question.at = Time(1_795_000_000_000 + i64::try_from(spread(random, 10_000_000_000)).unwrap_or(0));
    question.category = (spread(random, 2) == 0).then(|| "food".to_owned());
    question.day_totals = Some(DayTotals {
        count: spread(random, 1_000),
        amount: shared::fen(spread(random, FEN_MAX)),
    });
    question
}

/// Fees of so many payments, spread over the platform's own rule and the examples: the sums of what was paid and charged.
fn charged(seed: u64, rounds: usize) -> (u128, u128) {
    let rules = LuauRules::new();
    let random = SeededRandom::new(seed);
    let own = [
        rule("defaults/fee.luau"),
        rule("examples/fee/tiered.luau"),
        rule("examples/fee/day_totals.luau"),
        rule("examples/fee/off_peak.luau"),
    ];
    let (mut paid, mut charged) = (0u128, 0u128);
    for round in 0..rounds {
        let question = question(&random);
        let answer = rules.fee(&own[round % own.len()], &question);
        let fee = answer.as_ref().map(|answer| answer.fee);
        assert!(
            fee.as_ref().is_ok_and(|fee| *fee <= question.amount),
            "{question:?}: {answer:?}"
        );
        if round % own.len() == 0 {
            let expected = question.amount.ten_thousandths(question.agreed_rate);
            assert_eq!(fee, Ok(expected), "{question:?}");
        }
        paid += u128::from(question.amount.get());
        charged += fee.map_or(0, |fee| u128::from(fee.get()));
    }
    (paid, charged)
}

/// That no fee is above its amount is the host's own check; that no rule is ever refused for it is the rule's.
#[test]
fn a_million_payments_fees_are_whole_and_never_above_the_amount() {
    let threads: Vec<_> = (0..4)
        .map(|seed| thread::spawn(move || charged(seed, 250_000)))
        .collect();
    for thread in threads {
        let (paid, charged) = thread.join().expect("every fee was right");
        assert!(charged > 0 && charged < paid, "{charged} of {paid}");
    }
}

/// What a helper answers, or nothing where it refuses.
fn asked(expression: &str) -> Option<u64> {
    let source = format!("return {{ fee = function(q) return {expression} end }}");
    let answer = LuauRules::new().fee(&Script::new(Kind::Fee, &source), &shared::fee_question(FEN_MAX, 0));
    match answer {
        Ok(answer) => Some(answer.fee.get()),
        Err(error) => {
            assert!(matches!(error.wrong, Wrong::Raised(_)), "{expression}: {error}");
            None
        }
    }
}

/// `dividend / divisor` rounded, in wide integers.
fn model(dividend: u128, divisor: u128, rounding: &str) -> u64 {
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    let up = match rounding {
        "down" => false,
        "up" => rest != 0,
        "half_up" => 2 * rest >= divisor,
        _ => 2 * rest > divisor || 2 * rest == divisor && quotient % 2 == 1,
    };
    u64::try_from(quotient + u128::from(up)).expect("an amount")
}

fn roundings() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["half_up", "half_even", "up", "down"])
}

fn amounts() -> impl Strategy<Value = u64> {
    prop_oneof![0..=2_000u64, 0..=10_000_000u64, 0..=FEN_MAX, FEN_MAX - 10..=FEN_MAX]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_percentage_is_exact(amount in amounts(), whole in 0..=99u64, decimals in 0..=99_999_999u64, rounding in roundings()) {
        let helper = asked(&format!("fen.percent({amount}, '{whole}.{decimals:08}%', '{rounding}')"));
        let parts = u128::from(whole) * 100_000_000 + u128::from(decimals);
        prop_assert_eq!(helper, Some(model(u128::from(amount) * parts, 10_000_000_000, rounding)));
        let thousandth = asked(&format!("fen.percent({amount}, '{whole}.{decimals:08}‰', '{rounding}')"));
        prop_assert_eq!(thousandth, Some(model(u128::from(amount) * parts, 100_000_000_000, rounding)));
    }

    #[test]
    fn a_fraction_and_ten_thousandths_are_exact(amount in amounts(), part in 0..=10_000u64, rounding in roundings()) {
        let expected = Some(model(u128::from(amount) * u128::from(part), 10_000, rounding));
        prop_assert_eq!(asked(&format!("fen.percent({amount}, '{part}/10000', '{rounding}')")), expected);
        prop_assert_eq!(asked(&format!("fen.ten_thousandths({amount}, {part}, '{rounding}')")), expected);
    }

    #[test]
    fn a_share_is_exact_and_parts_never_make_more_than_the_whole(fee in amounts(), whole in amounts(), cut in 0..=100u64) {
        let part = u64::try_from(u128::from(whole) * u128::from(cut) / 100).expect("less than the whole");
        let one = asked(&format!("fen.share({fee}, {part}, {whole})")).expect("a share");
        let other = asked(&format!("fen.share({fee}, {}, {whole})", whole - part)).expect("a share");
        prop_assert!(one + other <= fee);
        prop_assert_eq!(one, shared::fen(fee).share(shared::fen(part), shared::fen(whole)).get());
    }

    #[test]
    fn tiers_charge_each_slice_at_its_own_rate(amount in amounts(), first in 1..=5_000_000u64, more in 1..=5_000_000u64, rates in (0..=100u64, 0..=100u64, 0..=100u64), rounding in roundings()) {
        let second = first + more;
        let tiers = format!(
            "{{ {{ up_to = {first}, rate = '{}%' }}, {{ up_to = {second}, rate = '{}%' }}, {{ rate = '{}%' }} }}",
            rates.0, rates.1, rates.2
        );
        let slice = |from: u64, to: u64| u128::from(amount.min(to).saturating_sub(from));
        let sum = slice(0, first) * u128::from(rates.0) + slice(first, second) * u128::from(rates.1) + slice(second, u64::MAX) * u128::from(rates.2);
        prop_assert_eq!(asked(&format!("fen.tiers({amount}, {tiers}, '{rounding}')")), Some(model(sum, 100, rounding)));
        let tier = if amount <= first { 1 } else if amount <= second { 2 } else { 3 };
        let named = tiers.replacen("rate", "n = 1, rate", 1).replacen(", rate", ", n = 2, rate", 2).replacen("n = 1, n = 2,", "n = 1,", 1).replacen("{ rate", "{ n = 3, rate", 1);
        prop_assert_eq!(asked(&format!("fen.tier({amount}, {named}).n")), Some(tier));
    }

    #[test]
    fn bounds_hold(amount in amounts(), one in amounts(), other in amounts()) {
        let (least, most) = (one.min(other), one.max(other));
        prop_assert_eq!(asked(&format!("fen.clamp({amount}, {least}, {most})")), Some(amount.clamp(least, most)));
        prop_assert_eq!(asked(&format!("fen.min({amount}, {one}, {other})")), Some(amount.min(least)));
        prop_assert_eq!(asked(&format!("fen.max({amount}, {one}, {other})")), Some(amount.max(most)));
        prop_assert_eq!(asked(&format!("fen.clamp({amount}, {most}, {least})")).is_some(), least == most);
    }

    /// Among all draws each is picked as often as its weight says, to the draw.
    #[test]
    fn a_draw_picks_by_weight(weights in prop::collection::vec(0..=50u64, 1..6), draw in 0..=9_999u64) {
        let items: String = weights.iter().map(|weight| format!("{{ weight = {weight} }},")).collect();
        let picked = asked(&format!("table.find(ITEMS, pick.weighted(ITEMS, {draw}))").replace("ITEMS", "q.items"));
        prop_assert_eq!(picked, None, "a question has no items");
        let source = format!("(function() local items = {{ {items} }} return table.find(items, pick.weighted(items, {draw})) end)()");
        let total: u64 = weights.iter().sum();
        let mut point = draw * total / 10_000;
        let mut expected = 1;
        for (place, weight) in (1..).zip(&weights) {
            if total == 0 { break; }
            if point < *weight { expected = place; break; }
            point -= weight;
        }
        prop_assert_eq!(asked(&source), Some(expected));
    }
}
