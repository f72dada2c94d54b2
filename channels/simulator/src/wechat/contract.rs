//! Contracts: asking after them and ending them (wechat reference, 3.2, 3.5, 3.6).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::answer::Failure;
use super::operation::{Carrier, Family, Form, Operation, Signing, may, must};
use super::request::Call;
use super::sign::SignType;
use super::xml::Fields;
use super::{notify, number, presign};
use crate::frame::Frame;
use crate::store::Tx;

const CONTRACTS: &str = "wechat_contract";
const BY_USER: &str = "wechat_contract_of_user";

/// `/papay/querycontract`.
pub(super) static QUERYCONTRACT: Operation = Operation {
    name: "querycontract",
    family: Family::ContractQuery,
    carrier: Carrier::Post,
    signing: Signing::Md5,
    has_nonce: false,
    is_closed: false,
    is_certified: false,
    bad_field_code: "PARAM_ERROR",
    rules: &[
        may("contract_id", Form::Id(32)),
        may("plan_id", Form::Digits(28)),
        may("contract_code", Form::Alphanumeric(128)),
        must("version", Form::OneOf(&["1.0"])),
    ],
    act: query,
};

/// `/papay/deletecontract`. Its documented codes are spelled oddly.
pub(super) static DELETECONTRACT: Operation = Operation {
    name: "deletecontract",
    family: Family::Contract,
    carrier: Carrier::Post,
    signing: Signing::Md5Only,
    has_nonce: false,
    is_closed: false,
    is_certified: false,
    bad_field_code: "PARAMETER FAIL",
    rules: &[
        may("contract_id", Form::Id(32)),
        may("plan_id", Form::Digits(28)),
        may("contract_code", Form::Alphanumeric(128)),
        must("contract_termination_remark", Form::Text(512)),
        must("version", Form::OneOf(&["1.0"])),
    ],
    act: delete,
};

/// A contract that a user agreed to.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Contract {
    pub contract_id: String,
    pub mch_id: String,
    pub sub_mch_id: Option<String>,
    pub appid: String,
    pub sub_appid: Option<String>,
    pub plan_id: String,
    pub contract_code: String,
    pub request_serial: String,
    pub display_account: String,
    /// The WeChat user by the name that the phone pages know.
    pub user: String,
    pub openid: String,
    pub sub_openid: Option<String>,
    pub notify_url: String,
    /// How the signing call was signed; the notifications are signed the same way.
    pub sign_type: SignType,
    pub signed_at_ms: i64,
    pub expires_at_ms: i64,
    pub ended: Option<Ended>,
}

/// How a contract ended.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Ended {
    pub at_ms: i64,
    pub by: EndedBy,
    pub remark: Option<String>,
}

/// Who ended a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum EndedBy {
    User,
    Merchant,
}

impl EndedBy {
    /// `contract_termination_mode`.
    pub(super) fn mode(self) -> &'static str {
        match self {
            Self::User => "2",
            Self::Merchant => "3",
        }
    }
}

impl Contract {
    /// Whether it can be deducted from.
    pub(super) fn is_live(&self, now_ms: i64) -> bool {
        self.ended.is_none() && now_ms < self.expires_at_ms
    }
}

/// The contract under its number.
pub(super) fn find(tx: &Tx<'_>, contract_id: &str) -> Option<Contract> {
    tx.get(CONTRACTS, contract_id)
}

/// The latest contract of a user under a plan. Shops do not matter: the plan belongs to the merchant number.
pub(super) fn find_of_user(tx: &Tx<'_>, mch_id: &str, plan_id: &str, user: &str) -> Option<Contract> {
    let contract_id: String = tx.get(BY_USER, &format!("{mch_id}/{plan_id}/{user}"))?;
    find(tx, &contract_id)
}

/// All contracts of a user, oldest first.
pub(super) fn all_of_user(frame: &Frame, user: &str) -> Vec<Contract> {
    let mut contracts: Vec<Contract> = frame.store.begin().scan(CONTRACTS);
    contracts.retain(|contract| contract.user == user);
    contracts
}

/// Writes a contract down.
pub(super) fn keep(tx: &mut Tx<'_>, contract: &Contract) {
    tx.put(CONTRACTS, &contract.contract_id, contract);
    let key = format!("{}/{}/{}", contract.mch_id, contract.plan_id, contract.user);
    tx.put(BY_USER, &key, &contract.contract_id);
}

