//! A user's wallet: what he has, what he was given, and what he switched off (alipay reference, 5, 8.2 and 11.3).

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::parts::Parts;
use crate::store::Tx;

const TABLE: &str = "alipay_wallet";

/// The channels that a user's own money can come from, each with its names in `disable_pay_channels`.
const CHANNELS: [(&str, &[&str]); 5] = [
    ("ALIPAYACCOUNT", &["balance"]),
    ("BANKCARD", &["bankPay", "debitCardExpress"]),
    ("MONEYFUND", &["moneyFund"]),
    ("PCREDIT", &["pcredit"]),
    ("DCEP_ASSET", &[]),
];

/// The wallet of one user. A user whom nobody gave a wallet has money without end and no discounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Wallet {
    /// His own money, in fen; absent: without end.
    pub(super) balance_fen: Option<u64>,
    /// 支付宝红包: a pot that payments use up, in fen.
    pub(super) packet_fen: u64,
    /// 集分宝: a pot that payments use up, in fen.
    pub(super) point_fen: u64,
    /// Alipay's coupon on each of his payments, in fen.
    pub(super) coupon_fen: u64,
    /// Where his own money comes from.
    pub(super) channel: String,
    /// Whether the account is blocked.
    pub(super) blocked: bool,
    /// Whether he switched payment by code off.
    pub(super) code_off: bool,
}

impl Default for Wallet {
    fn default() -> Self {
        Self {
            balance_fen: None,
            packet_fen: 0,
            point_fen: 0,
            coupon_fen: 0,
            channel: "ALIPAYACCOUNT".to_owned(),
            blocked: false,
            code_off: false,
        }
    }
}

impl Wallet {
    /// Whether such a channel exists.
    pub(super) fn is_channel(name: &str) -> bool {
        CHANNELS.iter().any(|(known, _)| *known == name)
    }

    /// Whether the merchant's list of disabled channels leaves the user's own money out.
    pub(super) fn is_disabled_by(&self, disabled: &[String]) -> bool {
        let names = CHANNELS.iter().find(|(known, _)| *known == self.channel);
        names.is_some_and(|(_, names)| disabled.iter().any(|name| names.contains(&name.as_str())))
    }

    /// Whether these parts can be paid from it now.
    pub(super) fn covers(&self, parts: Parts) -> Result<(), Failure> {
        if self.blocked {
            return Err(Failure::acq("BUYER_ENABLE_STATUS_FORBID"));
        }
        let has_enough = self.balance_fen.is_none_or(|balance_fen| balance_fen >= parts.own_fen);
        if !has_enough || self.packet_fen < parts.packet_fen || self.point_fen < parts.point_fen {
            return Err(Failure::acq(if self.channel == "BANKCARD" {
                "BUYER_BANKCARD_BALANCE_NOT_ENOUGH"
            } else {
                "BUYER_BALANCE_NOT_ENOUGH"
            }));
        }
        Ok(())
    }

    /// Takes what was paid out of it.
    fn take(&mut self, parts: Parts) {
        self.balance_fen = self.balance_fen.map(|fen| fen.saturating_sub(parts.own_fen));
        self.packet_fen = self.packet_fen.saturating_sub(parts.packet_fen);
        self.point_fen = self.point_fen.saturating_sub(parts.point_fen);
    }

    /// Puts back what was refunded.
    fn put_back(&mut self, parts: Parts) {
        self.balance_fen = self.balance_fen.map(|fen| fen.saturating_add(parts.own_fen));
        self.packet_fen = self.packet_fen.saturating_add(parts.packet_fen);
        self.point_fen = self.point_fen.saturating_add(parts.point_fen);
    }
}

/// The wallet of this user.
pub(super) fn of(tx: &Tx<'_>, user_id: &str) -> Wallet {
    tx.get(TABLE, user_id).unwrap_or_default()
}

/// Writes a wallet down.
pub(super) fn save(tx: &mut Tx<'_>, user_id: &str, wallet: &Wallet) {
    tx.put(TABLE, user_id, wallet);
}

/// The user paid.
pub(super) fn debit(tx: &mut Tx<'_>, user_id: &str, parts: Parts) {
    if let Some(mut wallet) = tx.get::<Wallet>(TABLE, user_id) {
        wallet.take(parts);
        save(tx, user_id, &wallet);
    }
}

/// The user got money back.
pub(super) fn credit(tx: &mut Tx<'_>, user_id: &str, parts: Parts) {
    if let Some(mut wallet) = tx.get::<Wallet>(TABLE, user_id) {
        wallet.put_back(parts);
        save(tx, user_id, &wallet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_paid_and_given_back_leaves_a_wallet_as_it_was() {
        let mut wallet = Wallet {
            balance_fen: Some(500),
            packet_fen: 20,
            ..Wallet::default()
        };
        let parts = Parts {
            own_fen: 430,
            packet_fen: 20,
            ..Parts::default()
        };
        let before = wallet.clone();
        assert!(wallet.covers(parts).is_ok());
        wallet.take(parts);
        assert_eq!(
            wallet.covers(parts).unwrap_err().sub_code,
            "ACQ.BUYER_BALANCE_NOT_ENOUGH"
        );
        wallet.put_back(parts);
        assert_eq!(wallet, before);
    }

    #[test]
    fn a_merchant_can_leave_a_channel_out() {
        let wallet = Wallet::default();
        assert!(wallet.is_disabled_by(&["pcredit".to_owned(), "balance".to_owned()]));
        assert!(!wallet.is_disabled_by(&["pcredit".to_owned()]));
        assert!(Wallet::is_channel("PCREDIT") && !Wallet::is_channel("GOLD"));
    }
}
