//! The pages on which users and merchants authorise an app (alipay reference, 3.8 and 7).

use std::sync::Arc;

use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::desk::Desk;
use super::oauth::{self, Grant};
use super::page::{escape, found, hidden, message, page, row};
use super::{account, app_auth, user};
use crate::frame::Frame;

/// What the browser brings to an authorisation page, and the page's form back.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    app_id: String,
    scope: String,
    redirect_uri: String,
    state: String,
    /// Who agrees: a user, or a merchant by his app's number or his PID.
    user: String,
    merchant: String,
    agree: String,
}

impl Wish {
    /// Where the browser goes with these pairs, and with the state that the app gave along.
    fn back(&self, pairs: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(pairs);
        if !self.state.is_empty() {
            query.append_pair("state", &self.state);
        }
        let joint = if self.redirect_uri.contains('?') { '&' } else { '?' };
        format!("{}{joint}{}", self.redirect_uri, query.finish())
    }

    /// What is wrong with it, if something is.
    fn trouble(&self, frame: &Frame) -> Option<Response> {
        let why = if account::find(&frame.store.begin(), &self.app_id).is_none() {
            "无效的AppID参数"
        } else if !self.redirect_uri.starts_with("http") {
            "redirect_uri有误"
        } else if self.state.len() > 100 {
            "state过长"
        } else {
            return None;
        };
        Some(message(StatusCode::OK, "页面出错了", why))
    }

    fn form(&self, action: &str, asks: &str) -> String {
        format!(
            "<form method=\"post\" action=\"../phone/{action}\">{}{}{}{}{asks}\
             <button class=\"main\" name=\"agree\" value=\"1\">同意</button> \
             <button name=\"agree\" value=\"0\">拒绝</button></form>",
            hidden("app_id", &self.app_id),
            hidden("scope", &self.scope),
            hidden("redirect_uri", &self.redirect_uri),
            hidden("state", &self.state),
        )
    }
}

/// `GET /oauth2/publicAppAuthorize.htm`: asks the user.
pub(super) async fn ask_user(State(frame): State<Arc<Frame>>, Query(wish): Query<Wish>) -> Response {
    if let Some(trouble) = wish.trouble(&frame) {
        return trouble;
    }
    if !wish
        .scope
        .split(',')
        .all(|scope| matches!(scope, "auth_base" | "auth_user"))
    {
        return message(StatusCode::OK, "页面出错了", "scope有误");
    }
    let who = format!(
        "<label>支付宝账户<input type=\"text\" name=\"user\" value=\"{}\"></label>",
        escape(user::DEFAULT_USER_ID)
    );
    let body = format!(
        "<dl>{}{}</dl>{}",
        row("应用", &wish.app_id),
        row("授权范围", &wish.scope),
        wish.form("authorize", &who)
    );
    Html(page("授权", &body)).into_response()
}

/// `POST /phone/authorize`: the user's answer.
pub(super) async fn user_answers(State(frame): State<Arc<Frame>>, Form(wish): Form<Wish>) -> Response {
    if let Some(trouble) = wish.trouble(&frame) {
        return trouble;
    }
    if wish.agree != "1" {
        return message(StatusCode::OK, "已拒绝", "您没有授权。");
    }
    let mut desk = Desk::open(&frame);
    let code = oauth::agree(
        &mut desk,
        Grant {
            app_id: wish.app_id.clone(),
            user_id: user::user_id(&wish.user),
            scope: wish.scope.clone(),
        },
    );
    desk.close(&frame);
    found(wish.back(&[
        ("auth_code", &code),
        ("app_id", &wish.app_id),
        ("source", "alipay_wallet"),
        ("scope", &wish.scope),
    ]))
}

/// `GET /oauth2/appToAppAuth.htm`: asks the merchant.
pub(super) async fn ask_merchant(State(frame): State<Arc<Frame>>, Query(wish): Query<Wish>) -> Response {
    if let Some(trouble) = wish.trouble(&frame) {
        return trouble;
    }
    let who = "<label>商户（应用或PID）<input type=\"text\" name=\"merchant\"></label>";
    let body = format!(
        "<dl>{}</dl>{}",
        row("服务商应用", &wish.app_id),
        wish.form("authorize-app", who)
    );
    Html(page("应用授权", &body)).into_response()
}

/// `POST /phone/authorize-app`: the merchant's answer.
pub(super) async fn merchant_answers(State(frame): State<Arc<Frame>>, Form(wish): Form<Wish>) -> Response {
    if let Some(trouble) = wish.trouble(&frame) {
        return trouble;
    }
    if wish.agree != "1" {
        return message(StatusCode::OK, "已拒绝", "您没有授权。");
    }
    let mut desk = Desk::open(&frame);
    let Some(merchant) = account::of_merchant(&desk.tx, &wish.merchant) else {
        return message(StatusCode::BAD_REQUEST, "无法授权", "商户不存在");
    };
    let code = app_auth::agree(&mut desk, &wish.app_id, &merchant);
    desk.close(&frame);
    found(wish.back(&[
        ("app_id", &wish.app_id),
        ("source", "alipay_app_auth"),
        ("app_auth_code", &code),
    ]))
}
