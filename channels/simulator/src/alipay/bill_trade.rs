//! The bill of trades: detail and summary (alipay reference, 6.3 and 6.4).

use std::collections::BTreeMap;

use super::bill_file::{Bill, plain, signed_yuan, text};
use super::bill_row::Row;
use super::trade::moment;
use crate::clock;

const DETAIL_COLUMNS: &str = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,\
订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,\
卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注";

const SUMMARY_COLUMNS: &str = "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,\
卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）";

/// The lines of the detail.
pub(super) fn detail(bill: &Bill<'_>) -> Vec<String> {
    let mut lines = head(bill, "#支付宝业务明细查询", "业务明细列表");
    lines.push(DETAIL_COLUMNS.to_owned());
    let is_positive = bill.account.terms.bill_refund_positive;
    lines.extend(bill.rows.iter().map(|row| detail_row(row, is_positive)));
    lines.push(
        "#-----------------------------------------业务明细列表结束------------------------------------".to_owned(),
    );
    let sums = |is_payment: bool| {
        let rows = bill.rows.iter().filter(|row| row.is_payment == is_payment);
        rows.fold((0_u64, 0_i128, 0_i128), |(count, receipt, merchant), row| {
            (
                count + 1,
                receipt + signed(row, row.parts.receipt_fen(), false),
                merchant + signed(row, row.parts.merchant_fen, false),
            )
        })
    };
    let (count, receipt, merchant) = sums(true);
    lines.push(format!(
        "#交易合计：{count}笔，商家实收共{}元，商家优惠共{}元",
        signed_yuan(receipt),
        signed_yuan(merchant)
    ));
    let (count, receipt, merchant) = sums(false);
    lines.push(format!(
        "#退款合计：{count}笔，商家实收退款共{}元，商家优惠退款共{}元",
        signed_yuan(receipt),
        signed_yuan(merchant)
    ));
    lines.push(exported(bill));
    lines
}

/// The lines of the summary: one per store, then all together.
pub(super) fn summary(bill: &Bill<'_>) -> Vec<String> {
    let mut stores: BTreeMap<(&str, &str), Sums> = BTreeMap::new();
    let mut all = Sums::default();
    for row in bill.rows {
        stores.entry((&row.store_id, &row.store_name)).or_default().add(row);
        all.add(row);
    }
    let mut lines = head(bill, "#支付宝业务汇总查询", "业务汇总列表");
    lines.push(SUMMARY_COLUMNS.to_owned());
    for ((id, name), sums) in &stores {
        lines.push(sums.line(id, name));
    }
    lines.push(all.line("合计", ""));
    lines.push(
        "#-----------------------------------------业务汇总列表结束------------------------------------".to_owned(),
    );
    lines.push(exported(bill));
    lines
}

/// The lines before the columns.
pub(super) fn head(bill: &Bill<'_>, title: &str, list: &str) -> Vec<String> {
    vec![
        title.to_owned(),
        format!("#账号：[{}]", bill.account.bill_account()),
        bill.period.line(),
        format!("#-----------------------------------------{list}----------------------------------------"),
    ]
}

/// The line that says when the bill was fetched.
pub(super) fn exported(bill: &Bill<'_>) -> String {
    let time = clock::at(bill.exported_ms).format("%Y年%m月%d日 %H:%M:%S").to_string();
    format!("#导出时间：[{time}]")
}

/// An amount of a row: refunds with a minus, unless the merchant's bills have none.
fn signed(row: &Row, fen: u64, is_positive: bool) -> i128 {
    if row.is_payment || is_positive {
        i128::from(fen)
    } else {
        -i128::from(fen)
    }
}

/// The fee with its sign: taken with payments, returned with refunds.
fn fee(row: &Row) -> i128 {
    if row.is_payment {
        -i128::from(row.fee_fen)
    } else {
        i128::from(row.fee_fen)
    }
}

