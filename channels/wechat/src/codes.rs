//! The channel's error codes and what they prove (wechat reference, 8). Data: a code that is not listed proves nothing.

use metropay_core::channel::{Hint, Refusal};

/// Which call answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `preentrustweb` and `h5entrustweb`.
    Sign,
    QueryContract,
    DeleteContract,
    Deduct,
    /// The outcome of a deduction, as queries tell it.
    Outcome,
    QueryOrder,
    CloseOrder,
    Refund,
    QueryRefund,
    /// `micropay`.
    PayByCode,
    /// `reverse`, for orders that were paid by code.
    Reverse,
    /// `downloadbill` and `downloadfundflow`; the former tells by its text.
    Bill,
}

/// What a code proves about the call that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// F: finally failed, nothing was moved by this call.
    Final,
    /// F after query: failed by this call, but the code may also mean that the number had been used before.
    Confirm,
    /// Q: unknown or still open, query.
    Query,
    /// R: not processed now, the same request may be repeated.
    Repeat,
    /// C: our set-up is wrong; nothing was moved by this call.
    Config,
    /// D: what was asked for is so already, or there is nothing (left) to ask about.
    Done,
}

/// One line of the tables.
#[derive(Debug)]
pub(crate) struct Row {
    asked: &'static [Asked],
    code: &'static str,
    pub(crate) class: Class,
    pub(crate) hint: Hint,
}

const fn row(asked: &'static [Asked], code: &'static str, class: Class, hint: Hint) -> Row {
    Row {
        asked,
        code,
        class,
        hint,
    }
}

use Asked::{
    Bill, CloseOrder, Deduct, DeleteContract, Outcome, PayByCode, QueryContract, QueryOrder, QueryRefund, Refund,
    Reverse, Sign,
};
use Class::{Config, Confirm, Done, Final, Query, Repeat};

/// Calls to which the codes of set-up and programming errors apply alike.
const ALL: &[Asked] = &[
    Sign,
    QueryContract,
    DeleteContract,
    Deduct,
    QueryOrder,
    CloseOrder,
    Refund,
    QueryRefund,
    PayByCode,
    Reverse,
    Bill,
];
const READS: &[Asked] = &[Sign, QueryContract, DeleteContract, QueryOrder, QueryRefund, Bill];
const PAY: &[Asked] = &[PayByCode];
const BOTH: &[Asked] = &[Deduct, Outcome];

