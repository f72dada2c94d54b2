//! The account's statement: detail and summary (alipay reference, 6.5).

use super::bill_file::{Bill, plain, signed_yuan, text};
use super::bill_row::Row;
use super::bill_trade::{exported, head};
use super::trade::{day, moment};

const DETAIL_COLUMNS: &str = "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,\
交易渠道,业务类型,备注";

const SUMMARY_COLUMNS: &str = "类型,收入笔数,收入金额（+元）,支出笔数,支出金额（-元）,总金额（元）";

/// The kinds of lines, as the statement names them.
const KINDS: [&str; 4] = ["在线支付", "收费", "交易退款", "退费"];

/// One line: money that came or went. Fees are lines of their own.
struct Line<'a> {
    row: &'a Row,
    kind: &'static str,
    /// Positive when it came, in fen.
    fen: i128,
    number: u64,
}

fn lines<'a>(bill: &'a Bill<'_>) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for row in bill.rows {
        let (receipt, fee) = (i128::from(row.parts.receipt_fen()), i128::from(row.fee_fen));
        let pair = if row.is_payment {
            [(KINDS[0], receipt), (KINDS[1], -fee)]
        } else {
            [(KINDS[2], -receipt), (KINDS[3], fee)]
        };
        for (half, (kind, fen)) in (0_u64..).zip(pair).filter(|(_, (_, fen))| *fen != 0) {
            let number = row.seq * 2 + half;
            lines.push(Line { row, kind, fen, number });
        }
    }
    lines
}

/// The lines of the detail.
pub(super) fn detail(bill: &Bill<'_>) -> Vec<String> {
    let mut texts = head(bill, "#支付宝账务明细查询", "账务明细列表");
    texts.push(DETAIL_COLUMNS.to_owned());
    let mut balance_fen = bill.opening_fen;
    let (mut came, mut went) = ((0_u64, 0_i128), (0_u64, 0_i128));
    for line in lines(bill) {
        balance_fen += line.fen;
        let side = if line.fen > 0 { &mut came } else { &mut went };
        *side = (side.0 + 1, side.1 + line.fen);
        texts.push(detail_row(&line, balance_fen));
    }
    texts.push(
        "#-----------------------------------------账务明细列表结束------------------------------------".to_owned(),
    );
    texts.push(format!("#支出合计：{}笔，共{}元", went.0, signed_yuan(went.1)));
    texts.push(format!("#收入合计：{}笔，共{}元", came.0, signed_yuan(came.1)));
    texts.push(exported(bill));
    texts
}

fn detail_row(line: &Line<'_>, balance_fen: i128) -> String {
    let row = line.row;
    let fields = [
        text(&format!("{}{:012}", day(row.done_ms), line.number)),
        text(&row.trade_no),
        text(&row.out_trade_no),
        plain(&row.subject),
        moment(row.done_ms),
        text(&row.buyer),
        signed_yuan(line.fen.max(0)),
        signed_yuan(line.fen.min(0)),
        signed_yuan(balance_fen),
        text("支付宝"),
        text(line.kind),
        plain(if row.is_payment { "" } else { &row.number }),
    ];
    fields.join(",")
}

/// The lines of the summary: one per kind, then all together.
pub(super) fn summary(bill: &Bill<'_>) -> Vec<String> {
    let lines = lines(bill);
    let sum = |kind: Option<&str>| {
        let fitting = lines.iter().filter(|line| kind.is_none_or(|kind| kind == line.kind));
        let mut sums = ((0_u64, 0_i128), (0_u64, 0_i128));
        for line in fitting {
            let side = if line.fen > 0 { &mut sums.0 } else { &mut sums.1 };
            *side = (side.0 + 1, side.1 + line.fen);
        }
        sums
    };
    let written = |name: &str, (came, went): ((u64, i128), (u64, i128))| {
        [
            text(name),
            came.0.to_string(),
            signed_yuan(came.1),
            went.0.to_string(),
            signed_yuan(went.1),
            signed_yuan(came.1 + went.1),
        ]
        .join(",")
    };
    let mut texts = head(bill, "#支付宝账务汇总查询", "账务汇总列表");
    texts.push(SUMMARY_COLUMNS.to_owned());
    for kind in KINDS {
        let sums = sum(Some(kind));
        if sums.0.0 + sums.1.0 > 0 {
            texts.push(written(kind, sums));
        }
    }
    texts.push(written("合计", sum(None)));
    texts.push(
        "#-----------------------------------------账务汇总列表结束------------------------------------".to_owned(),
    );
    texts.push(exported(bill));
    texts
}
