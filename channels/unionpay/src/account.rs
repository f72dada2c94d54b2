//! An account's configuration, checked and parsed.
//!
//! UnionPay reference, 1.1, 1.4, 1.9 and 10.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveTime;
use metropay_core::channel::ConfigError;
use metropay_core::clock::Time;
use metropay_core::limit::SEND_LEASE;
use url::Url;

use crate::config::{SignMethod, UnionpayConfig};
use crate::encryption::Encryption;
use crate::form::read_domain;
use crate::pfx;
use crate::sign::Signing;
use crate::trust::Trust;

/// How long each kind of call may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) consume: Duration,
    pub(crate) back: Duration,
    pub(crate) query: Duration,
    pub(crate) file: Duration,
}

/// Where payments by code are taken.
#[derive(Debug)]
pub(crate) struct Terminal {
    pub(crate) term_id: String,
    /// In braces, as it stands on the wire.
    pub(crate) term_info: Option<String>,
}

/// The configuration, checked and parsed.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) mer_id: String,
    pub(crate) tr_id: String,
    /// `accessType` and, where it is 2, the second-level merchant: fields of every message.
    pub(crate) access: Vec<(&'static str, String)>,
    pub(crate) signing: Signing,
    pub(crate) encryption: Encryption,
    pub(crate) base_url: String,
    pub(crate) file_url: String,
    pub(crate) biz_type_back: String,
    pub(crate) biz_type_code_back: String,
    /// Nothing where the account takes no payments by code.
    pub(crate) terminal: Option<Terminal>,
    pub(crate) check_bill_totals: bool,
    pub(crate) clearing_cut: NaiveTime,
    pub(crate) patience: Patience,
}

impl UnionpayConfig {
    /// Checks every field and parses the keys.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first field that is wrong; secrets are never quoted.
    pub(crate) fn check(mut self, now: Time) -> Result<Account, ConfigError> {
        self.open_pfx()?;
        ensure(plain(&self.mer_id, 15..=15), "mer_id", "must be 15 letters or digits")?;
        ensure(plain(&self.tr_id, 1..=32), "tr_id", "must be letters or digits")?;
        for (field, biz_type) in [
            ("biz_type_back", &self.biz_type_back),
            ("biz_type_code_back", &self.biz_type_code_back),
        ] {
            let six_digits = biz_type.len() == 6 && biz_type.bytes().all(|byte| byte.is_ascii_digit());
            ensure(six_digits, field, "must be six digits")?;
        }
        let clearing_cut = NaiveTime::parse_from_str(&self.clearing_cut, "%H:%M")
            .map_err(|_| wrong("clearing_cut", "must be a time such as 23:00"))?;
        let trust = self.trust()?.map(Arc::new);
        let (base_url, file_url) = self.addresses(trust.as_deref())?;
        Ok(Account {
            access: self.access()?,
            signing: self.signing(trust.clone())?,
            encryption: Encryption::new(trust, &self.encrypt_cert_pem, now)?,
            base_url,
            file_url,
            terminal: self.terminal()?,
            patience: Patience {
                // The engine lets no one else send a payment within its lease: a call must have ended by then.
                consume: wait("consume_timeout_ms", self.consume_timeout_ms, SEND_LEASE)?,
                back: wait("back_timeout_ms", self.back_timeout_ms, Duration::from_secs(60))?,
                query: wait("query_timeout_ms", self.query_timeout_ms, Duration::from_secs(60))?,
                file: wait("file_timeout_ms", self.file_timeout_ms, Duration::from_secs(600))?,
            },
            check_bill_totals: self.check_bill_totals,
            clearing_cut,
            mer_id: self.mer_id,
            tr_id: self.tr_id,
            biz_type_back: self.biz_type_back,
            biz_type_code_back: self.biz_type_code_back,
        })
    }

