//! The user's phone at the till: his payment code, the question for his password, and his wallet.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::{Form, Json};
use serde::Deserialize;
use serde_json::json;

use super::desk::Desk;
use super::money::yuan;
use super::page::{escape, hidden, message, page, row};
use super::paycode::{self, PayCode, Trouble};
use super::trade::{self, Status, Trade, moment};
use super::wallet::{self, Wallet};
use super::{account, user};
use crate::frame::Frame;

/// Whose phone it is.
#[derive(Deserialize)]
pub(super) struct Whose {
    #[serde(default)]
    user: String,
}

/// `GET /phone`: the phone's first page.
pub(super) async fn home(State(frame): State<Arc<Frame>>, Query(whose): Query<Whose>) -> Html<String> {
    let user_id = user::user_id(&whose.user);
    let desk = Desk::open(&frame);
    let questions: String = trade::all(&desk.tx)
        .iter()
        .filter(|trade| trade.buyer_user_id == user_id && is_asked(trade, desk.now_ms))
        .map(|trade| question_html(trade, &shop_name(&desk, trade)))
        .collect();
    let wallet = wallet::of(&desk.tx, &user_id);
    let balance = wallet
        .balance_fen
        .map_or_else(|| "不限".to_owned(), |fen| format!("{}元", yuan(fen)));
    let body = format!(
        "<dl>{}{}{}</dl>{questions}\
         <section><form method=\"post\" action=\"phone/code\">{}\
         <label><input type=\"checkbox\" name=\"needs_password\" value=\"1\"> 每次输入密码</label><br>\
         <button class=\"main\">出示付款码</button></form></section>\
         <section><a href=\"phone/agreements?user={}\">免密支付管理</a></section>",
        row("账户", &user_id),
        row("余额", &balance),
        row("红包", &format!("{}元", yuan(wallet.packet_fen))),
        hidden("user", &user_id),
        escape(&user_id),
    );
    Html(page("支付宝（模拟）", &body))
}

fn is_asked(trade: &Trade, now_ms: i64) -> bool {
    trade.status == Status::WaitBuyerPay && trade.awaits_password && trade.expires_ms > now_ms
}

fn shop_name(desk: &Desk<'_>, trade: &Trade) -> String {
    account::find(&desk.tx, trade.merchant_app())
        .map(|account| account.terms.shop_name)
        .unwrap_or_default()
}

fn question_html(trade: &Trade, shop: &str) -> String {
    format!(
        "<section><dl>{}{}{}</dl><form method=\"post\" action=\"phone/password\">{}\
         <button class=\"main\" name=\"agree\" value=\"1\">输入密码并支付</button> \
         <button name=\"agree\" value=\"0\">取消</button></form></section>",
        row("商户", shop),
        row("商品", &trade.subject),
        row("金额", &format!("{}元", yuan(trade.total_fen()))),
        hidden("code", trade.auth_code.as_deref().unwrap_or_default()),
    )
}

/// The form with which a code is asked for.
#[derive(Deserialize)]
pub(super) struct CodeForm {
    #[serde(default)]
    user: String,
    #[serde(default)]
    needs_password: String,
}

/// `POST /phone/code`: shows a fresh code; JSON for a script, a page for a browser.
pub(super) async fn show(State(frame): State<Arc<Frame>>, headers: HeaderMap, Form(form): Form<CodeForm>) -> Response {
    let mut desk = Desk::open(&frame);
    let code = paycode::show(&mut desk, &user::user_id(&form.user), form.needs_password == "1");
    desk.close(&frame);
    if wants_a_page(&headers) {
        return Html(page("付款码", &code_html(&code))).into_response();
    }
    Json(json!({ "code": code.code, "expires_at_ms": code.expires_ms })).into_response()
}

fn wants_a_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn code_html(code: &PayCode) -> String {
    format!(
        "<p class=\"code\">{}</p><dl>{}</dl><a href=\"../phone?user={}\">返回</a>",
        escape(&code.code),
        row("有效至", &moment(code.expires_ms)),
        escape(&code.user_id),
    )
}

/// The user's answer to the question for his password.
#[derive(Deserialize)]
pub(super) struct PasswordForm {
    code: String,
    #[serde(default)]
    agree: String,
}

/// `POST /phone/password`: 204 when it was taken, 404 for an unknown code, 409 when nothing waits for an answer.
pub(super) async fn password(
    State(frame): State<Arc<Frame>>,
    headers: HeaderMap,
    Form(form): Form<PasswordForm>,
) -> Response {
    let mut desk = Desk::open(&frame);
    let owner = paycode::by_number(&desk.tx, &form.code).map(|code| code.user_id);
    let answered = paycode::answer(&mut desk, &form.code, form.agree == "1");
    desk.close(&frame);
    match answered {
        Ok(()) if wants_a_page(&headers) => {
            Redirect::to(&format!("../phone?user={}", owner.unwrap_or_default())).into_response()
        }
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(Trouble::NoSuchCode) => message(StatusCode::NOT_FOUND, "操作失败", "付款码不存在"),
        Err(Trouble::NothingWaits) => message(StatusCode::CONFLICT, "操作失败", "没有待确认的付款"),
    }
}

/// What is given to a user, or taken from him; what is left out stays as it is.
#[derive(Deserialize)]
pub(super) struct WalletForm {
    #[serde(default)]
    user: String,
    /// In fen; `none` means without end.
    balance_fen: Option<String>,
    packet_fen: Option<u64>,
    point_fen: Option<u64>,
    coupon_fen: Option<u64>,
    channel: Option<String>,
    /// `1` or `0`.
    blocked: Option<String>,
    /// `1` or `0`.
    code_off: Option<String>,
}

/// `POST /phone/wallet`: changes the user's wallet and shows it as JSON.
pub(super) async fn give(State(frame): State<Arc<Frame>>, Form(form): Form<WalletForm>) -> Response {
    let user_id = user::user_id(&form.user);
    let mut desk = Desk::open(&frame);
    let Some(wallet) = changed(wallet::of(&desk.tx, &user_id), form) else {
        return message(StatusCode::BAD_REQUEST, "操作失败", "参数有误");
    };
    wallet::save(&mut desk.tx, &user_id, &wallet);
    desk.close(&frame);
    Json(wallet).into_response()
}

fn changed(mut wallet: Wallet, form: WalletForm) -> Option<Wallet> {
    match form.balance_fen.as_deref() {
        None => {}
        Some("none") => wallet.balance_fen = None,
        Some(fen) => wallet.balance_fen = Some(fen.parse().ok()?),
    }
    if let Some(channel) = form.channel {
        wallet.channel = Some(channel).filter(|channel| Wallet::is_channel(channel))?;
    }
    wallet.packet_fen = form.packet_fen.unwrap_or(wallet.packet_fen);
    wallet.point_fen = form.point_fen.unwrap_or(wallet.point_fen);
    wallet.coupon_fen = form.coupon_fen.unwrap_or(wallet.coupon_fen);
    wallet.blocked = form.blocked.map_or(wallet.blocked, |word| word == "1");
    wallet.code_off = form.code_off.map_or(wallet.code_off, |word| word == "1");
    Some(wallet)
}
