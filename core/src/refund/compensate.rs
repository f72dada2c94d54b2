//! Compensation: money that came for a payment which had ended without it goes back by itself, once (INV-14).

use super::{Refund, RefundKind, RefundState};
use crate::audit::alarm::{self, AlarmKind};
use crate::channel::Paid;
use crate::clock::Time;
use crate::engine::Engine;
use crate::id::{OutRefundNo, RefundNo};
use crate::ledger;
use crate::money::Fen;
use crate::payment::Payment;
use crate::problem::Problem;
use crate::store::{self, Tx};

/// Writes the late money and its giving back down; the completer does the rest. Nothing happens when it stands already.
pub(crate) async fn open(tx: &Tx, payment: &Payment, paid: &Paid, now: Time, engine: &Engine) -> Result<(), Problem> {
    // No merchant's number begins like this.
    let out_refund_no = OutRefundNo(format!("!{}", payment.pay_no));
    if store::refund::by_request(tx, &payment.mch_id, &out_refund_no)
        .await?
        .is_some()
    {
        return Ok(());
    }
    let refund = Refund {
        refund_no: RefundNo::fresh(&*engine.clock, &*engine.random),
        mch_id: payment.mch_id.clone(),
        out_refund_no,
        pay_no: payment.pay_no.clone(),
        kind: RefundKind::Compensation,
        amount: payment.amount,
        coupon: Fen::ZERO,
        fee_back: Fen::ZERO,
        state: RefundState::Requested,
        reason: None,
        reason_text: None,
        channel_no: None,
        created_at: now,
        ended_at: None,
        next_look_at: Some(now),
        looks: 0,
    };
    store::payment::note_late(tx, &payment.pay_no, &paid.channel_no).await?;
    store::refund::insert(tx, refund).await?;
    ledger::post::late(tx, payment, now).await?;
    let text = format!(
        "money came after the payment had ended as {:?}; it is being given back",
        payment.state
    );
    alarm::raise(tx, AlarmKind::Compensation, payment.pay_no.as_str(), text, now).await
}