/// The contract that a request names by `contract_id`, or by `plan_id` and `contract_code`: one pair only.
fn named(tx: &Tx<'_>, call: &Call, bad_field_code: &str) -> Result<Option<Contract>, Failure> {
    let fields = &call.fields;
    let found = match (
        fields.get("contract_id"),
        fields.get("plan_id"),
        fields.get("contract_code"),
    ) {
        (Some(contract_id), None, None) => find(tx, contract_id),
        (None, Some(plan_id), Some(code)) => {
            presign::find_by_code(tx, &call.account.mch_id, code).filter(|contract| contract.plan_id == plan_id)
        }
        _ => {
            return Err(Failure::new(
                bad_field_code,
                "contract_id与plan_id+contract_code须且只能填写一组",
            ));
        }
    };
    Ok(found.filter(|contract| contract.mch_id == call.account.mch_id))
}

fn query(frame: &Arc<Frame>, call: &Call) -> Result<Fields, Failure> {
    let tx = frame.store.begin();
    let contract = named(&tx, call, QUERYCONTRACT.bad_field_code)?;
    let contract = contract.ok_or_else(|| Failure::of(&call.account.terms.unknown_contract_code))?;
    Ok(told(&contract, call.now_ms))
}

fn told(contract: &Contract, now_ms: i64) -> Fields {
    let mut answer = Fields::new();
    answer.put("contract_id", &contract.contract_id);
    answer.put("plan_id", &contract.plan_id);
    answer.put("request_serial", &contract.request_serial);
    answer.put("contract_code", &contract.contract_code);
    answer.put("contract_display_account", &contract.display_account);
    answer.put("contract_state", if contract.is_live(now_ms) { "0" } else { "1" });
    answer.put("contract_signed_time", number::spaced_time(contract.signed_at_ms));
    answer.put("contract_expired_time", number::spaced_time(contract.expires_at_ms));
    if let Some(ended) = &contract.ended {
        answer.put("contract_terminated_time", number::spaced_time(ended.at_ms));
        answer.put("contract_termination_mode", ended.by.mode());
        answer.put_some("contract_termination_remark", ended.remark.as_deref());
    }
    answer.put("openid", &contract.openid);
    answer.put("err_code", "0");
    answer.put("err_code_des", "SUCCESS");
    answer
}

fn delete(frame: &Arc<Frame>, call: &Call) -> Result<Fields, Failure> {
    let mut tx = frame.store.begin();
    let contract = named(&tx, call, DELETECONTRACT.bad_field_code)?;
    let contract = contract.ok_or_else(|| Failure::of(&call.account.terms.unknown_contract_code))?;
    if contract.ended.is_some() {
        return Err(Failure::of(&call.account.terms.ended_contract_code));
    }
    let ended = Ended {
        at_ms: call.now_ms,
        by: EndedBy::Merchant,
        remark: call.text("contract_termination_remark"),
    };
    let contract = Contract {
        ended: Some(ended),
        ..contract
    };
    keep(&mut tx, &contract);
    tx.commit();
    notify::contract_ended(frame, &contract);
    Ok(Fields::new()
        .with("contract_id", contract.contract_id)
        .with("plan_id", contract.plan_id)
        .with("contract_code", contract.contract_code))
}

/// The user ends a contract on the phone. False when there is no such live contract of this user.
pub(super) fn end_by_user(frame: &Arc<Frame>, contract_id: &str, user: &str) -> bool {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let found = find(&tx, contract_id).filter(|contract| contract.user == user && contract.is_live(now_ms));
    let Some(contract) = found else { return false };
    let ended = Ended {
        at_ms: now_ms,
        by: EndedBy::User,
        remark: None,
    };
    let contract = Contract {
        ended: Some(ended),
        ..contract
    };
    keep(&mut tx, &contract);
    tx.commit();
    notify::contract_ended(frame, &contract);
    true
}

#[cfg(test)]
mod tests {
    use super::super::sign::sign;
    use super::super::{vectors, xml};
    use super::*;

    #[test]
    fn a_live_contract_is_told_as_in_c22() {
        let contract = vectors::contract();
        let mut answer = told(&contract, contract.signed_at_ms);
        let given = xml::read(vectors::wire("C22"), "xml").unwrap();
        for name in [
            "return_code",
            "return_msg",
            "result_code",
            "appid",
            "mch_id",
            "sub_mch_id",
        ] {
            answer.put_some(name, given.get(name));
        }
        assert_eq!(
            given.get("sign"),
            Some(sign(&answer, vectors::KEY, SignType::Md5).as_str())
        );
        assert_eq!(told(&contract, contract.expires_at_ms).get("contract_state"), Some("1"));
    }
}
