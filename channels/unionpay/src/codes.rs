//! The gateway's response codes as data, and what each means for us.
//!
//! UnionPay reference, section 8. A code that is not listed proves nothing.

use metropay_core::channel::{Hint, Refusal};

/// What a response code says about the order that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// S: success. For a synchronous answer to a consume, undo or refund: accepted.
    Success,
    /// F: failed, finally.
    Failed,
    /// Q: unknown, to be queried.
    Query,
    /// R: the gateway could not at present.
    Retry,
    /// C: the set-up or the request is wrong; final for this order.
    Setup,
}

/// A response code of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code {
    /// The two letters on the wire.
    pub(crate) code: &'static str,
    /// Its class.
    pub(crate) class: Class,
    /// What the platform does about it, where it is a refusal.
    pub(crate) hint: Hint,
}

const fn code(code: &'static str, class: Class, hint: Hint) -> Code {
    Code { code, class, hint }
}

/// Success.
const fn success(letters: &'static str) -> Code {
    code(letters, Class::Success, Hint::None)
}

/// Failed, finally.
const fn failed(letters: &'static str, hint: Hint) -> Code {
    code(letters, Class::Failed, hint)
}

/// Unknown.
const fn query(letters: &'static str) -> Code {
    code(letters, Class::Query, Hint::None)
}

/// Not at present.
const fn retry(letters: &'static str) -> Code {
    code(letters, Class::Retry, Hint::None)
}

/// Wrongly set up.
const fn setup(letters: &'static str) -> Code {
    code(letters, Class::Setup, Hint::Setup)
}

/// Every code of the reference.
pub(crate) static CODES: &[Code] = &[
    success("00"),
    success("A6"),
    success("A1"),
    failed("01", Hint::None),
    retry("02"),
    query("03"),
    query("04"),
    query("05"),
    retry("06"),
    setup("10"),
    setup("11"),
    query("12"),
    setup("13"),
    setup("14"),
    failed("30", Hint::User),
    setup("31"),
    setup("32"),
    failed("33", Hint::Funds),
    query("34"),
    failed("35", Hint::None),
    failed("36", Hint::None),
    retry("37"),
    failed("38", Hint::None),
    failed("39", Hint::None),
    failed("40", Hint::ContractGone),
    failed("41", Hint::None),
    query("42"),
    setup("43"),
    failed("44", Hint::ContractGone),
    failed("45", Hint::None),
    failed("60", Hint::User),
    failed("61", Hint::ContractGone),
    failed("62", Hint::None),
    failed("63", Hint::User),
    failed("64", Hint::Funds),
    failed("65", Hint::User),
    failed("66", Hint::User),
    failed("67", Hint::User),
    failed("68", Hint::None),
    failed("69", Hint::None),
    query("70"),
    failed("71", Hint::User),
    failed("72", Hint::ContractGone),
    failed("73", Hint::ContractGone),
    query("74"),
    failed("75", Hint::None),
    failed("76", Hint::User),
    failed("77", Hint::ContractGone),
    failed("78", Hint::User),
    failed("79", Hint::None),
    failed("80", Hint::ContractGone),
    failed("81", Hint::Funds),
    failed("82", Hint::User),
    query("83"),
    failed("84", Hint::User),
    failed("90", Hint::None),
    failed("91", Hint::None),
    setup("92"),
    setup("93"),
    setup("94"),
    setup("95"),
    setup("96"),
    retry("98"),
    query("99"),
];

/// Finds a code; `None` for one that is not listed.
pub(crate) fn find(letters: &str) -> Option<Code> {
    CODES.iter().find(|code| code.code == letters).copied()
}

/// What a signed answer to a money call (consume, undo, refund, reversal) says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Accepted; whether it is done, its own query says.
    Accepted,
    /// Not known: duplicate, pending, busy, or a code that moves money before it fails.
    Unknown,
    /// Refused, finally, without money moved by this request.
    Refused(Refusal),
    /// A code that is not listed.
    Unlisted,
}

/// `75` is final, but says that the payer was debited first: never a proof that no money moved.
const DEBITED_FIRST: &str = "75";

/// The verdict of a synchronous answer.
pub(crate) fn verdict(letters: &str, text: &str) -> Verdict {
    match find(letters) {
        None => Verdict::Unlisted,
        Some(code) => match code.class {
            Class::Success => Verdict::Accepted,
            Class::Query | Class::Retry => Verdict::Unknown,
            Class::Failed if letters == DEBITED_FIRST => Verdict::Unknown,
            Class::Failed | Class::Setup => Verdict::Refused(refusal(letters, text)),
        },
    }
}

