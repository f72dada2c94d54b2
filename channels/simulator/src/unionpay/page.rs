//! The pages that a user sees at the gateway.

use super::code;
use super::form::Fields;
use super::token::CARDS;

const STYLE: &str = "body{margin:0;background:#f2f4f7;font:16px/1.6 system-ui,sans-serif;color:#1f2329}\
    main{max-width:420px;margin:0 auto;padding:24px 16px}h1{font-size:20px;margin:0 0 4px}p{margin:0 0 16px;color:#5b6470}\
    fieldset{border:0;margin:0 0 16px;padding:0;background:#fff;border-radius:12px}legend{padding:0 0 8px}\
    fieldset label{display:flex;gap:12px;padding:14px 16px;border-bottom:1px solid #eef0f3}\
    input[type=tel]{flex:1;border:0;font:inherit;text-align:right}\
    button,a.button{display:block;box-sizing:border-box;width:100%;padding:12px;border:0;border-radius:24px;font:inherit;\
    text-align:center;text-decoration:none;margin:0 0 12px;background:#e4e7ec;color:#1f2329}\
    button.first{background:#c8102e;color:#fff}.complaint{color:#c8102e}";

fn whole(title: &str, inside: &str) -> String {
    format!(
        "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main>{inside}</main></body></html>"
    )
}

/// Asks which card is to be opened.
pub(super) fn ask(shop: &str, id: &str, phone: &str, complaint: &str) -> String {
    let mut cards = String::new();
    for (n, card) in CARDS.iter().enumerate() {
        let checked = if n == 0 { " checked" } else { "" };
        let (tail, bank) = (card.tail(), card.bank);
        cards += &format!(
            "<label><input type=\"radio\" name=\"card\" value=\"{tail}\"{checked}><span>{bank}（尾号{tail}）</span></label>"
        );
    }
    whole(
        "云闪付开通无卡支付",
        &format!(
            "<h1>云闪付开通无卡支付</h1><p>开通后，{} 可凭您的付款码直接扣款，无需输入密码。</p>\
             <p class=\"complaint\">{}</p>\
             <form method=\"post\" action=\"../../sim/front/open\"><input type=\"hidden\" name=\"id\" value=\"{id}\">\
             <fieldset><legend>选择银行卡</legend>{cards}</fieldset>\
             <fieldset><legend>银行预留手机号</legend><label>手机号<input type=\"tel\" name=\"phone\" value=\"{phone}\" \
             maxlength=\"11\"></label></fieldset>\
             <button class=\"first\" name=\"agree\" value=\"1\">确认开通</button>\
             <button name=\"agree\" value=\"0\">取消</button></form>",
            escaped(shop),
            escaped(complaint)
        ),
    )
}

/// Sends the browser back to the merchant with the signed result.
pub(super) fn returning(front_url: &str, message: &Fields) -> String {
    let mut inputs = String::new();
    for (name, value) in message {
        inputs += &format!(
            "<input type=\"hidden\" name=\"{}\" value=\"{}\">",
            escaped(name),
            escaped(value)
        );
    }
    whole(
        "开通成功",
        &format!(
            "<h1>开通成功</h1><p>正在返回商户。</p><form id=\"back\" method=\"post\" action=\"{}\">{inputs}\
             <button class=\"first\">返回商户</button></form>\
             <script>document.getElementById(\"back\").submit()</script>",
            escaped(front_url)
        ),
    )
}

/// The user has declined.
pub(super) fn declined(fail_url: &str) -> String {
    let back = if fail_url.is_empty() {
        "<p>请关闭本页面返回商户。</p>".to_owned()
    } else {
        format!("<a class=\"button\" href=\"{}\">返回商户</a>", escaped(fail_url))
    };
    whole("未开通", &format!("<h1>您已取消开通</h1><p>无卡支付未开通。</p>{back}"))
}

/// The request cannot be carried out.
pub(super) fn refused(code: &str) -> String {
    complaint(code, &code::text(code))
}

/// The request cannot be carried out, in these words.
pub(super) fn complaint(code: &str, words: &str) -> String {
    let (code, words) = (escaped(code), escaped(words));
    whole(
        "交易失败",
        &format!("<h1>交易失败</h1><p>{words}</p><p>应答码：<span id=\"code\">{code}</span></p>"),
    )
}

/// Text that may stand in HTML, attributes too. Line breaks are kept by name: browsers would change them otherwise.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\r' => safe.push_str("&#13;"),
            '\n' => safe.push_str("&#10;"),
            _ => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_merchant_wrote_cannot_become_markup() {
        let page = ask("<script>\"&'", "id", "1", "");
        assert!(page.contains("&lt;script&gt;&quot;&amp;&#39;") && !page.contains("<script>\"&'"));
    }

    #[test]
    fn every_card_is_offered_by_its_tail_only() {
        let page = ask("店", "id", "1", "");
        for card in &CARDS {
            assert!(page.contains(&format!("value=\"{}\"", card.tail())));
            assert!(!page.contains(card.number));
        }
    }
}
