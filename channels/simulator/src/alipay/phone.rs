//! The user's side: the consent page and the list of his agreements, plain HTML for a phone or a script.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::account::{self, Account};
use super::agreement::{self, Agreement, Standing};
use super::call::Call;
use super::charset::Charset;
use super::desk::Desk;
use super::failure::Failure;
use super::money::yuan;
use super::page::{escape, found, message, page, row};
use super::run;
use super::sign_page::{self, Answered, SignPage, Validity};
use super::trade::moment;
use super::user;
use crate::fault::Effect;
use crate::frame::Frame;

/// The consent page for a call of `page.sign`, or a page that says why there is none.
pub(super) fn consent(frame: &Arc<Frame>, call: &Call) -> Response {
    if let Some(failure) = run::refused(call) {
        return refusal(&failure);
    }
    let mut desk = Desk::open(frame);
    let page = sign_page::open(&mut desk, call);
    desk.close(frame);
    if call.effects.contains(&Effect::SystemErrorAfter) {
        return refusal(&run::system_error(call));
    }
    match page {
        Ok(page) => Html(consent_html(&call.account, &page)).into_response(),
        Err(why) => message(StatusCode::OK, "无法签约", why),
    }
}

/// Page-jump methods report errors to the user, as a page in GBK (alipay reference, 1.5).
pub(super) fn refusal(failure: &Failure) -> Response {
    let text = format!("{}：{}", failure.sub_code, failure.sub_msg);
    let page = page("页面出错了", &format!("<p>{}</p>", escape(&text))).replace("utf-8", "GBK");
    let headers = [(header::CONTENT_TYPE, "text/html;charset=GBK")];
    (headers, Charset::Gbk.bytes(&page).into_owned()).into_response()
}

/// The form of the consent page.
#[derive(Deserialize)]
pub(super) struct SignForm {
    id: String,
    #[serde(default)]
    agree: String,
    #[serde(default)]
    user: String,
}

/// `POST /phone/sign`: the user's answer; after a yes the browser goes back to the merchant.
pub(super) async fn sign(State(frame): State<Arc<Frame>>, Form(form): Form<SignForm>) -> Response {
    let mut desk = Desk::open(&frame);
    let answered = sign_page::answer(&mut desk, &form.id, form.agree == "1", &form.user);
    desk.close(&frame);
    match answered {
        Answered::Signed(
            SignPage {
                return_url: Some(url), ..
            },
            _,
        ) => found(url),
        Answered::Signed(_, agreement) => message(
            StatusCode::OK,
            "签约成功",
            &format!("协议号 {}", agreement.agreement_no),
        ),
        Answered::Declined(page) => declined(&page).into_response(),
        Answered::Impossible(why) => message(StatusCode::BAD_REQUEST, "无法签约", why),
    }
}

/// Whose agreements are to be listed.
#[derive(Deserialize)]
pub(super) struct WhoseList {
    #[serde(default)]
    user: String,
}

/// `GET /phone/agreements`: a user's agreements with all merchants, newest first.
pub(super) async fn agreements(State(frame): State<Arc<Frame>>, Query(whose): Query<WhoseList>) -> Html<String> {
    let user_id = user::user_id(&whose.user);
    let desk = Desk::open(&frame);
    let mut list = String::new();
    for agreement in agreement::of_user(&desk, &user_id).iter().rev() {
        let shop = account::find(&desk.tx, agreement.merchant_app())
            .map(|account| account.terms.shop_name)
            .unwrap_or_default();
        list.push_str(&agreement_html(agreement, &shop, agreement.standing(desk.now_ms)));
    }
    if list.is_empty() {
        list.push_str("<p>暂无免密支付协议</p>");
    }
    Html(page("免密支付管理", &format!("<p>账户 {}</p>{list}", escape(&user_id))))
}

/// What the user does with one of his agreements.
#[derive(Deserialize)]
pub(super) struct ChangeForm {
    #[serde(default)]
    user: String,
    agreement_no: String,
    /// `unsign`, `stop` or `resume`.
    act: String,
}

