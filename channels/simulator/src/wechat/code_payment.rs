//! A payment by code: what a merchant asks, in either version, and what becomes of it (wechat reference, 4 and 10.4).

use std::sync::Arc;

use super::account::Account;
use super::answer::Failure;
use super::order::{self, Order, Product, State};
use super::order_apply::UNCANCELLED_WAIT_MS;
use super::pay_code::{self, PayCode};
use super::settle::{self, Due};
use super::sign::SignType;
use super::{money, notify, number, wallet};
use crate::fault::Effect;
use crate::frame::Frame;
use crate::store::Tx;

/// What a merchant asks for.
pub(super) struct Wish<'a> {
    pub account: &'a Account,
    pub sub_mch_id: Option<String>,
    pub sub_appid: Option<String>,
    pub out_trade_no: String,
    pub auth_code: String,
    pub total_fee: u64,
    pub body: String,
    pub attach: Option<String>,
    pub device_info: Option<String>,
    /// When the order ends if it is not paid, Unix milliseconds.
    pub expires_at_ms: Option<i64>,
    /// Stands for all business fields but the code.
    pub fingerprint: String,
    pub effects: &'a [Effect],
    pub now_ms: i64,
}

/// What became of it, where nothing refused it.
pub(super) enum Outcome {
    Paid(Order),
    /// Not paid, and not failed either.
    UserPaying(Order),
}

/// Why an order is not paid at once, and what will come of it.
struct Wait {
    for_ms: u64,
    fails_with: Option<String>,
    awaits_password: bool,
    paid_after_close_ms: Option<u64>,
    /// What the merchant is told meanwhile.
    told: &'static str,
}

/// Pays, waits or refuses.
pub(super) fn pay(frame: &Arc<Frame>, wish: &Wish<'_>) -> Result<Outcome, Failure> {
    let mut tx = frame.store.begin();
    if let Some(known) = order::find(&tx, &order::key(&wish.account.mch_id, &wish.out_trade_no)) {
        return repeated(&tx, known, wish);
    }
    if wish.expires_at_ms.is_some_and(|at_ms| at_ms <= wish.now_ms) {
        return Err(Failure::bad_field("time_expire已过期"));
    }
    let mut code = pay_code::good(&tx, &wish.auth_code, &wish.account.mch_id, wish.now_ms)?;
    let mut order = fresh(wish, &code);
    code.used_by = Some(order.key());
    pay_code::keep(&mut tx, &code);
    let wait = wait(wish, &code);
    let told = match &wait {
        Some(wait) => {
            appoint(&mut order, wait, wish.now_ms);
            Some(wait.told)
        }
        None if wallet::affords(&tx, &order.user, order.cash_fee()) => {
            money::pay(&mut tx, &mut order, wish.now_ms);
            None
        }
        None => {
            order.state = State::PayFail;
            order.err_code = Some("NOTENOUGH".to_owned());
            Some("NOTENOUGH")
        }
    };
    order::keep(&mut tx, &order);
    tx.commit();
    match told {
        None => {
            notify::paid_by_code(frame, &order);
            Ok(Outcome::Paid(order))
        }
        Some(told) => {
            if order.awaits_settlement() {
                settle::later(frame, Due::Order(order.key()), order.settle_at_ms);
            }
            if told == "USERPAYING" {
                return Ok(Outcome::UserPaying(order));
            }
            Err(Failure::of(told))
        }
    }
}

/// What a number that is in use answers: the same payment twice is no second payment.
fn repeated(tx: &Tx<'_>, known: Order, wish: &Wish<'_>) -> Result<Outcome, Failure> {
    if known.product != Product::PaymentCode || known.fingerprint != wish.fingerprint {
        return Err(Failure::new("INVALID_REQUEST", "商户订单号重复，且请求参数不一致"));
    }
    if known.auth_code.as_deref() != Some(&wish.auth_code) {
        let payer = pay_code::find(tx, &wish.auth_code).map(|code| code.user);
        if payer.is_some_and(|payer| payer != known.user) {
            return Err(Failure::of("BUYER_MISMATCH"));
        }
    }
    match known.state {
        State::NotPay | State::UserPaying => Ok(Outcome::UserPaying(known)),
        State::Paid | State::Refund => Err(Failure::of("ORDERPAID")),
        State::PayFail => Err(Failure::of("OUT_TRADE_NO_USED")),
        State::Closed => Err(Failure::of("ORDERCLOSED")),
        State::Revoked => Err(Failure::of("ORDERREVERSED")),
    }
}

