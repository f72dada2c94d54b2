//! Merchants' apps: numbers, keys and the contract's terms.

use serde::{Deserialize, Serialize};

use super::certificate;
use super::cipher::ContentKey;
use super::user;
use crate::store::Tx;

const TABLE: &str = "alipay_account";

/// The sales product of deductions.
pub(super) const PRODUCT_CODE: &str = "GENERAL_WITHHOLDING";
/// The product of the user's agreement.
pub(super) const PERSONAL_PRODUCT_CODE: &str = "GENERAL_WITHHOLDING_P";
/// The product of payments by code.
pub(super) const CODE_PRODUCT: &str = "FACE_TO_FACE_PAYMENT";

/// One app of a merchant, or of a service provider, at the gateway.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Account {
    /// 应用 id, 16 digits.
    pub(super) app_id: String,
    /// The PID, 16 digits from 2088.
    pub(super) seller_id: String,
    /// 应用公钥: verifies the app's requests. Empty when none was uploaded.
    pub(super) app_public_key: String,
    /// 支付宝私钥: signs answers and notifications.
    pub(super) alipay_private_key: String,
    /// 公钥证书模式: present exactly in certificate mode.
    #[serde(default)]
    pub(super) certificates: Option<Certificates>,
    /// 内容加密: the key for contents, base64.
    #[serde(default)]
    pub(super) encrypt_key: Option<String>,
    /// What the contract says.
    #[serde(default)]
    pub(super) terms: Terms,
}

/// The certificates of an app in certificate mode, as PEM.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Certificates {
    /// 应用公钥证书.
    pub(super) app: String,
    /// 支付宝公钥证书: the leaf, then the authority between it and the root.
    pub(super) alipay: String,
    /// 支付宝根证书: the bundle of roots.
    pub(super) root: String,
    /// The serial name of the app's certificate.
    pub(super) app_sn: String,
    /// Until when it is good, Unix milliseconds.
    pub(super) app_not_after_ms: i64,
    /// The serial name of Alipay's certificate.
    pub(super) alipay_sn: String,
    /// The serial name of the roots.
    pub(super) root_sn: String,
}

impl Certificates {
    /// Reads the names out of the three files; `None` when one of them is no certificate.
    pub(super) fn read(app: &str, alipay: &str, root: &str) -> Option<Self> {
        let app_read = certificate::read(app)?;
        let root_sn = certificate::root_sn(root);
        Some(Self {
            app: app.to_owned(),
            alipay: alipay.to_owned(),
            root: root.to_owned(),
            app_sn: app_read.sn,
            app_not_after_ms: app_read.not_after_ms,
            alipay_sn: certificate::read(alipay)?.sn,
            root_sn: Some(root_sn).filter(|sn| !sn.is_empty())?,
        })
    }
}

