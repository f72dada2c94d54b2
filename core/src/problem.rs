//! Refusals that a caller can act on: a stable code, what kind of refusal it is, and the facts that help.
//!
//! Flows return a [`Problem`]; the doors turn it into an answer. The texts for people, in Chinese and English, stand with
//! the doors, one for each [`Code`].

use std::collections::BTreeMap;
use std::fmt;

use sea_orm::{DbErr, RuntimeErr, SqlxError};
use serde::Serialize;
use serde_json::Value;

use crate::money::OutOfRange;

/// What kind of refusal it is; each kind is one HTTP status at the doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The form is wrong (400).
    Malformed,
    /// Who asks is not proven (401).
    Unauthenticated,
    /// Who asks may not (403).
    Forbidden,
    /// Not there, or not yours (404).
    NotFound,
    /// The door exists, but not for this method (405).
    NotThisWay,
    /// Against something that stands already (409).
    Conflict,
    /// Too large (413).
    TooLarge,
    /// A content type or encoding that is not understood (415).
    Unsupported,
    /// Understood, and refused by a rule of business (422).
    Refused,
    /// Too often (429).
    TooMany,
    /// Something of ours is wrong (500): the outcome must be queried.
    Fault,
    /// Not now (503): the outcome must be queried.
    Unavailable,
}

/// Declares the codes with their kinds, so that a code without a kind does not exist.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $kind:ident;)*) => {
        /// A stable machine word for a refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word as it stands in answers.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Its kind.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)* }
            }
        }
    };
}

