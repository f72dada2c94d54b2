//! UnionPay's encryption certificate: to whom sensitive fields are encrypted, and how it is renewed.
//!
//! UnionPay reference, 1.12 and 1.13. The certificate changes from time to time, and the old one is good for another month: so
//! it is kept in memory, fetched where it is missing or over, and where it is used, asked for again once a day.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use metropay_core::channel::{CallError, Called, ConfigError, Outcome};
use metropay_core::clock::Time;

use crate::Unionpay;
use crate::account::wrong;
use crate::call::{BACK, Kind, OrderKey};
use crate::certificate::{Distrust, Life};
use crate::codes::{Verdict, verdict};
use crate::trust::Trust;

/// The kind of certificate that card data is encrypted to.
const CARD_DATA: &str = "01";

/// How long a certificate is used before UnionPay is asked whether it is still the one.
const RENEW_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// What a renewal found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// The certificate is the one that was known.
    Same,
    /// There is a new one, used from now on.
    Changed,
}

/// A key to encrypt to.
pub(crate) struct SealingKey {
    /// The `encryptCertId`: the certificate's serial number as an unsigned decimal.
    pub(crate) cert_id: String,
    key: Pkcs1PublicEncryptingKey,
    life: Life,
}

/// Something that cannot be encrypted: longer than the key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sensitive field is too long to be encrypted")]
pub(crate) struct TooLong;

impl SealingKey {
    /// Base64 of the text, encrypted by RSA with PKCS#1 v1.5 padding: what the gateway expects.
    ///
    /// # Errors
    /// [`TooLong`].
    pub(crate) fn seal(&self, text: &str) -> Result<String, TooLong> {
        let mut sealed = vec![0; self.key.ciphertext_size()];
        let sealed = self.key.encrypt(text.as_bytes(), &mut sealed).map_err(|_| TooLong)?;
        Ok(BASE64.encode(sealed))
    }
}

/// The encryption certificate as far as it is known.
pub(crate) struct Encryption {
    /// Nothing with a shared secret and no authorities: then no certificate can be verified.
    trust: Option<Arc<Trust>>,
    kept: Mutex<Kept>,
}

struct Kept {
    key: Option<Arc<SealingKey>>,
    /// When it was asked for last, or configured.
    asked_at: Time,
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption").finish_non_exhaustive()
    }
}

impl Encryption {
    /// Begins with the configured certificate, if there is one. One that is over is left aside: it will be fetched.
    ///
    /// # Errors
    /// [`ConfigError`] when it is unreadable or not UnionPay's.
    pub(crate) fn new(trust: Option<Arc<Trust>>, pem: &str, now: Time) -> Result<Self, ConfigError> {
        let encryption = Self {
            trust,
            kept: Mutex::new(Kept {
                key: None,
                asked_at: now,
            }),
        };
        if !pem.trim().is_empty() {
            match encryption.read(pem, now) {
                Ok(key) => encryption.kept().key = Some(Arc::new(key)),
                Err(Distrust::Expired) => {}
                Err(distrust) => return Err(wrong("encrypt_cert_pem", &distrust.to_string())),
            }
        }
        Ok(encryption)
    }

    fn read(&self, pem: &str, now: Time) -> Result<SealingKey, Distrust> {
        let trust = self.trust.as_ref().ok_or(Distrust::Chain)?;
        let genuine = trust.genuine(pem, now)?;
        let key = PublicEncryptingKey::from_der(&genuine.key_info).map_err(|_| Distrust::Unreadable)?;
        let key = Pkcs1PublicEncryptingKey::new(key).map_err(|_| Distrust::Unreadable)?;
        Ok(SealingKey {
            cert_id: genuine.serial,
            key,
            life: genuine.life,
        })
    }

    pub(crate) fn known(&self, now: Time) -> Option<Arc<SealingKey>> {
        self.kept().key.clone().filter(|key| key.life.holds(now))
    }

    /// Whether a day has passed since it was asked for. Whoever is told so asks; nobody else is until the next day, because
    /// the present certificate stays good for a month whatever the answer is.
    fn is_due(&self, now: Time) -> bool {
        let mut kept = self.kept();
        let due = now >= kept.asked_at.plus(RENEW_AFTER);
        if due {
            kept.asked_at = now;
        }
        due
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unionpay {
    /// Asks UnionPay which certificate sensitive fields are to be encrypted to, and uses it from then on. Whatever seals
    /// something does this by itself: where none that is valid is known, and once a day.
    ///
    /// # Errors
    /// [`CallError`] without a believed answer or with a certificate that is not UnionPay's; the known one stays in use, and
    /// asking again is safe.
    pub async fn renew_encryption_certificate(&self) -> Called<Renewal> {
        let now = self.setting.clock.now();
        let order_id = format!("E{}{}", now.stamp(), self.setting.random.digits(12));
        let kind = Kind {
            txn_type: "95",
            txn_sub_type: "00",
            biz_type: "000000",
        };
        let key = OrderKey {
            order_id: &order_id,
            at: now,
        };
        let mut fields = self.message(kind, key);
        fields.insert("channelType".to_owned(), "07".to_owned());
        fields.insert("certType".to_owned(), CARD_DATA.to_owned());
        let answer = self.ask(BACK, fields, self.account.patience.query).await?;
        match verdict(answer.code(), answer.text()) {
            Verdict::Accepted => {}
            Verdict::Unknown => return Ok(Outcome::Pending),
            Verdict::Refused(why) => return Ok(Outcome::Refused(why)),
            Verdict::Unlisted => return Err(answer.useless()),
        }
        let pem = answer.get("encryptPubKeyCert").ok_or_else(|| answer.useless())?;
        let encryption = &self.account.encryption;
        let new = encryption.read(pem, now).map_err(|distrust| {
            CallError::MaybeDone(format!("the encryption certificate is not believed: {distrust}"))
        })?;
        let mut kept = encryption.kept();
        let known = kept.key.as_ref().is_some_and(|old| old.cert_id == new.cert_id);
        kept.key = Some(Arc::new(new));
        kept.asked_at = now;
        Ok(Outcome::Done(if known { Renewal::Same } else { Renewal::Changed }))
    }

    /// The key to encrypt to, fetched where none that is valid is known, and asked for again once a day (UnionPay reference,
    /// 1.13). Where that is answered by nothing of use, the one that is known goes on.
    ///
    /// # Errors
    /// [`CallError`] when it had to be fetched and was not handed out.
    pub(crate) async fn sealing(&self) -> Result<Arc<SealingKey>, CallError> {
        let known = || self.account.encryption.known(self.setting.clock.now());
        if let Some(key) = known() {
            if !self.account.encryption.is_due(self.setting.clock.now()) {
                return Ok(key);
            }
            let renewed = self.renew_encryption_certificate().await;
            if !matches!(renewed, Ok(Outcome::Done(_))) {
                tracing::warn!(
                    ?renewed,
                    "the encryption certificate is not renewed, the known one goes on"
                );
            }
            return Ok(known().unwrap_or(key));
        }
        let renewed = self.renew_encryption_certificate().await?;
        known().ok_or_else(|| CallError::MaybeDone(format!("no encryption certificate is handed out: {renewed:?}")))
    }
}
