//! Notifications: what they say, and how they are signed, sent and repeated (alipay reference, 3.3, 3.4 and 9).

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::account::Account;
use super::agreement::Agreement;
use super::desk::Desk;
use super::discount;
use super::money::yuan;
use super::sign;
use super::trade::{Trade, day, moment};
use crate::clock;
use crate::fault::Effect;
use crate::frame::{Frame, Gateway};
use crate::notice::{self, Notice};

/// The waits before each further try (9.3).
const SCHEDULE_S: &[u64] = &[240, 600, 600, 3_600, 7_200, 21_600, 54_000];

/// What stays as it is in a form value.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

type Pairs = Vec<(&'static str, String)>;

/// A notification on its way out.
pub(super) struct Letter {
    /// The merchant's number that it is about; faults match on it.
    order_no: String,
    url: String,
    /// In the order in which they are sent; `notify_time` is filled in at each try.
    pairs: Pairs,
    private_key: String,
}

/// A refund as its notification tells of it.
pub(super) struct RefundNews<'a> {
    /// The refund's number.
    pub(super) number: &'a str,
    /// Merchant money returned by this refund, in fen.
    pub(super) send_back_fen: u64,
    /// When, Unix milliseconds.
    pub(super) at_ms: i64,
}

/// Tells the merchant that the trade was paid, if the call that made it named an address.
pub(super) fn payment(desk: &mut Desk<'_>, account: &Account, trade: &Trade) {
    let Some(url) = trade.notify_url.clone() else { return };
    let pairs = payment_pairs(trade, &new_id(desk));
    desk.send(Letter {
        order_no: trade.out_trade_no.clone(),
        url,
        pairs,
        private_key: key(account),
    });
}

/// Tells the merchant that money went back, at the payment's address as seen in production (9.3).
pub(super) fn refund(desk: &mut Desk<'_>, account: &Account, trade: &Trade, news: &RefundNews<'_>) {
    let Some(url) = trade.notify_url.clone() else { return };
    let mut pairs = payment_pairs(trade, &new_id(desk));
    let millis = clock::at(news.at_ms).format("%Y-%m-%d %H:%M:%S%.3f").to_string();
    pairs.push(("out_biz_no", news.number.to_owned()));
    pairs.push(("refund_fee", yuan(trade.refunded.total_fen())));
    pairs.push(("send_back_fee", yuan(news.send_back_fen)));
    pairs.push(("gmt_refund", millis));
    desk.send(Letter {
        order_no: news.number.to_owned(),
        url,
        pairs,
        private_key: key(account),
    });
}

/// Tells the merchant that the user signed.
pub(super) fn signed(desk: &mut Desk<'_>, account: &Account, agreement: &Agreement, url: String) {
    let pairs = signed_pairs(agreement, &new_id(desk));
    desk.send(Letter {
        order_no: agreement.order_no().to_owned(),
        url,
        pairs,
        private_key: key(account),
    });
}

/// Tells the merchant that the agreement ended.
pub(super) fn unsigned(desk: &mut Desk<'_>, account: &Account, agreement: &Agreement, url: String) {
    let pairs = unsigned_pairs(agreement, &new_id(desk));
    desk.send(Letter {
        order_no: agreement.order_no().to_owned(),
        url,
        pairs,
        private_key: key(account),
    });
}

/// Hands the notification to the post office, as the fault script wants it.
pub(super) fn post(frame: &Arc<Frame>, mut letter: Letter) {
    let effects = frame
        .faults
        .take(Gateway::Alipay, "notify", &letter.order_no, is_about_content);
    for effect in &effects {
        twist(&mut letter.pairs, effect);
    }
    let clock = Arc::clone(frame);
    let Letter {
        order_no,
        url,
        pairs,
        private_key,
    } = letter;
    let body = move |forged: bool| form(&pairs, &moment(clock.clock.now_ms()), &private_key, forged);
    let notice = Notice {
        gateway: Gateway::Alipay,
        order_no,
        url,
        content_type: "application/x-www-form-urlencoded; charset=utf-8",
        body: Box::new(body),
        acknowledged: |status, body| status == 200 && body == b"success",
        schedule_s: SCHEDULE_S,
    };
    notice::send(frame, notice);
}

fn is_about_content(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::WrongAmount { .. } | Effect::WrongOrder { .. } | Effect::WrongMerchant { .. }
    )
}

