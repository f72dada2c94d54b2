//! What a WeChat user has to pay with: enough of everything, unless the phone was told a balance.

use crate::store::Tx;

const BALANCES: &str = "wechat_balance";

/// The user's balance in fen; nobody who was not asked about runs out of money.
pub(super) fn balance(tx: &Tx<'_>, user: &str) -> Option<u64> {
    tx.get::<Option<u64>>(BALANCES, user).flatten()
}

/// Sets the balance; without an amount the user has enough of everything again.
pub(super) fn set(tx: &mut Tx<'_>, user: &str, fen: Option<u64>) {
    tx.put(BALANCES, user, &fen);
}

/// Whether the user can pay so much.
pub(super) fn affords(tx: &Tx<'_>, user: &str, fen: u64) -> bool {
    balance(tx, user).is_none_or(|balance| balance >= fen)
}

/// Takes what is paid.
pub(super) fn pay(tx: &mut Tx<'_>, user: &str, fen: u64) {
    if let Some(balance) = balance(tx, user) {
        set(tx, user, Some(balance.saturating_sub(fen)));
    }
}

/// Puts back what is given back.
pub(super) fn receive(tx: &mut Tx<'_>, user: &str, fen: u64) {
    if let Some(balance) = balance(tx, user) {
        set(tx, user, Some(balance.saturating_add(fen)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn only_who_was_given_a_balance_can_run_out_of_it() {
        let store = Store::open(None).unwrap();
        let mut tx = store.begin();
        assert!(affords(&tx, "小明", u64::MAX));
        pay(&mut tx, "小明", 100);
        assert_eq!(balance(&tx, "小明"), None);
        set(&mut tx, "小明", Some(100));
        assert!(affords(&tx, "小明", 100) && !affords(&tx, "小明", 101));
        pay(&mut tx, "小明", 60);
        receive(&mut tx, "小明", 10);
        assert_eq!(balance(&tx, "小明"), Some(50));
        set(&mut tx, "小明", None);
        assert!(affords(&tx, "小明", 51));
    }
}
