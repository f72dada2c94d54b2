//! `alipay.trade.pay` with `agreement_params`: the deduction (alipay reference, 3.8, 4.1 and 4.2).

use chrono::{NaiveDateTime, TimeDelta, TimeZone};
use serde::Serialize;
use serde_json::Value;

use super::agreement::{self, Agreement, Standing};
use super::answer::{Failure, Node};
use super::call::{self, Call, is_number};
use super::desk::Desk;
use super::money;
use super::parts::{Parts, VOUCHER_TYPE, Voucher, fund_bill, split};
use super::trade::{self, Ending, Status, Trade, moment};
use super::user;
use crate::clock;
use crate::fault::Effect;

/// What failed answers carry as zero.
const ZEROS: [&str; 4] = ["buyer_pay_amount", "invoice_amount", "point_amount", "receipt_amount"];

/// How long a trade can be paid when the call does not say: fifteen days.
const EXPIRY_DEFAULT_MS: i64 = 15 * 24 * 3600 * 1000;

/// The order as the call brings it.
struct Order {
    out_trade_no: String,
    total_fen: u64,
    subject: String,
    product_code: String,
    agreement_no: String,
    expires_ms: Option<i64>,
    async_mode: Option<&'static str>,
}

/// Takes the money, or says why not.
pub(super) fn pay(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    let order = read(call, desk.now_ms)?;
    let account = &call.account;
    if let Some(trade) = trade::by_number(desk, &account.seller_id, &order.out_trade_no) {
        return repeated(call, &order, &trade);
    }
    if trade::is_refused_number(desk, &account.seller_id, &order.out_trade_no) {
        return Err(Failure::acq("TRADE_HAS_CLOSE"));
    }
    if order.expires_ms.is_some_and(|expires_ms| expires_ms <= desk.now_ms) {
        return Err(Failure::acq("NOW_TIME_AFTER_EXPIRE_TIME_ERROR"));
    }
    let agreement = agreement_for(desk, call, &order)?;
    if order.total_fen > account.single_max_fen {
        return Err(Failure::acq("PRODUCT_AMOUNT_LIMIT_ERROR"));
    }
    let mut trade = create(desk, call, order, &agreement);
    trade::add(desk, &trade);
    run(desk, call, &mut trade);
    Ok(answer(call, &trade))
}

/// The node of a payment that failed: it carries zeros, and the number if it was one.
pub(super) fn failed(call: &Call, failure: &Failure) -> Node {
    failure
        .node()
        .maybe("out_trade_no", call.text("out_trade_no").as_deref())
        .zeros(&ZEROS)
}

fn read(call: &Call, now_ms: i64) -> Result<Order, Failure> {
    let invalid = |why: &str| Failure::acq("INVALID_PARAMETER").because(why);
    let out_trade_no = call.text("out_trade_no").filter(|number| is_number(number, 64, true));
    let subject = call
        .text("subject")
        .filter(|subject| subject.chars().count() <= 256 && !subject.contains(['/', '=', '&']));
    let product_code = call
        .text("product_code")
        .unwrap_or_else(|| "FACE_TO_FACE_PAYMENT".to_owned());
    let agreement_params = call.biz.get("agreement_params").and_then(Value::as_object);
    let Some(agreement_params) = agreement_params else {
        // Payment codes belong to a product that these merchants have not signed.
        return Err(match call.text("scene") {
            Some(_) => Failure::acq("ACCESS_FORBIDDEN"),
            None => invalid("scene和agreement_params不能同时为空"),
        });
    };
    Ok(Order {
        out_trade_no: out_trade_no.ok_or_else(|| invalid("out_trade_no格式有误"))?,
        total_fen: call
            .biz
            .get("total_amount")
            .and_then(money::fen)
            .ok_or_else(|| invalid("total_amount格式有误"))?,
        subject: subject.ok_or_else(|| invalid("subject格式有误"))?,
        product_code,
        agreement_no: call::text(agreement_params, "agreement_no").ok_or_else(|| invalid("agreement_no不能为空"))?,
        expires_ms: expires(call, now_ms).map_err(invalid)?,
        async_mode: async_mode(call).map_err(invalid)?,
    })
}

