//! The user's side of payments by code: show a fresh code, type the password or refuse to, set what is in the wallet.
//!
//! For scripts: `POST /wechat/phone/code` of the form `user=...` (and `needs_password=1`) shows a code and answers
//! `{"code", "expires_at_ms"}`; `bank_ms=...` makes the user's bank so slow that the gateway gives up on it (`BANKERROR`)
//! before the money moves. `POST /wechat/phone/password` of `code=...&agree=1|0` types the password or refuses to: 204,
//! or 409 when no payment of that code waits for it. `POST /wechat/phone/balance` of `user=...&fen=...` sets the wallet,
//! without `fen` it has enough of everything: 204.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::order::{self, Order};
use super::page::{escaped, page, table};
use super::phone::{form, user_of};
use super::{answer, code_payment, pay_code, wallet};
use crate::frame::Frame;

pub(super) fn router() -> Router<Arc<Frame>> {
    Router::new()
        .route("/phone/code", post(show_code))
        .route("/phone/password", post(type_password))
        .route("/phone/balance", post(set_balance))
        .route("/phone/pay", get(pay_page).post(decide_on_page))
}

async fn show_code(State(frame): State<Arc<Frame>>, body: String) -> Response {
    let wish = form(&body);
    let bank_ms = wish.get("bank_ms").map(str::parse::<u64>).transpose();
    let (Some(user), Ok(bank_ms)) = (wish.get("user"), bank_ms) else {
        return (StatusCode::BAD_REQUEST, "user must be given, bank_ms must be a number").into_response();
    };
    let needs_password = wish.get("needs_password") == Some("1");
    let shown = pay_code::show(&frame, user.trim(), needs_password, bank_ms);
    Json(json!({"code": shown.code, "expires_at_ms": shown.expires_at_ms})).into_response()
}

async fn type_password(State(frame): State<Arc<Frame>>, body: String) -> Response {
    let wish = form(&body);
    let agree = match wish.get("agree") {
        Some("1") => true,
        Some("0") => false,
        _ => return (StatusCode::BAD_REQUEST, "agree must be 1 or 0").into_response(),
    };
    if code_payment::answer_password(&frame, wish.get("code").unwrap_or_default(), agree) {
        return StatusCode::NO_CONTENT.into_response();
    }
    (StatusCode::CONFLICT, "no payment of this code waits for the password").into_response()
}

async fn set_balance(State(frame): State<Arc<Frame>>, body: String) -> Response {
    let wish = form(&body);
    let fen = wish.get("fen").map(str::parse::<u64>).transpose();
    let (Some(user), Ok(fen)) = (wish.get("user"), fen) else {
        return (
            StatusCode::BAD_REQUEST,
            "user must be given, fen must be a whole amount",
        )
            .into_response();
    };
    let mut tx = frame.store.begin();
    wallet::set(&mut tx, user.trim(), fen);
    tx.commit();
    StatusCode::NO_CONTENT.into_response()
}

/// A fresh code, and the payments that wait for this user's password.
async fn pay_page(State(frame): State<Arc<Frame>>, RawQuery(query): RawQuery) -> Response {
    let query = form(&query.unwrap_or_default());
    let user = user_of(&query);
    let code = pay_code::show(&frame, user, query.get("needs_password") == Some("1"), None).code;
    let waiting: String = order::awaiting_password(&frame.store.begin(), user)
        .iter()
        .map(|order| password_form(order, user))
        .collect();
    let spaced = format!("{} {} {} {}", &code[..4], &code[4..8], &code[8..12], &code[12..]);
    let body = format!(
        "<section><p class=\"note\">付款码，一分钟内有效，仅限使用一次</p><h1>{spaced}</h1></section>{waiting}\
         <form action=\"/wechat/phone/pay\"><input type=\"hidden\" name=\"user\" value=\"{}\">\
         <label><input type=\"checkbox\" name=\"needs_password\" value=\"1\" style=\"width:auto\"> 需要支付密码</label>\
         <button>刷新</button></form>",
        escaped(user),
    );
    page(StatusCode::OK, "向商家付款", &body)
}

fn password_form(order: &Order, user: &str) -> String {
    let amount = format!("{}.{:02} 元", order.total_fee / 100, order.total_fee % 100);
    format!(
        "{}<form method=\"post\" action=\"/wechat/phone/pay\"><input type=\"hidden\" name=\"code\" value=\"{}\">\
         <input type=\"hidden\" name=\"user\" value=\"{}\"><button name=\"agree\" value=\"1\">输入密码并付款</button>\
         <button class=\"second\" name=\"agree\" value=\"0\">取消</button></form>",
        table(&[("商品", &order.body), ("金额", &amount)]),
        escaped(order.auth_code.as_deref().unwrap_or_default()),
        escaped(user),
    )
}

async fn decide_on_page(State(frame): State<Arc<Frame>>, body: String) -> Response {
    let wish = form(&body);
    let agree = wish.get("agree") == Some("1");
    if !code_payment::answer_password(&frame, wish.get("code").unwrap_or_default(), agree) {
        return page(
            StatusCode::CONFLICT,
            "无法处理",
            "<section><p>这笔付款已经结束。</p></section>",
        );
    }
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("user", user_of(&wish))
        .finish();
    answer::redirect(&format!("/wechat/phone/pay?{query}"))
}
