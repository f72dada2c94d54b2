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
use metropay_core::code::form::{CodeForm, CodeType, PREFIX};
use metropay_core::signing::Authorization;

/// A parser under its name.
pub type Parser = (&'static str, fn(&[u8]));

/// All of them.
pub const PARSERS: &[Parser] = &[
    ("scanned_code", scanned_code),
    ("signature_header", signature_header),
    ("request_json", request_json),
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