/// `POST /phone/agreement`: ends, suspends or resumes an agreement. Only its end is told to the merchant, and only at the
/// app's gateway (alipay reference, 3.4).
pub(super) async fn change(State(frame): State<Arc<Frame>>, Form(form): Form<ChangeForm>) -> Response {
    let user_id = user::user_id(&form.user);
    let mut desk = Desk::open(&frame);
    let mut own = agreement::of_user(&desk, &user_id).into_iter();
    let found = own.find(|agreement| agreement.agreement_no == form.agreement_no && agreement.is_alive(desk.now_ms));
    let known = match (found, form.act.as_str()) {
        (Some(agreement), "unsign") => {
            agreement::unsign(&mut desk, agreement, None);
            true
        }
        (Some(agreement), "stop" | "resume") => {
            agreement::suspend(&mut desk, agreement, form.act == "stop");
            true
        }
        _ => false,
    };
    desk.close(&frame);
    if !known {
        return message(StatusCode::BAD_REQUEST, "操作失败", "协议不存在或已失效");
    }
    Redirect::to(&format!("agreements?user={user_id}")).into_response()
}

fn consent_html(account: &Account, sign_page: &SignPage) -> String {
    let validity = match sign_page.validity {
        None => "长期有效".to_owned(),
        Some(Validity::Days(days)) => format!("{days}天"),
        Some(Validity::Months(months)) => format!("{months}个月"),
    };
    let logon = sign_page
        .external_logon_id
        .as_deref()
        .map(|id| row("商户账号", id))
        .unwrap_or_default();
    let user_id = sign_page.sign_user_id.as_deref().unwrap_or(user::DEFAULT_USER_ID);
    page(
        "开通免密支付",
        &format!(
            "<dl>{}{}{}{}{logon}</dl>\
             <p>开通后，商户可在您消费时直接从您的账户扣款，无需再次确认。</p>\
             <form method=\"post\" action=\"phone/sign\">\
             <input type=\"hidden\" name=\"id\" value=\"{}\">\
             <label>支付宝账户<input type=\"text\" name=\"user\" value=\"{}\"></label>\
             <button class=\"main\" name=\"agree\" value=\"1\">同意</button> \
             <button name=\"agree\" value=\"0\">拒绝</button></form>",
            row("商户", &account.terms.shop_name),
            row("产品", "商家扣款（免密支付）"),
            row("有效期", &validity),
            row("单笔限额", &format!("{}元", yuan(account.terms.single_max_fen))),
            escape(&sign_page.id),
            escape(user_id),
        ),
    )
}

fn agreement_html(agreement: &Agreement, shop: &str, standing: Standing) -> String {
    let (word, acts): (&str, &[(&str, &str)]) = match standing {
        Standing::Normal => ("生效中", &[("stop", "暂停"), ("unsign", "解约")]),
        Standing::Stop => ("已暂停", &[("resume", "恢复"), ("unsign", "解约")]),
        Standing::Unsigned => ("已解约", &[]),
        Standing::Expired => ("已过期", &[]),
    };
    let buttons: String = acts
        .iter()
        .map(|(act, name)| format!("<button name=\"act\" value=\"{act}\">{name}</button> "))
        .collect();
    format!(
        "<section><dl>{}{}{}{}{}</dl><form method=\"post\" action=\"agreement\">\
         <input type=\"hidden\" name=\"user\" value=\"{}\">\
         <input type=\"hidden\" name=\"agreement_no\" value=\"{}\">{buttons}</form></section>",
        row("商户", shop),
        row("协议号", &agreement.agreement_no),
        row("签约时间", &moment(agreement.signed_ms)),
        row("到期时间", &agreement.invalid_time()),
        row("状态", word),
        escape(&agreement.user_id),
        escape(&agreement.agreement_no),
    )
}

fn declined(sign_page: &SignPage) -> impl IntoResponse + use<> {
    let back = match sign_page.return_url.as_deref().filter(|url| url.starts_with("http")) {
        Some(url) => format!("<p><a href=\"{}\">返回商户</a></p>", escape(url)),
        None => String::new(),
    };
    Html(page("已拒绝", &format!("<p>您没有开通免密支付。</p>{back}")))
}