/// Codes are written as [`normal`] makes them. The first row that fits counts.
static ROWS: &[Row] = &[
    // 8.2, the answer to a deduction
    row(&[Deduct], "SYSTEMERROR", Query, Hint::None),
    row(&[Deduct], "ORDERACCEPTED", Query, Hint::None),
    row(&[Deduct], "ORDERPAID", Query, Hint::None),
    row(&[Deduct], "ORDERCLOSED", Query, Hint::None),
    row(&[Deduct], "CONTRACTERROR", Final, Hint::ContractGone),
    row(&[Deduct], "FREQUENCYLIMITED", Repeat, Hint::None),
    row(&[Deduct], "INVALIDREQUEST", Final, Hint::Setup),
    row(&[Deduct], "BANKERROR", Query, Hint::None),
    // 8.3, the outcome of a deduction
    row(BOTH, "CONTRACTNOTEXIST", Final, Hint::ContractGone),
    row(BOTH, "RULELIMIT", Final, Hint::Funds),
    row(BOTH, "NOTENOUGH", Final, Hint::Funds),
    row(&[Outcome], "BANKERROR", Final, Hint::None),
    row(BOTH, "ACCOUNTERROR", Final, Hint::User),
    row(BOTH, "USERACCOUNTABNORMAL", Final, Hint::User),
    row(BOTH, "USERNOTEXIST", Final, Hint::ContractGone),
    row(BOTH, "TRADEERROR", Final, Hint::None),
    row(&[Outcome], "SYSTEMERROR", Query, Hint::None),
    row(&[Outcome], "0", Query, Hint::None),
    // 8.4, contracts
    row(&[QueryContract], "CONTRACTNOTEXIST", Done, Hint::None),
    row(&[DeleteContract], "CONTRACTNOTEXIST", Done, Hint::None),
    row(&[DeleteContract], "PARAMETERFAIL", Config, Hint::Setup),
    row(&[DeleteContract], "MERCHANTPERMISSIONERROR", Config, Hint::Setup),
    row(&[Sign], "CONTRACTEXISTED", Final, Hint::None),
    // 8.5, paying by code
    row(PAY, "SYSTEMERROR", Query, Hint::None),
    row(PAY, "BANKERROR", Query, Hint::None),
    row(PAY, "USERPAYING", Query, Hint::None),
    row(PAY, "ORDERPAID", Query, Hint::None),
    row(PAY, "OUTTRADENOUSED", Query, Hint::None),
    row(PAY, "AUTHCODEEXPIRE", Final, Hint::User),
    row(PAY, "AUTHCODEERROR", Final, Hint::User),
    row(PAY, "AUTHCODEINVALID", Final, Hint::User),
    row(PAY, "NOTENOUGH", Final, Hint::Funds),
    row(PAY, "NOTSUPORTCARD", Final, Hint::User),
    row(PAY, "ORDERCLOSED", Final, Hint::None),
    row(PAY, "ORDERREVERSED", Final, Hint::None),
    row(PAY, "BUYERMISMATCH", Final, Hint::None),
    row(PAY, "TRADEERROR", Confirm, Hint::None),
    row(PAY, "RULELIMIT", Final, Hint::Funds),
    row(PAY, "INVALIDREQUEST", Confirm, Hint::Setup),
    // 8.6, queries, closing and reversing
    row(&[QueryOrder], "ORDERNOTEXIST", Done, Hint::None),
    row(&[CloseOrder], "ORDERPAID", Query, Hint::None),
    row(&[CloseOrder], "ORDERCLOSED", Done, Hint::None),
    row(&[CloseOrder], "ORDERNOTEXIST", Query, Hint::None),
    row(&[CloseOrder], "TRADESTATEERROR", Query, Hint::None),
    row(&[CloseOrder], "SYSTEMERROR", Repeat, Hint::None),
    row(&[Reverse], "SYSTEMERROR", Repeat, Hint::None),
    row(&[Reverse], "USERPAYING", Repeat, Hint::None),
    row(&[Reverse], "REVERSEEXPIRE", Final, Hint::None),
    row(&[Reverse], "TRADEERROR", Confirm, Hint::None),
    row(&[Reverse], "INVALIDREQUEST", Confirm, Hint::None),
    // 6.1, bills
    row(&[Bill], "NOBILLEXIST", Done, Hint::None),
    row(&[Bill], "BILLCREATING", Query, Hint::None),
    row(&[Bill], "INVALIDBILLTYPE", Config, Hint::Setup),
    row(&[Bill], "DATAFORMATERROR", Config, Hint::Setup),
    row(&[Bill], "MISSINGPARAMETER", Config, Hint::Setup),
    row(&[Bill], "COMPRESSGZIPERROR", Repeat, Hint::None),
    row(&[Bill], "UNCOMPRESSGZIPERROR", Repeat, Hint::None),
    // 8.7, refunds
    row(&[Refund], "SYSTEMERROR", Repeat, Hint::None),
    row(&[Refund], "BIZERRNEEDRETRY", Repeat, Hint::None),
    row(&[Refund], "FREQUENCYLIMITED", Repeat, Hint::None),
    row(&[Refund], "INVALIDREQTOOMUCH", Repeat, Hint::None),
    row(&[Refund], "NOTENOUGH", Repeat, Hint::Funds),
    row(&[Refund], "TRADEOVERDUE", Final, Hint::None),
    row(&[Refund], "USERACCOUNTABNORMAL", Final, Hint::User),
    row(&[Refund], "REFUNDFEEMISMATCH", Final, Hint::Setup),
    row(&[Refund], "ORDERNOTREADY", Repeat, Hint::None),
    row(&[Refund], "ORDERNOTEXIST", Final, Hint::None),
    row(&[Refund], "INVALIDTRANSACTIONID", Final, Hint::None),
    row(&[Refund], "ERROR", Final, Hint::None),
    row(&[Refund], "INVALIDREQUEST", Final, Hint::None),
    row(&[QueryRefund], "REFUNDNOTEXIST", Done, Hint::None),
    // the same everywhere: a fault inside the channel, or a wrong set-up
    row(READS, "SYSTEMERROR", Repeat, Hint::None),
    row(ALL, "PARAMERROR", Config, Hint::Setup),
    row(ALL, "SIGNERROR", Config, Hint::Setup),
    row(ALL, "APPIDMCHIDNOTMATCH", Config, Hint::Setup),
    row(ALL, "INVALIDTRANSACTIONID", Config, Hint::Setup),
    row(ALL, "LACKPARAMS", Config, Hint::Setup),
    row(ALL, "NOTUTF8", Config, Hint::Setup),
    row(ALL, "POSTDATAEMPTY", Config, Hint::Setup),
    row(ALL, "XMLFORMATERROR", Config, Hint::Setup),
    row(ALL, "REQUIREPOSTMETHOD", Config, Hint::Setup),
    row(ALL, "CERTERROR", Config, Hint::Setup),
    row(ALL, "APPIDNOTEXIST", Config, Hint::Setup),
    row(ALL, "MCHIDNOTEXIST", Config, Hint::Setup),
    row(ALL, "NOAUTH", Config, Hint::Setup),
];

