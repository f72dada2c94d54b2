//! What the gateway's codes mean (alipay reference, 8), as data.

use metropay_core::channel::Hint;

/// The methods that are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// `alipay.user.agreement.page.sign`: a page, never called by us.
    PageSign,
    /// `alipay.user.agreement.query`
    AgreementQuery,
    /// `alipay.user.agreement.unsign`
    Unsign,
    /// `alipay.trade.pay`
    Pay,
    /// `alipay.trade.query`
    Query,
    /// `alipay.trade.cancel`
    Cancel,
    /// `alipay.trade.refund`
    Refund,
    /// `alipay.trade.fastpay.refund.query`
    RefundQuery,
}

impl Method {
    /// Its name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PageSign => "alipay.user.agreement.page.sign",
            Self::AgreementQuery => "alipay.user.agreement.query",
            Self::Unsign => "alipay.user.agreement.unsign",
            Self::Pay => "alipay.trade.pay",
            Self::Query => "alipay.trade.query",
            Self::Cancel => "alipay.trade.cancel",
            Self::Refund => "alipay.trade.refund",
            Self::RefundQuery => "alipay.trade.fastpay.refund.query",
        }
    }

    /// The name of its answer's node.
    pub(crate) fn root(self) -> String {
        format!("{}_response", self.name().replace('.', "_"))
    }
}

/// What an answer without success says about the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// **F**: no money moved by it, and none will.
    Final,
    /// **Q**: unknown; ask.
    Unknown,
    /// **R**: nothing happened so far; the same request may be repeated.
    Retry,
    /// **C**: the set-up is wrong; nothing moved.
    Setup,
    /// **D**: it tells a state, not an outcome; ask for it.
    State,
}

/// `code` and `sub_code` of an answer to this method as a class, and what the platform may do about it.
///
/// The `sub_code` decides before the `code`. Two rules are stricter than the reference's: a business failure that is not
/// listed ends neither a deduction nor a refund by itself, and 20000 is never final.
pub(crate) fn classify(method: Method, code: &str, sub_code: &str) -> (Class, Hint) {
    let sub_code = plain(sub_code);
    let busy = if method == Method::Cancel {
        Class::Retry
    } else {
        Class::Unknown
    };
    if code == "20000" {
        return (busy, Hint::None);
    }
    let listed = TABLE.iter().find(|row| row.is_for(method, &sub_code));
    if let Some(row) = listed {
        return (row.class, row.hint);
    }
    if tells_of_a_failing_service(&sub_code) {
        return (busy, Hint::None);
    }
    match (code, method) {
        ("40001" | "40002" | "40003" | "40006" | "20001", _) => (Class::Setup, Hint::Setup),
        ("40005", _) => (Class::Retry, Hint::None),
        ("40004", Method::Refund) => (Class::State, Hint::None),
        ("40004", Method::Cancel | Method::Unsign | Method::AgreementQuery) => (Class::Final, Hint::None),
        _ => (Class::Unknown, Hint::None),
    }
}

/// A code without the prefixes that vary, in capitals and with underscores.
pub(crate) fn plain(sub_code: &str) -> String {
    let mut rest = sub_code.to_ascii_uppercase().replace('-', "_");
    for prefix in ["AOP.", "ACQ.", "AQC.", "ISV.", "ISP."] {
        if let Some(stripped) = rest.strip_prefix(prefix) {
            rest = stripped.to_owned();
        }
    }
    rest
}

