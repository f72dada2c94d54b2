//! What the gateway says on the wire.

use std::sync::{Arc, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use metropay_channel_kit::stub::{
    Contract, ContractState, Line, NewOrder, NewRefund, Order, OrderState, Payer, Refund, RefundState, Refused,
};
use metropay_channel_kit::{Act, Fault, Way};
use metropay_core::clock::Day;
use metropay_core::money::Fen;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Desk;
use super::twist::{headers, twist};

/// A bill: its lines, and whether the file breaks off.
pub(crate) struct BillText {
    lines: Vec<Line>,
    cut_off: bool,
}

pub(crate) fn router(desk: Arc<Desk>) -> Router {
    let mut router = Router::new();
    for (path, act) in [
        ("/v1/deduct", Act::Deduct),
        ("/v1/pay-by-code", Act::PayByCode),
        ("/v1/query", Act::Query),
        ("/v1/reverse", Act::Reverse),
        ("/v1/refund", Act::Refund),
        ("/v1/refund/query", Act::QueryRefund),
        ("/v1/contract/sign", Act::Sign),
        ("/v1/contract/query", Act::QueryContract),
        ("/v1/contract/close", Act::CloseContract),
    ] {
        let serve = move |State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes| async move {
            serve(&desk, path, Some(act), &headers, &body)
        };
        router = router.route(path, post(serve));
    }
    for path in ["/v1/bill", "/v1/user"] {
        let serve = move |State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes| async move {
            serve(&desk, path, None, &headers, &body)
        };
        router = router.route(path, post(serve));
    }
    router
        .route("/v1/bill/{id}", get(file))
        .route("/page/{account}/{no}", get(page))
        .with_state(desk)
}

async fn page(Path((account, no)): Path<(String, String)>) -> Html<String> {
    Html(format!("<html><body>contract {account}/{no}</body></html>"))
}

/// Verifies a request, acts, and signs the answer. What is not signed by a merchant is answered by nobody.
fn serve(desk: &Arc<Desk>, path: &str, act: Option<Act>, sent: &HeaderMap, body: &Bytes) -> Response {
    let header = |name: &str| sent.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (merchant, nonce) = (header("x-ecny-merchant"), header("x-ecny-nonce"));
    let mut text = format!("ECNY-REQUEST\n{path}\n{}\n{nonce}\n", header("x-ecny-timestamp")).into_bytes();
    text.extend_from_slice(body);
    if !desk.accounts.signed(merchant, &text, header("x-ecny-signature")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(wish) = serde_json::from_slice::<Value>(body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let no = field(&wish, "no");
    // A reversal is found by the payment that it undoes, as the suite names it.
    let subject = if act == Some(Act::Reverse) {
        field(&wish, "payment_no")
    } else {
        no
    };
    let faults = act.map(|act| desk.stub.strikes(act, subject)).unwrap_or_default();
    let mut said = if faults.contains(&Fault::SystemErrorBefore) {
        json!({ "code": "BUSY" })
    } else {
        match act {
            Some(act) => acted(desk, merchant, act, &wish, &faults),
            None if path == "/v1/user" => user(desk, field(&wish, "code")),
            None => bill(desk, merchant, field(&wish, "day")),
        }
    };
    if faults.contains(&Fault::SystemErrorAfter) {
        said = json!({ "code": "BUSY" });
    }
    said["merchant_no"] = json!(merchant);
    twist(&mut said, &faults);
    let body = said.to_string();
    let mut answer = Response::builder();
    for (name, value) in headers(desk, merchant, ("ANSWER", "200"), nonce, &body, &faults) {
        answer = answer.header(name, value);
    }
    let answer = answer.body(Body::from(body));
    answer.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn field<'a>(wish: &'a Value, name: &str) -> &'a str {
    wish[name].as_str().unwrap_or_default()
}

fn amount(wish: &Value) -> Fen {
    let amount = wish["amount_fen"].as_u64().unwrap_or(0);
    Fen::new(amount).unwrap_or(Fen::ZERO)
}

fn acted(desk: &Arc<Desk>, merchant: &str, act: Act, wish: &Value, faults: &[Fault]) -> Value {
    let (stub, no) = (&desk.stub, field(wish, "no"));
    let blind = faults.contains(&Fault::Blind);
    match act {
        Act::Deduct | Act::PayByCode => {
            if faults.contains(&Fault::RefuseRepeat) {
                return refused(Refused::Funds);
            }
            let payer = if act == Act::Deduct {
                Payer::Contract(field(wish, "contract").to_owned())
            } else {
                Payer::Code(field(wish, "code").to_owned())
            };
            let new = NewOrder {
                account: merchant.to_owned(),
                no: no.to_owned(),
                amount: amount(wish),
                payer,
                notify_url: field(wish, "notify_url").to_owned(),
            };
            stub.pay(new, faults)
                .map_or_else(refused, |known| json!({ "code": "OK", "order": order(&known) }))
        }
        Act::Query => match stub.order(merchant, no).filter(|_| !blind) {
            Some(known) => json!({ "code": "OK", "order": order(&known) }),
            None => json!({ "code": "NO_ORDER" }),
        },
        Act::Reverse => {
            let known = stub.reverse(merchant, field(wish, "payment_no"), no);
            json!({ "code": "OK", "order": order(&known) })
        }
        Act::Refund => {
            let new = NewRefund {
                account: merchant.to_owned(),
                no: no.to_owned(),
                payment_no: field(wish, "payment_no").to_owned(),
                amount: amount(wish),
                notify_url: field(wish, "notify_url").to_owned(),
            };
            stub.refund(new, faults)
                .map_or_else(refused, |known| json!({ "code": "OK", "refund": refund(&known) }))
        }
        Act::QueryRefund => match stub.refund_of(merchant, no).filter(|_| !blind) {
            Some(known) => json!({ "code": "OK", "refund": refund(&known) }),
            None => json!({ "code": "NO_REFUND" }),
        },
        Act::Sign => {
            stub.ask_contract(merchant, no, field(wish, "notify_url"));
            json!({ "code": "OK", "page": format!("{}/page/{merchant}/{no}", desk.origin) })
        }
        Act::QueryContract => match stub.contract(merchant, no).filter(|_| !blind) {
            Some(known) => json!({ "code": "OK", "contract": contract(&known) }),
            None => json!({ "code": "NO_CONTRACT" }),
        },
        Act::CloseContract => {
            let ended = stub.end_contract(merchant, no, false);
            match ended.or_else(|| stub.contract(merchant, no)) {
                Some(known) => json!({ "code": "OK", "contract": contract(&known) }),
                None => json!({ "code": "NO_CONTRACT" }),
            }
        }
        Act::Notify => json!({ "code": "BUSY" }),
    }
}

fn refused(why: Refused) -> Value {
    let code = match why {
        Refused::NoContract => "CONTRACT_INVALID",
        Refused::NoCode => "CODE_INVALID",
        Refused::Funds => "FUNDS",
        Refused::NumberTaken => "NUMBER_TAKEN",
        Refused::NotPaid => "NOT_PAID",
        Refused::TooMuch => "TOO_MUCH",
    };
    json!({ "code": code, "text": "样例" })
}

pub(crate) fn order(order: &Order) -> Value {
    let state = match order.state {
        OrderState::Waiting => "WAITING",
        OrderState::Paid => "PAID",
        OrderState::Failed => "FAILED",
        OrderState::Closed => "CLOSED",
    };
    let mut told = json!({
        "no": order.asked.no, "ecny_no": order.channel_no, "state": state, "currency": "CNY", "at_ms": order.at.0,
    });
    if !order.asked.amount.is_zero() {
        told["amount_fen"] = json!(order.asked.amount.get());
    }
    if let Some((_, Some(by))) = &order.undone {
        told["undone_by"] = json!(by);
    }
    told
}

pub(crate) fn refund(refund: &Refund) -> Value {
    let state = match refund.state {
        RefundState::Waiting => "WAITING",
        RefundState::Done => "DONE",
        RefundState::Failed => "FAILED",
    };
    json!({
        "no": refund.asked.no, "payment_no": refund.asked.payment_no, "ecny_no": refund.channel_no, "state": state,
        "amount_fen": refund.asked.amount.get(), "currency": "CNY", "at_ms": refund.at.0,
    })
}

pub(crate) fn contract(contract: &Contract) -> Value {
    let state = match contract.state {
        ContractState::Asked => "ASKED",
        ContractState::Signed => "SIGNED",
        ContractState::Declined => "DECLINED",
        ContractState::EndedByUser => "ENDED_BY_USER",
        ContractState::EndedByMerchant => "ENDED_BY_MERCHANT",
    };
    json!({
        "no": contract.no, "handle": contract.handle, "state": state, "wallet": contract.user,
        "at_ms": contract.at.0,
    })
}

/// Who stands behind a one-time code; it is used up.
fn user(desk: &Arc<Desk>, code: &str) -> Value {
    let user = desk.users.lock().unwrap_or_else(PoisonError::into_inner).remove(code);
    user.map_or_else(
        || json!({ "code": "CODE_INVALID" }),
        |user| json!({ "code": "OK", "user": user }),
    )
}

/// A line of the file.
fn row(line: &Line) -> String {
    let kind = if line.way == Way::Paid { "PAY" } else { "BACK" };
    let state = if line.failed { "FAILED" } else { "DONE" };
    format!(
        "{kind},{state},{},{},{},{},{},{}\n",
        line.no,
        line.payment_no,
        line.channel_no,
        line.amount.yuan(),
        line.fee.yuan(),
        line.at.0
    )
}

fn bill(desk: &Arc<Desk>, merchant: &str, day: &str) -> Value {
    let made = Day::parse(day).and_then(|day| desk.stub.bill(merchant, day));
    let Some((lines, cut_off)) = made else {
        return json!({ "code": "BILL_NOT_READY" });
    };
    let mut digest = Sha256::new();
    for line in &lines {
        digest.update(row(line));
    }
    let (id, rows) = (desk.stub.number(), lines.len());
    let mut files = desk.files.lock().unwrap_or_else(PoisonError::into_inner);
    files.insert(id.clone(), BillText { lines, cut_off });
    let sha256: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "code": "OK", "bill": { "day": day, "path": format!("/v1/bill/{id}"), "rows": rows, "sha256": sha256 } })
}

/// The file, line by line. One that is cut off ends in the middle of a line, as if that were its end.
async fn file(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Response {
    let taken = desk.files.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    let Some(BillText { mut lines, cut_off }) = taken else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let last = if cut_off { lines.pop() } else { None };
    let half = last.map(|line| {
        let text = row(&line);
        text.get(..text.len() / 2).unwrap_or_default().to_owned()
    });
    let parts = lines.into_iter().map(|line| row(&line)).chain(half);
    let parts = parts.map(|part| Ok::<_, std::convert::Infallible>(Bytes::from(part)));
    let body = Body::from_stream(futures::stream::iter(parts));
    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], body).into_response()
}
