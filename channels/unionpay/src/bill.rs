//! The reconciliation file of a clearing day.
//!
//! UnionPay reference, 6. The file comes inside a signed answer (at most a million characters of Base64 over zlib over
//! zip), so what is read was written by UnionPay; the archive's own checksums show damage. Its rows are streamed.

mod row;

use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::read::ZlibDecoder;
use futures::StreamExt;
use metropay_core::channel::{BillError, BillRow, Bills, FundRow, Rows, read_rows};
use metropay_core::clock::Day;
use zip::ZipArchive;

use crate::Unionpay;
use crate::call::Answer;
use crate::form::Fields;

/// What the archive may be at most: the answer's million characters cannot hold much more.
const ARCHIVE_MAX: u64 = 16 << 20;
/// What a file in it may be at most.
const FILE_MAX: u64 = 2 << 30;
/// How long after a day "no such file" means that nothing happened on it: nine hours longer than files take.
const EMPTY_AFTER: Duration = Duration::from_secs(18 * 3_600);
/// A line longer than this is none.
const LINE_MAX: u64 = 4_096;

#[async_trait]
impl Bills for Unionpay {
    /// The rows of UnionPay's clearing day, which begins at 23:00 of the day before (UnionPay reference, 5.1).
    async fn trades(&self, day: Day) -> Result<Rows<BillRow>, BillError> {
        let Some(answer) = self.fetch(day).await? else {
            return Ok(futures::stream::empty().boxed());
        };
        let archive = archive(&answer)?;
        Ok(read_rows(move |hand_over| read(Cursor::new(archive), day, hand_over)))
    }

    /// UnionPay hands out no statement of the account.
    async fn funds(&self, _: Day) -> Result<Option<Rows<FundRow>>, BillError> {
        Ok(None)
    }
}

impl Unionpay {
    async fn fetch(&self, day: Day) -> Result<Option<Answer>, BillError> {
        let date = day.to_string();
        let mut fields = Fields::new();
        for (name, value) in [
            ("version", "5.1.0"),
            ("encoding", "UTF-8"),
            ("txnType", "76"),
            ("txnSubType", "01"),
            ("bizType", "000000"),
            ("merId", &self.account.mer_id),
            // The wire's date has no year (UnionPay reference, 6.1).
            ("settleDate", date.get(4..).unwrap_or_default()),
            ("fileType", "00"),
        ] {
            fields.insert(name.to_owned(), value.to_owned());
        }
        fields.insert("txnTime".to_owned(), self.setting.clock.now().stamp());
        for (name, value) in &self.account.access {
            fields.insert((*name).to_owned(), value.clone());
        }
        let answer = self
            .ask_at(&self.account.file_url, fields, self.account.patience.file)
            .await?;
        match answer.code() {
            "00" => Ok(Some(answer)),
            // The same word for "not yet" and for "nothing happened": files are made by 09:00 (UnionPay reference, 6.1).
            "98" if self.setting.clock.now() < day.end().plus(EMPTY_AFTER) => Err(BillError::NotReady),
            "98" => Ok(None),
            "03" | "04" | "05" | "06" | "37" | "99" => Err(BillError::Call(answer.useless())),
            code => Err(BillError::Refused(format!("{code} {}", answer.text()))),
        }
    }
}

fn unreadable(what: impl std::fmt::Display) -> BillError {
    BillError::Unreadable(what.to_string())
}

/// The archive in an answer.
fn archive(answer: &Answer) -> Result<Vec<u8>, BillError> {
    let content = answer
        .get("fileContent")
        .ok_or_else(|| unreadable("the answer has no file"))?;
    unpack(content)
}

/// Base64 over zlib over the archive.
pub(crate) fn unpack(content: &str) -> Result<Vec<u8>, BillError> {
    let packed = BASE64
        .decode(content)
        .map_err(|_| unreadable("the file is no Base64"))?;
    let mut archive = Vec::new();
    let mut inflated = ZlibDecoder::new(packed.as_slice()).take(ARCHIVE_MAX.saturating_add(1));
    inflated
        .read_to_end(&mut archive)
        .map_err(|error| unreadable(format!("the file is no zlib stream: {error}")))?;
    if u64::try_from(archive.len()).unwrap_or(u64::MAX) > ARCHIVE_MAX {
        return Err(unreadable("the archive is too large"));
    }
    Ok(archive)
}

/// Hands over the rows of every file in an archive that has rows.
///
/// # Errors
/// [`BillError::Unreadable`] when the archive or one of its lines is not what it should be.
pub(crate) fn read(
    archive: impl Read + Seek,
    day: Day,
    hand_over: &mut dyn FnMut(BillRow) -> bool,
) -> Result<(), BillError> {
    let mut archive = ZipArchive::new(archive).map_err(|error| unreadable(format!("the archive: {error}")))?;
    let mut details = 0_u32;
    for index in 0..archive.len() {
        let file = archive
            .by_index(index)
            .map_err(|error| unreadable(format!("the archive: {error}")))?;
        let Some(layout) = row::Layout::of(file.name_raw()) else {
            continue;
        };
        details = details.saturating_add(1);
        let mut lines = BufReader::new(file.take(FILE_MAX));
        while let Some(line) = next_line(&mut lines)? {
            if !hand_over(layout.read(&line, day)?) {
                return Ok(());
            }
        }
    }
    if details == 0 {
        return Err(unreadable("the archive has no file of transactions"));
    }
    Ok(())
}

/// The next line without its end; every line has one, so that one without was cut off (UnionPay reference, 6.3).
fn next_line(lines: &mut impl BufRead) -> Result<Option<Vec<u8>>, BillError> {
    let mut line = Vec::new();
    let read = lines
        .by_ref()
        .take(LINE_MAX)
        .read_until(b'\n', &mut line)
        .map_err(|error| unreadable(format!("a file of transactions: {error}")))?;
    if read == 0 {
        return Ok(None);
    }
    let ended = line.pop() == Some(b'\n');
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    if ended {
        Ok(Some(line))
    } else {
        Err(unreadable("a line is cut off"))
    }
}
