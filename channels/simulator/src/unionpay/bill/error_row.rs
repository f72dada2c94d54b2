//! One adjustment in the file ZME: 22 columns, 339 bytes (unionpay reference, 6.4).

use serde::{Deserialize, Serialize};

use super::columns::Columns;

/// Money that goes back to a payer without the merchant having asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Adjustment {
    pub(in super::super) mer_id: String,
    /// The clearing day, `YYYY-MM-DD`.
    pub(in super::super) day: String,
    pub(in super::super) trace_no: String,
    /// MMDDhhmmss.
    pub(in super::super) time: String,
    pub(in super::super) card: String,
    pub(in super::super) amount_fen: u64,
    pub(in super::super) fee_fen: u64,
    /// Four digits.
    pub(in super::super) reason: String,
    pub(in super::super) original_trace_no: String,
    pub(in super::super) original_time: String,
}

impl Adjustment {
    pub(super) fn line(&self) -> Vec<u8> {
        Columns::default()
            .text(3, "E74")
            .text(11, "88022900")
            .text(11, "00049993")
            .text(6, &self.trace_no)
            .text(10, &self.time)
            .text(19, &self.card)
            .number(12, self.amount_fen)
            .text(4, "5411")
            .text(2, "07")
            .text(2, "01")
            .text(6, &self.original_trace_no)
            .text(10, &self.original_time)
            .text(4, &self.reason)
            .number(12, 0)
            .directed(13, 'C', self.fee_fen)
            .directed(13, 'D', self.amount_fen.saturating_sub(self.fee_fen))
            .text(15, "")
            .text(15, &self.mer_id)
            .text(1, "")
            .number(12, 0)
            .text(2, "")
            .text(135, "")
            .line()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_339_bytes_and_its_end() {
        let adjustment = Adjustment {
            mer_id: "700000000000001".to_owned(),
            day: "2025-03-01".to_owned(),
            trace_no: "000009".to_owned(),
            time: "0302100000".to_owned(),
            card: "621626******0018".to_owned(),
            amount_fen: 500,
            fee_fen: 3,
            reason: "4515".to_owned(),
            original_trace_no: "000001".to_owned(),
            original_time: "0301123456".to_owned(),
        };
        let line = adjustment.line();
        assert_eq!(line.len(), 341);
        let text = String::from_utf8(line).unwrap();
        assert!(
            text.contains(" 4515 000000000000 C000000000003 D000000000497 "),
            "{text}"
        );
    }
}
