//! The codes of APIv3 and what they prove (wechat reference, 6.3 and 8.7 to 8.9). Data: a code that is not listed proves
//! nothing, except by a status that says that nothing was processed.

use http::StatusCode;
use metropay_core::channel::Hint;

use super::json::Json;
use crate::codes::{Class, normal};

/// Which call answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    PayByCode,
    QueryOrder,
    Reverse,
    Refund,
    QueryRefund,
    Bill,
}

use Asked::{Bill, PayByCode, QueryOrder, QueryRefund, Refund, Reverse};
use Class::{Config, Confirm, Done, Final, Query, Repeat};

struct Row {
    asked: &'static [Asked],
    code: &'static str,
    class: Class,
    hint: Hint,
}

const fn row(asked: &'static [Asked], code: &'static str, class: Class, hint: Hint) -> Row {
    Row {
        asked,
        code,
        class,
        hint,
    }
}

const ALL: &[Asked] = &[PayByCode, QueryOrder, Reverse, Refund, QueryRefund, Bill];
const READS: &[Asked] = &[QueryOrder, QueryRefund, Bill];
const UNDO: &[Asked] = &[Reverse, Refund];
const PAY: &[Asked] = &[PayByCode];

/// Codes are written as [`normal`] makes them. The first row that fits counts.
static ROWS: &[Row] = &[
    // 8.9, paying
    row(PAY, "USERPAYING", Query, Hint::None),
    row(PAY, "SYSTEMERROR", Query, Hint::None),
    row(PAY, "BANKERROR", Query, Hint::None),
    row(PAY, "ERROR", Query, Hint::None),
    row(PAY, "ORDERPAID", Query, Hint::None),
    row(PAY, "OUTTRADENOUSED", Query, Hint::None),
    row(PAY, "ALREADYEXISTS", Query, Hint::None),
    row(PAY, "RESOURCEALREADYEXISTS", Query, Hint::None),
    row(PAY, "ORDERCLOSED", Final, Hint::None),
    row(PAY, "ORDERREVERSED", Final, Hint::None),
    row(PAY, "NOTENOUGH", Final, Hint::Funds),
    row(PAY, "RULELIMIT", Final, Hint::Funds),
    row(PAY, "REQUESTBLOCKED", Final, Hint::Funds),
    row(PAY, "TRADEERROR", Confirm, Hint::None),
    row(PAY, "ACCOUNTERROR", Final, Hint::User),
    row(PAY, "USERACCOUNTABNORMAL", Final, Hint::User),
    row(PAY, "USERNOTEXIST", Final, Hint::User),
    row(PAY, "AUTHCODEEXPIRE", Final, Hint::User),
    row(PAY, "AUTHCODEINVALID", Final, Hint::User),
    row(PAY, "CONTRACTNOTEXIST", Final, Hint::ContractGone),
    row(PAY, "CONTRACTERROR", Final, Hint::ContractGone),
    row(PAY, "CONTRACTEXISTED", Final, Hint::None),
    row(PAY, "OPENIDMISMATCH", Confirm, Hint::None),
    row(PAY, "INVALIDTRANSACTIONID", Confirm, Hint::None),
    row(PAY, "INVALIDREQUEST", Confirm, Hint::Setup),
    // querying
    row(&[QueryOrder], "ORDERNOTEXIST", Done, Hint::None),
    // reversing
    row(&[Reverse], "USERPAYING", Repeat, Hint::None),
    row(&[Reverse], "SYSTEMERROR", Repeat, Hint::None),
    row(&[Reverse], "BANKERROR", Repeat, Hint::None),
    row(&[Reverse], "ERROR", Repeat, Hint::None),
    row(&[Reverse], "REVERSEEXPIRE", Final, Hint::None),
    row(&[Reverse], "ORDERREVERSED", Done, Hint::None),
    row(&[Reverse], "ORDERCLOSED", Done, Hint::None),
    row(&[Reverse], "TRADEERROR", Confirm, Hint::None),
    row(&[Reverse], "INVALIDREQUEST", Confirm, Hint::None),
    row(&[Reverse], "ORDERNOTEXIST", Query, Hint::None),
    // 8.7, refunds
    row(&[Refund], "SYSTEMERROR", Repeat, Hint::None),
    row(&[Refund], "BIZERRNEEDRETRY", Repeat, Hint::None),
    row(&[Refund], "NOTENOUGH", Repeat, Hint::Funds),
    row(&[Refund], "USERACCOUNTABNORMAL", Final, Hint::User),
    row(&[Refund], "INVALIDREQUEST", Final, Hint::None),
    row(&[Refund], "RESOURCENOTEXISTS", Final, Hint::None),
    row(&[Refund], "ORDERNOTEXIST", Final, Hint::None),
    row(&[Refund], "REQUESTBLOCKED", Final, Hint::None),
    row(&[QueryRefund], "RESOURCENOTEXISTS", Done, Hint::None),
    row(&[QueryRefund], "REFUNDNOTEXISTS", Done, Hint::None),
    // 6.3, bills
    row(&[Bill], "STATEMENTCREATING", Query, Hint::None),
    row(&[Bill], "NOSTATEMENTEXIST", Done, Hint::None),
    row(&[Bill], "INVALIDREQUEST", Config, Hint::Setup),
    // the same everywhere
    row(READS, "SYSTEMERROR", Repeat, Hint::None),
    row(UNDO, "SYSTEMERROR", Repeat, Hint::None),
    row(ALL, "BIZERRNEEDRETRY", Repeat, Hint::None),
    row(ALL, "FREQUENCYLIMITED", Repeat, Hint::None),
    row(ALL, "RATELIMITEXCEEDED", Repeat, Hint::None),
    row(ALL, "SERVICEUNAVAILABLE", Repeat, Hint::None),
    row(ALL, "PARAMERROR", Config, Hint::Setup),
    row(ALL, "SIGNERROR", Config, Hint::Setup),
    row(ALL, "NOAUTH", Config, Hint::Setup),
    row(ALL, "MCHNOTEXISTS", Config, Hint::Setup),
    row(ALL, "APPIDMCHIDNOTMATCH", Config, Hint::Setup),
];