/// Makes the notification say something else, still correctly signed.
fn twist(pairs: &mut Pairs, effect: &Effect) {
    let has_refund = pairs.iter().any(|(name, _)| *name == "refund_fee");
    let (names, value): (&[&str], String) = match effect {
        Effect::WrongAmount { fen } if has_refund => (&["refund_fee"], yuan(*fen)),
        Effect::WrongAmount { fen } => (&["total_amount"], yuan(*fen)),
        Effect::WrongOrder { order_no } => (&["out_trade_no", "external_agreement_no"], order_no.clone()),
        Effect::WrongMerchant { account } => (&["app_id", "auth_app_id"], account.clone()),
        _ => return,
    };
    for (_, old) in pairs.iter_mut().filter(|(name, _)| names.contains(name)) {
        old.clone_from(&value);
    }
}

/// The form body. A forged one carries a signature over another text.
fn form(pairs: &Pairs, notify_time: &str, private_key: &str, forged: bool) -> Vec<u8> {
    let timed = pairs
        .iter()
        .map(|(name, value)| (*name, if *name == "notify_time" { notify_time } else { value }));
    let mut text = sign::notice_string(timed.clone());
    if forged {
        text.push('x');
    }
    let signature = sign::sign(private_key, &text).unwrap_or_default();
    let all = timed.chain(std::iter::once(("sign", signature.as_str())));
    let fields: Vec<String> = all.map(|(name, value)| format!("{name}={}", encode(value))).collect();
    fields.join("&").into_bytes()
}

fn encode(value: &str) -> String {
    utf8_percent_encode(value, PLAIN).to_string().replace("%20", "+")
}

fn key(account: &Account) -> String {
    account.alipay_private_key.clone()
}

/// The notification's id: the same in every repetition.
fn new_id(desk: &mut Desk<'_>) -> String {
    let time = clock::at(desk.now_ms).format("%H%M%S").to_string();
    format!("{}00222{time}00001{:010}", day(desk.now_ms), desk.next("notify"))
}

fn payment_pairs(trade: &Trade, notify_id: &str) -> Pairs {
    let own = yuan(trade.parts.own_fen);
    let some = |name: &'static str, value: Option<String>| value.map(|value| (name, value));
    let pairs = [
        some("gmt_create", Some(moment(trade.created_ms))),
        some("charset", Some("utf-8".to_owned())),
        some("gmt_payment", trade.paid_ms.map(moment)),
        some("notify_time", Some(String::new())),
        some("gmt_close", trade.closed_ms.map(moment)),
        some("subject", Some(trade.subject.clone())),
        some("body", trade.body.clone()),
        some("buyer_id", Some(trade.buyer_user_id.clone())),
        some("passback_params", trade.passback_params.clone()),
        some("agreement_no", trade.agreement_no.clone()),
        some("external_agreement_no", trade.external_agreement_no.clone()),
        some("invoice_amount", Some(own.clone())),
        some("version", Some("1.0".to_owned())),
        some("notify_id", Some(notify_id.to_owned())),
        some("fund_bill_list", Some(discount::fund_text(trade.parts))),
        some("voucher_detail_list", discount::voucher_text(&trade.vouchers)),
        some("notify_type", Some("trade_status_sync".to_owned())),
        some("out_trade_no", Some(trade.out_trade_no.clone())),
        some("total_amount", Some(yuan(trade.total_fen()))),
        some("trade_status", Some(trade.status.word().to_owned())),
        some("trade_no", Some(trade.trade_no.clone())),
        some("auth_app_id", Some(trade.app_id.clone())),
        some(
            "receipt_amount",
            Some(yuan(trade.total_fen() - trade.parts.merchant_fen)),
        ),
        some("point_amount", Some(yuan(0))),
        some("buyer_pay_amount", Some(own)),
        some("app_id", Some(trade.app_id.clone())),
        some("seller_id", Some(trade.seller_id.clone())),
        some("buyer_logon_id", Some(trade.buyer_logon_id.clone())),
        some("sign_type", Some("RSA2".to_owned())),
    ];
    pairs.into_iter().flatten().collect()
}

fn signed_pairs(agreement: &Agreement, notify_id: &str) -> Pairs {
    agreement_pairs(agreement, notify_id, "dut_user_sign", |name| match name {
        "sign_time" => Some(moment(agreement.signed_ms)),
        "valid_time" => Some(moment(agreement.signed_ms)),
        "invalid_time" => Some(agreement.invalid_time()),
        "status" => Some("NORMAL".to_owned()),
        _ => None,
    })
}

