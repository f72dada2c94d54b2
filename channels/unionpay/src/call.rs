//! One message out, one believed answer back.
//!
//! UnionPay reference, 1.2, 1.4 and 1.9. Whatever is not a signed answer to this very message is an unknown outcome.

use std::time::Duration;

use http::StatusCode;
use metropay_core::channel::CallError;
use metropay_core::clock::Time;
use metropay_outbound::{Outbound, Request};

use crate::Unionpay;
use crate::form::{self, Fields};

/// Merchant server to gateway, money and contracts.
pub(crate) const BACK: &str = "/gateway/api/backTransReq.do";
/// The user's browser to gateway: signing pages.
pub(crate) const FRONT: &str = "/gateway/api/frontTransReq.do";
/// Queries of single orders.
pub(crate) const QUERY: &str = "/gateway/api/queryTrans.do";
/// What the gateway is asked with, in every charset-dependent place.
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=UTF-8";

/// The kind of a message: `txnType`, `txnSubType`, `bizType`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind<'a> {
    pub(crate) txn_type: &'static str,
    pub(crate) txn_sub_type: &'static str,
    pub(crate) biz_type: &'a str,
}

/// The number and time under which an order is known at the gateway.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrderKey<'a> {
    pub(crate) order_id: &'a str,
    pub(crate) at: Time,
}

/// An answer that is signed by UnionPay and about the message it answers.
pub(crate) struct Answer(Fields);

impl Answer {
    /// A field, unless absent or blank.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        get(&self.0, name)
    }

    /// `respCode`.
    pub(crate) fn code(&self) -> &str {
        self.get("respCode").unwrap_or_default()
    }

    /// `respMsg`, for operators.
    pub(crate) fn text(&self) -> &str {
        self.get("respMsg").unwrap_or_default()
    }

    /// All fields.
    pub(crate) fn fields(&self) -> &Fields {
        &self.0
    }

    /// An answer that is of no use to the question: the outcome stays unknown.
    pub(crate) fn useless(&self) -> CallError {
        CallError::MaybeDone(format!("the gateway answers {} {}", self.code(), self.text()))
    }
}

/// A field, unless absent or blank.
pub(crate) fn get<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// A call that failed behind another that was sent: whatever became of it, something may have been done.
pub(crate) fn behind_a_call(error: CallError) -> CallError {
    match error {
        CallError::NotSent(text) | CallError::MaybeDone(text) => CallError::MaybeDone(text),
    }
}

impl Unionpay {
    /// The fields that every message has, at this time.
    pub(crate) fn head(&self, kind: Kind<'_>, at: Time) -> Fields {
        let mut fields = Fields::new();
        for (name, value) in [
            ("version", "5.1.0"),
            ("encoding", "UTF-8"),
            ("txnType", kind.txn_type),
            ("txnSubType", kind.txn_sub_type),
            ("bizType", kind.biz_type),
            ("merId", &self.account.mer_id),
        ] {
            fields.insert(name.to_owned(), value.to_owned());
        }
        fields.insert("txnTime".to_owned(), at.stamp());
        for (name, value) in &self.account.access {
            fields.insert((*name).to_owned(), value.clone());
        }
        fields
    }

    /// The fields that every message about an order has.
    pub(crate) fn message(&self, kind: Kind<'_>, order: OrderKey<'_>) -> Fields {
        let mut fields = self.head(kind, order.at);
        fields.insert("orderId".to_owned(), order.order_id.to_owned());
        fields
    }

    /// Asks the gateway: signs a message, sends it once, and believes the answer only if it is UnionPay's and about this
    /// message.
    ///
    /// # Errors
    /// [`CallError`] for everything else, judged by `outbound` where it concerns the wire.
    pub(crate) async fn ask(&self, path: &str, fields: Fields, timeout: Duration) -> Result<Answer, CallError> {
        let url = format!("{}{path}", self.account.base_url);
        self.post(&self.outbound, url, fields, timeout).await
    }

    /// As [`Unionpay::ask`], to any address.
    ///
    /// # Errors
    /// As there.
    pub(crate) async fn post(
        &self,
        outbound: &Outbound,
        url: String,
        mut fields: Fields,
        timeout: Duration,
    ) -> Result<Answer, CallError> {
        let body = self.write(&mut fields)?;
        let answer = outbound.send(Request::post(url, CONTENT_TYPE, body, timeout)).await?;
        if answer.status != StatusCode::OK {
            return Err(CallError::MaybeDone(format!(
                "the gateway answers HTTP {}",
                answer.status
            )));
        }
        self.believe(&fields, &answer.body)
    }

    /// Signs a message and writes its body.
    ///
    /// # Errors
    /// [`CallError`] when the key refuses.
    pub(crate) fn write(&self, fields: &mut Fields) -> Result<String, CallError> {
        self.account
            .signing
            .sign(fields)
            .map_err(|error| CallError::MaybeDone(error.to_string()))?;
        Ok(form::write(fields))
    }

    /// Reads the answer to a message that was sent.
    ///
    /// # Errors
    /// [`CallError::MaybeDone`] when it is unreadable, not UnionPay's, or about another message.
    pub(crate) fn believe(&self, sent: &Fields, body: &[u8]) -> Result<Answer, CallError> {
        let answer = form::read_answer(body).map_err(|error| CallError::MaybeDone(error.to_string()))?;
        self.account
            .signing
            .judge(&answer, self.setting.clock.now())
            .map_err(|error| {
                let order = get(sent, "orderId").unwrap_or_default();
                tracing::warn!(order, %error, "an answer about {order} is not believed: {error}");
                CallError::MaybeDone(format!("the answer is not believed: {error}"))
            })?;
        match strange(sent, &answer) {
            None => Ok(Answer(answer)),
            Some(name) => Err(CallError::MaybeDone(format!(
                "the answer is about another {name} or none"
            ))),
        }
    }
}

/// The first field in which an answer is not about its question. Our number, time and merchant must come back; what
/// else comes back must be what was sent, and money is always yuan. A query's answer bears the type of the order that
/// it found.
fn strange(sent: &Fields, answer: &Fields) -> Option<&'static str> {
    let must = ["merId", "orderId", "txnTime", "txnType"];
    let may = ["txnAmt", "origQryId", "qrNo", "settleDate", "fileType", "certType"];
    let query = get(sent, "txnType") == Some("00");
    let differs = |name: &&str| get(sent, name).is_some_and(|value| get(answer, name) != Some(value));
    if get(answer, "respCode").is_none() {
        return Some("code");
    }
    if get(answer, "currencyCode").is_some_and(|currency| currency != "156") {
        return Some("currency");
    }
    must.into_iter()
        .filter(|name| !(query && *name == "txnType"))
        .find(differs)
        .or_else(|| may.into_iter().filter(|name| get(answer, name).is_some()).find(differs))
}
