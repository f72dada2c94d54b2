//! A day's bill: a signed answer names the file, its rows and its SHA-256; the file is comma-separated text.

use std::io::{BufRead, BufReader, Read};

use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};
use metropay_core::channel::{BillError, BillRow, BillRowKind, BillRowState, Bills, FundRow, Rows, read_rows};
use metropay_core::clock::{Day, Time};
use metropay_core::money::Fen;
use metropay_outbound::Request;
use serde::Serialize;

use crate::Ecny;
use crate::answer::BillFile;

/// How large a bill may be, in bytes.
const FILE_MAX: u64 = 4 << 30;
/// How long a line may be, in bytes.
const LINE_MAX: u64 = 4_096;
/// Columns of a line.
const COLUMNS: usize = 8;

#[derive(Serialize)]
struct Wish<'a> {
    day: &'a str,
}

#[async_trait]
impl Bills for Ecny {
    async fn trades(&self, day: Day) -> Result<Rows<BillRow>, BillError> {
        let day = day.to_string();
        let said = self.gate.ask("/v1/bill", &Wish { day: &day }).await?;
        match said.code.as_str() {
            "OK" => {}
            "BILL_NOT_READY" => return Err(BillError::NotReady),
            _ => return Err(BillError::Call(said.doubt())),
        }
        let bill = said
            .bill
            .filter(|bill| bill.day == day && bill.path.starts_with("/v1/bill/"));
        let bill = bill.ok_or_else(|| unreadable("the answer names no bill of this day"))?;
        let url = format!("{}{}", self.gate.account.base_url, bill.path);
        let download = self
            .gate
            .outbound
            .download(Request::get(url, self.gate.account.bill_timeout), FILE_MAX)
            .await?;
        if !download.status.is_success() {
            return Err(unreadable("the file is not there"));
        }
        Ok(read_rows(move |hand_over| read(download.file, &bill, hand_over)))
    }

    async fn funds(&self, _: Day) -> Result<Option<Rows<FundRow>>, BillError> {
        Ok(None)
    }
}

fn unreadable(what: &str) -> BillError {
    BillError::Unreadable(what.to_owned())
}

/// Hands over the rows as they are read; whether they may be used, the end tells.
pub(crate) fn read(
    file: impl Read,
    bill: &BillFile,
    hand_over: &mut dyn FnMut(BillRow) -> bool,
) -> Result<(), BillError> {
    let mut reader = BufReader::new(file);
    let (mut digest, mut rows, mut line) = (Context::new(&SHA256), 0_u64, Vec::new());
    loop {
        line.clear();
        // A file without line ends must not fill the memory.
        let length = reader
            .by_ref()
            .take(LINE_MAX)
            .read_until(b'\n', &mut line)
            .map_err(|_| unreadable("the file"))?;
        if length == 0 {
            break;
        }
        digest.update(&line);
        let row = row(&line).ok_or_else(|| unreadable(&format!("line {}", rows.saturating_add(1))))?;
        rows = rows.saturating_add(1);
        if !hand_over(row) {
            return Ok(());
        }
    }
    if rows != bill.rows || hex::encode(digest.finish()) != bill.sha256 {
        return Err(unreadable("the file is not the one that was named"));
    }
    Ok(())
}

/// A line: kind, state, number, payment's number, e-CNY's number, amount and fee in yuan, time in milliseconds.
fn row(line: &[u8]) -> Option<BillRow> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let columns: Vec<&str> = text.split(',').collect();
    let [kind, state, no, payment_no, ecny_no, amount, fee, at] = <[&str; COLUMNS]>::try_from(columns).ok()?;
    let fee = i64::try_from(Fen::from_yuan(fee).ok()?.get()).ok()?;
    Some(BillRow {
        kind: match kind {
            "PAY" => BillRowKind::Payment,
            "BACK" => BillRowKind::Refund,
            _ => BillRowKind::Other,
        },
        state: match state {
            "DONE" => BillRowState::Done,
            "WAITING" => BillRowState::Pending,
            "FAILED" => BillRowState::Failed,
            _ => return None,
        },
        no: Some(no.to_owned()),
        payment_no: payment_no.to_owned(),
        channel_no: ecny_no.to_owned(),
        movement_no: None,
        amount: Fen::from_yuan(amount).ok()?,
        coupon: Fen::ZERO,
        fee_milli_fen: fee.checked_mul(1_000)?,
        at: Time(at.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_whole_or_not_at_all() {
        let line = b"PAY,DONE,P1,P1,9000000000000001,12.34,0.07,1795838400000\n";
        let row = row(line).unwrap();
        assert_eq!(
            (row.amount, row.fee_milli_fen, row.at),
            (Fen::new(1_234).unwrap(), 7_000, Time(1_795_838_400_000))
        );
        for bad in [
            &b"PAY,DONE,P1,P1,9,12.34,0.07,1795838400000"[..],
            b"PAY,DONE,P1,P1,9,12.345,0.07,1\n",
            b"PAY,DONE,P1,P1,9,12.34,0.07\n",
            b"PAY,LOST,P1,P1,9,12.34,0.07,1\n",
            b"PAY,DONE,P1,P1,9,1e2,0.07,1\n",
            b"\xff\n",
        ] {
            assert_eq!(super::row(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn a_file_without_line_ends_is_refused_at_its_beginning() {
        let bill = BillFile {
            day: "20250301".to_owned(),
            path: String::new(),
            rows: 1,
            sha256: String::new(),
        };
        let mut endless = std::io::repeat(b'9').take(1 << 30);
        let read = read(&mut endless, &bill, &mut |_| true);
        assert_eq!(read, Err(unreadable("line 1")));
        assert!(endless.limit() > (1 << 30) - (1 << 20), "it was read to its end");
    }
}
