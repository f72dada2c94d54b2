//! The table for people: every line of the play, then what it comes to. Plain text, the same on a terminal and in a file.

use std::fmt::Write;
use std::time::Duration;

use super::sheet::{Line, Sheet};

/// Columns that a cell takes at most; what is longer is cut here and told in full beneath the table.
const WHAT_MAX: usize = 36;
const EXPECTED_MAX: usize = 32;
const CAME_MAX: usize = 36;

/// One line as soon as it is there: short where all is well, in full where it is not.
pub(super) fn progress(line: &Line) -> String {
    let verdict = verdict(line);
    let mut text = format!(
        "{:<9} {}  {verdict:<6} {:>6}",
        line.part,
        padded(&line.what, WHAT_MAX),
        millis(line.took)
    );
    if !line.is_ok() {
        let _ = write!(
            text,
            "\n          expected  {}\n          came      {}",
            line.expected, line.came
        );
    }
    text
}

/// The whole table.
pub fn table(sheet: &Sheet) -> String {
    let lines = sheet.lines();
    let widest = |cell: fn(&Line) -> String, max: usize| {
        let widths = lines.iter().map(|line| width(&cell(line)).min(max));
        widths.max().unwrap_or(0)
    };
    let what = widest(|line| line.what.clone(), WHAT_MAX);
    let expected = widest(|line| line.expected.clone(), EXPECTED_MAX);
    let came = widest(came_of, CAME_MAX);
    let row = |cells: [&str; 6]| {
        format!(
            "{:<9} {}  {}  {}  {:<6} {:>6}\n",
            cells[0],
            padded(cells[1], what),
            padded(cells[2], expected),
            padded(cells[3], came),
            cells[4],
            cells[5]
        )
    };
    let head = row(["channel", "what", "expected", "came", "result", "ms"]);
    let rule = "-".repeat(width(head.trim_end_matches('\n')));
    let mut text = head;
    let mut before: Option<&Line> = None;
    for line in lines {
        if before.is_none_or(|before| before.part != line.part) {
            let _ = writeln!(text, "{rule}");
        } else if before.is_some_and(|before| before.chapter != line.chapter) {
            text.push('\n');
        }
        before = Some(line);
        let cells = [
            line.part,
            &line.what,
            &line.expected,
            &came_of(line),
            verdict(line),
            &millis(line.took),
        ];
        text.push_str(&row(cells));
    }
    let _ = writeln!(text, "{rule}");
    text.push_str(&failures(lines));
    text
}

/// What went otherwise, in full.
fn failures(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines.iter().filter(|line| !line.is_ok()) {
        let _ = writeln!(text, "\nFAILED    {}: {}", line.part, line.what);
        let _ = writeln!(text, "expected  {}", line.expected);
        let _ = writeln!(text, "came      {}", came_of(line));
    }
    text
}

fn verdict(line: &Line) -> &'static str {
    if line.is_ok() { "ok" } else { "FAILED" }
}

/// The words with their note.
fn came_of(line: &Line) -> String {
    if line.note.is_empty() {
        line.came.clone()
    } else {
        format!("{} ({})", line.came, line.note)
    }
}

fn millis(took: Duration) -> String {
    took.as_millis().to_string()
}

/// A cell of exactly this many columns.
fn padded(text: &str, columns: usize) -> String {
    let mut cell: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if width(&cell) > columns {
        while width(&cell) >= columns && cell.pop().is_some() {}
        cell.push('…');
    }
    let missing = columns.saturating_sub(width(&cell));
    cell.push_str(&" ".repeat(missing));
    cell
}

/// Columns that a text takes on a screen: Chinese and other wide letters take two.
fn width(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

const fn is_wide(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}')
}

#[cfg(test)]
mod tests {
    use super::super::sheet::Came;
    use super::*;

    #[test]
    fn a_cell_has_its_columns_whatever_is_in_it() {
        for text in [
            "",
            "ok",
            "支付成功",
            "a支付b",
            "line\nbreak",
            "longer than the cell is wide",
            "支付支付支付支付",
        ] {
            assert_eq!(width(&padded(text, 12)), 12, "{text}");
        }
        assert_eq!(padded("支付成功", 8), "支付成功");
        assert_eq!(padded("支付成功", 7), "支付成…");
        assert_eq!(padded("1234567", 6), "12345…");
    }

    #[tokio::test]
    async fn every_row_is_equally_wide_and_failures_are_told_in_full() {
        let mut sheet = Sheet::new(|_| {});
        let long = "x".repeat(200);
        sheet.begin("wechat");
        sheet
            .check("pay", "PAID", async { Ok(Came::words("PAID").note("7 ms")) })
            .await;
        sheet.chapter("another");
        sheet
            .check("付款", "PAID", async { Ok(Came::words(long.clone())) })
            .await;
        let text = table(&sheet);
        let (rows, told) = text.split_once("\nFAILED").unwrap();
        let rows: Vec<&str> = rows.lines().filter(|row| !row.is_empty()).collect();
        assert_eq!(rows.len(), 5, "head, two rules and two lines: {rows:#?}");
        assert!(rows.iter().all(|row| width(row) == width(rows[0])), "{rows:#?}");
        assert!(told.contains(&long) && told.contains("付款"), "{told}");
        assert!(!told.contains("7 ms"));
        assert!(rows[2].contains("PAID (7 ms)"));
    }
}
