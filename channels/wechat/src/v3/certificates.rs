//! The keys by which the channel is recognised: the configured public key, and platform certificates that are fetched, kept
//! and replaced as the channel changes them (wechat reference, 1.8).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metropay_core::channel::CallError;
use metropay_core::clock::Time;
use metropay_outbound::Answer;

use super::aead::Aead;
use super::call::{Client, headers};
use super::json::Json;
use super::platform_key::PlatformKey;
use super::verify::{Seal, Unverified};
use crate::call::maybe;

const PATH: &str = "/v3/certificates";

/// Certificates kept; an account has two while the channel changes them.
const KEPT_MAX: usize = 16;

/// How old the list may become. The channel tells of a new certificate at least a day before it signs with it.
const REFRESH_AFTER: Duration = Duration::from_secs(12 * 3_600);

/// Between two attempts: whoever sends us unknown serial numbers must not make us hammer the channel.
const BETWEEN: Duration = Duration::from_secs(60);

/// The keys of one account.
#[derive(Debug)]
pub(super) struct Platform {
    /// The WeChat Pay public key.
    public: Option<Arc<PlatformKey>>,
    fetched: Mutex<Vec<Arc<PlatformKey>>>,
    /// Held while certificates are fetched: one at a time.
    fetches: tokio::sync::Mutex<Fetches>,
}

#[derive(Debug, Default)]
struct Fetches {
    tried_at: Option<Time>,
    fetched_at: Option<Time>,
}

impl Platform {
    pub(super) fn new(public: Option<PlatformKey>) -> Self {
        Self {
            public: public.map(Arc::new),
            fetched: Mutex::default(),
            fetches: tokio::sync::Mutex::default(),
        }
    }

    /// The id that requests name, where the account works with the public key.
    pub(super) fn public_id(&self) -> Option<&str> {
        self.public.as_deref().map(|key| key.id.as_str())
    }

    fn known(&self, serial: &str, now: Time) -> Option<Arc<PlatformKey>> {
        let fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.public.iter().chain(fetched.iter());
        all.find(|key| key.id == serial && key.lives(now)).cloned()
    }

    fn any(&self, now: Time) -> bool {
        let fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        self.public.is_some() || fetched.iter().any(|key| key.lives(now))
    }

    fn keep(&self, keys: Vec<PlatformKey>) {
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        *fetched = keys.into_iter().map(Arc::new).collect();
    }
}

/// The certificates in the channel's answer, those that live longest first; `None` when any of it is not what the owner of
/// the APIv3 key wrote.
pub(crate) fn listed(body: &Json, aead: &Aead, now: Time) -> Option<Vec<PlatformKey>> {
    let mut keys = Vec::new();
    for entry in body.list("/data")? {
        let plain = aead.open_object(&entry.part("/encrypt_certificate")?)?;
        let key = PlatformKey::certificate(std::str::from_utf8(&plain).ok()?)?;
        if entry.text("/serial_no") != Some(key.id.as_str()) {
            return None;
        }
        // One that has ended may still be listed; one that begins later will be used.
        if now <= key.ends() {
            keys.push(key);
        }
    }
    keys.sort_by_key(|key| std::cmp::Reverse(key.ends()));
    keys.truncate(KEPT_MAX);
    Some(keys)
}

impl Client {
    /// Sees to it that an answer can be verified before anything is asked.
    ///
    /// # Errors
    /// [`CallError::NotSent`] when there is no key: the call that needs one was not sent.
    pub(super) async fn ready(&self) -> Result<(), CallError> {
        let now = self.clock.now();
        if self.platform.any(now) {
            return Ok(());
        }
        let fetches = self.platform.fetches.lock().await;
        if !self.platform.any(now) {
            self.renew_or_warn(fetches).await;
        }
        if self.platform.any(now) {
            Ok(())
        } else {
            Err(CallError::NotSent(
                "there is no platform certificate that could verify the answer".to_owned(),
            ))
        }
    }

    /// Sees to it that the list does not grow old. Questions do this, and calls that move money do not: they wait for nothing
    /// that they can do without.
    pub(super) async fn refresh(&self) {
        let now = self.clock.now();
        // Whoever holds the lock is fetching already.
        if self.platform.public.is_none()
            && let Ok(fetches) = self.platform.fetches.try_lock()
            && fetches.fetched_at.is_some_and(|at| now.since(at) >= REFRESH_AFTER)
        {
            self.renew_or_warn(fetches).await;
        }
    }

