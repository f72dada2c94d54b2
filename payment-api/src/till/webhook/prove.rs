//! `webhook/prove`: an endpoint shows that it is the merchant's.

use axum::extract::State;
use metropay_core::problem::Code;
use metropay_core::webhook;
use metropay_web::Answer;
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};

use super::{EndpointNamed, EndpointShown};
use crate::Doors;
use crate::till::EVERYWHERE;
use crate::till::signed::{SignatureHeader, Signed};

pub(in crate::till) struct EndpointProve;

impl Refuses for EndpointProve {
    const CODES: &'static [&'static [Code]] = &[EVERYWHERE, &[Code::EndpointNotFound, Code::EndpointUnproven]];
}

/// 验证通知地址 (prove an endpoint)
///
/// 平台向地址发送一条带签名的 `endpoint.challenge`，须以 200 应答 `{"challenge":"…"}` 原样返回其中的随机文本；通过后生效，未送达的通知随即补发。
///
/// The platform asks the address to repeat a random text. From then on it is told, also what has waited.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/webhook/prove",
    tag = "商户通知",
    params(SignatureHeader),
    request_body = EndpointNamed,
    responses((status = 200, description = "通知地址 (the endpoint)", body = Envelope<EndpointShown>), Refused::<EndpointProve>)
)]
pub(in crate::till) async fn prove(State(doors): State<Doors>, asked: Signed<EndpointNamed>) -> Answer<EndpointShown> {
    let Signed { call, till, body } = asked;
    let done = webhook::prove(&doors.queries, &till.mch_id, &body.endpoint_id).await;
    call.answer(done.map(Into::into))
}