/// Texts that stand for a code of class C where the channel gives none (wechat reference, 8.2).
const NOT_OPEN: &str = "商户号代扣产品权限校验失败";

/// A code in one spelling: the channel's products write `SIGNERROR`, `SIGN_ERROR` and `SIGN ERROR`.
pub(crate) fn normal(code: &str) -> String {
    code.chars()
        .filter(|c| !c.is_whitespace() && *c != '_')
        .flat_map(char::to_uppercase)
        .collect()
}

/// A failure that the channel told us of, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The code, in the one spelling; empty where there was none.
    pub(crate) code: String,
    /// The channel's text.
    pub(crate) text: String,
}

impl Failure {
    /// The line of the tables about this failure, if there is one.
    pub(crate) fn row(&self, asked: Asked) -> Option<&'static Row> {
        static NOT_OPEN_ROW: Row = row(&[Deduct], "", Config, Hint::Setup);
        let listed = ROWS
            .iter()
            .find(|row| row.code == self.code && row.asked.contains(&asked));
        listed.or_else(|| {
            let not_open = asked == Deduct && self.text.contains(NOT_OPEN);
            not_open.then_some(&NOT_OPEN_ROW)
        })
    }

    /// The failure as proof for our books.
    pub(crate) fn refusal(self, hint: Hint) -> Refusal {
        Refusal {
            code: self.code,
            text: self.text,
            hint,
        }
    }

    /// The failure as a line for operators.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.code, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of `section calls code class hint`, copied from the reference's tables by hand.
    const REFERENCE: &str = include_str!("../tests/vectors/codes.txt");

    fn asked(name: &str) -> Asked {
        match name {
            "sign" => Sign,
            "querycontract" => QueryContract,
            "deletecontract" => DeleteContract,
            "deduct" => Deduct,
            "outcome" => Outcome,
            "queryorder" => QueryOrder,
            "closeorder" => CloseOrder,
            "refund" => Refund,
            "queryrefund" => QueryRefund,
            "micropay" => PayByCode,
            "reverse" => Reverse,
            "bill" => Bill,
            other => panic!("{other} is no call"),
        }
    }

    #[test]
    fn every_code_of_the_reference_has_its_class() {
        let mut lines = 0;
        for line in REFERENCE.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split('|').collect();
            let [call, codes, class, hint] = words.as_slice() else {
                panic!("{line}")
            };
            for code in codes.split('/') {
                let failure = Failure {
                    code: normal(code),
                    text: String::new(),
                };
                let row = failure.row(asked(call)).unwrap_or_else(|| panic!("{line}"));
                assert_eq!(format!("{:?}", row.class), *class, "{line}");
                assert_eq!(format!("{:?}", row.hint), *hint, "{line}");
                lines += 1;
            }
        }
        assert!(lines > 110, "{lines} codes");
    }

    #[test]
    fn an_unknown_code_proves_nothing() {
        for code in ["", "0", "SUCCESS", "WHATEVER", "ORDERNOTEXIST"] {
            let failure = Failure {
                code: normal(code),
                text: "余额不足".to_owned(),
            };
            assert!(failure.row(Deduct).is_none(), "{code}");
        }
    }

    #[test]
    fn a_product_that_is_not_open_is_told_by_its_text() {
        let failure = Failure {
            code: String::new(),
            text: "商户号代扣产品权限校验失败，请检查".to_owned(),
        };
        assert_eq!(failure.row(Deduct).unwrap().class, Config);
        assert!(failure.row(Refund).is_none());
    }
}
