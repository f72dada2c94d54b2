//! What a merchant's system answered, read strictly. Whatever it says, the outcome is a standing or a failure with a word of its
//! own; nothing of the raw answer goes on but what the rule made of it, bounded and cleared of what must not be shown.

use metropay_core::json::read_strictly;
use metropay_core::limit::JSON_DEPTH_MAX;
use metropay_core::member::{
    CallError, MEMBER_NO_MAX, MEMBER_REASON_MAX, MemberAnswered, MemberFailure, MemberStanding, MemberTrouble,
};
use metropay_core::rules::membership::{MembershipAction, MembershipReply};
use metropay_core::rules::{RuleError, Rules, Script, Wrong};
use metropay_outbound::guard::{GuardedAnswer, Unanswered, Why};

/// Kinds of answers, by their content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Json,
    Page,
    /// XML, a form, plain text, or nothing said.
    Text,
    Other,
}

impl Type {
    fn of(content_type: &str) -> Self {
        match content_type {
            "application/json" | "text/json" => Self::Json,
            "text/html" | "application/xhtml+xml" => Self::Page,
            "" | "text/plain" | "text/xml" | "application/xml" | "application/x-www-form-urlencoded" => Self::Text,
            other if other.ends_with("+json") => Self::Json,
            other if other.ends_with("+xml") && !other.starts_with("image/") => Self::Text,
            _ => Self::Other,
        }
    }
}

/// A call that got no answer.
pub(crate) fn unanswered(unanswered: Unanswered) -> MemberFailure {
    let trouble = match unanswered.why {
        Why::Forbidden(_) => MemberTrouble::Address,
        Why::Unresolved => MemberTrouble::Unresolved,
        Why::Connect => MemberTrouble::Connect,
        Why::TooLong => MemberTrouble::TooLong,
        Why::Timeout => MemberTrouble::Timeout,
        Why::Broken => MemberTrouble::Broken,
    };
    MemberFailure {
        trouble,
        error: unanswered.error,
        retry_after: None,
    }
}

/// Reads an answer as the rule's question about it.
pub(crate) fn reply(action: MembershipAction, answer: &GuardedAnswer) -> Result<MembershipReply, MemberFailure> {
    let failure = |trouble| MemberFailure {
        retry_after: answer.retry_after,
        ..MemberFailure::maybe_done(trouble, format!("HTTP {}", answer.status.as_u16()))
    };
    if answer.is_redirect() {
        return Err(failure(MemberTrouble::Redirect));
    }
    if answer.status.as_u16() == 429 || answer.status.is_server_error() {
        return Err(failure(MemberTrouble::Busy));
    }
    if answer.encoded {
        return Err(failure(MemberTrouble::Encoded));
    }
    let kind = Type::of(&answer.content_type);
    if kind == Type::Page {
        return Err(failure(MemberTrouble::Page));
    }
    if kind == Type::Other {
        return Err(failure(MemberTrouble::Unreadable));
    }
    let text = std::str::from_utf8(&answer.body).map_err(|_| failure(MemberTrouble::Encoded))?;
    let text = text.trim_start_matches('\u{feff}');
    if is_page(text) {
        return Err(failure(MemberTrouble::Page));
    }
    let foreign = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().any(foreign) {
        return Err(failure(MemberTrouble::Unreadable));
    }
    let json = read_strictly(text, JSON_DEPTH_MAX);
    // Whoever says JSON must mean it; whoever says something else may still speak it.
    if kind == Type::Json && json.is_err() && !text.trim().is_empty() {
        return Err(failure(MemberTrouble::Unreadable));
    }
    Ok(MembershipReply {
        action,
        status: answer.status.as_u16(),
        json: json.ok(),
        text: text.to_owned(),
    })
}

/// Whether a text is a page whatever it calls itself: what stands before a login or an error of a proxy.
fn is_page(text: &str) -> bool {
    let begin: String = text.trim_start().chars().take(16).collect();
    let begin = begin.to_ascii_lowercase();
    begin.starts_with("<!doctype html") || begin.starts_with("<html")
}

/// What the rule makes of a reply. `hidden` are texts that go to nobody, whoever repeats them.
pub(crate) fn standing(rules: &dyn Rules, script: &Script, reply: &MembershipReply, hidden: &[&str]) -> MemberAnswered {
    let answer = rules.membership_answer(script, reply).map_err(|error| MemberFailure {
        error: CallError::MaybeDone(rule_text(&error)),
        ..MemberFailure::maybe_done(MemberTrouble::Answer, "")
    })?;
    let Some(status) = answer.vip_status else {
        let empty = reply.text.trim().is_empty();
        let trouble = if empty {
            MemberTrouble::Empty
        } else {
            MemberTrouble::Untold
        };
        return Err(MemberFailure::maybe_done(trouble, format!("HTTP {}", reply.status)));
    };
    let member_no = answer.member_no.filter(|no| !no.is_empty());
    let plain = |no: &String| no.chars().count() <= MEMBER_NO_MAX && !no.chars().any(char::is_control);
    if member_no.as_ref().is_some_and(|no| !plain(no)) {
        return Err(MemberFailure::maybe_done(
            MemberTrouble::Answer,
            "the member's number is too long or no text",
        ));
    }
    Ok(MemberStanding {
        status,
        member_no,
        reason: shown(&answer.reason, hidden),
    })
}

/// Words of a merchant as they may be shown: without what is hidden, one line, cut.
fn shown(reason: &str, hidden: &[&str]) -> String {
    let mut text = reason.to_owned();
    for secret in hidden.iter().filter(|secret| secret.len() >= 4) {
        text = text.replace(secret, "***");
    }
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(MEMBER_REASON_MAX).collect::<String>().trim().to_owned()
}

/// What went wrong with a rule, without its words: a script may quote a phone number.
pub(crate) fn rule_text(error: &RuleError) -> String {
    let what = match &error.wrong {
        Wrong::Unfit(_) => "is no rule of this kind",
        Wrong::Raised(_) => "stopped with an error",
        Wrong::Budget => "was over its time",
        Wrong::Memory => "was over its memory",
        Wrong::Answer { at, .. } => return format!("rule {}: a wrong answer at {}", error.version, shown(at, &[])),
    };
    format!("rule {}: {what}", error.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merchants_words_are_one_bounded_line_without_what_is_hidden() {
        let hidden = ["13800138000", "canary-secret-5f1c", ""];
        for (reason, expected) in [
            ("手机号 13800138000 已注册\r\n", "手机号 *** 已注册"),
            ("key canary-secret-5f1c is wrong", "key *** is wrong"),
            ("", ""),
            ("a\0b\u{1b}[31mc", "a b [31mc"),
        ] {
            assert_eq!(shown(reason, &hidden), expected);
        }
        assert_eq!(shown(&"会".repeat(1_000), &hidden).chars().count(), MEMBER_REASON_MAX);
    }

    #[test]
    fn a_rules_error_is_told_without_its_words() {
        let script = metropay_core::rules::Script::new(metropay_core::rules::Kind::Membership, "");
        let told = |wrong| {
            rule_text(&RuleError {
                version: script.version.clone(),
                wrong,
            })
        };
        let canary = || "13800138000".to_owned();
        for wrong in [
            Wrong::Unfit(canary()),
            Wrong::Raised(canary()),
            Wrong::Budget,
            Wrong::Memory,
            Wrong::Answer {
                at: "vip_status".to_owned(),
                reason: canary(),
            },
        ] {
            let text = told(wrong);
            assert!(text.starts_with("rule membership-") && !text.contains("138"), "{text}");
        }
    }
}