/// Until when the trade can be paid: `time_expire` wins over `timeout_express`.
fn expires(call: &Call, now_ms: i64) -> Result<Option<i64>, &'static str> {
    if let Some(text) = call.text("time_expire") {
        let time = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S").map_err(|_| "time_expire格式有误")?;
        let time = clock::china()
            .from_local_datetime(&time)
            .single()
            .ok_or("time_expire格式有误")?;
        return Ok(Some(time.timestamp_millis()));
    }
    let Some(text) = call.text("timeout_express") else {
        return Ok(None);
    };
    if text == "1c" {
        let midnight = (clock::at(now_ms) + TimeDelta::days(1))
            .date_naive()
            .and_hms_opt(0, 0, 0);
        let midnight = midnight.and_then(|time| clock::china().from_local_datetime(&time).single());
        return Ok(midnight.map(|time| time.timestamp_millis()));
    }
    let minutes = express_minutes(&text).ok_or("timeout_express格式有误")?;
    Ok(Some(now_ms + minutes * 60_000))
}

/// `1m` to `15d`, in minutes.
fn express_minutes(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
    let minutes = i64::from(number)
        * match unit {
            'm' => 1,
            'h' => 60,
            'd' => 24 * 60,
            _ => return None,
        };
    (1..=15 * 24 * 60).contains(&minutes).then_some(minutes)
}

/// The word for how an asynchronous deduction is done, if one is asked for.
fn async_mode(call: &Call) -> Result<Option<&'static str>, &'static str> {
    let wish = call.biz.get("is_async_pay");
    if wish != Some(&Value::Bool(true)) && wish.and_then(Value::as_str) != Some("true") {
        return Ok(None);
    }
    let params = call.biz.get("pay_params").and_then(Value::as_object);
    match params.and_then(|params| call::text(params, "async_type")).as_deref() {
        Some("NORMAL_ASYNC") => Ok(Some("NORMAL_ASYNC_PAY")),
        Some("NEAR_REAL_TIME_ASYNC") => Ok(Some("ASYNC_REALTIME_PAY")),
        _ => Err("async_type有误"),
    }
}

/// The same number again: the result as it stands now, if everything else is the same too (section 10).
fn repeated(call: &Call, order: &Order, trade: &Trade) -> Result<Node, Failure> {
    let same = trade.total_fen() == order.total_fen
        && trade.subject == order.subject
        && trade.product_code == order.product_code
        && trade.agreement_no.as_ref() == Some(&order.agreement_no);
    if !same {
        return Err(Failure::acq("CONTEXT_INCONSISTENT"));
    }
    match trade.status {
        Status::TradeClosed => Err(Failure::acq("TRADE_HAS_CLOSE")),
        Status::TradeSuccess | Status::TradeFinished if call.account.repeat_says_has_success => {
            Err(Failure::acq("TRADE_HAS_SUCCESS"))
        }
        _ => Ok(answer(call, trade)),
    }
}

fn agreement_for(desk: &Desk<'_>, call: &Call, order: &Order) -> Result<Agreement, Failure> {
    let agreement = agreement::by_number(desk, &call.account.seller_id, &order.agreement_no)
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
    if agreement.user_id == call.account.seller_id {
        return Err(Failure::acq("BUYER_SELLER_EQUAL"));
    }
    Ok(agreement)
}

