//! Writing a payment down: everything or nothing, and the database decides (INV-05, INV-06, INV-07, INV-21). PostgreSQL does
//! it in one statement, the embedded database in one transaction.

use sea_orm::DbErr;
use serde_json::json;

use super::decide::Decision;
use super::{PayAsk, Payment, PaymentState, ReversalMark, topic};
use crate::channel::Product;
use crate::engine::Engine;
use crate::event::{self, EventKind};
use crate::id::{MchId, PayNo};
use crate::money::Fen;
use crate::problem::{Code, Problem};
use crate::store;
use crate::store::at_once::{Placed, Placing};
use crate::store::facts::Facts;
use crate::store::user::UserState;

/// What came of it.
pub(super) enum Opened {
    /// Written down: it is ours to send.
    Fresh(Box<Payment>),
    /// The number or the code was taken in the meantime.
    Taken,
    /// The code, its user's account or his consent ended in the meantime, or the code was used: decide anew.
    Overtaken,
}

/// Consumes the code, takes the number, counts the user's day and writes the payment down as PAYING.
#[tracing::instrument(level = "debug", name = "payment.open", skip_all)]
pub(super) async fn open(
    engine: &Engine,
    mch_id: &MchId,
    ask: PayAsk,
    code_hash: String,
    decision: Decision,
) -> Result<Opened, Problem> {
    let payment = compose(engine, mch_id, ask, code_hash, decision);
    let placed = match engine.db.again(&*engine.random, || write(engine, &payment)).await {
        Ok(placed) => placed,
        Err(error) if store::is_unique_violation(&error) => return Ok(Opened::Taken),
        Err(error) => return Err(error.into()),
    };
    match placed {
        Placed::Overtaken => return Ok(Opened::Overtaken),
        Placed::OverCap => return Err(Problem::new(Code::LimitExceeded).fact("limit", "per_user_day")),
        Placed::Written => {}
    }
    super::count::placed(&payment);
    engine.live.wake(&topic(&payment));
    tracing::info!(payment = %payment.pay_no, merchant = %mch_id, channel = %payment.channel, amount_fen = payment.amount.get(),
        "payment {} of {} fen placed at {}", payment.pay_no, payment.amount, payment.channel);
    Ok(Opened::Fresh(Box::new(payment)))
}

async fn write(engine: &Engine, payment: &Payment) -> Result<Placed, DbErr> {
    if engine.db.writes_in_one_statement() {
        at_once(engine, payment).await
    } else {
        in_steps(engine, payment).await
    }
}

/// In one statement, where the database can.
async fn at_once(engine: &Engine, payment: &Payment) -> Result<Placed, DbErr> {
    let (Some(uid), Some(code_id), Some(mandate_id)) = (&payment.uid, &payment.code_id, &payment.mandate_id) else {
        return in_steps(engine, payment).await;
    };
    let placing = Placing {
        payment,
        uid,
        code_id,
        mandate_id,
        cap: engine.caps.per_user_day,
        told: told(payment),
    };
    store::at_once::place(engine.db.write(), placing).await
}

/// In a transaction; an error takes everything back.
async fn in_steps(engine: &Engine, payment: &Payment) -> Result<Placed, DbErr> {
    let tx = engine.db.begin().await?;
    if let Some(uid) = &payment.uid {
        let cap = engine.caps.per_user_day;
        if !store::spend::add(&tx, uid, payment.day, payment.amount, cap).await? {
            return Ok(Placed::OverCap);
        }
        // The first write has made this transaction the only one that writes: what stands now stands until it ends.
        if !still_stands(
            &store::facts::of_code(&tx, &payment.code_hash, &payment.mch_id).await?,
            payment,
        ) {
            return Ok(Placed::Overtaken);
        }
    }
    let no = Some(payment.pay_no.clone());
    store::request_no::take(&tx, &payment.mch_id, &payment.out_request_no, no, payment.created_at).await?;
    store::payment::insert(&tx, payment.clone()).await?;
    if let Some(uid) = &payment.uid {
        // The use of one code ends whatever else of the user's could still be scanned.
        store::code::end(&tx, uid, None, payment.created_at).await?;
        let (kind, told) = told(payment);
        store::event::insert(&tx, uid, kind, payment.code_id.clone(), told, payment.created_at).await?;
    }
    tx.commit().await?;
    Ok(Placed::Written)
}

/// What the App is told: the event's kind and its facts.
fn told(payment: &Payment) -> (&'static str, String) {
    let facts = event::of_payment(payment, json!({}));
    (EventKind::PaymentPlaced.word(), facts.to_string())
}

/// Whether the decision still holds: a code, an account and a consent that were ended before the payment was written down
/// carry nothing (INV-19, INV-22).
fn still_stands(facts: &[Facts], payment: &Payment) -> bool {
    facts.iter().any(|row| {
        Some(&row.code_id) == payment.code_id.as_ref()
            && row.used_by.is_none()
            && row.ended_at.is_none()
            && row.user_status == UserState::Active
            && row.mandate_id == payment.mandate_id
    })
}

fn compose(engine: &Engine, mch_id: &MchId, ask: PayAsk, code_hash: String, decision: Decision) -> Payment {
    let now = engine.clock.now();
    let payer = decision.payer;
    let product = if payer.is_some() {
        Product::Mandate
    } else {
        Product::PaymentCode
    };
    Payment {
        pay_no: PayNo::fresh(&*engine.clock, &*engine.random),
        mch_id: mch_id.clone(),
        out_request_no: ask.out_request_no,
        store_id: ask.store_id,
        product,
        uid: payer.as_ref().map(|payer| payer.uid.clone()),
        code_id: payer.as_ref().map(|payer| payer.code_id.clone()),
        code_hash,
        channel: decision.channel,
        account_id: decision.account,
        mandate_id: payer.as_ref().map(|payer| payer.mandate.clone()),
        contract_no: payer.map(|payer| payer.contract),
        body: ask.body,
        extra_data: ask.extra_data,
        amount: ask.total_fee,
        coupon: Fen::ZERO,
        fee: decision.fee,
        state: PaymentState::Paying,
        reason: None,
        reason_text: None,
        hint: None,
        channel_no: None,
        pins: decision.pins,
        day: now.day(),
        created_at: now,
        paid_at: None,
        ended_at: None,
        sends: 1,
        send_until: now.plus(engine.caps.send_lease),
        // While the till waits, the one who sends also asks; after that the completer does.
        next_look_at: Some(now.plus(engine.caps.till_wait)),
        looks: 0,
        absent_since: None,
        refund_reserved: Fen::ZERO,
        refunded: Fen::ZERO,
        reversal: ReversalMark::None,
    }
}
