//! What a request may say, field by field: nothing unknown, nothing null, nothing required missing (wechat reference, 10.3
//! and 11.3). A field goes by its JSON Pointer; those of a query by `/name`.

use serde_json::Value;

use super::super::operation::Form;

/// One field.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub at: &'static str,
    pub required: bool,
    pub kind: Kind,
}

/// What stands in a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text(Form),
    /// Whole fen from 1.
    Fen,
    Flag,
    /// Anything: what is inside is nobody's business here.
    Any,
}

pub(super) const fn must(at: &'static str, kind: Kind) -> Rule {
    Rule {
        at,
        required: true,
        kind,
    }
}

pub(super) const fn may(at: &'static str, kind: Kind) -> Rule {
    Rule {
        at,
        required: false,
        kind,
    }
}

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Objection {
    /// JSON Pointer.
    pub field: String,
    pub value: Value,
    pub issue: &'static str,
}

/// Holds a request against the rules.
pub(super) fn check(input: &Value, rules: &[&[Rule]], now_s: i64) -> Result<(), Objection> {
    walk(input, "", rules, now_s)?;
    for rule in rules.iter().copied().flatten().filter(|rule| rule.required) {
        if input.pointer(rule.at).is_none() {
            return Err(Objection {
                field: rule.at.to_owned(),
                value: Value::Null,
                issue: "缺少必填参数",
            });
        }
    }
    Ok(())
}

fn walk(value: &Value, at: &str, rules: &[&[Rule]], now_s: i64) -> Result<(), Objection> {
    let object = |issue| Objection {
        field: at.to_owned(),
        value: value.clone(),
        issue,
    };
    let rule = rules.iter().copied().flatten().find(|rule| rule.at == at);
    if let Some(rule) = rule {
        return if fits(rule.kind, value, now_s) {
            Ok(())
        } else {
            Err(object("输入的参数格式有误"))
        };
    }
    let inner = format!("{at}/");
    let is_outer = at.is_empty() || rules.iter().copied().flatten().any(|rule| rule.at.starts_with(&inner));
    match value {
        Value::Object(fields) if is_outer => fields
            .iter()
            .try_for_each(|(name, value)| walk(value, &format!("{at}/{name}"), rules, now_s)),
        _ if is_outer => Err(object("参数应为JSON对象")),
        _ => Err(object("存在未定义的参数")),
    }
}

fn fits(kind: Kind, value: &Value, now_s: i64) -> bool {
    match kind {
        Kind::Text(form) => value.as_str().is_some_and(|text| {
            let three_bytes_at_most = text.chars().all(|c| c.len_utf8() <= 3);
            !text.is_empty() && three_bytes_at_most && form.fits(text, now_s)
        }),
        Kind::Fen => value.as_u64().is_some_and(|fen| fen > 0),
        Kind::Flag => value.is_boolean(),
        Kind::Any => !value.is_null(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RULES: &[Rule] = &[
        must("/out_trade_no", Kind::Text(Form::TradeNo)),
        must("/amount/total", Kind::Fen),
        may("/amount/currency", Kind::Text(Form::OneOf(&["CNY"]))),
        may("/settle_info/profit_sharing", Kind::Flag),
        may("/detail", Kind::Any),
    ];

    #[test]
    fn a_request_within_the_rules_passes() {
        let good = json!({"out_trade_no": "A1", "amount": {"total": 1, "currency": "CNY"}, "detail": {"x": [1]}});
        assert_eq!(check(&good, &[RULES], 0), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_pointer() {
        for (bad, field) in [
            (json!({"amount": {"total": 1}}), "/out_trade_no"),
            (json!({"out_trade_no": "A1", "amount": {}}), "/amount/total"),
            (json!({"out_trade_no": "A1", "amount": {"total": 0}}), "/amount/total"),
            (json!({"out_trade_no": "A1", "amount": {"total": "1"}}), "/amount/total"),
            (json!({"out_trade_no": "A1", "amount": {"total": 1.5}}), "/amount/total"),
            (
                json!({"out_trade_no": "A1", "amount": {"total": 1, "currency": null}}),
                "/amount/currency",
            ),
            (json!({"out_trade_no": "", "amount": {"total": 1}}), "/out_trade_no"),
            (
                json!({"out_trade_no": "A1", "amount": {"total": 1}, "attache": "x"}),
                "/attache",
            ),
            (
                json!({"out_trade_no": "A1", "amount": {"total": 1, "more": 2}}),
                "/amount/more",
            ),
            (json!({"out_trade_no": "A1", "amount": 1}), "/amount"),
            (
                json!({"out_trade_no": "A1", "amount": {"total": 1}, "detail": null}),
                "/detail",
            ),
            (json!([]), ""),
        ] {
            assert_eq!(check(&bad, &[RULES], 0).unwrap_err().field, field, "{bad}");
        }
    }
}
