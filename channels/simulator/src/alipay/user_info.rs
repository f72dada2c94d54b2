//! `alipay.user.info.share`: what a user shows of himself to an app that he authorised (alipay reference, section 7).

use super::answer::Node;
use super::call::Call;
use super::desk::Desk;
use super::failure::Failure;
use super::oauth;
use super::user;

/// Tells what the user's token opens.
pub(super) fn share(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    let token = call
        .text("auth_token")
        .ok_or_else(|| Failure::gateway("aop.invalid-auth-token"))?;
    let grant = oauth::opened_by(&desk.tx, &token, &call.caller.app_id, desk.now_ms)?;
    if !grant.opens_user_data() {
        return Err(Failure::gateway("isv.insufficient-user-permissions"));
    }
    Ok(Node::success()
        .text("avatar", "https://tfs.alipayobjects.com/images/partner/default_avatar")
        .text("nick_name", &user::logon_id(&grant.user_id))
        .text(
            call.caller.user_field("user_id", "open_id"),
            &call.caller.name_of(&grant.user_id),
        ))
}
