//! Orders of all products: what is kept of them (wechat reference, 3.9, 4.7 and 10.3).

use serde::{Deserialize, Serialize};

use super::answer::Failure;
use super::request::Call;
use super::sign::SignType;
use super::xml::Fields;
use crate::fault::Effect;
use crate::store::Tx;

const ORDERS: &str = "wechat_order";
const BY_TRANSACTION: &str = "wechat_order_of_transaction";

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// Accepted; the deduction runs.
    NotPay,
    /// Somebody is still at it: the user types the password, or the bank takes its time.
    UserPaying,
    Paid,
    /// Paid, and at least one refund was filed.
    Refund,
    PayFail,
    Closed,
    /// Undone by the merchant's reverse call.
    Revoked,
}

/// What the order was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum Product {
    /// A deduction from a contract.
    #[default]
    Papay,
    /// The user showed a payment code.
    PaymentCode,
}

/// How a paid order was undone as a whole.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Reversal {
    pub refund_id: String,
    pub at_ms: i64,
    pub amount_fen: u64,
    /// The part of the fee that the merchant got back.
    pub fee_fen: u64,
}

/// An order.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Order {
    pub mch_id: String,
    pub sub_mch_id: Option<String>,
    pub appid: String,
    pub sub_appid: Option<String>,
    pub out_trade_no: String,
    pub attach: Option<String>,
    pub total_fee: u64,
    /// The part of `total_fee` that a coupon pays.
    pub coupon_fee: u64,
    pub contract_id: String,
    pub openid: String,
    pub sub_openid: Option<String>,
    pub notify_url: String,
    pub sign_type: SignType,
    /// Stands for all business fields of the request; a repeat must carry the same.
    pub fingerprint: String,
    pub quota_key: String,
    pub state: State,
    pub created_at_ms: i64,
    /// When it settles; moves when the settling is put off, so that only the last appointment counts.
    pub settle_at_ms: i64,
    /// The reason for which it is going to fail.
    pub will_fail: Option<String>,
    /// How long after closing it is paid all the same.
    pub paid_after_close_ms: Option<u64>,
    pub transaction_id: Option<String>,
    pub paid_at_ms: Option<i64>,
    pub err_code: Option<String>,
    /// Refunds filed and not failed, together.
    pub refunded_fen: u64,
    pub refunded_coupon_fen: u64,
    /// Numbers of all refunds, oldest first.
    pub refunds: Vec<String>,
    pub last_refund_at_ms: Option<i64>,
    #[serde(default)]
    pub product: Product,
    /// The WeChat user by the name that the phone pages know.
    #[serde(default)]
    pub user: String,
    /// What the merchant says was bought.
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub device_info: Option<String>,
    #[serde(default)]
    pub auth_code: Option<String>,
    /// Whether it is the user's password that is waited for.
    #[serde(default)]
    pub awaits_password: bool,
    /// What the merchant paid the gateway for it, by the rate of the day on which it was paid.
    #[serde(default)]
    pub fee_fen: u64,
    /// Ten-thousandths.
    #[serde(default)]
    pub fee_rate: u32,
    #[serde(default)]
    pub reversal: Option<Reversal>,
}

impl Order {
    /// The row under which it stands.
    pub(super) fn key(&self) -> String {
        key(&self.mch_id, &self.out_trade_no)
    }

    /// Whether the background has still to settle it.
    pub(super) fn awaits_settlement(&self) -> bool {
        let undone = matches!(self.state, State::Closed | State::Revoked);
        self.is_open() || (undone && self.paid_after_close_ms.is_some())
    }

