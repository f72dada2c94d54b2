//! Adapters that are wrong on purpose: each is the right one with one mistake, and each must be caught, by the property that is
//! there for it.

use std::sync::Arc;

use metropay_channel_kit::conformance_in;

#[path = "../gateway/mod.rs"]
mod gateway;
mod wrong;

use wrong::{Mistake, WrongFactory};

/// `beside` are properties that give the mistake its chance and need not see it.
async fn caught(mistake: Mistake, by: &[&str], beside: &[&str]) {
    let gateway = gateway::Ecny::start()
        .await
        .unwrap_or_else(|error| unreachable!("{error}"));
    let report = conformance_in(Arc::new(gateway), WrongFactory(mistake), &[by, beside].concat()).await;
    let broken = report.broken();
    for property in by {
        assert!(broken.contains(property), "{mistake:?} passes {property}\n{report}");
    }
}

macro_rules! planted {
    ($($name:ident: $mistake:ident by $ids:expr $(, beside $beside:expr)?;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            caught(Mistake::$mistake, &$ids, &[$($beside)?]).await;
        }
    )*};
}

planted! {
    an_unsigned_answer_that_is_believed: BelievesUnsigned by ["lie.signature"];
    a_time_out_that_is_called_not_sent: TimeOutIsNotSent by ["answer.deduct", "answer.query"];
    a_new_number_for_a_repeat: NewNumberOnRepeat by ["number.after-break", "number.none-other"], beside "number.repeated";
    a_retry_of_a_money_call: Retries by ["answer.deduct"];
    an_amount_that_is_not_compared: AmountNotCompared by ["lie.amount", "query.paid"];
    a_refusal_for_what_is_in_progress: RefusedForPending by ["query.pending"];
    a_system_error_that_is_a_refusal: RefusedForBusy by ["lie.system-error"];
    an_absence_for_an_error: AbsentForError by ["answer.query", "lie.signature", "lie.system-error"];
    a_notice_whose_signature_is_not_verified: NoticeNotVerified by ["notice.forged", "notice.flipped"];
    a_notice_of_another_merchant_that_is_believed: OtherMerchantsNotice by ["notice.other-merchant"];
    a_notice_in_another_currency_that_is_believed: OtherCurrencysNotice by ["notice.other-currency"];
    an_answer_that_is_always_taken: AlwaysTaken by ["notice.answered"];
    a_reversal_that_begins_anew_each_time: ReverseNotReentrant by ["reverse.paid", "reverse.broken"];
    a_refund_under_a_fresh_number: RefundUnderFreshNumber by ["number.sent", "refund.repeated"];
    a_secret_in_an_error: SecretInError by ["secret.errors"], beside "answer.query";
    a_code_in_the_log: CodeInLog by ["secret.logs"], beside "code.paid";
    a_waiting_code_that_is_done: WaitingIsDone by ["code.waiting"];
    a_contract_that_ends_only_once: EndsOnce by ["contract.closed"];
    a_bill_that_was_cut_off_and_passes: CutOffPasses by ["bill.cut-off"];
    a_bill_that_is_not_made_and_passes_for_empty: NotReadyIsEmpty by ["bill.empty"];
    a_bill_that_is_held_in_memory: BillInMemory by ["bill.long"];
    a_user_whom_the_browser_names: BelievesBrowser by ["identity.told"];
}
