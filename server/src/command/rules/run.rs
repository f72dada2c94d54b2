//! Asking a script one question.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use metropay_core::id::PayNo;
use metropay_core::rule;
use metropay_core::rules::fee::FeeQuestion;
use metropay_core::rules::membership::MembershipQuestion;
use metropay_core::rules::route::RouteQuestion;
use metropay_core::rules::{Kind, Rules};
use metropay_scripts::LuauRules;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::file::{self, Read};
use super::{Desk, FileArguments};

/// Which script, and what it is asked.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The script.
    script: PathBuf,
    #[command(flatten)]
    file: FileArguments,
    /// What it is asked, as JSON: fields that differ from an ordinary question.
    #[arg(long, conflicts_with = "payment")]
    question: Option<String>,
    /// What this payment was asked.
    #[arg(long)]
    payment: Option<String>,
}

/// Asks, and prints the answer.
pub(super) async fn run(desk: &Desk<'_>, arguments: Arguments) -> Result<ExitCode> {
    let Read { script, .. } = file::read(&arguments.script, &arguments.file)?;
    let rules = LuauRules::new();
    let mut question = ordinary(script.kind);
    if let Some(pay_no) = arguments.payment {
        let engine = desk.engine().await?;
        question = rule::asked_of(&engine, &PayNo(pay_no), script.kind)
            .await?
            .context("这笔订单没有这种规则的提问 / this payment was asked no such question")?;
    }
    if let Some(text) = arguments.question {
        let fields: Value = serde_json::from_str(&text).context("--question")?;
        merge(&mut question, fields);
    }
    let answer = match script.kind {
        Kind::Fee => shown(rules.fee(&script, &typed::<FeeQuestion>(question)?)?)?,
        Kind::Routing => shown(rules.route(&script, &typed::<RouteQuestion>(question)?)?)?,
        Kind::Membership => shown(rules.membership_call(&script, &typed::<MembershipQuestion>(question)?)?)?,
        Kind::Code => {
            let form = rules.form(&script, &desk.config()?.code.question()?)?;
            let example = form.issue(&metropay_core::random::SystemRandom);
            json!({
                "example": example,
                "length": example.len(),
                "life_s": form.life().as_secs(),
                "symbology": form.symbology(),
            })
        }
    };
    println!("{}", serde_json::to_string_pretty(&answer)?);
    Ok(ExitCode::SUCCESS)
}

fn shown(answer: impl Serialize) -> Result<Value> {
    Ok(serde_json::to_value(answer)?)
}

fn typed<T: DeserializeOwned>(question: Value) -> Result<T> {
    match serde_json::from_value(question) {
        Ok(question) => Ok(question),
        Err(error) => bail!("--question: {error}"),
    }
}

/// An ordinary question: what is not said otherwise.
fn ordinary(kind: Kind) -> Value {
    let at = 1_785_542_400_000_i64;
    let health = json!({ "breaker": "closed", "answered_permille": 1000, "latency_ms": 120 });
    match kind {
        Kind::Fee => json!({
            "mch_id": "M10001", "category": null, "store_id": "SZTX001", "channel": "wechat", "account": "wechat-M10001",
            "product": "mandate", "amount": 1000, "agreed_rate": 60, "at": at, "day_totals": null,
        }),
        Kind::Routing => json!({
            "mch_id": "M10001", "category": null, "store_id": "SZTX001", "amount": 1000, "at": at, "draw": 0,
            "chosen": null, "preferred": null,
            "ways": [
                { "channel": "wechat", "account": "wechat-M10001", "mandate": "1", "health": health, "weight": 100, "cost_rate": 20 },
                { "channel": "alipay", "account": "alipay-M10001", "mandate": "2", "health": health, "weight": 100, "cost_rate": 25 },
            ],
        }),
        Kind::Membership => json!({
            "mch_id": "M10001", "action": "open", "uid": "U10001", "phone": "13800000001", "request_no": "1", "at": at,
        }),
        Kind::Code => Value::Null,
    }
}

/// Puts fields over those of a question; what is an object goes in field by field.
fn merge(question: &mut Value, fields: Value) {
    match (question, fields) {
        (Value::Object(question), Value::Object(fields)) => {
            for (name, value) in fields {
                merge(question.entry(name).or_insert(Value::Null), value);
            }
        }
        (question, value) => *question = value,
    }
}
