//! The user's side, "WeChat on the phone": agree to a contract or refuse it, see one's contracts, end one.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header::REFERER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};

use super::account::{self, Account};
use super::contract::{self, Contract};
use super::page::{escaped, page, table};
use super::presign::{self, Entry, PageTrouble, PreSign};
use super::xml::Fields;
use super::{answer, number};
use crate::frame::Frame;

/// Who holds the phone when nobody says.
const DEFAULT_USER: &str = "体验用户";

pub(super) fn router() -> Router<Arc<Frame>> {
    Router::new()
        .route("/phone", get(home))
        .route("/phone/sign", get(show).post(decide))
        .route("/phone/contracts", get(contracts))
        .route("/phone/contracts/terminate", post(terminate))
}

/// The fields of a form or a query.
pub(super) fn form(text: &str) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        fields.put(name, value);
    }
    fields
}

/// Who holds the phone.
pub(super) fn user_of(fields: &Fields) -> &str {
    fields
        .get("user")
        .map(str::trim)
        .filter(|user| !user.is_empty())
        .unwrap_or(DEFAULT_USER)
}

/// The signings that wait, and the way to one's contracts.
async fn home(State(frame): State<Arc<Frame>>) -> Response {
    let waiting: String = presign::waiting(&frame)
        .iter()
        .map(|pre_sign| {
            let (merchant, _) = names(&frame, pre_sign);
            let label = escaped(&format!("{merchant}，账号{}", pre_sign.display_account));
            format!("<p><a href=\"/wechat/phone/sign?id={}\">{label}</a></p>", pre_sign.id)
        })
        .collect();
    let waiting = if waiting.is_empty() {
        "<p>没有待确认的签约</p>".to_owned()
    } else {
        waiting
    };
    let body = format!(
        "<section>{waiting}</section><form><label>微信用户</label>\
         <input name=\"user\" value=\"{DEFAULT_USER}\"><button formaction=\"/wechat/phone/pay\">付款码</button>\
         <button class=\"second\" formaction=\"/wechat/phone/contracts\">查看我的免密支付</button></form>"
    );
    page(StatusCode::OK, "手机微信（模拟）", &body)
}

async fn show(State(frame): State<Arc<Frame>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = form(&query.unwrap_or_default());
    let own_pages = format!("{}/wechat/phone", frame.public_url);
    let referer = headers.get(REFERER).and_then(|value| value.to_str().ok());
    let referer = referer.filter(|referer| !referer.starts_with(&own_pages));
    match presign::open(&frame, query.get("id").unwrap_or_default(), referer) {
        Ok(pre_sign) => consent(&frame, &pre_sign, user_of(&query)),
        Err(trouble) => cannot(trouble),
    }
}

fn consent(frame: &Frame, pre_sign: &PreSign, user: &str) -> Response {
    let (merchant, plan) = names(frame, pre_sign);
    let rows = table(&[
        ("商户", &merchant),
        ("服务", &plan),
        ("账号", &pre_sign.display_account),
        ("扣款方式", "零钱优先"),
    ]);
    let body = format!(
        "{rows}<p class=\"note\">开通后，商户可在约定的服务中从你的微信支付账户扣款，无需输入密码。</p>\
         <form method=\"post\" action=\"/wechat/phone/sign\"><input type=\"hidden\" name=\"id\" value=\"{}\">\
         <label>微信用户</label><input name=\"user\" value=\"{}\">\
         <button name=\"agree\" value=\"1\">同意并开通</button>\
         <button class=\"second\" name=\"agree\" value=\"0\">拒绝</button></form>",
        escaped(&pre_sign.id),
        escaped(user),
    );
    page(StatusCode::OK, "开通免密支付", &body)
}

/// Names of the merchant and the plan for the user.
fn names(frame: &Frame, pre_sign: &PreSign) -> (String, String) {
    let tx = frame.store.begin();
    let shop = pre_sign
        .sub_mch_id
        .as_deref()
        .and_then(|shop| account::find_shop(&tx, &pre_sign.mch_id, shop));
    let merchant = shop
        .map(|shop| shop.name)
        .or_else(|| merchant_name(account::find(&tx, &pre_sign.mch_id)));
    let plan = account::find_plan(&tx, &pre_sign.mch_id, &pre_sign.plan_id).map(|plan| plan.name);
    (merchant.unwrap_or_default(), plan.unwrap_or_default())
}