/// The contract's terms and the gateway's ways towards one app. Every one of them can be wished for.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Terms {
    /// The name that payers see.
    pub(super) shop_name: String,
    /// 应用网关: where messages go that belong to no call.
    pub(super) app_gateway_url: Option<String>,
    /// 第三方应用: the app of a service provider, which acts for merchants and never for itself.
    pub(super) third_party: bool,
    /// 已上线: whether the app may call at all.
    pub(super) online: bool,
    /// The products that were signed.
    pub(super) products: Vec<String>,
    /// Whether users are named by `open_id`, not by `user_id` (section 7).
    pub(super) open_id: bool,
    /// The scene that the contract assigns.
    pub(super) sign_scene: String,
    /// The store named in answers.
    pub(super) store_name: Option<String>,
    /// Alipay's own coupon on each payment, in fen.
    pub(super) coupon_fen: u64,
    /// The merchant's own coupon on each payment, in fen.
    pub(super) merchant_coupon_fen: u64,
    /// The most that one deduction may take, in fen.
    pub(super) single_max_fen: u64,
    /// The most that one payment by code may take, in fen.
    pub(super) code_max_fen: u64,
    /// Up to which amount a payment by code needs no password, in fen (4.2).
    pub(super) password_free_max_fen: u64,
    /// What lies on the merchant's account beside the books' movements, in fen; less than nothing when he withdrew more;
    /// absent: as much as refunds may need.
    pub(super) balance_fen: Option<i64>,
    /// 服务费: in ten-thousandths of what the merchant receives.
    pub(super) fee_rate: u64,
    /// From which moment of the next day on a day's bill is there, in seconds after midnight.
    pub(super) bill_ready_s: u32,
    /// Whether an empty day has a bill without rows, instead of none.
    pub(super) bill_empty_as_file: bool,
    /// Whether bills write refunds without a minus.
    pub(super) bill_refund_positive: bool,
    /// The merchant's first day at Alipay, `yyyy-MM-dd`; absent: long ago.
    pub(super) registered_on: Option<String>,
    /// How long a paid trade can be cancelled, in seconds.
    pub(super) cancel_window_s: u64,
    /// How long a paid trade can be refunded, in seconds.
    pub(super) refund_window_s: u64,
    /// How far a request's timestamp may stand from the gateway's time, in seconds.
    pub(super) timestamp_window_s: u64,
    /// How often each method may be called in a second; absent: as often as one likes.
    pub(super) calls_per_second_max: Option<u32>,
    /// How long an authorisation of a service provider lasts, in seconds.
    pub(super) app_auth_s: u64,
    /// Whether a repeated payment of a paid trade is answered `ACQ.TRADE_HAS_SUCCESS` instead of with the first result.
    pub(super) repeat_says_has_success: bool,
    /// Whether answers to refunds tell who got which part (`present_refund_…`, not by default).
    pub(super) tells_refund_parts: bool,
    /// Whether answers write `/` as `\/`.
    pub(super) escape_slashes: bool,
    /// Whether answers write what is not ASCII as `\uXXXX`.
    pub(super) escape_unicode: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            shop_name: "地铁消费码商户".to_owned(),
            app_gateway_url: None,
            third_party: false,
            online: true,
            products: vec![PRODUCT_CODE.to_owned(), CODE_PRODUCT.to_owned()],
            open_id: false,
            sign_scene: "INDUSTRY|METRO".to_owned(),
            store_name: None,
            coupon_fen: 0,
            merchant_coupon_fen: 0,
            single_max_fen: 100_000,
            code_max_fen: 5_000_000,
            password_free_max_fen: 100_000,
            balance_fen: None,
            fee_rate: 60,
            bill_ready_s: 9 * 3600,
            bill_empty_as_file: false,
            bill_refund_positive: false,
            registered_on: None,
            cancel_window_s: 24 * 3600,
            refund_window_s: 365 * 24 * 3600,
            timestamp_window_s: 15 * 60,
            calls_per_second_max: None,
            app_auth_s: 365 * 24 * 3600,
            repeat_says_has_success: false,
            tells_refund_parts: false,
            escape_slashes: false,
            escape_unicode: false,
        }
    }
}

impl Account {
    /// The key for contents, if content encryption is on.
    pub(super) fn content_key(&self) -> Option<ContentKey> {
        self.encrypt_key.as_deref().and_then(ContentKey::read)
    }

    /// Whether the product was signed.
    pub(super) fn has(&self, product: &str) -> bool {
        self.terms.products.iter().any(|known| known == product)
    }

    /// The user as this app names him.
    pub(super) fn name_of(&self, user_id: &str) -> String {
        if self.terms.open_id {
            user::open_id(&self.app_id, user_id)
        } else {
            user_id.to_owned()
        }
    }

    /// Of the two names for a field about a user (`…_user_id`, `…_open_id`) the one that this app is told.
    pub(super) fn user_field(&self, user_id: &'static str, open_id: &'static str) -> &'static str {
        if self.terms.open_id { open_id } else { user_id }
    }

    /// Whether this app means the user by that name.
    pub(super) fn means(&self, user_id: &str, name: &str) -> bool {
        user_id == name || user::open_id(&self.app_id, user_id) == name
    }

    /// The account of the seller in bills: 20 digits.
    pub(super) fn bill_account(&self) -> String {
        format!("{}0156", self.seller_id)
    }
}

/// The account of this app.
pub(super) fn find(tx: &Tx<'_>, app_id: &str) -> Option<Account> {
    tx.get(TABLE, app_id)
}

/// The account of this app, or the first of this seller's.
pub(super) fn of_merchant(tx: &Tx<'_>, name: &str) -> Option<Account> {
    let all = || tx.scan::<Account>(TABLE).into_iter();
    find(tx, name).or_else(|| all().find(|account| account.seller_id == name && !account.terms.third_party))
}

/// Writes an account down.
pub(super) fn save(tx: &mut Tx<'_>, account: &Account) {
    tx.put(TABLE, &account.app_id, account);
}
