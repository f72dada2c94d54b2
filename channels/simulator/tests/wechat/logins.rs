//! Who a user is: pages within WeChat, Apps, mini programs.

use metropay_simulator::{Effect, Simulator};
use serde_json::{Value, json};

use super::merchant::{Merchant, fault, simulator};
use super::phone::Phone;

struct Site {
    simulator: Simulator,
    merchant: Merchant,
    secret: String,
}

impl Site {
    async fn open() -> Self {
        let simulator = simulator().await;
        let spec = json!({"mode": "direct", "oauth_domain": "shop.example.test"});
        let account = simulator
            .frame()
            .open_account(metropay_simulator::Gateway::Wechat, &spec)
            .unwrap();
        Self {
            secret: account["app_secret"].as_str().unwrap().to_owned(),
            merchant: Merchant::of(&account),
            simulator,
        }
    }

    fn authorize(&self, changes: &[(&str, &str)]) -> String {
        let mut fields = vec![
            ("appid", self.merchant.appid.as_str()),
            ("redirect_uri", "https://shop.example.test/in?a=1"),
            ("response_type", "code"),
            ("scope", "snsapi_userinfo"),
            ("state", "STATE1"),
        ];
        for (name, value) in changes {
            fields
                .iter_mut()
                .filter(|(known, _)| known == name)
                .for_each(|field| field.1 = value);
        }
        encoded(&fields)
    }

    /// The user agrees; the address that the browser is sent to.
    async fn agree(&self, query: &str, more: &str) -> reqwest::Response {
        let url = format!("{}/connect/oauth2/authorize", self.merchant.base);
        let body = format!("{query}&agree=1{more}&{}", encoded(&[("user", "小明")]));
        self.merchant.http.post(url).body(body).send().await.unwrap()
    }

    async fn call(&self, path: &str, fields: &[(&str, &str)]) -> Value {
        let url = format!("{}/sns/{path}?{}", self.merchant.base, encoded(fields));
        let answer = self.merchant.http.get(url).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["content-type"].as_bytes()),
            (200, b"text/plain".as_slice())
        );
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    async fn token(&self, code: &str) -> Value {
        let fields = [
            ("appid", self.merchant.appid.as_str()),
            ("secret", &self.secret),
            ("code", code),
            ("grant_type", "authorization_code"),
        ];
        self.call("oauth2/access_token", &fields).await
    }
}

fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

