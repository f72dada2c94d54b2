//! `fund_bill_list` and the voucher lists, as answers and as notifications write them (alipay reference, section 5).

use serde::Serialize;

use super::money::yuan;
use super::parts::{Parts, Voucher, fund_bill};

/// The kind of every coupon here: a fixed amount off.
const VOUCHER_TYPE: &str = "ALIPAY_FIX_VOUCHER";

/// One line of a fund bill in an answer.
#[derive(Serialize)]
pub(super) struct FundLine {
    amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_code: Option<&'static str>,
    fund_channel: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fund_type: Option<&'static str>,
}

/// `fund_bill_list` of an answer; `own` is the channel of the payer's own money. Cards name their bank and kind.
pub(super) fn fund_lines(parts: Parts, own: &str) -> Vec<FundLine> {
    let bill = fund_bill(parts, own).into_iter();
    bill.map(|(fund_channel, amount)| {
        let is_card = fund_channel == "BANKCARD";
        FundLine {
            amount,
            bank_code: is_card.then_some("CMB"),
            fund_channel,
            fund_type: is_card.then_some("DEBIT_CARD"),
        }
    })
    .collect()
}

/// One line of a voucher list in an answer.
#[derive(Serialize)]
pub(super) struct VoucherLine<'a> {
    id: &'a str,
    name: &'a str,
    r#type: &'a str,
    amount: String,
    merchant_contribute: String,
    other_contribute: String,
    template_id: String,
}

/// `voucher_detail_list` of an answer.
pub(super) fn voucher_lines(vouchers: &[Voucher]) -> Vec<VoucherLine<'_>> {
    vouchers.iter().map(voucher_line).collect()
}

fn voucher_line(voucher: &Voucher) -> VoucherLine<'_> {
    let (by_merchant, by_alipay) = voucher.shares();
    VoucherLine {
        id: &voucher.id,
        name: voucher.name(),
        r#type: VOUCHER_TYPE,
        amount: yuan(voucher.amount_fen),
        merchant_contribute: yuan(by_merchant),
        other_contribute: yuan(by_alipay),
        template_id: template(voucher),
    }
}

fn template(voucher: &Voucher) -> String {
    let kind = if voucher.by_merchant { "M" } else { "A" };
    format!("20200101000730029976{kind}00001")
}

/// `refund_voucher_detail_list`: what of each coupon went back to its sponsor with these parts.
pub(super) fn returned_vouchers(vouchers: &[Voucher], parts: Parts) -> Vec<Voucher> {
    vouchers
        .iter()
        .map(|voucher| Voucher {
            amount_fen: if voucher.by_merchant {
                parts.merchant_fen
            } else {
                parts.coupon_fen
            },
            ..voucher.clone()
        })
        .filter(|voucher| voucher.amount_fen > 0)
        .collect()
}

/// One line of a fund bill in a notification.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NoticeFundLine {
    amount: String,
    fund_channel: String,
}

/// `fund_bill_list` of a notification: a text that contains JSON.
pub(super) fn fund_text(parts: Parts, own: &str) -> String {
    let bill = fund_bill(parts, own).into_iter();
    let lines: Vec<NoticeFundLine> = bill
        .map(|(fund_channel, amount)| NoticeFundLine { amount, fund_channel })
        .collect();
    serde_json::to_string(&lines).expect("texts can be written as JSON")
}

/// One line of a voucher list in a notification.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NoticeVoucherLine<'a> {
    voucher_id: &'a str,
    name: &'a str,
    r#type: &'a str,
    amount: String,
    merchant_contribute: String,
    other_contribute: String,
    template_id: String,
}

/// `voucher_detail_list` of a notification, if there is a coupon.
pub(super) fn voucher_text(vouchers: &[Voucher]) -> Option<String> {
    let lines = voucher_lines(vouchers).into_iter().map(|line| NoticeVoucherLine {
        voucher_id: line.id,
        name: line.name,
        r#type: line.r#type,
        amount: line.amount,
        merchant_contribute: line.merchant_contribute,
        other_contribute: line.other_contribute,
        template_id: line.template_id,
    });
    let lines: Vec<NoticeVoucherLine<'_>> = lines.collect();
    (!lines.is_empty()).then(|| serde_json::to_string(&lines).expect("texts can be written as JSON"))
}
