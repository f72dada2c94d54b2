//! The archive of a bill: two texts in GBK, under names in GBK (alipay reference, 6.2).

use std::io::{Cursor, Write};

use encoding_rs::GBK;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::account::Account;
use super::bill::BillType;
use super::bill_period::Period;
use super::bill_row::Row;
use super::{bill_statement, bill_trade};

/// Everything that a bill is made of.
pub(super) struct Bill<'a> {
    pub(super) account: &'a Account,
    pub(super) period: &'a Period,
    pub(super) rows: &'a [Row],
    /// What lay on the account when the period began, in fen.
    pub(super) opening_fen: i128,
    /// When it was fetched, Unix milliseconds.
    pub(super) exported_ms: i64,
    /// Whether its detail breaks off in the middle of a row.
    pub(super) is_cut: bool,
}

/// The archive as it is downloaded; `None` when it cannot be packed.
pub(super) fn archive(bill: &Bill<'_>, bill_type: BillType) -> Option<Vec<u8>> {
    let (word, detail, summary) = match bill_type {
        BillType::Trade => ("业务", bill_trade::detail(bill), bill_trade::summary(bill)),
        BillType::SignCustomer => ("账务", bill_statement::detail(bill), bill_statement::summary(bill)),
    };
    let detail = if bill.is_cut { cut(detail) } else { detail };
    let name = format!("{}_{}", bill.account.bill_account(), bill.period.compact());
    let entries = [
        (format!("{name}_{word}明细.csv"), detail),
        (format!("{name}_{word}明细(汇总).csv"), summary),
    ];
    pack(&entries).ok()
}

/// Breaks off in the middle of the last row, or of what stands there when there is none.
fn cut(lines: Vec<String>) -> Vec<String> {
    let last = lines
        .iter()
        .rposition(|line| !line.starts_with('#'))
        .unwrap_or(lines.len() / 2);
    let mut kept: Vec<String> = lines.into_iter().take(last + 1).collect();
    if let Some(line) = kept.last_mut() {
        *line = line.chars().take(line.chars().count() / 2).collect();
    }
    kept
}

fn pack(entries: &[(String, Vec<String>)]) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, lines) in entries {
        // The names are GBK without the mark for UTF-8, so that readers who do not know see nonsense.
        let raw_name = gbk(name);
        zip.start_file_with_options(SimpleFileOptions::default().name(&raw_name))?;
        let text = lines.join("\r\n");
        zip.write_all(&gbk(&text))?;
        if !text.is_empty() && lines.last().is_some_and(|line| line.starts_with('#')) {
            zip.write_all(b"\r\n")?;
        }
    }
    Ok(zip.finish()?.into_inner())
}

/// The text in GBK; what GBK does not know becomes a question mark.
pub(super) fn gbk(text: &str) -> Vec<u8> {
    let (whole, _, is_lossy) = GBK.encode(text);
    if !is_lossy {
        return whole.into_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut buffer = [0; 4];
    for character in text.chars() {
        let (encoded, _, is_unknown) = GBK.encode(character.encode_utf8(&mut buffer));
        bytes.extend_from_slice(if is_unknown { b"?" } else { &encoded });
    }
    bytes
}

/// One field as a text: most of them end with a tab, and a line break would end the row.
pub(super) fn text(value: &str) -> String {
    format!("{}\t", plain(value))
}

/// One field as a bare text.
pub(super) fn plain(value: &str) -> String {
    value.replace(['\r', '\n', '\t'], " ")
}

/// An amount with its sign, in yuan.
pub(super) fn signed_yuan(fen: i128) -> String {
    let magnitude = fen.unsigned_abs();
    let sign = if fen < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", magnitude / 100, magnitude % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gbk_does_not_know_becomes_a_question_mark() {
        assert_eq!(gbk("地铁🚇1"), [0xb5, 0xd8, 0xcc, 0xfa, b'?', b'1']);
        assert_eq!(text("a\r\nb"), "a  b\t");
    }

    #[test]
    fn amounts_carry_their_sign_and_zero_has_none() {
        assert_eq!([-2, 0, 450].map(signed_yuan), ["-0.02", "0.00", "4.50"]);
    }
}