fn detail_row(row: &Row, is_positive: bool) -> String {
    let parts = row.parts;
    let amount = |fen: u64| signed_yuan(signed(row, fen, is_positive));
    let request_no = if row.is_payment { "" } else { &row.number };
    let fields = [
        text(&row.trade_no),
        text(&row.out_trade_no),
        text(if row.is_payment { "交易" } else { "退款" }),
        plain(&row.subject),
        moment(row.created_ms),
        moment(row.done_ms),
        text(&row.store_id),
        text(&row.store_name),
        text(&row.operator_id),
        text(&row.terminal_id),
        text(&row.buyer),
        amount(parts.total_fen()),
        amount(parts.receipt_fen()),
        amount(parts.packet_fen),
        amount(parts.point_fen),
        amount(parts.coupon_fen),
        amount(parts.merchant_fen),
        "0.00".to_owned(),
        String::new(),
        text("0.00"),
        "0.00".to_owned(),
        text(request_no),
        signed_yuan(fee(row)),
        "0.00".to_owned(),
        String::new(),
    ];
    fields.join(",")
}

/// What a store's rows come to.
#[derive(Default)]
struct Sums {
    payments: u64,
    refunds: u64,
    total: i128,
    receipt: i128,
    platform: i128,
    merchant: i128,
    fee: i128,
}

impl Sums {
    fn add(&mut self, row: &Row) {
        if row.is_payment {
            self.payments += 1;
        } else {
            self.refunds += 1;
        }
        self.total += signed(row, row.parts.total_fen(), false);
        self.receipt += signed(row, row.parts.receipt_fen(), false);
        self.platform += signed(row, row.parts.coupon_fen, false);
        self.merchant += signed(row, row.parts.merchant_fen, false);
        self.fee += fee(row);
    }

    fn line(&self, id: &str, name: &str) -> String {
        let fields = [
            text(id),
            text(name),
            self.payments.to_string(),
            self.refunds.to_string(),
            signed_yuan(self.total),
            signed_yuan(self.receipt),
            signed_yuan(self.platform),
            signed_yuan(self.merchant),
            "0.00".to_owned(),
            signed_yuan(self.fee),
            "0.00".to_owned(),
            signed_yuan(self.receipt + self.fee),
        ];
        fields.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::super::parts::Parts;
    use super::super::vectors::at;
    use super::*;

    fn row() -> Row {
        Row {
            seq: 1,
            is_payment: true,
            trade_no: "2026030122001400001400000001".to_owned(),
            out_trade_no: "MT202603010830050001".to_owned(),
            number: "MT202603010830050001".to_owned(),
            subject: "地铁便利店 消费码".to_owned(),
            created_ms: at("2026-03-01T08:30:05"),
            done_ms: at("2026-03-01T08:30:06"),
            store_id: String::new(),
            store_name: String::new(),
            operator_id: String::new(),
            terminal_id: String::new(),
            buyer: "**明(159******20)".to_owned(),
            parts: Parts {
                own_fen: 350,
                coupon_fen: 100,
                ..Parts::default()
            },
            fee_fen: 2,
        }
    }

    #[test]
    fn a_payment_reads_as_the_references_sample() {
        let sample = "2026030122001400001400000001\t,MT202603010830050001\t,交易\t,地铁便利店 消费码,2026-03-01 08:30:05,\
                      2026-03-01 08:30:06,\t,\t,\t,\t,**明(159******20)\t,4.50,4.50,0.00,0.00,1.00,0.00,0.00,,0.00\t,0.00,\t,\
                      -0.02,0.00,";
        assert_eq!(detail_row(&row(), false), sample);
        assert_eq!(DETAIL_COLUMNS.split(',').count(), 25);
        assert_eq!(sample.split(',').count(), 25);
    }

    #[test]
    fn a_refund_names_its_request_and_turns_the_signs() {
        let refund = Row {
            is_payment: false,
            number: "RF202603020001".to_owned(),
            ..row()
        };
        let line = detail_row(&refund, false);
        assert!(
            line.contains(",退款\t,") && line.contains(",-4.50,-4.50,0.00,0.00,-1.00,0.00,"),
            "{line}"
        );
        assert!(line.ends_with(",RF202603020001\t,0.02,0.00,"), "{line}");
        assert!(detail_row(&refund, true).contains(",4.50,4.50,0.00,0.00,1.00,"));
        let mut sums = Sums::default();
        sums.add(&row());
        sums.add(&refund);
        assert_eq!(
            sums.line("合计", ""),
            "合计\t,\t,1,1,0.00,0.00,0.00,0.00,0.00,0.00,0.00,0.00"
        );
        assert_eq!(SUMMARY_COLUMNS.split(',').count(), 12);
    }
}
