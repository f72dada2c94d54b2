//! The user's phone, as a script holds it.

use serde_json::Value;

use super::merchant::Merchant;

/// A phone in the hand of one user.
pub(crate) struct Phone {
    pub(crate) base: String,
    pub(crate) user: String,
    http: reqwest::Client,
}

impl Phone {
    pub(crate) fn of(merchant: &Merchant, user: &str) -> Self {
        Self::at(&merchant.base, user)
    }

    /// At a gateway with this address.
    pub(crate) fn at(base: &str, user: &str) -> Self {
        Self {
            base: format!("{base}/phone"),
            user: user.to_owned(),
            http: reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
        }
    }

    /// Sends a form in the user's name.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::Response {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("user", &self.user)
            .extend_pairs(fields)
            .finish();
        let url = format!("{}/{path}", self.base);
        self.http.post(url).body(form).send().await.unwrap()
    }

    /// A page that the user looks at; `path` ends in a query.
    pub(crate) async fn page(&self, path: &str) -> String {
        let user: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("user", &self.user)
            .finish();
        let url = format!("{}/{path}&{user}", self.base);
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    /// A fresh payment code.
    pub(crate) async fn code(&self) -> String {
        self.shown(&[]).await
    }

    /// A fresh payment code that wants the password.
    pub(crate) async fn code_with_password(&self) -> String {
        self.shown(&[("needs_password", "1")]).await
    }

    async fn shown(&self, fields: &[(&str, &str)]) -> String {
        let answer = self.post("code", fields).await;
        assert_eq!(answer.status(), 200);
        let shown: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert!(shown["expires_at_ms"].is_i64());
        shown["code"].as_str().unwrap().to_owned()
    }

    /// The user types the password, or refuses to; the status of the answer.
    pub(crate) async fn password(&self, code: &str, agree: bool) -> u16 {
        let fields = [("code", code), ("agree", if agree { "1" } else { "0" })];
        self.post("password", &fields).await.status().as_u16()
    }
}
