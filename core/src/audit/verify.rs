//! The check of the invariants: what anyone may run against the books, in one snapshot.

mod owed;

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::DatabaseTransaction;
use serde::Serialize;

use crate::id::PayNo;
use crate::invariant::Invariant;
use crate::ledger::account::{FEE, clearing, payable};
use crate::ledger::seal;
use crate::money::Fen;
use crate::payment::{Payment, PaymentState, ReversalMark};
use crate::problem::Problem;
use crate::refund::{Refund, RefundKind, RefundState};
use crate::reversal::{Reversal, ReversalResult, ReversalState};
use crate::rule::repeat::Again;
use crate::rules::Rules;
use crate::store::{self, Db};

/// What the check of one invariant found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The invariant.
    pub invariant: Invariant,
    /// How many things were looked at.
    pub checked: u64,
    /// Where it does not hold, in words.
    pub breaches: Vec<String>,
}

impl Finding {
    fn new(invariant: Invariant) -> Self {
        Self {
            invariant,
            checked: 0,
            breaches: Vec::new(),
        }
    }

    fn check(&mut self, holds: bool, breach: impl FnOnce() -> String) {
        self.checked = self.checked.saturating_add(1);
        if !holds {
            self.breaches.push(breach());
        }
    }
}

/// Rows read at a time.
const PAGE: u64 = 1_000;

/// Checks the invariants as far as the database shows them, in one snapshot.
///
/// # Errors
/// When the database does not answer.
pub async fn verify(db: &Db, rules: &dyn Rules) -> Result<Vec<Finding>, Problem> {
    let tx = db.snapshot().await?;
    let books = Books::read(&tx).await?;
    Ok(vec![
        journals_sum_to_zero(&tx).await?,
        balances_are_sums(&tx).await?,
        entries_are_chained(&tx).await?,
        one_debit_per_request(&books),
        one_debit_per_code(&books),
        refunds_within_payment(&books),
        one_refund_per_number(&books),
        reversal_excludes_refunds(&books),
        splits_conserve(&tx, &books).await?,
        owed::changes_are_owed(&tx, &books).await?,
        decisions_repeat(&tx, &books, rules).await?,
    ])
}

/// The orders, read whole: the check is for a person's terminal, not for a hot path.
struct Books {
    payments: Vec<Payment>,
    refunds: BTreeMap<PayNo, Vec<Refund>>,
    reversals: BTreeMap<PayNo, Reversal>,
}

impl Books {
    async fn read(tx: &DatabaseTransaction) -> Result<Self, Problem> {
        let mut payments: Vec<Payment> = Vec::new();
        loop {
            let after = payments.last().map(|payment| payment.pay_no.clone());
            let page = store::payment::page_after(tx, after, PAGE).await?;
            if page.is_empty() {
                break;
            }
            payments.extend(page);
        }
        let mut refunds: BTreeMap<PayNo, Vec<Refund>> = BTreeMap::new();
        let mut after = None;
        loop {
            let page = store::refund::page_after(tx, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.refund_no.clone());
            for refund in page {
                refunds.entry(refund.pay_no.clone()).or_default().push(refund);
            }
        }
        let reversals = store::reversal::all(tx).await?;
        let reversals = reversals
            .into_iter()
            .map(|reversal| (reversal.pay_no.clone(), reversal))
            .collect();
        Ok(Self {
            payments,
            refunds,
            reversals,
        })
    }

    fn refunds_of(&self, payment: &Payment) -> &[Refund] {
        self.refunds.get(&payment.pay_no).map_or(&[], Vec::as_slice)
    }
}

async fn journals_sum_to_zero(tx: &DatabaseTransaction) -> Result<Finding, Problem> {
    let mut finding = Finding::new(Invariant::JournalsSumToZero);
    finding.checked = store::entry::count_journals(tx).await?;
    for sum in store::entry::unbalanced_journals(tx).await? {
        finding
            .breaches
            .push(format!("journal {} sums to {}", sum.heading, sum.amount.unwrap_or(0)));
    }
    let sums = store::entry::sums_by_account(tx).await?;
    let total: i128 = sums.iter().map(|sum| i128::from(sum.amount.unwrap_or(0))).sum();
    finding.check(total == 0, || format!("all accounts together sum to {total}"));
    Ok(finding)
}

