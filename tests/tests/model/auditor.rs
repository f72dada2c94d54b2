//! The second model: what is known of codes, consents, numbers and orders, which answers that makes possible, and what an
//! answer teaches.

use std::collections::{BTreeMap, BTreeSet};

use metropay_core::clock::Time;
use metropay_core::code::issue;
use metropay_core::id::{MandateId, OutRefundNo, OutRequestNo, PayNo, RefundNo};
use metropay_core::limit;
use metropay_core::mandate::{self, MandateState};
use metropay_core::money::Fen;
use metropay_core::payment::{OrderKey, PayAsk, Payment, PaymentState, ReversalMark};
use metropay_core::problem::{Code, Problem};

use crate::act::{MERCHANTS, Order, Twist, USERS};
use crate::books::{self, Snapshot};
use crate::ground::{Ground, PER_DAY_FEN, PER_PAYMENT_FEN, mch_id, uid};

/// An order that was written down.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) ask: PayAsk,
    pub(crate) user: usize,
    pub(crate) pay_no: PayNo,
}

/// A code that was issued.
#[derive(Debug, Clone)]
struct Issued {
    user: usize,
    expires_at: Time,
    /// Superseded or closed; nothing where two things at once leave it open.
    ended: Option<bool>,
    used_by: Option<usize>,
}

/// A user's consent with a merchant, as the platform knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Consent {
    Yes(MandateId),
    No,
    /// The gateway has ended it without a word, or two things happened at once.
    Unsure(MandateId),
}

/// What an `applypay` may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A new order.
    Fresh,
    /// The order of this number.
    Same(PayNo),
    /// A conflict about this field.
    Conflict(&'static str),
    Refused(Code),
}

/// The second model.
pub(crate) struct Auditor {
    pub(crate) orders: BTreeMap<Order, Known>,
    tombs: BTreeSet<Order>,
    codes: BTreeMap<String, Issued>,
    last_code: [Option<String>; USERS],
    open: [bool; USERS],
    consents: BTreeMap<(usize, usize), Consent>,
    refunds: BTreeMap<(usize, u8), (Order, u64, RefundNo)>,
}

impl Auditor {
    pub(crate) fn new() -> Self {
        Self {
            orders: BTreeMap::new(),
            tombs: BTreeSet::new(),
            codes: BTreeMap::new(),
            last_code: Default::default(),
            open: [true; USERS],
            consents: BTreeMap::new(),
            refunds: BTreeMap::new(),
        }
    }

    pub(crate) async fn snapshot(&self, ground: &Ground) -> Snapshot {
        let known = self
            .orders
            .iter()
            .map(|(order, known)| (*order, known.user, known.pay_no.clone()));
        books::snapshot(ground, known).await.expect("known orders can be read")
    }

    /// The digits that a till scans: a fresh code of the user, or the last.
    pub(crate) async fn code(&mut self, ground: &Ground, user: usize, fresh: bool) -> Option<String> {
        if !fresh && self.last_code[user].is_some() {
            return self.last_code[user].clone();
        }
        let mut issued = issue::issue(&ground.engine, &uid(user), None, None).await;
        if issued.as_ref().is_err_and(|problem| problem.code == Code::RateLimited) {
            ground.advance(std::time::Duration::from_secs(61));
            issued = issue::issue(&ground.engine, &uid(user), None, None).await;
        }
        match issued {
            Ok(issued) => {
                assert!(self.open[user], "a code for a closed account");
                self.supersede(user, ground.now());
                let code = Issued {
                    user,
                    expires_at: issued.code.expires_at,
                    ended: Some(false),
                    used_by: None,
                };
                self.codes.insert(issued.digits.clone(), code);
                self.last_code[user] = Some(issued.digits.clone());
                Some(issued.digits)
            }
            Err(problem) => {
                assert_eq!(
                    (problem.code, self.open[user]),
                    (Code::CodeNotOpened, false),
                    "{problem}"
                );
                self.last_code[user].clone()
            }
        }
    }

    /// Two codes live at a time: a third ends the oldest.
    fn supersede(&mut self, user: usize, now: Time) {
        let own = self.codes.values_mut();
        let own = own.filter(|code| code.user == user && code.expires_at > now && code.ended != Some(true));
        let mut alive: Vec<&mut Issued> = own.collect();
        if alive.len() < 2 {
            return;
        }
        alive.sort_by_key(|code| code.expires_at);
        let certain = alive.iter().all(|code| code.ended == Some(false));
        let last = alive.len() - 1;
        for (n, code) in alive.into_iter().enumerate() {
            code.ended = match certain {
                true => Some(n < last),
                false => None,
            };
        }
    }

