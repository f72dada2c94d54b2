//! `queryuid`: whose code this is.

use axum::extract::State;
use metropay_core::Lane;
use metropay_core::code;
use metropay_core::once::Memory;
use metropay_core::peers::ScanPlace;
use metropay_core::people::Till;
use metropay_core::problem::{Code, Problem};
use metropay_web::Answer;
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::signed::{Asked, SignatureHeader, Signed};
use super::{EVERYWHERE, form};
use crate::Doors;

/// 待查询的消费码 (a code to look up).
#[derive(Deserialize, ToSchema)]
pub(super) struct QueryUid {
    /// 扫描到的消费码，原样上送 (what was scanned, as it came)
    #[schema(example = "77112345678901234565", max_length = 128)]
    qrcode: String,
}

/// 消费码所属的用户 (whose code it is).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UidData {
    /// App 唯一 ID (the user)
    #[schema(example = "10000001")]
    uid: String,
}

impl Asked for QueryUid {
    const MEMORY: Memory = Memory::MayBeLost;
    const LANE: Lane = Lane::Queries;
}

impl Refuses for QueryUid {
    const CODES: &'static [&'static [Code]] = &[
        EVERYWHERE,
        &[
            Code::CodeForeign,
            Code::CodeMalformed,
            Code::CodeInvalid,
            Code::CodeAccountClosed,
        ],
    ];
}

/// 二维码查询用户 UID (whose code is this)
///
/// 只读取消费码，不消费：随后仍可用同一消费码收款。与扣费申请共用无效消费码的次数限制。
///
/// Reads the code and nothing else; it can still be paid with. Invalid codes count towards the same budgets as those of
/// `applypay`.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/qrcode/queryuid",
    tag = "商户收款",
    params(SignatureHeader),
    request_body = QueryUid,
    responses((status = 200, description = "消费码所属的用户 (whose code it is)", body = Envelope<UidData>), Refused::<QueryUid>)
)]
pub(super) async fn query_uid(State(doors): State<Doors>, asked: Signed<QueryUid>) -> Answer<UidData> {
    let Signed { call, till, body } = asked;
    let result = whose(&doors, &till, body).await;
    call.answer(result)
}

async fn whose(doors: &Doors, till: &Till, body: QueryUid) -> Result<UidData, Problem> {
    let scanned = form::qrcode(body.qrcode)?;
    // The request names no store: the key that signed it stands in its place.
    let place = ScanPlace::Key(till.serial.clone());
    doors
        .budgets
        .may_scan(&till.mch_id, &place, doors.queries.clock.now())?;
    let result = code::issue::whose(&doors.queries, &till.mch_id, &scanned).await;
    let uid = doors
        .budgets
        .scanned(&till.mch_id, &place, result, doors.queries.clock.now())?;
    Ok(UidData { uid: uid.0 })
}
