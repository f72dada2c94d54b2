//! The summary beside a bill's rows: a table of its own, whose last row is the sum of all (alipay reference, 6.4 and 6.5).

use std::io::BufRead;

use metropay_core::channel::BillError;

use super::line::Lines;
use super::table::Columns;
use super::{decimal, unreadable};

/// How many rows a summary may have: one per store.
const ROWS_MAX: u64 = 1_000_000;

/// What the summary says of all rows together: a sum for each column that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Summary(Vec<i64>);

impl Summary {
    /// Reads a summary. `None` when it does not have these columns, or says nothing that is known in them.
    ///
    /// # Errors
    /// [`BillError::Unreadable`] when it breaks off.
    pub(super) fn read(reader: impl BufRead, columns: &[&str]) -> Result<Option<Self>, BillError> {
        let mut lines = Lines::new(reader);
        let mut places: Option<(Columns, Vec<usize>)> = None;
        let mut is_known = true;
        let mut is_closed = false;
        let mut rows: u64 = 0;
        let (mut sums, mut all) = (vec![0_i64; columns.len()], None);
        while let Some(line) = lines.next()? {
            if line.starts_with('#') {
                is_closed |= line.contains("列表结束");
                continue;
            }
            if line.trim().is_empty() || !is_known {
                continue;
            }
            let Some((header, places)) = &places else {
                let header = Columns::read(line)?;
                let found: Option<Vec<usize>> = columns.iter().map(|name| header.place(name)).collect();
                is_known = found.is_some();
                places = found.map(|found| (header, found));
                continue;
            };
            rows = rows.saturating_add(1);
            if rows > ROWS_MAX {
                return Err(unreadable("the summary has too many rows"));
            }
            let fields = header.row(line)?;
            let figures: Option<Vec<i64>> = places
                .iter()
                .map(|place| decimal::milli_fen(fields.text(*place)))
                .collect();
            let figures = figures.ok_or_else(|| unreadable("a figure of the summary is none"))?;
            if fields.text(0) == "合计" {
                all = Some(figures);
                continue;
            }
            for (sum, figure) in sums.iter_mut().zip(figures) {
                let more = sum.checked_add(figure);
                *sum = more.ok_or_else(|| unreadable("the figures of the summary are too large"))?;
            }
        }
        if !is_closed {
            return Err(unreadable("the summary breaks off"));
        }
        Ok((is_known && places.is_some()).then(|| Self(all.unwrap_or(sums))))
    }

    /// A number of rows, by the place of its column.
    pub(super) fn count(&self, place: usize) -> Option<u64> {
        let figure = self.0.get(place)?;
        u64::try_from(figure.checked_div(100_000)?).ok()
    }

    /// An amount in fen, by the place of its column.
    pub(super) fn fen(&self, place: usize) -> Option<i64> {
        self.0.get(place)?.checked_div(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Summary>, BillError> {
        let (bytes, ..) = encoding_rs::GB18030.encode(text);
        Summary::read(&*bytes, &["笔数", "金额(元)"])
    }

    const END: &str = "#----业务汇总列表结束----\r\n";

    #[test]
    fn the_last_row_is_the_sum_or_else_the_rows_are_added() {
        let with = format!("#业务汇总列表\r\n门店,笔数,金额（元）\r\nA\t,1,2.00\r\nB,2,3.50\r\n合计\t,3,5.50\r\n{END}");
        let without = with.replace("合计\t,3,5.50\r\n", "");
        for text in [with, without] {
            let summary = read(&text).unwrap().unwrap();
            assert_eq!((summary.count(0), summary.fen(1)), (Some(3), Some(550)), "{text}");
        }
    }

    #[test]
    fn other_columns_say_nothing_and_a_cut_summary_is_unreadable() {
        assert_eq!(read(&format!("门店,别的\r\nA,1\r\n{END}")), Ok(None));
        assert_eq!(read(END), Ok(None));
        for text in ["", "门店,笔数,金额（元）\r\nA,1,2.00\r\n"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&format!("门店,笔数,金额（元）\r\nA,许多,2.00\r\n{END}")).is_err());
    }
}
