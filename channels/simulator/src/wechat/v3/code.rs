//! The error codes of APIv3: their HTTP status, their number in `Request-ID`, and how APIv2 spells them (wechat reference,
//! 8.7 to 8.10).

/// The code of APIv3 for one of APIv2. What both spell alike, and what is unknown, stays as it is.
pub(super) fn of_v2(code: &str) -> &str {
    match code {
        "SYSTEMERROR" => "SYSTEM_ERROR",
        "BANKERROR" => "BANK_ERROR",
        "BIZERR_NEED_RETRY" => "BIZ_ERR_NEED_RETRY",
        "INVALID_REQ_TOO_MUCH" => "RATELIMIT_EXCEEDED",
        "NOTENOUGH" => "NOT_ENOUGH",
        "TRADE_OVERDUE"
        | "REFUND_FEE_MISMATCH"
        | "REVERSE_EXPIRE"
        | "TRADE_STATE_ERROR"
        | "BUYER_MISMATCH"
        | "ORDER_NOT_READY" => "INVALID_REQUEST",
        "ORDERNOTEXIST" => "ORDER_NOT_EXIST",
        "REFUNDNOTEXIST" => "RESOURCE_NOT_EXISTS",
        "INVALID_TRANSACTIONID" => "INVALID_TRANSACTIONID",
        "ORDERPAID" => "ORDER_PAID",
        "ORDERCLOSED" => "ORDER_CLOSED",
        "ORDERREVERSED" => "ORDER_REVERSED",
        "AUTHCODEEXPIRE" => "AUTH_CODE_EXPIRE",
        "AUTH_CODE_ERROR" => "AUTH_CODE_INVALID",
        "RULELIMIT" => "RULE_LIMIT",
        "ACCOUNTERROR" => "ACCOUNT_ERROR",
        "NOAUTH" => "NO_AUTH",
        "SIGNERROR" => "SIGN_ERROR",
        "MCHID_NOT_EXIST" => "MCH_NOT_EXISTS",
        "CONTRACTERROR" => "CONTRACT_ERROR",
        "Bill Creating" | "BILL_CREATING" => "STATEMENT_CREATING",
        "No Bill Exist" | "NO_BILL_EXIST" => "NO_STATEMENT_EXIST",
        other => other,
    }
}

/// The HTTP status that goes with a code.
pub(super) fn status(code: &str) -> u16 {
    match code {
        "USERPAYING" => 202,
        "SIGN_ERROR" => 401,
        "NO_AUTH"
        | "NOT_ENOUGH"
        | "RULE_LIMIT"
        | "TRADE_ERROR"
        | "ACCOUNT_ERROR"
        | "OUT_TRADE_NO_USED"
        | "REQUEST_BLOCKED"
        | "CONTRACT_NOT_EXIST"
        | "CONTRACT_ERROR"
        | "CONTRACT_EXISTED"
        | "USER_ACCOUNT_ABNORMAL"
        | "AUTH_CODE_EXPIRE" => 403,
        "ORDER_NOT_EXIST"
        | "RESOURCE_NOT_EXISTS"
        | "REFUND_NOT_EXISTS"
        | "NOT_FOUND"
        | "MCH_NOT_EXISTS"
        | "USER_NOT_EXIST" => 404,
        "METHOD_NOT_ALLOWED" => 405,
        "NOT_ACCEPTABLE" => 406,
        "UNSUPPORTED_MEDIA_TYPE" => 415,
        "RATELIMIT_EXCEEDED" | "FREQUENCY_LIMITED" => 429,
        "SYSTEM_ERROR"
        | "BANK_ERROR"
        | "ERROR"
        | "BIZ_ERR_NEED_RETRY"
        | "OPENID_MISMATCH"
        | "INVALID_TRANSACTIONID" => 500,
        "SERVICE_UNAVAILABLE" => 503,
        _ => 400,
    }
}

/// The number after the last `-` of `Request-ID`; 0 is success.
pub(super) fn number(code: &str) -> u32 {
    match code {
        "" => 0,
        "ORDER_NOT_EXIST" | "RESOURCE_NOT_EXISTS" | "REFUND_NOT_EXISTS" | "NOT_FOUND" => 268_512_771,
        "RATELIMIT_EXCEEDED" | "FREQUENCY_LIMITED" => 268_447_840,
        "ORDER_PAID" => 268_449_538,
        "MCH_NOT_EXISTS" => 268_443_715,
        "ORDER_CLOSED" | "ORDER_REVERSED" => 268_447_914,
        "SIGN_ERROR" => 268_443_699,
        "INVALID_REQUEST" | "OUT_TRADE_NO_USED" => 268_498_688,
        "APPID_MCHID_NOT_MATCH" => 268_445_527,
        "NO_AUTH" => 268_443_701,
        _ => 268_435_461,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_status_and_number_of_the_reference() {
        for (v2, v3, http) in [
            ("SYSTEMERROR", "SYSTEM_ERROR", 500),
            ("BIZERR_NEED_RETRY", "BIZ_ERR_NEED_RETRY", 500),
            ("FREQUENCY_LIMITED", "FREQUENCY_LIMITED", 429),
            ("NOTENOUGH", "NOT_ENOUGH", 403),
            ("TRADE_OVERDUE", "INVALID_REQUEST", 400),
            ("REFUNDNOTEXIST", "RESOURCE_NOT_EXISTS", 404),
            ("NOAUTH", "NO_AUTH", 403),
            ("USERPAYING", "USERPAYING", 202),
            ("ORDERPAID", "ORDER_PAID", 400),
            ("OUT_TRADE_NO_USED", "OUT_TRADE_NO_USED", 403),
            ("AUTHCODEEXPIRE", "AUTH_CODE_EXPIRE", 403),
            ("AUTH_CODE_INVALID", "AUTH_CODE_INVALID", 400),
            ("No Bill Exist", "NO_STATEMENT_EXIST", 400),
        ] {
            assert_eq!((of_v2(v2), status(v3)), (v3, http), "{v2}");
        }
        assert_eq!(
            (number("SIGN_ERROR"), number("RESOURCE_NOT_EXISTS"), number("")),
            (268_443_699, 268_512_771, 0)
        );
    }
}