    /// Puts what a PFX file holds where certificate and key stand otherwise.
    fn open_pfx(&mut self) -> Result<(), ConfigError> {
        let Some(pfx) = self.sign_pfx.take() else {
            return match self.sign_pfx_password {
                Some(_) => Err(wrong("sign_pfx", "is missing beside its password")),
                None => Ok(()),
            };
        };
        let alone = self.sign_key_pem.is_none() && self.sign_cert_pem.trim().is_empty();
        ensure(
            alone,
            "sign_pfx",
            "stands in the place of sign_cert_pem and sign_key_pem",
        )?;
        let password = self.sign_pfx_password.take();
        let password = password.ok_or_else(|| wrong("sign_pfx_password", "is missing"))?;
        let opened = pfx::open(&pfx, &password)?;
        self.sign_cert_pem = opened.certs_pem;
        self.sign_key_pem = Some(opened.key_pem);
        Ok(())
    }

    fn access(&self) -> Result<Vec<(&'static str, String)>, ConfigError> {
        let mut access = vec![("accessType", self.access_type.clone())];
        let sub = [
            ("sub_mer_id", "subMerId", &self.sub_mer_id, 5..=15),
            ("sub_mer_name", "subMerName", &self.sub_mer_name, 1..=40),
            ("sub_mer_abbr", "subMerAbbr", &self.sub_mer_abbr, 1..=16),
        ];
        match self.access_type.as_str() {
            "0" => {}
            "2" => {
                for (field, name, value, lengths) in sub {
                    let value = value
                        .clone()
                        .filter(|value| lengths.contains(&value.len()) && quiet(value));
                    let value = value.ok_or_else(|| {
                        wrong(
                            field,
                            "must be given for access type 2, within its length and without & = { } [ ] \" '",
                        )
                    })?;
                    access.push((name, value));
                }
            }
            _ => return Err(wrong("access_type", "must be 0 or 2")),
        }
        Ok(access)
    }

    /// The authorities. With a shared secret they are needed only to verify the encryption certificate.
    fn trust(&self) -> Result<Option<Trust>, ConfigError> {
        let none = self.root_certs_pem.trim().is_empty() && self.middle_certs_pem.trim().is_empty();
        if self.sign_method != SignMethod::Rsa && none {
            return Ok(None);
        }
        if self.sign_method == SignMethod::Rsa {
            ensure(!self.sign_cert_pem.trim().is_empty(), "sign_cert_pem", "is missing")?;
            ensure(self.sign_key_pem.is_some(), "sign_key_pem", "is missing")?;
        }
        Trust::new(&self.root_certs_pem, &self.middle_certs_pem, self.check_cn).map(Some)
    }

    fn signing(&self, trust: Option<Arc<Trust>>) -> Result<Signing, ConfigError> {
        let secret = || {
            let key = self.secure_key.as_ref();
            key.ok_or_else(|| wrong("secure_key", "is missing"))
        };
        match self.sign_method {
            SignMethod::Rsa => {
                let key = self.sign_key_pem.as_ref();
                let key = key.ok_or_else(|| wrong("sign_key_pem", "is missing"))?;
                let trust = trust.ok_or_else(|| wrong("root_certs_pem", "is missing"))?;
                Signing::rsa(&self.sign_cert_pem, key, trust)
            }
            SignMethod::Keyed => Ok(Signing::keyed(secret()?)),
            SignMethod::KeyedSm3 => Ok(Signing::keyed_sm3(secret()?)),
        }
    }

