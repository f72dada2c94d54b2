//! Every bound of the engine in one place: what may be how long, how many, how late.

use std::time::Duration;

/// Merchant's numbers (`out_request_no`, `out_refund_no`): letters of them at most.
pub const OUT_NO_MAX: usize = 64;
/// Order description (`body`): characters at most.
pub const BODY_MAX: usize = 128;
/// Remark (`extra_data`): bytes at most.
pub const EXTRA_DATA_MAX: usize = 1024;
/// A request's body: bytes at most.
pub const REQUEST_BODY_MAX: usize = 64 * 1024;
/// Nesting of a request's JSON at most.
pub const JSON_DEPTH_MAX: usize = 16;
/// Raw body of a channel's notification: bytes at most.
pub const NOTICE_BODY_MAX: usize = 256 * 1024;
/// One payment at most, in fen (¥50,000): above it no channel deducts without a password.
pub const PAYMENT_MAX_FEN: u64 = 5_000_000;

/// How far a request's timestamp may stand from our time.
pub const TIMESTAMP_WINDOW: Duration = Duration::from_secs(300);
/// How long a nonce is remembered: more than two windows.
pub const NONCE_KEPT: Duration = Duration::from_secs(660);

/// How long the database is asked too whether something was used, after the memory of it that may be lost was lost: longer than
/// any code lives that could be paid with.
pub const ONCE_IN_DOUBT: Duration = Duration::from_secs(120);

/// How long a code lives.
pub const CODE_LIFE: Duration = Duration::from_secs(60);
/// The shortest life that a `code` rule may give a code.
pub const CODE_LIFE_MIN: Duration = Duration::from_secs(15);
/// The longest life that a `code` rule may give a code.
pub const CODE_LIFE_MAX: Duration = Duration::from_secs(100);
/// When the App should refresh it.
pub const CODE_REFRESH: Duration = Duration::from_secs(45);
/// Codes of one user that are alive at the same time; one more ends the oldest.
pub const CODES_ALIVE_MAX: usize = 2;

/// How long the till waits for an answer to `applypay` at most.
pub const TILL_WAIT: Duration = Duration::from_secs(8);
/// How long the one who wrote a payment down may still be sending it. Nobody else sends it before.
pub const SEND_LEASE: Duration = Duration::from_secs(15);
/// How long after it was written down a payment that was never sent may still be sent by a repeated request.
pub const RESUME_WINDOW: Duration = Duration::from_secs(45);
/// How long after the payment it may be reversed; later only refunds help.
pub const REVERSE_WINDOW: Duration = Duration::from_secs(24 * 3600);
/// How long after the payment it may be refunded.
pub const REFUND_WINDOW: Duration = Duration::from_secs(330 * 24 * 3600);
/// How long a mandate may be signed after it was asked for.
pub const SIGN_WINDOW: Duration = Duration::from_secs(2 * 3600);
/// How often an active contract is asked about at the channel, because channels do not always tell.
pub const CONTRACT_RECHECK: Duration = Duration::from_secs(24 * 3600);
/// How often a live event stream says that it is alive.
pub const EVENT_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a long-poll waits at most.
pub const LONG_POLL_MAX: Duration = Duration::from_secs(25);

/// Calls to a channel account in a minute from which on its breaker judges.
pub const BREAKER_CALLS_MIN: u64 = 20;
/// From which share of them without an answer on, in thousandths, new payments are kept away.
pub const BREAKER_LOST_PERMILLE: u32 = 800;
/// For how long, before one may try.
pub const BREAKER_OPEN_FOR: Duration = Duration::from_secs(10);
/// How long a try has before the next.
pub const BREAKER_TRY_EVERY: Duration = Duration::from_secs(5);
/// Channel accounts whose health is kept; beyond it those that were not called for long are forgotten.
pub const HEALTH_ACCOUNTS_MAX: usize = 10_000;

/// Rows of a list at most.
pub const PAGE_MAX: u64 = 100;
/// Days of one search at most.
pub const RANGE_MAX: Duration = Duration::from_secs(31 * 24 * 3600);
/// How far back a bill may be asked for, in days.
pub const BILL_DAYS_MAX: i64 = 366;
/// Work that one run of a job takes up at most.
pub const JOB_BATCH: u64 = 50;

const _: () = {
    assert!(NONCE_KEPT.as_secs() > 2 * TIMESTAMP_WINDOW.as_secs());
    assert!(ONCE_IN_DOUBT.as_secs() > CODE_LIFE_MAX.as_secs() && ONCE_IN_DOUBT.as_secs() < NONCE_KEPT.as_secs());
    assert!(CODE_REFRESH.as_secs() < CODE_LIFE.as_secs());
    assert!(TILL_WAIT.as_secs() < SEND_LEASE.as_secs());
    assert!(SEND_LEASE.as_secs() < RESUME_WINDOW.as_secs());
    assert!(PAYMENT_MAX_FEN < crate::money::FEN_MAX);
};
