//! Carrying a call out, as the fault script wants it.

use std::sync::Arc;

use super::answer::Node;
use super::call::{Call, Method};
use super::desk::Desk;
use super::failure::Failure;
use super::money::yuan;
use super::{agreement_call, app_auth, bill, cancel, oauth, pay, pay_answer, refund, refund_answer, rotation};
use super::{trade_query, user_info};
use crate::fault::Effect;
use crate::frame::Frame;

/// Carries out the method; the node of the answer.
pub(super) fn run(frame: &Arc<Frame>, call: &Call) -> Node {
    if let Some(failure) = refused(call) {
        return failed(call, &failure);
    }
    let mut desk = Desk::open(frame);
    let done = act(frame, &mut desk, call);
    desk.close(frame);
    if call.effects.contains(&Effect::SystemErrorAfter) {
        return failed(call, &system_error(call));
    }
    let mut node = done.unwrap_or_else(|failure| failed(call, &failure));
    for effect in &call.effects {
        twist(&mut node, effect);
    }
    node
}

fn act(frame: &Frame, desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    match call.method {
        Method::TradePay => pay::pay(desk, call),
        Method::TradeQuery => trade_query::query(desk, call),
        Method::TradeCancel => cancel::cancel(desk, call),
        Method::TradeClose => cancel::close(desk, call),
        Method::TradeRefund => refund::refund(desk, call),
        Method::RefundQuery => refund_answer::query(desk, call),
        Method::AgreementQuery => agreement_call::query(desk, call),
        Method::AgreementUnsign => agreement_call::unsign(desk, call),
        Method::PlanModify => agreement_call::modify_plan(desk, call),
        Method::BillUrl => bill::url(desk, call, &frame.public_url),
        Method::OauthToken => oauth::token(desk, call),
        Method::UserInfo => user_info::share(desk, call),
        Method::AppToken => app_auth::token(desk, call),
        Method::CertDownload => rotation::download(desk, call),
        Method::PageSign => Err(Failure::gateway("isv.invalid-method")),
    }
}

/// The refusal that the fault script wants instead of any action.
pub(super) fn refused(call: &Call) -> Option<Failure> {
    call.effects.iter().find_map(|effect| match effect {
        Effect::SystemErrorBefore => Some(system_error(call)),
        Effect::Refuse { code } => Some(refusal(call.method, code)),
        _ => None,
    })
}

/// The refusal with this code. Trade methods add `ACQ.` to a bare one; the gateway's own have a prefix or small letters.
fn refusal(method: Method, code: &str) -> Failure {
    let is_the_services = code.starts_with("ACQ.") || code.starts_with("AQC.");
    let is_the_gateways = !is_the_services && (code.contains('.') || code.chars().any(|c| c.is_ascii_lowercase()));
    match code {
        _ if is_the_gateways => Failure::gateway(code),
        _ if method.is_about_trades() && !is_the_services => Failure::acq(code),
        _ => Failure::business(code),
    }
}

/// The service failed inside: 20000.
pub(super) fn system_error(call: &Call) -> Failure {
    match call.method {
        method if method.is_about_trades() => Failure::system("ACQ.SYSTEM_ERROR"),
        Method::OauthToken | Method::UserInfo | Method::AppToken | Method::CertDownload => {
            Failure::gateway("isp.unknow-error")
        }
        _ => Failure::system("SYSTEM_ERROR"),
    }
}

fn failed(call: &Call, failure: &Failure) -> Node {
    match call.method {
        Method::TradePay => pay_answer::failed(call, failure),
        Method::TradeQuery => trade_query::failed(call, failure),
        Method::TradeRefund => refund_answer::failed(failure),
        _ => failure.node(),
    }
}

/// Makes the answer say something else; it is signed as it then stands.
fn twist(node: &mut Node, effect: &Effect) {
    match effect {
        Effect::WrongAmount { fen } => {
            let replaced = node.replace("refund_fee", &yuan(*fen)) || node.replace("refund_amount", &yuan(*fen));
            if !replaced {
                node.replace("total_amount", &yuan(*fen));
            }
        }
        Effect::WrongOrder { order_no } => {
            for name in ["out_trade_no", "out_request_no", "external_agreement_no"] {
                node.replace(name, order_no);
            }
        }
        _ => {}
    }
}
