//! One APIv2 call: heads, signature, sending, and what of the answer may be believed (wechat reference, 1.3 and 1.4).

use std::sync::Arc;
use std::time::Duration;

use metropay_core::channel::{CallError, ConfigError, Setting};
use metropay_core::clock::Clock;
use metropay_core::random::Random;
use metropay_outbound::{Answer, Download, Outbound, OutboundSettings, Request};

use crate::account::{Account, wrong};
use crate::codes::{Failure, normal};
use crate::config::Mode;
use crate::sign::SignType;
use crate::xml::{MESSAGE_MAX, Message};

/// Letters of nonces.
const NONCE: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// An answer that could be read.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Signed, and the channel took the request.
    Taken(Message),
    /// Signed, and the channel did not do what was asked for.
    Failed(Failure, Message),
    /// `return_code=FAIL`: not signed, so it proves nothing about money; the text is for people.
    Unsigned(String),
}

impl Reply {
    /// The signed answer.
    ///
    /// # Errors
    /// [`CallError::MaybeDone`] for an unsigned one.
    pub(crate) fn signed(self) -> Result<Result<Message, (Failure, Message)>, CallError> {
        match self {
            Self::Taken(message) => Ok(Ok(message)),
            Self::Failed(failure, message) => Ok(Err((failure, message))),
            Self::Unsigned(text) => Err(maybe(format!("unsigned refusal: {text}"))),
        }
    }
}

/// The way to the gateway for one account.
pub(crate) struct Gate {
    plain: Outbound,
    /// With the merchant's certificate, in a pool of its own.
    certified: Option<Outbound>,
    pub(crate) clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Gate {
    pub(crate) fn new(account: &Account, settings: &OutboundSettings, setting: &Setting) -> Result<Self, ConfigError> {
        let settings = OutboundSettings {
            answer_max: settings.answer_max.min(MESSAGE_MAX),
            ..settings.clone()
        };
        let Ok(plain) = Outbound::new(&settings) else {
            return wrong("base_url", "no connection can be set up on this machine");
        };
        let certified = account.identity_pem.as_ref().map(|pem| {
            Outbound::new(&OutboundSettings {
                identity_pem: Some(pem.expose().as_bytes().to_vec()),
                ..settings.clone()
            })
        });
        let Ok(certified) = certified.transpose() else {
            return wrong(
                "client_cert_pem",
                "certificate and key are no readable PEM that fit together",
            );
        };
        Ok(Self {
            plain,
            certified,
            clock: Arc::clone(&setting.clock),
            random: Arc::clone(&setting.random),
        })
    }

    pub(crate) async fn send(&self, request: Request, certified: bool) -> Result<Answer, CallError> {
        self.way(certified).send(request).await
    }

    /// The pool of connections: with the merchant's certificate, where there is one, or without.
    pub(crate) fn way(&self, certified: bool) -> &Outbound {
        let way = if certified { self.certified.as_ref() } else { None };
        way.unwrap_or(&self.plain)
    }

    pub(crate) fn nonce(&self) -> String {
        self.random.letters(32, NONCE)
    }
}

/// A call that is about to be made.
pub(crate) struct Call<'a> {
    account: &'a Account,
    gate: &'a Gate,
    path: String,
    pub(crate) message: Message,
    sign_type: SignType,
    timeout: Duration,
    certified: bool,
}

impl<'a> Call<'a> {
    /// A call to this path, with the account's heads in the message. It has no nonce yet.
    pub(crate) fn new(account: &'a Account, gate: &'a Gate, path: impl Into<String>) -> Self {
        Self {
            account,
            gate,
            path: path.into(),
            message: heads(account),
            sign_type: account.sign_type,
            timeout: account.query_timeout,
            certified: false,
        }
    }

    /// Adds the random number that `/pay` and `/secapi` demand and `/papay` forbids.
    pub(crate) fn nonce(mut self) -> Self {
        self.message.text("nonce_str", self.gate.nonce());
        self
    }

    /// Signs by MD5 whatever the account prefers.
    pub(crate) fn md5(mut self) -> Self {
        self.sign_type = SignType::Md5;
        self
    }

