//! Notifications: of payments and their refunds, of agreements, and messages to the application gateway (alipay
//! reference, 3.3, 3.4 and 9).

use std::borrow::Cow;

use metropay_core::channel::{ContractKey, ContractStanding, EndedBy, News, NoticeRefused, Paid, RawNotice, Standing};
use metropay_core::clock::Time;
use metropay_core::id::{ContractNo, PayNo, RefundNo};
use metropay_core::money::Fen;
use percent_encoding::percent_decode;

use crate::agreement;
use crate::config::Terms;
use crate::coupon::Discounts;
use crate::keys::Keys;
use crate::query::time;
use crate::sign::joined;

/// A verified notice: its parameters, decoded once.
struct Notice(Vec<(Vec<u8>, Vec<u8>)>);

impl Notice {
    /// A parameter that is not empty. The parameters that are read are ASCII in every charset Alipay uses.
    fn text(&self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name.as_bytes())?;
        (!value.is_empty()).then(|| String::from_utf8_lossy(value).into_owned())
    }

    fn fen(&self, name: &str) -> Option<Fen> {
        Fen::from_yuan(&self.text(name)?).ok()
    }

    fn time(&self, name: &str) -> Option<Time> {
        time(&self.text(name)?)
    }

    fn must(&self, name: &str) -> Result<String, NoticeRefused> {
        self.text(name)
            .ok_or_else(|| NoticeRefused::NotGenuine(format!("it has no {name}")))
    }
}

/// Verifies and reads a notification.
pub(crate) fn read(terms: &Terms, keys: &Keys, raw: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
    let notice = genuine(keys, &raw.body)?;
    fits(terms, &notice)?;
    match notice.text("notify_type").as_deref() {
        Some("trade_status_sync") => trade(&notice, raw.received_at),
        Some("dut_user_sign") => signed(&notice),
        Some("dut_user_unsign") => unsigned(&notice),
        // Messages to the application gateway, and whatever Alipay invents: taken, and nothing done.
        _ => Ok(vec![News::Nothing]),
    }
}

/// The parameters, if Alipay signed them. Everything takes part but `sign` and `sign_type`; empty values are kept by most
/// of Alipay's own libraries and dropped by one, so both forms count.
fn genuine(keys: &Keys, body: &[u8]) -> Result<Notice, NoticeRefused> {
    let refused = |reason: &str| NoticeRefused::NotGenuine(reason.to_owned());
    let notice = Notice(pairs(body));
    let mut names: Vec<&[u8]> = notice.0.iter().map(|(name, _)| name.as_slice()).collect();
    names.sort_unstable();
    if names.windows(2).any(|two| two.first() == two.last()) {
        return Err(refused("a parameter stands twice"));
    }
    let sign = notice.text("sign").ok_or_else(|| refused("it has no signature"))?;
    if notice.text("sign_type").is_some_and(|kind| kind != "RSA2") {
        return Err(refused("it is not signed with RSA2"));
    }
    let text = |empty: bool| {
        joined(
            notice
                .0
                .iter()
                .map(|(name, value)| (name.as_slice(), value.as_slice()))
                .filter(|(name, value)| *name != b"sign" && *name != b"sign_type" && (empty || !value.is_empty())),
        )
    };
    let has_empty = notice.0.iter().any(|(_, value)| value.is_empty());
    if keys.verify(&text(true), &sign) || (has_empty && keys.verify(&text(false), &sign)) {
        Ok(notice)
    } else {
        Err(refused("the signature does not fit: check alipay_public_key"))
    }
}

/// Name and value as bytes: the signature is over the bytes of the notice's own charset.
fn pairs(body: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let decoded = |part: &[u8]| {
        let blanks: Vec<u8> = part
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect();
        Cow::from(percent_decode(&blanks)).into_owned()
    };
    body.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let mut next = || decoded(parts.next().unwrap_or_default());
            (next(), next())
        })
        .collect()
}

