//! `alipay.user.agreement.query` and `alipay.user.agreement.unsign` (alipay reference, 3.5 and 3.6).

use super::agreement::{self, Agreement, Standing};
use super::answer::Node;
use super::call::Call;
use super::desk::Desk;
use super::failure::Failure;
use super::trade::moment;
use crate::fault::Effect;

/// The products of users' agreements that exist at Alipay (3.1).
const PERSONAL_PRODUCTS: [&str; 3] = ["GENERAL_WITHHOLDING_P", "CYCLE_PAY_AUTH_P", "ONE_TIME_AUTH_P"];

/// Tells how an agreement stands.
pub(super) fn query(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    let not_exist = || Failure::business("USER_AGREEMENT_NOT_EXIST");
    if call.effects.contains(&Effect::Blind) {
        return Err(not_exist());
    }
    let agreement = named(desk, call)?.ok_or_else(not_exist)?;
    let status = match agreement.standing(desk.now_ms) {
        Standing::Normal => "NORMAL",
        Standing::Stop => "STOP",
        Standing::Unsigned => return Err(Failure::business("AGREEMENT_HAS_UNSIGNED")),
        Standing::Expired => return Err(not_exist()),
    };
    Ok(Node::success()
        .text("agreement_no", &agreement.agreement_no)
        .text("alipay_logon_id", &agreement.logon_id)
        .maybe("external_agreement_no", agreement.external_agreement_no.as_deref())
        .maybe("external_logon_id", agreement.external_logon_id.as_deref())
        .text("invalid_time", &agreement.invalid_time())
        .text("personal_product_code", &agreement.personal_product_code)
        .text("pricipal_type", "CARD")
        .text(
            call.caller.user_field("principal_id", "principal_open_id"),
            &call.caller.name_of(&agreement.user_id),
        )
        .text("sign_scene", &agreement.sign_scene)
        .text("sign_time", &moment(agreement.signed_ms))
        .text("status", status)
        .text("third_party_type", &agreement.third_party_type)
        .text("valid_time", &moment(agreement.signed_ms)))
}

/// Ends an agreement on the merchant's wish.
pub(super) fn unsign(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    let agreement = named(desk, call)?.ok_or_else(|| Failure::business("AGREEMENT_NOT_EXIST"))?;
    match agreement.standing(desk.now_ms) {
        Standing::Normal | Standing::Stop => agreement::unsign(desk, agreement, call.notify_url.clone()),
        Standing::Unsigned => return Err(Failure::business("USER_AGREEMENT_STATUS_IS_NOT_NORMAL")),
        Standing::Expired => return Err(Failure::business("AGREEMENT_NOT_EXIST")),
    }
    Ok(Node::success())
}

/// `alipay.user.agreement.executionplan.modify`: only agreements with a plan have one to change, and none here has (3.7).
pub(super) fn modify_plan(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    let invalid = |why: &str| Failure::business("INVALID_PARAMETER").because(why);
    let number = call
        .text("agreement_no")
        .ok_or_else(|| invalid("agreement_no不能为空"))?;
    let date = call.text("deduct_time").ok_or_else(|| invalid("deduct_time不能为空"))?;
    chrono::NaiveDate::parse_from_str(&date, "%Y-%m-%d").map_err(|_| invalid("deduct_time格式有误"))?;
    agreement::by_number(desk, &call.account.seller_id, &number)
        .ok_or_else(|| Failure::business("USER_AGREEMENT_NOT_EXIST"))?;
    Err(Failure::business("ILLEGAL_AGREEMENT"))
}

/// The agreement that a call names: by `agreement_no` alone, else by the merchant's number or the user, together with
/// product and scene. Of a user's several, the one in force counts, and of these the newest.
fn named(desk: &Desk<'_>, call: &Call) -> Result<Option<Agreement>, Failure> {
    let seller_id = &call.account.seller_id;
    if let Some(number) = call.text("agreement_no") {
        return Ok(agreement::by_number(desk, seller_id, &number));
    }
    let invalid = |why: &str| Failure::business("INVALID_PARAMETER").because(why);
    let product = call
        .text("personal_product_code")
        .ok_or_else(|| invalid("personal_product_code不能为空"))?;
    if !PERSONAL_PRODUCTS.contains(&product.as_str()) {
        return Err(Failure::business("PRODUCT_CODE_NOT_SUPPORTED_ERROR"));
    }
    let scene = call.text("sign_scene").unwrap_or_else(|| "DEFAULT|DEFAULT".to_owned());
    let party = call.text("third_party_type").unwrap_or_else(|| "PARTNER".to_owned());
    let (number, user_id) = (call.text("external_agreement_no"), call.text("alipay_user_id"));
    let open_id = call.text("alipay_open_id");
    let logon_id = call.text("alipay_logon_id");
    let found = match (&number, &user_id, &open_id) {
        (Some(number), _, _) => agreement::by_external(desk, seller_id, number).into_iter().collect(),
        (None, Some(user_id), _) => agreement::of_user(desk, user_id),
        (None, None, Some(open_id)) => agreement::of_open_id(desk, &call.caller, open_id),
        (None, None, None) => {
            return Err(invalid(
                "agreement_no、external_agreement_no、alipay_user_id不能同时为空",
            ));
        }
    };
    let fits = |agreement: &Agreement| {
        agreement.seller_id == *seller_id
            && agreement.personal_product_code == product
            && agreement.sign_scene == scene
            && agreement.third_party_type == party
            && user_id.as_ref().is_none_or(|user_id| agreement.user_id == *user_id)
            && open_id
                .as_ref()
                .is_none_or(|open_id| call.caller.means(&agreement.user_id, open_id))
            && logon_id.as_ref().is_none_or(|logon_id| agreement.logon_id == *logon_id)
    };
    let fitting = found.into_iter().filter(fits);
    Ok(fitting.max_by_key(|agreement| (agreement.is_alive(desk.now_ms), agreement.signed_ms)))
}