    pub(crate) fn ask(&self, order: Order, digits: &str, fen: u64) -> PayAsk {
        PayAsk {
            out_request_no: OutRequestNo(format!("N{}", order.no)),
            qrcode: digits.to_owned(),
            body: "矿泉水".to_owned(),
            total_fee: Fen::new(fen).expect("an amount"),
            extra_data: None,
            store_id: "S1".into(),
        }
    }

    /// What was asked first under this number, changed.
    pub(crate) async fn again(&mut self, ground: &Ground, order: Order, twist: Twist) -> Option<(usize, PayAsk)> {
        let Known { mut ask, user, .. } = self.orders.get(&order)?.clone();
        match twist {
            Twist::Nothing => {}
            Twist::Amount => ask.total_fee = Fen::new(ask.total_fee.get() + 1).expect("an amount"),
            Twist::Code => ask.qrcode = self.code(ground, (user + 1) % USERS, true).await?,
            Twist::Store => ask.store_id = "S2".into(),
            Twist::Body => ask.body.push('!'),
            Twist::Remark => ask.extra_data = Some("!".to_owned()),
        }
        Some((user, ask))
    }

    /// What an `applypay` may answer when the orders stand so.
    pub(crate) fn pay(&self, order: Order, ask: &PayAsk, now: Time, snapshot: &Snapshot) -> Vec<Expected> {
        if self.tombs.contains(&order) {
            return vec![Expected::Refused(Code::OrderClosed)];
        }
        if let Some(known) = self.orders.get(&order) {
            let differs = [
                ("total_fee", known.ask.total_fee != ask.total_fee),
                ("qrcode", known.ask.qrcode != ask.qrcode),
                ("store_id", known.ask.store_id != ask.store_id),
                ("body", known.ask.body != ask.body),
                ("extra_data", known.ask.extra_data != ask.extra_data),
            ];
            let field = differs.iter().find(|(_, differs)| *differs);
            return vec![field.map_or(Expected::Same(known.pay_no.clone()), |(field, _)| {
                Expected::Conflict(field)
            })];
        }
        let Some(code) = self.codes.get(&ask.qrcode) else {
            return vec![Expected::Refused(Code::CodeInvalid)];
        };
        let mut expected = Vec::new();
        if let Some(used_by) = code.used_by {
            let told = if used_by == order.merchant {
                Code::CodeUsed
            } else {
                Code::CodeInvalid
            };
            expected.push(Expected::Refused(told));
            // After a day the platform forgets codes; an old one is as unknown as none.
            if now > code.expires_at.plus(std::time::Duration::from_secs(24 * 3_600)) {
                expected.push(Expected::Refused(Code::CodeInvalid));
            }
            return expected;
        }
        if !self.open[code.user] {
            let forgotten = now > code.expires_at.plus(std::time::Duration::from_secs(24 * 3_600));
            expected.push(Expected::Refused(Code::CodeAccountClosed));
            expected.extend(forgotten.then_some(Expected::Refused(Code::CodeInvalid)));
            return expected;
        }
        if code.ended != Some(false) || code.expires_at <= now {
            expected.push(Expected::Refused(Code::CodeInvalid));
        }
        if code.ended != Some(true) && code.expires_at > now {
            expected.extend(self.decided(order, code.user, ask.total_fee.get(), now, snapshot));
        }
        expected
    }

    fn decided(&self, order: Order, user: usize, fen: u64, now: Time, snapshot: &Snapshot) -> Vec<Expected> {
        if fen > PER_PAYMENT_FEN {
            return vec![Expected::Refused(Code::LimitExceeded)];
        }
        let consent = self.consents.get(&(user, order.merchant));
        if consent == Some(&Consent::No) {
            return vec![Expected::Refused(Code::NeedMandate)];
        }
        let over = books::spent(snapshot, user, now.day()) + fen > PER_DAY_FEN;
        let mut expected = vec![if over {
            Expected::Refused(Code::LimitExceeded)
        } else {
            Expected::Fresh
        }];
        if matches!(consent, Some(Consent::Unsure(_))) {
            expected.push(Expected::Refused(Code::NeedMandate));
        }
        expected
    }

    /// Learns that an order was written down.
    pub(crate) fn placed(&mut self, order: Order, user: usize, ask: &PayAsk, payment: &Payment) {
        if self.orders.contains_key(&order) {
            return;
        }
        for code in self
            .codes
            .values_mut()
            .filter(|code| code.user == user && code.ended == Some(false))
        {
            code.ended = Some(true);
        }
        if let Some(code) = self.codes.get_mut(&ask.qrcode) {
            code.used_by = Some(order.merchant);
        }
        let known = Known {
            ask: ask.clone(),
            user,
            pay_no: payment.pay_no.clone(),
        };
        self.orders.insert(order, known);
    }

    /// Two things happened at once to a user's codes: which of them live is open.
    pub(crate) fn codes_are_open(&mut self, user: usize) {
        for code in self.codes.values_mut().filter(|code| code.user == user) {
            code.ended = code.ended.filter(|ended| *ended);
        }
    }

