//! The cards of the sample wallets. None of these numbers was ever issued.

use sha2::{Digest as _, Sha256};

/// The phone that every sample card is registered with; no such line was ever given out.
pub(super) const PHONE: &str = "13800138000";

/// The number on the back of every sample card.
pub(super) const CVN2: &str = "123";

/// A card that a user can choose.
pub(super) struct Card {
    pub(super) number: &'static str,
    pub(super) bank: &'static str,
    /// The code that its bank answers payments with.
    pays: &'static str,
    /// Its bank takes no undos (unionpay reference, 5.1).
    refuses_undo: bool,
}

impl Card {
    /// The last four digits: all that the user sees.
    pub(super) fn tail(&self) -> &'static str {
        &self.number[self.number.len() - 4..]
    }
}

const fn sound(number: &'static str, bank: &'static str) -> Card {
    Card {
        number,
        bank,
        pays: "00",
        refuses_undo: false,
    }
}

/// The cards in every sample wallet: sound ones first, then those with which something is wrong.
pub(super) const CARDS: [Card; 7] = [
    sound("6216261000000000018", "示例银行 借记卡"),
    sound("6216261000000000026", "示例银行 信用卡"),
    sound("6216261000000000034", "样本商业银行 借记卡"),
    Card {
        pays: "64",
        ..sound("6216261000000000042", "示例银行 余额不足的卡")
    },
    Card {
        pays: "63",
        ..sound("6216261000000000059", "示例银行 已挂失的卡")
    },
    Card {
        pays: "73",
        ..sound("6216261000000000067", "示例银行 已过期的卡")
    },
    Card {
        refuses_undo: true,
        ..sound("6216261000000000075", "样本村镇银行 不支持撤销的卡")
    },
];

/// The sample card of this number.
pub(super) fn find(number: &str) -> Option<&'static Card> {
    CARDS.iter().find(|card| card.number == number)
}

/// The sample card that ends with these digits.
pub(super) fn by_tail(tail: &str) -> Option<&'static Card> {
    CARDS.iter().find(|card| card.tail() == tail)
}

/// The code that the bank of a card answers payments with. Cards that no list names are sound.
pub(super) fn pays(number: &str) -> &'static str {
    find(number).map_or("00", |card| card.pays)
}

/// Whether the bank of a card takes no undos.
pub(super) fn refuses_undo(number: &str) -> bool {
    find(number).is_some_and(|card| card.refuses_undo)
}

/// A user's own card: the same for the same name, and hardly the same for two.
pub(super) fn of_user(name: &str) -> String {
    let digest = Sha256::digest(name);
    let digits = digest.iter().take(13).map(|byte| char::from(b'0' + byte % 10));
    "621626".chars().chain(digits).collect()
}

/// A card number as others may see it.
pub(super) fn masked(number: &str) -> String {
    match (
        number.get(..6),
        number.len().checked_sub(4).and_then(|at| number.get(at..)),
    ) {
        (Some(first), Some(last)) if number.len() > 10 => format!("{first}******{last}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_number_shows_six_digits_and_four() {
        assert_eq!(masked("6216261000000000018"), "621626******0018");
        assert_eq!(masked("12345"), "");
    }

    #[test]
    fn users_have_cards_of_their_own() {
        let (one, other) = (of_user("小王"), of_user("小李"));
        assert!(one.len() == 19 && one.bytes().all(|b| b.is_ascii_digit()) && one.starts_with("621626"));
        assert_eq!(one, of_user("小王"));
        assert_ne!(one, other);
    }
}
