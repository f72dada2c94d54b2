//! Notifications: verified over everything received, then told to the engine in its own words.
//!
//! UnionPay reference, section 9.

use metropay_core::channel::{
    ContractKey, ContractStanding, Hint, News, NoticeAnswer, NoticeRefused, RawNotice, RefundStanding, Standing,
};
use metropay_core::clock::Time;
use metropay_core::id::{ContractNo, PayNo, RefundNo};

use crate::Unionpay;
use crate::account::plain;
use crate::call::get;
use crate::codes::{Progress, progress, refusal};
use crate::contract::NoToken;
use crate::form::{Fields, read_form};
use crate::query::Moved;

impl Unionpay {
    pub(crate) fn news(&self, notice: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        let fields = read_form(&notice.body).map_err(|error| NoticeRefused::NotGenuine(error.to_string()))?;
        self.account
            .signing
            .judge(&fields, self.setting.clock.now())
            .map_err(|error| NoticeRefused::NotGenuine(error.to_string()))?;
        let mismatch = |what: &str| Err(NoticeRefused::Mismatch(what.to_owned()));
        if get(&fields, "merId") != Some(&self.account.mer_id) {
            return mismatch("it is for another merchant");
        }
        // An answer to a query is signed in the same way and bears the order's type; it is no notification.
        if fields.contains_key("origRespCode") {
            return mismatch("it is an answer, not a notification");
        }
        let Some(no) = get(&fields, "orderId").filter(|no| plain(no, 8..=40)) else {
            return mismatch("it names no order");
        };
        if get(&fields, "currencyCode").is_some_and(|currency| currency != "156") {
            return mismatch("it is not in yuan");
        }
        Ok(vec![match get(&fields, "txnType") {
            Some("01") => News::Payment {
                no: PayNo(no.to_owned()),
                standing: payment(&fields),
            },
            Some("04") => match get(&fields, "reqReserved") {
                // Refunds bear an echo only as the fallback of an undo.
                Some(_) => undone(&fields),
                None => News::Refund {
                    no: RefundNo(no.to_owned()),
                    standing: refund(&fields),
                },
            },
            Some("31") => undone(&fields),
            Some("79") => News::Contract {
                contract: ContractKey::No(ContractNo(no.to_owned())),
                standing: self.opened(&fields)?,
            },
            _ => News::Nothing,
        }])
    }

    fn opened(&self, fields: &Fields) -> Result<Option<ContractStanding>, NoticeRefused> {
        if progress(get(fields, "respCode").unwrap_or_default()) != Progress::Done {
            return Ok(None);
        }
        match self.signed(fields) {
            Ok(signed) => Ok(Some(self.living(signed))),
            Err(NoToken::Unreadable) => Ok(None),
            Err(lack @ NoToken::Foreign) => Err(NoticeRefused::Mismatch(lack.to_string())),
        }
    }
}

/// The answer that the gateway expects: 200, whatever the body; anything else is sent again.
pub(crate) fn answer(taken: bool) -> NoticeAnswer {
    let (status, body) = if taken { (200, "ok") } else { (500, "refused") };
    NoticeAnswer {
        status,
        content_type: "text/plain; charset=utf-8",
        body: body.to_owned(),
    }
}

/// What the order moved, if the notification tells that it is done. It tells of settlement then; the synchronous
/// acceptance, which looks alike and bears 00 as well, does not.
fn moved(fields: &Fields) -> Option<Moved> {
    let asked_at = Time::parse_china(get(fields, "txnTime")?, "%Y%m%d%H%M%S")?;
    get(fields, "settleDate")?;
    Moved::read(fields, asked_at).ok()
}

/// How a payment stands. A refusal for form, key or permission may be that of a repeat whose first sending was taken:
/// it is only a reason to query.
fn payment(fields: &Fields) -> Option<Standing> {
    let letters = get(fields, "respCode")?;
    let why = refusal(letters, get(fields, "respMsg").unwrap_or_default());
    match progress(letters) {
        Progress::Done => moved(fields).map(|moved| Standing::Paid(moved.into())),
        Progress::Failed => (why.hint != Hint::Setup).then_some(Standing::NotPaid(why)),
        Progress::Running | Progress::Unclear => None,
    }
}

/// How a refund stands. A failure is only a reason to query: it may be that of a repeat, which is refused as "too much"
/// because the first sending was taken (UnionPay reference, 5.3).
fn refund(fields: &Fields) -> Option<RefundStanding> {
    match progress(get(fields, "respCode")?) {
        Progress::Done => moved(fields).map(|moved| RefundStanding::Refunded(moved.into())),
        Progress::Failed | Progress::Running | Progress::Unclear => None,
    }
}

/// News about a payment that is being undone: the reversal itself is found by asking. Our number of the payment comes
/// back as the echo that was sent along.
fn undone(fields: &Fields) -> News {
    match get(fields, "reqReserved").filter(|no| plain(no, 8..=32)) {
        Some(no) => News::Payment {
            no: PayNo(no.to_owned()),
            standing: None,
        },
        None => News::Nothing,
    }
}