codes! {
    /// No signature header.
    SignMissing = "SIGN_MISSING", Unauthenticated;
    /// The signature header cannot be read.
    SignMalformed = "SIGN_MALFORMED", Unauthenticated;
    /// Unknown merchant, unknown key or a signature that does not fit: one answer for all.
    SignInvalid = "SIGN_INVALID", Unauthenticated;
    /// The timestamp is too far from our time.
    TimestampOutOfWindow = "TIMESTAMP_OUT_OF_WINDOW", Unauthenticated;
    /// The nonce was used before.
    NonceReplayed = "NONCE_REPLAYED", Unauthenticated;
    /// The credential was revoked.
    CertRevoked = "CERT_REVOKED", Unauthenticated;
    /// The credential's time is over.
    CertExpired = "CERT_EXPIRED", Unauthenticated;
    /// The merchant is disabled.
    MerchantDisabled = "MERCHANT_DISABLED", Forbidden;
    /// The store is disabled.
    StoreDisabled = "STORE_DISABLED", Forbidden;
    /// The source address is not on the merchant's list.
    IpNotAllowed = "IP_NOT_ALLOWED", Forbidden;
    /// The body is no JSON object as we take it.
    JsonInvalid = "JSON_INVALID", Malformed;
    /// Content type or encoding is not taken.
    ContentTypeUnsupported = "CONTENT_TYPE_UNSUPPORTED", Unsupported;
    /// The body is too large.
    BodyTooLarge = "BODY_TOO_LARGE", TooLarge;
    /// A required field is missing.
    ParamMissing = "PARAM_MISSING", Malformed;
    /// A field has a value that is not taken.
    ParamInvalid = "PARAM_INVALID", Malformed;
    /// One of two fields is needed.
    ParamEitherOr = "PARAM_EITHER_OR", Malformed;
    /// Two numbers name two different orders.
    IdsDisagree = "IDS_DISAGREE", Conflict;
    /// No such path.
    PathUnknown = "PATH_UNKNOWN", NotFound;
    /// The path does not take this method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", NotThisWay;
    /// Too many requests, or too many wrong codes.
    RateLimited = "RATE_LIMITED", TooMany;
    /// The number was used with other parameters.
    OutRequestNoConflict = "OUT_REQUEST_NO_CONFLICT", Conflict;
    /// The refund number was used with other parameters.
    OutRefundNoConflict = "OUT_REFUND_NO_CONFLICT", Conflict;
    /// The code belongs to a channel's own payment code.
    CodeForeign = "CODE_FOREIGN", Refused;
    /// The code cannot be one of ours: misread.
    CodeMalformed = "CODE_MALFORMED", Refused;
    /// Unknown, expired or superseded: one answer for all.
    CodeInvalid = "CODE_INVALID", Refused;
    /// This merchant has used the code.
    CodeUsed = "CODE_USED", Refused;
    /// The user has closed the consumption code, or is frozen.
    CodeAccountClosed = "CODE_ACCOUNT_CLOSED", Refused;
    /// The user has no mandate for this merchant.
    NeedMandate = "NEED_MANDATE", Refused;
    /// A cap was met.
    LimitExceeded = "LIMIT_EXCEEDED", Refused;
    /// The merchant has no membership.
    MembershipNotOffered = "MEMBERSHIP_NOT_OFFERED", NotFound;
    /// No such endpoint with this merchant.
    EndpointNotFound = "ENDPOINT_NOT_FOUND", NotFound;
    /// The endpoint was never owed that.
    EventNotFound = "EVENT_NOT_FOUND", NotFound;
    /// The merchant has as many endpoints as one may have.
    EndpointLimit = "ENDPOINT_LIMIT", Refused;
    /// The endpoint has not proven to be the merchant's.
    EndpointUnproven = "ENDPOINT_UNPROVEN", Refused;
    /// No code was sent to this number, or not this one, or it is over: one answer for all.
    PhoneCodeInvalid = "PHONE_CODE_INVALID", Refused;
    /// The text message could not be sent.
    SmsNotSent = "SMS_NOT_SENT", Unavailable;
    /// No such store with this merchant.
    StoreUnknown = "STORE_UNKNOWN", Refused;
    /// The merchant's rules gave no way or no fee.
    RuleError = "RULE_ERROR", Refused;
    /// No such order with this merchant.
    OrderNotFound = "ORDER_NOT_FOUND", NotFound;
    /// The order is not paid.
    OrderNotPaid = "ORDER_NOT_PAID", Refused;
    /// The order was reversed.
    OrderReversed = "ORDER_REVERSED", Refused;
    /// The number was closed by a reversal before any payment came.
    OrderClosed = "ORDER_CLOSED", Refused;
    /// More than what is left to refund.
    RefundExceeds = "REFUND_EXCEEDS", Refused;
    /// Too late for a refund.
    RefundExpired = "REFUND_EXPIRED", Refused;
    /// A reversal is not possible any more.
    ReverseRefused = "REVERSE_REFUSED", Refused;
    /// The day's bill is not made yet.
    BillNotReady = "BILL_NOT_READY", Refused;
    /// No App token.
    TokenMissing = "TOKEN_MISSING", Unauthenticated;
    /// The App token is not genuine, or not for us.
    TokenInvalid = "TOKEN_INVALID", Unauthenticated;
    /// The App token's time is over.
    TokenExpired = "TOKEN_EXPIRED", Unauthenticated;
    /// The App token or its device was revoked.
    TokenRevoked = "TOKEN_REVOKED", Unauthenticated;
    /// No device proof where the token is bound to a device.
    DeviceProofMissing = "DEVICE_PROOF_MISSING", Unauthenticated;
    /// The device proof does not fit.
    DeviceProofInvalid = "DEVICE_PROOF_INVALID", Unauthenticated;
    /// The device proof was used before.
    DeviceProofReplayed = "DEVICE_PROOF_REPLAYED", Unauthenticated;
    /// The consumption code is not opened.
    CodeNotOpened = "CODE_NOT_OPENED", Refused;
    /// The user is frozen.
    UserFrozen = "USER_FROZEN", Forbidden;
    /// The phone is not the one that the App has verified.
    PhoneUnverified = "PHONE_UNVERIFIED", Refused;
    /// The merchant does not offer this channel.
    ChannelNotConfigured = "CHANNEL_NOT_CONFIGURED", Refused;
    /// The channel cannot be asked at present; nothing was changed.
    ChannelUnavailable = "CHANNEL_UNAVAILABLE", Unavailable;
    /// The channel refused.
    ChannelRefused = "CHANNEL_REFUSED", Refused;
    /// No such merchant.
    MerchantNotFound = "MERCHANT_NOT_FOUND", NotFound;
    /// No such mandate of this user.
    MandateNotFound = "MANDATE_NOT_FOUND", NotFound;
    /// No such code of this user.
    CodeNotFound = "CODE_NOT_FOUND", NotFound;
    /// No such record of this user.
    RecordNotFound = "RECORD_NOT_FOUND", NotFound;
    /// The way back from the channel's page is forged or was gone already.
    StateInvalid = "STATE_INVALID", Malformed;
    /// The cursor of a list is not one of ours.
    CursorInvalid = "CURSOR_INVALID", Malformed;
    /// A fault of ours; it is logged under the request id.
    Internal = "INTERNAL", Fault;
    /// Overloaded or starting; try again.
    Unavailable = "UNAVAILABLE", Unavailable;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// A refusal with what helps to act on it. Never carries a secret, SQL, a path of ours or another tenant's fact.
#[derive(Debug)]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// The field at fault, where one is.
    pub field: Option<String>,
    /// The rule that it breaks, in words of the documentation.
    pub rule: Option<&'static str>,
    /// Further facts, answered as they are (`remaining`, `looks_like`, `server_time`, `retry_after_s`).
    pub facts: BTreeMap<&'static str, Value>,
    /// The cause, for the log only.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Problem {
    /// A refusal with this code and nothing else.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            field: None,
            rule: None,
            facts: BTreeMap::new(),
            source: None,
        }
    }

    /// A field whose value is not taken, and the rule it breaks.
    pub fn invalid(field: impl Into<String>, rule: &'static str) -> Self {
        Self {
            field: Some(field.into()),
            rule: Some(rule),
            ..Self::new(Code::ParamInvalid)
        }
    }

    /// A fault of ours, with its cause for the log.
    pub fn fault(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(Code::Internal)
        }
    }

    /// Names the field at fault.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.facts.insert(name, value.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(field) = &self.field {
            write!(f, " ({field})")?;
        }
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

