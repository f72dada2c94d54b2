//! Opening a file: Base64, then zlib, then a zip with its entries.
//!
//! UnionPay reference, 6.1 and 6.2. Every layer has its own proof that it is whole (zlib's checksum, the zip's directory and
//! checksums, an end of line after every row), and all of them are asked for.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::read::DecoderReader;
use encoding_rs::GBK;
use flate2::read::ZlibDecoder;
use metropay_core::channel::{BillError, BillRow};
use zip::ZipArchive;

use super::line::{error_row, trade};
use super::totals::Totals;
use super::{Sheet, unreadable};

/// How large the zip may be; it comes from a megabyte of Base64 and hardly shrinks a second time.
const ZIP_MAX: u64 = 256 << 20;
/// How much may be unpacked from one entry.
const ENTRY_MAX: u64 = 2 << 30;
/// How many entries a file may have; a genuine one has three.
const ENTRIES_MAX: usize = 64;
/// How long a row may be; a genuine one has 607 bytes.
const LINE_MAX: u64 = 4096;
/// How long a summary may be.
const SUMMARY_MAX: u64 = 1 << 20;

/// The zip of a file, in a file without name.
///
/// # Errors
/// [`BillError::Unreadable`] when it is no Base64, no zlib stream, cut off, or too large.
pub(crate) fn unpack(content: &str) -> Result<File, BillError> {
    let packed = DecoderReader::new(content.as_bytes(), &BASE64);
    let mut unpacked = ZlibDecoder::new(packed).take(ZIP_MAX.saturating_add(1));
    let mut file = tempfile::tempfile().map_err(broken)?;
    let length = io::copy(&mut unpacked, &mut file).map_err(broken)?;
    if length > ZIP_MAX {
        return Err(unreadable("its zip is too large"));
    }
    file.seek(SeekFrom::Start(0)).map_err(broken)?;
    Ok(file)
}

/// What an entry holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// `ZM`: ordinary transactions.
    Trades,
    /// `ZME`: chargebacks and corrections.
    Errors,
    /// `RD`: totals for people.
    Summary,
}

/// Reads the rows of a zip and hands them over, until nobody takes them any more.
///
/// # Errors
/// [`BillError::Unreadable`] when anything in it is broken, somebody else's, or at odds with its summary.
pub(crate) fn read(
    zip: impl Read + Seek,
    sheet: &Sheet,
    hand_over: &mut dyn FnMut(BillRow) -> bool,
) -> Result<(), BillError> {
    let mut zip = ZipArchive::new(zip).map_err(|error| unreadable(format!("its zip: {error}")))?;
    let entries = entries(&zip, sheet)?;
    let of = |holds: Holds| {
        entries
            .iter()
            .filter(move |entry| entry.1 == holds)
            .map(|entry| entry.0)
    };
    if of(Holds::Trades).chain(of(Holds::Errors)).next().is_none() {
        return Err(unreadable("it holds no list of transactions"));
    }
    let mut totals = Totals::default();
    for index in of(Holds::Trades) {
        let heard = lines(&mut zip, index, |line| {
            let trade = trade(line, sheet)?;
            totals.add(&trade);
            Ok(hand_over(trade.row))
        })?;
        if !heard {
            return Ok(());
        }
    }
    for index in of(Holds::Errors) {
        if !lines(&mut zip, index, |line| Ok(hand_over(error_row(line, sheet)?)))? {
            return Ok(());
        }
    }
    if sheet.check_totals {
        for index in of(Holds::Summary) {
            totals.agree(&summary(&mut zip, index)?).map_err(unreadable)?;
        }
    }
    Ok(())
}

/// The entries that concern us, each of which must bear the merchant and the day in its name.
fn entries(zip: &ZipArchive<impl Read + Seek>, sheet: &Sheet) -> Result<Vec<(usize, Holds)>, BillError> {
    if zip.len() > ENTRIES_MAX {
        return Err(unreadable("it has too many entries"));
    }
    let mut entries = Vec::new();
    for index in 0..zip.len() {
        let name = match zip.name_for_index(index) {
            Some(Ok(name)) => name,
            Some(Err(error)) => return Err(unreadable(format!("its zip: {error}"))),
            None => return Err(unreadable("its zip has an entry without name")),
        };
        let Some((holds, day)) = kind(&name) else { continue };
        if day != sheet.short_day() {
            return Err(unreadable("it holds another day's entry"));
        }
        if name.rsplit('_').next() != Some(sheet.mer_id.as_str()) {
            return Err(unreadable("it holds another merchant's entry"));
        }
        entries.push((index, holds));
    }
    Ok(entries)
}

/// What an entry holds and of which day, by its name: `INN25030188ZM_…`, `INN25030188ZME_…`, `RD201025030101_…`.
fn kind(name: &str) -> Option<(Holds, &str)> {
    if let Some(rest) = name.strip_prefix("INN") {
        let holds = match rest.get(8..)? {
            kind if kind.starts_with("ZM_") => Holds::Trades,
            kind if kind.starts_with("ZME_") => Holds::Errors,
            _ => return None,
        };
        return Some((holds, rest.get(..6)?));
    }
    let day = name.strip_prefix("RD2010")?.get(..6)?;
    Some((Holds::Summary, day))
}

/// Passes every row of an entry on, without its end of line; `false` when nobody takes them any more.
fn lines(
    zip: &mut ZipArchive<impl Read + Seek>,
    index: usize,
    mut take: impl FnMut(&[u8]) -> Result<bool, BillError>,
) -> Result<bool, BillError> {
    let entry = zip
        .by_index(index)
        .map_err(|error| unreadable(format!("its zip: {error}")))?;
    let mut entry = BufReader::with_capacity(1 << 16, entry.take(ENTRY_MAX.saturating_add(1)));
    let (mut line, mut length) = (Vec::with_capacity(1024), 0_u64);
    loop {
        line.clear();
        let read = entry
            .by_ref()
            .take(LINE_MAX)
            .read_until(b'\n', &mut line)
            .map_err(broken)?;
        length = length.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        if length > ENTRY_MAX {
            return Err(unreadable("an entry is too large"));
        }
        match line.as_slice() {
            [] => return Ok(true),
            [row @ .., b'\r', b'\n'] | [row @ .., b'\n'] if row.is_empty() => {}
            [row @ .., b'\r', b'\n'] | [row @ .., b'\n'] => {
                if !take(row)? {
                    return Ok(false);
                }
            }
            _ => return Err(unreadable("a row is cut off or has no end")),
        }
    }
}

/// The text of a summary.
fn summary(zip: &mut ZipArchive<impl Read + Seek>, index: usize) -> Result<String, BillError> {
    let entry = zip
        .by_index(index)
        .map_err(|error| unreadable(format!("its zip: {error}")))?;
    let mut bytes = Vec::new();
    entry
        .take(SUMMARY_MAX.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(broken)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > SUMMARY_MAX {
        return Err(unreadable("its summary is too long"));
    }
    Ok(GBK.decode(&bytes).0.into_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn broken(error: io::Error) -> BillError {
    unreadable(format!("it cannot be unpacked: {error}"))
}

#[cfg(test)]
mod tests;
