//! Asking for a bill's address, and downloading what is there (alipay reference, 6.1).

use std::fs::File;
use std::time::Duration;

use metropay_core::channel::{BillError, CallError};
use metropay_core::clock::Day;
use metropay_outbound::Request;
use serde::Serialize;

use super::address::allowed;
use crate::Alipay;
use crate::codes::{Class, Method};
use crate::said::unknown;

/// How large an archive may be: a day of many millions of rows.
const ARCHIVE_MAX: u64 = 2 << 30;

/// How long a download may take in all.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// From when on, after the end of its day, "no bill" means that nothing happened: the reference gives up asking at 18:00.
const DEADLINE: Duration = Duration::from_secs(18 * 3600);

#[derive(Serialize)]
struct Biz<'a> {
    bill_type: &'a str,
    bill_date: String,
}

/// The archive of a day; `None` when nothing happened on it.
///
/// # Errors
/// [`BillError`] when there is none.
pub(super) async fn fetch(alipay: &Alipay, bill_type: &str, day: Day) -> Result<Option<File>, BillError> {
    let gateway = &alipay.gateway;
    if gateway.clock.now() < day.end() {
        return Err(BillError::NotReady);
    }
    let biz = Biz {
        bill_type,
        bill_date: day.start().in_china().format("%Y-%m-%d").to_string(),
    };
    let said = gateway.call(Method::BillUrl, &biz, None, alipay.timeouts.query).await?;
    if said.code != "10000" {
        return match said.class() {
            (Class::State, _) if gateway.clock.now() >= day.end().plus(DEADLINE) => Ok(None),
            (Class::State, _) => Err(BillError::NotReady),
            (Class::Setup | Class::Final, hint) => {
                let refusal = said.refusal(hint);
                Err(BillError::Refused(format!("{} {}", refusal.code, refusal.text)))
            }
            (Class::Retry | Class::Unknown, _) => Err(said.doubt().into()),
        };
    }
    if said.node.text("bill_file_code").as_deref() == Some("EMPTY_DATA_WITH_BILL_FILE") {
        return Ok(None);
    }
    let address = said.node.text("bill_download_url");
    let address = address.ok_or_else(|| unknown("the answer has no bill_download_url"))?;
    let url = allowed(&gateway.url, &address)?;
    download(alipay, url.into()).await.map(Some)
}

async fn download(alipay: &Alipay, url: String) -> Result<File, BillError> {
    let download = alipay
        .gateway
        .outbound
        .download(Request::get(url, DOWNLOAD_TIMEOUT), ARCHIVE_MAX)
        .await?;
    if download.status != http::StatusCode::OK {
        let status = download.status.as_u16();
        return Err(CallError::MaybeDone(format!("the bill's download has HTTP status {status}")).into());
    }
    Ok(download.file)
}
