//! Which part of an amount the sponsors of coupons bear (alipay reference, 5). A paid order never fails over it.

use metropay_core::money::Fen;

use crate::node::Node;

/// What `fund_channel` says of the part that coupons paid; every other one is the buyer's own means, or points.
const SPONSORED: [&str; 5] = ["COUPON", "DISCOUNT", "MDISCOUNT", "MCOUPON", "VOUCHER"];

/// The buyer's own means: what goes back to him first when money goes back.
const OWN: [&str; 8] = [
    "ALIPAYACCOUNT",
    "BANKCARD",
    "MONEYFUND",
    "FINANCEACCOUNT",
    "PCREDIT",
    "DCEP_ASSET",
    "MCARD",
    "PCARD",
];

/// The discount fields of a payment, as far as they were told.
#[derive(Debug, Default)]
pub(crate) struct Discounts {
    /// `buyer_pay_amount`
    pub(crate) buyer_pay: Option<Fen>,
    /// `discount_amount`
    pub(crate) alipay: Option<Fen>,
    /// `mdiscount_amount`
    pub(crate) merchant: Option<Fen>,
    /// `fund_bill_list`, as JSON text
    pub(crate) bills: Option<String>,
}

impl Discounts {
    /// Those of an answer.
    pub(crate) fn of(node: &Node) -> Self {
        Self {
            buyer_pay: node.fen("buyer_pay_amount"),
            alipay: node.fen("discount_amount"),
            merchant: node.fen("mdiscount_amount"),
            bills: node.raw("fund_bill_list").map(str::to_owned),
        }
    }

    /// The part of `total` that coupons paid: by the first of the rules for which there are figures.
    pub(crate) fn share_of(&self, total: Fen) -> Fen {
        let by_discounts = || match (self.alipay, self.merchant) {
            (None, None) => None,
            (alipay, merchant) => alipay.unwrap_or_default().plus(merchant.unwrap_or_default()).ok(),
        };
        let by_bills = || sum(self.bills.as_deref()?, &SPONSORED);
        self.buyer_pay
            .map(|own| rest(total, own))
            .or_else(by_discounts)
            .or_else(by_bills)
            .unwrap_or_default()
            .min(total)
    }
}

/// The part of a refund that went back to sponsors, where its answer tells.
pub(crate) fn of_refund(amount: Fen, node: &Node) -> Option<Fen> {
    let told = match (
        node.fen("present_refund_discount_amount"),
        node.fen("present_refund_mdiscount_amount"),
    ) {
        (None, None) => None,
        (alipay, merchant) => alipay.unwrap_or_default().plus(merchant.unwrap_or_default()).ok(),
    };
    let by_items = || Some(rest(amount, sum(node.raw("refund_detail_item_list")?, &OWN)?));
    told.or_else(by_items).map(|coupon| coupon.min(amount))
}

fn rest(total: Fen, part: Fen) -> Fen {
    total.minus(part).unwrap_or_default()
}

/// The sum over items of these channels; answers write `fund_channel`, notices `fundChannel`. `None` for an empty list
/// and for one that cannot be read.
fn sum(list: &str, channels: &[&str]) -> Option<Fen> {
    let items = Node::list(list).filter(|items| !items.is_empty())?;
    items.iter().try_fold(Fen::ZERO, |sum, item| {
        let channel = item.text("fund_channel").or_else(|| item.text("fundChannel"))?;
        if channels.contains(&channel.as_str()) {
            sum.plus(item.fen("amount")?).ok()
        } else {
            Some(sum)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(node: &str) -> u64 {
        let node = Node::read(node).unwrap();
        Discounts::of(&node).share_of(Fen::new(450).unwrap()).get()
    }

    #[test]
    fn the_first_rule_with_figures_counts() {
        assert_eq!(share(r#"{"buyer_pay_amount":"3.50","discount_amount":"2.00"}"#), 100);
        assert_eq!(share(r#"{"discount_amount":"0.30","mdiscount_amount":"0.20"}"#), 50);
        assert_eq!(share(r#"{"mdiscount_amount":0.20}"#), 20);
        let bills = r#"{"fund_bill_list":[{"amount":3.5,"fund_channel":"BANKCARD"},{"amount":"0.60","fund_channel":"VOUCHER"},
            {"amount":"0.40","fundChannel":"MCOUPON"},{"amount":"9.00","fund_channel":"NEW_ONE"}]}"#;
        assert_eq!(share(bills), 100);
        assert_eq!(share("{}"), 0);
    }

    #[test]
    fn figures_that_do_not_fit_are_bounded_and_never_an_error() {
        assert_eq!(share(r#"{"buyer_pay_amount":"9.99"}"#), 0);
        assert_eq!(share(r#"{"discount_amount":"9.99"}"#), 450);
        assert_eq!(share(r#"{"buyer_pay_amount":"much","fund_bill_list":"no list"}"#), 0);
    }

    #[test]
    fn own_money_goes_back_first() {
        let refund = |node: &str| of_refund(Fen::new(4_000).unwrap(), &Node::read(node).unwrap()).map(Fen::get);
        let items = r#"{"refund_detail_item_list":[{"amount":"20.00","fund_channel":"ALIPAYACCOUNT"},
            {"amount":"20.00","fund_channel":"COUPON"}]}"#;
        assert_eq!(refund(items), Some(2_000));
        assert_eq!(
            refund(r#"{"present_refund_discount_amount":"1.00","present_refund_mdiscount_amount":"0.50"}"#),
            Some(150)
        );
        assert_eq!(refund("{}"), None);
        assert_eq!(refund(r#"{"refund_detail_item_list":[]}"#), None);
        let mixed = r#"{"refund_detail_item_list":[{"amount":60.00,"fund_channel":"PCREDIT"}]}"#;
        assert_eq!(refund(mixed), Some(0), "own money above the refund is no coupon");
    }
}
