//! What the fields of a till's request must look like, as the tables of the interface say.

use metropay_core::clock::{Day, Time};
use metropay_core::id::{OutRequestNo, PayNo};
use metropay_core::limit;
use metropay_core::money::Fen;
use metropay_core::payment::OrderKey;
use metropay_core::problem::{Code, Problem};

/// The merchant's numbers.
pub(super) const OUT_NO: &str = "1–64 位字母、数字、下划线或连字符";
/// An amount to be paid.
pub(super) const AMOUNT: &str = "整数分, 1–上限";
/// An amount to be refunded.
pub(super) const REFUND_AMOUNT: &str = "整数分, 至少 1";
/// What was scanned.
pub(super) const QRCODE: &str = "至多 128 个字符，不含控制字符";
/// The order's description.
pub(super) const BODY: &str = "1–128 个字符，不含控制字符和文字方向控制符";
/// The remark.
pub(super) const EXTRA_DATA: &str = "至多 1024 字节，除换行和制表符外不含控制字符";
/// The store.
pub(super) const STORE_ID: &str = "1–64 个可见字符";
/// A date.
pub(super) const DATE: &str = "YYYYMMDD 格式的日期";
/// A date that has come.
pub(super) const DATE_TO_COME: &str = "不能晚于今天";
/// The `Host` header of a signed request.
pub(super) const ONE_HOST: &str = "须携带且只携带一个 Host";

/// Characters of a scanned text at most, before it is recognised.
const QRCODE_MAX: usize = 128;
/// Characters of a store's number at most.
const STORE_ID_MAX: usize = 64;

/// A number of the merchant's.
pub(super) fn out_no(field: &'static str, text: String) -> Result<String, Problem> {
    let taken = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if (1..=limit::OUT_NO_MAX).contains(&text.len()) && text.bytes().all(taken) {
        Ok(text)
    } else {
        Err(Problem::invalid(field, OUT_NO))
    }
}

/// An order by either of its numbers; an empty one counts as none.
pub(super) fn order_key(out_request_no: Option<String>, pay_out_trade_no: Option<String>) -> Result<OrderKey, Problem> {
    let given = |field, text: Option<String>| {
        text.filter(|text| !text.is_empty())
            .map(|text| out_no(field, text))
            .transpose()
    };
    let key = OrderKey {
        out_request_no: given("out_request_no", out_request_no)?.map(OutRequestNo),
        pay_no: given("pay_out_trade_no", pay_out_trade_no)?.map(PayNo),
    };
    if key.out_request_no.is_none() && key.pay_no.is_none() {
        return Err(Problem::new(Code::ParamEitherOr).fact("either", ["out_request_no", "pay_out_trade_no"].as_slice()));
    }
    Ok(key)
}

/// An amount to be paid: from 1 to what can be deducted at all. The operator's own cap is a rule of business.
pub(super) fn total_fee(fen: u64) -> Result<Fen, Problem> {
    match Fen::new(fen) {
        Ok(amount) if (1..=limit::PAYMENT_MAX_FEN).contains(&fen) => Ok(amount),
        _ => Err(too_much_or_nothing("total_fee")),
    }
}

/// An amount to be refunded; what is left of the order is for the engine to say.
pub(super) fn refund_fee(fen: u64) -> Result<Fen, Problem> {
    match Fen::new(fen) {
        Ok(amount) if !amount.is_zero() => Ok(amount),
        _ => Err(Problem::invalid("refund_fee", REFUND_AMOUNT)),
    }
}

fn too_much_or_nothing(field: &str) -> Problem {
    Problem::invalid(field, AMOUNT).fact("max", limit::PAYMENT_MAX_FEN)
}

/// An amount that the reader could not take breaks the same rule as one that is out of bounds.
pub(super) fn of_amount(problem: Problem) -> Problem {
    match (problem.code, problem.field.as_deref()) {
        (Code::ParamInvalid, Some("total_fee")) => too_much_or_nothing("total_fee"),
        (Code::ParamInvalid, Some("refund_fee")) => Problem::invalid("refund_fee", REFUND_AMOUNT),
        _ => problem,
    }
}

/// What was scanned, as it came. Blanks and line ends around it, which scan guns add, are for the code's form to take off.
pub(super) fn qrcode(text: String) -> Result<String, Problem> {
    let scanned = text.trim_matches([' ', '\t', '\r', '\n']);
    if text.chars().count() <= QRCODE_MAX && !scanned.chars().any(char::is_control) {
        Ok(text)
    } else {
        Err(Problem::invalid("qrcode", QRCODE))
    }
}