async fn balances_are_sums(tx: &DatabaseTransaction) -> Result<Finding, Problem> {
    let mut finding = Finding::new(Invariant::BalancesAreSums);
    let sums = store::entry::sums_by_account(tx).await?;
    let sums: BTreeMap<String, i64> = sums
        .into_iter()
        .map(|sum| (sum.heading, sum.amount.unwrap_or(0)))
        .collect();
    let shown = crate::ledger::balance::in_snapshot(tx).await?;
    for account in sums.keys().chain(shown.keys()).collect::<BTreeSet<_>>() {
        let (sum, shown) = (
            sums.get(account).copied().unwrap_or(0),
            shown.get(account).copied().unwrap_or(0),
        );
        finding.check(sum == shown, || {
            format!("account {account} shows {shown}, its entries sum to {sum}")
        });
    }
    Ok(finding)
}

async fn entries_are_chained(tx: &DatabaseTransaction) -> Result<Finding, Problem> {
    let mut finding = Finding::new(Invariant::EntriesAreChained);
    let mut previous = "0".repeat(64);
    let mut through = 0;
    for block in store::block::all(tx).await? {
        let mut entries = Vec::new();
        loop {
            let page = store::entry::between(tx, through, block.last_entry, PAGE).await?;
            if page.is_empty() {
                break;
            }
            entries.extend(page);
            through = entries.last().map_or(through, |entry| entry.entry_id);
        }
        let holds = block.previous_hash == previous && block.hash == seal::hash(&previous, &entries);
        finding.check(holds, || {
            format!(
                "block {} does not fit its entries {}..={}",
                block.block_no, block.first_entry, block.last_entry
            )
        });
        (previous, through) = (block.hash, block.last_entry);
    }
    Ok(finding)
}

async fn decisions_repeat(tx: &DatabaseTransaction, books: &Books, rules: &dyn Rules) -> Result<Finding, Problem> {
    let mut finding = Finding::new(Invariant::DecisionsRepeat);
    let mut again = Again::new(rules);
    for payment in &books.payments {
        let differs = again.differs(tx, payment).await?;
        let breach = || format!("payment {}: {}", payment.pay_no, differs.clone().unwrap_or_default());
        finding.check(differs.is_none(), breach);
    }
    Ok(finding)
}

fn one_debit_per_request(books: &Books) -> Finding {
    let mut finding = Finding::new(Invariant::OneDebitPerRequest);
    let mut seen = BTreeSet::new();
    for payment in &books.payments {
        let new = seen.insert((&payment.mch_id, &payment.out_request_no));
        finding.check(new, || {
            format!(
                "{} of merchant {} has two payments",
                payment.out_request_no, payment.mch_id
            )
        });
    }
    finding
}

fn one_debit_per_code(books: &Books) -> Finding {
    let mut finding = Finding::new(Invariant::OneDebitPerCode);
    let mut seen = BTreeSet::new();
    for payment in &books.payments {
        // A code of the channel's own is single at the channel, and not known to us.
        if let Some(code_id) = &payment.code_id {
            finding.check(seen.insert(code_id), || format!("code {code_id} has two payments"));
        }
    }
    finding
}

fn refunds_within_payment(books: &Books) -> Finding {
    let mut finding = Finding::new(Invariant::RefundsWithinPayment);
    for payment in &books.payments {
        let sum = |counts: fn(&Refund) -> bool| {
            let asked = books
                .refunds_of(payment)
                .iter()
                .filter(|refund| refund.kind == RefundKind::Asked);
            asked
                .filter(|refund| counts(refund))
                .map(|refund| u128::from(refund.amount.get()))
                .sum::<u128>()
        };
        let reserved = sum(|refund| refund.state != RefundState::Failed);
        let refunded = sum(|refund| refund.state == RefundState::Done);
        let (no, amount) = (&payment.pay_no, payment.amount);
        finding.check(reserved <= u128::from(amount.get()), || {
            format!("{no}: refunds of {reserved} exceed {amount}")
        });
        finding.check(reserved == u128::from(payment.refund_reserved.get()), || {
            format!(
                "{no}: {} are reserved, the refunds are {reserved}",
                payment.refund_reserved
            )
        });
        finding.check(refunded == u128::from(payment.refunded.get()), || {
            format!(
                "{no}: {} are counted as refunded, the refunds are {refunded}",
                payment.refunded
            )
        });
        finding.check(reserved == 0 || payment.state == PaymentState::Success, || {
            format!("{no}: refunds on a payment that is {:?}", payment.state)
        });
    }
    finding
}