fn fits(terms: &Terms, notice: &Notice) -> Result<(), NoticeRefused> {
    let other = |what: &str| {
        tracing::error!(
            what,
            "a signed notice of alipay is for another {what} than this account's"
        );
        Err(NoticeRefused::Mismatch(format!("it is for another {what}")))
    };
    if notice.text("app_id").as_ref() != Some(&terms.app_id) {
        return other("app_id");
    }
    if notice.text("auth_app_id").is_some_and(|app| app != terms.app_id) {
        return other("auth_app_id");
    }
    match (&terms.seller_id, notice.text("seller_id")) {
        (Some(ours), Some(theirs)) if *ours != theirs => other("seller_id"),
        _ => Ok(()),
    }
}

/// A payment's notice. One that tells of a refund is never a payment, whatever its status says (9.3).
fn trade(notice: &Notice, received_at: Time) -> Result<Vec<News>, NoticeRefused> {
    let out_trade_no = notice.must("out_trade_no")?;
    let no = PayNo(out_trade_no.clone());
    let nothing = |fen: Option<Fen>| fen.is_some_and(Fen::is_zero);
    let tells_of_refund = notice.text("gmt_refund").is_some()
        || (notice.text("refund_fee").is_some() && !nothing(notice.fen("refund_fee")));
    if tells_of_refund {
        // Its `refund_fee` is the sum of all refunds: only a reason to ask.
        let refund = notice.text("out_biz_no").filter(|refund| *refund != out_trade_no);
        return Ok(vec![match refund {
            Some(refund) => News::Refund {
                no: RefundNo(refund),
                standing: None,
            },
            None => News::Payment { no, standing: None },
        }]);
    }
    let standing = match notice.must("trade_status")?.as_str() {
        "TRADE_SUCCESS" | "TRADE_FINISHED" => Some(Standing::Paid(paid(notice, received_at)?)),
        "WAIT_BUYER_PAY" => Some(Standing::Pending),
        // Closed means never paid or given back; a query tells which.
        _ => None,
    };
    Ok(vec![News::Payment { no, standing }])
}

fn paid(notice: &Notice, received_at: Time) -> Result<Paid, NoticeRefused> {
    let amount = notice
        .fen("total_amount")
        .ok_or_else(|| NoticeRefused::NotGenuine("its total_amount is no amount".to_owned()))?;
    let discounts = Discounts {
        buyer_pay: notice.fen("buyer_pay_amount"),
        alipay: notice.fen("discount_amount"),
        merchant: notice.fen("mdiscount_amount"),
        bills: notice.text("fund_bill_list"),
    };
    let dates = ["gmt_payment", "notify_time"];
    Ok(Paid {
        channel_no: notice.must("trade_no")?,
        amount,
        coupon: discounts.share_of(amount),
        paid_at: dates
            .into_iter()
            .find_map(|name| notice.time(name))
            .unwrap_or(received_at),
    })
}

fn signed(notice: &Notice) -> Result<Vec<News>, NoticeRefused> {
    let standing = match notice.text("status").as_deref() {
        Some("NORMAL") => agreement::signed(|name| notice.text(name)).map(ContractStanding::Active),
        Some("STOP") => Some(ContractStanding::Suspended),
        _ => None,
    };
    Ok(vec![News::Contract {
        contract: key(notice)?,
        standing,
    }])
}

/// Our own asking comes back with the same words; the platform knows whether it asked.
fn unsigned(notice: &Notice) -> Result<Vec<News>, NoticeRefused> {
    let ended = notice.text("status").as_deref() == Some("UNSIGN");
    Ok(vec![News::Contract {
        contract: key(notice)?,
        standing: ended.then(|| ContractStanding::Ended {
            by: EndedBy::User,
            at: notice.time("unsign_time"),
        }),
    }])
}

fn key(notice: &Notice) -> Result<ContractKey, NoticeRefused> {
    match notice.text("external_agreement_no") {
        Some(ours) => Ok(ContractKey::No(ContractNo(ours))),
        None => notice.must("agreement_no").map(ContractKey::Handle),
    }
}
