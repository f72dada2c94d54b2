//! `GET /app/v1/mandates`: what the user has signed.

use axum::extract::State;
use http::Uri;
use metropay_core::engine::Engine;
use metropay_core::limit;
use metropay_core::mandate;
use metropay_core::problem::{Code, Problem};
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope, read_query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::MandateShown;
use crate::Doors;
use crate::app::refusal::RIDER;
use crate::app::rider::Rider;

/// What is asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::app) struct MandatesAsk {
    /// 是否包含已终止的授权，默认否 (whether to list those that ended, too).
    ended: Option<bool>,
}

/// 免密授权列表 (mandates).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::app) struct MandateList {
    /// 授权，新的在前，至多 100 条 (the newest first, at most 100).
    mandates: Vec<MandateShown>,
}

pub(in crate::app) struct MandatesList;

impl Refuses for MandatesList {
    const CODES: &'static [&'static [Code]] = &[RIDER, &[Code::ParamInvalid]];
}

/// 查询免密授权列表。
///
/// The user's mandates with all merchants and channels.
#[utoipa::path(
    get, path = "/app/v1/mandates", tag = "App 免密授权", security(("app_token" = [])), params(MandatesAsk),
    responses((status = 200, body = Envelope<MandateList>), Refused::<MandatesList>)
)]
pub(in crate::app) async fn list(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    uri: Uri,
) -> Answer<MandateList> {
    call.answer(listed(&doors.queries, &rider, &uri).await)
}

async fn listed(engine: &Engine, rider: &Rider, uri: &Uri) -> Result<MandateList, Problem> {
    let ask: MandatesAsk = read_query(uri)?;
    let mut found = mandate::list(engine, &rider.uid, ask.ended.unwrap_or(false)).await?;
    found.truncate(usize::try_from(limit::PAGE_MAX).unwrap_or(usize::MAX));
    let mut mandates = Vec::with_capacity(found.len());
    for mandate in found {
        mandates.push(MandateShown::of(engine, mandate).await?);
    }
    Ok(MandateList { mandates })
}
