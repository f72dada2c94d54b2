//! Truthful local gateways of WeChat Pay, Alipay and UnionPay.
//!
//! Each gateway speaks the wire protocol of the real one with code of its own, verifies every signature, keeps durable
//! books, serves the pages on which a user signs, sends signed notifications, and misbehaves on command. It shares no
//! code with the adapters, so that a mistake in an adapter shows against it.
//!
//! One listener serves all three: the gateways under `/wechat`, `/alipay` and `/unionpay`, and the control interface
//! (accounts, books, faults, clock, notices) under `/control`. Beside them, under `/club`, stands a merchant's own membership system, and
//! under `/sink` merchants' servers that are told.

mod alipay;
mod books;
mod clock;
mod club;
mod control;
mod fault;
mod frame;
mod notice;
mod server;
mod sink;
mod store;
mod unionpay;
mod wechat;

pub use books::{Movement, MovementKind};
pub use club::{CLUB_SECRET, ClubBooks, ClubMood};
pub use fault::{Effect, Fault};
pub use frame::{Frame, Gateway, Refused, SignedBefore, Signer};
pub use notice::NoticeAttempt;
pub use server::{Settings, Simulator};
pub use sink::{Heard, SinkMood};
pub use wechat::WechatTls;