    /// The key that a message names. An unknown one is asked for, once and not too often.
    ///
    /// # Errors
    /// [`Unverified::UnknownKey`] when the channel has no such key.
    pub(super) async fn key(&self, serial: &str) -> Result<Arc<PlatformKey>, Unverified> {
        let now = self.clock.now();
        if let Some(key) = self.platform.known(serial, now) {
            return Ok(key);
        }
        let fetches = self.platform.fetches.lock().await;
        // Somebody else may have fetched it in the meantime.
        if self.platform.known(serial, now).is_none() {
            self.renew_or_warn(fetches).await;
        }
        self.platform.known(serial, now).ok_or(Unverified::UnknownKey)
    }

    async fn renew_or_warn(&self, fetches: tokio::sync::MutexGuard<'_, Fetches>) {
        if let Err(error) = self.renew(fetches).await {
            tracing::warn!(%error, "the platform certificates of WeChat Pay could not be fetched");
        }
    }

    async fn renew(&self, mut fetches: tokio::sync::MutexGuard<'_, Fetches>) -> Result<(), CallError> {
        let now = self.clock.now();
        if fetches.tried_at.is_some_and(|at| now.since(at) < BETWEEN) {
            return Err(CallError::NotSent("they were asked for just now".to_owned()));
        }
        fetches.tried_at = Some(now);
        let answer = self.fetch(PATH, self.query_timeout).await?;
        let keys = self.bootstrap(&answer).map_err(|error| maybe(error.to_string()))?;
        self.platform.keep(keys);
        fetches.fetched_at = Some(now);
        Ok(())
    }

    /// Reads a list of certificates. The first one can be verified only by what it holds: it is decrypted first, and that only
    /// the owner of the APIv3 key could have encrypted it is its authentication; the signature is checked none the less.
    fn bootstrap(&self, answer: &Answer) -> Result<Vec<PlatformKey>, Unverified> {
        let seal = Seal::read(headers(answer))?;
        let now = self.clock.now();
        seal.fresh(now)?;
        let body = Json::read(&answer.body).filter(|_| answer.status == http::StatusCode::OK);
        let keys = body.and_then(|body| listed(&body, &self.credentials.aead, now));
        let keys = keys.ok_or(Unverified::UnknownKey)?;
        let known = self.platform.known(&seal.serial, now);
        let listed = || keys.iter().find(|key| key.id == seal.serial && key.lives(now));
        let key = known.as_deref().or_else(listed).ok_or(Unverified::UnknownKey)?;
        seal.verify(key, &answer.body)?;
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{V3_KEY, block};
    use super::*;

    const NOW: Time = Time(1_740_812_400_000);

    fn read(body: &str) -> Option<Vec<PlatformKey>> {
        listed(&Json::read(body.as_bytes())?, &Aead::new(V3_KEY)?, NOW)
    }

    #[test]
    fn vector_c19_is_the_platform_certificate() {
        let keys = read(block("C19")["body"]).unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].id, "5B2E8F4A6C0D1357BDF02468ACE13579BDF02468");
        assert!(keys[0].lives(NOW));
    }

    #[test]
    fn a_list_that_is_not_whole_and_ours_is_none() {
        let c19 = block("C19")["body"];
        assert_eq!(read("{\"data\":[]}").map(|keys| keys.len()), Some(0));
        for forged in [
            c19.replace("\"5B2E", "\"5B2F"),
            c19.replace("c19nonce0001", "c19nonce0002"),
            c19.replace("\"certificate\"", "\"refund\""),
            c19.replace("syLbw85", "syLbw84"),
            c19.replace("}}]}", "}},1]}"),
            "{}".to_owned(),
            "{\"data\":{}}".to_owned(),
        ] {
            assert!(read(&forged).is_none(), "{forged}");
        }
    }

    #[test]
    fn an_expired_certificate_is_dropped() {
        let body = Json::read(block("C19")["body"].as_bytes()).unwrap();
        let late = Time::parse_china("20500101080000", "%Y%m%d%H%M%S").unwrap();
        let keys = listed(&body, &Aead::new(V3_KEY).unwrap(), late).unwrap();
        assert!(keys.is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_fall(text in "\\{\"data\":\\[(\\{\"serial_no\":\"[0-9A-F]{0,4}\",\"encrypt_certificate\":\\{\"nonce\":\"[a-z]{0,13}\",\"ciphertext\":\"[A-Za-z=]{0,9}\"\\}\\},?){0,3}\\]\\}") {
            let _ = read(&text);
        }
    }
}
