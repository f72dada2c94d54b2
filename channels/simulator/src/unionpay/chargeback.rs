//! Chargebacks: money that UnionPay takes back from a merchant for a payer, outside of the merchant's own refunds. They
//! stand in the error file of their clearing day (unionpay reference, 6.4).

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::account;
use super::bill::{self, Adjustment};
use super::card;
use super::form::Fields;
use super::order::{self, State};
use super::request::text;
use crate::books::{self, MovementKind};
use crate::clock;
use crate::frame::{Frame, Refused};
use crate::store::Tx;

const TABLE: &str = "unionpay_adjustment";

/// The reason when none is given: the card holder disputes the payment.
const USUAL_REASON: &str = "4515";

/// `POST sim/chargeback`: takes `amount` fen of the payment `query_id` back; `reason` is four digits. Returns the number of
/// the movement.
///
/// # Errors
/// When there is no such paid payment, or less is left of it.
pub(super) fn take_back(frame: &Frame, wishes: &Fields) -> Result<Value, Refused> {
    let refused = |why: &str| Refused(why.to_owned());
    let amount_fen: u64 = text(wishes, "amount")
        .parse()
        .map_err(|_| refused("amount is no amount in fen"))?;
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let payment = order::find_by_query_id(&tx, text(wishes, "query_id"))
        .filter(|order| order.is_payment() && order.state == State::Success && !order.undone);
    let mut payment = payment.ok_or_else(|| refused("there is no paid payment of this query_id"))?;
    let left_fen = payment.amount_fen.saturating_sub(payment.refunded_fen);
    if amount_fen == 0 || amount_fen > left_fen {
        return Err(refused("amount is nothing, or more than is left of the payment"));
    }
    let account = account::find(&tx, text(&payment.request, "merId"));
    let account = account.ok_or_else(|| refused("the payment's merchant is gone"))?;
    payment.refunded_fen += amount_fen;
    payment.keep(&mut tx);
    let trace_no = order::next_trace_no(&mut tx);
    let order_no = format!("CB{}{trace_no}", clock::at(now_ms).format("%Y%m%d%H%M%S"));
    let mut movement = payment.movement(MovementKind::Refund, text(&payment.request, "orderId"), now_ms);
    movement.order_no.clone_from(&order_no);
    movement.amount_fen = amount_fen;
    books::record(&mut tx, movement);
    let reason = match text(wishes, "reason") {
        "" => USUAL_REASON,
        reason => reason,
    };
    let adjustment = Adjustment {
        mer_id: account.mer_id.clone(),
        day: account.clearing_day(now_ms).to_string(),
        trace_no,
        time: clock::at(now_ms).format("%m%d%H%M%S").to_string(),
        card: card::masked(&payment.card_number),
        amount_fen,
        fee_fen: bill::fee_fen(amount_fen, account.conduct.fee_rate),
        reason: reason.to_owned(),
        original_trace_no: payment.trace_no.clone(),
        original_time: payment.trace_time(),
    };
    tx.put(TABLE, &order_no, &adjustment);
    tx.commit();
    Ok(json!({ "order_no": order_no }))
}

/// A merchant's chargebacks of a clearing day.
pub(super) fn of_day(tx: &Tx<'_>, mer_id: &str, day: NaiveDate) -> Vec<Adjustment> {
    let day = day.to_string();
    tx.scan::<Adjustment>(TABLE)
        .into_iter()
        .filter(|adjustment| adjustment.mer_id == mer_id && adjustment.day == day)
        .collect()
}
