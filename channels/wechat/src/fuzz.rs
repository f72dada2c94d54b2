//! Every reader of foreign bytes, for fuzzers and benchmarks. Not part of the interface.

use metropay_core::channel::{BillError, BillRow};
use metropay_core::clock::Time;

use crate::bill;
use crate::v3::{Aead, Envelope, Json, listed};
use crate::xml::Message;

const KEY: &str = "TESTONLYapiv3key0000000000000001";

/// Messages of APIv2.
pub fn message(data: &[u8]) {
    if let Ok(message) = Message::read(data, "xml") {
        let again = Message::read(&message.write(), "xml");
        assert!(
            again.is_ok() || message.pairs().next().is_none(),
            "what was read cannot be written"
        );
    }
}

/// Answers of APIv3 and of the user-information interface.
pub fn answer(data: &[u8]) {
    if let Some(json) = Json::read(data) {
        let _ = (
            json.text("/code"),
            json.fen("/amount/total"),
            json.time("/success_time"),
        );
    }
}

/// Notifications of APIv3.
pub fn envelope(data: &[u8]) {
    if let Some(key) = Aead::new(KEY) {
        let _ = Envelope::open(data, &key);
    }
}

/// Lists of platform certificates.
pub fn certificates(data: &[u8]) {
    if let (Some(json), Some(key)) = (Json::read(data), Aead::new(KEY)) {
        let _ = listed(&json, &key, Time(0));
    }
}

/// Trade bills.
pub fn trade_bill(data: &[u8]) {
    let _ = trades(data, &mut |_| true);
}

/// Fund-flow bills.
pub fn fund_bill(data: &[u8]) {
    let _ = bill::read_funds(data, &mut |_| true);
}

/// Hands over the rows of a trade bill of shop 1900012345 at provider 1900009999.
///
/// # Errors
/// [`BillError`] when it cannot be read to its end.
pub fn trades(data: impl std::io::Read, hand_over: &mut dyn FnMut(BillRow) -> bool) -> Result<(), BillError> {
    bill::read_trades(data, hand_over)
}
