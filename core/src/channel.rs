//! The contract between the engine and a payment channel.
//!
//! An adapter turns these questions into the channel's wire protocol and its answers back. It keeps no state, decides
//! nothing about our books, and is trusted with one thing above all: never to say more than it knows.
//!
//! Duties of every adapter (the conformance suite holds it to them):
//!
//! 1. MUST send our number with every money call, unchanged on every repeat: it is the idempotency key at the channel.
//! 2. MUST answer [`Outcome::Done`] only on a verified message that tells of our number and our amount.
//! 3. MUST answer [`Outcome::Refused`] only where the channel's documentation says that this answer is final and that no
//!    money moved. Everything else about an order is [`Outcome::Pending`] or [`CallError::MaybeDone`].
//! 4. MUST return [`CallError::NotSent`] only when no byte of the request can have reached the channel. That judgement is
//!    made by `outbound`; an adapter may worsen it to `MaybeDone`, never better it.
//! 5. MUST take an unreadable, unsigned or wrongly signed answer to a money call as `MaybeDone`.
//! 6. MUST compare number, merchant, amount and currency in answers and notifications before it passes them on.
//! 7. MUST make [`Channel::reverse`] re-entrant and stateless: called again with the same question it goes on where the
//!    channel stands.
//! 8. MUST NOT retry a money call by itself, follow redirects, or log secrets, codes or personal data.
//! 9. MUST verify a notification over its raw bytes before it reads anything else from it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::{JsonSchema, Schema};
use sea_orm::sea_query::StringLen;
use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::{Clock, Time};
use crate::code::foreign::Looks;
use crate::id::{AccountId, ChannelId, ContractNo, PayNo, RefundNo, ReversalNo};
use crate::money::Fen;
use crate::random::Random;

mod bill;
mod code_pay;
pub mod health;
mod identity;
mod registry;
mod watched;

pub use bill::{BillError, BillRow, BillRowKind, BillRowState, Bills, FundRow, Rows, read_rows};
pub use code_pay::{CodePay, CodePayQuestion};
pub use identity::{ChannelUser, Identity};
pub(crate) use registry::read_config;
pub use registry::{ChannelRegistry, ChannelSummary, RegistryError};
pub(crate) use watched::Watched;

/// What became of a call that reached the channel and was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It is done, verified.
    Done(T),
    /// The channel refused, finally: no money moved by this call and none will.
    Refused(Refusal),
    /// Accepted or still running: ask again.
    Pending,
}

/// Why a channel refused, as proof for our books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The channel's own code, normalised by the adapter (`NOTENOUGH`, `ACQ.BUYER_BALANCE_NOT_ENOUGH`, `64`).
    pub code: String,
    /// The channel's own text, for operators. Never shown to shoppers as it is.
    pub text: String,
    /// What kind of refusal it is, as far as the platform acts on it.
    pub hint: Hint,
}

/// What the platform does about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "snake_case")]
pub enum Hint {
    /// Nothing special: this payment failed.
    None,
    /// The contract is gone or suspended: re-query it and ask the user to sign again.
    ContractGone,
    /// The user has no funds or a limit of the channel or bank was met.
    Funds,
    /// The user must act in the channel's own App (password, identity, card).
    User,
    /// The set-up is wrong: an operator must look.
    Setup,
}

/// A call that gave no understood answer. The two cases are never one: only the first may be tried elsewhere.
#[must_use = "an unknown outcome must be queried, a call that was not sent may be repeated"]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Not one byte can have reached the channel.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The channel may have acted: query, never assume.
    #[error("outcome unknown: {0}")]
    MaybeDone(String),
}

/// The answer to a call that asks for something.
pub type Called<T> = Result<Outcome<T>, CallError>;

/// Money that arrived, as the channel says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The channel's own number (`pay_type_trade_no`).
    pub channel_no: String,
    /// The order amount: what the payer and the sponsors of coupons paid together.
    pub amount: Fen,
    /// The part that coupons paid (`pay_coupon_fee`).
    pub coupon: Fen,
    /// When the channel took the money.
    pub paid_at: Time,
}