    /// Whether it is neither paid nor failed nor ended.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::NotPay | State::UserPaying)
    }

    /// `trade_type`. Queries and bills tell the same (wechat reference, 11.8).
    pub(super) fn trade_type(&self) -> &'static str {
        match self.product {
            Product::Papay => "PAP",
            Product::PaymentCode => "MICROPAY",
        }
    }

    /// What the user pays himself.
    pub(super) fn cash_fee(&self) -> u64 {
        self.total_fee - self.coupon_fee
    }

    /// The amounts of a paid order as queries and notifications tell them.
    pub(super) fn amounts(&self) -> Fields {
        let mut fields = Fields::new().with("total_fee", self.total_fee.to_string());
        fields.put("fee_type", "CNY");
        fields.put("cash_fee", self.cash_fee().to_string());
        if self.coupon_fee > 0 {
            fields.put("coupon_fee", self.coupon_fee.to_string());
            fields.put("coupon_count", "1");
            fields.put("coupon_id_0", "10001");
            fields.put("coupon_fee_0", self.coupon_fee.to_string());
        }
        fields
    }
}

/// The row of an order number: one table for all shops of a provider, for ever.
pub(super) fn key(mch_id: &str, out_trade_no: &str) -> String {
    format!("{mch_id}/{out_trade_no}")
}

/// The order in a row.
pub(super) fn find(tx: &Tx<'_>, key: &str) -> Option<Order> {
    tx.get(ORDERS, key)
}

/// The order that a payment's number belongs to.
pub(super) fn find_paid(tx: &Tx<'_>, transaction_id: &str) -> Option<Order> {
    let key: String = tx.get(BY_TRANSACTION, transaction_id)?;
    find(tx, &key)
}

/// Writes an order down.
pub(super) fn keep(tx: &mut Tx<'_>, order: &Order) {
    tx.put(ORDERS, &order.key(), order);
    if let Some(transaction_id) = &order.transaction_id {
        tx.put(BY_TRANSACTION, transaction_id, &order.key());
    }
}

/// All orders that the background has still to settle.
pub(super) fn pending(tx: &Tx<'_>) -> Vec<Order> {
    tx.scan(ORDERS).into_iter().filter(Order::awaits_settlement).collect()
}

/// All orders of a merchant number.
pub(super) fn all_of(tx: &Tx<'_>, mch_id: &str) -> Vec<Order> {
    let mut orders: Vec<Order> = tx.scan(ORDERS);
    orders.retain(|order| order.mch_id == mch_id);
    orders
}

/// The payments of a user that wait for the password.
pub(super) fn awaiting_password(tx: &Tx<'_>, user: &str) -> Vec<Order> {
    let mut orders: Vec<Order> = tx.scan(ORDERS);
    orders.retain(|order| order.awaits_password && order.user == user);
    orders
}

/// How a request names an order.
pub(super) struct Named<'a> {
    pub mch_id: &'a str,
    pub sub_mch_id: Option<&'a str>,
    /// Wins where both numbers are given.
    pub transaction_id: Option<&'a str>,
    pub out_trade_no: Option<&'a str>,
}

impl Named<'_> {
    /// The order. Shops do not see each other's orders.
    pub(super) fn find(&self, tx: &Tx<'_>) -> Result<Order, Failure> {
        let found = match (self.transaction_id, self.out_trade_no) {
            (Some(transaction_id), _) => find_paid(tx, transaction_id),
            (None, Some(out_trade_no)) => find(tx, &key(self.mch_id, out_trade_no)),
            (None, None) => return Err(Failure::bad_field("缺少参数:transaction_id或out_trade_no")),
        };
        found
            .filter(|order| order.mch_id == self.mch_id && order.sub_mch_id.as_deref() == self.sub_mch_id)
            .ok_or_else(|| Failure::of("ORDERNOTEXIST"))
    }
}

/// The order that a request of APIv2 names.
pub(super) fn named(tx: &Tx<'_>, call: &Call) -> Result<Order, Failure> {
    let names = Named {
        mch_id: &call.account.mch_id,
        sub_mch_id: call.sub_mch_id(),
        transaction_id: call.fields.get("transaction_id"),
        out_trade_no: call.fields.get("out_trade_no"),
    };
    names.find(tx)
}

/// How long after its closing the fault script has an order paid all the same.
pub(super) fn paid_after_close(effects: &[Effect]) -> Option<u64> {
    effects.iter().find_map(|effect| match effect {
        Effect::PaidAfterReverse { ms } => Some(*ms),
        _ => None,
    })
}

/// The way in which everybody pays here.
pub(super) const BANK_TYPE: &str = "CMB_DEBIT";
