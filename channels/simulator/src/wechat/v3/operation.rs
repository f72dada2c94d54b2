//! What each call of APIv3 is: its method, its fields, what it does.

use std::sync::Arc;

use serde_json::Value;

use super::super::account::{Account, Shop};
use super::super::credentials::Credentials;
use super::super::operation::{Family, Side};
use super::answer::{Answer, Failure};
use super::schema::Rule;
use crate::fault::Effect;
use crate::frame::Frame;

/// One call.
pub(super) struct Operation {
    /// The fault script knows the call by it: the last segment of the path. Where that is a number, the call goes by the
    /// name of its twin in APIv2.
    pub name: &'static str,
    pub family: Family,
    pub method: &'static str,
    /// Fields of everybody; of the body, or of the query where the method is `GET`.
    pub rules: &'static [Rule],
    /// Further fields of direct merchants.
    pub direct: &'static [Rule],
    /// Further fields of service providers.
    pub provider: &'static [Rule],
    pub act: fn(&Arc<Frame>, &Call) -> Result<Answer, Failure>,
}

/// A route of a call, for one kind of account or both.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub operation: &'static Operation,
    pub side: Side,
}

/// A request that passed the door.
pub(super) struct Call {
    pub account: Account,
    pub credentials: Credentials,
    /// The shop that a provider acts for.
    pub shop: Option<Shop>,
    /// The body, or the query as an object of texts.
    pub input: Value,
    /// The number in the path.
    pub number: String,
    pub effects: Vec<Effect>,
    /// The key that sealed fields are for.
    pub sealed_for: Option<String>,
    /// When it came in, Unix milliseconds on the gateway's clock.
    pub now_ms: i64,
}

impl Call {
    /// A text; a pointer that names nothing gives nothing.
    pub(super) fn text(&self, at: &str) -> Option<&str> {
        self.input.pointer(at).and_then(Value::as_str)
    }

    /// A text of one's own.
    pub(super) fn owned(&self, at: &str) -> Option<String> {
        self.text(at).map(str::to_owned)
    }

    /// A text that the rules demand.
    pub(super) fn field(&self, at: &str) -> String {
        self.owned(at).unwrap_or_default()
    }

    /// An amount that the rules demand, in fen.
    pub(super) fn fen(&self, at: &str) -> u64 {
        self.input.pointer(at).and_then(Value::as_u64).unwrap_or_default()
    }

    pub(super) fn sub_mch_id(&self) -> Option<&str> {
        self.shop.as_ref().map(|shop| shop.sub_mch_id.as_str())
    }
}
