//! `alipay.user.agreement.page.sign`: the page that was opened, and the user's answer to it (alipay reference, 3.2).

use chrono::Months;
use rand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account::{self, Account, PERSONAL_PRODUCT_CODE, PRODUCT_CODE};
use super::agreement::{self, Agreement};
use super::call::{Call, is_number};
use super::desk::Desk;
use super::{call, user};
use crate::clock;

const TABLE: &str = "alipay_sign_page";

/// How long an agreement is to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Validity {
    /// So many days.
    Days(u32),
    /// So many months.
    Months(u32),
}

impl Validity {
    /// Reads `<n>d` or `<n>m`.
    fn read(text: &str) -> Option<Self> {
        let unit = text.chars().last()?;
        let number: u32 = text.strip_suffix(unit)?.parse().ok().filter(|number| *number > 0)?;
        match unit {
            'd' => Some(Self::Days(number)),
            'm' => Some(Self::Months(number)),
            _ => None,
        }
    }

    /// The end of an agreement that begins at this moment, Unix milliseconds.
    pub(super) fn end(self, from_ms: i64) -> Option<i64> {
        match self {
            Self::Days(days) => Some(from_ms + i64::from(days) * 24 * 3600 * 1000),
            Self::Months(months) => clock::at(from_ms)
                .checked_add_months(Months::new(months))
                .map(|end| end.timestamp_millis()),
        }
    }
}

/// A consent page that was opened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SignPage {
    /// Names the page in the form.
    pub(super) id: String,
    /// The app that opened it.
    pub(super) app_id: String,
    /// The merchant's app, where a service provider opened it.
    #[serde(default)]
    pub(super) auth_app_id: Option<String>,
    pub(super) seller_id: String,
    pub(super) product_code: String,
    pub(super) personal_product_code: String,
    pub(super) sign_scene: String,
    pub(super) third_party_type: String,
    pub(super) external_agreement_no: Option<String>,
    pub(super) external_logon_id: Option<String>,
    pub(super) validity: Option<Validity>,
    pub(super) notify_url: Option<String>,
    pub(super) return_url: Option<String>,
    /// Who must sign, if the merchant said so.
    pub(super) sign_user_id: Option<String>,
    /// The agreement that came of it.
    pub(super) agreement_no: Option<String>,
}

