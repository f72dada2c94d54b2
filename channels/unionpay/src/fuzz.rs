//! The readers of what comes from outside, for fuzzing: one function each, which must neither panic nor grow without bound.

use std::io::Cursor;

use metropay_core::clock::Day;

use crate::bill::line::{error_row, trade};
use crate::bill::totals::Totals;
use crate::bill::{Sheet, archive};
use crate::{certificate, coupon, form};

fn sheet() -> Sheet {
    Sheet {
        mer_id: "700000000000001".to_owned(),
        day: Day(20_250_301),
        check_totals: true,
    }
}

/// A synchronous answer.
pub fn answer(data: &[u8]) {
    let _ = form::read_answer(data);
}

/// A notification's form.
pub fn notice(data: &[u8]) {
    let _ = form::read_form(data);
}

/// A domain in braces.
pub fn domain(data: &[u8]) {
    let _ = form::read_domain(&String::from_utf8_lossy(data));
}

/// A list of coupons.
pub fn coupons(data: &[u8]) {
    let _ = coupon::itemised(&String::from_utf8_lossy(data));
}

/// A certificate.
pub fn certificate(data: &[u8]) {
    let _ = certificate::Certificate::read_all(&String::from_utf8_lossy(data));
}

/// The content of a file as it stands in its answer.
pub fn bill_content(data: &[u8]) {
    if let Ok(file) = archive::unpack(&String::from_utf8_lossy(data)) {
        let _ = archive::read(file, &sheet(), &mut |_| true);
    }
}

/// The zip of a file.
pub fn bill(data: &[u8]) {
    let _ = archive::read(Cursor::new(data), &sheet(), &mut |_| true);
}

/// A row of a file, of either kind.
pub fn bill_row(data: &[u8]) {
    let _ = (trade(data, &sheet()), error_row(data, &sheet()));
}

/// The summary of a file.
pub fn bill_summary(data: &[u8]) {
    let _ = Totals::default().agree(&String::from_utf8_lossy(data));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_upset_any_reader(data in proptest::collection::vec(any::<u8>(), 0..700)) {
            for read in [
                super::answer,
                super::notice,
                super::domain,
                super::coupons,
                super::certificate,
                super::bill_content,
                super::bill,
                super::bill_row,
                super::bill_summary,
            ] {
                read(&data);
            }
        }
    }
}