/// What holds a payment up: the fault script first, then the bank, then the password.
fn wait(wish: &Wish<'_>, code: &PayCode) -> Option<Wait> {
    let waiting = |for_ms, fails_with| Wait {
        for_ms,
        fails_with,
        awaits_password: false,
        paid_after_close_ms: None,
        told: "USERPAYING",
    };
    for effect in wish.effects {
        match effect {
            Effect::PaidAfterReverse { ms } => {
                let mut wait = waiting(UNCANCELLED_WAIT_MS, None);
                wait.paid_after_close_ms = Some(*ms);
                return Some(wait);
            }
            Effect::Pending { ms } => return Some(waiting(*ms, None)),
            Effect::FailLater { ms, code } => return Some(waiting(*ms, Some(code.clone()))),
            _ => {}
        }
    }
    if let Some(bank_ms) = code.bank_ms {
        let mut wait = waiting(bank_ms, None);
        wait.told = "BANKERROR";
        return Some(wait);
    }
    let terms = &wish.account.terms;
    if !code.needs_password && wish.total_fee <= terms.password_free_max_fen {
        return None;
    }
    let left_ms = match wish.expires_at_ms {
        Some(at_ms) => u64::try_from(at_ms.saturating_sub(wish.now_ms)).unwrap_or(0),
        None => u64::from(terms.password_wait_s) * 1_000,
    };
    let mut wait = waiting(left_ms, Some("TRADE_ERROR".to_owned()));
    wait.awaits_password = true;
    Some(wait)
}

fn appoint(order: &mut Order, wait: &Wait, now_ms: i64) {
    order.state = State::UserPaying;
    order.settle_at_ms = settle::after(now_ms, wait.for_ms);
    order.will_fail.clone_from(&wait.fails_with);
    order.awaits_password = wait.awaits_password;
    order.paid_after_close_ms = wait.paid_after_close_ms;
}

fn fresh(wish: &Wish<'_>, code: &PayCode) -> Order {
    let account = wish.account;
    let openid_at = |appid: &String| number::openid(appid, &code.user);
    Order {
        mch_id: account.mch_id.clone(),
        sub_mch_id: wish.sub_mch_id.clone(),
        appid: account.appid.clone(),
        sub_openid: wish.sub_appid.as_ref().map(openid_at),
        sub_appid: wish.sub_appid.clone(),
        out_trade_no: wish.out_trade_no.clone(),
        attach: wish.attach.clone(),
        total_fee: wish.total_fee,
        coupon_fee: account.terms.coupon_fen.min(wish.total_fee - 1),
        contract_id: String::new(),
        openid: openid_at(&account.appid),
        notify_url: String::new(),
        sign_type: SignType::Md5,
        fingerprint: wish.fingerprint.clone(),
        quota_key: String::new(),
        state: State::NotPay,
        created_at_ms: wish.now_ms,
        settle_at_ms: wish.now_ms,
        will_fail: None,
        paid_after_close_ms: None,
        transaction_id: None,
        paid_at_ms: None,
        err_code: None,
        refunded_fen: 0,
        refunded_coupon_fen: 0,
        refunds: Vec::new(),
        last_refund_at_ms: None,
        product: Product::PaymentCode,
        user: code.user.clone(),
        body: wish.body.clone(),
        device_info: wish.device_info.clone(),
        auth_code: Some(wish.auth_code.clone()),
        awaits_password: false,
        fee_fen: 0,
        fee_rate: 0,
        reversal: None,
    }
}

/// The user types the password, or refuses to. False when no payment of this code waits for it.
pub(super) fn answer_password(frame: &Arc<Frame>, code: &str, agree: bool) -> bool {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let used_by = pay_code::find(&tx, code).and_then(|code| code.used_by);
    let order = used_by.and_then(|key| order::find(&tx, &key));
    let Some(mut order) = order.filter(|order| order.awaits_password && now_ms < order.settle_at_ms) else {
        return false;
    };
    if agree {
        order.will_fail = None;
    }
    settle::end_order(&mut tx, &mut order, now_ms);
    order::keep(&mut tx, &order);
    tx.commit();
    if order.state == State::Paid {
        notify::paid_by_code(frame, &order);
    }
    true
}
