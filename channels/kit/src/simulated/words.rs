//! The simulated gateways' own words: operations, codes, pages, and what an account is called.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fault::{Act, Fault};

/// A gateway in its words.
pub struct Words {
    /// Its name in the simulator.
    pub gateway: &'static str,
    /// The operations that an act takes.
    pub operations: fn(Act) -> &'static [&'static str],
    /// Whether the gateway plays a fault in an act.
    pub plays: fn(Act, &Fault) -> bool,
    /// A code of a final refusal of a deduction, and of a refund.
    pub refuses: (&'static str, &'static str),
    /// A code that speaks of the request alone, whatever became of an earlier one with the same number.
    pub refuses_repeat: &'static str,
    /// A merchant that is none of ours.
    pub other_merchant: &'static str,
    /// A currency that is not yuan; nothing where messages name none.
    pub other_currency: Option<&'static str>,
    /// Where the user's decision on a contract goes.
    pub decide: &'static str,
    /// Where the user ends a contract, and what its handle is called there.
    pub end_contract: Option<(&'static str, &'static str)>,
    /// Within what time a notification is sent again at one percent of the documented waits.
    pub repeats_within: Duration,
    /// What is wished of an account.
    pub wishes: fn(&str) -> Value,
    /// The configuration of the adapter, from what the gateway hands out.
    pub config: fn(&Value) -> Value,
}

impl Words {
    /// A fault as a line of the simulator's script, without its place.
    pub(super) fn effect(&self, act: Act, fault: &Fault) -> Option<Value> {
        let ms = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let refusal = if matches!(act, Act::Refund | Act::QueryRefund) {
            self.refuses.1
        } else {
            self.refuses.0
        };
        Some(match fault {
            Fault::WrongSignature if act == Act::Notify => json!({ "effect": "notice_forged" }),
            Fault::WrongSignature => json!({ "effect": "wrong_signature" }),
            Fault::NoSignature => json!({ "effect": "no_signature" }),
            Fault::SystemErrorBefore => json!({ "effect": "system_error_before" }),
            Fault::SystemErrorAfter => json!({ "effect": "system_error_after" }),
            Fault::OtherOrder(no) => json!({ "effect": "wrong_order", "told": no }),
            Fault::OtherAmount(amount) => json!({ "effect": "wrong_amount", "fen": amount.get() }),
            Fault::OtherMerchant => json!({ "effect": "wrong_merchant", "account": self.other_merchant }),
            Fault::Blind => json!({ "effect": "blind" }),
            Fault::Pending(time) => json!({ "effect": "pending", "ms": ms(time) }),
            Fault::FailLater(time) => json!({ "effect": "fail_later", "ms": ms(time), "code": refusal }),
            Fault::Refuse => json!({ "effect": "refuse", "code": refusal }),
            Fault::RefuseRepeat => json!({ "effect": "refuse", "code": self.refuses_repeat }),
            Fault::Repeated(more) => json!({ "effect": "notice_repeated", "more": more }),
            Fault::Late(time) => json!({ "effect": "notice_late", "ms": ms(time) }),
            Fault::OtherCurrency => json!({ "effect": "wrong_currency", "currency": self.other_currency? }),
        })
    }
}

/// What all three play, and where.
fn usual(act: Act, fault: &Fault) -> bool {
    match fault {
        Fault::WrongSignature | Fault::SystemErrorBefore | Fault::SystemErrorAfter | Fault::NoSignature => {
            !matches!(act, Act::Sign) && (act != Act::Notify || *fault == Fault::WrongSignature)
        }
        Fault::OtherOrder(_) => matches!(act, Act::Query | Act::QueryRefund | Act::Refund),
        Fault::OtherAmount(_) | Fault::OtherCurrency => {
            matches!(act, Act::Query | Act::QueryRefund | Act::Refund | Act::Notify)
        }
        Fault::OtherMerchant => act != Act::Sign,
        Fault::Blind => matches!(act, Act::Query | Act::QueryRefund | Act::QueryContract),
        Fault::Pending(_) | Fault::FailLater(_) => matches!(act, Act::Deduct | Act::Refund),
        Fault::Refuse => matches!(act, Act::Deduct | Act::PayByCode | Act::Refund),
        Fault::Repeated(_) | Fault::Late(_) => act == Act::Notify,
        Fault::RefuseRepeat => false,
    }
}

