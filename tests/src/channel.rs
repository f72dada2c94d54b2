//! The three channels in the words of their gateways' fault scripts, so that one story can be told of each.

use metropay_simulator::Gateway;

/// A channel in the words of its gateway. An operation that a gateway does in several calls has several words.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// The channel's id.
    pub id: &'static str,
    /// Its gateway.
    pub gateway: Gateway,
    /// Its name in the merchant API.
    pub pay_type: &'static str,
    /// The deduction.
    pub deduct: &'static str,
    /// The question about a deduction.
    pub query: &'static str,
    /// The payment by the channel's own payment code.
    pub code_pay: &'static str,
    /// The calls that undo a deduction, the usual one first.
    pub undo: &'static [&'static str],
    /// The refund.
    pub refund: &'static str,
    /// The question about a refund.
    pub refund_query: &'static str,
    /// A code with which the gateway refuses a deduction finally: the payer has not enough.
    pub poor: &'static str,
    /// A code with which it refuses a refund finally.
    pub refund_refused: &'static str,
}

/// WeChat Pay.
pub const WECHAT: Words = Words {
    id: "wechat",
    gateway: Gateway::Wechat,
    pay_type: "CT_WECHAT",
    deduct: "pappayapply",
    query: "paporderquery",
    code_pay: "micropay",
    undo: &["closeorder", "refund"],
    refund: "refund",
    refund_query: "refundquery",
    poor: "NOTENOUGH",
    refund_refused: "USER_ACCOUNT_ABNORMAL",
};

/// Alipay.
pub const ALIPAY: Words = Words {
    id: "alipay",
    gateway: Gateway::Alipay,
    pay_type: "CT_ALIPAY",
    deduct: "alipay.trade.pay",
    query: "alipay.trade.query",
    code_pay: "alipay.trade.pay",
    undo: &["alipay.trade.cancel"],
    refund: "alipay.trade.refund",
    refund_query: "alipay.trade.fastpay.refund.query",
    poor: "ACQ.BUYER_BALANCE_NOT_ENOUGH",
    refund_refused: "ACQ.TRADE_HAS_FINISHED",
};

/// UnionPay.
pub const UNIONPAY: Words = Words {
    id: "unionpay",
    gateway: Gateway::Unionpay,
    pay_type: "CT_UNION",
    deduct: "01",
    query: "00",
    code_pay: "01",
    undo: &["99", "31"],
    refund: "04",
    refund_query: "00",
    poor: "64",
    refund_refused: "62",
};

/// All three.
pub const ALL: [Words; 3] = [WECHAT, ALIPAY, UNIONPAY];
