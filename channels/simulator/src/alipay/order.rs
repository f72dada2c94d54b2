//! The order in a call of `alipay.trade.pay`, and the rules for its fields (alipay reference, 3.8 and 4.1).

use chrono::{NaiveDateTime, TimeDelta, TimeZone};
use serde_json::Value;

use super::answer::Failure;
use super::call::{self, Call, is_number};
use super::money;
use crate::clock;

/// The order as the call brings it.
pub(super) struct Order {
    /// The merchant's number.
    pub(super) out_trade_no: String,
    /// The amount, in fen.
    pub(super) total_fen: u64,
    pub(super) subject: String,
    pub(super) product_code: String,
    pub(super) agreement_no: String,
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
