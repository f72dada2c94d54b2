//! A merchant's question about its order.

use super::{OrderKey, Payment, PaymentState, complete, find};
use crate::engine::Engine;
use crate::id::MchId;
use crate::problem::Problem;

/// The merchant's order as it stands; one whose outcome is not known is asked about first.
///
/// # Errors
/// As [`find`](super::find::find).
pub async fn query(engine: &Engine, mch_id: &MchId, key: &OrderKey) -> Result<Payment, Problem> {
    let payment = find::find(engine, mch_id, key).await?;
    // While the sender waits it asks by itself; asking twice at the same moment only annoys the channel.
    let sender_asks = engine.clock.now() < payment.created_at.plus(engine.caps.till_wait);
    if payment.state == PaymentState::Paying && !sender_asks {
        return complete::complete(engine, &payment).await;
    }
    Ok(payment)
}
