//! `alipay.trade.pay`: deduction by agreement, and payment by code (alipay reference, 3.8, 4.1 and 4.2).

use super::account::{CODE_PRODUCT, PRODUCT_CODE};
use super::agreement::{self, Agreement, Standing};
use super::answer::Node;
use super::call::Call;
use super::desk::Desk;
use super::failure::Failure;
use super::order::{self, Means, Order};
use super::parts::{Offers, Parts, Voucher};
use super::paycode::{self, PayCode};
use super::trade::{self, Ending, Status, Trade};
use super::wallet::Wallet;
use super::{pay_answer, trade_life, user, wallet};
use crate::fault::Effect;

/// How long a trade can be paid when the call does not say: by code three hours, else fifteen days.
const EXPIRY_CODE_MS: i64 = 3 * 3600 * 1000;
const EXPIRY_DEFAULT_MS: i64 = 15 * 24 * 3600 * 1000;

/// Who pays, and by what right.
struct Payer {
    user_id: String,
    wallet: Wallet,
    by: By,
}

/// By what right.
enum By {
    Agreement(Box<Agreement>),
    Code(PayCode),
}

/// Takes the money, or says why not.
pub(super) fn pay(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    let order = order::read(call, desk.now_ms)?;
    let account = &call.account;
    if let Some(trade) = trade::by_number(desk, &account.seller_id, &order.out_trade_no) {
        return repeated(desk, call, &order, &trade);
    }
    if trade::is_refused_number(desk, &account.seller_id, &order.out_trade_no) {
        return Err(Failure::acq("TRADE_HAS_CLOSE"));
    }
    if order.expires_ms.is_some_and(|expires_ms| expires_ms <= desk.now_ms) {
        return Err(Failure::acq("NOW_TIME_AFTER_EXPIRE_TIME_ERROR"));
    }
    let payer = payer(desk, call, &order)?;
    let parts = split(call, &order, &payer.wallet);
    if payer.user_id == account.seller_id {
        return Err(Failure::acq("BUYER_SELLER_EQUAL"));
    }
    if parts.own_fen > 0 && payer.wallet.is_disabled_by(&order.disabled) {
        return Err(Failure::acq("NOT_SUPPORT_PAYMENT_INST"));
    }
    payer.wallet.covers(parts)?;
    let mut trade = create(desk, call, order, &payer, parts);
    trade::add(desk, &trade);
    if let By::Code(code) = payer.by {
        paycode::use_up(desk, code, &trade.key());
    }
    run(desk, call, &mut trade);
    Ok(pay_answer::accepted(call, &trade))
}

/// The same number again: the result as it stands now, if everything else is the same too (section 10).
fn repeated(desk: &Desk<'_>, call: &Call, order: &Order, trade: &Trade) -> Result<Node, Failure> {
    let same = trade.total_fen() == order.total_fen
        && trade.subject == order.subject
        && trade.product_code == order.product_code;
    let same_means = match &order.means {
        Means::Agreement(number) => trade.agreement_no.as_ref() == Some(number),
        Means::Code(code) if trade.auth_code.as_ref() == Some(code) => true,
        Means::Code(code) => {
            let other = paycode::usable(desk, code)?;
            if trade.auth_code.is_some() && other.user_id != trade.buyer_user_id {
                return Err(Failure::acq("TRADE_BUYER_NOT_MATCH"));
            }
            trade.auth_code.is_some()
        }
    };
    if !same || !same_means {
        return Err(Failure::acq("CONTEXT_INCONSISTENT"));
    }
    match trade.status {
        Status::TradeClosed => Err(Failure::acq("TRADE_HAS_CLOSE")),
        Status::TradeSuccess | Status::TradeFinished if call.account.terms.repeat_says_has_success => {
            Err(Failure::acq("TRADE_HAS_SUCCESS"))
        }
        _ => Ok(pay_answer::accepted(call, trade)),
    }
}

fn payer(desk: &Desk<'_>, call: &Call, order: &Order) -> Result<Payer, Failure> {
    let terms = &call.account.terms;
    match &order.means {
        Means::Agreement(number) => {
            if !call.account.has(PRODUCT_CODE) {
                return Err(Failure::acq("MERCHANT_AGREEMENT_NOT_EXIST"));
            }
            let agreement = agreement_for(desk, call, order, number)?;
            if order.total_fen > terms.single_max_fen {
                return Err(Failure::acq("PRODUCT_AMOUNT_LIMIT_ERROR"));
            }
            Ok(Payer {
                user_id: agreement.user_id.clone(),
                wallet: wallet::of(&desk.tx, &agreement.user_id),
                by: By::Agreement(Box::new(agreement)),
            })
        }
        Means::Code(number) => {
            if !call.account.has(CODE_PRODUCT) {
                return Err(Failure::acq("ACCESS_FORBIDDEN"));
            }
            let code = paycode::usable(desk, number)?;
            if order.total_fen > terms.code_max_fen {
                return Err(Failure::acq("TOTAL_FEE_EXCEED"));
            }
            let wallet = wallet::of(&desk.tx, &code.user_id);
            if wallet.code_off {
                return Err(Failure::acq("MOBILE_PAYMENT_SWITCH_OFF"));
            }
            Ok(Payer {
                user_id: code.user_id.clone(),
                wallet,
                by: By::Code(code),
            })
        }
    }
}