fn merchant_name(account: Option<Account>) -> Option<String> {
    account.map(|account| account.name)
}

fn cannot(trouble: PageTrouble) -> Response {
    let (status, text) = match trouble {
        PageTrouble::Gone => (StatusCode::GONE, "签约请求不存在、已使用或已过期，请返回商户重新发起。"),
        PageTrouble::SignedAlready => (StatusCode::CONFLICT, "你已开通该服务，无需重复开通。"),
        PageTrouble::PlanDisabled => (StatusCode::CONFLICT, "商户的该项服务已停用。"),
    };
    page(status, "无法开通", &format!("<section><p>{text}</p></section>"))
}

async fn decide(State(frame): State<Arc<Frame>>, body: String) -> Response {
    let wish = form(&body);
    let agree = match wish.get("agree") {
        Some("1") => true,
        Some("0") => false,
        _ => {
            return page(
                StatusCode::BAD_REQUEST,
                "无法处理",
                "<section><p>请选择同意或拒绝。</p></section>",
            );
        }
    };
    let id = wish.get("id").unwrap_or_default();
    match presign::decide(&frame, id, agree, user_of(&wish)) {
        Ok(pre_sign) => decided(&pre_sign, agree),
        Err(trouble) => cannot(trouble),
    }
}

/// Back to the merchant's page where there is one; an App comes back by itself.
fn decided(pre_sign: &PreSign, agree: bool) -> Response {
    if let Some(back) = pre_sign.back.as_deref().filter(|back| back.starts_with("http")) {
        let (address, fragment) = back.split_once('#').map_or((back, None), |(a, f)| (a, Some(f)));
        let joint = if address.contains('?') { '&' } else { '?' };
        let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
        return answer::redirect(&format!("{address}{joint}from_wxpay=1{fragment}"));
    }
    let title = if agree { "开通成功" } else { "已拒绝" };
    let hint = if pre_sign.entry == Entry::App {
        "请返回商户App查看结果。"
    } else {
        "请返回商户页面查看结果。"
    };
    page(StatusCode::OK, title, &format!("<section><p>{hint}</p></section>"))
}

async fn contracts(State(frame): State<Arc<Frame>>, RawQuery(query): RawQuery) -> Response {
    let query = form(&query.unwrap_or_default());
    let user = user_of(&query);
    let now_ms = frame.clock.now_ms();
    let list: String = contract::all_of_user(&frame, user)
        .iter()
        .map(|row| entry(&frame, row, now_ms))
        .collect();
    let list = if list.is_empty() {
        "<section><p>没有开通任何免密支付</p></section>".to_owned()
    } else {
        list
    };
    page(StatusCode::OK, &format!("{user}的免密支付"), &list)
}

fn entry(frame: &Frame, contract: &Contract, now_ms: i64) -> String {
    let tx = frame.store.begin();
    let shop = contract
        .sub_mch_id
        .as_deref()
        .and_then(|shop| account::find_shop(&tx, &contract.mch_id, shop));
    let merchant = shop
        .map(|shop| shop.name)
        .or_else(|| merchant_name(account::find(&tx, &contract.mch_id)));
    drop(tx);
    let live = contract.is_live(now_ms);
    let rows = table(&[
        ("商户", &merchant.unwrap_or_default()),
        ("账号", &contract.display_account),
        ("开通时间", &number::spaced_time(contract.signed_at_ms)),
        ("状态", if live { "使用中" } else { "已解约" }),
    ]);
    if !live {
        return rows;
    }
    format!(
        "{rows}<form method=\"post\" action=\"/wechat/phone/contracts/terminate\">\
         <input type=\"hidden\" name=\"contract_id\" value=\"{}\"><input type=\"hidden\" name=\"user\" value=\"{}\">\
         <button class=\"second\">关闭服务</button></form>",
        escaped(&contract.contract_id),
        escaped(&contract.user),
    )
}

async fn terminate(State(frame): State<Arc<Frame>>, body: String) -> Response {
    let wish = form(&body);
    let user = user_of(&wish);
    if !contract::end_by_user(&frame, wish.get("contract_id").unwrap_or_default(), user) {
        return page(
            StatusCode::NOT_FOUND,
            "无法关闭",
            "<section><p>没有这项使用中的服务。</p></section>",
        );
    }
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("user", user)
        .finish();
    answer::redirect(&format!("/wechat/phone/contracts?{query}"))
}
