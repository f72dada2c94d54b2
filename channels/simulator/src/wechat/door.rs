//! One way in for all calls: the fault script is asked once, the request is checked, the call acts, the answer is made.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{MethodRouter, any};

use super::answer::{self, Failure};
use super::operation::{Family, Operation, Side};
use super::request::{self, Call, Received, Refusal};
use super::xml::{self, Fields};
use super::{contract, order, v3};
use crate::fault::{self, Effect};
use crate::frame::{Frame, Gateway};

/// The route of a call.
pub(super) fn at(operation: &'static Operation, side: Side) -> MethodRouter<Arc<Frame>> {
    any(move |State(frame): State<Arc<Frame>>, request: Request| serve(frame, operation, side, request))
}

/// Whatever is not there (wechat reference, 11.1).
pub(super) async fn unknown(State(frame): State<Arc<Frame>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if parts.uri.path().starts_with("/v3/") {
        return v3::not_found(&frame, &parts);
    }
    let fields = Fields::new()
        .with("return_code", "FAIL")
        .with("return_msg", "请求的URL不存在");
    Response::new(xml::write(&fields, "xml").into())
}

async fn serve(frame: Arc<Frame>, operation: &'static Operation, side: Side, request: Request) -> Response {
    let received = match request::read(operation, request).await {
        Ok(received) => received,
        Err(text) => return answer::denied(operation, &text),
    };
    let subject = subject(&frame, operation, &received.fields);
    let plays = |effect: &Effect| operation.family.plays(effect);
    let effects = frame.faults.take(Gateway::Wechat, operation.name, &subject, plays);
    if let Some(cut) = fault::before(&effects).await {
        return cut;
    }
    let answer = answer_to(&frame, operation, side, received, effects.clone());
    fault::after(&effects, answer).await
}

fn answer_to(
    frame: &Arc<Frame>,
    operation: &Operation,
    side: Side,
    received: Received,
    effects: Vec<Effect>,
) -> Response {
    match request::admit(frame, operation, side, received, effects) {
        Ok(call) => {
            let outcome = act(frame, operation, &call);
            answer::to(operation, &call, outcome)
        }
        Err(Refusal::Failed(call, failure)) => answer::to(operation, &call, Err(failure)),
        Err(Refusal::Denied(text)) => answer::denied(operation, &text),
    }
}

fn act(frame: &Arc<Frame>, operation: &Operation, call: &Call) -> Result<Fields, Failure> {
    for effect in &call.effects {
        match effect {
            Effect::SystemErrorBefore => return Err(Failure::of("SYSTEMERROR")),
            Effect::Refuse { code } => return Err(Failure::of(code)),
            Effect::Blind => {
                return Err(Failure::of(match operation.family {
                    Family::ContractQuery => &call.account.terms.unknown_contract_code,
                    Family::RefundQuery => "REFUNDNOTEXIST",
                    _ => "ORDERNOTEXIST",
                }));
            }
            _ => {}
        }
    }
    let outcome = (operation.act)(frame, call);
    if call.effects.contains(&Effect::SystemErrorAfter) {
        Err(Failure::of("SYSTEMERROR"))
    } else {
        outcome
    }
}

/// The merchant's number that a request is about, as the fault script names it.
fn subject(frame: &Frame, operation: &Operation, fields: &Fields) -> String {
    let names: &[&str] = match operation.family {
        Family::SigningPage | Family::Contract | Family::ContractQuery => &["contract_code"],
        Family::Deduction | Family::OrderQuery | Family::Close | Family::CodePayment | Family::Reverse => {
            &["out_trade_no"]
        }
        Family::CodeLookup => &["auth_code"],
        Family::Bill | Family::BillLink => &["bill_date"],
        Family::BillFile | Family::Certificates => &[],
        Family::Refund | Family::RefundQuery => &["out_refund_no", "out_trade_no"],
    };
    if let Some(number) = names.iter().find_map(|name| fields.get(name)) {
        return number.to_owned();
    }
    let tx = frame.store.begin();
    let contract = fields
        .get("contract_id")
        .and_then(|id| contract::find(&tx, id))
        .map(|row| row.contract_code);
    let paid = fields
        .get("transaction_id")
        .and_then(|id| order::find_paid(&tx, id))
        .map(|row| row.out_trade_no);
    contract.or(paid).unwrap_or_default()
}
