//! The terms of an account: quotas, rules that can be relaxed for tests, and the choices where the truth is unknown.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Terms of one merchant number. Every field may stand in the account that the control interface opens or changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Terms {
    /// Successful deductions per user and plan and day (wechat reference, 3.1).
    pub daily_success_max: u32,
    /// The most that one deduction may take, in fen.
    pub single_max_fen: u64,
    /// The most that the deductions of one user, plan and day may take together, in fen.
    pub daily_max_fen: u64,
    /// Accepted deductions per user, plan and day, whatever became of them.
    pub daily_attempt_max: u32,
    /// Calls of `pappayapply` per user, plan and day, whatever the answer.
    pub daily_call_max: u32,
    /// Deductions only from 07:00 to 22:00. Contradictory in the sources, therefore off.
    pub day_hours_only: bool,
    /// `closeorder` is refused before the order is so old, in seconds (wechat reference, 3.10).
    pub close_after_s: u32,
    /// Refunds of one order must lie so far apart, in seconds; 0 is off (wechat reference, 5.1: 60).
    pub refund_spacing_s: u32,
    /// The answer to refunds that follow too fast.
    pub refund_spacing_code: String,
    /// What the merchant has for refunds, in fen; absent means always enough. Each refund that is filed takes from it.
    pub refund_funds_fen: Option<u64>,
    /// How much of each deduction a coupon pays, in fen; at least one fen is left to the user.
    pub coupon_fen: u64,
    /// Where refund notifications go that name no address of their own.
    pub refund_notify_url: Option<String>,
    /// Whether calls that need the merchant's certificate in reality need it over plain HTTP too, where there is none to
    /// see: "yes" refuses them all.
    pub needs_certificate: bool,
    /// `querycontract` for a contract that is not there (wechat reference, 11.8, as all below).
    pub unknown_contract_code: String,
    /// `deletecontract` for a contract that has ended.
    pub ended_contract_code: String,
    /// A signing call for a contract number that is signed already.
    pub signed_already_code: String,
    /// `closeorder` before its time.
    pub close_early_code: String,
    /// `pappayapply` again after the order failed.
    pub reapply_failed_code: String,
    /// `result_code` in the notification of a failed deduction: `FAIL`, or `SUCCESS` as in the official sample, which
    /// then has no amount.
    pub failure_notice_result: String,
    /// What the gateway takes of each payment, in ten-thousandths (wechat reference, 11.4).
    pub fee_rate: u32,
    /// The hour of the next day at which a day's bills are made.
    pub bill_ready_hour: u32,
    /// `2018` or, for accounts that are older, `old` (wechat reference, 6.2).
    pub bill_layout: String,
    /// Bills with LF instead of CRLF at the end of lines.
    pub bill_line_feed_only: bool,
    /// How long the link to a bill of APIv3 lives, in seconds.
    pub download_url_life_s: u32,
    /// Payments by code above this amount need the user's password, in fen.
    pub password_free_max_fen: u64,
    /// How long a payment by code waits for the password, in seconds, unless `time_expire` says so.
    pub password_wait_s: u32,
    /// A payment whose user is still paying is not reversed before it is so old, in seconds (wechat reference, 4.3).
    pub reverse_after_s: u32,
    /// `reverse` for an order that is not there.
    pub unknown_reverse_code: String,
    /// `closeorder` for a payment by code.
    pub close_code_order_code: String,
    /// How `codepay` answers while the user types the password: `accepted` (202 with the order) or `error` (202 with the
    /// code `USERPAYING`).
    pub codepay_waiting: String,
    /// Whose key signs towards the account: `certificate` (the platform's certificate), `public_key` (the WeChat Pay
    /// public key; no certificate is listed) or `both`, as during a switch (wechat reference, 1.8).
    pub v3_mode: String,
    /// During a switch so many notifications of a hundred are signed with the public key's twin.
    pub public_key_notice_percent: u8,
    /// Whether a `nonce_str` of APIv3 is taken once only within the window of its timestamp.
    pub v3_nonce_once: bool,
    /// Where `TRANSACTION.SUCCESS` is told of payments by code. The real gateway tells nothing of them (wechat reference,
    /// 9.1); who wants to see how a receiver takes it may ask for it.
    pub transaction_notify_url: Option<String>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            daily_success_max: 5,
            single_max_fen: 50_000,
            daily_max_fen: 250_000,
            daily_attempt_max: 150,
            daily_call_max: 300,
            day_hours_only: false,
            close_after_s: 300,
            refund_spacing_s: 0,
            refund_spacing_code: "FREQUENCY_LIMITED".to_owned(),
            refund_funds_fen: None,
            coupon_fen: 0,
            refund_notify_url: None,
            needs_certificate: false,
            unknown_contract_code: "CONTRACT_NOT_EXIST".to_owned(),
            ended_contract_code: "CONTRACT_NOT_EXIST".to_owned(),
            signed_already_code: "CONTRACT_EXISTED".to_owned(),
            close_early_code: "INVALID_REQUEST".to_owned(),
            reapply_failed_code: "ORDERCLOSED".to_owned(),
            failure_notice_result: "FAIL".to_owned(),
            fee_rate: 60,
            bill_ready_hour: 10,
            bill_layout: "2018".to_owned(),
            bill_line_feed_only: false,
            download_url_life_s: 300,
            password_free_max_fen: 100_000,
            password_wait_s: 60,
            reverse_after_s: 15,
            unknown_reverse_code: "INVALID_REQUEST".to_owned(),
            close_code_order_code: "TRADE_STATE_ERROR".to_owned(),
            codepay_waiting: "accepted".to_owned(),
            v3_mode: "both".to_owned(),
            public_key_notice_percent: 0,
            v3_nonce_once: false,
            transaction_notify_url: None,
        }
    }
}

