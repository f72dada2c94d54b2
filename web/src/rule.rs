//! The rules that a field or a body breaks, in words of the documentation: Chinese, with their English beside them.

use crate::language::Language;

/// The body is UTF-8.
pub const UTF8: &str = "请求体须为 UTF-8";
/// The body is JSON.
pub const JSON: &str = "请求体须为合法的 JSON";
/// The body is one object.
pub const OBJECT_AT_TOP: &str = "最外层须为 JSON 对象";
/// No key comes twice in an object.
pub const NO_DUPLICATE_KEY: &str = "同一对象内不能有重复的键";
/// Nesting is bounded.
pub const DEPTH: &str = "嵌套至多 16 层";
/// Nothing follows the object.
pub const NOTHING_AFTER: &str = "JSON 对象之后不能有其他内容";
/// The body came too slowly or was cut.
pub const WHOLE_BODY: &str = "请求体须在限时内完整到达";
/// The content type.
pub const CONTENT_TYPE: &str = "Content-Type 须为 application/json";
/// No content encoding.
pub const NO_ENCODING: &str = "不接受 Content-Encoding";
/// The field is not known.
pub const NO_SUCH_FIELD: &str = "没有这个字段";
/// The parameter comes once.
pub const ONCE: &str = "只能出现一次";
/// An unsigned integer, plainly written.
pub const INTEGER: &str = "不带引号的非负整数，至多 9007199254740991";
/// An integer that may be negative.
pub const SIGNED: &str = "不带引号的整数，绝对值至多 9007199254740991";
/// A text.
pub const TEXT: &str = "须为字符串";
/// True or false.
pub const TRUTH: &str = "须为 true 或 false";
/// A list.
pub const LIST: &str = "须为数组";
/// An object.
pub const OBJECT: &str = "须为对象";
/// One of the words listed.
pub const ONE_OF: &str = "须为文档列出的取值之一";
/// Anything else.
pub const FORM: &str = "格式须与文档一致";

/// The rules of this crate, of the signature header and of the doors, with their English.
const ENGLISH: [(&str, &str); 43] = [
    (UTF8, "the body must be UTF-8"),
    (JSON, "the body must be valid JSON"),
    (OBJECT_AT_TOP, "the outermost value must be a JSON object"),
    (NO_DUPLICATE_KEY, "no key may come twice in an object"),
    (DEPTH, "at most 16 levels of nesting"),
    (NOTHING_AFTER, "nothing may follow the JSON object"),
    (WHOLE_BODY, "the whole body must arrive in time"),
    (CONTENT_TYPE, "Content-Type must be application/json"),
    (NO_ENCODING, "Content-Encoding is not taken"),
    (NO_SUCH_FIELD, "no such field"),
    (ONCE, "may come only once"),
    (INTEGER, "an unsigned integer without quotes, at most 9007199254740991"),
    (SIGNED, "an integer without quotes, at most 9007199254740991 from zero"),
    (TEXT, "must be a string"),
    (TRUTH, "must be true or false"),
    (LIST, "must be an array"),
    (OBJECT, "must be an object"),
    (ONE_OF, "must be one of the documented values"),
    (FORM, "must have the documented form"),
    ("每个参数只能出现一次", "each parameter may come only once"),
    ("至多 2048 字节", "at most 2048 bytes"),
    ("整数分, 1–上限", "whole fen, from 1 to the cap"),
    ("整数分, 至少 1", "whole fen, at least 1"),
    (
        "1–64 位字母、数字、下划线或连字符",
        "1 to 64 letters, digits, underscores or hyphens",
    ),
    (
        "至多 128 个字符，不含控制字符",
        "at most 128 characters, no control characters",
    ),
    (
        "1–128 个字符，不含控制字符和文字方向控制符",
        "1 to 128 characters, none that controls a screen or the direction of text",
    ),
    (
        "至多 1024 字节，除换行和制表符外不含控制字符",
        "at most 1024 bytes, no control characters but line ends and tabs",
    ),
    ("1–64 个可见字符", "1 to 64 visible characters"),
    ("YYYYMMDD 格式的日期", "a date written YYYYMMDD"),
    ("不能晚于今天", "not after today"),
    ("须携带且只携带一个 Host", "exactly one Host must be sent"),
    ("最早可查一年前的账单", "at most a year ago"),
    ("撤销期限已过，请使用退款", "too late for a reversal: refund instead"),
    ("已有退款，请使用退款", "there are refunds: refund the rest"),
    (
        "支付渠道不支持撤销该订单，请使用退款",
        "the channel will not reverse this order: refund instead",
    ),
    ("11 位数字的手机号", "a mobile number of 11 digits"),
    ("日期，格式 YYYYMMDD", "a day, written YYYYMMDD"),
    ("结束时间必须晚于开始时间", "the end must be after the beginning"),
    ("时间范围最长 31 天", "at most 31 days"),
    ("每页 1–100 条", "1 to 100 a page"),
    ("没有这种支付方式", "no such payment method"),
    (
        "非负整数，取自事件的 id",
        "an unsigned integer, taken from the id of an event",
    ),
    ("等待秒数，0–25", "seconds to wait, 0 to 25"),
];

/// The rule in a language; one that has no English here stays as it is.
pub fn told(rule: &'static str, language: Language) -> &'static str {
    match language {
        Language::Chinese => rule,
        Language::English => ENGLISH.iter().find(|(zh, _)| *zh == rule).map_or(rule, |(_, en)| en),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_rules_of_the_signature_header_have_their_english() {
        use metropay_core::signing::Authorization;
        let long = "x".repeat(2049);
        let broken: [&[&[u8]]; 3] = [
            &[b"a", b"a"],
            &[br#"METROPAY-ED25519 nonce="",nonce="""#],
            &[long.as_bytes()],
        ];
        for values in broken {
            let problem = Authorization::read(values.iter().copied()).unwrap_err();
            let rule = problem.rule.unwrap();
            assert!(told(rule, Language::English).is_ascii(), "{rule}");
        }
    }

    #[test]
    fn rules_are_told_in_the_language_of_the_answer() {
        assert_eq!(told(TEXT, Language::Chinese), "须为字符串");
        assert_eq!(told(TEXT, Language::English), "must be a string");
        assert_eq!(told("[0-9]{1,3}", Language::English), "[0-9]{1,3}");
        let distinct: BTreeSet<_> = ENGLISH.iter().flat_map(|(zh, en)| [zh, en]).collect();
        assert_eq!(distinct.len(), 2 * ENGLISH.len());
    }
}
