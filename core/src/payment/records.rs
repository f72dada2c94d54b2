//! A user's consumption records.

use super::Payment;
use crate::clock::Time;
use crate::engine::Engine;
use crate::id::{PayNo, Uid};
use crate::limit;
use crate::problem::{Code, Problem};
use crate::refund::Refund;
use crate::store;

/// A page of records and the position after it.
#[derive(Debug)]
pub struct Page {
    /// The records, the newest first.
    pub records: Vec<Payment>,
    /// Where the next page begins, when there is one.
    pub next: Option<(Time, PayNo)>,
}

/// The user's payments in a span of time, the newest first.
///
/// # Errors
/// `PARAM_INVALID` for a span that is reversed or longer than 31 days, or a page size that is not taken.
pub async fn list(
    engine: &Engine,
    uid: &Uid,
    span: (Time, Time),
    before: Option<(Time, PayNo)>,
    limit: u64,
) -> Result<Page, Problem> {
    if span.1 <= span.0 {
        return Err(Problem::invalid("to", "结束时间必须晚于开始时间"));
    }
    if span.1.since(span.0) > limit::RANGE_MAX {
        return Err(Problem::invalid("to", "时间范围最长 31 天"));
    }
    if limit == 0 || limit > limit::PAGE_MAX {
        return Err(Problem::invalid("limit", "每页 1–100 条"));
    }
    let one_more = limit.saturating_add(1);
    let mut records = store::payment::records(engine.db.read(), uid, span, before, one_more).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = records.len() > wanted;
    records.truncate(wanted);
    let next = more
        .then(|| records.last().map(|last| (last.created_at, last.pay_no.clone())))
        .flatten();
    Ok(Page { records, next })
}

/// One record of the user with its refunds.
///
/// # Errors
/// `RECORD_NOT_FOUND` for none or somebody else's.
pub async fn detail(engine: &Engine, uid: &Uid, pay_no: &PayNo) -> Result<(Payment, Vec<Refund>), Problem> {
    let payment = store::payment::of_user(engine.db.read(), uid, pay_no).await?;
    let payment = payment.ok_or_else(|| Problem::new(Code::RecordNotFound))?;
    let refunds = store::refund::of_payment(engine.db.read(), pay_no).await?;
    Ok((payment, refunds))
}
