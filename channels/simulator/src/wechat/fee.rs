//! What the gateway takes of a payment and gives back with its refunds (wechat reference, 11.4): a rate in
//! ten-thousandths, rounded half up to the fen.

use super::order::Order;

/// The fee of an amount.
pub(super) fn of(fen: u64, rate: u32) -> u64 {
    let fee = (u128::from(fen) * u128::from(rate) + 5_000) / 10_000;
    u64::try_from(fee).unwrap_or(u64::MAX)
}

/// What comes back with a further refund of an order. Each refund brings the sum to the fee of all that was refunded, so
/// that a payment that is refunded whole, in however many parts, has cost nothing.
pub(super) fn back(order: &Order, refund_fee: u64) -> u64 {
    let before = of(order.refunded_fen, order.fee_rate);
    of(order.refunded_fen.saturating_add(refund_fee), order.fee_rate) - before
}

#[cfg(test)]
mod tests {
    use super::super::vectors;
    use super::*;

    #[test]
    fn fees_are_rounded_half_up_and_come_back_whole() {
        assert_eq!((of(1_280, 60), of(84, 60), of(83, 60), of(0, 60)), (8, 1, 0, 0));
        let mut order = vectors::order();
        assert_eq!(back(&order, 300), 2);
        let mut together = 0;
        for part in [100, 84, 84, 84, 84, 84, 84, 84, 84, 84, 84, 340] {
            together += back(&order, part);
            order.refunded_fen += part;
        }
        assert_eq!((order.refunded_fen, together), (1_280, of(1_280, 60)));
    }
}
