//! `fund_bill_list` and `voucher_detail_list`, as answers and as notifications write them (alipay reference, section 5).

use serde::Serialize;

use super::money::yuan;
use super::parts::{Parts, Voucher, fund_bill};

/// The kind of every coupon here: a fixed amount off.
const VOUCHER_TYPE: &str = "ALIPAY_FIX_VOUCHER";

/// One line of a fund bill in an answer.
#[derive(Serialize)]
pub(super) struct FundLine {
    amount: String,
    fund_channel: &'static str,
}

/// `fund_bill_list` of an answer.
pub(super) fn fund_lines(parts: Parts) -> Vec<FundLine> {
    let bill = fund_bill(parts).into_iter();
    bill.map(|(fund_channel, amount)| FundLine { amount, fund_channel })
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
    }
}

/// One line of a fund bill in a notification.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NoticeFundLine {
    amount: String,
    fund_channel: &'static str,
}

/// `fund_bill_list` of a notification: a text that contains JSON.
pub(super) fn fund_text(parts: Parts) -> String {
    let bill = fund_bill(parts).into_iter();
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
    });
    let lines: Vec<NoticeVoucherLine<'_>> = lines.collect();
    (!lines.is_empty()).then(|| serde_json::to_string(&lines).expect("texts can be written as JSON"))
}
