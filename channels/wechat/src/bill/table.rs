//! The form that both bills have: a header, rows whose cells begin with a backtick, and a summary of one row (wechat
//! reference, 6.2 and 6.4).

use std::io::Read;
use std::ops::Range;

use metropay_core::channel::BillError;

use super::file::Lines;
use super::unreadable;

/// A line of column names.
pub(super) struct Header {
    names: Vec<String>,
}

/// Where a column stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column(usize);

impl Header {
    fn read(line: &str) -> Self {
        let name = |text: &str| text.trim().replace('（', "(").replace('）', ")");
        Self {
            names: line.trim_start_matches('\u{feff}').split(',').map(name).collect(),
        }
    }

    /// The column that has one of these names, in the order of the names.
    pub(super) fn find(&self, names: &[&str]) -> Option<Column> {
        let position = |name: &&str| self.names.iter().position(|column| column == name).map(Column);
        names.iter().find_map(position)
    }

    /// The same for a column that there must be.
    ///
    /// # Errors
    /// [`BillError::Unreadable`] when it is missing.
    pub(super) fn need(&self, names: &[&str]) -> Result<Column, BillError> {
        match self.find(names) {
            Some(column) => Ok(column),
            None => unreadable(format!("the column {} is missing", names.first().unwrap_or(&""))),
        }
    }
}

/// The cells of a row.
pub(super) struct Cells<'a> {
    cells: Vec<&'a str>,
    columns: usize,
    free: Range<usize>,
}

impl<'a> Cells<'a> {
    /// A cell. Where a row has more cells than columns, a text that anybody may have written (the name of goods) holds the
    /// separator: what stands behind it is counted from the end, so that such a text cannot move an amount.
    pub(super) fn get(&self, column: Column) -> &'a str {
        let Column(index) = column;
        let from_end = index >= self.free.end;
        let surplus = self.cells.len().saturating_sub(self.columns);
        let index = if from_end { index.saturating_add(surplus) } else { index };
        self.cells.get(index).copied().unwrap_or_default().trim()
    }

    /// A cell that may be missing, empty or `0`, which here means that there is none.
    pub(super) fn number(&self, column: Option<Column>) -> Option<&'a str> {
        let text = self.get(column?);
        (!text.is_empty() && text != "0").then_some(text)
    }
}

/// A kind of bill.
pub(super) trait Bill {
    /// The first column of the summary.
    const SUMMARY: &'static str;

    /// Columns with texts that others have written.
    const FREE: &'static [&'static str];

    /// Takes a row; `false` when nobody wants rows any more.
    fn row(&mut self, cells: &Cells<'_>) -> Result<bool, BillError>;

    /// Compares the summary with the rows that were read.
    fn summary(&self, header: &Header, cells: &Cells<'_>) -> Result<(), BillError>;
}

/// Reads a whole bill. `begin` finds the columns.
///
/// # Errors
/// [`BillError::Unreadable`] when it is not whole or not of this form.
pub(super) fn read<R: Read, B: Bill>(
    mut lines: Lines<R>,
    begin: impl FnOnce(&Header) -> Result<B, BillError>,
) -> Result<(), BillError> {
    let header = match lines.next()? {
        Some(line) => Header::read(line),
        None => return unreadable("it is empty"),
    };
    let mut bill = begin(&header)?;
    let free = free::<B>(&header);
    let summary = loop {
        match lines.next()? {
            Some(line) if line.starts_with('`') => {
                if !bill.row(&cells(line, header.names.len(), free.clone())?)? {
                    return Ok(());
                }
            }
            Some(line) if line.starts_with(B::SUMMARY) => break Header::read(line),
            Some(_) => return unreadable("a line is neither a row nor the summary"),
            None => return unreadable("it ends without its summary"),
        }
    };
    let Some(line) = lines.next()? else {
        return unreadable("it ends without its totals");
    };
    let columns = summary.names.len();
    bill.summary(&summary, &cells(line, columns, columns..columns)?)?;
    while let Some(line) = lines.next()? {
        if !line.trim().is_empty() {
            return unreadable("something follows the totals");
        }
    }
    Ok(())
}

/// The columns in the middle that may hold any text; behind everything where there is none.
fn free<B: Bill>(header: &Header) -> Range<usize> {
    let columns = header.names.len();
    let all = B::FREE.iter().filter_map(|name| header.find(&[name]));
    let (first, last) = all.fold(
        (columns, None),
        |(first, last): (usize, Option<usize>), Column(index)| (first.min(index), last.max(Some(index))),
    );
    first..last.map_or(columns, |last| last.saturating_add(1))
}

fn cells(line: &str, columns: usize, free: Range<usize>) -> Result<Cells<'_>, BillError> {
    let Some(line) = line.strip_prefix('`') else {
        return unreadable("a row does not begin with its mark");
    };
    let cells: Vec<&str> = line.split(",`").collect();
    if cells.len() < columns || (cells.len() > columns && free.is_empty()) {
        return unreadable(format!("a row has {} cells for {columns} columns", cells.len()));
    }
    Ok(Cells { cells, columns, free })
}
