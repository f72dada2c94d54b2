//! Posting: what each event of business does to the accounts (INV-16).

use sea_orm::DatabaseTransaction;

use super::account::{COMPENSATION, FEE, clearing, payable};
use crate::clock::Time;
use crate::money::Fen;
use crate::payment::Payment;
use crate::problem::{Code, Problem};
use crate::refund::Refund;
use crate::store;
use crate::store::entry::journal::Model as Journal;

/// A payment came: the channel holds it, the merchant is owed it less the fee.
pub(crate) async fn payment(tx: &DatabaseTransaction, payment: &Payment, now: Time) -> Result<(), Problem> {
    let (journal, entries) = of_payment(payment, now)?;
    write(tx, journal, entries.into()).await
}

/// The journal of a payment that came, and its entries: account and signed amount in fen.
pub(crate) fn of_payment(payment: &Payment, now: Time) -> Result<(Journal, [(String, i64); 3]), Problem> {
    let entries = moved(payment, payment.amount, payment.fee, 1)?;
    let journal = journal("pay", payment.pay_no.as_str(), payment, now);
    balanced(&journal, &entries);
    Ok((journal, entries))
}

/// A payment was undone: the mirror image of its coming.
pub(crate) async fn reversal(tx: &DatabaseTransaction, payment: &Payment, now: Time) -> Result<(), Problem> {
    post(
        tx,
        "reverse",
        payment.pay_no.as_str(),
        payment,
        moved(payment, payment.amount, payment.fee, -1)?.into(),
        now,
    )
    .await
}

/// A part of a payment went back, and with it a part of the fee.
pub(crate) async fn refund(
    tx: &DatabaseTransaction,
    payment: &Payment,
    refund: &Refund,
    fee_back: Fen,
    now: Time,
) -> Result<(), Problem> {
    post(
        tx,
        "refund",
        refund.refund_no.as_str(),
        payment,
        moved(payment, refund.amount, fee_back, -1)?.into(),
        now,
    )
    .await
}

/// Money came for a payment that had been closed: the channel holds it, and it is to be given back.
pub(crate) async fn late(tx: &DatabaseTransaction, payment: &Payment, now: Time) -> Result<(), Problem> {
    let amount = payment.amount.signed();
    let entries = vec![
        (clearing(&payment.account_id), amount),
        (COMPENSATION.to_owned(), negative(amount)?),
    ];
    post(tx, "late", payment.pay_no.as_str(), payment, entries, now).await
}

/// Money that had come for a closed payment went back.
pub(crate) async fn compensation(
    tx: &DatabaseTransaction,
    payment: &Payment,
    refund: &Refund,
    now: Time,
) -> Result<(), Problem> {
    let amount = refund.amount.signed();
    let entries = vec![
        (COMPENSATION.to_owned(), amount),
        (clearing(&payment.account_id), negative(amount)?),
    ];
    post(tx, "compensate", refund.refund_no.as_str(), payment, entries, now).await
}

/// Money between the channel, the merchant and the platform; `sign` 1 for in, −1 for out.
fn moved(payment: &Payment, amount: Fen, fee: Fen, sign: i64) -> Result<[(String, i64); 3], Problem> {
    let credited = amount.minus(fee)?;
    let signed = |fen: Fen, sign: i64| {
        fen.signed()
            .checked_mul(sign)
            .ok_or_else(|| Problem::new(Code::Internal))
    };
    Ok([
        (clearing(&payment.account_id), signed(amount, sign)?),
        (payable(&payment.mch_id), signed(credited, negative(sign)?)?),
        (FEE.to_owned(), signed(fee, negative(sign)?)?),
    ])
}

fn negative(amount: i64) -> Result<i64, Problem> {
    amount.checked_neg().ok_or_else(|| Problem::new(Code::Internal))
}

async fn post(
    tx: &DatabaseTransaction,
    kind: &str,
    subject: &str,
    payment: &Payment,
    entries: Vec<(String, i64)>,
    now: Time,
) -> Result<(), Problem> {
    write(tx, journal(kind, subject, payment, now), entries).await
}

async fn write(tx: &DatabaseTransaction, journal: Journal, mut entries: Vec<(String, i64)>) -> Result<(), Problem> {
    balanced(&journal, &entries);
    entries.retain(|(_, amount)| *amount != 0);
    Ok(store::entry::insert(tx, journal, &entries).await?)
}

/// Stays on in production: books that do not balance are worse than none.
fn balanced(journal: &Journal, entries: &[(String, i64)]) {
    let sum = entries
        .iter()
        .try_fold(0i64, |sum, (_, amount)| sum.checked_add(*amount));
    assert!(
        sum == Some(0),
        "the journal {} would not sum to zero",
        journal.journal_id
    );
}

fn journal(kind: &str, subject: &str, payment: &Payment, now: Time) -> Journal {
    Journal {
        journal_id: format!("{kind}:{subject}"),
        kind: kind.to_owned(),
        mch_id: payment.mch_id.clone(),
        pay_no: payment.pay_no.clone(),
        day: now.day(),
        posted_at: now,
    }
}
