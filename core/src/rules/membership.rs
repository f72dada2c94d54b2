//! What a `membership` rule is asked and answers: how a merchant's own membership system is spoken to.

use std::collections::BTreeMap;

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Time;
use crate::id::{MchId, Uid};

/// What is asked of a merchant's membership system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembershipAction {
    /// Make the user a member.
    Open,
    /// End the membership.
    Close,
    /// The user's phone number has changed.
    ChangePhone,
    /// How does the membership stand?
    Query,
}

impl MembershipAction {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Open, Self::Close, Self::ChangePhone, Self::Query];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Close => "close",
            Self::ChangePhone => "change_phone",
            Self::Query => "query",
        }
    }
}

/// What a `membership` rule is asked before the call: `request`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipQuestion {
    /// The merchant.
    pub mch_id: MchId,
    /// What is wanted.
    pub action: MembershipAction,
    /// The user.
    pub uid: Uid,
    /// The user's phone number as it is to be written: plain, or encrypted to the merchant's public key (Base64).
    pub phone: Option<String>,
    /// The number of this call: the same at each repetition, for the merchant to know it again.
    pub request_no: String,
    /// When.
    pub at: Time,
}

/// A call as the rule has shaped it. The address is the merchant's base address and this path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipCall {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// The path below the merchant's base address, beginning with a slash.
    pub path: String,
    /// The query, in this order.
    pub query: Vec<(String, String)>,
    /// Headers beside those that are always sent.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: CallBody,
    /// What is to be signed with the merchant's key, and where the signature goes.
    pub sign: Option<CallSign>,
}

/// The body of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", content = "content")]
pub enum CallBody {
    /// None.
    None,
    /// JSON.
    Json(Value),
    /// A form.
    Form(Vec<(String, String)>),
    /// XML, as text.
    Xml(String),
}

/// A signature that the host makes: the merchant's secret never enters a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSign {
    /// How.
    pub algorithm: CallAlgorithm,
    /// The text that is signed.
    pub text: String,
    /// How the signature is written.
    pub encoding: CallEncoding,
    /// Where the signature goes.
    pub into: SignPlace,
    /// The name of the header, query parameter or form field.
    pub name: String,
}

/// How a call is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallAlgorithm {
    /// HMAC-SHA256 with the merchant's secret.
    HmacSha256,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallEncoding {
    /// Lower-case hex.
    Hex,
    /// Base64 with padding.
    Base64,
}

/// Where a signature goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignPlace {
    /// A header.
    Header,
    /// A parameter of the query.
    Query,
    /// A field of a form or of a JSON object.
    Body,
}

/// What a `membership` rule is asked after the call: `answer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipReply {
    /// What was wanted.
    pub action: MembershipAction,
    /// The HTTP status.
    pub status: u16,
    /// The body as JSON, where it is JSON.
    pub json: Option<Value>,
    /// The body as text.
    pub text: String,
}

/// How a membership stands by the merchant's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VipStatus {
    /// No member.
    Unactive,
    /// A member.
    Active,
    /// No member any more.
    Closed,
    /// The merchant has not decided yet: asked again later.
    Pending,
}

/// What a `membership` rule makes of a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipAnswer {
    /// How the membership stands; nothing where the reply does not tell, and the call is repeated.
    pub vip_status: Option<VipStatus>,
    /// The merchant's number of the member, where it gave one.
    pub member_no: Option<String>,
    /// What the merchant said, in its words.
    pub reason: String,
}
