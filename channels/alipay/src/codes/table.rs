//! The lists of codes (alipay reference, 6.1, 7 and 8), in their order.

use metropay_core::channel::Hint;

use super::{Class, Method};

/// The class and hint of a listed code. The first row that fits counts.
pub(super) fn listed(method: Method, sub_code: &str) -> Option<(Class, Hint)> {
    let row = TABLE.iter().find(|row| row.is_for(method, sub_code))?;
    Some((row.class, row.hint))
}

struct Row {
    /// For which methods; empty for all.
    methods: &'static [Method],
    class: Class,
    hint: Hint,
    /// Codes without prefix, parted by blanks.
    codes: &'static str,
}

impl Row {
    fn is_for(&self, method: Method, sub_code: &str) -> bool {
        (self.methods.is_empty() || self.methods.contains(&method))
            && self.codes.split_ascii_whitespace().any(|code| code == sub_code)
    }
}

const fn row(methods: &'static [Method], class: Class, hint: Hint, codes: &'static str) -> Row {
    Row {
        methods,
        class,
        hint,
        codes,
    }
}

const PAY: &[Method] = &[Method::Pay];
const REFUND: &[Method] = &[Method::Refund];
const CANCEL: &[Method] = &[Method::Cancel];
const UNDO: &[Method] = &[Method::Cancel, Method::Refund];
const QUERIES: &[Method] = &[Method::Query, Method::RefundQuery];
const UNSIGN: &[Method] = &[Method::Unsign];
const CLOSE: &[Method] = &[Method::Close];
const BILL: &[Method] = &[Method::BillUrl];
const OAUTH: &[Method] = &[Method::Token];
const AGREEMENT: &[Method] = &[Method::AgreementQuery, Method::Unsign];

