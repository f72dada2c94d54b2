//! `GET /app/v1/codes/{code_id}`: what has become of a code.

use axum::extract::State;
use metropay_core::code::issue::{self, Code as IssuedCode, CodeState};
use metropay_core::engine::Engine;
use metropay_core::id::{ChannelId, CodeId, MchId};
use metropay_core::problem::{Code, Problem};
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Doors;
use crate::app::event::poll::PATH as LONG_POLL;
use crate::app::merchant::channels::MerchantChannels;
use crate::app::moment::Moment;
use crate::app::named::Named;
use crate::app::record::{PayStatus, RecordSummary};
use crate::app::refusal::RIDER;
use crate::app::rider::Rider;

/// 消费码的状态 (how a code stands).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::app) struct CodeStanding {
    /// 支付 ID (the code's id).
    #[schema(value_type = String)]
    code_id: CodeId,
    /// 状态 (its state).
    state: CodeStatus,
    /// 选定的支付渠道 (the chosen channel).
    #[schema(value_type = Option<String>)]
    method: Option<ChannelId>,
    /// 失效时间 (when it ends unused).
    expires_at: Moment,
    /// 平台当前时间 (our time).
    server_time: Moment,
    /// 用它下的订单，一经收银台扫码即有 (the order placed with it, from the scan on).
    payment: Option<RecordSummary>,
    /// NEED_MANDATE 时：扫码的商户及其可签约的渠道 (with NEED_MANDATE: who scanned it, and the channels to sign with).
    merchant: Option<MerchantChannels>,
}

/// 消费码状态：WAITING 等待扫码，NEED_MANDATE 需先签约免密，PAYING 支付中，PAID 已支付，FAILED 支付失败，CLOSED 已关闭，
/// REVERSED 已撤销退回，ENDED 未使用而失效.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::app) enum CodeStatus {
    /// Waiting for a till.
    Waiting,
    /// Scanned where the user has no mandate.
    NeedMandate,
    /// An order was placed with it.
    Paying,
    /// Paid.
    Paid,
    /// Not paid: refused.
    Failed,
    /// Not paid: closed.
    Closed,
    /// Paid and undone.
    Reversed,
    /// Over without use.
    Ended,
}

impl From<PayStatus> for CodeStatus {
    fn from(status: PayStatus) -> Self {
        match status {
            PayStatus::Paying => Self::Paying,
            PayStatus::Paid => Self::Paid,
            PayStatus::Failed => Self::Failed,
            PayStatus::Closed => Self::Closed,
            PayStatus::Reversed => Self::Reversed,
        }
    }
}

pub(in crate::app) struct CodeStateAsk;

impl Refuses for CodeStateAsk {
    const CODES: &'static [&'static [Code]] = &[RIDER, &[Code::CodeNotFound]];
}

/// 查询消费码状态。每秒至多查询一次；更及时的办法是事件流或长轮询。
///
/// How a code stands. At most once a second; the event stream and the long-poll tell sooner.
#[utoipa::path(
    get, path = "/app/v1/codes/{code_id}", tag = "App 消费码", security(("app_token" = [])),
    params(("code_id" = String, Path, description = "支付 ID")),
    responses((status = 200, body = Envelope<CodeStanding>), Refused::<CodeStateAsk>)
)]
pub(in crate::app) async fn state(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    code_id: Named,
) -> Answer<CodeStanding> {
    call.answer(standing(&doors.queries, &rider, code_id).await)
}

async fn standing(engine: &Engine, rider: &Rider, code_id: Named) -> Result<CodeStanding, Problem> {
    let paced = rider.budgets.polls.take(&rider.uid);
    paced.map_err(|problem| problem.fact("long_poll", LONG_POLL))?;
    let code_id = CodeId(code_id.or(Code::CodeNotFound)?);
    let (code, state) = issue::state(engine, &rider.uid, &code_id).await?;
    let mut answer = CodeStanding {
        state: CodeStatus::Waiting,
        method: code.method.clone(),
        expires_at: code.expires_at.into(),
        server_time: engine.clock.now().into(),
        payment: None,
        merchant: None,
        code_id,
    };
    match state {
        CodeState::Waiting => {}
        CodeState::Ended => answer.state = CodeStatus::Ended,
        CodeState::Used(payment) => {
            answer.state = PayStatus::of(&payment).into();
            answer.payment = Some(RecordSummary::of(engine, &payment).await?);
        }
        CodeState::NeedMandate(mch_id) => {
            answer.merchant = still_needed(engine, rider, &code, &mch_id).await?;
            answer.state = match answer.merchant {
                Some(_) => CodeStatus::NeedMandate,
                None if code.ended_at.is_some() || code.expires_at <= engine.clock.now() => CodeStatus::Ended,
                None => CodeStatus::Waiting,
            };
        }
    }
    Ok(answer)
}

/// The merchant that scanned the code, while the user cannot pay there with it: he may have signed in the meantime, or the
/// merchant may be gone.
async fn still_needed(
    engine: &Engine,
    rider: &Rider,
    code: &IssuedCode,
    mch_id: &MchId,
) -> Result<Option<MerchantChannels>, Problem> {
    match MerchantChannels::of(engine, &rider.uid, mch_id).await {
        Ok(merchant) => Ok((!merchant.can_pay(code.method.as_ref())).then_some(merchant)),
        Err(problem) if problem.code == Code::MerchantNotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}
