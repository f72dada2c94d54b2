//! A small page for a browser: one headline, one sentence, perhaps a form. Nothing of it comes from elsewhere, and its
//! policy allows exactly what it does.

use std::fmt::Write;

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::header::{CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, X_FRAME_OPTIONS};
use http::{HeaderValue, StatusCode, Uri};
use metropay_core::problem::Problem;
use metropay_core::random::Random;
use metropay_web::{Call, Language, text};

/// Same-origin windows only may hold a handle on the page.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const STYLE: &str = "body{font:16px/1.6 system-ui,sans-serif;margin:0;color:#1d2129;background:#f5f6f7}\
                     main{max-width:22rem;margin:20vh auto 0;padding:2rem;background:#fff;border-radius:12px;text-align:center}\
                     h1{font-size:1.4rem;margin:0 0 .5rem}p{margin:0;color:#4e5969}\
                     button{margin-top:1.5rem;padding:.7rem 2rem;font:inherit;color:#fff;background:#165dff;border:0;border-radius:8px}";

/// What a page says.
pub(super) struct Page {
    /// The HTTP status.
    pub(super) status: StatusCode,
    /// Its language.
    pub(super) language: Language,
    /// The headline.
    pub(super) title: &'static str,
    /// The sentence.
    pub(super) text: &'static str,
}

/// A form that the page posts by itself, and by its button where scripts do not run.
pub(super) struct Form<'a> {
    /// Where to.
    pub(super) action: &'a str,
    /// The fields, in order.
    pub(super) fields: &'a [(String, String)],
}

impl Page {
    /// The page alone.
    pub(super) fn answer(&self, random: &dyn Random) -> Response {
        let nonce = nonce(random);
        self.respond(&nonce, "", "form-action 'none'")
    }

    /// The page with a form that it posts.
    ///
    /// # Errors
    /// A fault, when the form goes nowhere on the web.
    pub(super) fn answer_posting(&self, form: &Form<'_>, random: &dyn Random) -> Result<Response, Problem> {
        let nonce = nonce(random);
        let button = match self.language {
            Language::Chinese => "继续",
            Language::English => "Continue",
        };
        let form_action = form_action(form.action)?;
        let content = posting(form, button, &nonce);
        Ok(self.respond(&nonce, &content, form_action))
    }

    fn respond(&self, nonce: &str, content: &str, form_action: &str) -> Response {
        let Self {
            language, title, text, ..
        } = self;
        let lang = language.tag();
        let html = format!(
            "<!doctype html>\n<html lang=\"{lang}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
             <style nonce=\"{nonce}\">{STYLE}</style></head>\
             <body><main><h1>{title}</h1><p>{text}</p>{content}</main></body></html>\n",
            title = escape(title),
            text = escape(text),
        );
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; {form_action}; base-uri 'none'; \
             frame-ancestors 'none'"
        );
        let mut response = (self.status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(lang));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// The page of a refusal. It is counted and logged like every refusal.
pub(super) fn refused(call: &Call, problem: Problem, random: &dyn Random) -> Response {
    let code = problem.code;
    let status = call.refuse(problem).into_response().status();
    let page = Page {
        status,
        language: call.language,
        title: match call.language {
            Language::Chinese => "未能完成",
            Language::English => "Not completed",
        },
        text: text::message(code, call.language),
    };
    page.answer(random)
}

/// Where a form may be posted: anywhere under its scheme, because channels pass the browser on between hosts of theirs,
/// and browsers hold such redirects to this policy, too.
fn form_action(action: &str) -> Result<&'static str, Problem> {
    let action: Uri = action.parse().map_err(Problem::fault)?;
    match (action.scheme_str(), action.authority()) {
        (Some("https"), Some(_)) => Ok("form-action https:"),
        (Some("http"), Some(_)) => Ok("form-action http: https:"),
        _ => Err(Problem::fault("a form must be posted to an address on the web")),
    }
}

fn posting(form: &Form<'_>, button: &str, nonce: &str) -> String {
    let mut html = format!(
        "<form method=\"post\" action=\"{}\" accept-charset=\"UTF-8\">",
        escape(form.action)
    );
    for (name, value) in form.fields {
        let (name, value) = (escape(name), escape(value));
        write!(html, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
            .expect("a string takes what is written to it");
    }
    // A field called "submit" would hide the form's own method of that name.
    let script = "HTMLFormElement.prototype.submit.call(document.forms[0])";
    write!(
        html,
        "<button>{button}</button></form><script nonce=\"{nonce}\">{script}</script>"
    )
    .expect("a string takes what is written to it");
    html
}

fn nonce(random: &dyn Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    STANDARD_NO_PAD.encode(bytes)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_values_whatever_they_contain() {
        let fields = [
            ("submit".to_owned(), "\"><script>alert(1)</script>".to_owned()),
            ("a&b".to_owned(), "it's 5 < 6 & \"x\"".to_owned()),
        ];
        let form = Form {
            action: "https://gateway.example/front?a=1&b=2",
            fields: &fields,
        };
        let html = posting(&form, "继续", "N");
        assert!(html.contains("action=\"https://gateway.example/front?a=1&amp;b=2\""));
        assert!(html.contains("name=\"submit\" value=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\""));
        assert!(html.contains("name=\"a&amp;b\" value=\"it&#39;s 5 &lt; 6 &amp; &quot;x&quot;\""));
        assert_eq!(html.matches("<script").count(), 1);
    }

    #[test]
    fn a_form_is_posted_on_the_web_only() {
        assert_eq!(form_action("https://gateway.example/x").unwrap(), "form-action https:");
        assert_eq!(form_action("http://127.0.0.1:9/x").unwrap(), "form-action http: https:");
        for bad in ["javascript:alert(1)", "/relative", "", "data:text/html,x", "https:"] {
            assert!(form_action(bad).is_err(), "{bad}");
        }
    }
}
