//! The proof of the books: every invariant that the database shows, and every movement at the gateways against the order
//! that it belongs to.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use metropay_core::audit::verify::verify;
use metropay_core::engine::Engine;
use metropay_core::id::{MchId, PayNo};
use metropay_core::ledger::{balance, seal};
use metropay_core::payment::{OrderKey, Payment, PaymentState, ReversalMark, find};
use metropay_core::problem::Code;
use metropay_simulator::{Movement, MovementKind};
use serde_json::Value;

/// Checks the invariants that the database shows.
///
/// # Errors
/// When one does not hold; it is named.
pub(crate) async fn hold(engine: &Engine) -> Result<()> {
    while seal::seal(engine).await? > 0 {}
    for finding in verify(&engine.db, &*engine.rules).await? {
        let invariant = finding.invariant;
        ensure!(
            finding.breaches.is_empty(),
            "{} ({}): {:?}",
            invariant.id(),
            invariant.says(),
            finding.breaches
        );
    }
    Ok(())
}

/// Compares the books with the gateways' own (INV-04 to 08, 11, 12, 14).
///
/// # Errors
/// When they differ; the order or the account is named.
pub(crate) async fn compare(engine: &Engine, merchants: &[String], books: Vec<Value>) -> Result<()> {
    let books: Vec<Movement> = books
        .into_iter()
        .map(serde_json::from_value)
        .collect::<Result<_, _>>()
        .context("the gateways' books cannot be read")?;
    sums(engine, &books).await?;
    let mut orders: BTreeMap<&str, Vec<&Movement>> = BTreeMap::new();
    for movement in &books {
        orders.entry(&movement.payment_no).or_default().push(movement);
    }
    let (mut codes, mut payers) = (BTreeMap::new(), BTreeMap::new());
    for (no, movements) in orders {
        let payment = order(engine, merchants, no).await?;
        order_holds(&payment, &movements).with_context(|| format!("order {no}, which is {:?}", payment.state))?;
        // Where the channel's own payment code was scanned, the channel alone knows who paid.
        let (Some(code), Some(uid)) = (payment.code_id, payment.uid) else {
            continue;
        };
        if let Some(other) = codes.insert(code, no) {
            bail!("INV-06: one code was debited for {other} and for {no}");
        }
        let payer = (
            movements[0].gateway,
            movements[0].account.clone(),
            movements[0].payer.clone(),
        );
        let of = payers.entry(payer).or_insert_with(|| uid.clone());
        ensure!(*of == uid, "INV-08: {no} of {uid} was debited to {of}");
    }
    Ok(())
}

/// The ledger's clearing accounts hold what stands at the gateways, channel by channel.
async fn sums(engine: &Engine, books: &[Movement]) -> Result<()> {
    let balances = balance::all(engine).await?;
    for channel in crate::channel::ALL {
        let held: i64 = balances
            .iter()
            .filter(|(account, _)| account.starts_with("clearing:") && account.ends_with(channel.id))
            .map(|(_, sum)| *sum)
            .sum();
        let own = books.iter().filter(|movement| movement.gateway == channel.gateway);
        let net: i64 = own.map(signed).sum();
        ensure!(
            held == net,
            "INV-04: the ledger says that {} holds {held} fen, the gateway says {net}",
            channel.id
        );
    }
    Ok(())
}

fn signed(movement: &Movement) -> i64 {
    let amount = movement.amount_fen.cast_signed();
    if movement.kind == MovementKind::Debit {
        amount
    } else {
        -amount
    }
}

/// The order that a movement belongs to: of exactly one merchant, written down before (INV-07).
async fn order(engine: &Engine, merchants: &[String], no: &str) -> Result<Payment> {
    let mut found = None;
    for merchant in merchants {
        let key = OrderKey {
            out_request_no: None,
            pay_no: Some(PayNo::from(no)),
        };
        match find::find(engine, &MchId::from(merchant.as_str()), &key).await {
            Ok(payment) => ensure!(found.replace(payment).is_none(), "INV-20: {no} has two owners"),
            Err(problem) if problem.code == Code::OrderNotFound => {}
            Err(problem) => return Err(problem.into()),
        }
    }
    found.with_context(|| format!("INV-07: money moved for {no}, which nobody wrote down"))
}

/// What stands at the gateway for an order is what the order says, and never more went back than had come.
fn order_holds(payment: &Payment, movements: &[&Movement]) -> Result<()> {
    let mut debits = movements.iter().filter(|movement| movement.kind == MovementKind::Debit);
    let debit = debits.next().context("INV-08: money went back that had not come")?;
    ensure!(debits.next().is_none(), "INV-05: it was debited twice");
    ensure!(
        debit.amount_fen == payment.amount.get(),
        "INV-08: another amount was debited"
    );
    ensure!(
        debit.at_ms >= payment.created_at.0,
        "INV-07: it was debited before it was written down"
    );
    let (mut net, mut numbers) = (0_i64, BTreeSet::new());
    for movement in movements {
        net += signed(movement);
        ensure!(net >= 0, "INV-11: more went back than had come");
        ensure!(
            numbers.insert((movement.kind == MovementKind::Debit, &movement.order_no)),
            "INV-12: {} moved money twice",
            movement.order_no
        );
    }
    let stands = match (payment.state, payment.reversal) {
        (PaymentState::Success, ReversalMark::Done) => 0,
        (PaymentState::Success, _) => payment.amount.signed() - payment.refunded.signed(),
        // What came all the same has gone back by itself (INV-14).
        (PaymentState::Failed | PaymentState::Closed, _) => 0,
        (PaymentState::Paying, _) => bail!("INV-15: it has no end"),
    };
    ensure!(
        net == stands,
        "INV-08: {net} fen stand at the gateway, the order says {stands}"
    );
    Ok(())
}
