//! Why an address that a merchant gave is not taken: a stable word each, and what to do about it in Chinese and English.

use std::fmt;

/// Why an address is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UrlRefused {
    /// Too long.
    TooLong,
    /// Not one whole address: blanks, control characters, backslashes, or parts missing.
    Unreadable,
    /// Not `https`.
    Scheme,
    /// Carries a name or password before the host.
    UserInfo,
    /// Has no host.
    HostMissing,
    /// The host is an address, in whatever spelling.
    IpLiteral,
    /// The host is no valid name.
    HostForm,
    /// The host ends in a dot.
    TrailingDot,
    /// The host is a name that the public DNS does not have.
    HostNotPublic,
    /// Another port than 443 and 8443.
    Port,
    /// Carries a fragment.
    Fragment,
    /// A path that does not begin with a slash or would leave its base address.
    Path,
}

impl UrlRefused {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::TooLong,
        Self::Unreadable,
        Self::Scheme,
        Self::UserInfo,
        Self::HostMissing,
        Self::IpLiteral,
        Self::HostForm,
        Self::TrailingDot,
        Self::HostNotPublic,
        Self::Port,
        Self::Fragment,
        Self::Path,
    ];

    /// Its stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::TooLong => "URL_TOO_LONG",
            Self::Unreadable => "URL_UNREADABLE",
            Self::Scheme => "URL_SCHEME",
            Self::UserInfo => "URL_USERINFO",
            Self::HostMissing => "URL_HOST_MISSING",
            Self::IpLiteral => "URL_IP_LITERAL",
            Self::HostForm => "URL_HOST_FORM",
            Self::TrailingDot => "URL_TRAILING_DOT",
            Self::HostNotPublic => "URL_HOST_NOT_PUBLIC",
            Self::Port => "URL_PORT",
            Self::Fragment => "URL_FRAGMENT",
            Self::Path => "URL_PATH",
        }
    }

    /// What to do, in Chinese.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::TooLong => "地址过长，请控制在 1024 字节以内",
            Self::Unreadable => "地址格式有误，请填写形如 https://api.example.com/path 的完整地址，不含空格与反斜杠",
            Self::Scheme => "仅支持 https 地址",
            Self::UserInfo => "地址中不能包含用户名、密码或 @",
            Self::HostMissing => "地址中缺少主机名",
            Self::IpLiteral => "不能使用 IP 地址，请填写域名",
            Self::HostForm => "主机名不是合法的域名，请检查",
            Self::TrailingDot => "主机名末尾不能有点号",
            Self::HostNotPublic => "主机名不是公网域名，请填写公网可解析的域名",
            Self::Port => "仅支持 443 与 8443 端口",
            Self::Fragment => "地址中不能包含 # 及其后的内容",
            Self::Path => "路径必须以 / 开头，且不能跳出所设的地址",
        }
    }

    /// What to do, in English.
    pub const fn en(self) -> &'static str {
        match self {
            Self::TooLong => "the address is too long: 1024 bytes at most",
            Self::Unreadable => {
                "give one whole address like https://api.example.com/path, without blanks and backslashes"
            }
            Self::Scheme => "only https addresses are taken",
            Self::UserInfo => "the address must not contain a user name, a password or an @",
            Self::HostMissing => "the address has no host",
            Self::IpLiteral => "give a host name instead of an IP address",
            Self::HostForm => "the host is no valid domain name",
            Self::TrailingDot => "the host must not end in a dot",
            Self::HostNotPublic => "the host is not a name of the public DNS",
            Self::Port => "only the ports 443 and 8443 are taken",
            Self::Fragment => "the address must not contain a # and what follows it",
            Self::Path => "the path begins with a / and stays beneath the address that was set",
        }
    }
}

impl fmt::Display for UrlRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.word(), self.en())
    }
}

impl std::error::Error for UrlRefused {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own_and_both_languages() {
        let words: BTreeSet<&str> = UrlRefused::ALL.iter().map(|it| it.word()).collect();
        assert_eq!(words.len(), UrlRefused::ALL.len());
        for reason in UrlRefused::ALL {
            assert!(reason.zh().chars().any(|c| c > '\u{2fff}'), "{reason:?}");
            assert!(reason.en().is_ascii(), "{reason:?}");
        }
    }
}
