//! Payment codes: shown on the user's phone, scanned at the till, gone after a minute (alipay reference, 4.2 and 11.3).

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::desk::Desk;
use super::failure::Failure;
use super::trade::{self, Status};
use super::{trade_life, wallet};
use crate::store::Tx;

const TABLE: &str = "alipay_code";

/// How long a code is good.
const LIFE_MS: i64 = 60_000;

/// A code that was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PayCode {
    /// 18 digits, the first two from 25 to 30.
    pub(super) code: String,
    /// Whose it is.
    pub(super) user_id: String,
    /// Until when it can be scanned, Unix milliseconds.
    pub(super) expires_ms: i64,
    /// Whether its user wants to be asked for his password whatever the amount.
    pub(super) needs_password: bool,
    /// The trade that it was used for.
    pub(super) trade_key: Option<String>,
}

/// Why the user's answer changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No such code was ever shown.
    NoSuchCode,
    /// Nothing waits for an answer about it.
    NothingWaits,
}

/// Shows a fresh code of this user.
pub(super) fn show(desk: &mut Desk<'_>, user_id: &str, needs_password: bool) -> PayCode {
    let number = || {
        let mut chance = rand::thread_rng();
        format!(
            "{}{:016}",
            chance.gen_range(25..=30),
            chance.gen_range(0..10_000_000_000_000_000_u64)
        )
    };
    let mut code = number();
    while by_number(&desk.tx, &code).is_some() {
        code = number();
    }
    let shown = PayCode {
        code,
        user_id: user_id.to_owned(),
        expires_ms: desk.now_ms + LIFE_MS,
        needs_password,
        trade_key: None,
    };
    desk.tx.put(TABLE, &shown.code, &shown);
    shown
}

/// The code with this number, dead or alive.
pub(super) fn by_number(tx: &Tx<'_>, code: &str) -> Option<PayCode> {
    tx.get(TABLE, code)
}

/// The code with this number, if it can be used now.
pub(super) fn usable(desk: &Desk<'_>, code: &str) -> Result<PayCode, Failure> {
    by_number(&desk.tx, code)
        .filter(|shown| shown.trade_key.is_none() && shown.expires_ms > desk.now_ms)
        .ok_or_else(|| Failure::acq("PAYMENT_AUTH_CODE_INVALID"))
}

/// Uses the code up for a trade.
pub(super) fn use_up(desk: &mut Desk<'_>, mut code: PayCode, trade_key: &str) {
    code.trade_key = Some(trade_key.to_owned());
    desk.tx.put(TABLE, &code.code, &code);
}

/// The user's answer to the question for his password: the trade that waits for it is paid, or closed when he refuses
/// or has too little.
pub(super) fn answer(desk: &mut Desk<'_>, code: &str, agree: bool) -> Result<(), Trouble> {
    let shown = by_number(&desk.tx, code).ok_or(Trouble::NoSuchCode)?;
    let key = shown.trade_key.ok_or(Trouble::NothingWaits)?;
    let mut trade = trade::by_key(desk, &key).ok_or(Trouble::NothingWaits)?;
    if trade.status != Status::WaitBuyerPay || !trade.awaits_password {
        return Err(Trouble::NothingWaits);
    }
    let covered = wallet::of(&desk.tx, &trade.buyer_user_id).covers(trade.parts);
    match covered {
        _ if !agree => trade_life::close(desk, &mut trade, Some("用户取消支付".to_owned())),
        Ok(()) => trade_life::pay(desk, &mut trade),
        Err(failure) => trade_life::close(desk, &mut trade, Some(failure.sub_msg)),
    }
    Ok(())
}
