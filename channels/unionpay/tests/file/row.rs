//! Rows of reconciliation files as UnionPay makes them, for tests and benchmarks.

pub(crate) const MERCHANT: &str = "700000000000001";
pub(crate) const TRADES: &str = "INN25030188ZM_700000000000001";

/// An ordinary transaction.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) code: &'static str,
    pub(crate) trace: String,
    pub(crate) sent_at: String,
    pub(crate) amount: String,
    pub(crate) query_id: String,
    pub(crate) order_id: String,
    pub(crate) card_type: &'static str,
    pub(crate) original_trace: &'static str,
    pub(crate) original_sent_at: &'static str,
    pub(crate) fee: String,
    pub(crate) settled: String,
    pub(crate) txn_type: &'static str,
    pub(crate) txn_sub_type: &'static str,
    pub(crate) original_query_id: &'static str,
    pub(crate) mer_id: &'static str,
    pub(crate) echo: String,
    pub(crate) coupon: String,
    pub(crate) original_order_id: &'static str,
}

/// The first row of vector 8: a consume.
pub(crate) fn payment() -> Row {
    Row {
        code: "S56",
        trace: "000001".to_owned(),
        sent_at: "0301123456".to_owned(),
        amount: "000000001280".to_owned(),
        query_id: "102503011234560000018".to_owned(),
        order_id: "MCP20250301123456000001".to_owned(),
        card_type: "01",
        original_trace: "",
        original_sent_at: "",
        fee: "D000000000008".to_owned(),
        settled: "C000000001272".to_owned(),
        txn_type: "01",
        txn_sub_type: "01",
        original_query_id: "",
        mer_id: MERCHANT,
        echo: "c2hvcD0wMDE3".to_owned(),
        coupon: " 000000000000".to_owned(),
        original_order_id: "",
    }
}

/// The second row of vector 8: a refund of it, in the newer layout.
pub(crate) fn refund() -> Row {
    Row {
        code: "XXX",
        trace: "000002".to_owned(),
        sent_at: "0301150000".to_owned(),
        amount: "000000000300".to_owned(),
        query_id: "102503011500000000028".to_owned(),
        order_id: "MCR20250301150000000001".to_owned(),
        original_trace: "000001",
        original_sent_at: "0301123456",
        fee: "C000000000002".to_owned(),
        settled: "D000000000298".to_owned(),
        txn_type: "04",
        txn_sub_type: "00",
        original_query_id: "102503011234560000018",
        echo: String::new(),
        original_order_id: "MCP20250301123456000001",
        ..payment()
    }
}

impl Row {
    /// The row's bytes, without an end of line.
    pub(crate) fn line(&self) -> Vec<u8> {
        let columns: [(usize, &str); 42] = [
            (3, self.code),
            (11, "88022900"),
            (11, "00049993"),
            (6, &self.trace),
            (10, &self.sent_at),
            (19, "621626******0018"),
            (12, &self.amount),
            (4, "5411"),
            (2, "07"),
            (21, &self.query_id),
            (2, "01"),
            (32, &self.order_id),
            (2, self.card_type),
            (6, self.original_trace),
            (10, self.original_sent_at),
            (13, &self.fee),
            (13, &self.settled),
            (4, "0001"),
            (15, ""),
            (2, self.txn_type),
            (2, self.txn_sub_type),
            (6, "000902"),
            (2, ""),
            (4, ""),
            (32, ""),
            (1, ""),
            (21, self.original_query_id),
            (15, self.mer_id),
            (1, ""),
            (15, "000000000000000"),
            (32, ""),
            (13, " 000000000000"),
            (13, &self.settled),
            (8, "01080209"),
            (32, &self.echo),
            (13, &self.coupon),
            (13, " 000000000000"),
            (12, " 00000000000"),
            (2, ""),
            (1, "7"),
            (32, self.original_order_id),
            (98, ""),
        ];
        columns
            .map(|(width, text)| format!("{text:width$}"))
            .join(" ")
            .into_bytes()
    }
}

/// A chargeback of so many fen.
pub(crate) fn error_line(amount: &str) -> Vec<u8> {
    let columns: [(usize, &str); 22] = [
        (3, "E74"),
        (11, "88022900"),
        (11, "00049993"),
        (6, "000009"),
        (10, "0301160000"),
        (19, "621626******0018"),
        (12, amount),
        (4, "5411"),
        (2, "07"),
        (2, "01"),
        (6, "000001"),
        (10, "0228123456"),
        (4, "4508"),
        (12, "000000000000"),
        (13, "C000000000003"),
        (13, "D000000000497"),
        (15, ""),
        (15, MERCHANT),
        (1, ""),
        (12, " 00000000000"),
        (2, ""),
        (135, ""),
    ];
    columns
        .map(|(width, text)| format!("{text:width$}"))
        .join(" ")
        .into_bytes()
}

/// Lines with their ends.
pub(crate) fn text(lines: &[Vec<u8>]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| [line.as_slice(), b"\r\n"].concat())
        .collect()
}
