//! Fetching a bill's file (wechat reference, 6.1 and 6.3).

use std::fs::File;
use std::io::{Read, Seek};

use http::StatusCode;
use metropay_core::channel::{BillError, CallError};
use metropay_core::clock::Day;
use metropay_outbound::Download;

use super::{DOWNLOAD_MAX, Fetched, unreadable};
use crate::Wechat;
use crate::call::{Call, maybe};
use crate::codes::{Asked, Class, Failure, normal};
use crate::v3::{self, Reply};
use crate::xml::Message;

/// How long a refusal may be that comes instead of a file.
const REFUSAL_MAX: u64 = 64 * 1_024;

/// The number of a refusal whose text is not documented: the product is closed for this merchant.
const CLOSED: &str = "20007";

/// Which bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Trades,
    Funds,
}

impl Wechat {
    pub(super) async fn fetch_bill(&self, kind: Kind, day: Day) -> Result<Fetched, BillError> {
        match &self.v3 {
            Some(v3) => self.fetch_v3(v3, kind, day).await,
            None => self.fetch_v2(kind, day).await,
        }
    }

    async fn fetch_v3(&self, v3: &v3::Client, kind: Kind, day: Day) -> Result<Fetched, BillError> {
        let digits = day.to_string();
        let part = |range| digits.get(range).unwrap_or_default();
        let date = format!("{}-{}-{}", part(0..4), part(4..6), part(6..8));
        let path = match (kind, self.account.sub_mch_id.as_deref()) {
            (Kind::Trades, Some(shop)) => {
                format!("/v3/bill/tradebill?bill_date={date}&bill_type=ALL&sub_mchid={shop}&tar_type=GZIP")
            }
            (Kind::Trades, None) => format!("/v3/bill/tradebill?bill_date={date}&bill_type=ALL&tar_type=GZIP"),
            (Kind::Funds, _) => format!("/v3/bill/fundflowbill?bill_date={date}&account_type=BASIC&tar_type=GZIP"),
        };
        let answer = match v3.get(&path, self.account.query_timeout).await? {
            Reply::Taken(answer) => answer,
            Reply::Failed(failure) => {
                return match failure.class(v3::Asked::Bill).map(|(class, _)| class) {
                    Some(Class::Done) => self.no_bill(day),
                    Some(Class::Query) => Err(BillError::NotReady),
                    Some(Class::Final | Class::Config | Class::Confirm) => Err(BillError::Refused(failure.line())),
                    Some(Class::Repeat) | None => Err(maybe(failure.line()).into()),
                };
            }
        };
        let (Some("SHA1"), Some(hash), Some(url)) = (
            answer.text("/hash_type"),
            answer.text("/hash_value"),
            answer.text("/download_url"),
        ) else {
            return unreadable("the file is offered without its address or without a SHA-1");
        };
        let file = v3.download(url, self.account.bill_timeout, DOWNLOAD_MAX).await?;
        match refusal(file)? {
            Ok(file) => Ok(Fetched::File(file, Some(hash.to_ascii_lowercase()))),
            Err(text) => Err(maybe(format!("a refusal instead of the file: {text}")).into()),
        }
    }

    async fn fetch_v2(&self, kind: Kind, day: Day) -> Result<Fetched, BillError> {
        let mut call = match kind {
            Kind::Trades => Call::new(&self.account, &self.gate, "/pay/downloadbill"),
            Kind::Funds => Call::new(&self.account, &self.gate, "/pay/downloadfundflow")
                .certified()
                .hmac(),
        };
        call = call.nonce().timeout(self.account.bill_timeout);
        call.message.text("bill_date", day.to_string());
        match kind {
            Kind::Trades => call.message.text("bill_type", "ALL"),
            Kind::Funds => call.message.text("account_type", "Basic"),
        };
        call.message.text("tar_type", "GZIP");
        match refusal(call.download(DOWNLOAD_MAX).await?)? {
            Ok(file) => Ok(Fetched::File(file, None)),
            Err(text) => self.v2_refusal(&text, day),
        }
    }

    /// A refusal of APIv2 is not signed, and it proves nothing that it would have to: it moves no money.
    fn v2_refusal(&self, text: &str, day: Day) -> Result<Fetched, BillError> {
        let message = Message::read(text.trim_start().as_bytes(), "xml");
        let message = message.map_err(|error| maybe(format!("neither a file nor a refusal: {error}")))?;
        let named = message.get("err_code").filter(|code| *code != "0");
        let code = named.or_else(|| message.get("return_msg")).unwrap_or_default();
        let failure = Failure {
            code: normal(code),
            text: message
                .get("err_code_des")
                .or_else(|| message.get("return_msg"))
                .unwrap_or_default()
                .to_owned(),
        };
        match failure.row(Asked::Bill).map(|row| row.class) {
            Some(Class::Done) => self.no_bill(day),
            Some(Class::Query) => Err(BillError::NotReady),
            Some(Class::Final | Class::Config | Class::Confirm) => Err(BillError::Refused(failure.line())),
            None if message.get("error_code") == Some(CLOSED) => Err(BillError::Refused(failure.line())),
            Some(Class::Repeat) | None => Err(maybe(failure.line()).into()),
        }
    }
}

/// The file, or the text that came instead: a file never begins with `<` or `{`.
fn refusal(download: Download) -> Result<Result<File, String>, BillError> {
    if download.status != StatusCode::OK {
        return Err(maybe(format!("HTTP status {}", download.status.as_u16())).into());
    }
    let unread = |error: std::io::Error| CallError::MaybeDone(format!("the file cannot be read: {error}"));
    let mut file = download.file;
    let mut beginning = Vec::new();
    let taken = file.by_ref().take(REFUSAL_MAX).read_to_end(&mut beginning);
    taken.map_err(unread)?;
    let first = beginning.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(first, Some(b'<' | b'{') | None) {
        return Ok(Err(String::from_utf8_lossy(&beginning).into_owned()));
    }
    file.rewind().map_err(unread)?;
    Ok(Ok(file))
}
