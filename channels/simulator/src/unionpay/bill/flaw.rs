//! What the fault script makes wrong in a file.

use super::row::{Original, Row};
use crate::fault::{Effect, fillers};

/// Plays the effects on single rows.
pub(super) fn in_rows(effects: &[Effect], rows: &mut Vec<Row>, mer_id: &str) {
    for effect in effects {
        match effect {
            Effect::BillEmpty => rows.clear(),
            Effect::BillDoubled => *rows = rows.iter().flat_map(|row| [row.clone(), row.clone()]).collect(),
            Effect::BillRowMissing { order_no } => rows.retain(|row| row.order_id != *order_no),
            Effect::BillRowExtra { order_no, fen } => rows.push(never_was(rows, mer_id, order_no, *fen)),
            Effect::BillLong { rows: more } => {
                // A file has a million letters at most; only rows that are alike shrink so far.
                let no = fillers(1).collect::<String>();
                let alike = never_was(rows, mer_id, &no, 1);
                rows.extend((0..*more).map(|_| alike.clone()));
            }
            Effect::BillRowAmount { order_no, fen } => change(rows, order_no, |row| row.amount_fen = *fen),
            Effect::BillRowFee { order_no, fen } => change(rows, order_no, |row| row.fee_fen = *fen),
            Effect::BillRowState { order_no } => change(rows, order_no, turn),
            _ => {}
        }
    }
}

/// Cuts the text in the middle of its last row, when the script wants it.
pub(super) fn in_text(effects: &[Effect], lines: &mut Vec<u8>) {
    if effects.contains(&Effect::BillTruncated) {
        lines.truncate(lines.len().saturating_sub(300));
    }
}

fn change(rows: &mut [Row], order_no: &str, change: impl Fn(&mut Row)) {
    rows.iter_mut().filter(|row| row.order_id == order_no).for_each(change);
}

/// A file lists what succeeded and says what it was: a payment stands there as undone, anything else as a payment.
fn turn(row: &mut Row) {
    let (txn_type, txn_sub_type) = if row.pays_merchant() {
        ("31", "00")
    } else {
        ("01", "01")
    };
    txn_type.clone_into(&mut row.txn_type);
    txn_sub_type.clone_into(&mut row.txn_sub_type);
    row.original = (!row.pays_merchant()).then(|| Original {
        trace_no: row.trace_no.clone(),
        time: row.time.clone(),
        query_id: row.query_id.clone(),
        order_id: row.order_id.clone(),
    });
}

fn never_was(rows: &[Row], mer_id: &str, order_no: &str, fen: u64) -> Row {
    let time = rows.last().map_or("0101120000", |row| row.time.as_str());
    Row {
        trace_no: "999999".to_owned(),
        time: time.to_owned(),
        card: "621626******9999".to_owned(),
        amount_fen: fen,
        terminal_type: "07".to_owned(),
        query_id: format!("10{time}99999999999").chars().take(21).collect(),
        order_id: order_no.to_owned(),
        txn_type: "01".to_owned(),
        txn_sub_type: "01".to_owned(),
        biz_type: "000902".to_owned(),
        mer_id: mer_id.to_owned(),
        ..Row::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::vector;
    use super::*;

    fn flawed(effect: Effect) -> Vec<Row> {
        let mut rows = vector().to_vec();
        in_rows(&[effect], &mut rows, "700000000000001");
        rows
    }

    #[test]
    fn each_flaw_is_played_on_the_row_it_names() {
        let payment = "MCP20250301123456000001".to_owned();
        let order_no = || payment.clone();
        assert_eq!(flawed(Effect::BillEmpty).len(), 0);
        assert_eq!(flawed(Effect::BillDoubled).len(), 4);
        let left = flawed(Effect::BillRowMissing { order_no: order_no() });
        assert_eq!((left.len(), left[0].txn_type.as_str()), (1, "04"));
        let extra = flawed(Effect::BillRowExtra {
            order_no: "NEVER0001".to_owned(),
            fen: 7,
        });
        assert_eq!((extra.len(), extra[2].amount_fen, extra[2].query_id.len()), (3, 7, 21));
        let other = flawed(Effect::BillRowAmount {
            order_no: order_no(),
            fen: 1281,
        });
        assert_eq!(
            (other[0].amount_fen, other[0].net_fen(), other[1].amount_fen),
            (1281, 1273, 300)
        );
        let other = flawed(Effect::BillRowFee {
            order_no: order_no(),
            fen: 9,
        });
        assert_eq!((other[0].fee_fen, other[0].net_fen()), (9, 1271));
        let turned = flawed(Effect::BillRowState { order_no: order_no() });
        assert_eq!(
            (turned[0].txn_type.as_str(), turned[0].original.is_some()),
            ("31", true)
        );
        let turned = flawed(Effect::BillRowState {
            order_no: "MCR20250301150000000001".to_owned(),
        });
        assert_eq!(
            (turned[1].txn_type.as_str(), turned[1].original.is_some()),
            ("01", false)
        );
    }

    #[test]
    fn a_truncated_text_ends_within_a_row() {
        let mut lines: Vec<u8> = vector().iter().flat_map(|row| row.line(false)).collect();
        in_text(&[Effect::BillTruncated], &mut lines);
        assert_eq!(lines.len(), 609 + 309);
    }
}
