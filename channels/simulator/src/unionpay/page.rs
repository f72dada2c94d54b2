//! The pages that a user sees at the gateway.

use super::card::CARDS;
use super::code;
use super::form::Fields;

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

/// What a user reads who has chosen no card.
pub(super) const CHOOSE_A_CARD: &str = "请选择一张银行卡";

/// The cards to choose from.
fn cards() -> String {
    let mut cards = String::new();
    for (n, card) in CARDS.iter().enumerate() {
        let checked = if n == 0 { " checked" } else { "" };
        let (tail, bank) = (card.tail(), card.bank);
        cards += &format!(
            "<label><input type=\"radio\" name=\"card\" value=\"{tail}\"{checked}><span>{bank}（尾号{tail}）</span></label>"
        );
    }
    format!("<fieldset><legend>选择银行卡</legend>{cards}</fieldset>")
}

/// Asks which card is to be opened.
pub(super) fn ask(shop: &str, id: &str, phone: &str, complaint: &str) -> String {
    let cards = cards();
    whole(
        "云闪付开通无卡支付",
        &format!(
            "<h1>云闪付开通无卡支付</h1><p>开通后，{} 可凭您的付款码直接扣款，无需输入密码。</p>\
             <p class=\"complaint\">{}</p>\
             <form method=\"post\" action=\"../../sim/front/open\"><input type=\"hidden\" name=\"id\" value=\"{id}\">\
             {cards}<fieldset><legend>银行预留手机号</legend><label>手机号<input type=\"tel\" name=\"phone\" value=\"{phone}\" \
             maxlength=\"11\"></label></fieldset>\
             <button class=\"first\" name=\"agree\" value=\"1\">确认开通</button>\
             <button name=\"agree\" value=\"0\">取消</button></form>",
            escaped(shop),
            escaped(complaint)
        ),
    )
}

/// Asks with which card an amount is to be paid.
pub(super) fn pay(shop: &str, id: &str, amount_fen: u64, complaint: &str) -> String {
    let cards = cards();
    whole(
        "银联收银台",
        &format!(
            "<h1>{}</h1><p>{}</p><p class=\"complaint\">{}</p>\
             <form method=\"post\" action=\"../../sim/front/pay\"><input type=\"hidden\" name=\"id\" value=\"{id}\">\
             {cards}<button class=\"first\" name=\"agree\" value=\"1\">确认付款</button>\
             <button name=\"agree\" value=\"0\">取消</button></form>",
            escaped(shop),
            yuan(amount_fen),
            escaped(complaint)
        ),
    )
}

/// An amount as people read it.
fn yuan(fen: u64) -> String {
    format!("¥{}.{:02}", fen / 100, fen % 100)
}

/// Sends the browser back to the merchant with the signed result, under this heading.
pub(super) fn returning(heading: &str, front_url: &str, message: &Fields) -> String {
    let mut inputs = String::new();
    for (name, value) in message {
        inputs += &format!(
            "<input type=\"hidden\" name=\"{}\" value=\"{}\">",
            escaped(name),
            escaped(value)
        );
    }
    whole(
        heading,
        &format!(
            "<h1>{heading}</h1><p>正在返回商户。</p><form id=\"back\" method=\"post\" action=\"{}\">{inputs}\
             <button class=\"first\">返回商户</button></form>\
             <script>document.getElementById(\"back\").submit()</script>",
            escaped(front_url)
        ),
    )
}

/// The user has declined; `what` says what was not done.
pub(super) fn declined(what: &str, fail_url: &str) -> String {
    let back = if fail_url.is_empty() {
        "<p>请关闭本页面返回商户。</p>".to_owned()
    } else {
        format!("<a class=\"button\" href=\"{}\">返回商户</a>", escaped(fail_url))
    };
    whole(what, &format!("<h1>{what}</h1>{back}"))
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

/// A payment that waits for the password.
pub(super) struct Waiting {
    pub(super) code: String,
    pub(super) amount_fen: u64,
    pub(super) shop: String,
}

/// The user's phone: the code that was just shown, with the seconds that it has left, and what waits for the password.
pub(super) fn phone(user: &str, shown: Option<&(String, i64)>, waiting: &[Waiting]) -> String {
    let user = escaped(user);
    let mut questions = String::new();
    for Waiting { code, amount_fen, shop } in waiting {
        questions += &format!(
            "<form method=\"post\" action=\"/unionpay/phone/password\"><p>{} 请您付款 {}</p>\
             <input type=\"hidden\" name=\"page\" value=\"1\"><input type=\"hidden\" name=\"user\" value=\"{user}\">\
             <input type=\"hidden\" name=\"code\" value=\"{code}\">\
             <button class=\"first\" name=\"agree\" value=\"1\">输入密码并付款</button>\
             <button name=\"agree\" value=\"0\">拒绝</button></form>",
            escaped(shop),
            yuan(*amount_fen)
        );
    }
    let code = shown.map_or_else(String::new, |(code, seconds)| {
        format!("<p>付款码 <b id=\"code\">{code}</b></p><p>{seconds} 秒内有效，仅可使用一次。</p>")
    });
    whole(
        "云闪付（模拟手机）",
        &format!(
            "<h1>云闪付 {user}</h1>{questions}{code}<form method=\"post\" action=\"/unionpay/phone/code\">\
             <input type=\"hidden\" name=\"page\" value=\"1\"><fieldset>\
             <label>用户<input type=\"text\" name=\"user\" value=\"{user}\"></label>\
             <label><input type=\"checkbox\" name=\"needs_password\" value=\"1\">付款需要输入密码</label></fieldset>\
             <button class=\"first\">出示付款码</button></form>\
             <form method=\"get\" action=\"/unionpay/phone\"><input type=\"hidden\" name=\"user\" value=\"{user}\">\
             <button>刷新</button></form>"
        ),
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
