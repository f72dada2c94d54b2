//! The configuration: described for a console's form, refused with words that name the field and never a value, cheap to use.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use metropay_core::channel::{ChannelFactory, RegistryError};
use serde_json::{Map, Value, json};

use super::property;
use crate::report::{Findings, Row};
use crate::stage::bench::Bench;
use crate::suite::Property;

pub(super) const PROPERTIES: &[Property] = &[
    property!(
        "config.described",
        Now,
        [],
        "the schema describes every field with a title, refuses others, and marks secrets write-only",
        described
    ),
    property!(
        "config.refused",
        Now,
        ["C8"],
        "unknown, missing and wrong fields are refused by name, and no value is shown",
        refused
    ),
    property!(
        "config.built-twice",
        Now,
        [],
        "building an adapter again is cheap, and asks nobody",
        built_twice
    ),
    property!(
        "config.cadence",
        Now,
        ["C3"],
        "cadences are there, grow from seconds, and silence proves something before the platform revokes for good",
        cadence
    ),
    property!(
        "config.debug",
        Last,
        ["C8"],
        "the configuration does not show its secrets when printed",
        debug
    ),
];

/// How long one building may take, in a build without optimisation.
const BUILD_MAX: Duration = Duration::from_millis(150);

pub(super) fn schema(bench: &Bench) -> Value {
    let schema = bench.registry.schema(&bench.id);
    schema.map(schemars::Schema::to_value).unwrap_or_default()
}

fn fields(schema: &Value) -> Map<String, Value> {
    let fields = schema.get("properties").and_then(Value::as_object);
    fields.cloned().unwrap_or_default()
}

/// Whether a field is declared as secret: directly, or as something that may be absent.
fn is_secret(field: &Value) -> bool {
    let own = field.get("writeOnly") == Some(&Value::Bool(true));
    let any = field.get("anyOf").and_then(Value::as_array);
    own || any.is_some_and(|all| all.iter().any(is_secret))
}

/// The values of the secret fields of a configuration.
pub(super) fn secrets(bench: &Bench) -> Vec<(String, String)> {
    let schema = schema(bench);
    let mut secrets = Vec::new();
    for config in [&bench.config, &bench.other] {
        for (name, field) in fields(&schema) {
            if let (true, Some(value)) = (is_secret(&field), config.get(&name).and_then(Value::as_str)) {
                secrets.push((name, value.to_owned()));
            }
        }
    }
    secrets
}

async fn described(bench: &Bench, found: &Findings) -> Result<()> {
    let schema = schema(bench);
    found.must(schema.get("title").is_some_and(Value::is_string), || {
        "the schema has no title".to_owned()
    });
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    found.must(closed, || "the schema takes unknown fields".to_owned());
    let fields = fields(&schema);
    found.must(!fields.is_empty(), || "the schema has no fields".to_owned());
    for (name, field) in &fields {
        let titled = field
            .get("title")
            .and_then(Value::as_str)
            .is_some_and(|title| !title.is_empty() && title != name);
        found.must(titled, || format!("{name} has no title"));
    }
    for name in bench.config.as_object().into_iter().flat_map(Map::keys) {
        found.must(fields.contains_key(name), || {
            format!("{name} is configured and not described")
        });
    }
    found.must(!secrets(bench).is_empty(), || {
        "no field of the configuration is marked as secret".to_owned()
    });
    Ok(())
}

/// Builds with one field changed, and answers what was said.
fn changed(bench: &Bench, name: &str, value: Option<Value>) -> Option<RegistryError> {
    let mut config = bench.config.clone();
    if let Some(fields) = config.as_object_mut() {
        match value {
            Some(value) => fields.insert(name.to_owned(), value),
            None => fields.remove(name),
        };
    }
    bench.build(config, bench.mailbox.url(0)).err()
}

