//! What the pages for people are built of.

use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

const STYLE: &str = "body{font-family:system-ui,'PingFang SC',sans-serif;background:#f5f6fa;margin:0;color:#222}\
main{max-width:26rem;margin:2rem auto;background:#fff;border-radius:12px;padding:1.5rem}\
h1{font-size:1.2rem;color:#1677ff;margin-top:0}dl{display:grid;grid-template-columns:6rem 1fr;gap:.5rem}\
dt{color:#888}dd{margin:0;word-break:break-all}input[type=text]{width:100%;box-sizing:border-box;padding:.5rem}\
button{padding:.6rem 1.2rem;border:1px solid #1677ff;border-radius:8px;background:#fff;color:#1677ff;margin-top:1rem}\
button.main{background:#1677ff;color:#fff}section{border-top:1px solid #eee;padding:.8rem 0}\
.code{font-size:1.4rem;letter-spacing:.1em;text-align:center}";

/// A page with one text.
pub(super) fn message(status: StatusCode, title: &str, text: &str) -> Response {
    (status, Html(page(title, &format!("<p>{}</p>", escape(text))))).into_response()
}

/// One line of a description list.
pub(super) fn row(name: &str, value: &str) -> String {
    format!("<dt>{name}</dt><dd>{}</dd>", escape(value))
}

/// A hidden field of a form.
pub(super) fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
}

/// A whole page; the body is markup already.
pub(super) fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"
    )
}

/// Sends the browser on.
pub(super) fn found(url: String) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, url)]).into_response()
}

/// A text in which nothing is markup.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(character),
        }
    }
    safe
}
