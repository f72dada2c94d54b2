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
    /// Whether `secapi` calls need the merchant's certificate. The listener is plain HTTP, so "yes" refuses them all.
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
        if !matches!(changed.failure_notice_result.as_str(), "FAIL" | "SUCCESS") {
            return Err("failure_notice_result must be FAIL or SUCCESS".to_owned());
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
        assert!(
            Terms::default()
                .changed(wishes(&json!({"failure_notice_result": "MAYBE"})))
                .is_err()
        );
    }
}
