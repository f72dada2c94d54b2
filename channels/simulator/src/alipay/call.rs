//! A call on its way in: its parameters as they arrived, and what is known once it was admitted.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::account::Account;
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
}

impl Method {
    /// The method of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "alipay.user.agreement.page.sign" => Self::PageSign,
            "alipay.user.agreement.query" => Self::AgreementQuery,
            "alipay.user.agreement.unsign" => Self::AgreementUnsign,
            "alipay.trade.pay" => Self::TradePay,
            "alipay.trade.query" => Self::TradeQuery,
            "alipay.trade.cancel" => Self::TradeCancel,
            "alipay.trade.close" => Self::TradeClose,
            "alipay.trade.refund" => Self::TradeRefund,
            "alipay.trade.fastpay.refund.query" => Self::RefundQuery,
            _ => return None,
        })
    }

    /// Whether its business codes carry the prefix `ACQ.`.
    pub(super) fn is_about_trades(self) -> bool {
        !matches!(self, Self::PageSign | Self::AgreementQuery | Self::AgreementUnsign)
    }
}

/// The union of query and form, decoded; where a name stands in both, the query's value counts.
#[derive(Debug, Default)]
pub(super) struct Params(pub(super) BTreeMap<String, String>);

impl Params {
    /// Reads the raw query and the raw form body.
    pub(super) fn read(query: &str, body: &[u8]) -> Self {
        let mut params = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(body)) {
            params.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        Self(params)
    }

    /// The value of a parameter that is neither missing nor blank.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
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
}

/// A call that passed the gateway's checks.
pub(super) struct Call {
    /// Who calls.
    pub(super) account: Account,
    /// What for.
    pub(super) method: Method,
    /// `biz_content`.
    pub(super) biz: Map<String, Value>,
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
