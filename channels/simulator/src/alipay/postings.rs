//! What the gateway's books mean for one merchant: each movement with its trade, its parts and its fee.

use std::collections::HashMap;

use super::parts::Parts;
use super::refund;
use super::trade::{self, Trade};
use crate::books::{self, MovementKind};
use crate::frame::Gateway;
use crate::store::Tx;

/// One movement on a merchant's account.
pub(super) struct Posting {
    /// Its place in the books.
    pub(super) seq: u64,
    /// When the money moved, Unix milliseconds.
    pub(super) at_ms: i64,
    /// When it was asked for, Unix milliseconds.
    pub(super) asked_ms: i64,
    pub(super) kind: MovementKind,
    /// The merchant's number of this very movement.
    pub(super) number: String,
    /// The trade that it belongs to.
    pub(super) trade: Trade,
    /// Who bore or got which part.
    pub(super) parts: Parts,
    /// The fee that was taken, or given back with a refund, in fen.
    pub(super) fee_fen: u64,
}

impl Posting {
    /// Whether the payer paid; else he got money back.
    pub(super) fn is_payment(&self) -> bool {
        self.kind == MovementKind::Debit
    }

    /// What it does to the merchant's account, in fen.
    pub(super) fn net_fen(&self) -> i128 {
        let fen = i128::from(self.parts.receipt_fen()) - i128::from(self.fee_fen);
        if self.is_payment() { fen } else { -fen }
    }
}

/// All postings of this seller, oldest first.
pub(super) fn of_seller(tx: &Tx<'_>, seller_id: &str) -> Vec<Posting> {
    let mut refunded: HashMap<String, Parts> = HashMap::new();
    let mut postings = Vec::new();
    for movement in books::all(tx) {
        if movement.gateway != Gateway::Alipay {
            continue;
        }
        let Some(trade) = trade::by_gateway_number(tx, &movement.gateway_no).filter(|t| t.seller_id == seller_id)
        else {
            continue;
        };
        let (asked_ms, parts, fee_fen) = match movement.kind {
            MovementKind::Debit => (trade.created_ms, trade.parts, trade.fee_fen(trade.parts.receipt_fen())),
            MovementKind::Refund | MovementKind::Reversal => {
                let Some(refund) = refund::as_written(tx, &trade, &movement.order_no) else {
                    continue;
                };
                let before = refunded.entry(trade.key()).or_default();
                let fee_fen = trade.fee_returned_fen(*before, refund.parts);
                *before = before.with(refund.parts);
                (refund.asked_ms, refund.parts, fee_fen)
            }
        };
        postings.push(Posting {
            seq: movement.seq,
            at_ms: movement.at_ms,
            asked_ms,
            kind: movement.kind,
            number: movement.order_no,
            trade,
            parts,
            fee_fen,
        });
    }
    postings
}

/// What lies on the seller's account, in fen; it can be less than nothing.
pub(super) fn balance_fen(tx: &Tx<'_>, seller_id: &str, opening_fen: i64) -> i128 {
    of_seller(tx, seller_id)
        .iter()
        .fold(i128::from(opening_fen), |balance_fen, posting| {
            balance_fen + posting.net_fen()
        })
}
