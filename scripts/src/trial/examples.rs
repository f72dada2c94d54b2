//! The example of each question, which a test's own question changes in places; and the way from a case to an answer.

use metropay_core::clock::Time;
use metropay_core::code::form::CodeType;
use metropay_core::id::MandateId;
use metropay_core::rules::code::{CodeQuestion, ScanQuestion};
use metropay_core::rules::membership::{CallBody, MembershipCall};
use metropay_core::rules::{RuleError, Rules, Script};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};

use crate::{LuauRules, answer};

/// Asks what a case asks; the answer as tests compare it, or why there is none.
pub(super) fn ask(rules: &LuauRules, script: &Script, entry: &str, question: &Json) -> Result<Json, String> {
    let said = |error: RuleError| error.wrong.to_string();
    match entry {
        "route" => told(&rules.route(script, &typed(ways(question)?)?).map_err(said)?),
        "fee" => told(
            &rules
                .fee(script, &typed(merged(fee(), question, "question")?)?)
                .map_err(said)?,
        ),
        "issue" => {
            let form = rules.named_form(script, &code(question)?).map_err(said)?;
            Ok(form.told())
        }
        "recognise" => {
            let recognised = rules.recognise(script, &scanned(question)?).map_err(said)?;
            Ok(answer::code::told(&recognised))
        }
        "request" => {
            let question = typed(merged(request(), question, "question")?)?;
            call(&rules.membership_call(script, &question).map_err(said)?)
        }
        _ => {
            let reply = typed(merged(reply(), question, "question")?)?;
            told(&rules.membership_answer(script, &reply).map_err(said)?)
        }
    }
}

fn told<T: serde::Serialize>(answer: &T) -> Result<Json, String> {
    serde_json::to_value(answer).map_err(|error| error.to_string())
}

fn typed<T: DeserializeOwned>(question: Json) -> Result<T, String> {
    serde_json::from_value(question).map_err(|error| format!("the question: {error}"))
}

/// A Friday, half past eight in the morning.
fn at() -> Json {
    json!(1_795_739_400_000_i64)
}

fn fee() -> Json {
    json!({
        "mch_id": "M1", "category": null, "store_id": "S1", "channel": "wechat", "account": "A1", "product": "mandate",
        "amount": 1_280, "agreed_rate": 60, "at": at(), "day_totals": {"count": 0, "amount": 0},
    })
}

fn route() -> Json {
    json!({
        "mch_id": "M1", "category": null, "store_id": "S1", "amount": 1_280, "at": at(), "draw": 0, "chosen": null,
        "preferred": null, "ways": [],
    })
}

fn way(number: usize) -> Json {
    json!({
        "channel": "wechat", "account": format!("A{number}"), "weight": 1, "cost_rate": 20,
        "health": {"breaker": "closed", "answered_permille": null, "latency_ms": null},
    })
}

fn request() -> Json {
    json!({"mch_id": "M1", "action": "open", "uid": "U1", "phone": null, "request_no": "R1", "at": at()})
}

fn reply() -> Json {
    json!({"action": "open", "status": 200, "json": {}, "text": ""})
}

/// A routing question; each of its ways is filled up too, and gets a mandate that no script sees.
fn ways(question: &Json) -> Result<Json, String> {
    let mut question = question.clone();
    let given = question.as_object_mut().and_then(|fields| fields.remove("ways"));
    let mut made = merged(route(), &question, "question")?;
    let given = match given {
        Some(Json::Array(ways)) => ways,
        Some(Json::Object(none)) if none.is_empty() => Vec::new(),
        Some(_) => return Err("question.ways must be a list".to_owned()),
        None => vec![json!({"channel": "wechat"}), json!({"channel": "alipay"})],
    };
    let mut ways = Vec::with_capacity(given.len());
    for (place, given) in given.iter().enumerate() {
        let number = place.saturating_add(1);
        let mut way = merged(way(number), given, &format!("question.ways[{number}]"))?;
        way["mandate"] = json!(MandateId(format!("D{number}")));
        ways.push(way);
    }
    made["ways"] = Json::Array(ways);
    Ok(made)
}

fn code(question: &Json) -> Result<CodeQuestion, String> {
    typed(merged(json!({"prefix": "77", "kind": "online"}), question, "question")?)
}

fn scanned(question: &Json) -> Result<ScanQuestion, String> {
    let example = json!({"prefix": "77", "kind": "online", "scanned": ""});
    let made = merged(example, question, "question")?;
    Ok(ScanQuestion {
        code: CodeQuestion {
            prefix: typed(made["prefix"].clone())?,
            kind: typed::<CodeType>(made["kind"].clone())?,
        },
        scanned: typed(made["scanned"].clone())?,
    })
}

/// The example with a case's own fields in place of its own. A field that the example has not is refused: it would be misspelt.
fn merged(example: Json, given: &Json, path: &str) -> Result<Json, String> {
    let Json::Object(mut made) = example else {
        return Ok(given.clone());
    };
    let Json::Object(given) = given else {
        return Err(format!("{path} must be a table"));
    };
    for (name, value) in given {
        let path = format!("{path}.{name}");
        let example = made.get(name).cloned();
        let value = match (name.as_str(), example) {
            (_, None) => return Err(format!("{path} is not known")),
            ("at", _) => json!(moment(value, &path)?),
            // A document of the merchant's, not of ours.
            ("json", _) => value.clone(),
            (_, Some(example @ Json::Object(_))) => merged(example, value, &path)?,
            (_, Some(_)) => value.clone(),
        };
        made.insert(name.clone(), value);
    }
    Ok(Json::Object(made))
}

/// A moment as tests write it: `2026-11-27 08:30:00` in China time.
fn moment(value: &Json, path: &str) -> Result<Time, String> {
    let text = value.as_str().unwrap_or_default();
    Time::parse_china(text, "%Y-%m-%d %H:%M:%S")
        .ok_or_else(|| format!("{path} must be China time written like \"2026-11-27 08:30:00\""))
}

/// A shaped call as the script wrote it.
fn call(call: &MembershipCall) -> Result<Json, String> {
    let fields = |fields: &[(String, String)]| -> Map<String, Json> {
        fields
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect()
    };
    let mut made = json!({
        "method": call.method, "path": call.path, "query": fields(&call.query), "headers": call.headers, "sign": call.sign,
    });
    match &call.body {
        CallBody::None => {}
        CallBody::Json(document) => made["json"] = document.clone(),
        CallBody::Form(form) => made["form"] = Json::Object(fields(form)),
        CallBody::Xml(text) => made["xml"] = json!(text),
    }
    Ok(made)
}