fn unsigned_pairs(agreement: &Agreement, notify_id: &str) -> Pairs {
    agreement_pairs(agreement, notify_id, "dut_user_unsign", |name| match name {
        "unsign_time" => agreement.ended_ms.map(moment),
        "status" => Some("UNSIGN".to_owned()),
        _ => None,
    })
}

fn agreement_pairs(
    agreement: &Agreement,
    notify_id: &str,
    notify_type: &str,
    own: impl Fn(&'static str) -> Option<String>,
) -> Pairs {
    let some = |name: &'static str, value: &str| Some((name, value.to_owned()));
    let special = |name: &'static str| own(name).map(|value| (name, value));
    let pairs = [
        some("charset", "UTF-8"),
        some("notify_time", ""),
        some("alipay_user_id", &agreement.user_id),
        agreement
            .external_agreement_no
            .clone()
            .map(|number| ("external_agreement_no", number)),
        some("version", "1.0"),
        special("sign_time"),
        special("unsign_time"),
        some("notify_id", notify_id),
        some("notify_type", notify_type),
        some("agreement_no", &agreement.agreement_no),
        special("invalid_time"),
        some("auth_app_id", &agreement.app_id),
        some("personal_product_code", &agreement.personal_product_code),
        special("valid_time"),
        some("app_id", &agreement.app_id),
        some("sign_type", "RSA2"),
        some("alipay_logon_id", &agreement.logon_id),
        special("status"),
        some("sign_scene", &agreement.sign_scene),
    ];
    pairs.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::super::agreement::Status;
    use super::super::vectors::{at, paid_trade, vector};
    use super::*;

    fn written(pairs: &Pairs, time: &str) -> String {
        String::from_utf8(form(pairs, time, vector("alipay private key"), false)).unwrap()
    }

    fn agreement() -> Agreement {
        Agreement {
            agreement_no: "20265301000000000001".to_owned(),
            app_id: "2021000000000001".to_owned(),
            seller_id: "2088000000000001".to_owned(),
            external_agreement_no: Some("MTSIGN20260301000001".to_owned()),
            external_logon_id: None,
            user_id: "2088000000000099".to_owned(),
            logon_id: "159****5620".to_owned(),
            product_code: "GENERAL_WITHHOLDING".to_owned(),
            personal_product_code: "GENERAL_WITHHOLDING_P".to_owned(),
            sign_scene: "INDUSTRY|METRO".to_owned(),
            third_party_type: "PARTNER".to_owned(),
            status: Status::Normal,
            signed_ms: at("2026-03-01T07:00:01"),
            invalid_ms: None,
            ended_ms: Some(at("2026-03-09T21:10:00")),
        }
    }

    #[test]
    fn a_payment_is_told_as_in_vector_t7() {
        let pairs = payment_pairs(&paid_trade(), "2026030100222083006000010000000001");
        assert_eq!(written(&pairs, "2026-03-01 08:30:07"), vector("T7 body"));
        let timed = pairs.iter().map(|(name, value)| {
            (
                *name,
                if *name == "notify_time" {
                    "2026-03-01 08:30:07"
                } else {
                    value
                },
            )
        });
        assert_eq!(sign::notice_string(timed), vector("T7 string"));
    }

    #[test]
    fn signing_is_told_as_in_vector_t8() {
        let pairs = signed_pairs(&agreement(), "2026030100222070002000010000000002");
        assert_eq!(written(&pairs, "2026-03-01 07:00:02"), vector("T8 body"));
    }

    #[test]
    fn unsigning_is_told_as_in_vector_t8u() {
        let pairs = unsigned_pairs(&agreement(), "2026030900222211001000010000000004");
        let body = written(&pairs, "2026-03-09 21:10:01");
        let received: std::collections::BTreeMap<String, String> =
            form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        assert_eq!(received["sign"], vector("T8u sign"));
        let text = sign::notice_string(received.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        assert_eq!(text, vector("T8u string"));
    }

    #[test]
    fn a_forged_one_differs_only_in_its_signature() {
        let pairs = payment_pairs(&paid_trade(), "1");
        let forged = form(&pairs, "2026-03-01 08:30:07", vector("alipay private key"), true);
        let forged = String::from_utf8(forged).unwrap();
        let (forged_rest, forged_sign) = forged.split_once("&sign=").unwrap();
        let right = written(&pairs, "2026-03-01 08:30:07");
        let (right_rest, right_sign) = right.split_once("&sign=").unwrap();
        assert_eq!(forged_rest, right_rest);
        assert_ne!(forged_sign, right_sign);
    }
}
