//! When to ask about unknown outcomes, and when to give up (wechat reference, 3.9, 4.3 and 5.7).

use std::time::Duration;

use metropay_core::channel::{Cadence, Product};

use crate::ABSENCE_PROVES_AFTER;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// A deduction runs by itself and is soon done.
const DEDUCTION: &[u64] = &[
    SECOND,
    2 * SECOND,
    3 * SECOND,
    5 * SECOND,
    5 * SECOND,
    5 * SECOND,
    5 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
];

/// A payment by code may wait for its user's password: every five seconds until it is revoked, then as a job does.
const BY_CODE: &[u64] = &[
    5 * SECOND,
    5 * SECOND,
    5 * SECOND,
    5 * SECOND,
    5 * SECOND,
    5 * SECOND,
    5 * SECOND,
    5 * SECOND,
    5 * SECOND,
    10 * SECOND,
    20 * SECOND,
    40 * SECOND,
    MINUTE,
    5 * MINUTE,
    30 * MINUTE,
    HOUR,
];

const REFUND: &[u64] = &[
    500,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    15 * SECOND,
    MINUTE,
    5 * MINUTE,
    30 * MINUTE,
    4 * HOUR,
];

pub(crate) fn of(product: Product) -> Cadence {
    let waits = |all: &[u64]| all.iter().map(|ms| Duration::from_millis(*ms)).collect();
    Cadence {
        payment: waits(match product {
            Product::Mandate => DEDUCTION,
            Product::PaymentCode => BY_CODE,
        }),
        refund: waits(REFUND),
        absence_proves_after: ABSENCE_PROVES_AFTER,
        revoke_after: Duration::from_secs(45),
    }
}
