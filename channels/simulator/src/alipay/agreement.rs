//! Agreements: what is kept of one, how it is found, and how its state moves (alipay reference, 3 and 11.3).
//!
//! ```text
//! (page opened) -> NORMAL -> unsigned     by the user or the merchant
//!                  NORMAL <-> STOP        by the user
//!                  NORMAL -> expired      silently, at invalid_time
//! ```

use serde::{Deserialize, Serialize};

use super::account::{self, Account};
use super::desk::Desk;
use super::sign_page::SignPage;
use super::trade::moment;
use super::{notify, user};
use crate::clock;
use crate::frame::{Frame, Refused, SignedBefore};

const TABLE: &str = "alipay_agreement";
const BY_EXTERNAL: &str = "alipay_external_agreement";
const BY_USER: &str = "alipay_user_agreements";

/// `invalid_time` of an agreement without end.
const LONG_TERM: &str = "2115-02-01 00:00:00";

/// The state of an agreement, as far as somebody set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// In force.
    Normal,
    /// Suspended by the user.
    Stop,
    /// Ended by the user or the merchant.
    Unsigned,
}

/// The state of an agreement as it counts now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// In force.
    Normal,
    /// Suspended.
    Stop,
    /// Ended by someone.
    Unsigned,
    /// Ended by time.
    Expired,
}

/// One agreement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Agreement {
    pub(super) agreement_no: String,
    /// The app that asked for it.
    pub(super) app_id: String,
    /// The merchant's app, where a service provider asked for it.
    #[serde(default)]
    pub(super) auth_app_id: Option<String>,
    pub(super) seller_id: String,
    /// The merchant's own number.
    pub(super) external_agreement_no: Option<String>,
    pub(super) external_logon_id: Option<String>,
    pub(super) user_id: String,
    pub(super) logon_id: String,
    pub(super) product_code: String,
    pub(super) personal_product_code: String,
    pub(super) sign_scene: String,
    pub(super) third_party_type: String,
    pub(super) status: Status,
    pub(super) signed_ms: i64,
    /// When it ends by itself; absent means long-term.
    pub(super) invalid_ms: Option<i64>,
    /// When somebody ended it.
    pub(super) ended_ms: Option<i64>,
}

impl Agreement {
    /// The merchant's app, whoever asked.
    pub(super) fn merchant_app(&self) -> &str {
        self.auth_app_id.as_deref().unwrap_or(&self.app_id)
    }

    /// The number on which faults match: the merchant's own, else Alipay's.
    pub(super) fn order_no(&self) -> &str {
        self.external_agreement_no.as_deref().unwrap_or(&self.agreement_no)
    }

    /// When it ends, as the gateway writes it.
    pub(super) fn invalid_time(&self) -> String {
        self.invalid_ms.map_or_else(|| LONG_TERM.to_owned(), moment)
    }

    /// How it stands at this moment.
    pub(super) fn standing(&self, now_ms: i64) -> Standing {
        match self.status {
            Status::Unsigned => Standing::Unsigned,
            _ if self.invalid_ms.is_some_and(|invalid_ms| invalid_ms <= now_ms) => Standing::Expired,
            Status::Stop => Standing::Stop,
            Status::Normal => Standing::Normal,
        }
    }

    /// Whether it exists for the merchant at this moment.
    pub(super) fn is_alive(&self, now_ms: i64) -> bool {
        matches!(self.standing(now_ms), Standing::Normal | Standing::Stop)
    }
}

/// The seller's agreement with this number.
pub(super) fn by_number(desk: &Desk<'_>, seller_id: &str, agreement_no: &str) -> Option<Agreement> {
    desk.tx
        .get(TABLE, agreement_no)
        .filter(|agreement: &Agreement| agreement.seller_id == seller_id)
}

/// The seller's agreement with the merchant's own number.
pub(super) fn by_external(desk: &Desk<'_>, seller_id: &str, number: &str) -> Option<Agreement> {
    let agreement_no: String = desk.tx.get(BY_EXTERNAL, &format!("{seller_id}/{number}"))?;
    desk.tx.get(TABLE, &agreement_no)
}

/// All agreements of the user whom this app knows by that open id, oldest first.
pub(super) fn of_open_id(desk: &Desk<'_>, account: &Account, open_id: &str) -> Vec<Agreement> {
    let all: Vec<Agreement> = desk.tx.scan(TABLE);
    all.into_iter()
        .filter(|agreement| account.means(&agreement.user_id, open_id))
        .collect()
}

/// All agreements of a user, oldest first.
pub(super) fn of_user(desk: &Desk<'_>, user_id: &str) -> Vec<Agreement> {
    let numbers: Vec<String> = desk.tx.get(BY_USER, user_id).unwrap_or_default();
    numbers.iter().filter_map(|number| desk.tx.get(TABLE, number)).collect()
}

