//! The story of a refund, from the merchant's wish to the answer.

use std::sync::Arc;
use std::time::Duration;

use super::{Refund, RefundAsk, RefundKind, RefundState, complete};
use crate::engine::Engine;
use crate::id::{MchId, RefundNo};
use crate::limit;
use crate::money::Fen;
use crate::payment::{self, Payment, PaymentState, ReversalMark};
use crate::problem::{Code, Problem};
use crate::store;

/// How long a refund is left to who asked for it before the completer takes it up.
const OWN_TIME: Duration = Duration::from_secs(15);

/// Gives money back. A repeat of a number with the same parameters answers the refund's present state, and drives it on.
///
/// # Errors
/// A [`Problem`] when nothing was refunded by this number.
pub async fn refund(engine: &Arc<Engine>, mch_id: &MchId, ask: RefundAsk) -> Result<(Payment, Refund), Problem> {
    let payment = payment::query::query(engine, mch_id, &ask.order).await?;
    if let Some(known) = store::refund::by_request(engine.db.write(), mch_id, &ask.out_refund_no).await? {
        return repeat(engine, payment, known, &ask).await;
    }
    refundable(engine, &payment, ask.refund_fee)?;
    let refund = compose(engine, &payment, &ask);
    if !reserve(engine, &payment, &refund).await? {
        // Somebody was faster: say what stands now.
        if let Some(known) = store::refund::by_request(engine.db.write(), mch_id, &ask.out_refund_no).await? {
            return repeat(engine, payment, known, &ask).await;
        }
        let present = payment::find::by_number(engine, &payment.pay_no).await?;
        refundable(engine, &present, ask.refund_fee)?;
        return Err(Problem::new(Code::RefundExceeds));
    }
    fail::fail_point!("R1");
    drive(engine, payment, refund).await
}

/// Asks the channel in the background, so that a caller that hangs up cannot stop it half way.
async fn drive(engine: &Arc<Engine>, payment: Payment, refund: Refund) -> Result<(Payment, Refund), Problem> {
    let (pay_no, refund_no) = (payment.pay_no.clone(), refund.refund_no.clone());
    let own = Arc::clone(engine);
    let driving = tokio::spawn(async move { complete::send(&own, &payment, &refund).await });
    if let Ok(Ok(Err(problem))) = tokio::time::timeout(engine.caps.till_wait, driving).await {
        tracing::error!(refund = %refund_no, error = %problem, "sending refund {refund_no} broke off: {problem}");
    }
    fail::fail_point!("R4");
    let payment = payment::find::by_number(engine, &pay_no).await?;
    let refund = store::refund::find(engine.db.write(), &refund_no).await?;
    Ok((payment, refund.ok_or_else(|| Problem::new(Code::Internal))?))
}

async fn repeat(
    engine: &Arc<Engine>,
    payment: Payment,
    known: Refund,
    ask: &RefundAsk,
) -> Result<(Payment, Refund), Problem> {
    if known.pay_no != payment.pay_no {
        return Err(Problem::new(Code::OutRefundNoConflict).at("out_request_no"));
    }
    if known.amount != ask.refund_fee {
        return Err(Problem::new(Code::OutRefundNoConflict).at("refund_fee"));
    }
    // Within its own time the one who asked first is still at it.
    let own_time_over = engine.clock.now() >= known.created_at.plus(OWN_TIME);
    if known.state == RefundState::Requested && own_time_over {
        complete::complete(engine, &known).await?;
    }
    let refund = store::refund::find(engine.db.write(), &known.refund_no)
        .await?
        .unwrap_or(known);
    let payment = payment::find::by_number(engine, &payment.pay_no).await?;
    Ok((payment, refund))
}

/// Whether so much of the payment may be given back, as far as one look tells; the reservation decides.
fn refundable(engine: &Engine, payment: &Payment, amount: Fen) -> Result<(), Problem> {
    if payment.reversal != ReversalMark::None {
        return Err(Problem::new(Code::OrderReversed));
    }
    if payment.state != PaymentState::Success {
        return Err(Problem::new(Code::OrderNotPaid));
    }
    let paid_at = payment.paid_at.unwrap_or(payment.created_at);
    if engine.clock.now() > paid_at.plus(limit::REFUND_WINDOW) {
        return Err(Problem::new(Code::RefundExpired));
    }
    let remaining = payment.amount.minus(payment.refund_reserved)?;
    if amount > remaining {
        return Err(Problem::new(Code::RefundExceeds)
            .at("refund_fee")
            .fact("remaining", remaining.get()));
    }
    Ok(())
}

fn compose(engine: &Engine, payment: &Payment, ask: &RefundAsk) -> Refund {
    let now = engine.clock.now();
    Refund {
        refund_no: RefundNo::fresh(&*engine.clock, &*engine.random),
        mch_id: payment.mch_id.clone(),
        out_refund_no: ask.out_refund_no.clone(),
        pay_no: payment.pay_no.clone(),
        kind: RefundKind::Asked,
        amount: ask.refund_fee,
        coupon: Fen::ZERO,
        fee_back: Fen::ZERO,
        state: RefundState::Requested,
        reason: None,
        reason_text: None,
        channel_no: None,
        created_at: now,
        ended_at: None,
        next_look_at: Some(now.plus(OWN_TIME)),
        looks: 0,
    }
}

/// Reserves the part and writes the refund down, together; `false` when the part is not free or the number is taken.
async fn reserve(engine: &Engine, payment: &Payment, refund: &Refund) -> Result<bool, Problem> {
    let reserved = engine
        .db
        .again(&*engine.random, || write(engine, payment, refund))
        .await?;
    if reserved {
        tracing::info!(refund = %refund.refund_no, payment = %payment.pay_no, amount_fen = refund.amount.get(),
            "refund {} of {} fen asked for payment {}", refund.refund_no, refund.amount, payment.pay_no);
    }
    Ok(reserved)
}

async fn write(engine: &Engine, payment: &Payment, refund: &Refund) -> Result<bool, Problem> {
    let tx = engine.db.begin().await?;
    if !store::payment::reserve_refund(&tx, &payment.pay_no, refund.amount).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    match store::refund::insert(&tx, refund.clone()).await {
        Ok(()) => {}
        Err(error) if store::is_unique_violation(&error) => {
            tx.rollback().await?;
            return Ok(false);
        }
        Err(error) => return Err(error.into()),
    }
    tx.commit().await?;
    Ok(true)
}
