//! Reconciliation files: what a merchant's clearing day was, in the gateway's own books (unionpay reference, 6).

mod archive;
mod columns;
mod error_row;
mod flaw;
mod row;
mod summary;

use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDate, TimeDelta};

use self::archive::Entry;
pub(super) use self::error_row::Adjustment;
use self::row::{Original, Row};
use super::account::Account;
use super::order::{self, Order, State};
use super::reply::Reply;
use super::request::{Request, text};
use super::{card, chargeback};
use crate::clock;
use crate::fault::Effect;
use crate::frame::Frame;
use crate::store::Tx;

/// The longest `fileContent` that an answer may carry.
const CONTENT_MAX: usize = 1_000_000;

/// 76/01: the file of a clearing day. "98" says that there is none: not yet, or nothing happened.
pub(super) fn fetch(frame: &Frame, request: &Request, effects: &[Effect]) -> Reply {
    let now = clock::at(frame.clock.now_ms());
    let Some(day) = nearest(request.text("settleDate"), now.date_naive()) else {
        return Reply::new(&request.fields, "10");
    };
    let account = &request.account;
    if effects.contains(&Effect::BillNotReady) || !is_ready(account, day, now) {
        return Reply::new(&request.fields, "98");
    }
    let tx = frame.store.begin();
    let mut rows = rows(&tx, account, day);
    let adjustments = chargeback::of_day(&tx, &account.mer_id, day);
    drop(tx);
    flaw::in_rows(effects, &mut rows, &account.mer_id);
    if rows.is_empty() && adjustments.is_empty() && !effects.contains(&Effect::BillEmpty) {
        return Reply::new(&request.fields, "98");
    }
    let content = archive::file_content(&entries(account, day, &rows, &adjustments, effects));
    match content {
        Ok(content) if content.len() <= CONTENT_MAX => Reply::new(&request.fields, "00")
            .echo(&request.fields, &["fileType", "settleDate"])
            .with("fileName", format!("{}_{}.zip", account.mer_id, day.format("%Y%m%d")))
            .with("fileContent", content),
        _ => Reply::new(&request.fields, "99"),
    }
}

/// The date of this month and day that is nearest to today: a settleDate has no year.
fn nearest(settle_date: &str, today: NaiveDate) -> Option<NaiveDate> {
    let month: u32 = settle_date.get(..2)?.parse().ok()?;
    let day: u32 = settle_date.get(2..)?.parse().ok()?;
    let years = [today.year() - 1, today.year(), today.year() + 1];
    years
        .into_iter()
        .filter_map(|year| NaiveDate::from_ymd_opt(year, month, day))
        .min_by_key(|date| date.signed_duration_since(today).abs())
}

fn is_ready(account: &Account, day: NaiveDate, now: DateTime<FixedOffset>) -> bool {
    let ready = (day + TimeDelta::days(1)).and_time(account.conduct.bill_ready.0);
    now.naive_local() >= ready
}

/// Every transaction of the day that succeeded. What was reversed by 99 never was.
fn rows(tx: &Tx<'_>, account: &Account, day: NaiveDate) -> Vec<Row> {
    let mut orders: Vec<Order> = order::all(tx)
        .into_iter()
        .filter(|order| text(&order.request, "merId") == account.mer_id && order.state == State::Success)
        .filter(|order| account.clearing_day(order.accepted_at_ms) == day)
        .collect();
    orders.sort_by_key(|order| (order.accepted_at_ms, order.query_id.clone()));
    orders.iter().map(|order| row(tx, account, order)).collect()
}

fn row(tx: &Tx<'_>, account: &Account, order: &Order) -> Row {
    let said = |name: &str| text(&order.request, name).to_owned();
    let original = order.original.as_deref().and_then(|key| order::find(tx, key));
    Row {
        trace_no: order.trace_no.clone(),
        time: order.trace_time(),
        card: card::masked(&order.card_number),
        amount_fen: order.amount_fen,
        trade: said("merCatCode"),
        terminal_type: said("channelType"),
        query_id: order.query_id.clone().unwrap_or_default(),
        order_id: said("orderId"),
        fee_fen: fee_fen(order.amount_fen, account.conduct.fee_rate),
        txn_type: said("txnType"),
        txn_sub_type: said("txnSubType"),
        biz_type: said("bizType"),
        mer_id: account.mer_id.clone(),
        sub_mer_id: said("subMerId"),
        sub_mer_abbr: said("subMerAbbr"),
        term_id: said("termId"),
        req_reserved: said("reqReserved"),
        discount_fen: order.discount_fen,
        original: original.map(|original| Original {
            trace_no: original.trace_no.clone(),
            time: original.trace_time(),
            query_id: original.query_id.clone().unwrap_or_default(),
            order_id: text(&original.request, "orderId").to_owned(),
        }),
    }
}

/// UnionPay's fee of an amount, half a fen rounded up; the rate is in ten-thousandths.
pub(super) fn fee_fen(amount_fen: u64, rate: u32) -> u64 {
    let fee = (u128::from(amount_fen) * u128::from(rate) + 5_000) / 10_000;
    u64::try_from(fee).unwrap_or(u64::MAX)
}

fn entries(
    account: &Account,
    day: NaiveDate,
    rows: &[Row],
    adjustments: &[Adjustment],
    effects: &[Effect],
) -> Vec<Entry> {
    let (mer_id, date) = (&account.mer_id, day.format("%y%m%d"));
    let mut lines: Vec<u8> = rows
        .iter()
        .flat_map(|row| row.line(account.conduct.old_bill_layout))
        .collect();
    flaw::in_text(effects, &mut lines);
    let mut entries = vec![Entry {
        name: format!("INN{date}88ZM_{mer_id}"),
        content: lines,
    }];
    if !adjustments.is_empty() {
        entries.push(Entry {
            name: format!("INN{date}88ZME_{mer_id}"),
            content: adjustments.iter().flat_map(Adjustment::line).collect(),
        });
    }
    entries.push(Entry {
        name: format!("RD2010{date}01_{mer_id}"),
        content: summary::text(mer_id, &day.to_string(), rows),
    });
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_fen_of_fee_is_rounded_up() {
        let fees = [(1280, 60), (300, 60), (250, 60), (83, 60), (84, 60), (1, 0)];
        assert_eq!(fees.map(|(amount, rate)| fee_fen(amount, rate)), [8, 2, 2, 0, 1, 0]);
    }

    #[test]
    fn a_settle_date_is_of_the_nearest_year() {
        let date = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap();
        assert_eq!(nearest("1231", date("2026-01-01")), Some(date("2025-12-31")));
        assert_eq!(nearest("0101", date("2025-12-31")), Some(date("2026-01-01")));
        assert_eq!(nearest("0229", date("2025-03-01")), Some(date("2024-02-29")));
        assert_eq!(nearest("1301", date("2025-03-01")), None);
    }
}