fn tells_of_a_failing_service(sub_code: &str) -> bool {
    let signs = ["SYSTEM_ERROR", "UNKNOW", "TIMEOUT", "TIME_OUT", "SERVICE_UNAVAILABLE"];
    !sub_code.contains("TOKEN") && signs.iter().any(|sign| sub_code.contains(sign))
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
const AGREEMENT: &[Method] = &[Method::AgreementQuery, Method::Unsign];

/// The lists of section 8, in its order; the first that fits counts.
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
         MISSING_ALIPAY_ROOT_CERT_SN INVALID_ALIPAY_ROOT_CERT_SN APP_CERT_EXPIRED INVALID_ENCRYPT_TYPE INVALID_ENCRYPT \
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
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::vector;

    const CALLED: [(&str, Method); 7] = [
        ("pay", Method::Pay),
        ("query", Method::Query),
        ("cancel", Method::Cancel),
        ("refund", Method::Refund),
        ("refund.query", Method::RefundQuery),
        ("agreement.query", Method::AgreementQuery),
        ("unsign", Method::Unsign),
    ];

    fn methods(name: &str) -> Vec<Method> {
        let fits = |known: &str| match name {
            "*" => true,
            "agreement.*" => known == "agreement.query" || known == "unsign",
            name => name == known,
        };
        CALLED
            .iter()
            .filter(|(known, _)| fits(known))
            .map(|(_, method)| *method)
            .collect()
    }

    /// `codes.tsv` was drawn from the reference's section 8 by a script: method, code, sub_code, class.
    #[test]
    fn every_code_of_section_8_has_its_class() {
        let mut seen = 0;
        for line in vector("codes.tsv").lines() {
            let [name, code, sub_code, letter] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            for method in methods(name) {
                let class = match (letter, method, sub_code) {
                    // "F, then query": here the query decides, as for a state.
                    ("F", Method::Refund, "ACQ.REASON_TRADE_REFUND_FEE_ERR") => Class::State,
                    // 20000 at a cancellation: the same request until it is done (8.4).
                    ("Q", Method::Cancel, _) if code == "20000" => Class::Retry,
                    ("F", ..) => Class::Final,
                    ("Q", ..) => Class::Unknown,
                    ("R", ..) => Class::Retry,
                    ("C", ..) => Class::Setup,
                    ("D", ..) => Class::State,
                    other => panic!("{other:?}"),
                };
                assert_eq!(classify(method, code, sub_code).0, class, "{line} for {method:?}");
                seen += 1;
            }
        }
        assert!(seen > 500, "{seen}");
    }

    #[test]
    fn prefixes_and_dress_do_not_matter() {
        for code in [
            "ACQ.SYSTEM_ERROR",
            "AQC.SYSTEM_ERROR",
            "aop.ACQ.SYSTEM_ERROR",
            "isp.system-error",
            "SYSTEM_ERROR",
        ] {
            assert_eq!(plain(code), "SYSTEM_ERROR");
        }
    }

    #[test]
    fn what_is_not_listed_ends_no_deduction_and_no_refund() {
        assert_eq!(classify(Method::Pay, "40004", "ACQ.SOMETHING_NEW").0, Class::Unknown);
        assert_eq!(classify(Method::Pay, "40004", "").0, Class::Unknown);
        assert_eq!(classify(Method::Pay, "99999", "").0, Class::Unknown);
        assert_eq!(classify(Method::Refund, "40004", "ACQ.SOMETHING_NEW").0, Class::State);
        assert_eq!(classify(Method::Query, "40004", "ACQ.SOMETHING_NEW").0, Class::Unknown);
        assert_eq!(classify(Method::Cancel, "40004", "ACQ.SOMETHING_NEW").0, Class::Final);
        assert_eq!(classify(Method::Pay, "40002", "isv.something-new").0, Class::Setup);
        assert_eq!(classify(Method::Pay, "40005", "").0, Class::Retry);
        assert_eq!(
            classify(Method::Pay, "40004", "ACQ.SOME_SERVICE_TIMEOUT").0,
            Class::Unknown
        );
        assert_eq!(classify(Method::Refund, "40004", "ACQ.SOME_TIME-OUT").0, Class::Unknown);
        assert_eq!(
            classify(Method::Pay, "20001", "aop.some-token-time-out").0,
            Class::Setup
        );
        // A refusal inside "service unavailable" is no refusal.
        assert_eq!(classify(Method::Pay, "20000", "ACQ.PAYMENT_FAIL").0, Class::Unknown);
    }

    #[test]
    fn hints_say_what_to_do() {
        let hint = |code| classify(Method::Pay, "40004", code).1;
        assert_eq!(hint("ACQ.AGREEMENT_NOT_EXIST"), Hint::ContractGone);
        assert_eq!(hint("ACQ.BUYER_BALANCE_NOT_ENOUGH"), Hint::Funds);
        assert_eq!(hint("ACQ.ERROR_BALANCE_PAYMENT_DISABLE"), Hint::User);
        assert_eq!(hint("ACQ.MERCHANT_AGREEMENT_NOT_EXIST"), Hint::Setup);
        assert_eq!(hint("ACQ.PAYMENT_REQUEST_HAS_RISK"), Hint::None);
    }
}
