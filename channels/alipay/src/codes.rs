//! What the gateway's codes mean (alipay reference, 8), as data.

mod table;

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
    /// `alipay.trade.close`
    Close,
    /// `alipay.data.dataservice.bill.downloadurl.query`
    BillUrl,
    /// `alipay.system.oauth.token`
    Token,
    /// `alipay.user.info.share`
    UserInfo,
    /// `alipay.open.app.alipaycert.download`
    CertDownload,
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
            Self::Close => "alipay.trade.close",
            Self::BillUrl => "alipay.data.dataservice.bill.downloadurl.query",
            Self::Token => "alipay.system.oauth.token",
            Self::UserInfo => "alipay.user.info.share",
            Self::CertDownload => "alipay.open.app.alipaycert.download",
        }
    }

    /// Whether an unsigned gateway error may be shown as what it says: only where neither money nor an agreement hangs on
    /// the answer, so that a forged one costs an attempt and nothing more (alipay reference, 1.5).
    pub(crate) fn believes_unsigned_errors(self) -> bool {
        matches!(self, Self::BillUrl | Self::Token | Self::UserInfo)
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
    if let Some(listed) = table::listed(method, &sub_code) {
        return listed;
    }
    if tells_of_a_failing_service(&sub_code) {
        return (busy, Hint::None);
    }
    match (code, method) {
        ("40001" | "40002" | "40003" | "40006" | "20001", _) => (Class::Setup, Hint::Setup),
        ("40005", _) => (Class::Retry, Hint::None),
        ("40004", Method::Refund) => (Class::State, Hint::None),
        ("40004", Method::Pay | Method::Query | Method::RefundQuery) => (Class::Unknown, Hint::None),
        ("40004", _) => (Class::Final, Hint::None),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::vector;

    const CALLED: [(&str, Method); 10] = [
        ("pay", Method::Pay),
        ("query", Method::Query),
        ("cancel", Method::Cancel),
        ("refund", Method::Refund),
        ("refund.query", Method::RefundQuery),
        ("agreement.query", Method::AgreementQuery),
        ("unsign", Method::Unsign),
        ("close", Method::Close),
        ("bill", Method::BillUrl),
        ("oauth", Method::Token),
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
