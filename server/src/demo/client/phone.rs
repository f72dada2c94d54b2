//! A user at a channel's signing page: opens it and agrees, with one post of its form, as a finger would.

use anyhow::{Context, Result, bail, ensure};
use url::Url;

use super::http;

/// A user's browser, and who he is at the channels.
#[derive(Clone)]
pub struct Phone {
    http: reqwest::Client,
    user: String,
}

impl Phone {
    /// The phone of a user; the name stands for the same person at every channel.
    pub fn new(user: &str) -> Self {
        Self {
            http: http(),
            user: user.to_owned(),
        }
    }

    /// Opens the page at this address, agrees, and goes back to where the channel sends the browser.
    ///
    /// # Errors
    /// When a page does not come, has no form, or refuses.
    pub async fn agree(&self, url: &str) -> Result<()> {
        let (mut at, mut page) = self.open(url).await?;
        // A page of ours only passes the browser on to the channel.
        if form(&page).is_some_and(|form| form.field("tokenPayData").is_some()) {
            let onward = form(&page).context("no form")?;
            (at, page) = self.post(at.join(&onward.action)?, &onward.fields).await?;
        }
        let consent = form(&page).with_context(|| format!("no form on the page at {at}"))?;
        let mut fields: Vec<(String, String)> = consent
            .fields
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "agree" | "user"))
            .cloned()
            .collect();
        fields.push(("agree".to_owned(), "1".to_owned()));
        fields.push(("user".to_owned(), self.user.clone()));
        if at.path().starts_with("/unionpay") && consent.field("card").is_none() {
            fields.push(("card".to_owned(), "0018".to_owned()));
        }
        let target = at.join(&consent.action)?;
        let (at, page) = self.post(target, &fields).await?;
        // UnionPay sends the browser back by a form, the others by a redirect (followed in `post`).
        if let Some(back) = form(&page).filter(|back| back.action.contains("/app/return/")) {
            self.post(at.join(&back.action)?, &back.fields).await?;
        }
        Ok(())
    }

    /// Ends what the user has signed at a channel, on the channel's own page for it: the first that is still in use.
    /// UnionPay has no such page.
    ///
    /// # Errors
    /// When there is no such page, or nothing on it that could be ended.
    pub async fn end(&self, simulator_url: &str, channel: &str) -> Result<()> {
        let list = match channel {
            "wechat" => "wechat/phone/contracts",
            "alipay" => "alipay/phone/agreements",
            other => bail!("{other} has no page on which a user ends what he signed"),
        };
        let (at, page) = self.open(&format!("{simulator_url}/{list}?user={}", self.user)).await?;
        for part in page.split("<form").skip(1) {
            let own = form(&format!("<form{part}")).context("a form that cannot be read")?;
            // An agreement that has ended keeps its form, but not the button.
            if channel == "wechat" || part.contains("value=\"unsign\"") {
                let mut fields = own.fields.clone();
                fields.push(("act".to_owned(), "unsign".to_owned()));
                self.post(at.join(&own.action)?, &fields).await?;
                return Ok(());
            }
        }
        bail!("{} has signed nothing with {channel} that could be ended", self.user)
    }

    /// Shows a fresh payment code of a channel's own App. Whoever needs his password for it has to type it.
    ///
    /// # Errors
    /// When the channel's gateway shows none.
    pub async fn show_code(&self, simulator_url: &str, channel: &str, needs_password: bool) -> Result<String> {
        let mut fields = vec![("user", self.user.as_str())];
        if needs_password {
            fields.push(("needs_password", "1"));
        }
        let text = self
            .press(&format!("{simulator_url}/{channel}/phone/code"), &fields)
            .await?;
        let shown: serde_json::Value = serde_json::from_str(&text).context("the code shown")?;
        shown["code"].as_str().map(str::to_owned).context("no code is shown")
    }

    /// Types the password for what a till wants with this code.
    ///
    /// # Errors
    /// When nothing waits for it.
    pub async fn type_password(&self, simulator_url: &str, channel: &str, code: &str) -> Result<()> {
        let url = format!("{simulator_url}/{channel}/phone/password");
        self.press(&url, &[("code", code), ("agree", "1")]).await.map(|_| ())
    }

    /// Posts a form as the phone's own App would.
    async fn press(&self, url: &str, fields: &[(&str, &str)]) -> Result<String> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self.http.post(url);
        let answer = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{url}: {status} {text}");
        Ok(text)
    }

    async fn open(&self, url: &str) -> Result<(Url, String)> {
        let mut at = Url::parse(url).with_context(|| format!("not an address: {url}"))?;
        for _ in 0..5 {
            let answer = self.http.get(at.clone()).send().await?;
            match redirect(&at, &answer) {
                Some(next) => at = next?,
                None => return Ok((at, page(answer).await?)),
            }
        }
        bail!("too many redirects")
    }

    async fn post(&self, at: Url, fields: &[(String, String)]) -> Result<(Url, String)> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self
            .http
            .post(at.clone())
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(body).send().await?;
        match redirect(&at, &answer) {
            Some(next) => self.open(next?.as_str()).await,
            None => Ok((at, page(answer).await?)),
        }
    }
}

fn redirect(at: &Url, answer: &reqwest::Response) -> Option<Result<Url>> {
    if !answer.status().is_redirection() {
        return None;
    }
    let location = answer.headers().get("location")?.to_str().ok()?;
    Some(at.join(location).context("a redirect to nowhere"))
}

async fn page(answer: reqwest::Response) -> Result<String> {
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(status.is_success(), "a page answered {status}: {text}");
    Ok(text)
}

/// A form on a page: its address and fields.
struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

impl Form {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Reads the first form of one of our own pages; a browser would read more kinds of pages than this.
fn form(page: &str) -> Option<Form> {
    let start = page.find("<form")?;
    let whole = page.get(start..)?;
    let whole = whole.split("</form>").next()?;
    let head = whole.split('>').next()?;
    let action = attribute(head, "action").unwrap_or_default();
    let mut fields = Vec::new();
    for tag in whole.split("<input").skip(1).filter_map(|tag| tag.split('>').next()) {
        let kind = attribute(tag, "type").unwrap_or_default();
        if (kind == "radio" || kind == "checkbox") && !tag.contains("checked") {
            continue;
        }
        if let Some(name) = attribute(tag, "name") {
            fields.push((name, attribute(tag, "value").unwrap_or_default()));
        }
    }
    Some(Form { action, fields })
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
    let plain = value
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'");
    let plain = plain.replace("&lt;", "<").replace("&gt;", ">").replace("&#x2F;", "/");
    Some(plain.replace("&amp;", "&"))
}
