//! What the three gateways share: clock, durable tables, faults, notices, and the settings they run under.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::books::{self, Movement};
use crate::clock::Clock;
use crate::club::Club;
use crate::fault::Faults;
use crate::notice::Notices;
use crate::server::Settings;
use crate::sink::Sinks;
use crate::store::Store;

/// The three gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gateway {
    /// WeChat Pay.
    Wechat,
    /// Alipay.
    Alipay,
    /// UnionPay.
    Unionpay,
}

/// A control request that cannot be carried out, with the reason.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Contracts that are to stand, each signed by a user of his own, with one account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedBefore {
    /// The account: `mch_id`, `app_id` or `mer_id`, as the gateway names it.
    pub account: String,
    /// WeChat: the shop under a service provider.
    #[serde(default)]
    pub sub_mch_id: Option<String>,
    /// WeChat: the plan.
    #[serde(default)]
    pub plan_id: Option<String>,
    /// The contracts.
    pub contracts: Vec<Signer>,
}

/// A contract that a user signed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// The merchant's own number of it.
    pub no: String,
    /// The user, by any name.
    pub user: String,
}

/// The ground that all gateways stand on.
pub struct Frame {
    /// The gateways' time.
    pub clock: Clock,
    /// A merchant's membership system.
    pub(crate) club: Club,
    /// Merchants' servers that are told.
    pub(crate) sinks: Sinks,
    /// The durable tables.
    pub store: Store,
    /// The fault script.
    pub faults: Faults,
    /// Notifications on their way.
    pub notices: Notices,
    /// How the simulator was set up.
    pub settings: Settings,
    /// The address under which a browser or the platform reaches the simulator, without a slash at the end.
    pub public_url: String,
}

impl Frame {
    /// All movements of money at all gateways, oldest first.
    pub fn books(&self) -> Vec<Movement> {
        books::all(&self.store.begin())
    }

    /// Opens a merchant account at a gateway and returns what the gateway's merchant platform hands out: numbers, keys
    /// and certificates, in the words of that gateway.
    ///
    /// # Errors
    /// When the wishes in `spec` cannot be met; the text says which.
    pub fn open_account(&self, gateway: Gateway, spec: &Value) -> Result<Value, Refused> {
        match gateway {
            Gateway::Wechat => crate::wechat::open_account(self, spec),
            Gateway::Alipay => crate::alipay::open_account(self, spec),
            Gateway::Unionpay => crate::unionpay::open_account(self, spec),
        }
    }

    /// Writes down contracts as if users had signed them before: no page is shown and nobody is told. Answers what deductions
    /// must name, in the order of the wishes.
    ///
    /// # Errors
    /// When the account does not exist; the text says which.
    pub fn sign_before(&self, gateway: Gateway, wish: &SignedBefore) -> Result<Vec<String>, Refused> {
        match gateway {
            Gateway::Wechat => crate::wechat::sign_before(self, wish),
            Gateway::Alipay => crate::alipay::sign_before(self, wish),
            Gateway::Unionpay => crate::unionpay::sign_before(self, wish),
        }
    }
}
