//! `GET /app/v1/records`: what the user has paid.

use std::time::Duration;

use axum::extract::State;
use http::Uri;
use metropay_core::clock::{Day, Time};
use metropay_core::engine::Engine;
use metropay_core::payment::records;
use metropay_core::problem::{Code, Problem};
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope, read_query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::RecordSummary;
use super::cursor::Cursor;
use crate::Doors;
use crate::app::refusal::RIDER;
use crate::app::rider::Rider;

/// Records of a page where the App asks for no number.
const PAGE: u64 = 20;
/// The span that is listed without dates: this day and the thirty before it.
const DAYS_BEFORE: Duration = Duration::from_secs(30 * 24 * 3600);
/// The rule of a date.
const DATE: &str = "日期，格式 YYYYMMDD";

/// What is asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::app) struct RecordsAsk {
    /// 开始日期（含），YYYYMMDD，北京时间；默认为结束日期前 30 天 (the first day).
    #[param(example = "20260701")]
    from: Option<String>,
    /// 结束日期（含），YYYYMMDD，北京时间；默认当天。范围至多 31 天 (the last day; at most 31 days in all).
    #[param(example = "20260731")]
    to: Option<String>,
    /// 上一页返回的 next_cursor；日期沿用其所属的查询 (from the page before; the days are those of its list).
    cursor: Option<String>,
    /// 每页条数，1–100，默认 20 (records of a page).
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u64>,
}

/// 消费记录列表 (a page of records).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::app) struct RecordPage {
    /// 记录，新的在前 (the newest first).
    records: Vec<RecordSummary>,
    /// 下一页的游标；没有下一页时为 null (where the next page begins).
    next_cursor: Option<String>,
}

pub(in crate::app) struct RecordsList;

impl Refuses for RecordsList {
    const CODES: &'static [&'static [Code]] = &[RIDER, &[Code::ParamInvalid, Code::CursorInvalid]];
}

/// 查询消费记录，按下单时间倒序分页。
///
/// The user's payments, the newest first.
#[utoipa::path(
    get, path = "/app/v1/records", tag = "App 消费记录", security(("app_token" = [])), params(RecordsAsk),
    responses((status = 200, body = Envelope<RecordPage>), Refused::<RecordsList>)
)]
pub(in crate::app) async fn list(call: Call, State(doors): State<Doors>, rider: Rider, uri: Uri) -> Answer<RecordPage> {
    call.answer(listed(&doors.queries, &rider, &uri).await)
}

async fn listed(engine: &Engine, rider: &Rider, uri: &Uri) -> Result<RecordPage, Problem> {
    let ask: RecordsAsk = read_query(uri)?;
    let (from, to) = (day("from", ask.from.as_deref())?, day("to", ask.to.as_deref())?);
    let cursor = ask.cursor.as_deref().map(|text| Cursor::read(engine, &rider.uid, text));
    let cursor = cursor.transpose()?;
    let days = match &cursor {
        Some(cursor) => continued(cursor.days, from, to)?,
        None => span(from, to, engine.clock.now()),
    };
    let moments = (days.0.start(), days.1.end());
    let last = cursor.map(|cursor| cursor.last);
    let page = records::list(engine, &rider.uid, moments, last, ask.limit.unwrap_or(PAGE)).await?;
    let mut records = Vec::with_capacity(page.records.len());
    for payment in &page.records {
        records.push(RecordSummary::of(engine, payment).await?);
    }
    let next = page.next.map(|last| Cursor { days, last });
    Ok(RecordPage {
        records,
        next_cursor: next.map(|next| next.write(engine, &rider.uid)),
    })
}

fn day(field: &str, text: Option<&str>) -> Result<Option<Day>, Problem> {
    let read = |text| Day::parse(text).ok_or_else(|| Problem::invalid(field, DATE));
    text.map(read).transpose()
}

/// The days that are listed, where some of them are not given.
fn span(from: Option<Day>, to: Option<Day>, now: Time) -> (Day, Day) {
    let to = to.unwrap_or_else(|| now.day());
    (from.unwrap_or_else(|| to.start().minus(DAYS_BEFORE).day()), to)
}

/// The days of a list that goes on; others beside its cursor contradict it.
fn continued(days: (Day, Day), from: Option<Day>, to: Option<Day>) -> Result<(Day, Day), Problem> {
    if from.is_none_or(|from| from == days.0) && to.is_none_or(|to| to == days.1) {
        Ok(days)
    } else {
        Err(Problem::new(Code::CursorInvalid))
    }
}

#[cfg(test)]
mod tests {
    use metropay_core::limit;

    use super::*;

    #[test]
    fn without_dates_the_last_thirty_one_days_are_listed() {
        let now = Time::parse_china("20260801000000", "%Y%m%d%H%M%S").unwrap();
        let (from, to) = span(None, None, now);
        assert_eq!((from, to), (Day(20_260_702), Day(20_260_801)));
        assert_eq!(to.end().since(from.start()), limit::RANGE_MAX);
        assert_eq!(
            span(None, Some(Day(20_260_301)), now),
            (Day(20_260_130), Day(20_260_301))
        );
        assert_eq!(
            span(Some(Day(20_260_730)), None, now),
            (Day(20_260_730), Day(20_260_801))
        );
    }

    #[test]
    fn a_list_goes_on_with_its_own_days_only() {
        let days = (Day(20_260_701), Day(20_260_731));
        assert_eq!(continued(days, None, None).unwrap(), days);
        assert_eq!(continued(days, Some(days.0), Some(days.1)).unwrap(), days);
        for (from, to) in [(Some(Day(20_260_702)), None), (None, Some(Day(20_260_730)))] {
            assert_eq!(continued(days, from, to).unwrap_err().code, Code::CursorInvalid);
        }
    }
}
