//! Who bears which part of an amount: the payer, Alipay's coupons, the merchant's coupons (alipay reference, 4.6 and 5).

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::money::yuan;

/// Amounts by who bears them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parts {
    /// The payer's own money, in fen.
    pub(super) own_fen: u64,
    /// Alipay's coupons, in fen.
    pub(super) coupon_fen: u64,
    /// The merchant's coupons, in fen.
    pub(super) merchant_fen: u64,
}

impl Parts {
    /// All together.
    pub(super) fn total_fen(self) -> u64 {
        self.own_fen + self.coupon_fen + self.merchant_fen
    }

    /// So much of it: own money first, then Alipay's coupons, then the merchant's (4.6).
    pub(super) fn take(self, fen: u64) -> Self {
        let own_fen = fen.min(self.own_fen);
        let coupon_fen = (fen - own_fen).min(self.coupon_fen);
        let merchant_fen = (fen - own_fen - coupon_fen).min(self.merchant_fen);
        Self {
            own_fen,
            coupon_fen,
            merchant_fen,
        }
    }

    /// What is left without these.
    pub(super) fn without(self, taken: Self) -> Self {
        Self {
            own_fen: self.own_fen - taken.own_fen,
            coupon_fen: self.coupon_fen - taken.coupon_fen,
            merchant_fen: self.merchant_fen - taken.merchant_fen,
        }
    }

    /// Both together.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            own_fen: self.own_fen + other.own_fen,
            coupon_fen: self.coupon_fen + other.coupon_fen,
            merchant_fen: self.merchant_fen + other.merchant_fen,
        }
    }
}

/// One coupon that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Voucher {
    /// The coupon's number.
    pub(super) id: String,
    /// Its worth, in fen.
    pub(super) amount_fen: u64,
    /// Whether the merchant bears it, not Alipay.
    pub(super) by_merchant: bool,
}

impl Voucher {
    /// The name that payers see.
    pub(super) fn name(&self) -> &'static str {
        if self.by_merchant {
            "商家立减"
        } else {
            "出行立减"
        }
    }

    /// Who bears it: the merchant's share and Alipay's, in fen.
    pub(super) fn shares(&self) -> (u64, u64) {
        if self.by_merchant {
            (self.amount_fen, 0)
        } else {
            (0, self.amount_fen)
        }
    }
}

/// Splits an order's amount into the payer's own money and the coupons of the account.
pub(super) fn split(account: &Account, total_fen: u64) -> Parts {
    let coupon_fen = account.coupon_fen.min(total_fen);
    let merchant_fen = account.merchant_coupon_fen.min(total_fen - coupon_fen);
    Parts {
        own_fen: total_fen - coupon_fen - merchant_fen,
        coupon_fen,
        merchant_fen,
    }
}

/// One line of a fund bill: the channel and its amount in yuan.
pub(super) fn fund_bill(parts: Parts) -> Vec<(&'static str, String)> {
    let lines = [
        ("ALIPAYACCOUNT", parts.own_fen),
        ("DISCOUNT", parts.coupon_fen),
        ("MDISCOUNT", parts.merchant_fen),
    ];
    lines
        .into_iter()
        .filter(|(_, fen)| *fen > 0)
        .map(|(channel, fen)| (channel, yuan(fen)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_money_goes_back_first_and_coupons_last() {
        let parts = Parts {
            own_fen: 8_000,
            coupon_fen: 2_000,
            merchant_fen: 0,
        };
        let first = parts.take(6_000);
        assert_eq!(
            first,
            Parts {
                own_fen: 6_000,
                coupon_fen: 0,
                merchant_fen: 0
            }
        );
        let second = parts.without(first).take(4_000);
        assert_eq!(
            second,
            Parts {
                own_fen: 2_000,
                coupon_fen: 2_000,
                merchant_fen: 0
            }
        );
        assert_eq!(first.with(second), parts);
    }
}
