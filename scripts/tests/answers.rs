//! A wrong answer is refused with the path of what is wrong in it, whatever the kind.

use metropay_core::clock::Time;
use metropay_core::code::form::CodeType;
use metropay_core::rules::code::{CodeQuestion, ScanQuestion};
use metropay_core::rules::membership::{MembershipAction, MembershipQuestion, MembershipReply};
use metropay_core::rules::{Kind, RuleError, Rules, Script, Wrong};
use metropay_scripts::LuauRules;

mod shared;

/// Where an answer is wrong; `ok` where it is right.
fn at<T>(answer: Result<T, RuleError>) -> String {
    match answer {
        Ok(_) => "ok".to_owned(),
        Err(error) => match error.wrong {
            Wrong::Answer { at, reason } => {
                assert!(!reason.is_empty());
                at
            }
            other => other.to_string(),
        },
    }
}

#[test]
fn a_route_leads_to_ways_that_there_are() {
    let question = shared::route_question(None, None, &["wechat", "alipay"]);
    let many = "(function() local t = {} for n = 1, 17 do t[n] = 'at-wechat' end return t end)()";
    for (answer, wanted) in [
        ("{}", "ok"),
        ("{ 'at-alipay' }", "ok"),
        ("{ { account = 'at-alipay', reason = '便宜' }, 'at-wechat' }", "ok"),
        ("nil", "choices"),
        ("'at-wechat'", "choices"),
        ("{ account = 'at-wechat' }", "choices"),
        ("{ 'at-wechat', x = 1 }", "choices"),
        ("{ [2] = 'at-wechat' }", "choices"),
        ("{ 'at-nobody' }", "choices[1].account"),
        ("{ 'at-wechat', 'at-wechat' }", "choices[2].account"),
        ("{ 'wechat' }", "choices[1].account"),
        ("{ 5 }", "choices[1]"),
        ("{ {} }", "choices[1].account"),
        ("{ { account = 'at-wechat', mandate = 'x' } }", "choices[1].mandate"),
        ("{ { account = 'at-wechat', reason = 5 } }", "choices[1].reason"),
        (
            "{ { account = 'at-wechat', reason = string.rep('x', 129) } }",
            "choices[1].reason",
        ),
        ("{ { account = '\\xff' } }", "choices[1].account"),
        (many, "choices"),
    ] {
        let script = Script::new(
            Kind::Routing,
            &format!("return {{ route = function(q) return {answer} end }}"),
        );
        assert_eq!(at(LuauRules::new().route(&script, &question)), wanted, "{answer}");
    }
}

fn code_script(issue: &str, recognise: &str) -> Script {
    let source =
        format!("return {{ issue = function(q) return {issue} end, recognise = function(q) return {recognise} end }}");
    Script::new(Kind::Code, &source)
}

fn code_question() -> CodeQuestion {
    CodeQuestion {
        prefix: "77".to_owned(),
        kind: CodeType::Online,
    }
}

#[test]
fn a_form_of_codes_is_nobody_elses() {
    for (answer, wanted) in [
        ("{}", "ok"),
        ("{ prefix = '7866', length = 24, symbology = 'qr', life_s = 15 }", "ok"),
        ("{ prefix = '28' }", "prefix"),
        ("{ prefix = 77 }", "prefix"),
        ("{ prefix = '7x' }", "prefix"),
        ("{ prefix = '' , length = 21 }", "prefix"),
        ("{ length = 18 }", "prefix"),
        ("{ length = 20.5 }", "length"),
        ("{ length = -1 }", "length"),
        ("{ length = '20' }", "length"),
        ("{ length = 34 }", "prefix"),
        ("{ check = 'mod11' }", "check"),
        ("{ symbology = 'aztec' }", "symbology"),
        ("{ life_s = 14 }", "life_s"),
        ("{ life_s = 101 }", "life_s"),
        ("{ colour = 'red' }", "colour"),
        ("'77'", ""),
    ] {
        let script = code_script(answer, "nil");
        assert_eq!(at(LuauRules::new().form(&script, &code_question())), wanted, "{answer}");
    }
}

#[test]
fn digits_were_scanned() {
    let question = ScanQuestion {
        code: code_question(),
        scanned: "]C177112345678901234565\r".to_owned(),
    };
    for (answer, wanted) in [
        ("{ whose = 'ours', digits = '77112345678901234565' }", "ok"),
        ("{ whose = 'foreign', looks = 'alipay', digits = '771' }", "ok"),
        ("{ whose = 'malformed' }", "ok"),
        ("{ whose = 'ours', digits = '77112345678901234566' }", "digits"),
        ("{ whose = 'ours', digits = 'C177' }", "digits"),
        ("{ whose = 'ours', digits = '' }", "digits"),
        ("{ whose = 'ours', digits = 77112345678901234565 }", "digits"),
        ("{ whose = 'ours' }", "digits"),
        ("{ whose = 'foreign', digits = '771' }", "looks"),
        ("{ whose = 'foreign', looks = 'paypal', digits = '771' }", "looks"),
        ("{ whose = 'mine' }", "whose"),
        ("{ whose = 'malformed', user = 'u' }", "user"),
        ("nil", ""),
    ] {
        let script = code_script("{}", answer);
        assert_eq!(at(LuauRules::new().recognise(&script, &question)), wanted, "{answer}");
    }
}

