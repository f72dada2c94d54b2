//! The readers of what comes from outside, for fuzzing: one function each, which must neither panic nor grow without bound.

use metropay_core::money::Fen;

use crate::answer::{BillFile, Said};
use crate::{bill, notice};

/// An answer, as it is read once its signature fits.
pub fn answer(data: &[u8]) {
    if let Ok(said) = serde_json::from_slice::<Said>(data) {
        let standing = said.order.as_ref().map(|order| order.standing(&order.no, Fen::ZERO));
        let _ = (
            standing,
            said.refusal(),
            said.contract.map(|contract| contract.standing()),
        );
    }
}

/// A notification, as it is read once its signature fits.
pub fn notice(data: &[u8]) {
    if let Ok(said) = serde_json::from_slice::<Said>(data) {
        let _ = notice::told(&said);
    }
}

/// The file of a bill.
pub fn bill(data: &[u8]) {
    let named = BillFile {
        day: "20250301".to_owned(),
        path: "/v1/bill/1".to_owned(),
        rows: 1,
        sha256: String::new(),
    };
    let _ = bill::read(data, &named, &mut |_| true);
}