/// How an order stands at the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The payer's money was taken (refunds, if any, are facts of their own).
    Paid(Paid),
    /// Finally not paid: refused, failed, expired or revoked at the channel.
    NotPaid(Refusal),
    /// In progress.
    Pending,
    /// The channel knows no such order *now*. Whether that proves anything is for the engine, by [`Cadence`].
    Absent,
}

/// How a refund stands at the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundStanding {
    /// The money is on its way back, finally.
    Refunded(Refunded),
    /// Finally not refunded; the merchant may ask again with another number.
    NotRefunded(Refusal),
    /// In progress, or parked at the channel for a person to handle.
    Pending,
    /// The channel knows no such refund now: send the same one again.
    Absent,
}

/// Money that went back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refunded {
    /// The channel's own number of the refund, where it has one.
    pub channel_no: Option<String>,
    /// How much.
    pub amount: Fen,
    /// The part that went back to sponsors of coupons.
    pub coupon: Fen,
    /// When.
    pub refunded_at: Time,
}

/// How a reversal ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reversed {
    /// The order was never paid and never will be.
    NeverPaid,
    /// The order had been paid; all of it went back.
    MoneyBack {
        /// The payment that was undone, as far as the channel told.
        paid: Option<Paid>,
        /// The channel's number of the movement back, where it has one.
        channel_no: Option<String>,
    },
}

/// How a contract stands at the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContractStanding {
    /// Signed and usable.
    Active(SignedContract),
    /// Signed but not usable at present.
    Suspended,
    /// Ended, or never signed and no longer signable.
    Ended {
        /// Who or what ended it.
        by: EndedBy,
        /// When, where the channel tells.
        at: Option<Time>,
    },
    /// Being signed; or the channel does not know it (yet).
    Pending,
}

/// A contract as the channel keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedContract {
    /// What deductions must name: WeChat `contract_id`, Alipay `agreement_no`, UnionPay token. Confidential.
    pub handle: String,
    /// The user as the channel names him (openid, buyer id), where told. Confidential.
    pub payer: Option<String>,
    /// How the payer is shown to himself: masked login or card tail.
    pub display: Option<String>,
    /// When it was signed.
    pub signed_at: Option<Time>,
    /// When it ends by itself, where it does.
    pub expires_at: Option<Time>,
}

/// Who ended a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The user, at the channel.
    User,
    /// We asked for it.
    Platform,
    /// The channel (account closed, risk control, customer service).
    Channel,
    /// Its time was over.
    Expiry,
}

/// A contract in a question.
#[derive(Debug, Clone)]
pub struct ContractRef {
    /// Our number of it.
    pub no: ContractNo,
    /// When it was written down; some channels need the time of the signing call as part of its key.
    pub asked_at: Time,
    /// The channel's handle, once signed.
    pub handle: Option<String>,
}

/// The wish to sign a contract.
#[derive(Debug, Clone)]
pub struct SignQuestion {
    /// The contract to sign.
    pub contract: ContractRef,
    /// A positive number, unique and growing, for channels that order their requests by one.
    pub sequence: u64,
    /// How the user is shown on the signing page (masked phone). Letters and digits only.
    pub display: String,
    /// Where the channel sends the user back to.
    pub return_url: String,
    /// The user's address, for channels that want it.
    pub user_ip: Option<String>,
}

/// How the user gets to the channel's signing page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SignPage {
    /// Open this address (a browser page, or a scheme that wakes the channel's App).
    Redirect {
        /// The address.
        url: String,
        /// Parameters for the channel's own SDK where the App embeds it (WeChat `pre_entrustweb_id`).
        sdk: BTreeMap<String, String>,
    },
    /// Post this form from the user's browser.
    Form {
        /// Where to.
        action: String,
        /// The fields, in order.
        fields: Vec<(String, String)>,
    },
}

/// The wish to deduct.
#[derive(Debug, Clone)]
pub struct DeductQuestion {
    /// Our number: the idempotency key at the channel.
    pub no: PayNo,
    /// When the payment was written down; part of the key at some channels. Equal on every repeat.
    pub at: Time,
    /// How much.
    pub amount: Fen,
    /// What is bought, as the merchant words it.
    pub body: String,
    /// The store, for channels that take one.
    pub store: String,
    /// The contract's handle at the channel.
    pub contract_handle: String,
}