/// Section 8, then the codes that stand with their methods.
static TABLE: &[Row] = &[
    // 8.1, all methods
    row(
        &[],
        Class::Setup,
        Hint::Setup,
        "INVALID_AUTH_TOKEN AUTH_TOKEN_TIME_OUT INVALID_APP_AUTH_TOKEN INVALID_APP_AUTH_TOKEN_NO_API \
         APP_AUTH_TOKEN_TIME_OUT NO_PRODUCT_REG_BY_PARTNER MISSING_METHOD MISSING_SIGNATURE MISSING_SIGNATURE_TYPE \
         MISSING_SIGNATURE_KEY MISSING_APP_ID MISSING_TIMESTAMP MISSING_VERSION DECRYPTION_ERROR_MISSING_ENCRYPT_TYPE \
         INVALID_PARAMETER INVALID_METHOD INVALID_FORMAT INVALID_CHARSET INVALID_DIGEST ILLEGAL_JSON INVALID_SIGNATURE \
         INVALID_SIGNATURE_TYPE INVALID_APP_ID NOT_ONLINE_APP INVALID_TIMESTAMP MISSING_APP_CERT_SN \
         MISSING_ALIPAY_ROOT_CERT_SN INVALID_ALIPAY_ROOT_CERT_SN INVALID_APP_CERT_SN APP_CERT_EXPIRED INVALID_ENCRYPT_TYPE INVALID_ENCRYPT \
         DECRYPTION_ERROR_NOT_VALID_ENCRYPT_TYPE DECRYPTION_ERROR_NOT_VALID_ENCRYPT_KEY DECRYPTION_ERROR_UNKNOWN \
         MISSING_ENCYPT_KEY UPLOAD_FAIL INVALID_FILE_EXTENSION INVALID_FILE_SIZE SUSPECTED_ATTACK FORBIDDEN_API \
         NOT_SUPPORT_APP_AUTH MISSING_SIGNATURE_CONFIG INVALID_AUTH_RELATIONS INSUFFICIENT_ISV_PERMISSIONS \
         INSUFFICIENT_USER_PERMISSIONS SELF_INVOKE_FORBIDDEN",
    ),
    row(&[], Class::Unknown, Hint::None, "UNKNOW_ERROR SERVICE_UNAVAILABLE"),
    row(&[], Class::Retry, Hint::None, "APP_CALL_LIMITED METHOD_CALL_LIMITED"),
    row(&[], Class::Final, Hint::None, "INVALID_OPENID"),
    // 8.2, pay
    row(PAY, Class::Unknown, Hint::None, "SYSTEM_ERROR"),
    row(
        PAY,
        Class::State,
        Hint::None,
        "TRADE_HAS_SUCCESS TRADE_HAS_CLOSE TRADE_STATUS_ERROR CONTEXT_INCONSISTENT",
    ),
    row(
        PAY,
        Class::Final,
        Hint::ContractGone,
        "AGREEMENT_NOT_EXIST AGREEMENT_INVALID AGREEMENT_STATUS_NOT_NORMAL AGREEMENT_ERROR",
    ),
    row(
        PAY,
        Class::Final,
        Hint::Funds,
        "TOTAL_FEE_EXCEED REQUEST_AMOUNT_EXCEED PRODUCT_AMOUNT_LIMIT_ERROR BUYER_BALANCE_NOT_ENOUGH \
         BUYER_BANKCARD_BALANCE_NOT_ENOUGH BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR \
         CYCLE_PAY_SINGLE_FEE_EXCEED CYCLE_PAY_TOTAL_FEE_EXCEED CYCLE_PAY_TOTAL_TIMES_EXCEED OVER_MAX_DEDUCT_COUNT \
         OVER_MAX_UNDER_WAY_DEDUCT_COUNT OVER_DEDUCT_PERIOD OVER_MERCHANT_DAILY_DEDUCT_AMOUNT",
    ),
    row(
        PAY,
        Class::Final,
        Hint::User,
        "PAYMENT_AUTH_CODE_INVALID ERROR_BALANCE_PAYMENT_DISABLE NO_PAYMENT_INSTRUMENTS_AVAILABLE \
         NOT_SUPPORT_PAYMENT_INST BUYER_ENABLE_STATUS_FORBID MOBILE_PAYMENT_SWITCH_OFF USER_FACE_PAYMENT_SWITCH_OFF \
         ERROR_BUYER_CERTIFY_LEVEL_LIMIT NOT_CERTIFIED_USER BUYER_NOT_MAINLAND_CERT CARD_USER_NOT_MATCH CARD_TYPE_ERROR \
         CERT_EXPIRED",
    ),
    row(
        PAY,
        Class::Final,
        Hint::Setup,
        "BEYOND_PAY_RESTRICTION BEYOND_PER_RECEIPT_RESTRICTION BEYOND_PER_RECEIPT_SINGLE_RESTRICTION \
         BEYOND_PER_RECEIPT_DAY_RESTRICTION MERCHANT_PERM_RECEIPT_SUSPEND_LIMIT MERCHANT_PERM_RECEIPT_SINGLE_LIMIT \
         MERCHANT_PERM_RECEIPT_DAY_LIMIT",
    ),
    row(
        PAY,
        Class::Final,
        Hint::None,
        "BUYER_SELLER_EQUAL TRADE_BUYER_NOT_MATCH PAYER_UNMATCHED BUYER_NOT_EXIST USER_LOGONID_DUP \
         PULL_MOBILE_CASHIER_FAIL PAYMENT_FAIL PAYMENT_REQUEST_HAS_RISK CYCLE_PAY_DATE_NOT_MATCH BUYER_UNSUPPORT_ADVANCE \
         MERCHANT_UNSUPPORT_ADVANCE ORDER_UNSUPPORT_ADVANCE AUTH_NO_ERROR AUTH_AMOUNT_NOT_ENOUGH AUTH_TOKEN_IS_NOT_EXIST \
         AUTH_ORDER_HAS_CLOSED AUTH_ORDER_HAS_FINISHED AUTH_ORDER_NOT_PAID PRE_AUTH_PROD_CODE_INCONSISTENT \
         ZM_AUTH_AMOUNT_EXCEED ZM_AUTH_RULE_LIMIT ZM_CREDIT_AUTH_FAIL SMILE_PAY_MERCHANT_NOT_MATCH",
    ),
    row(
        PAY,
        Class::Setup,
        Hint::Setup,
        "ACCESS_FORBIDDEN EXIST_FORBIDDEN_WORD PARTNER_ERROR AMOUNT_OR_CURRENCY_ERROR CURRENCY_NOT_SUPPORT \
         NOW_TIME_AFTER_EXPIRE_TIME_ERROR SELLER_BEEN_BLOCKED SELLER_NOT_EXIST INVALID_RECEIVE_ACCOUNT INVALID_STORE_ID \
         SUB_MERCHANT_CREATE_FAIL SUB_MERCHANT_TYPE_INVALID PLATFORM_BUSINESS_ACQUIRE_MODE_MUST_MERCHANT_ID \
         SECONDARY_MERCHANT_ID_BLANK SECONDARY_MERCHANT_ID_INVALID SECONDARY_MERCHANT_NOT_MATCH \
         SECONDARY_MERCHANT_STATUS_ERROR SECONDARY_MERCHANT_ALIPAY_ACCOUNT_INVALID \
         SECONDARY_MERCHANT_ISV_PUNISH_INDIRECT MERCHANT_AGREEMENT_NOT_EXIST MERCHANT_AGREEMENT_INVALID \
         MERCHANT_STATUS_NOT_NORMAL SUB_GOODS_SIZE_MAX_COUNT TRADE_SETTLE_ERROR ROYALTY_ACCOUNT_NOT_EXIST \
         RESTRICTED_MERCHANT_INDUSTRY UN_SUPPORT_TRADE_SCENE RISK_MERCHANT_IP_NOT_EXIST",
    ),
    // 8.3, queries and agreements
    row(QUERIES, Class::State, Hint::None, "TRADE_NOT_EXIST"),
    row(QUERIES, Class::Unknown, Hint::None, "SYSTEM_ERROR"),
    row(QUERIES, Class::Setup, Hint::Setup, "ENTERPRISE_PAY_BIZ_ERROR"),
    row(
        CLOSE,
        Class::State,
        Hint::None,
        "TRADE_NOT_EXIST TRADE_STATUS_ERROR REASON_TRADE_STATUS_INVALID REASON_ILLEGAL_STATUS",
    ),
    row(CLOSE, Class::Retry, Hint::None, "SYSTEM_ERROR"),
    row(
        &[Method::AgreementQuery],
        Class::State,
        Hint::ContractGone,
        "USER_AGREEMENT_NOT_EXIST AGREEMENT_HAS_UNSIGNED USER_NOT_EXIST_ERROR USER_NOT_EXSIT_ERROR",
    ),
    row(AGREEMENT, Class::Unknown, Hint::None, "SYSTEM_ERROR"),
    row(
        AGREEMENT,
        Class::Setup,
        Hint::Setup,
        "PRODUCT_CODE_NOT_SUPPORTED_ERROR AUTHOREE_IS_NOT_MATCH MERCHANT_STATUS_IS_NOT_NORMAL \
         MERCHANT_AGREEMENT_IS_NOT_EXIST PARENT_MERCHANT_QUERY_FAIL ILLEGAL_PARAMS LOGONID_IS_REPEATED",
    ),
    row(
        UNSIGN,
        Class::State,
        Hint::ContractGone,
        "AGREEMENT_NOT_EXIST AGREEMENT_NOT_EXSIT USER_AGREEMENT_STATUS_NOT_NORMAL USER_AGREEMENT_STATUS_IS_NOT_NORMAL \
         USER_NOT_EXIST_ERROR USER_NOT_EXSIT_ERROR",
    ),
    row(
        UNSIGN,
        Class::Retry,
        Hint::None,
        "USER_AGREEMENT_QUERY_FAIL USER_AGREEMENT_UNSIGN_FAIL",
    ),
    row(UNSIGN, Class::Final, Hint::None, "ASYNC_UNSIGN_CAN_NOT_REJECT"),
    row(
        AGREEMENT,
        Class::Final,
        Hint::None,
        "ILLEGAL_EXECUTION_TIME ILLEGAL_AGREEMENT",
    ),
    // 8.4, cancel and refund
    row(CANCEL, Class::Retry, Hint::None, "SYSTEM_ERROR"),
    row(UNDO, Class::Retry, Hint::Setup, "SELLER_BALANCE_NOT_ENOUGH"),
    row(
        CANCEL,
        Class::Final,
        Hint::None,
        "TRADE_CANCEL_TIME_OUT CANCEL_NOT_ALLOWED TRADE_HAS_FINISHED REASON_TRADE_REFUND_FEE_ERR",
    ),
    row(UNDO, Class::Final, Hint::Setup, "REASON_TRADE_BEEN_FREEZEN"),
    row(REFUND, Class::Unknown, Hint::None, "SYSTEM_ERROR"),
    row(REFUND, Class::Retry, Hint::None, "REFUND_CHARGE_ERROR"),
    // "Amount wrong or already refunded" may speak of this very refund, sent before: the refund query decides.
    row(
        REFUND,
        Class::State,
        Hint::None,
        "DISCORDANT_REPEAT_REQUEST TRADE_NOT_EXIST TRADE_STATUS_ERROR REASON_TRADE_STATUS_INVALID TRADE_HAS_CLOSE \
         REASON_TRADE_REFUND_FEE_ERR",
    ),
    row(
        REFUND,
        Class::Final,
        Hint::None,
        "REFUND_AMT_NOT_EQUAL_TOTAL REFUND_FEE_ERROR NOT_ALLOW_PARTIAL_REFUND ALLOC_AMOUNT_VALIDATE_ERROR \
         TRADE_HAS_FINISHED TRADE_NOT_ALLOW_REFUND ONLINE_TRADE_VOUCHER_NOT_ALLOW_REFUND BUYER_NOT_EXIST \
         BUYER_ENABLE_STATUS_FORBID BUYER_ERROR USER_NOT_MATCH_ERR CUSTOMER_VALIDATE_ERROR REFUND_ACCOUNT_NOT_EXIST",
    ),
    row(
        REFUND,
        Class::Setup,
        Hint::Setup,
        "CURRENCY_NOT_SUPPORT TRADE_SETTLE_ERROR REFUND_ROYALTY_PAYEE_ACCOUNT_NOT_EXIST REFUNDALLOC_UNAUTH_LIMIT \
         OVERDRAFT_AGREEMENT_NOT_MATCH OVERDRAFT_ASSIGN_ACCOUNT_INVALID ENTERPRISE_PAY_BIZ_ERROR",
    ),
    // 6.1, bills
    row(BILL, Class::State, Hint::None, "NO_BILL_DATA BILL_NOT_EXIST"),
    row(
        BILL,
        Class::Setup,
        Hint::Setup,
        "INVAILID_ARGUMENTS INVALID_ARGUMENTS BILL_DATE_BEFORE_REGISTRATION TYPE_NOT_SUPPORTED",
    ),
    row(BILL, Class::Retry, Hint::None, "SYSTEM_RATE_LIMIT USER_RATE_LIMIT"),
    row(BILL, Class::Unknown, Hint::None, "UNKNOWN_ERROR"),
    // 7, user information
    row(
        OAUTH,
        Class::Final,
        Hint::User,
        "CODE_INVALID REFRESH_TOKEN_INVALID REFRESH_TOKEN_TIME_OUT REFRESHED_TOKEN_INVALID",
    ),
    row(OAUTH, Class::Setup, Hint::Setup, "GRANT_TYPE_INVALID UNMATCHED_APP_ID"),
];
