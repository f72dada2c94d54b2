//! The archive that a bill comes in: a detail and a summary, under names in GBK (alipay reference, 6.2).

use std::io::{BufRead, BufReader, Error, Read, Seek};

use encoding_rs::GB18030;
use metropay_core::channel::BillError;
use zip::ZipArchive;

use super::detail::{self, Expected, Sheet};
use super::summary::Summary;
use super::unreadable;

/// How many entries an archive may have.
const ENTRIES_MAX: usize = 16;

/// How long an unpacked text may be, in bytes: an archive that is a trap has no end.
const TEXT_MAX: u64 = 16 << 30;

/// Reads ahead by so much.
const BUFFER: usize = 64 << 10;

/// Hands over the rows of an archive.
///
/// # Errors
/// [`BillError::Unreadable`] when it is no archive of this kind of bill, or its texts are not what they should be.
pub(crate) fn read<S: Sheet, R: Read + Seek>(
    file: R,
    expected: &Expected,
    hand_over: &mut dyn FnMut(S::Row) -> bool,
) -> Result<(), BillError> {
    let mut archive = ZipArchive::new(file).map_err(|error| unreadable(format!("it is no archive: {error}")))?;
    let (details, summaries) = sorted(&mut archive)?;
    let ([detail], [] | [_]) = (details.as_slice(), summaries.as_slice()) else {
        return Err(unreadable("the archive holds not one detail and one summary"));
    };
    let summary = match summaries.first() {
        Some(place) => Summary::read(text(&mut archive, *place)?, S::SUMMARY)?,
        None => None,
    };
    detail::read::<S>(text(&mut archive, *detail)?, summary.as_ref(), expected, hand_over)
}

/// Which entries are details and which are summaries: by their names, and where those cannot be read, by their first lines.
fn sorted<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<(Vec<usize>, Vec<usize>), BillError> {
    if archive.len() > ENTRIES_MAX {
        return Err(unreadable("the archive holds too many files"));
    }
    let (mut details, mut summaries) = (Vec::new(), Vec::new());
    for place in 0..archive.len() {
        let entry = archive.by_index_raw(place).map_err(|error| broken(&error))?;
        if entry.is_dir() {
            continue;
        }
        let raw = entry.name_raw().to_vec();
        drop(entry);
        let name = match std::str::from_utf8(&raw) {
            Ok(name) => name.to_owned(),
            Err(_) => GB18030.decode_without_bom_handling(&raw).0.into_owned(),
        };
        let of = |text: &str| match (text.contains("汇总"), text.contains("明细")) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        };
        let is_summary = match of(&name) {
            Some(is_summary) => is_summary,
            None => of(&first_line(archive, place)?).unwrap_or(false),
        };
        if is_summary { &mut summaries } else { &mut details }.push(place);
    }
    Ok((details, summaries))
}

fn first_line<R: Read + Seek>(archive: &mut ZipArchive<R>, place: usize) -> Result<String, BillError> {
    let mut bytes = Vec::new();
    let mut start = text(archive, place)?.take(1 << 10);
    start.read_until(b'\n', &mut bytes).map_err(|error| broken(&error))?;
    Ok(GB18030.decode_without_bom_handling(&bytes).0.into_owned())
}

/// An entry, unpacked as it is read. Its checksum is compared at its end.
fn text<R: Read + Seek>(archive: &mut ZipArchive<R>, place: usize) -> Result<impl BufRead, BillError> {
    let entry = archive.by_index(place).map_err(|error| broken(&error))?;
    Ok(BufReader::with_capacity(BUFFER, Bounded { entry, left: TEXT_MAX }))
}

fn broken(error: &dyn std::error::Error) -> BillError {
    unreadable(format!("the archive is broken: {error}"))
}

/// Fails where a text is too long, instead of ending it.
struct Bounded<R> {
    entry: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.entry.read(buffer)?;
        let left = u64::try_from(read).ok().and_then(|read| self.left.checked_sub(read));
        self.left = left.ok_or_else(|| Error::other("the unpacked text is too long"))?;
        Ok(read)
    }
}