fn membership(request: &str, answer: &str) -> Script {
    let source =
        format!("return {{ request = function(q) return {request} end, answer = function(q) return {answer} end }}");
    Script::new(Kind::Membership, &source)
}

#[expect(clippy::too_many_lines, reason = "one table of cases")]
#[test]
fn a_call_stays_within_what_the_host_lets_rules_write() {
    let question = MembershipQuestion {
        mch_id: "M1".into(),
        action: MembershipAction::Open,
        uid: "U1".into(),
        phone: None,
        request_no: "R1".to_owned(),
        at: Time(1_795_739_400_000),
    };
    let post = |more: &str| format!("{{ method = 'POST', path = '/a', {more} }}");
    let mut cases = vec![
        ("{ method = 'GET', path = '/a/b-c_d.e~f%20' }".to_owned(), "ok"),
        ("{ method = 'TRACE', path = '/' }".to_owned(), "method"),
        ("{ method = 'get', path = '/' }".to_owned(), "method"),
        ("{ method = 'GET', path = '/', json = { a = 1 } }".to_owned(), "method"),
        ("{ method = 'GET' }".to_owned(), "path"),
    ];
    for path in [
        "a",
        "//evil.example/",
        "/a b",
        "/a?x=1",
        "/a#x",
        "/a\\r\\nX: 1",
        "/../admin",
        "/a/%2e%2E/b",
        "/费",
        "/@\\\\evil",
    ] {
        cases.push((format!("{{ method = 'GET', path = '{path}' }}"), "path"));
    }
    for name in [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "Connection",
        "Authorization",
        "Cookie",
        "Proxy-Whatever",
    ] {
        let at: &str = Box::leak(format!("headers.{name}").into_boxed_str());
        cases.push((post(&format!("headers = {{ ['{name}'] = 'x' }}")), at));
    }
    for (more, wanted) in [
        (
            "headers = { ['X-A'] = 'b' }, query = { { 'b', '1' }, { 'a', 2 } }",
            "ok",
        ),
        ("headers = { ['X-A'] = 'b\\r\\nHost: evil' }", "headers.X-A"),
        ("headers = { ['X A'] = 'b' }", "headers.X A"),
        ("headers = { ['X-A'] = '费' }", "headers.X-A"),
        ("headers = { ['X-A'] = '1', ['x-a'] = '2' }", "headers.x-a"),
        ("headers = 'x'", "headers"),
        ("query = { a = 'b\\0' }", "query.a"),
        ("query = { [''] = 'b' }", "query"),
        ("query = { { 'a' } }", "query"),
        ("json = { a = 1 }, form = { a = '1' }", ""),
        ("json = { a = { b = function() end } }", "json.a.b"),
        ("json = { 1, x = 2 }", "json"),
        ("json = { a = 0 / 0 }", "json.a"),
        ("json = { a = string.rep('x', 20000) }", "json.a"),
        (
            "json = (function() local t = {} t.t = t return t end)()",
            "json.t.t.t.t.t.t.t.t.t.t.t.t.t.t.t.t",
        ),
        ("form = { a = 1.5 }", "form.a"),
        ("xml = string.rep('x', 16385)", "xml"),
        ("xml = 5", "xml"),
        ("timeout = 5", "timeout"),
        ("sign = { text = 'x', name = 'Authorization' }", "ok"),
        ("sign = { text = 'x', name = 'Host' }", "sign.name"),
        ("sign = { text = 'x', name = 'a b' }", "sign.name"),
        ("sign = { text = 'x', name = 's', into = 'body' }", "sign.into"),
        (
            "sign = { text = 'x', name = 's', into = 'body' }, form = { a = '1' }",
            "ok",
        ),
        ("sign = { text = 'x', name = 's', algorithm = 'md5' }", "sign.algorithm"),
        ("sign = { text = 'x', name = 's', encoding = 'raw' }", "sign.encoding"),
        ("sign = { name = 's' }", "sign.text"),
        ("sign = { text = 'x', name = 's', secret = 'y' }", "sign.secret"),
    ] {
        cases.push((post(more), wanted));
    }
    for (answer, wanted) in cases {
        let call = LuauRules::new().membership_call(&membership(&answer, "{}"), &question);
        assert_eq!(at(call), wanted, "{answer}");
    }
    let ordered = membership(&post("query = { { 'b', '1' }, { 'a', 2 } }"), "{}");
    let call = LuauRules::new().membership_call(&ordered, &question);
    let query = call.map(|call| call.query).unwrap_or_default();
    assert_eq!(
        query,
        [("b".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())]
    );
}

#[test]
fn a_members_state_is_one_of_four() {
    let reply = MembershipReply {
        action: MembershipAction::Query,
        status: 200,
        json: None,
        text: String::new(),
    };
    for (answer, wanted) in [
        ("{}", "ok"),
        ("{ vip_status = 'CLOSED', member_no = 'C1', reason = 'x' }", "ok"),
        ("{ vip_status = 'active' }", "vip_status"),
        ("{ vip_status = 1 }", "vip_status"),
        ("{ member_no = 'a\\n' }", "member_no"),
        ("{ member_no = string.rep('x', 129) }", "member_no"),
        ("{ reason = {} }", "reason"),
        ("{ level = 3 }", "level"),
        ("nil", ""),
    ] {
        let told = LuauRules::new().membership_answer(&membership("{}", answer), &reply);
        assert_eq!(at(told), wanted, "{answer}");
    }
}
