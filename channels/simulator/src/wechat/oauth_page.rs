//! The page within WeChat on which a user lets a web page know who he is, and the phone's logins for Apps and mini
//! programs (wechat reference, 7.1 and 7.2).
//!
//! `GET /wechat/connect/oauth2/authorize?appid&redirect_uri&response_type=code&scope&state` shows the page. A browser that
//! agreed before is known by its cookie: with the scope `snsapi_base` it is sent back without being asked. A script agrees
//! with one `POST` of the same fields and `user=...&agree=1` (`snapshot=1` for a virtual visitor). An App's or mini
//! program's own login is `POST /wechat/phone/login` of `user=...&appid=...`, with `entry=mini` for a mini program:
//! `{"code"}`.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::json;

use super::answer;
use super::login::{self, Entry};
use super::page::{escaped, page, table, trouble};
use super::phone::{form, user_of};
use super::xml::Fields;
use crate::frame::Frame;

/// The order in which WeChat wants them.
const NAMES: [&str; 5] = ["appid", "redirect_uri", "response_type", "scope", "state"];

const COOKIE_NAME: &str = "wechat_user=";

pub(super) fn router() -> Router<Arc<Frame>> {
    Router::new()
        .route("/connect/oauth2/authorize", get(ask).post(decide))
        .route("/phone/login", post(log_in))
}

async fn ask(State(frame): State<Arc<Frame>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let fields = form(&query.unwrap_or_default());
    if let Err(text) = check(&frame, &fields) {
        return trouble(text);
    }
    let known = user_in_cookie(&headers).filter(|_| fields.get("scope") == Some("snsapi_base"));
    if let Some(user) = known {
        return back(&frame, &fields, &user);
    }
    let hidden: String = NAMES
        .iter()
        .filter_map(|name| Some((name, fields.get(name)?)))
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value)))
        .collect();
    let what = match fields.get("scope") {
        Some("snsapi_userinfo") => "昵称、头像等公开信息",
        _ => "仅用户标识",
    };
    let body = format!(
        "{}<form method=\"post\" action=\"/wechat/connect/oauth2/authorize\">{hidden}<label>微信用户</label>\
         <input name=\"user\" value=\"{}\"><button name=\"agree\" value=\"1\">允许</button>\
         <button class=\"second\" name=\"agree\" value=\"0\">拒绝</button></form>",
        table(&[("应用", fields.get("appid").unwrap_or_default()), ("将获得", what)]),
        escaped(user_of(&Fields::new())),
    );
    page(StatusCode::OK, "网页授权", &body)
}

async fn decide(State(frame): State<Arc<Frame>>, body: String) -> Response {
    let fields = form(&body);
    if let Err(text) = check(&frame, &fields) {
        return trouble(text);
    }
    if fields.get("agree") != Some("1") {
        return page(
            StatusCode::OK,
            "已拒绝",
            "<section><p>你拒绝了网页的请求。</p></section>",
        );
    }
    let user = user_of(&fields);
    let mut response = back(&frame, &fields, user);
    let cookie = format!(
        "{COOKIE_NAME}{}; Path=/wechat; HttpOnly; SameSite=Lax",
        utf8_percent_encode(user, NON_ALPHANUMERIC)
    );
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// What is wrong with an address, as the real page says it.
fn check(frame: &Frame, fields: &Fields) -> Result<(), &'static str> {
    let app = login::find_app(&frame.store.begin(), fields.get("appid").unwrap_or_default());
    let app = app.ok_or("AppID 参数错误")?;
    let places = fields
        .iter()
        .filter_map(|(name, _)| NAMES.iter().position(|known| *known == name));
    if !places.is_sorted() || fields.get("response_type") != Some("code") {
        return Err("请求参数错误");
    }
    if !matches!(fields.get("scope"), Some("snsapi_base" | "snsapi_userinfo")) {
        return Err("Scope 参数错误或没有 Scope 权限");
    }
    let state = fields.get("state").unwrap_or_default();
    if state.len() > 128 || !state.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err("State 参数错误");
    }
    let host = fields
        .get("redirect_uri")
        .and_then(host)
        .ok_or("redirect_uri 参数错误")?;
    match app.domain {
        Some(domain) if !domain.eq_ignore_ascii_case(host) => Err("redirect_uri 域名与后台配置不一致"),
        _ => Ok(()),
    }
}

/// The host of an address, without a port.
fn host(address: &str) -> Option<&str> {
    let rest = address
        .strip_prefix("https://")
        .or_else(|| address.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.split(':').next()?;
    (!host.is_empty() && !authority.contains('@')).then_some(host)
}

fn user_in_cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    let value = cookies
        .split(';')
        .find_map(|cookie| cookie.trim().strip_prefix(COOKIE_NAME))?;
    Some(percent_decode_str(value).decode_utf8().ok()?.into_owned())
}

/// Back to where the page came from, with a code.
fn back(frame: &Frame, fields: &Fields, user: &str) -> Response {
    let scope = fields.get("scope").unwrap_or_default();
    let appid = fields.get("appid").unwrap_or_default();
    let is_snapshot = fields.get("snapshot") == Some("1");
    let code = login::give_code(frame, appid, user, scope, Entry::Web, is_snapshot);
    let to = fields.get("redirect_uri").unwrap_or_default();
    let (address, fragment) = to
        .split_once('#')
        .map_or((to, String::new()), |(a, f)| (a, format!("#{f}")));
    let joint = if address.contains('?') { '&' } else { '?' };
    let state = fields.get("state").unwrap_or_default();
    answer::redirect(&format!("{address}{joint}code={code}&state={state}{fragment}"))
}

async fn log_in(State(frame): State<Arc<Frame>>, body: String) -> Response {
    let wish = form(&body);
    let app = login::find_app(&frame.store.begin(), wish.get("appid").unwrap_or_default());
    let (Some(app), Some(user)) = (app, wish.get("user")) else {
        return (StatusCode::BAD_REQUEST, "user and a known appid must be given").into_response();
    };
    let entry = if wish.get("entry") == Some("mini") {
        Entry::MiniProgram
    } else {
        Entry::Web
    };
    let code = login::give_code(&frame, &app.appid, user.trim(), "snsapi_userinfo", entry, false);
    Json(json!({"code": code})).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_with_a_host_has_one() {
        assert_eq!(host("https://shop.example.test/a?b=1"), Some("shop.example.test"));
        assert_eq!(host("http://127.0.0.1:8080/x"), Some("127.0.0.1"));
        for bad in [
            "",
            "shop.example.test/a",
            "https:///x",
            "javascript:alert(1)",
            "https://good.test@evil.test/",
        ] {
            assert_eq!(host(bad), None, "{bad}");
        }
    }
}
