//! Secrets, codes and personal data: in no error and no log, whatever went wrong before.

use anyhow::Result;

use super::property;
use crate::report::Findings;
use crate::stage::bench::Bench;
use crate::suite::Property;

pub(super) const PROPERTIES: &[Property] = &[
    property!(
        "secret.errors",
        Last,
        ["C8", "P1"],
        "no error of the whole run shows a secret, a handle, a payer or a code",
        errors
    ),
    property!(
        "secret.logs",
        Last,
        ["C8", "P1"],
        "nothing that was logged in the whole run shows a secret, a handle, a payer or a code",
        logs
    ),
];

/// Whether a text shows a secret: as it is, or a line of it where it has several.
pub(super) fn leaks(text: &str, secret: &str) -> bool {
    let tokens = secret.lines().map(str::trim);
    let mut tokens = tokens.filter(|token| token.len() >= 6 && !token.starts_with("-----"));
    tokens.any(|token| text.contains(token))
}

fn confidential(bench: &Bench) -> Vec<(String, String)> {
    let mut all = super::configuration::secrets(bench);
    all.extend(bench.met().into_iter().map(|text| {
        let name = "a handle, payer or code".to_owned();
        (name, text)
    }));
    all
}

async fn errors(bench: &Bench, found: &Findings) -> Result<()> {
    let errors = bench.errors();
    for (name, value) in confidential(bench) {
        let shown = errors.iter().find(|error| leaks(error, &value));
        found.must(shown.is_none(), || {
            let error = shown.map(|error| error.replace(&value, "***"));
            format!("{name} is shown in {:?}", error.unwrap_or_default())
        });
    }
    Ok(())
}

async fn logs(bench: &Bench, found: &Findings) -> Result<()> {
    if !bench.log.hears() {
        found.skip("another listener was set before the suite; its logs cannot be heard");
        return Ok(());
    }
    let logged = bench.log.text();
    for (name, value) in confidential(bench) {
        let shown = logged.lines().find(|line| leaks(line, &value));
        found.must(shown.is_none(), || {
            let line = shown.map(|line| line.replace(&value, "***"));
            format!("{name} is shown in {:?}", line.unwrap_or_default())
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_several_lines_leaks_by_any_of_them() {
        let pem = "-----BEGIN KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0B\n-----END KEY-----\n";
        assert!(leaks("key BgkqhkiG9w0B here", pem));
        assert!(!leaks("-----BEGIN KEY-----", pem));
        assert!(leaks("xcanary1x", "canary1"));
    }
}