fn one_refund_per_number(books: &Books) -> Finding {
    let mut finding = Finding::new(Invariant::OneRefundPerNumber);
    let mut seen = BTreeSet::new();
    for refund in books.refunds.values().flatten() {
        let new = seen.insert((&refund.mch_id, &refund.out_refund_no));
        finding.check(new, || {
            format!("{} of merchant {} has two refunds", refund.out_refund_no, refund.mch_id)
        });
    }
    finding
}

fn reversal_excludes_refunds(books: &Books) -> Finding {
    let mut finding = Finding::new(Invariant::ReversalExcludesRefunds);
    for payment in &books.payments {
        let no = &payment.pay_no;
        let both = payment.refund_reserved > Fen::ZERO && payment.reversal != ReversalMark::None;
        finding.check(!both, || format!("{no}: refunded and reversed"));
        let expected = match books.reversals.get(no).map(|reversal| reversal.state) {
            None | Some(ReversalState::Refused) => ReversalMark::None,
            Some(ReversalState::Requested) => ReversalMark::Asked,
            Some(ReversalState::Done) => ReversalMark::Done,
        };
        finding.check(payment.reversal == expected, || {
            format!("{no}: marked {:?}, its reversal says {expected:?}", payment.reversal)
        });
    }
    finding
}

/// What the ledger holds for each payment is what the orders say: paid, given back, and the fee shared between them.
async fn splits_conserve(tx: &DatabaseTransaction, books: &Books) -> Result<Finding, Problem> {
    let mut finding = Finding::new(Invariant::SplitsConserve);
    for payment in &books.payments {
        let no = &payment.pay_no;
        finding.check(payment.coupon <= payment.amount, || {
            format!("{no}: the coupon is more than the amount")
        });
        finding.check(payment.fee <= payment.amount, || {
            format!("{no}: the fee is more than the amount")
        });
        let mut sums: BTreeMap<String, i128> = BTreeMap::new();
        for (_, entries) in store::entry::of_payment(tx, no).await? {
            for entry in entries {
                let sum = sums.entry(entry.account).or_default();
                *sum = sum.saturating_add(i128::from(entry.amount));
            }
        }
        let expected = Expected::of(payment, books);
        for (account, amount) in [
            (clearing(&payment.account_id), expected.held),
            (payable(&payment.mch_id), expected.credited.saturating_neg()),
            (FEE.to_owned(), expected.fee.saturating_neg()),
        ] {
            let sum = sums.get(&account).copied().unwrap_or(0);
            finding.check(sum == amount, || {
                format!("{no}: {account} should be {amount}, the ledger says {sum}")
            });
        }
    }
    Ok(finding)
}

/// What the orders say about a payment's money, in fen.
struct Expected {
    /// What the channel holds of it.
    held: i128,
    /// What the merchant is owed of it.
    credited: i128,
    /// What the platform earned on it.
    fee: i128,
}

impl Expected {
    fn of(payment: &Payment, books: &Books) -> Self {
        let refunds = books.refunds_of(payment);
        let amount = i128::from(payment.amount.get());
        if payment.state != PaymentState::Success {
            // Late money is held by the channel until it is back, and owed to nobody but the payer.
            let late = refunds.iter().find(|refund| refund.kind == RefundKind::Compensation);
            let open = late.is_some_and(|refund| refund.state != RefundState::Done);
            return Self {
                held: if open { amount } else { 0 },
                credited: 0,
                fee: 0,
            };
        }
        let reversal = books.reversals.get(&payment.pay_no);
        if reversal.is_some_and(|reversal| reversal.result == Some(ReversalResult::MoneyBack)) {
            return Self {
                held: 0,
                credited: 0,
                fee: 0,
            };
        }
        let (mut held, mut fee) = (amount, i128::from(payment.fee.get()));
        for refund in refunds.iter().filter(|refund| refund.state == RefundState::Done) {
            held = held.saturating_sub(i128::from(refund.amount.get()));
            fee = fee.saturating_sub(i128::from(refund.fee_back.get()));
        }
        Self {
            held,
            credited: held.saturating_sub(fee),
            fee,
        }
    }
}