/// The user's consent: a new agreement in force, and the merchant is told.
pub(super) fn sign(desk: &mut Desk<'_>, account: &Account, page: &SignPage, user_id: &str) -> Agreement {
    let agreement = Agreement {
        agreement_no: new_number(desk),
        app_id: page.app_id.clone(),
        auth_app_id: page.auth_app_id.clone(),
        seller_id: page.seller_id.clone(),
        external_agreement_no: page.external_agreement_no.clone(),
        external_logon_id: page.external_logon_id.clone(),
        user_id: user_id.to_owned(),
        logon_id: user::logon_id(user_id),
        product_code: page.product_code.clone(),
        personal_product_code: page.personal_product_code.clone(),
        sign_scene: page.sign_scene.clone(),
        third_party_type: page.third_party_type.clone(),
        status: Status::Normal,
        signed_ms: desk.now_ms,
        invalid_ms: page.validity.and_then(|validity| validity.end(desk.now_ms)),
        ended_ms: None,
    };
    keep(desk, &agreement);
    if let Some(url) = page.notify_url.clone() {
        notify::signed(desk, account, &agreement, url);
    }
    agreement
}

/// Writes a new agreement down, under all names.
fn keep(desk: &mut Desk<'_>, agreement: &Agreement) {
    desk.tx.put(TABLE, &agreement.agreement_no, agreement);
    if let Some(number) = &agreement.external_agreement_no {
        desk.tx.put(
            BY_EXTERNAL,
            &format!("{}/{number}", agreement.seller_id),
            &agreement.agreement_no,
        );
    }
    let mut numbers: Vec<String> = desk.tx.get(BY_USER, &agreement.user_id).unwrap_or_default();
    numbers.push(agreement.agreement_no.clone());
    desk.tx.put(BY_USER, &agreement.user_id, &numbers);
}

/// Agreements that users signed before.
pub(super) fn sign_before(frame: &Frame, wish: &SignedBefore) -> Result<Vec<String>, Refused> {
    let mut desk = Desk::open(frame);
    let account = account::find(&desk.tx, &wish.account);
    let account = account.ok_or_else(|| Refused(format!("there is no app {}", wish.account)))?;
    let mut handles = Vec::with_capacity(wish.contracts.len());
    for signer in &wish.contracts {
        let user_id = user::user_id(&signer.user);
        let agreement = Agreement {
            agreement_no: new_number(&mut desk),
            app_id: account.app_id.clone(),
            auth_app_id: None,
            seller_id: account.seller_id.clone(),
            external_agreement_no: Some(signer.no.clone()),
            external_logon_id: None,
            logon_id: user::logon_id(&user_id),
            user_id,
            product_code: account::PRODUCT_CODE.to_owned(),
            personal_product_code: account::PERSONAL_PRODUCT_CODE.to_owned(),
            sign_scene: account.terms.sign_scene.clone(),
            third_party_type: "PARTNER".to_owned(),
            status: Status::Normal,
            signed_ms: desk.now_ms,
            invalid_ms: None,
            ended_ms: None,
        };
        keep(&mut desk, &agreement);
        handles.push(agreement.agreement_no);
    }
    desk.tx.commit();
    Ok(handles)
}

/// Ends an agreement and tells the merchant: at `url`, else at the app's gateway (3.4).
pub(super) fn unsign(desk: &mut Desk<'_>, mut agreement: Agreement, url: Option<String>) {
    agreement.status = Status::Unsigned;
    agreement.ended_ms = Some(desk.now_ms);
    desk.tx.put(TABLE, &agreement.agreement_no, &agreement);
    let Some(account) = account::find(&desk.tx, &agreement.app_id) else {
        return;
    };
    if let Some(url) = url.or_else(|| account.terms.app_gateway_url.clone()) {
        notify::unsigned(desk, &account, &agreement, url);
    }
}

/// Suspends an agreement or lets it count again; nobody is told.
pub(super) fn suspend(desk: &mut Desk<'_>, mut agreement: Agreement, stopped: bool) {
    agreement.status = if stopped { Status::Stop } else { Status::Normal };
    desk.tx.put(TABLE, &agreement.agreement_no, &agreement);
}

/// Twenty digits: the year, `5`, month and day in three digits, then a running number.
fn new_number(desk: &mut Desk<'_>) -> String {
    let now = clock::at(desk.now_ms);
    let month = now.format("%m").to_string();
    let last = month.chars().last().unwrap_or_default();
    format!(
        "{}5{last}{}{:012}",
        now.format("%Y"),
        now.format("%d"),
        desk.next("agreement")
    )
}
