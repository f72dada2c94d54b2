//! Notifications of APIv3: an envelope that is signed in its headers, with an encrypted object in it (wechat reference, 5.6
//! and 9.4).

use metropay_core::channel::{News, NoticeRefused, RawNotice};
use metropay_core::id::RefundNo;

use super::json::Json;
use super::refund::standing;
use super::verify::Seal;
use crate::Wechat;
use crate::notice::{mismatch, not_genuine};

/// An envelope that was verified, opened.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// `REFUND.SUCCESS`.
    pub(crate) event: String,
    /// The object that was encrypted.
    pub(crate) object: Json,
}

impl Envelope {
    /// Opens the body of a notification; `None` where it is none, or not encrypted with our key.
    pub(crate) fn open(body: &[u8], aead: &super::Aead) -> Option<Self> {
        let envelope = Json::read(body)?;
        let plain = aead.open_object(&envelope.part("/resource")?)?;
        Some(Self {
            event: envelope.text("/event_type")?.to_owned(),
            object: Json::read(&plain)?,
        })
    }
}

impl Wechat {
    pub(crate) async fn read_v3_news(&self, notice: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        let Some(v3) = &self.v3 else {
            return Err(not_genuine("this account does not speak APIv3"));
        };
        let headers = notice.headers.iter();
        let seal = Seal::read(headers.map(|(name, value)| (name.as_str(), value.as_str())));
        let seal = seal.map_err(|error| not_genuine(error.to_string()))?;
        let checked = v3.check_notice(&seal, notice).await;
        checked.map_err(|error| not_genuine(error.to_string()))?;
        let Some(envelope) = Envelope::open(&notice.body, &v3.credentials.aead) else {
            return Err(not_genuine("the notification cannot be opened with the APIv3 key"));
        };
        match envelope.event.strip_prefix("REFUND.") {
            Some(event) => self.v3_refund_news(event, &envelope.object),
            None => Ok(vec![News::Nothing]),
        }
    }

    fn v3_refund_news(&self, event: &str, object: &Json) -> Result<Vec<News>, NoticeRefused> {
        if self.other_seller(object) {
            return Err(mismatch("another merchant"));
        }
        if object.other("/amount/currency", "CNY") {
            return Err(mismatch("another currency"));
        }
        let Some(no) = object.text("/out_refund_no") else {
            return Ok(vec![News::Nothing]);
        };
        // Where event and state do not say the same, or something is missing, it is a reason to query.
        let state = object.text("/refund_status").filter(|state| *state == event);
        let standing = state.and_then(|state| standing(state, object, no).ok());
        Ok(vec![News::Refund {
            no: RefundNo::from(no),
            standing,
        }])
    }
}
