//! How the gateway behaves towards a merchant: what an account can be opened with beside its numbers.

use chrono::NaiveTime;
use serde::{Deserialize, Serialize};

use super::certificates::Signer;
use super::chain::Chain;
use super::seal::Method;

/// Every one of these can be changed by opening the account again. No `Debug`: it holds a secret.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Conduct {
    /// How both sides sign.
    pub(super) sign_method: Method,
    /// The secret of the methods 11 and 12; made by the gateway when it is blank and needed.
    pub(super) secure_key: String,
    /// The gateway signs under its name of production; otherwise under that of the test environment.
    pub(super) cn_name_check: bool,
    /// With which certificate of the usual hierarchy it signs.
    pub(super) signer: Signer,
    /// Which chain stands behind its certificate.
    pub(super) chain: Chain,
    /// How much of each payment UnionPay itself bears, in fen.
    pub(super) discount_fen: u64,
    /// When the clearing day ends, `HH:MM`.
    pub(super) clearing_cut: TimeOfDay,
    /// The merchant's state is not correct (31).
    pub(super) disabled: bool,
    /// The guard of the test environment has locked the merchant out.
    pub(super) blacklisted: bool,
    /// Transaction types that the merchant has no permission for (32).
    pub(super) no_permission: Vec<String>,
    /// Businesses that are not opened for the merchant (43).
    pub(super) not_opened: Vec<String>,
    /// The most that one payment may be (33), in fen.
    pub(super) limit_fen: Option<u64>,
    /// The most that a card may pay to the merchant in a calendar month (81), in fen.
    pub(super) month_limit_fen: Option<u64>,
    /// How often an order may be asked for within a minute (37).
    pub(super) queries_per_minute: Option<u32>,
    /// Payments with a token want an SMS code (82 without one).
    pub(super) sms_required: bool,
    /// The merchant may open tokens himself with card numbers (else 32).
    pub(super) merchant_opening: bool,
    /// How many days a new token lives.
    pub(super) token_days: u32,
    /// Payments by payment code above this want the user's password, in fen. The real limit is agreed case by case
    /// (unionpay reference, 12.1).
    pub(super) password_free_fen: u64,
    /// How long a payment by payment code waits for the password, in seconds.
    pub(super) password_wait_s: u32,
    /// What UnionPay takes of each transaction, in ten-thousandths of the amount.
    pub(super) fee_rate: u32,
    /// When on the day after, `HH:MM`, the file of a clearing day is ready.
    pub(super) bill_ready: TimeOfDay,
    /// The lines of the file end with one reserved column, as in older files.
    pub(super) old_bill_layout: bool,
}

impl Default for Conduct {
    fn default() -> Self {
        Self {
            sign_method: Method::Rsa,
            secure_key: String::new(),
            cn_name_check: true,
            signer: Signer::Gateway,
            chain: Chain::Usual,
            discount_fen: 0,
            clearing_cut: TimeOfDay::hour(23),
            disabled: false,
            blacklisted: false,
            no_permission: Vec::new(),
            not_opened: Vec::new(),
            limit_fen: None,
            month_limit_fen: None,
            queries_per_minute: None,
            sms_required: false,
            merchant_opening: false,
            token_days: 5 * 365,
            password_free_fen: 100_000,
            password_wait_s: 60,
            fee_rate: 60,
            bill_ready: TimeOfDay::hour(9),
            old_bill_layout: false,
        }
    }
}

/// A time of day that is written `HH:MM`.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct TimeOfDay(pub(super) NaiveTime);

impl TimeOfDay {
    fn hour(hour: u32) -> Self {
        Self(NaiveTime::from_hms_opt(hour, 0, 0).expect("an hour of the day"))
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = chrono::ParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        NaiveTime::parse_from_str(&text, "%H:%M").map(Self)
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.0.format("%H:%M").to_string()
    }
}
