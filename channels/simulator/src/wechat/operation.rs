//! What each call of APIv2 demands of a request: method, signature, fields and their forms (wechat reference, 3 and 10.3).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::answer::Failure;
use super::number;
use super::request::Call;
use super::xml::Fields;
use crate::fault::Effect;
use crate::frame::Frame;

/// A signing page takes a `timestamp` this far from the gateway's clock, in seconds (wechat reference, 3.3).
const TIMESTAMP_WINDOW_S: i64 = 300;

/// One call of the gateway.
pub(super) struct Operation {
    /// The last segment of the path; the fault script knows the call by it.
    pub name: &'static str,
    pub family: Family,
    pub carrier: Carrier,
    pub signing: Signing,
    /// `nonce_str` is required; otherwise it must not be there.
    pub has_nonce: bool,
    /// Fields that are not listed are refused with 参数构造错误.
    pub is_closed: bool,
    /// Whether the real gateway demands the merchant's certificate.
    pub is_certified: bool,
    /// `err_code` for a field of the wrong form.
    pub bad_field_code: &'static str,
    pub rules: &'static [Rule],
    pub act: fn(&Arc<Frame>, &Call) -> Result<Fields, Failure>,
}

/// What a call is about; says which effects of the fault script it can play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    SigningPage,
    Contract,
    ContractQuery,
    Deduction,
    OrderQuery,
    Close,
    Refund,
    RefundQuery,
    /// A payment by code.
    CodePayment,
    /// The code is looked at, nothing is paid.
    CodeLookup,
    Reverse,
    /// A bill itself; nothing of it is signed.
    Bill,
    /// The link to a bill.
    BillLink,
    /// The file behind a link; nothing of it is signed.
    BillFile,
    Certificates,
}

/// How request and answer travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// XML both ways; the answer is signed.
    Post,
    /// XML in; a file out, or XML of a kind of its own without a signature.
    PostForBill,
    /// XML in; a file out, or XML as usual.
    PostForFundFlow,
    /// A query string, and an XML answer without a signature.
    GetForXml,
    /// A query string in a browser, and a page.
    GetForPage,
}

/// Which algorithm a request is signed with (wechat reference, 1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signing {
    /// MD5 unless `sign_type` says otherwise.
    Md5,
    /// HMAC-SHA256 unless `sign_type` says otherwise.
    HmacSha256,
    /// MD5 and nothing else.
    Md5Only,
    /// HMAC-SHA256 and nothing else, and `sign_type` must say so.
    HmacRequired,
}

/// Which kind of account a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Direct,
    Provider,
    Both,
}

/// One field of a request.
pub(super) struct Rule {
    pub name: &'static str,
    pub required: bool,
    pub form: Form,
}

/// The form of a field. Lengths count bytes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Text(usize),
    /// Visible ASCII.
    Id(usize),
    Alphanumeric(usize),
    Digits(usize),
    /// Whole fen from 1, without leading zeros.
    Amount,
    /// int64 without leading zeros.
    Serial,
    /// A full address with a path and without a query.
    NotifyUrl,
    Ip4,
    Ip,
    TradeNo,
    /// As in APIv2, but six characters at least.
    TradeNoV3,
    RefundNo,
    /// Letters and digits of any script.
    DisplayAccount,
    OneOf(&'static [&'static str]),
    /// `yyyyMMddHHmmss`.
    Moment,
    /// JSON with the shop's number (wechat reference, 4.2).
    SceneInfo,
    /// Unix seconds near the gateway's clock.
    Timestamp,
}

pub(super) const fn must(name: &'static str, form: Form) -> Rule {
    Rule {
        name,
        required: true,
        form,
    }
}

pub(super) const fn may(name: &'static str, form: Form) -> Rule {
    Rule {
        name,
        required: false,
        form,
    }
}

impl Form {
    /// Whether the value has this form, `now_s` being the gateway's time in Unix seconds.
    pub(super) fn fits(self, value: &str, now_s: i64) -> bool {
        let every = |len_max: usize, fits: fn(u8) -> bool| value.len() <= len_max && value.bytes().all(fits);
        match self {
            Self::Text(len_max) => value.len() <= len_max,
            Self::Id(len_max) => every(len_max, |b| b.is_ascii_graphic()),
            Self::Alphanumeric(len_max) => every(len_max, |b| b.is_ascii_alphanumeric()),
            Self::Digits(len_max) => every(len_max, |b| b.is_ascii_digit()),
            Self::Amount => every(10, |b| b.is_ascii_digit()) && !value.starts_with('0'),
            Self::Serial => {
                every(19, |b| b.is_ascii_digit()) && !value.starts_with('0') && value.parse::<i64>().is_ok()
            }
            Self::NotifyUrl => is_notify_url(value),
            Self::Ip4 => value.parse::<Ipv4Addr>().is_ok(),
            Self::Ip => value.parse::<IpAddr>().is_ok(),
            Self::TradeNo => every(32, |b| b.is_ascii_alphanumeric() || b"_-|*".contains(&b)),
            Self::TradeNoV3 => value.len() >= 6 && Self::TradeNo.fits(value, now_s),
            Self::RefundNo => every(64, |b| b.is_ascii_alphanumeric() || b"_-|*@".contains(&b)),
            Self::DisplayAccount => value.len() <= 32 && value.chars().all(char::is_alphanumeric),
            Self::OneOf(values) => values.contains(&value),
            Self::Moment => number::moment(value).is_some(),
            Self::SceneInfo => value.len() <= 256 && is_scene_info(value),
            Self::Timestamp => {
                let given = value
                    .parse::<i64>()
                    .ok()
                    .filter(|_| every(10, |b| b.is_ascii_digit()) && value.len() == 10);
                given.is_some_and(|given| (given - now_s).abs() <= TIMESTAMP_WINDOW_S)
            }
        }
    }
}

