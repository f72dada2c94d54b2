//! The look of the phone's pages: plain HTML without anything from elsewhere.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

const STYLE: &str = "body{margin:0;background:#ededed;color:#191919;font:16px/1.6 -apple-system,'PingFang SC',\
'Microsoft YaHei',sans-serif}main{max-width:420px;margin:0 auto;padding:24px 16px}h1{font-size:20px;text-align:center;\
font-weight:500}section{background:#fff;border-radius:8px;padding:8px 16px;margin:16px 0}dl{display:grid;\
grid-template-columns:6em 1fr;gap:4px 8px;margin:8px 0}dt{color:#7f7f7f}dd{margin:0;word-break:break-all}\
button,.button{display:block;width:100%;box-sizing:border-box;border:0;border-radius:8px;padding:12px;margin:12px 0;\
font-size:17px;text-align:center;text-decoration:none;background:#07c160;color:#fff}button.second{background:#e1e1e1;\
color:#191919}label{color:#7f7f7f}input{width:100%;box-sizing:border-box;padding:10px;border:1px solid #d9d9d9;\
border-radius:6px;font-size:16px}p.note{color:#7f7f7f;font-size:14px;text-align:center}a{color:#576b95}";

/// A text as it may stand in HTML, also inside quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// Rows of names and values.
pub(super) fn table(rows: &[(&str, &str)]) -> String {
    let rows: String = rows
        .iter()
        .map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value)))
        .collect();
    format!("<section><dl>{rows}</dl></section>")
}

/// A whole page; `body` is HTML.
pub(super) fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escaped(title);
    let html = format!(
        "<!DOCTYPE html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"
    );
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// The page that the real gateway shows, with status 200, when a signing address is not in order.
pub(super) fn trouble(text: &str) -> Response {
    page(
        StatusCode::OK,
        "微信支付",
        &format!("<section><p>{}</p></section>", escaped(text)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_merchant_sends_cannot_become_markup() {
        let table = table(&[("商户", "<script>alert('x')</script>\"&")]);
        assert!(
            table.contains("<dd>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;</dd>"),
            "{table}"
        );
    }
}
