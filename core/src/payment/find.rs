//! Looking a merchant's order up: by its own number, by ours, or by both.

use super::{OrderKey, Payment};
use crate::engine::Engine;
use crate::id::{MchId, PayNo};
use crate::problem::{Code, Problem};
use crate::store;

/// The merchant's order. Another merchant's is as unknown as none.
///
/// # Errors
/// `PARAM_EITHER_OR` without any number, `IDS_DISAGREE`, `ORDER_NOT_FOUND`.
pub async fn find(engine: &Engine, mch_id: &MchId, key: &OrderKey) -> Result<Payment, Problem> {
    let db = engine.db.read();
    let by_request = match &key.out_request_no {
        Some(no) => store::payment::by_request(db, mch_id, no).await?,
        None => None,
    };
    let by_number = match &key.pay_no {
        Some(no) => store::payment::of_merchant(db, mch_id, no).await?,
        None => None,
    };
    match (&key.out_request_no, &key.pay_no) {
        (None, None) => Err(Problem::new(Code::ParamEitherOr)),
        (Some(_), Some(_)) => match (by_request, by_number) {
            (Some(one), Some(other)) if one.pay_no == other.pay_no => Ok(one),
            (None, None) => Err(Problem::new(Code::OrderNotFound)),
            _ => Err(Problem::new(Code::IdsDisagree)),
        },
        _ => by_request
            .or(by_number)
            .ok_or_else(|| Problem::new(Code::OrderNotFound)),
    }
}

/// A payment of ours by its number, whoever's it is: for jobs and notifications.
pub(crate) async fn by_number(engine: &Engine, pay_no: &PayNo) -> Result<Payment, Problem> {
    let found = store::payment::find(engine.db.read(), pay_no).await?;
    found.ok_or_else(|| Problem::new(Code::OrderNotFound))
}