/// How an order stands that a query found, by its `origRespCode`, or of which a notification tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Done.
    Done,
    /// Still running.
    Running,
    /// Failed, finally.
    Failed,
    /// Neither: final by the rule of 5.2, yet by the table not known. Believed only behind a reversal.
    Unclear,
}

/// Orders in progress: 5.2 names 03, 04 and 05; by their meaning so are 70 (waiting for the cardholder), 74 (debited,
/// result unknown) and 83 (the issuer is processing).
const RUNNING: &[&str] = &["03", "04", "05", "70", "74", "83"];
/// Debited after the deadline; UnionPay gives the money back itself, and the sale has failed (section 8).
const TOO_LATE: &str = "42";

/// The progress of a found order.
pub(crate) fn progress(letters: &str) -> Progress {
    match find(letters) {
        _ if RUNNING.contains(&letters) => Progress::Running,
        _ if letters == TOO_LATE => Progress::Failed,
        Some(code) => match code.class {
            Class::Success => Progress::Done,
            Class::Failed | Class::Setup => Progress::Failed,
            Class::Query | Class::Retry => Progress::Unclear,
        },
        None => Progress::Unclear,
    }
}

/// A refusal with the gateway's code and text. The text is cut: sub-codes and names are for operators, not novels.
pub(crate) fn refusal(letters: &str, text: &str) -> Refusal {
    Refusal {
        code: letters.to_owned(),
        text: text.chars().take(120).collect(),
        hint: find(letters).map_or(Hint::None, |code| code.hint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 8, row by row: code, class, and what the platform does about it.
    const REFERENCE: &str = "
        00 S -     A6 S -     A1 S -     01 F -     02 R -     03 Q -     04 Q -     05 Q -     06 R -     10 C setup
        11 C setup 12 Q -     13 C setup 14 C setup 30 F user  31 C setup 32 C setup 33 F funds 34 Q -     35 F -
        36 F -     37 R -     38 F -     39 F -     40 F gone  41 F -     42 Q -     43 C setup 44 F gone  45 F -
        60 F user  61 F gone  62 F -     63 F user  64 F funds 65 F user  66 F user  67 F user  68 F -     69 F -
        70 Q -     71 F user  72 F gone  73 F gone  74 Q -     75 F -     76 F user  77 F gone  78 F user  79 F -
        80 F gone  81 F funds 82 F user  83 Q -     84 F user  90 F -     91 F -     92 C setup 93 C setup 94 C setup
        95 C setup 96 C setup 98 R -     99 Q -";

    #[test]
    fn every_code_of_the_reference_has_its_class_and_hint_and_none_stands_twice() {
        let words: Vec<&str> = REFERENCE.split_whitespace().collect();
        for row in words.chunks(3) {
            let class = match row[1] {
                "S" => Class::Success,
                "F" => Class::Failed,
                "Q" => Class::Query,
                "R" => Class::Retry,
                _ => Class::Setup,
            };
            let hint = match row[2] {
                "user" => Hint::User,
                "funds" => Hint::Funds,
                "gone" => Hint::ContractGone,
                "setup" => Hint::Setup,
                _ => Hint::None,
            };
            let found = find(row[0]).unwrap();
            assert_eq!((found.class, found.hint), (class, hint), "{}", row[0]);
            let twice = CODES.iter().filter(|code| code.code == row[0]).count();
            assert_eq!(twice, 1, "{}", row[0]);
        }
        assert_eq!(words.len() / 3, CODES.len());
    }

    #[test]
    fn only_final_codes_without_a_debit_refuse_a_money_call() {
        for code in CODES {
            let refused = matches!(verdict(code.code, ""), Verdict::Refused(_));
            let may = matches!(code.class, Class::Failed | Class::Setup) && code.code != "75";
            assert_eq!(refused, may, "{}", code.code);
        }
        for unlisted in ["", "0", "000", "ZZ", "07", "Q1"] {
            assert_eq!(verdict(unlisted, ""), Verdict::Unlisted, "{unlisted}");
            assert_eq!(progress(unlisted), Progress::Unclear, "{unlisted}");
        }
    }

    #[test]
    fn a_found_order_is_done_running_or_failed_by_its_own_code() {
        for (letters, expected) in [
            ("00", Progress::Done),
            ("A6", Progress::Done),
            ("03", Progress::Running),
            ("04", Progress::Running),
            ("05", Progress::Running),
            ("83", Progress::Running),
            ("01", Progress::Failed),
            ("64", Progress::Failed),
            ("42", Progress::Failed),
            ("99", Progress::Unclear),
            ("12", Progress::Unclear),
        ] {
            assert_eq!(progress(letters), expected, "{letters}");
        }
    }
}
