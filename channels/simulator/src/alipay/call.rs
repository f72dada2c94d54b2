//! A call on its way in: its parameters as they arrived, and what is known once it was admitted.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::account::Account;
use super::charset::Charset;
use crate::fault::Effect;

/// The methods that the gateway knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// `alipay.user.agreement.page.sign`
    PageSign,
    /// `alipay.user.agreement.query`
    AgreementQuery,
    /// `alipay.user.agreement.unsign`
    AgreementUnsign,
    /// `alipay.user.agreement.executionplan.modify`
    PlanModify,
    /// `alipay.trade.pay`
    TradePay,
    /// `alipay.trade.query`
    TradeQuery,
    /// `alipay.trade.cancel`
    TradeCancel,
    /// `alipay.trade.close`
    TradeClose,
    /// `alipay.trade.refund`
    TradeRefund,
    /// `alipay.trade.fastpay.refund.query`
    RefundQuery,
    /// `alipay.data.dataservice.bill.downloadurl.query`
    BillUrl,
    /// `alipay.system.oauth.token`
    OauthToken,
    /// `alipay.user.info.share`
    UserInfo,
    /// `alipay.open.auth.token.app`
    AppToken,
    /// `alipay.open.app.alipaycert.download`
    CertDownload,
}

const NAMES: [(&str, Method); 15] = [
    ("alipay.user.agreement.page.sign", Method::PageSign),
    ("alipay.user.agreement.query", Method::AgreementQuery),
    ("alipay.user.agreement.unsign", Method::AgreementUnsign),
    ("alipay.user.agreement.executionplan.modify", Method::PlanModify),
    ("alipay.trade.pay", Method::TradePay),
    ("alipay.trade.query", Method::TradeQuery),
    ("alipay.trade.cancel", Method::TradeCancel),
    ("alipay.trade.close", Method::TradeClose),
    ("alipay.trade.refund", Method::TradeRefund),
    ("alipay.trade.fastpay.refund.query", Method::RefundQuery),
    ("alipay.data.dataservice.bill.downloadurl.query", Method::BillUrl),
    ("alipay.system.oauth.token", Method::OauthToken),
    ("alipay.user.info.share", Method::UserInfo),
    ("alipay.open.auth.token.app", Method::AppToken),
    ("alipay.open.app.alipaycert.download", Method::CertDownload),
];

impl Method {
    /// The method of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, method)| *method)
    }

    /// Whether its business codes carry the prefix `ACQ.`.
    pub(super) fn is_about_trades(self) -> bool {
        matches!(
            self,
            Self::TradePay
                | Self::TradeQuery
                | Self::TradeCancel
                | Self::TradeClose
                | Self::TradeRefund
                | Self::RefundQuery
        )
    }

    /// Whether its parameters stand in `biz_content` (section 7 names the two that have none).
    pub(super) fn has_content(self) -> bool {
        !matches!(self, Self::OauthToken | Self::UserInfo)
    }

    /// Whether it is done for a merchant, so that a service provider must name one.
    pub(super) fn is_for_a_merchant(self) -> bool {
        !matches!(
            self,
            Self::OauthToken | Self::UserInfo | Self::AppToken | Self::CertDownload
        )
    }
}

/// The union of query and form, decoded; where a name stands in both, the query's value counts.
#[derive(Debug, Default)]
pub(super) struct Params {
    pub(super) pairs: BTreeMap<String, String>,
    /// The charset in which they came; UTF-8 when none is named that is known.
    pub(super) charset: Charset,
}

impl Params {
    /// Reads the raw query and the raw form body, in the charset that one of them names in plain ASCII (1.3).
    pub(super) fn read(query: &str, body: &[u8]) -> Self {
        let named = |raw: &[u8]| {
            raw.split(|byte| *byte == b'&')
                .find_map(|pair| pair.strip_prefix(b"charset="))
                .and_then(|name| Charset::named(std::str::from_utf8(name).ok()?))
        };
        let charset = named(query.as_bytes()).or_else(|| named(body)).unwrap_or_default();
        let mut pairs = BTreeMap::new();
        charset.add_pairs(query.as_bytes(), &mut pairs);
        charset.add_pairs(body, &mut pairs);
        Self { pairs, charset }
    }

    /// The value of a parameter that is neither missing nor blank.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.trim().is_empty())
    }

    /// The method's name, empty when there is none.
    pub(super) fn method(&self) -> &str {
        self.get("method").unwrap_or_default()
    }

    /// `biz_content`, if it is a JSON object.
    pub(super) fn biz(&self) -> Option<Map<String, Value>> {
        serde_json::from_str(self.get("biz_content")?).ok()
    }

    /// The parameters themselves as business parameters, for methods without `biz_content`.
    pub(super) fn as_content(&self) -> Map<String, Value> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.clone(), Value::String(value.clone())))
            .collect()
    }
}

/// A call that passed the gateway's checks.
pub(super) struct Call {
    /// The app that calls: its keys sign.
    pub(super) caller: Account,
    /// For whom: the app of the merchant who authorised a service provider, else the caller itself.
    pub(super) account: Account,
    /// What for.
    pub(super) method: Method,
    /// `biz_content`.
    pub(super) biz: Map<String, Value>,
    /// The charset that it came in, and that its notifications are written in.
    pub(super) charset: Charset,
    /// Where this call's notifications go.
    pub(super) notify_url: Option<String>,
    /// Where the user's browser goes afterwards.
    pub(super) return_url: Option<String>,
    /// What the fault script wants.
    pub(super) effects: Vec<Effect>,
}

impl Call {
    /// A business parameter that is neither missing nor blank.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        text(&self.biz, name)
    }

    /// Whether `query_options` names this option.
    pub(super) fn asks(&self, option: &str) -> bool {
        self.biz
            .get("query_options")
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().any(|item| item == option))
    }
}

/// A text (or a number as text) in a JSON object; blank counts as missing.
pub(super) fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    let text = match object.get(name)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.trim().is_empty()).then_some(text)
}

/// Whether the text has 1 to `len_max` characters, all of them ASCII letters, digits or, where allowed, `_`.
pub(super) fn is_number(text: &str, len_max: usize, underscore: bool) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || (underscore && byte == b'_');
    (1..=len_max).contains(&text.len()) && text.bytes().all(fits)
}