impl Terms {
    /// These terms with the wishes laid over them. An unknown wish is refused with the names of the known.
    pub(super) fn changed(&self, wishes: Map<String, Value>) -> Result<Self, String> {
        let Value::Object(mut terms) = serde_json::to_value(self).expect("terms are plain data") else {
            return Err("terms are an object".to_owned());
        };
        terms.extend(wishes);
        let changed: Self = serde_json::from_value(Value::Object(terms)).map_err(|error| error.to_string())?;
        for (name, value, known) in [
            (
                "failure_notice_result",
                &changed.failure_notice_result,
                &["FAIL", "SUCCESS"][..],
            ),
            ("bill_layout", &changed.bill_layout, &["2018", "old"]),
            ("codepay_waiting", &changed.codepay_waiting, &["accepted", "error"]),
            ("v3_mode", &changed.v3_mode, &["certificate", "public_key", "both"]),
        ] {
            if !known.contains(&value.as_str()) {
                return Err(format!("{name} must be {}", known.join(" or ")));
            }
        }
        if changed.fee_rate > 10_000 || changed.bill_ready_hour > 24 || changed.public_key_notice_percent > 100 {
            return Err("fee_rate is at most 10000, bill_ready_hour 24, public_key_notice_percent 100".to_owned());
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wishes(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_wish_changes_its_term_and_no_other() {
        let terms = Terms::default()
            .changed(wishes(&json!({"daily_success_max": 9})))
            .unwrap();
        assert_eq!(
            terms,
            Terms {
                daily_success_max: 9,
                ..Terms::default()
            }
        );
        let terms = terms.changed(wishes(&json!({"close_after_s": 1}))).unwrap();
        assert_eq!(
            terms,
            Terms {
                daily_success_max: 9,
                close_after_s: 1,
                ..Terms::default()
            }
        );
    }

    #[test]
    fn an_unknown_wish_is_refused_by_name() {
        let refused = Terms::default()
            .changed(wishes(&json!({"daily_sucess_max": 9})))
            .unwrap_err();
        assert!(
            refused.contains("daily_sucess_max") && refused.contains("daily_success_max"),
            "{refused}"
        );
        for wish in [
            json!({"failure_notice_result": "MAYBE"}),
            json!({"bill_layout": "2019"}),
            json!({"v3_mode": "none"}),
            json!({"codepay_waiting": ""}),
            json!({"fee_rate": 10_001}),
            json!({"bill_ready_hour": 25}),
        ] {
            assert!(Terms::default().changed(wishes(&wish)).is_err(), "{wish}");
        }
    }
}
