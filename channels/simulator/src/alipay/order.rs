//! The order in a call of `alipay.trade.pay`, and the rules for its fields (alipay reference, 3.8 and 4.1).

use chrono::{NaiveDateTime, TimeDelta, TimeZone};
use serde_json::Value;

use super::account::CODE_PRODUCT;
use super::call::{self, Call, is_number};
use super::failure::Failure;
use super::money;
use crate::clock;

/// What an order is to be paid with.
pub(super) enum Means {
    /// The agreement with this number.
    Agreement(String),
    /// The payment code that was scanned.
    Code(String),
}

/// The most lines of goods.
const GOODS_MAX: usize = 150;

/// The order as the call brings it.
pub(super) struct Order {
    /// The merchant's number.
    pub(super) out_trade_no: String,
    /// The amount, in fen.
    pub(super) total_fen: u64,
    pub(super) subject: String,
    pub(super) product_code: String,
    /// What it is to be paid with.
    pub(super) means: Means,
    /// So much of it takes discounts, in fen.
    pub(super) discountable_fen: u64,
    /// The payer's channels that the merchant leaves out.
    pub(super) disabled: Vec<String>,
    /// Until when it can be paid, Unix milliseconds, if the call says so.
    pub(super) expires_ms: Option<i64>,
    /// The word for how an asynchronous deduction is done, if one is asked for.
    pub(super) async_mode: Option<&'static str>,
}

/// Reads the order and checks its fields (4.1).
pub(super) fn read(call: &Call, now_ms: i64) -> Result<Order, Failure> {
    let invalid = |why: &str| Failure::acq("INVALID_PARAMETER").because(why);
    let out_trade_no = call.text("out_trade_no").filter(|number| is_number(number, 64, true));
    let subject = call
        .text("subject")
        .filter(|subject| subject.chars().count() <= 256 && !subject.contains(['/', '=', '&']));
    let means = means(call)?;
    check_lengths(call).map_err(invalid)?;
    let goods = call.biz.get("goods_detail").and_then(Value::as_array);
    if goods.is_some_and(|goods| goods.len() > GOODS_MAX) {
        return Err(Failure::acq("SUB_GOODS_SIZE_MAX_COUNT"));
    }
    if call
        .text("seller_id")
        .is_some_and(|seller_id| seller_id != call.account.seller_id)
    {
        return Err(Failure::acq("INVALID_RECEIVE_ACCOUNT"));
    }
    let total_fen = amount(call, "total_amount")
        .map_err(invalid)?
        .ok_or_else(|| invalid("total_amount格式有误"))?;
    Ok(Order {
        out_trade_no: out_trade_no.ok_or_else(|| invalid("out_trade_no格式有误"))?,
        total_fen,
        subject: subject.ok_or_else(|| invalid("subject格式有误"))?,
        product_code: product_code(call, &means)?,
        means,
        discountable_fen: discountable(call, total_fen).map_err(invalid)?,
        disabled: disabled(call),
        expires_ms: expires(call, now_ms).map_err(invalid)?,
        async_mode: async_mode(call).map_err(invalid)?,
    })
}

/// What the order is to be paid with: an agreement, or a code in the scene of the till.
fn means(call: &Call) -> Result<Means, Failure> {
    let invalid = |why: &str| Failure::acq("INVALID_PARAMETER").because(why);
    if let Some(params) = call.biz.get("agreement_params").and_then(Value::as_object) {
        let number = call::text(params, "agreement_no").ok_or_else(|| invalid("agreement_no不能为空"))?;
        return Ok(Means::Agreement(number));
    }
    match call.text("scene").as_deref() {
        None => Err(invalid("scene和agreement_params不能同时为空")),
        Some("bar_code") => call
            .text("auth_code")
            .filter(|code| code.len() <= 64)
            .map(Means::Code)
            .ok_or_else(|| invalid("auth_code格式有误")),
        // Payment by face belongs to a product that these merchants have not signed.
        Some("security_code") => Err(Failure::acq("ACCESS_FORBIDDEN")),
        Some(_) => Err(invalid("scene有误")),
    }
}

fn product_code(call: &Call, means: &Means) -> Result<String, Failure> {
    let given = call.text("product_code");
    match means {
        Means::Agreement(_) => Ok(given.unwrap_or_else(|| CODE_PRODUCT.to_owned())),
        Means::Code(_) => match given.as_deref() {
            None | Some(CODE_PRODUCT | "OFFLINE_PAYMENT") => Ok(CODE_PRODUCT.to_owned()),
            Some(_) => Err(Failure::acq("ACCESS_FORBIDDEN")),
        },
    }
}

/// An amount that need not be there.
fn amount(call: &Call, name: &'static str) -> Result<Option<u64>, &'static str> {
    match call.biz.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => money::fen(value).map(Some).ok_or("金额格式有误"),
    }
}

/// So much of the order takes discounts; where both shares are named, they must make up the whole (4.1).
fn discountable(call: &Call, total_fen: u64) -> Result<u64, &'static str> {
    let with = amount(call, "discountable_amount")?;
    let without = amount(call, "undiscountable_amount")?;
    match (with, without) {
        (Some(with), Some(without)) if with.checked_add(without) != Some(total_fen) => {
            Err("可打折金额与不可打折金额之和不等于总金额")
        }
        (Some(with), _) if with > total_fen => Err("可打折金额大于总金额"),
        (Some(with), _) => Ok(with),
        (None, without) => Ok(total_fen.saturating_sub(without.unwrap_or(0))),
    }
}

fn disabled(call: &Call) -> Vec<String> {
    let list = call.text("disable_pay_channels").unwrap_or_default();
    list.split(',').map(|name| name.trim().to_owned()).collect()
}

/// Fields that are only kept or echoed: their lengths, and ASCII where the reference demands it.
fn check_lengths(call: &Call) -> Result<(), &'static str> {
    let rules = [
        ("body", 128, false, "body过长"),
        ("passback_params", 512, false, "passback_params过长"),
        ("store_id", 32, true, "store_id格式有误"),
        ("operator_id", 28, true, "operator_id格式有误"),
        ("terminal_id", 32, true, "terminal_id格式有误"),
    ];
    for (name, len_max, only_ascii, why) in rules {
        let fits = |text: &String| text.chars().count() <= len_max && (!only_ascii || text.is_ascii());
        if !call.text(name).as_ref().is_none_or(fits) {
            return Err(why);
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_pay_is_one_minute_to_fifteen_days() {
        assert_eq!(express_minutes("1m"), Some(1));
        assert_eq!(express_minutes("2h"), Some(120));
        assert_eq!(express_minutes("15d"), Some(21_600));
        for wrong in ["0m", "16d", "1.5h", "m", "5", "5s", "-1m", ""] {
            assert_eq!(express_minutes(wrong), None, "{wrong:?}");
        }
    }
}
