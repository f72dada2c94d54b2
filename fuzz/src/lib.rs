//! Every parser of input from outside, as a function of bytes that must never panic, hang or grow without bound.
//!
//! `make fuzz` runs a fuzzer over each of them; the inputs that reached something new stand under `corpus/`, and a plain test
//! reads them all again.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use metropay_core::code::form::{CodeForm, CodeType, PREFIX};
use metropay_core::signing::Authorization;

/// A parser under its name.
pub type Parser = (&'static str, fn(&[u8]));

/// All of them.
pub const PARSERS: &[Parser] = &[
    ("scanned_code", scanned_code),
    ("signature_header", signature_header),
    ("request_json", request_json),
];

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