/// Codes that come with status 500 although the channel means them.
const MEANT_AT_500: &[&str] = &["OPENIDMISMATCH", "INVALIDTRANSACTIONID"];

/// A failure that the channel told us of, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    status: StatusCode,
    pub(crate) told: crate::codes::Failure,
}

impl Failure {
    pub(super) fn read(status: StatusCode, body: &Json) -> Self {
        Self {
            status,
            told: crate::codes::Failure {
                code: normal(body.text("/code").unwrap_or_default()),
                text: body.text("/message").unwrap_or_default().to_owned(),
            },
        }
    }

    /// What this failure proves, if anything.
    pub(crate) fn class(&self, asked: Asked) -> Option<(Class, Hint)> {
        let status = self.status.as_u16();
        let code = self.told.code.as_str();
        let row = ROWS.iter().find(|row| row.code == code && row.asked.contains(&asked));
        match (row, status) {
            // The server says that it does not know itself: whatever it adds proves nothing (8.1, rule 1).
            (Some(row), 500..) if !matches!(row.class, Query | Repeat) && !MEANT_AT_500.contains(&code) => None,
            (Some(row), 202 | 400..) => Some((row.class, row.hint)),
            // Refused before anything was processed.
            (None, 401 | 405 | 406 | 415) => Some((Config, Hint::Setup)),
            (None, 429) => Some((Repeat, Hint::None)),
            _ => None,
        }
    }

    /// The failure as a line for operators.
    pub(crate) fn line(&self) -> String {
        format!("HTTP status {}: {}", self.status.as_u16(), self.told.line())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of `call|code|status|class|hint`, copied from the reference's tables by hand.
    const REFERENCE: &str = include_str!("../../tests/vectors/codes_v3.txt");

    fn failure(code: &str, status: u16) -> Failure {
        Failure {
            status: StatusCode::from_u16(status).unwrap(),
            told: crate::codes::Failure {
                code: normal(code),
                text: String::new(),
            },
        }
    }

    #[test]
    fn every_code_of_the_reference_has_its_class() {
        let mut lines = 0;
        for line in REFERENCE.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split('|').collect();
            let [call, code, status, class, hint] = words.as_slice() else {
                panic!("{line}")
            };
            let asked = ALL.iter().find(|asked| format!("{asked:?}") == *call);
            let asked = *asked.unwrap_or_else(|| panic!("{line}"));
            let found = failure(code, status.parse().unwrap()).class(asked);
            let expected = (*class != "None").then(|| (class.to_string(), hint.to_string()));
            assert_eq!(
                found.map(|(c, h)| (format!("{c:?}"), format!("{h:?}"))),
                expected,
                "{line}"
            );
            lines += 1;
        }
        assert!(lines > 80, "{lines} codes");
    }

    #[test]
    fn a_server_that_fails_proves_nothing_whatever_it_says() {
        for row in ROWS {
            for asked in row.asked {
                for status in [500, 502, 503, 504] {
                    let class = failure(row.code, status).class(*asked).map(|(class, _)| class);
                    let meant = MEANT_AT_500.contains(&row.code) && class == Some(Confirm);
                    assert!(
                        meant || matches!(class, None | Some(Query | Repeat)),
                        "{} {class:?}",
                        row.code
                    );
                }
                assert_eq!(failure(row.code, 200).class(*asked), None);
            }
        }
        for asked in ALL {
            for status in [200, 202, 204, 301, 400, 403, 404, 500, 502] {
                for code in ["", "NEW_CODE_OF_2031"] {
                    assert_eq!(failure(code, status).class(*asked), None, "{code} {status}");
                }
            }
        }
    }
}
