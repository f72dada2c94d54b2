//! Who a user is: a page inside WeChat, and the change of its one-time code for his id (wechat reference, 7).

use async_trait::async_trait;
use form_urlencoded::Serializer;
use metropay_core::channel::{CallError, Called, ChannelUser, Hint, Identity, Outcome, Refusal};
use metropay_core::secret::Secret;
use metropay_outbound::Request;
use percent_encoding::utf8_percent_encode;

use crate::Wechat;
use crate::account::UserInfoApp;
use crate::call::maybe;
use crate::codes::Class;
use crate::config::UserInfo;
use crate::contract::UNRESERVED;
use crate::v3::Json;

/// What an error code of the user-information interface means (wechat reference, 7.3).
const CODES: &[(i64, Class)] = &[
    (-1, Class::Repeat),
    (40029, Class::Final),
    (40163, Class::Final),
    (41008, Class::Config),
    (40013, Class::Config),
    (40125, Class::Config),
    (40001, Class::Config),
    (42001, Class::Final),
    (42002, Class::Final),
    (45011, Class::Repeat),
];

#[async_trait]
impl Identity for Wechat {
    fn page(&self, return_url: &str, state: &str) -> String {
        let Some(app) = &self.account.user_info else {
            return String::new();
        };
        let scope = match app.kind {
            UserInfo::Profile => "snsapi_userinfo",
            UserInfo::Base | UserInfo::App | UserInfo::Miniprogram => "snsapi_base",
        };
        // WeChat compares the order of the parameters.
        format!(
            "{}/connect/oauth2/authorize?appid={}&redirect_uri={}&response_type=code&scope={scope}&state={}#wechat_redirect",
            app.page_url,
            app.appid,
            utf8_percent_encode(return_url, UNRESERVED),
            utf8_percent_encode(state, UNRESERVED),
        )
    }

    async fn user(&self, code: &Secret) -> Called<ChannelUser> {
        let Some(app) = &self.account.user_info else {
            return Err(CallError::NotSent("this account asks no user who he is".to_owned()));
        };
        let answer = self.change_code(app, code).await?;
        if answer.has("/errcode") && answer.number("/errcode") != Some(0) {
            return refused(&answer);
        }
        let Some(id) = answer.text("/openid").filter(|id| id.len() <= 128) else {
            return Err(maybe("an answer without openid"));
        };
        // A page that is shown as a snapshot has a visitor who is nobody.
        if answer.number("/is_snapshotuser") == Some(1) {
            return Ok(Outcome::Refused(Refusal {
                code: "SNAPSHOTUSER".to_owned(),
                text: "用户以快照页模式打开，未提供真实身份".to_owned(),
                hint: Hint::User,
            }));
        }
        let profile = match (app.kind, answer.text("/access_token")) {
            (UserInfo::Profile, Some(token)) => self.profile(app, token, id).await,
            _ => None,
        };
        let profile = profile.unwrap_or_else(Json::empty);
        let union_id = answer.text("/unionid").or_else(|| profile.text("/unionid"));
        Ok(Outcome::Done(ChannelUser {
            id: id.to_owned(),
            union_id: union_id.map(str::to_owned),
            nickname: profile.text("/nickname").map(str::to_owned),
        }))
    }
}

impl Wechat {
    /// Changes a one-time code. The secret travels in the address, as the channel wants it; the address is in no error.
    async fn change_code(&self, app: &UserInfoApp, code: &Secret) -> Result<Json, CallError> {
        let (path, name) = match app.kind {
            UserInfo::Miniprogram => ("/sns/jscode2session", "js_code"),
            UserInfo::Base | UserInfo::Profile | UserInfo::App => ("/sns/oauth2/access_token", "code"),
        };
        let query = Serializer::new(String::new())
            .append_pair("appid", &app.appid)
            .append_pair("secret", app.secret.expose())
            .append_pair(name, code.expose())
            .append_pair("grant_type", "authorization_code")
            .finish();
        self.ask_user_info(format!("{}{path}?{query}", app.api_url)).await
    }

    /// What the user calls himself. That he agreed is known already: whatever goes wrong here costs only his name.
    async fn profile(&self, app: &UserInfoApp, token: &str, id: &str) -> Option<Json> {
        let query = Serializer::new(String::new())
            .append_pair("access_token", token)
            .append_pair("openid", id)
            .append_pair("lang", "zh_CN")
            .finish();
        let profile = self
            .ask_user_info(format!("{}/sns/userinfo?{query}", app.api_url))
            .await;
        let profile = profile.ok().filter(|profile| profile.text("/openid") == Some(id));
        if profile.is_none() {
            tracing::warn!("WeChat did not tell the name of a user who agreed to it");
        }
        profile
    }

    /// The content type of the answers is not that of JSON, and they are JSON.
    async fn ask_user_info(&self, url: String) -> Result<Json, CallError> {
        let answer = self
            .gate
            .send(Request::get(url, self.account.query_timeout), false)
            .await?;
        if answer.status != http::StatusCode::OK {
            return Err(maybe(format!("HTTP status {}", answer.status.as_u16())));
        }
        Json::read(&answer.body).ok_or_else(|| maybe("an answer that is no JSON"))
    }
}

fn refused(answer: &Json) -> Called<ChannelUser> {
    let code = answer.number("/errcode").unwrap_or_default();
    let text = answer.text("/errmsg").unwrap_or_default().to_owned();
    let row = CODES.iter().find(|(listed, _)| *listed == code);
    let hint = match row.map(|(_, class)| *class) {
        Some(Class::Final) => Hint::None,
        Some(Class::Config) => Hint::Setup,
        _ => return Err(maybe(format!("{code} {text}"))),
    };
    Ok(Outcome::Refused(Refusal {
        code: code.to_string(),
        text,
        hint,
    }))
}
