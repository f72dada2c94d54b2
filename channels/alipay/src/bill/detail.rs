//! Walking the rows of a bill, and holding it to its own account, date and totals (alipay reference, 6.3).

use std::io::BufRead;

use metropay_core::channel::BillError;
use metropay_core::clock::{Day, Time};

use super::line::Lines;
use super::summary::Summary;
use super::table::{Columns, Fields};
use super::trailer::Trailer;
use super::unreadable;

/// Of whom and of when a bill must be.
#[derive(Debug)]
pub(crate) struct Expected {
    /// The day.
    pub(crate) day: Day,
    /// The merchant's PID, where it is known: the account's number begins with it.
    pub(crate) pid: Option<String>,
}

/// A kind of bill: its columns, its rows, its totals.
pub(crate) trait Sheet: Sized + Send + 'static {
    /// What a row becomes.
    type Row: Send + 'static;

    /// The summary's columns that are compared, in the order in which [`Sheet::agrees`] wants them.
    const SUMMARY: &'static [&'static str];

    /// Finds its columns.
    ///
    /// # Errors
    /// [`BillError::Unreadable`] naming one that is not there.
    fn new(columns: &Columns) -> Result<Self, BillError>;

    /// Reads a row and counts it.
    ///
    /// # Errors
    /// [`BillError::Unreadable`] when a figure or a date is none.
    fn row(&mut self, fields: &Fields<'_>) -> Result<Self::Row, BillError>;

    /// Compares with a line of totals; `None` when it is about something else.
    fn adds_up(&self, trailer: &Trailer) -> Option<bool>;

    /// Compares with the summary.
    fn agrees(&self, summary: &Summary) -> bool;
}

/// Hands over the rows of a detail file.
///
/// # Errors
/// [`BillError::Unreadable`] for a file of another account or day, one that breaks off, and one that does not add up.
pub(crate) fn read<S: Sheet>(
    reader: impl BufRead,
    summary: Option<&Summary>,
    expected: &Expected,
    hand_over: &mut dyn FnMut(S::Row) -> bool,
) -> Result<(), BillError> {
    let mut lines = Lines::new(reader);
    let mut sheet: Option<(Columns, S)> = None;
    let mut is_closed = false;
    let mut proofs: u32 = 0;
    while let Some(line) = lines.next()? {
        if line.starts_with('#') {
            is_closed |= line.contains("列表结束");
            check_head(line, expected)?;
            let trailer = Trailer::read(line);
            let adds_up = trailer.and_then(|trailer| sheet.as_ref().and_then(|(_, sheet)| sheet.adds_up(&trailer)));
            match adds_up {
                Some(true) => proofs = proofs.saturating_add(1),
                Some(false) => return Err(unreadable("the rows do not add up to the totals beneath them")),
                None => {}
            }
        } else if line.trim().is_empty() {
        } else if is_closed {
            return Err(unreadable("there are rows behind its end"));
        } else if let Some((columns, sheet)) = &mut sheet {
            let row = sheet.row(&columns.row(line)?)?;
            if !hand_over(row) {
                return Ok(());
            }
        } else {
            let columns = Columns::read(line)?;
            let new = S::new(&columns)?;
            sheet = Some((columns, new));
        }
    }
    let Some((_, sheet)) = sheet.filter(|_| is_closed) else {
        return Err(unreadable("it breaks off"));
    };
    match summary {
        Some(summary) if !sheet.agrees(summary) => Err(unreadable("the rows do not add up to the summary")),
        None if proofs == 0 => Err(unreadable("nothing in it proves that it is whole")),
        _ => Ok(()),
    }
}

/// Compares the lines that say whose bill it is and of when.
fn check_head(line: &str, expected: &Expected) -> Result<(), BillError> {
    let bracketed = || {
        line.split_once('[')
            .and_then(|(_, rest)| rest.split_once(']'))
            .map(|(text, _)| text.trim())
    };
    if line.starts_with("#账号") {
        let is_ours = |account: &str| {
            expected
                .pid
                .as_ref()
                .is_none_or(|pid| account.starts_with(pid.as_str()))
        };
        if !bracketed().is_some_and(is_ours) {
            return Err(unreadable("it is another account's"));
        }
    }
    if line.starts_with("#起始日期") {
        let begins = bracketed().and_then(|text| Time::parse_china(text, "%Y年%m月%d日 %H:%M:%S"));
        if begins != Some(expected.day.start()) {
            return Err(unreadable("it is another day's"));
        }
    }
    Ok(())
}
