//! What the benchmarks measure, without a network: a deduction on its way out, its answer on its way in, and a file's rows.

use std::fs::File;

use metropay_core::channel::{BillError, BillRow, CallError, DeductQuestion};
use metropay_core::clock::Day;

use crate::Unionpay;
use crate::bill::{Sheet, archive};
use crate::form::Fields;

/// A deduction as it was sent.
pub struct Sent(Fields);

impl Unionpay {
    /// Builds and signs a deduction; answers it and its body.
    ///
    /// # Errors
    /// [`CallError`] when the key refuses.
    #[doc(hidden)]
    pub fn bench_write(&self, question: &DeductQuestion) -> Result<(Sent, String), CallError> {
        let mut fields = self.deduction(question);
        let body = self.write(&mut fields)?;
        Ok((Sent(fields), body))
    }

    /// Reads and verifies the answer to a deduction; answers its code.
    ///
    /// # Errors
    /// [`CallError`] when it is not believed.
    #[doc(hidden)]
    pub fn bench_believe(&self, sent: &Sent, body: &[u8]) -> Result<String, CallError> {
        Ok(self.believe(&sent.0, body)?.code().to_owned())
    }
}

/// Reads the rows of a zip.
///
/// # Errors
/// [`BillError`] when it is unreadable.
pub fn rows(zip: File, mer_id: &str, day: Day, hand_over: &mut dyn FnMut(BillRow) -> bool) -> Result<(), BillError> {
    let sheet = Sheet {
        mer_id: mer_id.to_owned(),
        day,
        check_totals: true,
    };
    archive::read(zip, &sheet, hand_over)
}