    fn terminal(&self) -> Result<Option<Terminal>, ConfigError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let term_id = given(&self.term_id);
        if let Some(term_id) = &term_id {
            ensure(plain(term_id, 8..=8), "term_id", "must be 8 letters or digits")?;
        }
        let term_info = given(&self.term_info).map(|info| format!("{{{info}}}"));
        if let Some(info) = &term_info {
            let pairs = read_domain(info).filter(|pairs| pairs.values().all(|value| quiet(value)));
            let readable = pairs.is_some_and(|pairs| !pairs.is_empty()) && info.len() <= 1024;
            ensure(readable, "term_info", "must be pairs such as name=value&name=value")?;
        }
        if !self.payment_code {
            return Ok(None);
        }
        let term_id = term_id.ok_or_else(|| wrong("term_id", "must be given where payment_code is on"))?;
        Ok(Some(Terminal { term_id, term_info }))
    }

    /// The gateway's address and the files'. UnionPay's own production hosts are believed in nothing that belongs to the
    /// test environment.
    fn addresses(&self, trust: Option<&Trust>) -> Result<(String, String), ConfigError> {
        let base = address("base_url", &self.base_url)?;
        let given = self.file_url.as_deref().filter(|url| !url.is_empty());
        let file = match (given, base.host_str()) {
            (Some(url), _) => address("file_url", url)?,
            (None, Some("gateway.95516.com")) => address("file_url", "https://filedownload.95516.com")?,
            (None, Some("gateway.test.95516.com")) => address("file_url", "https://filedownload.test.95516.com")?,
            (None, _) => address("file_url", &format!("{}/filedownload", bare(&base)))?,
        };
        let addresses = [("base_url", &base), ("file_url", &file)];
        let real = || addresses.into_iter().filter(|(_, url)| production(url));
        for (field, url) in real() {
            ensure(url.scheme() == "https", field, "must be https in production")?;
        }
        if real().next().is_some() {
            ensure(self.check_cn, "check_cn", "must be on in production")?;
            if let Some((field, name)) = trust.and_then(Trust::of_test) {
                let reason = format!("{name} is a test authority and must not stand in production");
                return Err(wrong(field, &reason));
            }
        }
        Ok((bare(&base), bare(&file)))
    }
}

fn address(field: &str, url: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(url).map_err(|_| wrong(field, "is no address"))?;
    let alone = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    ensure(
        matches!(url.scheme(), "https" | "http") && url.has_host() && alone,
        field,
        "must be an http(s) address without user, query and fragment",
    )?;
    Ok(url)
}

fn bare(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// Whether an address is UnionPay's own, outside its test environment.
fn production(url: &Url) -> bool {
    let host = url
        .host_str()
        .unwrap_or_default()
        .trim_end_matches('.')
        .to_ascii_lowercase();
    (host == "95516.com" || host.ends_with(".95516.com")) && !host.split('.').any(|label| label == "test")
}

/// Letters and digits only, so many of them.
pub(crate) fn plain(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Without the letters that the grammar of messages uses itself (UnionPay reference, 10).
pub(crate) fn quiet(text: &str) -> bool {
    !text
        .chars()
        .any(|letter| letter.is_control() || "&={}[]\"'".contains(letter))
}

fn wait(field: &str, ms: u32, below: Duration) -> Result<Duration, ConfigError> {
    let wait = Duration::from_millis(u64::from(ms));
    if wait >= Duration::from_millis(100) && wait < below {
        Ok(wait)
    } else {
        Err(ConfigError {
            field: field.to_owned(),
            reason: format!("must lie between 100 and {} ms", below.as_millis()),
        })
    }
}

fn ensure(fine: bool, field: &str, reason: &str) -> Result<(), ConfigError> {
    if fine { Ok(()) } else { Err(wrong(field, reason)) }
}

pub(crate) fn wrong(field: &str, reason: &str) -> ConfigError {
    ConfigError {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unionpays_own_hosts_outside_its_test_environment_are_production() {
        for (url, expected) in [
            ("https://gateway.95516.com", true),
            ("https://GATEWAY.95516.COM./x", true),
            ("https://filedownload.95516.com", true),
            ("https://95516.com", true),
            ("https://gateway.test.95516.com", false),
            ("https://filedownload.test.95516.com/", false),
            ("https://gateway.95516.com.example.test", false),
            ("https://a95516.com", false),
            ("http://127.0.0.1:8080/unionpay", false),
        ] {
            assert_eq!(production(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
