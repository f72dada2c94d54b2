//! Nothing is left of a call: not for the next one, not for another script, not after an error; and the same question has the
//! same answer wherever and whenever it is asked.

use std::thread;

use metropay_core::rules::{Kind, Rules, Script, Wrong};
use metropay_scripts::LuauRules;

mod shared;

fn fee(source: &str, amount: u64) -> Result<u64, Wrong> {
    let answer = LuauRules::new().fee(&Script::new(Kind::Fee, source), &shared::fee_question(amount, 60));
    answer.map(|answer| answer.fee.get()).map_err(|error| error.wrong)
}

/// Rules that try to count their calls.
const COUNTERS: [&str; 9] = [
    "local n = 0
     return { fee = function(q) n += 1 return n end }",
    "local t = { n = 0 }
     return { fee = function(q) t.n += 1 return t.n end }",
    "local function counter() local n = 0 return function() n += 1 return n end end
     local count = counter()
     return { fee = function(q) return count() end }",
    "return { fee = function(q) n = (n or 0) + 1 return n end }",
    "return { fee = function(q) string.n = (string.n or 0) + 1 return string.n end }",
    "return { fee = function(q) fen.n = (fen.n or 0) + 1 return fen.n end }",
    "return { fee = function(q) local s = '' s.n = 1 return s.n end }",
    "return { fee = function(q) q.seen = (q.seen or 0) + 1 q.at.seen = (q.at.seen or 0) + 1 return q.seen + q.at.seen end }",
    "local seen = {}
     return { fee = function(q) seen[#seen + 1] = q if #seen > 1 then error('again') end return #seen end }",
];

#[test]
fn a_rule_that_counts_its_calls_counts_to_the_same_for_ever() {
    for source in COUNTERS {
        let first = fee(source, 1_000);
        for _ in 0..50 {
            assert_eq!(fee(source, 1_000), first, "{source}");
        }
    }
    // Those that are allowed to count at all do begin anew.
    assert_eq!(fee(COUNTERS[0], 1_000), Ok(1));
    assert_eq!(fee(COUNTERS[7], 1_000), Ok(2));
}

#[test]
fn an_error_leaves_nothing_behind_either() {
    let source = "local n = 0
        return { fee = function(q)
            n += 1
            if q.amount == 13 then error('thirteen ' .. n) end
            if q.amount == 14 then while true do end end
            if q.amount == 15 then return 'x' end
            if q.amount == 16 then return #string.rep('x', 1e8) end
            return n
        end }";
    for bad in [13, 14, 15, 16] {
        assert_eq!(fee(source, 1_000), Ok(1));
        assert!(fee(source, bad).is_err());
    }
    assert_eq!(fee(source, 13), fee(source, 13));
    assert_eq!(fee(source, 13), Err(Wrong::Raised("rule:4: thirteen 1".to_owned())));
}

#[test]
fn a_version_is_its_content_and_another_content_under_it_is_not_taken_for_it() {
    let rules = LuauRules::new();
    let one = Script::new(Kind::Fee, "return { fee = function(q) return 1 end }");
    let mut forged = Script::new(Kind::Fee, "return { fee = function(q) return 2 end }");
    forged.version = one.version.clone();
    let question = shared::fee_question(1_000, 60);
    for _ in 0..3 {
        assert_eq!(rules.fee(&one, &question).map(|answer| answer.fee.get()), Ok(1));
        assert_eq!(rules.fee(&forged, &question).map(|answer| answer.fee.get()), Ok(2));
    }
}

#[test]
fn a_rule_of_another_kind_is_not_asked() {
    let rules = LuauRules::new();
    let error = rules.fee(&rules.default_script(Kind::Routing), &shared::fee_question(1, 1));
    assert!(matches!(error.map_err(|error| error.wrong), Err(Wrong::Unfit(_))));
}

/// The same table, built in different orders, with holes, deletions and keys that meet in the hash.
#[test]
fn the_order_of_a_table_shows_nothing_of_how_it_was_built() {
    let keys = [
        "mch", "a", "b", "zz", "Ω", "10", "9", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "费",
    ];
    for looped in ["pairs(t)", "t"] {
        let mut walks = Vec::new();
        for turn in 0..keys.len() {
            let order = keys.iter().cycle().skip(turn).take(keys.len());
            let filled: String = order.map(|key| format!("t['{key}'] = 1 ")).collect();
            let source = format!(
                "local function walk(q)
                    local t = {{}}
                    for n = 1, {turn} do t['gone' .. n] = n end
                    for n = 1, {turn} do t['gone' .. n] = nil end
                    t[3] = 1 t[1] = 1 t[2] = 1 t[-1] = 1 t[0.5] = 1 t[true] = 1 t[false] = 1 t[100] = 1
                    {filled}
                    local seen = {{}}
                    for key in {looped} do seen[#seen + 1] = tostring(key) end
                    error(table.concat(seen, ' '), 0)
                 end
                 return {{ fee = walk }}"
            );
            walks.push(fee(&source, 1_000));
        }
        let wanted = "-1 0.5 1 2 3 100 10 9 a b mch x1 x2 x3 x4 x5 x6 x7 x8 x9 zz Ω 费 false true";
        for walk in walks {
            assert_eq!(walk, Err(Wrong::Raised(wanted.to_owned())), "{looped}");
        }
    }
}

/// Tables as keys lie in the order of their addresses; no way of writing a loop walks over them.
#[test]
fn no_loop_walks_in_the_order_of_addresses() {
    for walk in [
        "for k in t do n += 1 end",
        "for k, v in t do n += 1 end",
        "for k in pairs(t) do n += 1 end",
        "for k in (t) do n += 1 end",
        "for k in t :: any do n += 1 end",
        "for k in (if true then t else t) do n += 1 end",
        "for k in ({ t })[1] do n += 1 end",
        "local s = `{(function() for k in t do n += 1 end return n end)()}`",
        "for i = 1, 1 do for k in t --[[ do ]] do n += 1 end end",
        "local pairs = function(x) return x end for k in pairs(t) do n += 1 end",
        "list.map({ t }, function(x) for k in x do n += 1 end return n end)",
        "text.sorted_query(t)",
    ] {
        let source = format!("return {{ fee = function(q) local t, n = {{ [{{}}] = 1 }}, 0 {walk} return n end }}");
        let answer = fee(&source, 1_000);
        assert!(
            matches!(&answer, Err(Wrong::Raised(text)) if text.contains("pairs walks over keys")),
            "{walk}: {answer:?}"
        );
    }
}

#[test]
fn no_address_is_shown() {
    let source = "return { fee = function(q)
        error(tostring({}) .. ' ' .. tostring(fen.min) .. ' ' .. tostring(json.null) .. ' ' .. tostring(print_it), 0)
    end }";
    assert!(matches!(fee(source, 1), Err(Wrong::Raised(text)) if text.contains("print_it")));
    let source = source.replace(" .. tostring(print_it)", "");
    assert_eq!(fee(&source, 1), Err(Wrong::Raised("table function null ".to_owned())));
}

#[test]
fn the_same_question_has_the_same_answer_on_every_thread_and_after_any_other_call() {
    let source = "return { fee = function(q)
        local sum = 0
        for key, value in pairs({ a = q.amount, b = 2, [1] = 3, [2.5] = 4 }) do
            sum = sum * 31 % 1000003 + #tostring(key) + value
        end
        return math.floor(sum) % (q.amount + 1)
    end }";
    let ask = move || (0..200).map(|amount| fee(source, amount)).collect::<Vec<_>>();
    let here = ask();
    let disturbed = thread::spawn(move || {
        for source in COUNTERS {
            let _ = fee(source, 77);
        }
        let mut answers: Vec<_> = (0..200).rev().map(|amount| fee(source, amount)).collect();
        answers.reverse();
        answers
    });
    let fresh = thread::spawn(ask);
    assert_eq!(here, disturbed.join().expect("a thread"));
    assert_eq!(here, fresh.join().expect("a thread"));
}

#[test]
fn a_thread_keeps_a_bounded_number_of_scripts() {
    let rules = LuauRules::new();
    let question = shared::fee_question(1_000, 60);
    for number in 0..600 {
        let script = Script::new(
            Kind::Fee,
            &format!("return {{ fee = function(q) return {number} end }}"),
        );
        assert_eq!(rules.fee(&script, &question).map(|answer| answer.fee.get()), Ok(number));
    }
    let held = metropay_scripts::held();
    assert_eq!(held.machines, 512);
    // Luau reserves a page for each size of object, most of which is never touched; the bench shows what is.
    assert!(held.bytes / held.machines < 768 * 1024, "{held:?}");
}