/// WeChat Pay.
pub static WECHAT: Words = Words {
    gateway: "wechat",
    operations: |act| match act {
        Act::Deduct => &["pappayapply"],
        Act::PayByCode => &["micropay"],
        Act::Query => &["paporderquery", "orderquery"],
        Act::Reverse => &["paporderquery"],
        Act::Refund => &["refund"],
        Act::QueryRefund => &["refundquery"],
        Act::Sign => &["preentrustweb"],
        Act::QueryContract => &["querycontract"],
        Act::CloseContract => &["deletecontract"],
        Act::Notify => &["notify"],
    },
    plays: |act, fault| match fault {
        // A contract belongs to the provider's number and plan, not to the shop that answers name (wechat reference, 3.2).
        Fault::OtherMerchant => !matches!(act, Act::QueryContract | Act::CloseContract) && usual(act, fault),
        // A refusal speaks of the request that it answers (wechat reference, 8.1, rule 3).
        Fault::RefuseRepeat => act == Act::Deduct,
        _ => usual(act, fault),
    },
    refuses: ("NOTENOUGH", "USER_ACCOUNT_ABNORMAL"),
    refuses_repeat: "NOTENOUGH",
    other_merchant: "1900000001",
    other_currency: Some("USD"),
    decide: "/phone/sign",
    end_contract: Some(("/phone/contracts/terminate", "contract_id")),
    repeats_within: Duration::from_secs(1),
    wishes: |notify_url| {
        json!({
            "mode": "provider", "termination_url": notify_url, "coupon_fen": 50,
            "daily_success_max": 100_000, "daily_attempt_max": 100_000, "daily_call_max": 100_000,
            "daily_max_fen": 1_000_000_000_u64,
        })
    },
    config: |account| {
        let base = account["base_url"].as_str().unwrap_or_default();
        json!({
            "mode": account["mode"], "appid": account["appid"], "mch_id": account["mch_id"],
            "sub_mch_id": account["sub_mch_id"], "api_key": account["api_key"], "plan_id": account["plan_id"],
            "client_cert_pem": account["api_cert_pem"], "client_key_pem": account["api_key_pem"],
            "api_v3_key": account["api_v3_key"], "public_key_id": account["public_key_id"],
            "public_key_pem": account["public_key_pem"], "app_secret": account["app_secret"],
            "oauth_page_url": base, "oauth_api_url": base,
            "payment_code": true, "base_url": base, "signing_page_url": format!("{base}/phone/sign"),
            "deduct_timeout_s": 2, "code_pay_timeout_s": 2, "refund_timeout_s": 2, "query_timeout_s": 4,
        })
    },
};

/// Alipay.
pub static ALIPAY: Words = Words {
    gateway: "alipay",
    operations: |act| match act {
        Act::Deduct | Act::PayByCode => &["alipay.trade.pay"],
        Act::Query => &["alipay.trade.query"],
        Act::Reverse => &["alipay.trade.cancel"],
        Act::Refund => &["alipay.trade.refund"],
        Act::QueryRefund => &["alipay.trade.fastpay.refund.query"],
        Act::Sign => &["alipay.user.agreement.page.sign"],
        Act::QueryContract => &["alipay.user.agreement.query"],
        Act::CloseContract => &["alipay.user.agreement.unsign"],
        Act::Notify => &["notify"],
    },
    plays: |act, fault| match fault {
        // Its answers name no merchant; an answer is for whoever asked.
        Fault::OtherMerchant => act == Act::Notify,
        // Nor a currency: the gateway knows yuan alone.
        Fault::OtherCurrency => false,
        Fault::OtherOrder(_) | Fault::OtherAmount(_) => usual(act, fault) || act == Act::Deduct,
        _ => usual(act, fault),
    },
    refuses: ("ACQ.BUYER_BALANCE_NOT_ENOUGH", "ACQ.TRADE_HAS_FINISHED"),
    refuses_repeat: "",
    other_merchant: "2021000000000001",
    other_currency: None,
    decide: "/phone/sign",
    end_contract: Some(("/phone/agreement", "agreement_no")),
    repeats_within: Duration::from_secs(3),
    wishes: |notify_url| json!({ "app_gateway_url": notify_url, "coupon_fen": 20, "single_max_fen": 1_000_000 }),
    config: |account| {
        json!({
            "app_id": account["app_id"], "seller_id": account["seller_id"],
            "app_private_key": account["app_private_key_pem"], "alipay_public_key": account["alipay_public_key_pem"],
            "gateway_url": account["gateway_url"], "product_code": account["product_code"],
            "personal_product_code": account["personal_product_code"], "sign_scene": account["sign_scene"],
            "sign_channel": "QRCODE", "payment_code": true, "identity_scope": "auth_user",
            "authorize_url": account["gateway_url"]
                .as_str()
                .unwrap_or_default()
                .replace("/gateway.do", "/oauth2/publicAppAuthorize.htm"),
            "pay_timeout_ms": 3_000, "query_timeout_ms": 3_000, "refund_timeout_ms": 3_000,
        })
    },
};

/// UnionPay.
pub static UNIONPAY: Words = Words {
    gateway: "unionpay",
    operations: |act| match act {
        Act::Deduct | Act::PayByCode => &["01"],
        Act::Query | Act::Reverse | Act::QueryRefund => &["00"],
        Act::Refund => &["04"],
        Act::Sign => &["79"],
        Act::QueryContract => &["78"],
        Act::CloseContract => &["74"],
        Act::Notify => &["notify"],
    },
    plays: |act, fault| match (act, fault) {
        // The end of a token is asked for under a number of its own.
        (Act::CloseContract, _) => false,
        (Act::Deduct, Fault::OtherOrder(_) | Fault::OtherAmount(_)) => true,
        // Form, key and permission are judged before the order is looked for (UnionPay reference, 5.3).
        (Act::Deduct, Fault::RefuseRepeat) => true,
        _ => usual(act, fault),
    },
    refuses: ("64", "62"),
    refuses_repeat: "11",
    other_merchant: "777290058000001",
    other_currency: Some("840"),
    decide: "/sim/front/open",
    end_contract: None,
    repeats_within: Duration::from_secs(2),
    wishes: |_| json!({ "discount_fen": 10 }),
    config: |account| {
        json!({
            "mer_id": account["mer_id"], "tr_id": account["tr_id"], "sign_cert_pem": account["cert_pem"],
            "sign_key_pem": account["private_key_pem"], "root_certs_pem": account["root_cert_pem"],
            "middle_certs_pem": account["middle_cert_pem"], "base_url": account["base_url"],
            "file_url": account["file_url"], "payment_code": true, "term_id": "METRO001",
            "consume_timeout_ms": 3_000, "back_timeout_ms": 3_000, "query_timeout_ms": 3_000,
        })
    },
};