/// By which product of its channel a payment is made: some channels are asked about each in other words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "snake_case")]
pub enum Product {
    /// Deducted on a contract.
    Mandate,
    /// Paid by the channel's own payment code.
    PaymentCode,
}

impl Product {
    /// The word by which it is counted.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mandate => "mandate",
            Self::PaymentCode => "payment_code",
        }
    }
}

/// A payment in a question.
#[derive(Debug, Clone)]
pub struct PaymentRef {
    /// By which product it was made.
    pub product: Product,
    /// Our number.
    pub no: PayNo,
    /// When it was written down, as in the deduction.
    pub at: Time,
    /// Its amount.
    pub amount: Fen,
    /// The channel's own number, once known.
    pub channel_no: Option<String>,
}

/// The wish to undo a payment wholly.
#[derive(Debug, Clone)]
pub struct ReverseQuestion {
    /// The payment.
    pub payment: PaymentRef,
    /// Our number of the reversal.
    pub no: ReversalNo,
    /// When the reversal was written down. Equal on every repeat.
    pub at: Time,
}

/// The wish to give money back.
#[derive(Debug, Clone)]
pub struct RefundQuestion {
    /// The payment.
    pub payment: PaymentRef,
    /// Our number of the refund: the idempotency key at the channel.
    pub no: RefundNo,
    /// When the refund was written down. Equal on every repeat.
    pub at: Time,
    /// How much.
    pub amount: Fen,
}

/// When to ask a channel about an unknown outcome, and what its silence proves.
#[derive(Debug, Clone)]
pub struct Cadence {
    /// Waits between queries about a payment, from the deduction on; the last one repeats.
    pub payment: Vec<Duration>,
    /// Waits between queries about a refund; the last one repeats.
    pub refund: Vec<Duration>,
    /// From when on, counted from the last moment at which a request may have been on its way, "no such order" is proof
    /// that there will be none. It must be seen twice.
    pub absence_proves_after: Duration,
    /// How long after the deduction the platform gives up waiting for a final answer and revokes.
    pub revoke_after: Duration,
}

/// A notification as it came in.
#[derive(Debug, Clone)]
pub struct RawNotice {
    /// Header names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Vec<u8>,
    /// When it arrived.
    pub received_at: Time,
}

/// A verified piece of news from a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// About a payment. `None` where the notice is only a reason to query.
    Payment {
        /// Which one, by our number.
        no: PayNo,
        /// How it stands.
        standing: Option<Standing>,
    },
    /// About a refund.
    Refund {
        /// Which one, by our number.
        no: RefundNo,
        /// How it stands.
        standing: Option<RefundStanding>,
    },
    /// About a contract.
    Contract {
        /// Which one, by our number or, where the channel does not echo that, by its handle.
        contract: ContractKey,
        /// How it stands.
        standing: Option<ContractStanding>,
    },
    /// Genuine, but nothing we act on.
    Nothing,
}

/// How a notification names a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContractKey {
    /// By our number.
    No(ContractNo),
    /// By the channel's handle.
    Handle(String),
}

/// A notification that must not be believed; nothing of it is used, and the channel is told so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoticeRefused {
    /// The signature (or decryption) does not fit, or the message cannot be read.
    #[error("not genuine: {0}")]
    NotGenuine(String),
    /// Genuine, but about another account, amount or currency than it should be.
    #[error("does not fit: {0}")]
    Mismatch(String),
}

/// The answer that a channel expects to a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeAnswer {
    /// HTTP status.
    pub status: u16,
    /// Content type.
    pub content_type: &'static str,
    /// Body.
    pub body: String,
}