impl From<DbErr> for Problem {
    fn from(error: DbErr) -> Self {
        let code = if will_pass(&error) {
            Code::Unavailable
        } else {
            Code::Internal
        };
        Self {
            source: Some(Box::new(error)),
            ..Self::new(code)
        }
    }
}

/// Whether it is the database's state and not our fault: the same may succeed in a moment.
fn will_pass(error: &DbErr) -> bool {
    let error = match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => return true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => error,
        _ => return false,
    };
    match &**error {
        SqlxError::Io(_) | SqlxError::PoolTimedOut | SqlxError::PoolClosed | SqlxError::WorkerCrashed => true,
        SqlxError::Database(error) => error.code().is_some_and(|code| is_passing_code(&code)),
        _ => false,
    }
}

/// PostgreSQL's codes have five characters; SQLite's are numbers whose lowest byte tells the kind.
fn is_passing_code(code: &str) -> bool {
    if code.len() == 5 {
        // Lost connection, taken back, no room (disk, memory, connections), a lock not got, cancelled or shutting down, the
        // machine below; and a primary that has become a standby.
        return ["08", "40", "53", "55", "57", "58"]
            .iter()
            .any(|class| code.starts_with(class))
            || code == "25006";
    }
    // Busy, locked, read-only, a disk that fails or is full, and one that does not open.
    code.parse::<u32>()
        .is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14))
}

impl From<OutOfRange> for Problem {
    fn from(error: OutOfRange) -> Self {
        Self::fault(error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_will_pass_is_not_called_our_fault() {
        for code in [
            "40001", "40P01", "53100", "53300", "55P03", "57014", "57P01", "08006", "25006", "13", "5", "517", "778",
        ] {
            assert!(is_passing_code(code), "{code}");
        }
        for code in ["23505", "42601", "22003", "25P02", "2067", "1", "19"] {
            assert!(!is_passing_code(code), "{code}");
        }
    }

    #[test]
    fn every_code_has_a_word_of_its_own() {
        let words: BTreeSet<_> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        assert!(
            words
                .iter()
                .all(|word| word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        );
    }
}
