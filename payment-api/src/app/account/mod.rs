//! The consumption code of a user, open or closed.

pub(super) mod close;
pub(super) mod open;
pub(super) mod show;

use metropay_core::user::{User, UserState};
use serde::Serialize;
use utoipa::ToSchema;

use super::moment::Moment;

/// 消费码账户 (the consumption code of a user).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CodeAccount {
    /// 状态 (how it stands).
    status: CodeAccountStatus,
    /// 是否已登记手机号 (whether a verified phone is on file).
    phone_on_file: bool,
    /// 最近一次开通的时间 (when it was opened last).
    opened_at: Option<Moment>,
    /// 关闭的时间 (when it was closed, while it is).
    closed_at: Option<Moment>,
}

/// 消费码账户状态：NOT_OPENED 未开通，ACTIVE 已开通，CLOSED 已关闭，FROZEN 已冻结.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum CodeAccountStatus {
    /// Never opened.
    NotOpened,
    /// Open: codes are issued.
    Active,
    /// Closed by the user; may be opened again.
    Closed,
    /// Frozen by the platform.
    Frozen,
}

impl CodeAccount {
    fn of(user: Option<User>) -> Self {
        let Some(user) = user else {
            return Self {
                status: CodeAccountStatus::NotOpened,
                phone_on_file: false,
                opened_at: None,
                closed_at: None,
            };
        };
        Self {
            status: match user.status {
                UserState::Active => CodeAccountStatus::Active,
                UserState::Closed => CodeAccountStatus::Closed,
                UserState::Frozen => CodeAccountStatus::Frozen,
            },
            phone_on_file: user.phone_index.is_some(),
            opened_at: Some(user.opened_at.into()),
            closed_at: user.closed_at.map(Into::into),
        }
    }
}