    /// Signs by HMAC-SHA256 whatever the account prefers.
    pub(crate) fn hmac(mut self) -> Self {
        self.sign_type = SignType::HmacSha256;
        self
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Shows the merchant's certificate.
    pub(crate) fn certified(mut self) -> Self {
        self.certified = true;
        self
    }

    /// Signs the message, sends it once, and judges the answer.
    ///
    /// # Errors
    /// [`CallError`] when there was no answer, or one that cannot be believed.
    pub(crate) async fn send(mut self) -> Result<Reply, CallError> {
        let request = self.request();
        let answer = self.gate.send(request, self.certified).await?;
        judge(self.account, &answer, self.sign_type, Signed::Always)
    }

    /// Signs the message, sends it once, and takes a file in answer, which is not signed.
    ///
    /// # Errors
    /// [`CallError`] when it did not arrive whole.
    pub(crate) async fn download(mut self, max: u64) -> Result<Download, CallError> {
        let request = self.request();
        self.gate.way(self.certified).download(request, max).await
    }

    /// Signs the message and writes it down.
    pub(crate) fn request(&mut self) -> Request {
        if self.sign_type == SignType::HmacSha256 {
            self.message.text("sign_type", self.sign_type.name());
        }
        self.account.keys.sign(&mut self.message, self.sign_type);
        let url = format!("{}{}", self.account.base_url, self.path);
        Request::post(url, "text/xml; charset=utf-8", self.message.write(), self.timeout)
    }
}

/// The heads of every message.
pub(crate) fn heads(account: &Account) -> Message {
    let mut message = Message::default();
    message
        .text("appid", account.appid.as_str())
        .text("mch_id", account.mch_id.as_str())
        .text_if("sub_appid", account.sub_appid.as_deref())
        .text_if("sub_mch_id", account.sub_mch_id.as_deref());
    message
}

/// `/pay/pappayapply` for merchants, `/pay/partner/pappayapply` for service providers.
pub(crate) fn by_mode(account: &Account, family: &str, call: &str) -> String {
    match account.mode {
        Mode::Direct => format!("/{family}/{call}"),
        Mode::Provider => format!("/{family}/partner/{call}"),
    }
}

/// Whether an answer must be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signed {
    Always,
    /// If it has a signature it must be right; `h5entrustweb` answers without one.
    IfThere,
}

/// Reads an answer: communication first, then signature and heads, then the business result.
pub(crate) fn judge(account: &Account, answer: &Answer, usual: SignType, signed: Signed) -> Result<Reply, CallError> {
    if answer.status != http::StatusCode::OK {
        return Err(maybe(format!("HTTP status {}", answer.status.as_u16())));
    }
    let message = Message::read(&answer.body, "xml").map_err(|error| maybe(format!("unreadable answer: {error}")))?;
    match message.get("return_code") {
        Some("SUCCESS") => {}
        Some("FAIL") => {
            return Ok(Reply::Unsigned(
                message.get("return_msg").unwrap_or_default().to_owned(),
            ));
        }
        _ => return Err(maybe("an answer without return_code")),
    }
    let unsigned = signed == Signed::IfThere && message.get("sign").is_none();
    if !unsigned {
        if !account.keys.verify(&message, &[usual]) {
            return Err(maybe("the answer is not signed, or not by the channel"));
        }
        if message.get("mch_id") != Some(&account.mch_id) || other(&message, "appid", &account.appid) {
            return Err(maybe("the answer is for another merchant"));
        }
    }
    match message.get("result_code") {
        Some("SUCCESS") => Ok(Reply::Taken(message)),
        Some("FAIL") => {
            let failure = Failure {
                code: normal(message.get("err_code").unwrap_or_default()),
                text: message.get("err_code_des").unwrap_or_default().to_owned(),
            };
            Ok(Reply::Failed(failure, message))
        }
        _ => Err(maybe("an answer without result_code")),
    }
}

/// Whether a message names something else than ours where it names it at all.
pub(crate) fn other(message: &Message, name: &str, ours: &str) -> bool {
    message.get(name).is_some_and(|theirs| theirs != ours)
}

/// Whether a message is about another shop of the service provider.
pub(crate) fn other_shop(account: &Account, message: &Message) -> bool {
    account
        .sub_mch_id
        .as_deref()
        .is_some_and(|ours| other(message, "sub_mch_id", ours))
}

pub(crate) fn maybe(text: impl Into<String>) -> CallError {
    CallError::MaybeDone(text.into())
}

/// The error of a call that came after another call of the same act: something was sent, whatever this one says.
pub(crate) fn worsened(error: CallError) -> CallError {
    match error {
        CallError::NotSent(text) | CallError::MaybeDone(text) => CallError::MaybeDone(text),
    }
}
