//! Undoing a payment whatever its state: reversal, undo, or refund of everything.
//!
//! UnionPay reference, 5.1, 5.2 and 5.5. Nothing is remembered between calls: each looks at the original, at the undo
//! and at the fallback refund, and goes on where they stand.

use std::time::Duration;

use chrono::{NaiveDate, Timelike};
use metropay_core::channel::{CallError, Called, Outcome, PaymentRef, ReverseQuestion, Reversed};
use metropay_core::clock::Time;

use crate::Unionpay;
use crate::call::{BACK, Kind, OrderKey, behind_a_call};
use crate::codes::{Class, Verdict, find};
use crate::query::{Found, Move, Moved, Order};

/// When "no such order" may prove that there will be none: 60 s, and the repeat 30 s later (UnionPay reference, 5.4).
const ABSENCE_PROVES: Duration = Duration::from_secs(90);
/// How long a reversal that was accepted may take to show in queries (UnionPay reference, 5.2).
const REVERSAL_SHOWS: Duration = Duration::from_secs(30);
/// "The original is already undone or refunded."
const ALREADY_BACK: &str = "45";
/// "The original is missing or in the wrong state": for a repeated reversal, that it had worked.
const WRONG_STATE: &str = "35";

impl Unionpay {
    pub(crate) async fn undo_whatever(&self, question: &ReverseQuestion) -> Called<Reversed> {
        let original = Order::of(&question.payment);
        let mut found = self.find(original).await?;
        let mut reversed = false;
        if matches!(found, Found::Running | Found::Unclear(_) | Found::Absent) {
            if self.same_clearing_day(&question.payment) {
                reversed = self.reversal(&question.payment).await.map_err(behind_a_call)?;
            }
            found = self.find(original).await.map_err(behind_a_call)?;
        }
        match found {
            Found::Failed(_) => Ok(Outcome::Done(Reversed::NeverPaid)),
            // Behind an accepted reversal, whatever is neither success nor running means that it worked (5.2).
            Found::Unclear(_) if reversed => Ok(Outcome::Done(Reversed::NeverPaid)),
            Found::Absent if self.absence_proves(question) => Ok(Outcome::Done(Reversed::NeverPaid)),
            Found::Unclear(_) | Found::Running | Found::Absent => Ok(Outcome::Pending),
            Found::Done(_) if reversed || self.reversal_may_run(question) => Ok(Outcome::Pending),
            Found::Done(paid) => self.give_all_back(question, paid).await.map_err(behind_a_call),
        }
    }

    /// Sends the reversal (99) of an order whose outcome is not known. Says whether the gateway took it, now or before.
    async fn reversal(&self, payment: &PaymentRef) -> Result<bool, CallError> {
        let kind = Kind {
            txn_type: "99",
            txn_sub_type: "01",
            biz_type: "000000",
        };
        let mut fields = self.message(kind, Order::of(payment).key);
        let channel_type = self.words(payment.product).channel_type;
        fields.insert("channelType".to_owned(), channel_type.to_owned());
        let answer = self.ask(BACK, fields, self.account.patience.back).await?;
        let code = find(answer.code());
        let taken = code.is_some_and(|code| code.class == Class::Success);
        Ok(taken || [ALREADY_BACK, WRONG_STATE].contains(&answer.code()))
    }

    /// A payment of which the engine did not know that it succeeded may have a reversal on its way, sent by an earlier
    /// call; until that shows, nothing is sent back beside it.
    fn reversal_may_run(&self, question: &ReverseQuestion) -> bool {
        question.payment.channel_no.is_none() && self.setting.clock.now().since(question.at) < REVERSAL_SHOWS
    }

    /// Nobody sends a payment after its reversal was written down, so that from then on the time runs.
    fn absence_proves(&self, question: &ReverseQuestion) -> bool {
        let last = question.at.max(question.payment.at);
        self.setting.clock.now().since(last) >= ABSENCE_PROVES
    }