/// The order's description. It may be any text, markup too; whoever shows it escapes it.
pub(super) fn body(text: String) -> Result<String, Problem> {
    let steers = |c: char| c.is_control() || turns_text(c);
    if (1..=limit::BODY_MAX).contains(&text.chars().count()) && !text.chars().any(steers) {
        Ok(text)
    } else {
        Err(Problem::invalid("body", BODY))
    }
}

/// Whether a character changes the direction of the text around it, or ends a line.
const fn turns_text(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The remark; an empty one counts as none.
pub(super) fn extra_data(text: Option<String>) -> Result<Option<String>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let steers = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    if text.len() <= limit::EXTRA_DATA_MAX && !text.chars().any(steers) {
        Ok(Some(text))
    } else {
        Err(Problem::invalid("extra_data", EXTRA_DATA))
    }
}

/// A store's number.
pub(super) fn store_id(text: String) -> Result<String, Problem> {
    let unseen = |c: char| c.is_control() || c.is_whitespace() || turns_text(c);
    if (1..=STORE_ID_MAX).contains(&text.chars().count()) && !text.chars().any(unseen) {
        Ok(text)
    } else {
        Err(Problem::invalid("store_id", STORE_ID))
    }
}

/// A day of the calendar that has begun in China.
pub(super) fn day(text: &str, now: Time) -> Result<Day, Problem> {
    let day = Day::parse(text).ok_or_else(|| Problem::invalid("date", DATE))?;
    if day > now.day() {
        return Err(Problem::invalid("date", DATE_TO_COME));
    }
    Ok(day)
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use metropay_web::{Language, rule};

    use super::*;

    /// Every rule of the interface that a till may be told, with those of the flows behind it.
    const RULES: [&str; 14] = [
        OUT_NO,
        AMOUNT,
        REFUND_AMOUNT,
        QRCODE,
        BODY,
        EXTRA_DATA,
        STORE_ID,
        DATE,
        DATE_TO_COME,
        ONE_HOST,
        "最早可查一年前的账单",
        "撤销期限已过，请使用退款",
        "已有退款，请使用退款",
        "支付渠道不支持撤销该订单，请使用退款",
    ];

    #[test]
    fn every_rule_has_its_english() {
        for zh in RULES {
            assert_eq!(rule::told(zh, Language::Chinese), zh);
            let en = rule::told(zh, Language::English);
            assert!(en.is_ascii(), "{zh}: {en}");
        }
    }

    /// The field and the rule that a value breaks.
    fn broken<T: Debug>(result: Result<T, Problem>) -> Option<(String, &'static str)> {
        let problem = result.err()?;
        assert_eq!(problem.code, Code::ParamInvalid);
        Some((problem.field.unwrap(), problem.rule.unwrap()))
    }

    #[test]
    fn a_merchants_number_has_1_to_64_plain_letters() {
        let longest = "a".repeat(64);
        for good in ["1", "SZTX001-20260801-000001", "a_B-9", &longest] {
            assert_eq!(out_no("out_request_no", good.to_owned()).unwrap(), good);
        }
        let long = "a".repeat(65);
        for bad in ["", &long, "A 1", "A1 ", "１２", "A\0", "A.1", "A/1", "单1", "A'--"] {
            let found = broken(out_no("out_refund_no", bad.to_owned()));
            assert_eq!(found, Some(("out_refund_no".to_owned(), OUT_NO)), "{bad:?}");
        }
    }

    #[test]
    fn an_order_is_named_by_either_number_and_an_empty_one_is_none() {
        let some = |text: &str| Some(text.to_owned());
        let key = order_key(some("A1"), some("")).unwrap();
        assert_eq!((key.out_request_no, key.pay_no), (Some("A1".into()), None));
        let key = order_key(None, some("P1")).unwrap();
        assert_eq!((key.out_request_no, key.pay_no), (None, Some("P1".into())));
        assert!(order_key(some("A1"), some("P1")).is_ok());
        for (one, other) in [(None, None), (some(""), None), (some(""), some(""))] {
            assert_eq!(order_key(one, other).unwrap_err().code, Code::ParamEitherOr);
        }
        let found = broken(order_key(some("A1"), some("P 1")));
        assert_eq!(found, Some(("pay_out_trade_no".to_owned(), OUT_NO)));
    }

    #[test]
    fn amounts_are_whole_fen_within_their_bounds() {
        assert_eq!(total_fee(1).unwrap().get(), 1);
        assert_eq!(total_fee(limit::PAYMENT_MAX_FEN).unwrap().get(), limit::PAYMENT_MAX_FEN);
        for bad in [0, limit::PAYMENT_MAX_FEN + 1, 1 << 53, u64::MAX] {
            assert_eq!(broken(total_fee(bad)), Some(("total_fee".to_owned(), AMOUNT)), "{bad}");
        }
        assert_eq!(
            refund_fee(limit::PAYMENT_MAX_FEN + 1).unwrap().get(),
            limit::PAYMENT_MAX_FEN + 1
        );
        for bad in [0, 1 << 53] {
            assert_eq!(
                broken(refund_fee(bad)),
                Some(("refund_fee".to_owned(), REFUND_AMOUNT)),
                "{bad}"
            );
        }
    }

    #[test]
    fn what_the_reader_says_of_an_amount_is_told_by_the_amounts_rule() {
        let told = |field: &str| of_amount(Problem::invalid(field, rule::INTEGER)).rule;
        assert_eq!(told("total_fee"), Some(AMOUNT));
        assert_eq!(told("refund_fee"), Some(REFUND_AMOUNT));
        assert_eq!(told("other"), Some(rule::INTEGER));
        let missing = of_amount(Problem::new(Code::ParamMissing).at("total_fee"));
        assert_eq!((missing.code, missing.rule), (Code::ParamMissing, None));
    }

    #[test]
    fn what_was_scanned_keeps_its_line_ends_and_has_no_control_character_within() {
        let longest = "7".repeat(128);
        for good in [
            "77112345678901234565",
            "77112345678901234565\r\n",
            "\t7711\t",
            "https://a/b",
            &longest,
        ] {
            assert_eq!(qrcode(good.to_owned()).unwrap(), good);
        }
        let long = "7".repeat(129);
        for bad in [long.as_str(), "7711\u{0}2345", "7711\n2345", "\u{1b}7711", "7711\u{0}"] {
            assert_eq!(
                broken(qrcode(bad.to_owned())),
                Some(("qrcode".to_owned(), QRCODE)),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_description_is_any_text_that_steers_no_screen() {
        let longest = "水".repeat(128);
        for good in [
            "矿泉水 2 瓶",
            "<b>1</b> & \"2\"",
            "家庭👨\u{200d}👩\u{200d}👧",
            "=1+1",
            &longest,
        ] {
            assert_eq!(body(good.to_owned()).unwrap(), good);
        }
        let long = "水".repeat(129);
        for bad in [
            "",
            &long,
            "a\nb",
            "a\u{0}",
            "a\u{7f}",
            "a\u{85}b",
            "a\u{202e}b",
            "a\u{2066}b",
            "a\u{2028}b",
        ] {
            assert_eq!(broken(body(bad.to_owned())), Some(("body".to_owned(), BODY)), "{bad:?}");
        }
    }

    #[test]
    fn a_remark_is_bounded_in_bytes_and_an_empty_one_is_none() {
        let taken = |text: &str| extra_data(Some(text.to_owned()));
        assert_eq!(taken(&"a".repeat(1024)).unwrap().unwrap().len(), 1024);
        assert_eq!(taken("a\tb\r\nc").unwrap().as_deref(), Some("a\tb\r\nc"));
        assert_eq!(taken("").unwrap(), None);
        assert_eq!(extra_data(None).unwrap(), None);
        for bad in ["a".repeat(1025), "水".repeat(342), "a\u{0}".to_owned()] {
            assert_eq!(broken(taken(&bad)), Some(("extra_data".to_owned(), EXTRA_DATA)));
        }
    }

    #[test]
    fn a_stores_number_is_visible() {
        let longest = "1".repeat(64);
        for good in ["SZTX001", "深圳-1", "a.b/c", &longest] {
            assert_eq!(store_id(good.to_owned()).unwrap(), good);
        }
        let long = "1".repeat(65);
        for bad in ["", &long, "A 1", "A\u{3000}", "A\t", "A\u{0}", "A\u{202e}"] {
            assert_eq!(
                broken(store_id(bad.to_owned())),
                Some(("store_id".to_owned(), STORE_ID)),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_date_is_a_day_of_the_calendar_that_has_begun_in_china() {
        let now = Time::parse_china("20260802000000", "%Y%m%d%H%M%S").unwrap();
        assert_eq!(day("20260802", now).unwrap(), Day(20_260_802));
        assert_eq!(day("20240229", now).unwrap(), Day(20_240_229));
        assert_eq!(broken(day("20260803", now)), Some(("date".to_owned(), DATE_TO_COME)));
        for bad in [
            "20230229",
            "2022-08-22",
            "2022082",
            "20221301",
            "２０２２０８２２",
            "today",
        ] {
            assert_eq!(broken(day(bad, now)), Some(("date".to_owned(), DATE)), "{bad}");
        }
    }
}
