//! The transition table of a payment, pure: what news means for a payment in a state.

use crate::channel::{Paid, Refusal, Standing};
use crate::money::Fen;
use crate::store::payment::PaymentState;

/// What is to be done about news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// PAYING becomes SUCCESS.
    Succeed(Paid),
    /// PAYING becomes FAILED or CLOSED, by this proof.
    End(PaymentState, Refusal),
    /// The payment had ended without money, and money came: give it back, and raise an alarm. The state stays.
    Compensate(Paid),
    /// The channel speaks of another amount: change nothing, raise an alarm.
    Mismatch(Paid),
    /// The channel says now that a payment was not made which it said was: change nothing, raise an alarm.
    Contradiction(Refusal),
    /// Nothing new.
    Nothing,
}

/// What news means for a payment of this amount in this state. FAILED and CLOSED are left only by nobody: a success that is
/// learned later opens a compensation (INV-09, INV-14).
pub(super) fn step(state: PaymentState, amount: Fen, news: &News) -> Step {
    match (state, news) {
        (_, News::Paid(paid)) if paid.amount != amount || paid.coupon > amount => Step::Mismatch(paid.clone()),
        (PaymentState::Paying, News::Paid(paid)) => Step::Succeed(paid.clone()),
        (PaymentState::Paying, News::Failed(proof)) => Step::End(PaymentState::Failed, proof.clone()),
        (PaymentState::Paying, News::Closed(proof)) => Step::End(PaymentState::Closed, proof.clone()),
        (PaymentState::Success, News::Paid(_)) => Step::Nothing,
        (PaymentState::Success, News::Failed(proof) | News::Closed(proof)) => Step::Contradiction(proof.clone()),
        (PaymentState::Failed | PaymentState::Closed, News::Paid(paid)) => Step::Compensate(paid.clone()),
        (PaymentState::Failed | PaymentState::Closed, _) => Step::Nothing,
    }
}

/// News about a payment that may end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The channel took the money.
    Paid(Paid),
    /// The channel refused it, by proof.
    Failed(Refusal),
    /// It was revoked or never arrived, by proof.
    Closed(Refusal),
}

impl News {
    /// What a channel's standing says; `None` where it says nothing final.
    pub fn from_standing(standing: &Standing) -> Option<Self> {
        match standing {
            Standing::Paid(paid) => Some(Self::Paid(paid.clone())),
            Standing::NotPaid(proof) => Some(Self::Failed(proof.clone())),
            Standing::Pending | Standing::Absent => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::channel::Hint;
    use crate::clock::Time;

    fn news() -> impl Strategy<Value = News> {
        let proof = || Refusal {
            code: "X".to_owned(),
            text: String::new(),
            hint: Hint::None,
        };
        prop_oneof![
            (1..4u64, 0..4u64).prop_map(|(amount, coupon)| News::Paid(Paid {
                channel_no: "n".to_owned(),
                amount: Fen::new(amount).unwrap(),
                coupon: Fen::new(coupon).unwrap(),
                paid_at: Time(0),
            })),
            Just(News::Failed(proof())),
            Just(News::Closed(proof())),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_told_in_whatever_order_an_end_stays_an_end(all in prop::collection::vec(news(), 1..12)) {
            let amount = Fen::new(2).unwrap();
            let mut state = PaymentState::Paying;
            let mut money_in = 0u32;
            let mut compensations = 0u32;
            for news in &all {
                let before = state;
                match step(state, amount, news) {
                    Step::Succeed(paid) => { prop_assert_eq!(paid.amount, amount); state = PaymentState::Success; money_in += 1; }
                    Step::End(end, _) => state = end,
                    Step::Compensate(_) => compensations += 1,
                    Step::Mismatch(paid) => prop_assert!(paid.amount != amount || paid.coupon > amount),
                    Step::Contradiction(_) => prop_assert_eq!(state, PaymentState::Success),
                    Step::Nothing => {}
                }
                if before != PaymentState::Paying { prop_assert_eq!(before, state); }
            }
            prop_assert!(money_in <= 1);
            if state == PaymentState::Success { prop_assert_eq!(compensations, 0); }
        }
    }
}
