//! How an order stands.

use metropay_core::channel::{CallError, PaymentRef, Standing};
use serde::Serialize;

use crate::Foochan;
use crate::call::unwritten;

#[derive(Serialize)]
struct Wish<'a> {
    no: &'a str,
}

impl Foochan {
    pub(crate) async fn order_standing(&self, payment: &PaymentRef) -> Result<Standing, CallError> {
        let wish = Wish {
            no: payment.no.as_str(),
        };
        let _said = self.gate.ask("/v1/query", &wish).await?;
        // FILL IN: compare number, amount and currency, then say how it stands. "No such order" is `Absent`; an error is an
        // error.
        unwritten("query")
    }
}