    pub(crate) fn refund_no(refund: u8) -> OutRefundNo {
        OutRefundNo(format!("R{refund}"))
    }

    /// What a refund may answer when the orders stand so: the same refund, a new one, or these refusals.
    pub(crate) fn refund(
        &self,
        order: Order,
        refund: u8,
        fen: u64,
        now: Time,
        snapshot: &Snapshot,
    ) -> Result<Option<RefundNo>, Code> {
        let stands = snapshot.get(&order).ok_or(Code::OrderNotFound)?;
        if let Some((of, amount, no)) = self.refunds.get(&(order.merchant, refund)) {
            if *of != order || *amount != fen {
                return Err(Code::OutRefundNoConflict);
            }
            return Ok(Some(no.clone()));
        }
        let payment = &stands.payment;
        if payment.reversal != ReversalMark::None {
            return Err(Code::OrderReversed);
        }
        if payment.state != PaymentState::Success {
            return Err(Code::OrderNotPaid);
        }
        if now > payment.paid_at.unwrap_or(payment.created_at).plus(limit::REFUND_WINDOW) {
            return Err(Code::RefundExpired);
        }
        // The orders may have been read after it was written down.
        let beside = stands.reserved_beside(Some(&Self::refund_no(refund)));
        if fen > payment.amount.get() - beside {
            return Err(Code::RefundExceeds);
        }
        Ok(None)
    }

    pub(crate) fn refunded(&mut self, order: Order, refund: u8, fen: u64, no: &RefundNo) {
        let (_, _, known) = self
            .refunds
            .entry((order.merchant, refund))
            .or_insert_with(|| (order, fen, no.clone()));
        assert_eq!(known, no, "INV-12: R{refund} has two refunds");
    }

    /// What a reversal may answer: done or not, or these refusals.
    pub(crate) fn reverse(&self, order: Order, now: Time, snapshot: &Snapshot) -> Vec<Result<(), Code>> {
        let Some(stands) = snapshot.get(&order) else {
            return vec![Ok(())];
        };
        let payment = &stands.payment;
        if matches!(payment.state, PaymentState::Failed | PaymentState::Closed)
            || payment.reversal == ReversalMark::Done
        {
            return vec![Ok(())];
        }
        if payment.reversal == ReversalMark::Asked {
            return vec![Ok(()), Err(Code::ReverseRefused)];
        }
        let late = now > payment.created_at.plus(limit::REVERSE_WINDOW);
        if stands.reserved() > 0 || late {
            return vec![Err(Code::ReverseRefused)];
        }
        // The gateway may refuse to undo what was paid.
        vec![Ok(()), Err(Code::ReverseRefused)]
    }

    pub(crate) fn buried(&mut self, order: Order) {
        self.tombs.insert(order);
    }

    pub(crate) fn account(&mut self, user: usize, open: bool) {
        self.open[user] = open;
        if !open {
            for code in self.codes.values_mut().filter(|code| code.user == user) {
                code.ended = Some(true);
            }
        }
    }

    pub(crate) fn consent(&self, user: usize, merchant: usize) -> Option<MandateId> {
        match self.consents.get(&(user, merchant))? {
            Consent::Yes(id) | Consent::Unsure(id) => Some(id.clone()),
            Consent::No => None,
        }
    }

    /// Reads how the consents stand. The contract of the user who is named has just ended at the gateway, without a word.
    pub(crate) async fn read_consents(&mut self, ground: &Ground, unsure: Option<usize>) {
        for user in 0..USERS {
            let all = mandate::list(&ground.engine, &uid(user), false).await;
            let all = all.expect("mandates can be read");
            for merchant in 0..MERCHANTS {
                let own = all.iter().find(|mandate| mandate.mch_id == mch_id(merchant));
                let before = self.consents.get(&(user, merchant));
                let consent = match own.filter(|mandate| mandate.state == MandateState::Active) {
                    None => Consent::No,
                    Some(mandate) => {
                        let open = Consent::Unsure(mandate.mandate_id.clone());
                        if unsure == Some(user) || before == Some(&open) {
                            open
                        } else {
                            Consent::Yes(mandate.mandate_id.clone())
                        }
                    }
                };
                self.consents.insert((user, merchant), consent);
            }
        }
    }
}

/// How a merchant names an order.
pub(crate) fn key(order: Order) -> OrderKey {
    OrderKey {
        out_request_no: Some(OutRequestNo(format!("N{}", order.no))),
        pay_no: None,
    }
}

/// A refusal that is never an answer to anything in a run.
pub(crate) fn is_fault(problem: &Problem) -> bool {
    matches!(
        problem.code,
        Code::Internal | Code::Unavailable | Code::ChannelUnavailable | Code::RuleError
    )
}
