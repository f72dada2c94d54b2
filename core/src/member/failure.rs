//! A question about a membership that got no understood answer: what went wrong, in a word that stays, and what may be done.

use std::fmt;
use std::time::Duration;

use super::CallError;

/// What went wrong with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberTrouble {
    /// The `membership` rule failed before the call.
    Rule,
    /// The rule shaped a call that is not sent: a method, path, header, body or signature that may not be.
    Call,
    /// The address leads where no merchant may send us.
    Address,
    /// The address's host cannot be resolved.
    Unresolved,
    /// No connection stood.
    Connect,
    /// The time was over.
    Timeout,
    /// The connection broke, or what came was no HTTP.
    Broken,
    /// The answer was too long.
    TooLong,
    /// The answer sends us elsewhere.
    Redirect,
    /// The answer is compressed or otherwise encoded, or no text.
    Encoded,
    /// The answer is a page for people.
    Page,
    /// The answer is empty where it must say something.
    Empty,
    /// The answer calls itself JSON and is none, or is of a kind that no rule reads.
    Unreadable,
    /// The `membership` rule failed on the answer, or made of it what is no status.
    Answer,
    /// The rule read the answer, and it does not tell how the membership stands.
    Untold,
    /// The other side is busy, or has a fault of its own (429, 5xx).
    Busy,
}

impl MemberTrouble {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Rule,
        Self::Call,
        Self::Address,
        Self::Unresolved,
        Self::Connect,
        Self::Timeout,
        Self::Broken,
        Self::TooLong,
        Self::Redirect,
        Self::Encoded,
        Self::Page,
        Self::Empty,
        Self::Unreadable,
        Self::Answer,
        Self::Untold,
        Self::Busy,
    ];

    /// Its stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rule => "MEMBER_RULE_FAILED",
            Self::Call => "MEMBER_CALL_UNFIT",
            Self::Address => "MEMBER_ADDRESS_REFUSED",
            Self::Unresolved => "MEMBER_HOST_UNRESOLVED",
            Self::Connect => "MEMBER_CONNECT_FAILED",
            Self::Timeout => "MEMBER_TIMEOUT",
            Self::Broken => "MEMBER_ANSWER_BROKEN",
            Self::TooLong => "MEMBER_ANSWER_TOO_LONG",
            Self::Redirect => "MEMBER_ANSWER_REDIRECT",
            Self::Encoded => "MEMBER_ANSWER_ENCODED",
            Self::Page => "MEMBER_ANSWER_PAGE",
            Self::Empty => "MEMBER_ANSWER_EMPTY",
            Self::Unreadable => "MEMBER_ANSWER_UNREADABLE",
            Self::Answer => "MEMBER_ANSWER_UNFIT",
            Self::Untold => "MEMBER_ANSWER_UNTOLD",
            Self::Busy => "MEMBER_BUSY",
        }
    }

    /// What it means and what to do, in Chinese.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Rule => "会员规则执行失败，请检查规则",
            Self::Call => "会员规则给出的请求不符合要求，请检查方法、路径、请求头与签名",
            Self::Address => "会员接口地址指向不允许访问的网络，请更换地址",
            Self::Unresolved => "会员接口的域名无法解析，请检查域名",
            Self::Connect => "无法连接会员接口，请检查服务与证书",
            Self::Timeout => "会员接口未在时限内应答，稍后自动重试",
            Self::Broken => "会员接口的应答中断或不是 HTTP，稍后自动重试",
            Self::TooLong => "会员接口的应答过长，请控制在 64 KiB 以内",
            Self::Redirect => "会员接口返回了跳转，请填写最终地址",
            Self::Encoded => "会员接口的应答经过压缩或不是 UTF-8 文本，请返回未压缩的文本",
            Self::Page => "会员接口返回了网页，请检查地址",
            Self::Empty => "会员接口的应答为空，无法得知会员状态",
            Self::Unreadable => "会员接口的应答无法读取，请返回合法的 JSON、XML 或文本",
            Self::Answer => "会员规则无法从应答得出会员状态，请检查规则与接口",
            Self::Untold => "会员接口的应答没有说明会员状态，稍后自动重试",
            Self::Busy => "会员接口繁忙或故障，稍后自动重试",
        }
    }

    /// What it means and what to do, in English.
    pub const fn en(self) -> &'static str {
        match self {
            Self::Rule => "the membership rule failed; look at the rule",
            Self::Call => {
                "the membership rule shaped a call that is not sent; look at method, path, headers and signature"
            }
            Self::Address => "the address leads into a network that may not be called; give another one",
            Self::Unresolved => "the host of the address cannot be resolved; look at its name",
            Self::Connect => "no connection to the membership system; look at the server and its certificate",
            Self::Timeout => "the membership system did not answer in time; it is asked again",
            Self::Broken => "the answer broke off or is no HTTP; it is asked again",
            Self::TooLong => "the answer is longer than 64 KiB",
            Self::Redirect => "the membership system answers with a redirect; give the final address",
            Self::Encoded => "the answer is compressed or no UTF-8 text; answer with plain text",
            Self::Page => "the membership system answers with a web page; look at the address",
            Self::Empty => "the answer is empty and does not tell how the membership stands",
            Self::Unreadable => "the answer cannot be read; answer with JSON, XML or text",
            Self::Answer => "the membership rule made no status of the answer; look at the rule and the system",
            Self::Untold => "the answer does not tell how the membership stands; it is asked again",
            Self::Busy => "the membership system is busy or has a fault; it is asked again",
        }
    }
}

impl fmt::Display for MemberTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A question that got no understood answer.
#[must_use = "the question is to be asked again, and its trouble shown"]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{trouble}: {error}")]
pub struct MemberFailure {
    /// What went wrong.
    pub trouble: MemberTrouble,
    /// Whether the other side may have acted. Its text carries nothing secret.
    pub error: CallError,
    /// How long the other side wants to be left alone, where it said so.
    pub retry_after: Option<Duration>,
}

impl MemberFailure {
    /// Nothing left the platform.
    pub fn not_sent(trouble: MemberTrouble, text: impl Into<String>) -> Self {
        Self {
            trouble,
            error: CallError::NotSent(text.into()),
            retry_after: None,
        }
    }

    /// The other side may have acted.
    pub fn maybe_done(trouble: MemberTrouble, text: impl Into<String>) -> Self {
        Self {
            trouble,
            error: CallError::MaybeDone(text.into()),
            retry_after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_trouble_has_a_word_of_its_own_and_both_languages() {
        let words: BTreeSet<&str> = MemberTrouble::ALL.iter().map(|it| it.word()).collect();
        assert_eq!(words.len(), MemberTrouble::ALL.len());
        for trouble in MemberTrouble::ALL {
            assert!(trouble.word().starts_with("MEMBER_"), "{trouble}");
            assert!(trouble.zh().chars().any(|c| c > '\u{2fff}'), "{trouble}");
            assert!(trouble.en().is_ascii(), "{trouble}");
        }
    }
}
