//! Deductions.

use metropay_core::channel::{Called, DeductQuestion, Paid};
use serde::Serialize;

use crate::Foochan;
use crate::call::unwritten;

#[derive(Serialize)]
struct Wish<'a> {
    no: &'a str,
    amount_fen: u64,
    contract: &'a str,
    body: &'a str,
    store: &'a str,
    notify_url: &'a str,
}

impl Foochan {
    pub(crate) async fn take(&self, question: &DeductQuestion) -> Called<Paid> {
        // FILL IN: the path and the wish in the channel's words; its number is ours, on every repeat the same.
        let wish = Wish {
            no: question.no.as_str(),
            amount_fen: question.amount.get(),
            contract: &question.contract_handle,
            body: &question.body,
            store: &question.store,
            notify_url: &self.notify_url,
        };
        let _said = self.gate.ask("/v1/deduct", &wish).await?;
        // FILL IN: compare number, amount and currency; `Done` only when it is paid, `Refused` only where the channel's
        // documentation says that this code is final and no money moved, otherwise `Pending` or `MaybeDone`.
        unwritten("deduct")
    }
}
