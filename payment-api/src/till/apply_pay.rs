//! `applypay`: deduct by the code that the customer shows.

use axum::extract::State;
use metropay_core::Lane;
use metropay_core::clock::Time;
use metropay_core::id::{MchId, OutRequestNo, StoreId};
use metropay_core::once::Memory;
use metropay_core::payment::{self, OrderKey, PayAsk};
use metropay_core::peers::ScanPlace;
use metropay_core::problem::{Code, Problem};
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Language};
use serde::Deserialize;
use utoipa::ToSchema;

use super::order::{OrderData, PayStatus};
use super::signed::{Asked, SignatureHeader, Signed};
use super::{EVERYWHERE, form};
use crate::Doors;

/// 扣费申请 (a deduction to make).
#[derive(Deserialize, ToSchema)]
pub(super) struct ApplyPay {
    /// 流水号，商户内唯一，由商户在发送前生成并保存；1–64 位字母、数字、下划线或连字符 (the merchant's number, unique for ever)
    #[schema(
        example = "SZTX001-20260801-000001",
        min_length = 1,
        max_length = 64,
        pattern = "^[0-9A-Za-z_-]{1,64}$"
    )]
    out_request_no: String,
    /// 扫描到的消费码，原样上送 (what was scanned, as it came)
    #[schema(example = "77112345678901234565", max_length = 128)]
    qrcode: String,
    /// 订单描述，1–128 个字符 (what is bought)
    #[schema(example = "矿泉水 2 瓶", min_length = 1, max_length = 128)]
    body: String,
    /// 订单金额，整数分 (amount in whole fen)
    #[schema(example = 600, minimum = 1, maximum = 5_000_000)]
    total_fee: u64,
    /// 备注，至多 1024 字节 (a remark)
    #[schema(max_length = 1024)]
    extra_data: Option<String>,
    /// 门店 ID (the store)
    #[schema(example = "SZTX001", min_length = 1, max_length = 64)]
    store_id: String,
}

/// Its number answers a second time what it answered at first. Where there is no number yet, because it was refused, the nonce
/// is kept.
impl Asked for ApplyPay {
    const MEMORY: Memory = Memory::MayBeLost;
    const LANE: Lane = Lane::Payments;
}

impl Refuses for ApplyPay {
    const CODES: &'static [&'static [Code]] = &[
        EVERYWHERE,
        &[
            Code::OutRequestNoConflict,
            Code::OrderClosed,
            Code::StoreDisabled,
            Code::StoreUnknown,
            Code::CodeForeign,
            Code::CodeMalformed,
            Code::CodeInvalid,
            Code::CodeUsed,
            Code::CodeAccountClosed,
            Code::NeedMandate,
            Code::LimitExceeded,
            Code::RuleError,
        ],
    ];
}

/// 二维码扣费申请 (deduct by code)
///
/// 在 8 秒内返回结果；结果未知时返回 `PS_PAYING`，请调用 `orderquery` 确认。同一流水号、同样的参数重复请求，返回同一订单的
/// 当前状态，绝不重复扣款；参数不同则返回 `OUT_REQUEST_NO_CONFLICT`，`field` 指出不同的字段。本接口只返回三种状态：已关闭
/// 或已撤销的订单返回 `PS_FAILED`，原因见 `pay_err_desc`。只有 4xx 和经验签的 `PS_FAILED` 表示未付款；5xx 或无应答时请查询。
/// `RATE_LIMITED` 只表示本次请求未受理：此前同一流水号的请求若未得到应答，请查询。
///
/// Answers within 8 seconds; `PS_PAYING` means: confirm by `orderquery`. The same number with the same parameters answers
/// the same order as it stands, for ever, and never debits twice; with others it is a conflict that names the field. Three
/// words only: an order that was closed or reversed answers `PS_FAILED`, with the reason in `pay_err_desc`.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/qrcode/applypay",
    tag = "商户收款",
    params(SignatureHeader),
    request_body = ApplyPay,
    responses((status = 200, description = "订单当前状态 (the order as it stands)", body = Envelope<OrderData>), Refused::<ApplyPay>)
)]
pub(super) async fn apply_pay(State(doors): State<Doors>, asked: Signed<ApplyPay>) -> Answer<OrderData> {
    let Signed { call, till, body } = asked;
    let result = paid(&doors, &till.mch_id, body, call.language).await;
    let kept = match result {
        // Sent again it must be refused again, though the user may have signed in the meantime.
        Err(_) => till.keep_nonce(&doors.engine).await,
        Ok(_) => Ok(()),
    };
    call.answer(kept.and(result))
}

async fn paid(doors: &Doors, mch_id: &MchId, body: ApplyPay, language: Language) -> Result<OrderData, Problem> {
    let ask = body.read()?;
    let place = ScanPlace::Store(mch_id.clone(), ask.store_id.clone());
    may_scan(doors, mch_id, &ask.out_request_no, &place, doors.engine.clock.now()).await?;
    let result = payment::pay::pay(&doors.engine, mch_id, ask).await;
    let payment = doors
        .budgets
        .scanned(mch_id, &place, result, doors.engine.clock.now())?;
    let status = PayStatus::of(&payment).at_the_till();
    OrderData::new(&doors.engine, payment, status, language)
}

/// A number that has its order is answered though the store cools off: it guesses nothing, and a till that has lost the
/// answer must not be told what sounds like "not paid".
async fn may_scan(
    doors: &Doors,
    mch_id: &MchId,
    no: &OutRequestNo,
    place: &ScanPlace,
    now: Time,
) -> Result<(), Problem> {
    let Err(limited) = doors.budgets.may_scan(mch_id, place, now) else {
        return Ok(());
    };
    let key = OrderKey {
        out_request_no: Some(no.clone()),
        pay_no: None,
    };
    match payment::find::find(&doors.engine, mch_id, &key).await {
        Ok(_) => Ok(()),
        Err(problem) if problem.code == Code::OrderNotFound => Err(limited),
        Err(problem) => Err(problem),
    }
}

impl ApplyPay {
    fn read(self) -> Result<PayAsk, Problem> {
        Ok(PayAsk {
            out_request_no: OutRequestNo(form::out_no("out_request_no", self.out_request_no)?),
            qrcode: form::qrcode(self.qrcode)?,
            body: form::body(self.body)?,
            total_fee: form::total_fee(self.total_fee)?,
            extra_data: form::extra_data(self.extra_data)?,
            store_id: StoreId(form::store_id(self.store_id)?),
        })
    }
}