fn is_notify_url(value: &str) -> bool {
    let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    let Some((host, _path)) = rest.and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    !host.is_empty() && value.len() <= 256 && value.bytes().all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#')
}

fn is_scene_info(value: &str) -> bool {
    let scene: Option<serde_json::Value> = serde_json::from_str(value).ok();
    scene.is_some_and(|scene| {
        scene
            .pointer("/store_info/id")
            .is_some_and(serde_json::Value::is_string)
    })
}

impl Family {
    /// Whether a call of this family can play the effect. What it cannot play is left waiting for a call that can.
    pub(super) fn plays(self, effect: &Effect) -> bool {
        match effect {
            Effect::Pending { .. } | Effect::FailLater { .. } => {
                matches!(self, Self::Deduction | Self::Refund | Self::CodePayment)
            }
            Effect::PaidAfterReverse { .. } => {
                matches!(self, Self::Deduction | Self::Close | Self::CodePayment | Self::Reverse)
            }
            Effect::Blind => matches!(self, Self::OrderQuery | Self::RefundQuery | Self::ContractQuery),
            Effect::WrongAmount { .. } | Effect::WrongCurrency { .. } => {
                matches!(
                    self,
                    Self::OrderQuery | Self::RefundQuery | Self::Refund | Self::CodePayment
                )
            }
            Effect::WrongOrder { .. } => {
                matches!(
                    self,
                    Self::OrderQuery | Self::RefundQuery | Self::Refund | Self::ContractQuery | Self::CodePayment
                )
            }
            Effect::WrongMerchant { .. } => !matches!(
                self,
                Self::SigningPage | Self::Bill | Self::BillLink | Self::BillFile | Self::Certificates
            ),
            Effect::WrongSignature | Effect::NoSignature => {
                !matches!(self, Self::SigningPage | Self::Bill | Self::BillFile)
            }
            Effect::Delay { .. }
            | Effect::HangBefore { .. }
            | Effect::HangAfter { .. }
            | Effect::ResetBefore
            | Effect::ResetAfter
            | Effect::HttpErrorBefore { .. }
            | Effect::HttpErrorAfter { .. }
            | Effect::Garbage { .. }
            | Effect::HalfBody
            | Effect::SystemErrorBefore
            | Effect::SystemErrorAfter
            | Effect::Refuse { .. } => true,
            bill if bill.is_about_bills() => matches!(self, Self::Bill | Self::BillLink),
            // Notifications and what only the other gateways can play.
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_740_801_600;

    #[test]
    fn forms_take_what_the_reference_allows_and_nothing_else() {
        let cases: [(Form, &[&str], &[&str]); 12] = [
            (Form::Amount, &["1", "1280"], &["0", "01", "-1", "1.5", "12345678901"]),
            (
                Form::Serial,
                &["1", "1740801600000001"],
                &["01", "-4", "9999999999999999999", "a"],
            ),
            (
                Form::NotifyUrl,
                &["https://a.test/x", "http://127.0.0.1:8080/notify/t"],
                &[
                    "https://a.test/x?y=1",
                    "https://a.test",
                    "a.test/x",
                    "https://a.test/x#f",
                    "ftp://a.test/x",
                    "https:///x",
                ],
            ),
            (Form::Ip4, &["203.0.113.10"], &["::1", "203.0.113", "x"]),
            (Form::Ip, &["203.0.113.10", "2001:db8::1"], &["x"]),
            (
                Form::TradeNo,
                &["MC2025_-|*a"],
                &["MC@1", "MC 1", "号", "123456789012345678901234567890123"],
            ),
            (Form::RefundNo, &["MCR@1"], &["MCR 1"]),
            (
                Form::DisplayAccount,
                &["消费码用户0001", "name1"],
                &["name 1", "138****0001", "a-b"],
            ),
            (
                Form::Moment,
                &["20250301120130"],
                &["20250301", "20251301120130", "2025030112013x"],
            ),
            (
                Form::SceneInfo,
                &["{\"store_info\":{\"id\":\"S1\"}}"],
                &["{}", "{\"store_info\":{}}", "S1"],
            ),
            (Form::OneOf(&["PAP"]), &["PAP"], &["APP", "pap"]),
            (
                Form::Timestamp,
                &["1740801600", "1740801300", "1740801900"],
                &["1740801299", "1740801901", "01740801600", "x"],
            ),
        ];
        for (form, good, bad) in cases {
            for value in good {
                assert!(form.fits(value, NOW_S), "{form:?} must take {value}");
            }
            for value in bad {
                assert!(!form.fits(value, NOW_S), "{form:?} must refuse {value}");
            }
        }
    }

    #[test]
    fn a_query_leaves_the_fate_of_payments_and_notices_to_others() {
        assert!(!Family::OrderQuery.plays(&Effect::Pending { ms: 1 }));
        assert!(Family::Deduction.plays(&Effect::Pending { ms: 1 }));
        assert!(!Family::Deduction.plays(&Effect::NoticeLost));
        assert!(!Family::Deduction.plays(&Effect::Blind));
        assert!(Family::Bill.plays(&Effect::BillEmpty) && !Family::OrderQuery.plays(&Effect::BillEmpty));
    }
}
