//! What sends text messages: nothing, where no provider is linked, or a log, for demonstrations.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use metropay_core::secret::Secret;
use metropay_core::sms::{CallError, NoSms, Sms, SmsMessage};
use serde::Deserialize;

/// What sends text messages.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmsConfig {
    /// Which provider.
    pub provider: SmsProvider,
    /// Where `log` writes messages, one a line, beside the log.
    pub file: Option<PathBuf>,
}

/// The linked providers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmsProvider {
    /// None: whoever needs a message is told that it cannot be sent.
    #[default]
    None,
    /// The log of this process; for demonstrations alone.
    Log,
}

impl SmsConfig {
    /// What sends.
    pub fn sender(&self) -> Arc<dyn Sms> {
        match self.provider {
            SmsProvider::None => Arc::new(NoSms),
            SmsProvider::Log => Arc::new(LogSms {
                file: self.file.clone(),
            }),
        }
    }
}

struct LogSms {
    file: Option<PathBuf>,
}

#[async_trait]
impl Sms for LogSms {
    async fn send(&self, phone: &Secret, message: &SmsMessage) -> Result<(), CallError> {
        let SmsMessage::PhoneCode { code, minutes } = message;
        let (phone, code) = (phone.expose(), code.expose());
        tracing::info!("demonstration: text message to {phone}: {code}, good for {minutes} minutes");
        let Some(file) = &self.file else { return Ok(()) };
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(file)?;
            writeln!(file, "{phone} {code}")
        };
        write().map_err(|error| CallError::NotSent(format!("the file of messages: {error}")))
    }
}
