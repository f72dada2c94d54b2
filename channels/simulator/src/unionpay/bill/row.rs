//! One transaction in the file ZM: 41 or 42 columns, 607 bytes (unionpay reference, 6.3).

use super::columns::Columns;

/// What the sample calls a payment in the first column; the names of the others are not known.
const PAYMENT_CODE: &str = "S56";
const OTHER_CODE: &str = "XXX";
/// The agency and the sender that stand in the sample.
const AGENCY: &str = "88022900";
const SENDER: &str = "00049993";
/// Terminal and trade of merchants that name none.
const USUAL_TERMINAL: &str = "01080209";
const USUAL_TRADE: &str = "5411";
const NO_SECOND_MERCHANT: &str = "000000000000000";

/// A transaction of the day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) trace_no: String,
    /// MMDDhhmmss.
    pub(super) time: String,
    /// The card, masked.
    pub(super) card: String,
    pub(super) amount_fen: u64,
    pub(super) trade: String,
    /// The channelType.
    pub(super) terminal_type: String,
    pub(super) query_id: String,
    pub(super) order_id: String,
    pub(super) fee_fen: u64,
    pub(super) txn_type: String,
    pub(super) txn_sub_type: String,
    pub(super) biz_type: String,
    pub(super) mer_id: String,
    pub(super) sub_mer_id: String,
    pub(super) sub_mer_abbr: String,
    pub(super) term_id: String,
    pub(super) req_reserved: String,
    pub(super) discount_fen: u64,
    /// Undos and refunds: the payment.
    pub(super) original: Option<Original>,
}

/// The payment that an undo or a refund gives back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Original {
    pub(super) trace_no: String,
    /// MMDDhhmmss.
    pub(super) time: String,
    pub(super) query_id: String,
    pub(super) order_id: String,
}

impl Row {
    /// Whether the merchant is paid; undos and refunds take from him, and give him their fee back.
    pub(super) fn pays_merchant(&self) -> bool {
        self.txn_type == "01"
    }

    /// What the merchant gets of a payment, or gives with an undo or refund.
    pub(super) fn net_fen(&self) -> u64 {
        self.amount_fen.saturating_sub(self.fee_fen)
    }

    /// The line. Older files have one reserved column of 131 bytes at the end.
    pub(super) fn line(&self, old_layout: bool) -> Vec<u8> {
        let (code, net, fee) = if self.pays_merchant() {
            (PAYMENT_CODE, 'C', 'D')
        } else {
            (OTHER_CODE, 'D', 'C')
        };
        let or = |text: &str, usual: &str| if text.is_empty() { usual } else { text }.to_owned();
        let original = self.original.clone().unwrap_or_default();
        let discount = match (self.discount_fen, net) {
            (0, _) => ' ',
            (_, direction) => direction,
        };
        let columns = Columns::default()
            .text(3, code)
            .text(11, AGENCY)
            .text(11, SENDER)
            .text(6, &self.trace_no)
            .text(10, &self.time)
            .text(19, &self.card)
            .number(12, self.amount_fen)
            .text(4, &or(&self.trade, USUAL_TRADE))
            .text(2, &self.terminal_type)
            .text(21, &self.query_id)
            .text(2, "01")
            .text(32, &self.order_id)
            .text(2, "01")
            .text(6, &original.trace_no)
            .text(10, &original.time)
            .directed(13, fee, self.fee_fen)
            .directed(13, net, self.net_fen())
            .text(4, "0001")
            .text(15, "")
            .text(2, &self.txn_type)
            .text(2, &self.txn_sub_type)
            .text(6, &self.biz_type)
            .text(2, "")
            .text(4, "")
            .text(32, "")
            .text(1, "")
            .text(21, &original.query_id)
            .text(15, &self.mer_id)
            .text(1, "")
            .text(15, &or(&self.sub_mer_id, NO_SECOND_MERCHANT))
            .text(32, &self.sub_mer_abbr)
            .directed(13, ' ', 0)
            .directed(13, net, self.net_fen())
            .text(8, &or(&self.term_id, USUAL_TERMINAL))
            .text(32, &self.req_reserved)
            .directed(13, discount, self.discount_fen)
            .directed(13, ' ', 0)
            .directed(12, ' ', 0)
            .text(2, "")
            .text(1, "7");
        if old_layout {
            columns.text(131, "").line()
        } else {
            columns.text(32, &original.order_id).text(98, "").line()
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The two transactions of vector V8.
    pub(in super::super) fn vector() -> [Row; 2] {
        let payment = Row {
            trace_no: "000001".to_owned(),
            time: "0301123456".to_owned(),
            card: "621626******0018".to_owned(),
            amount_fen: 1280,
            terminal_type: "07".to_owned(),
            query_id: "102503011234560000018".to_owned(),
            order_id: "MCP20250301123456000001".to_owned(),
            fee_fen: 8,
            txn_type: "01".to_owned(),
            txn_sub_type: "01".to_owned(),
            biz_type: "000902".to_owned(),
            mer_id: "700000000000001".to_owned(),
            req_reserved: "c2hvcD0wMDE3".to_owned(),
            ..Row::default()
        };
        let refund = Row {
            trace_no: "000002".to_owned(),
            time: "0301150000".to_owned(),
            amount_fen: 300,
            query_id: "102503011500000000028".to_owned(),
            order_id: "MCR20250301150000000001".to_owned(),
            fee_fen: 2,
            txn_type: "04".to_owned(),
            txn_sub_type: "00".to_owned(),
            req_reserved: String::new(),
            original: Some(Original {
                trace_no: payment.trace_no.clone(),
                time: payment.time.clone(),
                query_id: payment.query_id.clone(),
                order_id: payment.order_id.clone(),
            }),
            ..payment.clone()
        };
        [payment, refund]
    }

    #[test]
    fn every_line_has_607_bytes_and_its_end_in_both_layouts() {
        let mut row = vector()[1].clone();
        row.sub_mer_abbr = "地铁站便利店".to_owned();
        row.discount_fen = 100;
        for old_layout in [false, true] {
            let line = row.line(old_layout);
            assert_eq!(line.len(), 609);
            assert!(line.ends_with(b"\r\n"));
            assert_eq!(&line[430..443], b"D000000000100");
            assert_eq!(
                &line[476..499] == row.original.as_ref().unwrap().order_id.as_bytes(),
                !old_layout
            );
        }
    }
}
