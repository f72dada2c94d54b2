//! How often an app may call a method (alipay reference, 8.1 and 10; the real limits are not published).

use super::account::Account;
use super::call::Method;
use super::failure::Failure;
use crate::frame::Frame;

const TABLE: &str = "alipay_rate";

/// Counts a call, or refuses it when the app had as many of this method in the same second.
pub(super) fn count(frame: &Frame, app: &Account, method: Method) -> Result<(), Failure> {
    let Some(most) = app.terms.calls_per_second_max else {
        return Ok(());
    };
    let second = frame.clock.now_ms().div_euclid(1_000);
    let key = format!("{}/{method:?}", app.app_id);
    let mut tx = frame.store.begin();
    let (last, count): (i64, u32) = tx.get(TABLE, &key).unwrap_or((second, 0));
    let count = if last == second { count } else { 0 };
    if count >= most {
        return Err(Failure::gateway("isv.app-call-limited"));
    }
    tx.put(TABLE, &key, &(second, count + 1));
    tx.commit();
    Ok(())
}
