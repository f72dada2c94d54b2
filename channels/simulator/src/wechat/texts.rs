//! The Chinese texts that stand beside error codes. They are for people; nothing depends on them.

/// The text for a code.
pub(super) fn of(code: &str) -> &'static str {
    match code {
        "SYSTEMERROR" | "SYSTEM_ERROR" => "系统错误，请用相同参数重新调用",
        "ORDER_ACCEPTED" => "订单已受理，请勿重复提交",
        "ORDERPAID" | "ORDER_PAID" => "订单已支付",
        "ORDERCLOSED" | "ORDER_CLOSED" => "订单已关闭",
        "ORDERNOTEXIST" => "订单不存在",
        "CONTRACT_NOT_EXIST" | "CONTRACTNOTEXIST" => "签约协议不存在",
        "CONTRACTERROR" | "CONTRACT_ERROR" => "签约协议已到期或不可用",
        "CONTRACT_EXISTED" => "签约协议已存在",
        "RULELIMIT" | "RULE_LIMIT" => "交易金额或次数超出限制",
        "FREQUENCY_LIMITED" => "频率超限，请稍后再试",
        "BIZERR_NEED_RETRY" => "退款业务流程错误，需要商户触发重试",
        "NOTENOUGH" => "余额不足",
        "BANKERROR" => "银行系统异常",
        "ACCOUNTERROR" => "用户账户不可支付",
        "USER_ACCOUNT_ABNORMAL" => "用户账户异常或已注销",
        "USER_NOT_EXIST" => "用户不存在",
        "TRADE_ERROR" => "交易错误",
        "TRADE_OVERDUE" => "订单已超过退款期限",
        "REFUND_FEE_MISMATCH" => "订单金额或退款金额与之前请求不一致",
        "REFUNDNOTEXIST" => "退款订单查询失败",
        "INVALID_REQUEST" => "无效请求",
        "PARAM_ERROR" | "PARAMETER FAIL" => "参数错误",
        "NOAUTH" => "商户无权限",
        "0" => "业务成功",
        _ => "业务错误",
    }
}
