//! Where traces go, and how many.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use url::Url;

/// Traces by OpenTelemetry's protocol over HTTP. Without an endpoint there are none.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TracesConfig {
    /// The collector's address, to which `/v1/traces` is added; empty means that nothing is traced.
    pub endpoint: String,
    /// Of how many of our own beginnings a trace is kept: from 0 to 1.
    pub sample_ratio: f64,
    /// Under which name this service is known to the collector.
    pub service_name: String,
}

/// Letters of a service's name at most.
const NAME_MAX: usize = 64;

impl Default for TracesConfig {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            sample_ratio: 0.01,
            service_name: "metropay".to_owned(),
        }
    }
}

impl TracesConfig {
    /// Where batches of spans are sent; nothing where nothing is traced.
    ///
    /// # Errors
    /// When the section cannot work; the text says which field and why.
    pub fn target(&self) -> Result<Option<Url>> {
        ensure!(
            (0.0..=1.0).contains(&self.sample_ratio),
            "traces.sample_ratio must be from 0 to 1"
        );
        let name = &self.service_name;
        ensure!(
            !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(|b| b.is_ascii_graphic()),
            "traces.service_name must be 1 to {NAME_MAX} letters without blanks"
        );
        if self.endpoint.is_empty() {
            return Ok(None);
        }
        // The text itself is not repeated: a secret may have been put into it.
        let url = Url::parse(&self.endpoint).context("traces.endpoint is no address")?;
        ensure!(
            matches!(url.scheme(), "http" | "https") && url.has_host(),
            "traces.endpoint must be an http:// or https:// address"
        );
        ensure!(
            url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none(),
            "traces.endpoint must hold no name, password, query or fragment"
        );
        let target = format!("{}/v1/traces", url.as_str().trim_end_matches('/'));
        Ok(Some(Url::parse(&target).context("traces.endpoint")?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(endpoint: &str) -> TracesConfig {
        TracesConfig {
            endpoint: endpoint.to_owned(),
            ..TracesConfig::default()
        }
    }

    #[test]
    fn off_by_default_and_sent_to_the_path_of_the_protocol() {
        assert_eq!(TracesConfig::default().target().unwrap(), None);
        for (endpoint, target) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            (
                "https://collector.example.com/tenant/",
                "https://collector.example.com/tenant/v1/traces",
            ),
        ] {
            assert_eq!(to(endpoint).target().unwrap().unwrap().as_str(), target);
        }
    }

    #[test]
    fn what_cannot_work_is_refused_by_name_and_no_secret_is_repeated() {
        let ratio = |sample_ratio| TracesConfig {
            sample_ratio,
            ..TracesConfig::default()
        };
        let named = |name: &str| TracesConfig {
            service_name: name.to_owned(),
            ..TracesConfig::default()
        };
        let bad = [
            (ratio(1.5), "sample_ratio"),
            (ratio(-0.1), "sample_ratio"),
            (ratio(f64::NAN), "sample_ratio"),
            (named(""), "service_name"),
            (named("two words"), "service_name"),
            (to("collector:4318"), "endpoint"),
            (to("file:///tmp/x"), "endpoint"),
            (to("http://me:canary-7f3a@collector:4318"), "endpoint"),
            (to("http://collector/?key=canary-7f3a"), "endpoint"),
        ];
        for (config, field) in bad {
            let refused = format!("{:#}", config.target().unwrap_err());
            assert!(refused.contains(&format!("traces.{field}")), "{refused}");
            assert!(!refused.contains("canary"), "{refused}");
        }
    }
}
