//! The gateways' own books: every movement of money, in the order it happened. Whoever checks the platform reads these.

use serde::{Deserialize, Serialize};

use crate::frame::Gateway;
use crate::store::Tx;

const TABLE: &str = "movement";

/// What kind of movement it was, seen from the payer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovementKind {
    /// The payer paid.
    Debit,
    /// A refund that the merchant asked for.
    Refund,
    /// The whole payment was undone by the gateway's own cancelling call.
    Reversal,
}

/// One movement of money at a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// Position in the books, from 1.
    pub seq: u64,
    /// When it happened, Unix milliseconds on the gateways' clock.
    pub at_ms: i64,
    /// Where it happened.
    pub gateway: Gateway,
    /// The merchant's number at the gateway (mch_id, app_id, merId).
    pub account: String,
    /// Debit, refund or reversal.
    pub kind: MovementKind,
    /// The merchant's number of this very movement (order number, refund number).
    pub order_no: String,
    /// The merchant's order number of the payment that it belongs to (equal to `order_no` for a debit).
    pub payment_no: String,
    /// The gateway's own number.
    pub gateway_no: String,
    /// How much moved, in fen.
    pub amount_fen: u64,
    /// The payer as the gateway names him (openid, user id, token).
    pub payer: String,
}

/// Writes a movement down; its `seq` is given here.
pub(crate) fn record(tx: &mut Tx<'_>, mut movement: Movement) {
    let pending: u64 = tx.get("movement_count", "all").unwrap_or(0);
    movement.seq = pending + 1;
    tx.put(TABLE, &format!("{:012}", movement.seq), &movement);
    tx.put("movement_count", "all", &movement.seq);
}

/// All movements, oldest first.
pub(crate) fn all(tx: &Tx<'_>) -> Vec<Movement> {
    tx.scan(TABLE)
}