fn code_in(answer: &reqwest::Response) -> String {
    let location = answer.headers()["location"].to_str().unwrap();
    let (_, rest) = location.split_once("code=").unwrap();
    rest.split('&').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_page_learns_who_its_visitor_is() {
    let site = Site::open().await;
    let query = site.authorize(&[]);
    let url = format!("{}/connect/oauth2/authorize?{query}", site.merchant.base);
    let page = site.merchant.http.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("允许") && page.contains("value=\"STATE1\""), "{page}");
    let agreed = site.agree(&query, "").await;
    let location = agreed.headers()["location"].to_str().unwrap().to_owned();
    assert!(
        location.starts_with("https://shop.example.test/in?a=1&code=") && location.ends_with("&state=STATE1"),
        "{location}"
    );
    let code = code_in(&agreed);
    let token = site.token(&code).await;
    assert_eq!(
        (token["expires_in"].as_u64(), token["scope"].as_str()),
        (Some(7_200), Some("snsapi_userinfo"))
    );
    assert_eq!(token.get("is_snapshotuser"), None);
    let openid = token["openid"].as_str().unwrap();
    let profile = [
        ("access_token", token["access_token"].as_str().unwrap()),
        ("openid", openid),
        ("lang", "zh_CN"),
    ];
    let told = site.call("userinfo", &profile).await;
    assert_eq!(
        (told["nickname"].as_str(), told["openid"].as_str()),
        (Some("小明"), Some(openid))
    );
    assert_eq!(site.token(&code).await["errcode"], 40_163, "a code works once");

    let paid = Phone::of(&site.merchant, "小明").code().await;
    let known = site
        .merchant
        .call("/tools/authcodetoopenid", &[("auth_code", &paid)])
        .await;
    assert_eq!(
        known["openid"], openid,
        "the same user has the same openid when he pays"
    );

    let refreshed = [
        ("appid", site.merchant.appid.as_str()),
        ("grant_type", "refresh_token"),
        ("refresh_token", token["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(site.call("oauth2/refresh_token", &refreshed).await["openid"], openid);
    site.simulator.frame().clock.set_offset_ms(7_200_000);
    assert_eq!(site.call("userinfo", &profile).await["errcode"], 42_001);
    assert_eq!(site.call("oauth2/refresh_token", &refreshed).await["openid"], openid);
    site.simulator.frame().clock.set_offset_ms(30 * 86_400_000);
    assert_eq!(site.call("oauth2/refresh_token", &refreshed).await["errcode"], 42_002);
}

#[tokio::test]
async fn a_known_browser_is_sent_back_in_silence_where_only_the_openid_is_asked_for() {
    let site = Site::open().await;
    let query = site.authorize(&[("scope", "snsapi_base")]);
    let agreed = site.agree(&query, "").await;
    let cookie = agreed.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let url = format!("{}/connect/oauth2/authorize?{query}", site.merchant.base);
    let silent = site
        .merchant
        .http
        .get(&url)
        .header("cookie", &cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(silent.status(), 303);
    let token = site.token(&code_in(&silent)).await;
    let profile = [
        ("access_token", token["access_token"].as_str().unwrap()),
        ("openid", token["openid"].as_str().unwrap()),
    ];
    assert_eq!(site.call("userinfo", &profile).await["errcode"], 48_001);
    let snapshot = site.agree(&query, "&snapshot=1").await;
    let token_of_nobody = site.token(&code_in(&snapshot)).await;
    assert_eq!(token_of_nobody["is_snapshotuser"], 1);
    assert_ne!(token_of_nobody["openid"], token["openid"]);
}

#[tokio::test]
async fn addresses_that_are_not_in_order_lead_nowhere() {
    let site = Site::open().await;
    for (query, text) in [
        (site.authorize(&[("appid", "wx0000000000000000")]), "AppID"),
        (site.authorize(&[("scope", "snsapi_all")]), "Scope"),
        (site.authorize(&[("state", "a-b")]), "State"),
        (
            site.authorize(&[("redirect_uri", "https://evil.example.test/in")]),
            "redirect_uri",
        ),
        (
            site.authorize(&[("redirect_uri", "https://shop.example.test@evil.test/")]),
            "redirect_uri",
        ),
        (site.authorize(&[("response_type", "token")]), "参数"),
        (format!("state=1&{}", site.authorize(&[])), "参数"),
    ] {
        let url = format!("{}/connect/oauth2/authorize?{query}", site.merchant.base);
        let page = site.merchant.http.get(&url).send().await.unwrap();
        assert_eq!(page.status(), 200);
        assert!(page.text().await.unwrap().contains(text), "{query}");
        assert!(!site.agree(&query, "").await.status().is_redirection(), "{query}");
    }
}

#[tokio::test]
async fn apps_and_mini_programs_log_in_with_codes_of_their_own() {
    let site = Site::open().await;
    let phone = Phone::of(&site.merchant, "小明");
    let appid = site.merchant.appid.as_str();
    let log_in = async |entry: &str| {
        let answer = phone.post("login", &[("appid", appid), ("entry", entry)]).await;
        let shown: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        shown["code"].as_str().unwrap().to_owned()
    };
    let session = async |code: &str, secret: &str| {
        let fields = [
            ("appid", appid),
            ("secret", secret),
            ("js_code", code),
            ("grant_type", "authorization_code"),
        ];
        site.call("jscode2session", &fields).await
    };
    let code = log_in("mini").await;
    assert_eq!(
        site.token(&code).await["errcode"],
        40_029,
        "a mini program's code is nothing to a page"
    );
    assert_eq!(session(&code, "wrong").await["errcode"], 40_125);
    let told = session(&code, &site.secret).await;
    assert!(told["session_key"].as_str().unwrap().len() == 24 && told["openid"].is_string());
    assert_eq!(session(&code, &site.secret).await["errcode"], 40_163);
    assert_eq!(session("nothing", &site.secret).await["errcode"], 40_029);
    let code = log_in("app").await;
    assert_eq!(site.token(&code).await["openid"], told["openid"]);
    let code = log_in("app").await;
    site.simulator.frame().clock.set_offset_ms(300_000);
    assert_eq!(site.token(&code).await["errcode"], 40_029, "five minutes and no longer");
    assert_eq!(
        site.call("oauth2/access_token", &[("appid", "wx1")]).await["errcode"],
        40_013
    );
    let missing = [
        ("appid", appid),
        ("secret", site.secret.as_str()),
        ("grant_type", "authorization_code"),
    ];
    assert_eq!(site.call("oauth2/access_token", &missing).await["errcode"], 41_008);
    fault(&site.simulator, "access_token", Effect::SystemErrorBefore);
    assert_eq!(site.token("x").await["errcode"], -1);
    fault(
        &site.simulator,
        "jscode2session",
        Effect::Refuse { code: "45011".into() },
    );
    assert_eq!(session("x", &site.secret).await["errcode"], 45_011);
}