fn agreement_for(desk: &Desk<'_>, call: &Call, order: &Order, number: &str) -> Result<Agreement, Failure> {
    let agreement = agreement::by_number(desk, &call.account.seller_id, number)
        .ok_or_else(|| Failure::acq("AGREEMENT_NOT_EXIST"))?;
    match agreement.standing(desk.now_ms) {
        Standing::Normal => {}
        Standing::Stop => return Err(Failure::acq("AGREEMENT_STATUS_NOT_NORMAL")),
        Standing::Unsigned => return Err(Failure::acq("AGREEMENT_NOT_EXIST")),
        Standing::Expired => return Err(Failure::acq("AGREEMENT_INVALID")),
    }
    if agreement.product_code != order.product_code {
        return Err(Failure::acq("AGREEMENT_ERROR"));
    }
    Ok(agreement)
}

/// Who bears which part of the order. The merchant's list of disabled channels can leave discounts out too.
fn split(call: &Call, order: &Order, wallet: &Wallet) -> Parts {
    let terms = &call.account.terms;
    let unless = |names: &[&str], fen: u64| {
        let is_disabled = order.disabled.iter().any(|name| names.contains(&name.as_str()));
        if is_disabled { 0 } else { fen }
    };
    Parts::split(
        order.total_fen,
        Offers {
            coupon_fen: unless(
                &["promotion", "voucher"],
                terms.coupon_fen.saturating_add(wallet.coupon_fen),
            ),
            merchant_fen: unless(&["promotion", "voucher", "mdiscount"], terms.merchant_coupon_fen),
            packet_fen: unless(&["coupon"], wallet.packet_fen),
            point_fen: unless(&["point"], wallet.point_fen),
            discountable_fen: order.discountable_fen,
        },
    )
}

fn create(desk: &mut Desk<'_>, call: &Call, order: Order, payer: &Payer, parts: Parts) -> Trade {
    let account = &call.account;
    let (agreement, code, expiry_ms) = match &payer.by {
        By::Agreement(agreement) => (Some(agreement), None, EXPIRY_DEFAULT_MS),
        By::Code(code) => (None, Some(code), EXPIRY_CODE_MS),
    };
    Trade {
        app_id: call.caller.app_id.clone(),
        auth_app_id: (account.app_id != call.caller.app_id).then(|| account.app_id.clone()),
        seller_id: account.seller_id.clone(),
        trade_no: trade::new_number(desk),
        vouchers: vouchers(desk, parts),
        out_trade_no: order.out_trade_no,
        subject: order.subject,
        body: call.text("body"),
        product_code: order.product_code,
        agreement_no: agreement.map(|agreement| agreement.agreement_no.clone()),
        external_agreement_no: agreement.and_then(|agreement| agreement.external_agreement_no.clone()),
        auth_code: code.map(|code| code.code.clone()),
        awaits_password: code
            .is_some_and(|code| code.needs_password || order.total_fen > account.terms.password_free_max_fen),
        store_id: call.text("store_id"),
        operator_id: call.text("operator_id"),
        store_name: account.terms.store_name.clone(),
        terminal_id: call.text("terminal_id"),
        passback_params: call.text("passback_params"),
        charset: call.charset,
        notify_url: call.notify_url.clone(),
        buyer_user_id: payer.user_id.clone(),
        buyer_logon_id: user::logon_id(&payer.user_id),
        fund_channel: payer.wallet.channel.clone(),
        parts,
        status: Status::WaitBuyerPay,
        created_ms: desk.now_ms,
        expires_ms: order.expires_ms.unwrap_or(desk.now_ms + expiry_ms),
        fee_rate: account.terms.fee_rate,
        refund_window_s: account.terms.refund_window_s,
        paid_ms: None,
        closed_ms: None,
        pending: None,
        async_mode: order.async_mode.map(str::to_owned),
        unpaid_reason: None,
        cancel_action: None,
        paid_after_cancel_ms: None,
        refunded: Parts::default(),
        refunding_fen: 0,
    }
}

fn vouchers(desk: &mut Desk<'_>, parts: Parts) -> Vec<Voucher> {
    let mut vouchers = Vec::new();
    for (amount_fen, by_merchant) in [(parts.coupon_fen, false), (parts.merchant_fen, true)] {
        if amount_fen > 0 {
            let id = format!("{}000730029976{:08}", trade::day(desk.now_ms), desk.next("voucher"));
            vouchers.push(Voucher {
                id,
                amount_fen,
                by_merchant,
            });
        }
    }
    vouchers
}

/// Lets the new trade be paid: at once, or later where its payer, the call or the fault script wants it so.
fn run(desk: &mut Desk<'_>, call: &Call, trade: &mut Trade) {
    for effect in &call.effects {
        match effect {
            Effect::Pending { ms } => return trade_life::pend(desk, trade, *ms, Ending::Done),
            Effect::FailLater { ms, code } => return trade_life::pend(desk, trade, *ms, Ending::Failed(code.clone())),
            Effect::PaidAfterReverse { ms } => {
                trade.paid_after_cancel_ms = Some(*ms);
                return trade::save(desk, trade);
            }
            _ => {}
        }
    }
    if trade.awaits_password {
        return;
    }
    if trade.async_mode.is_some() {
        let after_ms = desk.settle_ms;
        return trade_life::pend(desk, trade, after_ms, Ending::Done);
    }
    trade_life::pay(desk, trade);
}
