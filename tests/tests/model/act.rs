//! What may happen in a run.

use proptest::prelude::*;

/// Merchants, users and numbers of a run: few, so that everything meets everything. Payments take numbers from a wider span
/// than the rest, which mostly aims at orders that are there.
pub(crate) const MERCHANTS: usize = 2;
pub(crate) const USERS: usize = 3;
const NUMBERS: u8 = 16;
const REFUNDS: u8 = 4;

/// An order as its merchant names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Order {
    pub(crate) merchant: usize,
    pub(crate) no: u8,
}

/// What a repeated request changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twist {
    Nothing,
    Amount,
    Code,
    Store,
    Body,
    Remark,
}

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// A till scans a fresh code of this user, or the one it scanned last.
    Pay {
        order: Order,
        user: usize,
        fen: u64,
        fresh: bool,
    },
    /// A till sends again what it sent first under this number, perhaps changed.
    Again {
        order: Order,
        twist: Twist,
    },
    Refund {
        order: Order,
        refund: u8,
        fen: u64,
    },
    Reverse {
        order: Order,
    },
    Query {
        order: Order,
    },
    /// The gateway tells how an order stands, so many times.
    Notice {
        order: Order,
        times: u8,
    },
    /// An order that hangs at the gateway, or was closed there unpaid, is paid all the same.
    Late {
        order: Order,
    },
    /// The user takes his consent back: in the App, or at the gateway.
    Withdraw {
        user: usize,
        merchant: usize,
        in_app: bool,
    },
    Sign {
        user: usize,
        merchant: usize,
    },
    CloseAccount {
        user: usize,
    },
    OpenAccount {
        user: usize,
    },
    /// Time passes, in seconds.
    Pass {
        seconds: u64,
    },
    /// The jobs have a turn.
    Jobs,
    /// Two things at the same moment.
    Both(Box<Act>, Box<Act>),
}

fn order() -> impl Strategy<Value = Order> {
    (0..MERCHANTS, 0..NUMBERS).prop_map(|(merchant, no)| Order { merchant, no })
}

fn twist() -> impl Strategy<Value = Twist> {
    prop_oneof![
        4 => Just(Twist::Nothing),
        1 => Just(Twist::Amount),
        1 => Just(Twist::Code),
        1 => Just(Twist::Store),
        1 => Just(Twist::Body),
        1 => Just(Twist::Remark),
    ]
}

fn single() -> impl Strategy<Value = Act> {
    let fen = || prop_oneof![3 => 1..=200_u64, 1 => 201..=600_u64];
    let who = || (0..USERS, 0..MERCHANTS);
    prop_oneof![
        12 => (order(), 0..USERS, fen(), prop::bool::weighted(0.9))
            .prop_map(|(order, user, fen, fresh)| Act::Pay { order, user, fen, fresh }),
        6 => (order(), twist()).prop_map(|(order, twist)| Act::Again { order, twist }),
        7 => (order(), 0..REFUNDS, fen()).prop_map(|(order, refund, fen)| Act::Refund { order, refund, fen }),
        4 => order().prop_map(|order| Act::Reverse { order }),
        4 => order().prop_map(|order| Act::Query { order }),
        4 => (order(), 1..4_u8).prop_map(|(order, times)| Act::Notice { order, times }),
        2 => order().prop_map(|order| Act::Late { order }),
        1 => (who(), any::<bool>())
            .prop_map(|((user, merchant), in_app)| Act::Withdraw { user, merchant, in_app }),
        2 => who().prop_map(|(user, merchant)| Act::Sign { user, merchant }),
        1 => (0..USERS).prop_map(|user| Act::CloseAccount { user }),
        2 => (0..USERS).prop_map(|user| Act::OpenAccount { user }),
        5 => prop::sample::select(vec![1, 16, 46, 61, 120, 3_600, 43_200, 86_401])
            .prop_map(|seconds| Act::Pass { seconds }),
        4 => Just(Act::Jobs),
    ]
}

/// One thing, or two at the same moment.
pub(crate) fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => single(),
        1 => (single(), single()).prop_map(|(one, other)| Act::Both(Box::new(one), Box::new(other))),
    ]
}
