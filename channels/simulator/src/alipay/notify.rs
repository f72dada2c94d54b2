//! Notifications: what they say, and how they are signed, sent and repeated (alipay reference, 3.3, 3.4 and 9).

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::account::Account;
use super::agreement::Agreement;
use super::charset::Charset;
use super::desk::Desk;
use super::money::yuan;
use super::notice_pairs::{Pairs, payment_pairs, signed_pairs, unsigned_pairs};
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

/// A notification on its way out.
pub(super) struct Letter {
    /// The merchant's number that it is about; faults match on it.
    order_no: String,
    url: String,
    /// In the order in which they are sent; `notify_time` is filled in at each try.
    pairs: Pairs,
    /// What they are written in.
    charset: Charset,
    private_key: String,
}

impl Letter {
    /// A notification of this app's about this number of the merchant.
    pub(super) fn new(account: &Account, order_no: &str, url: String, pairs: Pairs) -> Self {
        Self {
            order_no: order_no.to_owned(),
            url,
            pairs,
            charset: Charset::Utf8,
            private_key: account.alipay_private_key.clone(),
        }
    }

    /// The same in another charset.
    fn written_in(self, charset: Charset) -> Self {
        Self { charset, ..self }
    }
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
    let pairs = payment_pairs(account, trade, &new_id(desk));
    desk.send(Letter::new(account, &trade.out_trade_no, url, pairs).written_in(trade.charset));
}

/// Tells the merchant that money went back, at the payment's address as seen in production (9.3).
pub(super) fn refund(desk: &mut Desk<'_>, account: &Account, trade: &Trade, news: &RefundNews<'_>) {
    let Some(url) = trade.notify_url.clone() else { return };
    let mut pairs = payment_pairs(account, trade, &new_id(desk));
    let millis = clock::at(news.at_ms).format("%Y-%m-%d %H:%M:%S%.3f").to_string();
    pairs.push(("out_biz_no", news.number.to_owned()));
    pairs.push(("refund_fee", yuan(trade.refunded.total_fen())));
    pairs.push(("send_back_fee", yuan(news.send_back_fen)));
    pairs.push(("gmt_refund", millis));
    desk.send(Letter::new(account, news.number, url, pairs).written_in(trade.charset));
}

/// Tells the merchant that the user signed.
pub(super) fn signed(desk: &mut Desk<'_>, account: &Account, agreement: &Agreement, url: String) {
    let pairs = signed_pairs(account, agreement, &new_id(desk));
    desk.send(Letter::new(account, agreement.order_no(), url, pairs));
}

/// Tells the merchant that the agreement ended.
pub(super) fn unsigned(desk: &mut Desk<'_>, account: &Account, agreement: &Agreement, url: String) {
    let pairs = unsigned_pairs(account, agreement, &new_id(desk));
    desk.send(Letter::new(account, agreement.order_no(), url, pairs));
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
        charset,
        private_key,
    } = letter;
    let body = move |forged: bool| form(&pairs, &moment(clock.clock.now_ms()), &private_key, charset, forged);
    let notice = Notice {
        gateway: Gateway::Alipay,
        order_no,
        url,
        content_type: charset.form_type(),
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
pub(super) fn form(pairs: &Pairs, notify_time: &str, private_key: &str, charset: Charset, forged: bool) -> Vec<u8> {
    let timed = pairs
        .iter()
        .map(|(name, value)| (*name, if *name == "notify_time" { notify_time } else { value }));
    let mut text = sign::notice_string(timed.clone());
    if forged {
        text.push('x');
    }
    let signature = sign::sign(private_key, charset.bytes(&text)).unwrap_or_default();
    let all = timed.chain(std::iter::once(("sign", signature.as_str())));
    let fields: Vec<String> = all
        .map(|(name, value)| format!("{name}={}", encode(value, charset)))
        .collect();
    fields.join("&").into_bytes()
}

fn encode(value: &str, charset: Charset) -> String {
    percent_encode(&charset.bytes(value), PLAIN)
        .to_string()
        .replace("%20", "+")
}

/// The notification's id: the same in every repetition.
pub(super) fn new_id(desk: &mut Desk<'_>) -> String {
    let time = clock::at(desk.now_ms).format("%H%M%S").to_string();
    format!("{}00222{time}00001{:010}", day(desk.now_ms), desk.next("notify"))
}
