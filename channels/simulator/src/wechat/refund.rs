//! Refunds: what is kept of them, and what must hold of their sums (wechat reference, 5.1).

use serde::{Deserialize, Serialize};

use super::{account, order};
use crate::store::Tx;

const REFUNDS: &str = "wechat_refund";
const BY_ID: &str = "wechat_refund_of_id";

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Status {
    Processing,
    Success,
    /// Nothing was given back; the merchant may file again.
    Closed,
    /// The card cannot take it; a person must look after it.
    Change,
}

impl Status {
    /// `refund_status`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Processing => "PROCESSING",
            Self::Success => "SUCCESS",
            Self::Closed => "REFUNDCLOSE",
            Self::Change => "CHANGE",
        }
    }
}

/// A refund.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Refund {
    pub mch_id: String,
    pub sub_mch_id: Option<String>,
    pub appid: String,
    pub sub_appid: Option<String>,
    pub out_refund_no: String,
    pub refund_id: String,
    pub out_trade_no: String,
    pub transaction_id: String,
    pub openid: String,
    pub total_fee: u64,
    pub refund_fee: u64,
    /// The part of `refund_fee` that goes back to the coupon.
    pub coupon_fee: u64,
    pub account: String,
    pub notify_url: Option<String>,
    pub status: Status,
    /// How it is going to end.
    pub will_end: Status,
    pub settle_at_ms: i64,
    pub succeeded_at_ms: Option<i64>,
    /// When it was filed first.
    #[serde(default)]
    pub filed_at_ms: i64,
    /// When it came to its end, whatever that was.
    #[serde(default)]
    pub ended_at_ms: Option<i64>,
    /// The part of the order's fee that the merchant gets back.
    #[serde(default)]
    pub fee_fen: u64,
    /// The version of the interface that filed it; its notification is of the same.
    #[serde(default)]
    pub version: Version,
    /// Why, as the merchant says.
    #[serde(default)]
    pub reason: Option<String>,
    /// A refund that its card could not take is paid out to this card.
    #[serde(default)]
    pub paid_out_to: Option<String>,
}

/// The two versions of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum Version {
    #[default]
    V2,
    V3,
}

impl Refund {
    /// The row under which it stands.
    pub(super) fn key(&self) -> String {
        key(&self.mch_id, &self.out_refund_no)
    }

    /// What goes back to the user himself.
    pub(super) fn cash_fee(&self) -> u64 {
        self.refund_fee - self.coupon_fee
    }
}

/// The row of a refund number.
pub(super) fn key(mch_id: &str, out_refund_no: &str) -> String {
    format!("{mch_id}/{out_refund_no}")
}

/// The refund in a row.
pub(super) fn find(tx: &Tx<'_>, key: &str) -> Option<Refund> {
    tx.get(REFUNDS, key)
}

/// The refund under the gateway's own number.
pub(super) fn find_by_id(tx: &Tx<'_>, refund_id: &str) -> Option<Refund> {
    let key: String = tx.get(BY_ID, refund_id)?;
    find(tx, &key)
}

/// Writes a refund down.
pub(super) fn keep(tx: &mut Tx<'_>, refund: &Refund) {
    tx.put(REFUNDS, &refund.key(), refund);
    tx.put(BY_ID, &refund.refund_id, &refund.key());
}

/// All refunds of a merchant number.
pub(super) fn all_of(tx: &Tx<'_>, mch_id: &str) -> Vec<Refund> {
    let mut refunds: Vec<Refund> = tx.scan(REFUNDS);
    refunds.retain(|refund| refund.mch_id == mch_id);
    refunds
}

/// All refunds that are processing.
pub(super) fn pending(tx: &Tx<'_>) -> Vec<Refund> {
    tx.scan(REFUNDS)
        .into_iter()
        .filter(|refund: &Refund| refund.status == Status::Processing)
        .collect()
}

/// Takes a refund that was closed out of the sums, so that it can be filed again.
pub(super) fn undo(tx: &mut Tx<'_>, refund: &Refund) {
    if let Some(mut order) = order::find(tx, &order::key(&refund.mch_id, &refund.out_trade_no)) {
        order.refunded_fen -= refund.refund_fee;
        order.refunded_coupon_fen -= refund.coupon_fee;
        order::keep(tx, &order);
    }
    if let Some(mut account) = account::find(tx, &refund.mch_id)
        && let Some(funds) = account.terms.refund_funds_fen
    {
        account.terms.refund_funds_fen = Some(funds.saturating_add(refund.refund_fee));
        account::keep(tx, &account);
    }
}

/// The coupon that a refund gives back; `prefix` is the refund's own place in the answer.
pub(super) fn coupon(refund: &Refund, prefix: &str) -> Vec<(String, String)> {
    if refund.coupon_fee == 0 {
        return Vec::new();
    }
    vec![
        (format!("coupon_type{prefix}_0"), "CASH".to_owned()),
        (format!("coupon_refund_id{prefix}_0"), "10001".to_owned()),
        (format!("coupon_refund_fee{prefix}_0"), refund.coupon_fee.to_string()),
    ]
}

/// `refund_recv_accout` (sic): where the money goes back to.
pub(super) const RECEIVED_BY: &str = "支付用户的零钱";
