//! `alipay.data.dataservice.bill.downloadurl.query` and the download behind it (alipay reference, 6.1).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::account;
use super::answer::Node;
use super::bill_file;
use super::bill_period::Period;
use super::bill_row;
use super::call::Call;
use super::desk::Desk;
use super::failure::Failure;
use super::page::message;
use crate::fault::{self, Effect};
use crate::frame::{Frame, Gateway};

const TABLE: &str = "alipay_bill_ticket";

/// How long a download address is good.
const TICKET_LIFE_MS: i64 = 30_000;

/// What stays as it is in the address.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.');

/// The operation under which the fault script finds the download itself.
const DOWNLOAD: &str = "downloadBillFile.resource";

/// What a bill is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum BillType {
    /// `trade`: the trades.
    Trade,
    /// `signcustomer`: the account's statement.
    SignCustomer,
}

impl BillType {
    fn read(word: &str) -> Result<Self, Failure> {
        match word {
            "trade" => Ok(Self::Trade),
            "signcustomer" => Ok(Self::SignCustomer),
            // Bills of products that these merchants have not signed.
            "merchant_act" | "trade_zft_merchant" | "zft_acc" | "settlementMerge" => {
                Err(Failure::business("TYPE_NOT_SUPPORTED"))
            }
            _ => Err(Failure::business("INVAILID_ARGUMENTS")),
        }
    }

    /// The word on the wire.
    fn word(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::SignCustomer => "signcustomer",
        }
    }
}

/// The right to download a bill for a while.
#[derive(Serialize, Deserialize)]
struct Ticket {
    app_id: String,
    bill_type: BillType,
    /// As the call named it.
    bill_date: String,
    made_ms: i64,
    /// What the fault script wants of the rows.
    effects: Vec<Effect>,
}

/// Says where the bill of a day or a month is, if it is there.
pub(super) fn url(desk: &mut Desk<'_>, call: &Call, public_url: &str) -> Result<Node, Failure> {
    let invalid = || Failure::business("INVAILID_ARGUMENTS");
    let bill_type = BillType::read(&call.text("bill_type").ok_or_else(invalid)?)?;
    let bill_date = call.text("bill_date").ok_or_else(invalid)?;
    let period = Period::read(&bill_date).ok_or_else(invalid)?;
    let terms = &call.account.terms;
    if period.start_ms > desk.now_ms {
        return Err(invalid());
    }
    if terms
        .registered_on
        .as_ref()
        .is_some_and(|first_day| period.last_day() < *first_day)
    {
        return Err(Failure::business("BILL_DATE_BEFORE_REGISTRATION"));
    }
    let is_ready = desk.now_ms >= period.ready_ms(terms.bill_ready_s);
    if !is_ready || call.effects.contains(&Effect::BillNotReady) {
        return Err(Failure::business("isp.bill_not_exist"));
    }
    let effects: Vec<Effect> = call.effects.iter().filter(|e| e.is_about_bills()).cloned().collect();
    let is_empty = bill_row::of(&desk.tx, &call.account, &period, &effects).is_empty();
    let wants_empty = effects.contains(&Effect::BillEmpty);
    if is_empty && !wants_empty && !terms.bill_empty_as_file {
        return Err(Failure::business("NO_BILL_DATA"));
    }
    let ticket = Ticket {
        app_id: call.account.app_id.clone(),
        bill_type,
        bill_date,
        made_ms: desk.now_ms,
        effects,
    };
    let token = hex::encode(rand::random::<[u8; 16]>());
    desk.tx.put(TABLE, &token, &ticket);
    let mut node = Node::success().text(
        "bill_download_url",
        &address(&ticket, &period, &call.account.bill_account(), public_url, &token),
    );
    if is_empty {
        node = node.text("bill_file_code", "EMPTY_DATA_WITH_BILL_FILE");
    }
    Ok(node)
}

fn address(ticket: &Ticket, period: &Period, bill_account: &str, public_url: &str, token: &str) -> String {
    let (word, day) = (ticket.bill_type.word(), period.compact());
    let file_id = format!("/{word}/{bill_account}/{day}.csv.zip");
    format!(
        "{public_url}/alipay/downloadBillFile.resource?bizType={word}&userId={bill_account}&fileType=csv.zip&\
         bizDates={day}&downloadFileName={bill_account}_{day}.csv.zip&fileId={}&timestamp={}&token={token}",
        utf8_percent_encode(&file_id, PLAIN),
        ticket.made_ms,
    )
}

/// `GET /downloadBillFile.resource`: the archive, or a page once the address is too old.
pub(super) async fn download(State(frame): State<Arc<Frame>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let token = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "token")
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default();
    let effects = frame.faults.take(Gateway::Alipay, DOWNLOAD, "", |effect| {
        !effect.is_about_notices() && !effect.is_about_bills()
    });
    if let Some(answer) = fault::before(&effects).await {
        return answer;
    }
    let answer = archive(&frame, &token).unwrap_or_else(|| message(StatusCode::OK, "下载失败", "下载链接已失效"));
    fault::after(&effects, answer).await
}

fn archive(frame: &Frame, token: &str) -> Option<Response> {
    let tx = frame.store.begin();
    let ticket: Ticket = tx.get(TABLE, token)?;
    if frame.clock.now_ms() > ticket.made_ms + TICKET_LIFE_MS {
        return None;
    }
    let account = account::find(&tx, &ticket.app_id)?;
    let period = Period::read(&ticket.bill_date)?;
    let rows = bill_row::of(&tx, &account, &period, &ticket.effects);
    let opening_fen = bill_row::opening_fen(&tx, &account, &period);
    let bill = bill_file::Bill {
        account: &account,
        period: &period,
        rows: &rows,
        opening_fen,
        exported_ms: ticket.made_ms,
        is_cut: ticket.effects.contains(&Effect::BillTruncated),
    };
    let zip = bill_file::archive(&bill, ticket.bill_type)?;
    let name = format!("{}_{}.csv.zip", account.bill_account(), period.compact());
    let headers = [
        ("content-type", "application/zip".to_owned()),
        ("content-disposition", format!("attachment; filename={name}")),
    ];
    Some((StatusCode::OK, headers, Body::from(zip)).into_response())
}