/// How the user's answer ended. Texts are for the user.
pub(super) enum Answered {
    /// There is an agreement; the browser goes back to the merchant.
    Signed(SignPage, Box<Agreement>),
    /// The user said no.
    Declined(SignPage),
    /// It cannot be signed.
    Impossible(&'static str),
}

/// Checks the call and opens a page for it; the text says what is wrong.
pub(super) fn open(desk: &mut Desk<'_>, call: &Call) -> Result<SignPage, &'static str> {
    let page = read(call)?;
    if let Some(number) = &page.external_agreement_no
        && agreement::by_external(desk, &call.account.seller_id, number).is_some()
    {
        return Err("商户签约号已被使用");
    }
    desk.tx.put(TABLE, &page.id, &page);
    Ok(page)
}

/// The user's answer to a page. A second "agree" finds the agreement of the first.
pub(super) fn answer(desk: &mut Desk<'_>, id: &str, agree: bool, user: &str) -> Answered {
    let Some(mut page) = desk.tx.get::<SignPage>(TABLE, id) else {
        return Answered::Impossible("签约页面不存在");
    };
    let Some(account) = account::find(&desk.tx, &page.app_id) else {
        return Answered::Impossible("商户不存在");
    };
    if let Some(number) = &page.agreement_no
        && let Some(agreement) = agreement::by_number(desk, &page.seller_id, number)
    {
        return Answered::Signed(page, Box::new(agreement));
    }
    if !agree {
        return Answered::Declined(page);
    }
    let user_id = user::user_id(user);
    if let Err(why) = may_sign(desk, &account, &page, &user_id) {
        return Answered::Impossible(why);
    }
    let agreement = agreement::sign(desk, &account, &page, &user_id);
    page.agreement_no = Some(agreement.agreement_no.clone());
    desk.tx.put(TABLE, id, &page);
    Answered::Signed(page, Box::new(agreement))
}

fn may_sign(desk: &Desk<'_>, account: &Account, page: &SignPage, user_id: &str) -> Result<(), &'static str> {
    if page
        .sign_user_id
        .as_ref()
        .is_some_and(|wanted| !account.means(user_id, wanted))
    {
        return Err("当前账户与商户指定的签约账户不一致");
    }
    if user_id == page.seller_id {
        return Err("不能与自己签约");
    }
    let taken = match &page.external_agreement_no {
        Some(number) => agreement::by_external(desk, &page.seller_id, number).is_some(),
        None => agreement::of_user(desk, user_id).iter().any(|other| {
            other.seller_id == page.seller_id
                && other.sign_scene == page.sign_scene
                && other.external_agreement_no.is_none()
                && other.is_alive(desk.now_ms)
        }),
    };
    if taken {
        Err("您已签约，无需重复签约")
    } else {
        Ok(())
    }
}

fn read(call: &Call) -> Result<SignPage, &'static str> {
    let account = &call.account;
    let personal_product_code = call.text("personal_product_code").ok_or("个人签约产品码不能为空")?;
    let product_code = call.text("product_code").unwrap_or_else(|| PRODUCT_CODE.to_owned());
    if personal_product_code != PERSONAL_PRODUCT_CODE || product_code != PRODUCT_CODE || !account.has(PRODUCT_CODE) {
        return Err("商户未开通该产品");
    }
    let channel = call
        .biz
        .get("access_params")
        .and_then(Value::as_object)
        .and_then(|params| call::text(params, "channel"));
    if !matches!(channel.as_deref(), Some("ALIPAYAPP" | "QRCODE" | "QRCODEORSMS")) {
        return Err("接入渠道参数有误");
    }
    let external_agreement_no = call.text("external_agreement_no");
    let sign_scene = call.text("sign_scene").unwrap_or_else(|| "DEFAULT|DEFAULT".to_owned());
    if external_agreement_no
        .as_ref()
        .is_some_and(|number| !is_number(number, 32, false))
    {
        return Err("商户签约号只能是不超过32位的字母和数字");
    }
    if sign_scene != account.terms.sign_scene && (sign_scene != "DEFAULT|DEFAULT" || external_agreement_no.is_some()) {
        return Err("签约场景与商户开通的场景不一致");
    }
    if call
        .text("external_logon_id")
        .is_some_and(|id| id.chars().count() > 100)
    {
        return Err("商户侧登录号过长");
    }
    let validity = match call.text("sign_validity_period") {
        Some(text) => Some(Validity::read(&text).ok_or("协议有效期参数有误")?),
        None => None,
    };
    let third_party_type = call.text("third_party_type").unwrap_or_else(|| "PARTNER".to_owned());
    if !matches!(third_party_type.as_str(), "PARTNER" | "MERCHANT") {
        return Err("签约第三方主体类型有误");
    }
    let identity = call.biz.get("identity_params").and_then(Value::as_object);
    let id: [u8; 16] = rand::thread_rng().r#gen();
    Ok(SignPage {
        id: hex::encode(id),
        app_id: call.caller.app_id.clone(),
        auth_app_id: (account.app_id != call.caller.app_id).then(|| account.app_id.clone()),
        seller_id: account.seller_id.clone(),
        product_code,
        personal_product_code,
        sign_scene,
        third_party_type,
        external_agreement_no,
        external_logon_id: call.text("external_logon_id"),
        validity,
        notify_url: call.notify_url.clone(),
        return_url: call.return_url.clone(),
        sign_user_id: identity
            .and_then(|params| call::text(params, "sign_user_id").or_else(|| call::text(params, "sign_open_id"))),
        agreement_no: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_is_days_or_months() {
        assert_eq!(Validity::read("30d"), Some(Validity::Days(30)));
        assert_eq!(Validity::read("6m"), Some(Validity::Months(6)));
        for wrong in ["", "d", "0d", "6y", "-1d", "6"] {
            assert_eq!(Validity::read(wrong), None, "{wrong:?}");
        }
    }
}