async fn refused(bench: &Bench, found: &Findings) -> Result<()> {
    let schema = schema(bench);
    let canary = "canary-7f3a9c51e2";
    let says = |what: &str, name: &str, error: Option<RegistryError>| match error {
        None => found.must(false, || format!("{what} is accepted")),
        Some(error) => {
            let text = format!("{error} {error:?}");
            found.must(text.contains(name), || format!("{what} is not named: {text}"));
            found.must(!text.contains(canary), || format!("{what} is shown: {text}"));
            for (secret, value) in secrets(bench) {
                found.must(!text.contains(&value), || format!("{what} shows {secret}"));
            }
        }
    };
    let error = changed(bench, "no_such_field", Some(json!(canary)));
    says("an unknown field", "no_such_field", error);
    let required = schema
        .get("required")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for name in required.iter().filter_map(Value::as_str) {
        says(&format!("{name} missing"), name, changed(bench, name, None));
        says(
            &format!("{name} as an object"),
            name,
            changed(bench, name, Some(json!({ canary: canary }))),
        );
    }
    for (name, field) in fields(&schema) {
        let given = bench.config.get(&name).is_some();
        if given && is_secret(&field) {
            let error = changed(bench, &name, Some(json!(canary)));
            says(&format!("{name} as nonsense"), &name, error);
        }
    }
    Ok(())
}

async fn built_twice(bench: &Bench, found: &Findings) -> Result<()> {
    let lane = bench.lane().await?;
    // One building warms up what the process needs once.
    lane.rebuilt(bench)?;
    let begin = tokio::time::Instant::now();
    for _ in 0..4 {
        lane.rebuilt(bench)?;
    }
    let each = begin.elapsed().checked_div(4).unwrap_or_default();
    found.must(each <= BUILD_MAX, || format!("building takes {each:?}"));
    found.must(lane.wire.begun() == 0, || {
        "building an adapter asks the gateway".to_owned()
    });
    Ok(())
}

async fn cadence(bench: &Bench, found: &Findings) -> Result<()> {
    use metropay_core::channel::Product;

    let lane = bench.lane().await?;
    for product in [Product::Mandate, Product::PaymentCode] {
        if product == Product::PaymentCode && lane.channel.code_pay().is_none() {
            continue;
        }
        let cadence = lane.channel.cadence(product);
        for (what, waits) in [("payment", &cadence.payment), ("refund", &cadence.refund)] {
            let right = !waits.is_empty() && waits.iter().all(|wait| !wait.is_zero()) && waits.is_sorted();
            found.must(right, || format!("the {what} cadence of {product:?} is {waits:?}"));
        }
        let sane = !cadence.absence_proves_after.is_zero() && !cadence.revoke_after.is_zero();
        found.must(sane, || format!("{cadence:?}"));
    }
    Ok(())
}

/// Its case is added by [`Shown`], which knows the configuration's type.
async fn debug(_: &Bench, _: &Findings) -> Result<()> {
    Ok(())
}

/// How a configuration prints itself: the one thing that needs its type.
pub(super) struct Shown;

impl Shown {
    pub(super) fn of<F: ChannelFactory>() -> Self
    where
        F::Config: fmt::Debug,
    {
        Self
    }

    /// Fills in the line of `config.debug`.
    pub(super) fn judge<F: ChannelFactory>(&self, bench: &Bench, rows: &mut [(usize, Row)])
    where
        F::Config: fmt::Debug,
    {
        let found = Findings::default();
        match serde_json::from_value::<F::Config>(bench.config.clone()) {
            Err(_) => found.broke("the configuration cannot be read".to_owned()),
            Ok(config) => {
                let shown = format!("{config:?} {config:#?}");
                for (name, value) in secrets(bench) {
                    found.must(!super::secrets::leaks(&shown, &value), || {
                        format!("{name} is shown when the configuration is printed")
                    });
                }
            }
        }
        for (_, row) in rows.iter_mut().filter(|(_, row)| row.id == "config.debug") {
            *row = found.row(row.id, row.says);
        }
    }
}
