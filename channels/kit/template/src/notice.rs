//! Notifications: verified over their raw bytes before anything else is read.

use metropay_core::channel::{News, NoticeAnswer, NoticeRefused, RawNotice};

use crate::Foochan;
use crate::call::signed_text;

impl Foochan {
    pub(crate) fn news(&self, notice: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        // FILL IN: where the signature of a notification stands, and over what it is made.
        let header = |name: &str| {
            let known = notice.headers.iter().find(|(known, _)| known == name);
            known.map_or("", |(_, value)| value.as_str())
        };
        let (time, nonce) = (header("x-foochan-timestamp"), header("x-foochan-nonce"));
        let text = signed_text("NOTICE", "", time, nonce, &notice.body);
        if !self.gate.account.keys.verify(&text, header("x-foochan-signature")) {
            return Err(NoticeRefused::NotGenuine("the signature does not fit".to_owned()));
        }
        // FILL IN: compare the merchant and the currency, then tell what is new.
        Err(NoticeRefused::NotGenuine("not written yet: notice".to_owned()))
    }
}

/// What the channel expects.
pub(crate) fn answer(taken: bool) -> NoticeAnswer {
    // FILL IN: in its own words.
    let (status, body) = if taken { (200, "ok") } else { (500, "refused") };
    NoticeAnswer {
        status,
        content_type: "text/plain; charset=utf-8",
        body: body.to_owned(),
    }
}
