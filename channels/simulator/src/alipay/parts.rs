//! Who bears which part of an amount (alipay reference, 4.6 and 5).

use serde::{Deserialize, Serialize};

use super::money::yuan;

/// Amounts by who bears them, in the order in which they go back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parts {
    /// The payer's own money, in fen.
    pub(super) own_fen: u64,
    /// 集分宝: the payer's points, in fen.
    #[serde(default)]
    pub(super) point_fen: u64,
    /// 支付宝红包: the payer's red packets from Alipay, in fen.
    #[serde(default)]
    pub(super) packet_fen: u64,
    /// Alipay's coupons, in fen.
    pub(super) coupon_fen: u64,
    /// The merchant's coupons, in fen.
    pub(super) merchant_fen: u64,
}

/// What may be used up for an order beside the payer's own money, in fen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) coupon_fen: u64,
    pub(super) merchant_fen: u64,
    pub(super) packet_fen: u64,
    pub(super) point_fen: u64,
    /// So much of the order takes discounts.
    pub(super) discountable_fen: u64,
}

impl Parts {
    /// Splits an order's amount: coupons first, then red packets and points, the rest is the payer's own money.
    pub(super) fn split(total_fen: u64, offers: Offers) -> Self {
        let mut left_fen = total_fen;
        let mut use_up = |offered_fen: u64, most_fen: u64| {
            let fen = offered_fen.min(most_fen).min(left_fen);
            left_fen -= fen;
            fen
        };
        let coupon_fen = use_up(offers.coupon_fen, offers.discountable_fen);
        let merchant_fen = use_up(offers.merchant_fen, offers.discountable_fen.saturating_sub(coupon_fen));
        let packet_fen = use_up(offers.packet_fen, total_fen);
        let point_fen = use_up(offers.point_fen, total_fen);
        Self {
            own_fen: left_fen,
            point_fen,
            packet_fen,
            coupon_fen,
            merchant_fen,
        }
    }

    /// All together.
    pub(super) fn total_fen(self) -> u64 {
        self.own_fen + self.point_fen + self.packet_fen + self.coupon_fen + self.merchant_fen
    }

    /// What the merchant receives: all but his own coupons.
    pub(super) fn receipt_fen(self) -> u64 {
        self.total_fen() - self.merchant_fen
    }

    /// 平台优惠: what Alipay gives.
    pub(super) fn platform_fen(self) -> u64 {
        self.coupon_fen + self.packet_fen
    }

    /// So much of it: own money first, coupons last (4.6).
    pub(super) fn take(self, fen: u64) -> Self {
        let mut left_fen = fen;
        let mut from = |there_fen: u64| {
            let taken_fen = left_fen.min(there_fen);
            left_fen -= taken_fen;
            taken_fen
        };
        Self {
            own_fen: from(self.own_fen),
            point_fen: from(self.point_fen),
            packet_fen: from(self.packet_fen),
            coupon_fen: from(self.coupon_fen),
            merchant_fen: from(self.merchant_fen),
        }
    }

    /// What is left without these.
    pub(super) fn without(self, taken: Self) -> Self {
        self.each(taken, |here_fen, taken_fen| here_fen - taken_fen)
    }

    /// Both together.
    pub(super) fn with(self, other: Self) -> Self {
        self.each(other, |here_fen, other_fen| here_fen + other_fen)
    }

    fn each(self, other: Self, make: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            own_fen: make(self.own_fen, other.own_fen),
            point_fen: make(self.point_fen, other.point_fen),
            packet_fen: make(self.packet_fen, other.packet_fen),
            coupon_fen: make(self.coupon_fen, other.coupon_fen),
            merchant_fen: make(self.merchant_fen, other.merchant_fen),
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

/// The lines of a fund bill: each channel with its amount in yuan. `own` is the channel of the payer's own money.
pub(super) fn fund_bill(parts: Parts, own: &str) -> Vec<(String, String)> {
    let lines = [
        (own, parts.own_fen),
        ("POINT", parts.point_fen),
        ("COUPON", parts.packet_fen),
        ("DISCOUNT", parts.coupon_fen),
        ("MDISCOUNT", parts.merchant_fen),
    ];
    lines
        .into_iter()
        .filter(|(_, fen)| *fen > 0)
        .map(|(channel, fen)| (channel.to_owned(), yuan(fen)))
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
            ..Parts::default()
        };
        let first = parts.take(6_000);
        let own = |own_fen| Parts {
            own_fen,
            ..Parts::default()
        };
        assert_eq!(first, own(6_000));
        let second = parts.without(first).take(4_000);
        assert_eq!(
            second,
            Parts {
                own_fen: 2_000,
                coupon_fen: 2_000,
                ..Parts::default()
            }
        );
        assert_eq!(first.with(second), parts);
    }

    #[test]
    fn an_order_is_split_without_loss_and_only_what_may_be_discounted_is() {
        let offers = Offers {
            coupon_fen: 100,
            merchant_fen: 100,
            packet_fen: 30,
            point_fen: 20,
            discountable_fen: 150,
        };
        let parts = Parts::split(450, offers);
        assert_eq!((parts.coupon_fen, parts.merchant_fen), (100, 50));
        assert_eq!((parts.packet_fen, parts.point_fen, parts.own_fen), (30, 20, 250));
        assert_eq!(parts.total_fen(), 450);
        assert_eq!((parts.receipt_fen(), parts.platform_fen()), (400, 130));
        let small = Parts::split(
            120,
            Offers {
                discountable_fen: 120,
                ..offers
            },
        );
        assert_eq!((small.coupon_fen, small.merchant_fen, small.own_fen), (100, 20, 0));
    }
}