/// A payment channel, built for one merchant account.
#[async_trait]
pub trait Channel: Send + Sync + 'static {
    /// Under whose heading contracts live at the channel: accounts with the same scope share a user's contract (WeChat: per
    /// merchant number and plan).
    fn contract_scope(&self) -> String;

    /// When to ask about unknown outcomes of this product.
    fn cadence(&self, product: Product) -> Cadence;

    /// Being paid by the channel's own payment code, where this account has that product.
    fn code_pay(&self) -> Option<&dyn CodePay>;

    /// The channel's daily bill, where the channel hands one out.
    fn bills(&self) -> Option<&dyn Bills>;

    /// Saying who a user is at the channel, where this account is set up for it.
    fn identity(&self) -> Option<&dyn Identity>;

    /// Prepares the signing of a contract.
    ///
    /// # Errors
    /// [`CallError`] when the channel had to be asked and gave no understood answer; asking again is safe.
    async fn sign_contract(&self, question: &SignQuestion) -> Called<SignPage>;

    /// How a contract stands.
    ///
    /// # Errors
    /// [`CallError`] when there was no understood answer; then nothing is known.
    async fn query_contract(&self, contract: &ContractRef) -> Result<ContractStanding, CallError>;

    /// Ends a contract. Already ended counts as done.
    ///
    /// # Errors
    /// [`CallError`] when there was no understood answer; asking again is safe.
    async fn close_contract(&self, contract: &ContractRef) -> Called<()>;

    /// Deducts.
    ///
    /// # Errors
    /// [`CallError`] when there was no understood answer.
    async fn deduct(&self, question: &DeductQuestion) -> Called<Paid>;

    /// How a payment stands.
    ///
    /// # Errors
    /// [`CallError`] when there was no understood answer; then nothing is known.
    async fn query_payment(&self, payment: &PaymentRef) -> Result<Standing, CallError>;

    /// Undoes a payment whatever its state: closes it if unpaid, gives everything back if paid. `Pending` means: call
    /// again. `Refused` means: this channel will not undo it (use a refund), with its reason.
    ///
    /// # Errors
    /// [`CallError`] when there was no understood answer; calling again is safe.
    async fn reverse(&self, question: &ReverseQuestion) -> Called<Reversed>;

    /// Gives money back, wholly or partly.
    ///
    /// # Errors
    /// [`CallError`] when there was no understood answer; sending the same question again is safe.
    async fn refund(&self, question: &RefundQuestion) -> Called<Refunded>;

    /// How a refund stands.
    ///
    /// # Errors
    /// [`CallError`] when there was no understood answer; then nothing is known.
    async fn query_refund(&self, question: &RefundQuestion) -> Result<RefundStanding, CallError>;

    /// Verifies and reads a notification. Amounts of payments are compared by the engine, which knows them; everything
    /// that can be checked against the account's configuration is checked here. A key that the channel has changed in the
    /// meantime may be fetched over the authenticated way.
    ///
    /// # Errors
    /// [`NoticeRefused`] when it must not be believed.
    async fn read_notice(&self, notice: &RawNotice) -> Result<Vec<News>, NoticeRefused>;

    /// What to answer to a notification: `taken` when it was verified and stored.
    fn answer_notice(&self, taken: bool) -> NoticeAnswer;
}

/// What an adapter is given when it is built for an account.
#[derive(Clone)]
pub struct Setting {
    /// The account.
    pub account: AccountId,
    /// Where the channel sends its notifications for this account: a full URL with an unguessable path, without query.
    pub notify_url: String,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub random: Arc<dyn Random>,
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// A configuration that cannot work, in words that an operator can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct ConfigError {
    /// Which field.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Builds adapters of one channel from an account's configuration.
pub trait ChannelFactory: Send + Sync + 'static {
    /// The account's configuration; unknown fields are refused.
    type Config: DeserializeOwned + JsonSchema;

    /// The channel's id, lower case: `wechat`.
    const ID: &'static str;

    /// Its name for people: 微信支付.
    const NAME: &'static str;

    /// Its name in the merchant API (`pay_type`): `CT_WECHAT`.
    const PAY_TYPE: &'static str;

    /// What the payment codes of the channel's own App look like, where it has such codes.
    const PAYMENT_CODE: Option<Looks>;

    /// Builds the adapter. Keys are parsed here, once.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field that is wrong.
    fn build(&self, config: Self::Config, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError>;
}

/// A factory with its configuration type erased; made by [`ChannelRegistry::with`].
pub(crate) trait AnyFactory: Send + Sync {
    fn summary(&self) -> ChannelSummary;
    fn schema(&self) -> Schema;
    fn build(&self, config: Value, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError>;
}

/// How a merchant-visible channel is listed.
pub(crate) fn channel_id(id: &str) -> ChannelId {
    ChannelId(id.to_owned())
}
