//! `reverse`: an order undone, whatever its state.

use axum::extract::State;
use metropay_core::Lane;
use metropay_core::id::MchId;
use metropay_core::once::Memory;
use metropay_core::problem::{Code, Problem};
use metropay_core::reversal::{self, Recall};
use metropay_web::Answer;
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::signed::{Asked, SignatureHeader, Signed};
use super::{BY_NUMBER, EVERYWHERE, form};
use crate::Doors;

/// 待撤销的订单，两个单号二选一 (an order, by either of its numbers).
#[derive(Deserialize, ToSchema)]
pub(super) struct Reverse {
    /// 订单请求流水号 (the merchant's number)
    #[schema(example = "SZTX001-20260801-000001", max_length = 64)]
    out_request_no: Option<String>,
    /// App 支付单号 (the platform's number)
    #[schema(example = "P20260801060548123A1B2C3D4E5F6", max_length = 64)]
    pay_out_trade_no: Option<String>,
}

/// 撤销结果 (how the reversal stands).
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ReverseData {
    /// 是否需要继续调用撤销：Y 需要，N 不需要 (whether to call again: Y or N)
    #[schema(value_type = String, example = "N")]
    recall: &'static str,
    /// 撤销日期，北京时间，YYYYMMDD (China day)
    #[schema(example = "20260801")]
    reverse_date: String,
    /// 撤销完成时间，北京时间，YYYYMMDDhhmmss；尚未完成时为当前时间 (China time of its end; of the answer while it goes on)
    #[schema(example = "20260801060620")]
    reverse_time: String,
}

impl From<Recall> for ReverseData {
    fn from(recall: Recall) -> Self {
        Self {
            recall: if recall.again { "Y" } else { "N" },
            reverse_date: recall.at.day().to_string(),
            reverse_time: recall.at.stamp(),
        }
    }
}

impl Asked for Reverse {
    const MEMORY: Memory = Memory::Lasting;
    const LANE: Lane = Lane::Payments;
}

impl Refuses for Reverse {
    const CODES: &'static [&'static [Code]] = &[EVERYWHERE, BY_NUMBER, &[Code::ReverseRefused]];
}

/// 二维码订单撤销（冲正） (undo an order)
///
/// 未支付的订单被关闭，已支付的全额退回。`recall` 为 `Y` 时请继续调用，直到 `N`；之后无论收到什么，该订单都不会成立。用从未使用
/// 过的流水号撤销也会成功，此后该流水号不能再收款。付款后 24 小时内可撤销；有退款的订单不能撤销，请使用退款。
///
/// An unpaid order is closed, a paid one is given back wholly. While `recall` is `Y`, call again. A number that was never
/// used is closed too: it can never be paid with afterwards. Possible for 24 hours, and not after a refund.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/qrcode/reverse",
    tag = "商户收款",
    params(SignatureHeader),
    request_body = Reverse,
    responses((status = 200, description = "撤销结果 (how the reversal stands)", body = Envelope<ReverseData>), Refused::<Reverse>)
)]
pub(super) async fn reverse(State(doors): State<Doors>, asked: Signed<Reverse>) -> Answer<ReverseData> {
    let Signed { call, till, body } = asked;
    let result = undone(&doors, &till.mch_id, body).await;
    call.answer(result)
}

async fn undone(doors: &Doors, mch_id: &MchId, body: Reverse) -> Result<ReverseData, Problem> {
    let key = form::order_key(body.out_request_no, body.pay_out_trade_no)?;
    let recall = reversal::reverse::reverse(&doors.engine, mch_id, &key).await?;
    Ok(recall.into())
}

#[cfg(test)]
mod tests {
    use metropay_core::clock::Time;

    use super::*;

    #[test]
    fn a_reversal_is_told_in_the_words_of_the_interface_and_in_china_time() {
        let at = Time::parse_china("20260801000001", "%Y%m%d%H%M%S").unwrap();
        for (again, word) in [(true, "Y"), (false, "N")] {
            let told = serde_json::to_value(ReverseData::from(Recall { again, at })).unwrap();
            let expected = serde_json::json!({
                "recall": word, "reverse_date": "20260801", "reverse_time": "20260801000001",
            });
            assert_eq!(told, expected);
        }
    }
}
