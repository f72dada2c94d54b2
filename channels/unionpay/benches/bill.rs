//! A million rows of a reconciliation file: how fast they are read, and that memory stays flat.

use std::fs::{File, read_to_string};
use std::io::{Seek, SeekFrom, Write};
use std::time::Instant;

use metropay_channel_unionpay::bench;
use metropay_core::clock::Day;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

#[expect(dead_code, reason = "payments alone fill the file")]
#[path = "../tests/file/row.rs"]
mod row;

const ROWS: u32 = 1_000_000;

/// A zip of that many rows with a summary that agrees with them.
fn bill() -> File {
    let mut zip = ZipWriter::new(tempfile::tempfile().expect("a file"));
    let options = SimpleFileOptions::default().compression_level(Some(1)).large_file(true);
    zip.start_file(row::TRADES, options).expect("an entry");
    for n in 0..ROWS {
        let one = row::Row {
            order_id: format!("P20250301123456789{n:012}"),
            query_id: format!("1025030112345{n:08}"),
            ..row::payment()
        };
        zip.write_all(&row::text(&[one.line()])).expect("a row");
    }
    zip.start_file("RD201025030101_700000000000001", options)
        .expect("an entry");
    let summary = format!("{ROWS} {}.00 {}.00 {}.00", 12_800_000, 80_000, 12_720_000);
    zip.write_all(summary.as_bytes()).expect("a summary");
    let mut file = zip.finish().expect("a zip");
    file.seek(SeekFrom::Start(0)).expect("its beginning");
    file
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn main() {
    let zip = bill();
    let (before, begun, mut rows) = (peak(), Instant::now(), 0_u32);
    bench::rows(zip, row::MERCHANT, Day(20_250_301), &mut |read| {
        assert_eq!(read.amount.get(), 1_280);
        rows = rows.saturating_add(1);
        true
    })
    .expect("a readable file");
    let took = begun.elapsed();
    assert_eq!(rows, ROWS);
    let per_second = u128::from(rows)
        .saturating_mul(1_000)
        .checked_div(took.as_millis())
        .unwrap_or_default();
    println!(
        "{rows} rows in {took:?}: {per_second} rows a second; memory at most {before} KiB before and {} KiB after",
        peak()
    );
}
