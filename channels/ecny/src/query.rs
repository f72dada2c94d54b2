//! How an order stands.

use metropay_core::channel::{CallError, PaymentRef, Standing};
use serde::Serialize;

use crate::Ecny;
use crate::call::maybe;

#[derive(Serialize)]
struct Wish<'a> {
    no: &'a str,
}

impl Ecny {
    pub(crate) async fn order_standing(&self, payment: &PaymentRef) -> Result<Standing, CallError> {
        let wish = Wish {
            no: payment.no.as_str(),
        };
        let said = self.gate.ask("/v1/query", &wish).await?;
        match said.code.as_str() {
            "OK" => {
                let order = said.order.as_ref().ok_or_else(|| maybe("an answer without order"))?;
                order.standing(payment.no.as_str(), payment.amount)
            }
            "NO_ORDER" => Ok(Standing::Absent),
            _ => Err(said.doubt()),
        }
    }
}