    /// Undoes a payment that succeeded: by undo on its clearing day, else, or where undo is refused, by refund.
    async fn give_all_back(&self, question: &ReverseQuestion, paid: Moved) -> Called<Reversed> {
        let number = fallback(question.no.as_str());
        let undo = back(question, Move::Undo, question.no.as_str());
        let refund = back(question, Move::Refund, &number);
        let undone = self.find(undo).await?;
        match &undone {
            Found::Done(moved) => return Ok(money_back(paid, Some(moved.channel_no.clone()))),
            Found::Running | Found::Unclear(_) => return Ok(Outcome::Pending),
            Found::Absent | Found::Failed(_) => {}
        }
        match self.find(refund).await? {
            Found::Done(moved) => return Ok(money_back(paid, Some(moved.channel_no))),
            Found::Running | Found::Unclear(_) => return Ok(Outcome::Pending),
            Found::Failed(why) => return Ok(Outcome::Refused(why)),
            Found::Absent => {}
        }
        let echo = Some(question.payment.no.as_str());
        if undone == Found::Absent && self.same_clearing_day(&question.payment) {
            match self.send_back(undo, &paid.channel_no, echo).await? {
                Verdict::Refused(why) => tracing::info!(
                    payment = %question.payment.no, code = why.code,
                    "the undo of payment {} is refused ({}); it is refunded", question.payment.no, why.code
                ),
                _ => return Ok(Outcome::Pending),
            }
        }
        match self.send_back(refund, &paid.channel_no, echo).await? {
            Verdict::Refused(why) if why.code == ALREADY_BACK => self.already_back(undo, paid).await,
            // A payment of which we did not know that it succeeded was reversed before anything else was tried: "wrong state"
            // means then that the reversal had worked after all (UnionPay reference, 5.2).
            Verdict::Refused(why) if why.code == WRONG_STATE && question.payment.channel_no.is_none() => {
                self.already_back(undo, paid).await
            }
            Verdict::Refused(why) => Ok(Outcome::Refused(why)),
            _ => Ok(Outcome::Pending),
        }
    }

    /// The gateway signed that everything went back already: by our undo, if that shows now, else by the reversal.
    async fn already_back(&self, undo: Order<'_>, paid: Moved) -> Called<Reversed> {
        Ok(match self.find(undo).await? {
            Found::Done(moved) => money_back(paid, Some(moved.channel_no)),
            Found::Running | Found::Unclear(_) => Outcome::Pending,
            Found::Absent | Found::Failed(_) => money_back(paid, None),
        })
    }

    fn same_clearing_day(&self, payment: &PaymentRef) -> bool {
        let cut = self.account.clearing_cut;
        let day = |time: Time| clearing_day(time, cut.num_seconds_from_midnight());
        day(payment.at) == day(self.setting.clock.now())
    }
}

/// The clearing day of a moment: it begins at the cut of the day before (UnionPay reference, 5.1).
fn clearing_day(time: Time, cut_seconds: u32) -> NaiveDate {
    let rest = Duration::from_secs(u64::from(86_400_u32.saturating_sub(cut_seconds)));
    time.plus(rest).in_china().date_naive()
}

fn back<'a>(question: &'a ReverseQuestion, moves: Move, order_id: &'a str) -> Order<'a> {
    Order {
        key: OrderKey {
            order_id,
            at: question.at,
        },
        moves,
        amount: question.payment.amount,
        product: question.payment.product,
    }
}

/// The number of the refund behind an undo that was refused: the reversal's own with another first letter, which no
/// number of ours begins with. Equal on every repeat.
fn fallback(reversal: &str) -> String {
    let first = if reversal.starts_with('W') { 'V' } else { 'W' };
    let rest = reversal.get(1..).unwrap_or_default();
    format!("{first}{rest}")
}

/// Our number of a movement back, as the engine knows it, by the number that it has at UnionPay: behind a refused undo the
/// refund is the same reversal.
pub(crate) fn own_number(order_id: &str) -> String {
    match order_id.strip_prefix('W') {
        Some(rest) => format!("V{rest}"),
        None => order_id.to_owned(),
    }
}

fn money_back(paid: Moved, channel_no: Option<String>) -> Outcome<Reversed> {
    Outcome::Done(Reversed::MoneyBack {
        paid: Some(paid.into()),
        channel_no,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clearing_day_changes_at_the_cut() {
        let day = |text: &str| clearing_day(Time::parse_china(text, "%Y%m%d%H%M%S").unwrap(), 23 * 3_600);
        assert_eq!(day("20250301225959"), NaiveDate::from_ymd_opt(2025, 3, 1).unwrap());
        assert_eq!(day("20250301230000"), NaiveDate::from_ymd_opt(2025, 3, 2).unwrap());
        assert_eq!(day("20250302120000"), NaiveDate::from_ymd_opt(2025, 3, 2).unwrap());
        assert_eq!(day("20251231233000"), NaiveDate::from_ymd_opt(2026, 1, 1).unwrap());
    }

    #[test]
    fn the_fallback_number_is_another_and_always_the_same() {
        let no = "V20250301123456789ABCDEFGHJKLM";
        assert_eq!(fallback(no), "W20250301123456789ABCDEFGHJKLM");
        assert_eq!(fallback(no), fallback(no));
        assert_ne!(fallback("W123"), "W123");
        assert_eq!(own_number(&fallback(no)), no);
        assert_eq!(
            own_number("R20250301123456789ABCDEFGHJKLM"),
            "R20250301123456789ABCDEFGHJKLM"
        );
    }
}