fn create(desk: &mut Desk<'_>, call: &Call, order: Order, agreement: &Agreement) -> Trade {
    let account = &call.account;
    let parts = split(account, order.total_fen);
    Trade {
        app_id: account.app_id.clone(),
        seller_id: account.seller_id.clone(),
        trade_no: trade::new_number(desk),
        vouchers: vouchers(desk, parts),
        out_trade_no: order.out_trade_no,
        subject: order.subject,
        body: call.text("body"),
        product_code: order.product_code,
        agreement_no: Some(agreement.agreement_no.clone()),
        external_agreement_no: agreement.external_agreement_no.clone(),
        store_id: call.text("store_id"),
        store_name: account.store_name.clone(),
        terminal_id: call.text("terminal_id"),
        passback_params: call.text("passback_params"),
        notify_url: call.notify_url.clone(),
        buyer_user_id: agreement.user_id.clone(),
        buyer_logon_id: user::logon_id(&agreement.user_id),
        parts,
        status: Status::WaitBuyerPay,
        created_ms: desk.now_ms,
        expires_ms: order.expires_ms.unwrap_or(desk.now_ms + EXPIRY_DEFAULT_MS),
        refund_window_s: account.refund_window_s,
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

/// Lets the new trade be paid: at once, or later where the call or the fault script wants it so.
fn run(desk: &mut Desk<'_>, call: &Call, trade: &mut Trade) {
    for effect in &call.effects {
        match effect {
            Effect::Pending { ms } => return trade::pend(desk, trade, *ms, Ending::Done),
            Effect::FailLater { ms, code } => return trade::pend(desk, trade, *ms, Ending::Failed(code.clone())),
            Effect::PaidAfterReverse { ms } => {
                trade.paid_after_cancel_ms = Some(*ms);
                return trade::save(desk, trade);
            }
            _ => {}
        }
    }
    if trade.async_mode.is_some() {
        let after_ms = desk.settle_ms;
        return trade::pend(desk, trade, after_ms, Ending::Done);
    }
    trade::pay(desk, trade);
}

/// The node of a payment that was accepted.
fn answer(call: &Call, trade: &Trade) -> Node {
    match (trade.status, &trade.async_mode) {
        (Status::WaitBuyerPay, None) => waiting(Node::new("10003"), trade),
        (Status::WaitBuyerPay, Some(mode)) => {
            let applied = call.asks("async_pay_info").then_some("S");
            waiting(Node::success(), trade)
                .text("async_payment_mode", mode)
                .maybe("async_pay_apply_status", applied)
        }
        _ => paid(call, trade),
    }
}

fn waiting(node: Node, trade: &Trade) -> Node {
    node.text("buyer_logon_id", &trade.buyer_logon_id)
        .yuan("buyer_pay_amount", 0)
        .text("buyer_user_id", &trade.buyer_user_id)
        .yuan("invoice_amount", 0)
        .text("out_trade_no", &trade.out_trade_no)
        .yuan("point_amount", 0)
        .yuan("receipt_amount", 0)
        .yuan("total_amount", trade.total_fen())
        .text("trade_no", &trade.trade_no)
}

/// Members in the order of vector T3.
fn paid(call: &Call, trade: &Trade) -> Node {
    let mut node = Node::success()
        .text("trade_no", &trade.trade_no)
        .text("out_trade_no", &trade.out_trade_no)
        .text("buyer_logon_id", &trade.buyer_logon_id)
        .yuan("total_amount", trade.total_fen())
        .yuan("receipt_amount", trade.total_fen() - trade.parts.merchant_fen)
        .yuan("buyer_pay_amount", trade.parts.own_fen)
        .yuan("point_amount", 0)
        .yuan("invoice_amount", trade.parts.own_fen)
        .maybe("gmt_payment", trade.paid_ms.map(moment).as_deref());
    if call.asks("fund_bill_list") {
        node = node.json("fund_bill_list", &fund_lines(trade.parts));
    }
    node = node.maybe("store_name", trade.store_name.as_deref());
    node = discounts(node, call, trade);
    node.text(
        "async_payment_mode",
        trade.async_mode.as_deref().unwrap_or("SYNC_DIRECT_PAY"),
    )
    .text("buyer_user_id", &trade.buyer_user_id)
}

fn discounts(mut node: Node, call: &Call, trade: &Trade) -> Node {
    if call.asks("voucher_detail_list") && !trade.vouchers.is_empty() {
        node = node.json("voucher_detail_list", &voucher_lines(trade));
    }
    if call.asks("discount_amount") {
        node = node.yuan("discount_amount", trade.parts.coupon_fen);
    }
    if call.asks("mdiscount_amount") {
        node = node.yuan("mdiscount_amount", trade.parts.merchant_fen);
    }
    node
}

/// One line of `fund_bill_list` in a synchronous answer.
#[derive(Serialize)]
pub(super) struct FundLine {
    amount: String,
    fund_channel: &'static str,
}

/// `fund_bill_list` of a synchronous answer.
pub(super) fn fund_lines(parts: Parts) -> Vec<FundLine> {
    fund_bill(parts)
        .into_iter()
        .map(|(fund_channel, amount)| FundLine { amount, fund_channel })
        .collect()
}

/// One line of `voucher_detail_list` in a synchronous answer.
#[derive(Serialize)]
pub(super) struct VoucherLine<'a> {
    id: &'a str,
    name: &'a str,
    r#type: &'a str,
    amount: String,
    merchant_contribute: String,
    other_contribute: String,
}

/// `voucher_detail_list` of a synchronous answer.
pub(super) fn voucher_lines(trade: &Trade) -> Vec<VoucherLine<'_>> {
    let line = |voucher: &Voucher| voucher.shares();
    let lines = trade.vouchers.iter().map(|voucher| {
        let (by_merchant, by_alipay) = line(voucher);
        VoucherLine {
            id: &voucher.id,
            name: voucher.name(),
            r#type: VOUCHER_TYPE,
            amount: money::yuan(voucher.amount_fen),
            merchant_contribute: money::yuan(by_merchant),
            other_contribute: money::yuan(by_alipay),
        }
    });
    lines.collect()
}
