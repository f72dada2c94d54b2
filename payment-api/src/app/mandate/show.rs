//! `GET /app/v1/mandates/{mandate_id}`: how a mandate stands, after the channel was asked.

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

pub(in crate::app) struct MandateShow;

impl Refuses for MandateShow {
    const CODES: &'static [&'static [Code]] = &[RIDER, &[Code::MandateNotFound]];
}

/// 查询免密授权；会向渠道核实最新状态（过于频繁时直接返回已知状态）。
///
/// How a mandate stands. The channel is asked first, unless it was just asked.
#[utoipa::path(
    get, path = "/app/v1/mandates/{mandate_id}", tag = "App 免密授权", security(("app_token" = [])),
    params(("mandate_id" = String, Path, description = "授权编号")),
    responses((status = 200, body = Envelope<MandateShown>), Refused::<MandateShow>)
)]
pub(in crate::app) async fn show(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    mandate_id: Named,
) -> Answer<MandateShown> {
    call.answer(shown(&doors.queries, &rider, mandate_id).await)
}

async fn shown(engine: &Engine, rider: &Rider, mandate_id: Named) -> Result<MandateShown, Problem> {
    let id = MandateId(mandate_id.or(Code::MandateNotFound)?);
    let found = match rider.budgets.channel_asks.take(&rider.uid) {
        Ok(()) => mandate::refresh(engine, &rider.uid, &id).await?,
        // Whoever asks that often learns what the books say; the channel is spared.
        Err(_) => mandate::find(engine, &rider.uid, &id).await?,
    };
    MandateShown::of(engine, found).await
}
