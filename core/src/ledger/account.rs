//! The names of the ledger's accounts.

use crate::id::{AccountId, MchId};

/// What a channel holds for a merchant: one for each channel account. Debit (positive) grows it.
pub fn clearing(account: &AccountId) -> String {
    format!("clearing:{account}")
}

/// What a merchant is owed. Credit (negative) grows it.
pub fn payable(mch_id: &MchId) -> String {
    format!("payable:{mch_id}")
}

/// What the platform earned. Credit grows it.
pub const FEE: &str = "fee";

/// Money that came for orders that had been closed, until it is given back. Credit grows it.
pub const COMPENSATION: &str = "compensation";
