//! Every parser of input from outside, as a function of bytes that must never panic, hang or grow without bound.
//!
//! `make fuzz` runs a fuzzer over each of them; the inputs that reached something new stand under `corpus/`, and a plain test
//! reads them all again.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use metropay_channel_alipay::fuzz as alipay;
use metropay_channel_ecny::fuzz as ecny;
use metropay_channel_unionpay::fuzz as unionpay;
use metropay_channel_wechat::fuzz as wechat;
use metropay_core::clock::Time;
use metropay_core::code::form::{CodeForm, CodeType, PREFIX};
use metropay_core::signing::{Authorization, WEBHOOK_TOLERANCE, WebhookHeaders, WebhookVerifyingKey, verify_webhook};
use metropay_outbound::guard::{AddressPolicy, MerchantUrl, Reach};

/// A parser under its name.
pub type Parser = (&'static str, fn(&[u8]));

/// All of them.
pub const PARSERS: &[Parser] = &[
    ("scanned_code", scanned_code),
    ("signature_header", signature_header),
    ("request_json", request_json),
    ("merchant_url", merchant_url),
    ("notice_headers", notice_headers),
    ("wechat_message", wechat::message),
    ("wechat_answer", wechat::answer),
    ("wechat_envelope", wechat::envelope),
    ("wechat_certificates", wechat::certificates),
    ("wechat_trade_bill", wechat::trade_bill),
    ("wechat_fund_bill", wechat::fund_bill),
    ("alipay_answer", alipay::answer),
    ("alipay_node", alipay::node),
    ("alipay_notice", alipay::notice),
    ("alipay_certificates", alipay::certificates),
    ("alipay_trades", alipay::trades),
    ("alipay_funds", alipay::funds),
    ("alipay_bill_archive", alipay::bill_archive),
    ("unionpay_answer", unionpay::answer),
    ("unionpay_notice", unionpay::notice),
    ("unionpay_domain", unionpay::domain),
    ("unionpay_coupons", unionpay::coupons),
    ("unionpay_certificate", unionpay::certificate),
    ("unionpay_bill_content", unionpay::bill_content),
    ("unionpay_bill", unionpay::bill),
    ("unionpay_bill_row", unionpay::bill_row),
    ("unionpay_bill_summary", unionpay::bill_summary),
    ("ecny_answer", ecny::answer),
    ("ecny_notice", ecny::notice),
    ("ecny_bill", ecny::bill),
];

/// Runs one of them.
///
/// # Panics
/// When there is none of this name, and where a parser has a fault: that is what a fuzzer looks for.
pub fn run(name: &str, data: &[u8]) {
    let parser = PARSERS.iter().find(|(known, _)| *known == name);
    let (_, parser) = parser.expect("a parser of this name");
    parser(data);
}

/// What a till's scan gun sends.
pub fn scanned_code(data: &[u8]) {
    let form = CodeForm::new(PREFIX, CodeType::Online).expect("the form that comes with the platform");
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = form.recognise(text);
    }
}

/// The signature of a till's request.
pub fn signature_header(data: &[u8]) {
    let _ = Authorization::read([data]);
}

/// The body of a till's or an App's request.
pub fn request_json(data: &[u8]) {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let _ = metropay_web::read_json::<serde_json::Value>(&headers, &Bytes::copy_from_slice(data));
}

/// An address that a merchant gives. What passes is a name, not an address, and is read as the same again.
///
/// # Panics
/// When an address passes, or an address is read as two things.
pub fn merchant_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let policy = AddressPolicy::default();
    let Ok(url) = MerchantUrl::parse(text, &policy) else {
        return;
    };
    assert_eq!(url.reach(), Reach::Public);
    assert!(
        url.host().parse::<std::net::IpAddr>().is_err() && url.host().contains('.'),
        "{}",
        url.host()
    );
    // A path may grow by its escapes beyond what is taken; the host must stay.
    if let Ok(again) = MerchantUrl::parse(url.as_str(), &policy) {
        assert_eq!(again.host(), url.host());
    }
}

/// The headers and body of a notice, as its receiver reads them: three lines, and the rest.
///
/// # Panics
/// Never: the keys are well formed.
pub fn notice_headers(data: &[u8]) {
    let key = "whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let shared = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let keys = [key, shared].map(|text| WebhookVerifyingKey::parse(&text.into()).expect("a key"));
    let mut lines = data.splitn(4, |byte| *byte == b'\n');
    let mut line = || String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let headers = WebhookHeaders {
        id: line(),
        timestamp: line(),
        signature: line(),
    };
    let body = lines.next().unwrap_or_default();
    let _ = verify_webhook(&keys, &headers, body, Time(1_614_265_330_000), WEBHOOK_TOLERANCE);
}
