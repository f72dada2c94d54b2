//! `DELETE /app/v1/mandates/{mandate_id}`: the user takes his consent back.

use axum::extract::State;
use metropay_core::engine::Engine;
use metropay_core::id::MandateId;
use metropay_core::mandate;
use metropay_core::problem::{Code, Problem};
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope};

use super::MandateShown;
use crate::Doors;
use crate::app::named::Named;
use crate::app::refusal::RIDER;
use crate::app::rider::Rider;

pub(in crate::app) struct MandateClose;

impl Refuses for MandateClose {
    const CODES: &'static [&'static [Code]] = &[RIDER, &[Code::MandateNotFound]];
}

/// 终止免密授权：立即生效，此后不再扣款；协议上的最后一个授权终止时，同时在渠道解约。已终止的再次终止亦成功。
///
/// Closes a mandate, at once. With the last one on a contract, the contract is closed at the channel. Closed counts as done.
#[utoipa::path(
    delete, path = "/app/v1/mandates/{mandate_id}", tag = "App 免密授权", security(("app_token" = [])),
    params(("mandate_id" = String, Path, description = "授权编号")),
    responses((status = 200, body = Envelope<MandateShown>), Refused::<MandateClose>)
)]
pub(in crate::app) async fn close(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    mandate_id: Named,
) -> Answer<MandateShown> {
    call.answer(closed(&doors.queries, &rider, mandate_id).await)
}

async fn closed(engine: &Engine, rider: &Rider, mandate_id: Named) -> Result<MandateShown, Problem> {
    let id = MandateId(mandate_id.or(Code::MandateNotFound)?);
    let mandate = mandate::close(engine, &rider.uid, &id).await?;
    MandateShown::of(engine, mandate).await
}
