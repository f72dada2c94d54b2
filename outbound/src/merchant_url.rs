//! Addresses that merchants give, judged when they are set: by their text alone, without asking anybody.
//!
//! The text is read twice, once by hand and once by the library that the client uses, and both must see the same host. What
//! two readers take for different hosts is refused.

use std::fmt;
use std::net::IpAddr;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use url::{Host, ParseError, Url};

use crate::address::{AddressPolicy, Reach};
use crate::url_refused::UrlRefused;

/// Bytes of an address as it is given, at most.
pub const URL_MAX: usize = 1024;
/// Bytes of an address with the path and query of a call, at most.
pub const CALL_URL_MAX: usize = 8 * 1024;
/// Ports that may be called in the public Internet.
const PORTS: [u16; 2] = [443, 8443];

/// Last labels that no public DNS answers for, or that mean something only within a network: RFC 6761, 6762, 7686, 8375, 9476,
/// ICANN's list of names that collide, and what routers and offices use.
const NOT_PUBLIC: &[&str] = &[
    "localhost",
    "local",
    "localdomain",
    "domain",
    "internal",
    "intranet",
    "intra",
    "private",
    "corp",
    "home",
    "lan",
    "mail",
    "host",
    "workgroup",
    "arpa",
    "test",
    "example",
    "invalid",
    "onion",
    "alt",
    "i2p",
    "bit",
    "svc",
    "cluster",
    "consul",
    "docker",
    "kubernetes",
    "router",
    "gateway",
    "belkin",
    "dhcp",
    "wpad",
];

/// An address of a merchant's server, fit to be called. It does not show its path when printed for debugging: a path may be
/// unguessable on purpose.
#[derive(Clone, PartialEq, Eq)]
pub struct MerchantUrl {
    url: Url,
    reach: Reach,
}

impl MerchantUrl {
    /// Reads an address. Without listed networks: `https` only, port 443 or 8443, a host of the public DNS. With them, an
    /// address of another kind passes too, and may then reach those networks alone.
    ///
    /// # Errors
    /// [`UrlRefused`]: one word for each rule, with what to do in both languages.
    pub fn parse(text: &str, policy: &AddressPolicy) -> Result<Self, UrlRefused> {
        if text.len() > URL_MAX {
            return Err(UrlRefused::TooLong);
        }
        let listed = !policy.allowed.is_empty();
        let host = raw_host(text, listed)?;
        let url = Url::parse(text).map_err(refused)?;
        let mut reach = if url.scheme() == "https" {
            Reach::Public
        } else {
            Reach::Listed
        };
        match url.host().ok_or(UrlRefused::HostMissing)? {
            Host::Domain(name) => {
                if !check_name(host, name)? {
                    reach = listed.then_some(Reach::Listed).ok_or(UrlRefused::HostNotPublic)?;
                }
            }
            Host::Ipv4(address) => reach = check_literal(host, &address.to_string(), address.into(), policy)?,
            Host::Ipv6(address) => reach = check_literal(host, &format!("[{address}]"), address.into(), policy)?,
        }
        match url.port_or_known_default() {
            None | Some(0) => return Err(UrlRefused::Port),
            Some(port) if PORTS.contains(&port) => {}
            Some(_) => reach = listed.then_some(Reach::Listed).ok_or(UrlRefused::Port)?,
        }
        Ok(Self { url, reach })
    }

    /// The address of a call beneath this one: the path, which begins with a slash, is put after this one's, and the query after
    /// this one's, in this order.
    ///
    /// # Errors
    /// [`UrlRefused::Path`] when the path is none or would leave this one's, [`UrlRefused::TooLong`].
    pub fn below(&self, path: &str, query: &[(String, String)]) -> Result<Self, UrlRefused> {
        let mut url = self.url.clone();
        if !path.is_empty() {
            check_path(path)?;
            let whole = format!("{}{path}", url.path().trim_end_matches('/'));
            url.set_path(&whole);
            // Whatever the library makes of it, it stays beneath the base.
            if !url.path().starts_with(self.url.path().trim_end_matches('/')) {
                return Err(UrlRefused::Path);
            }
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        if url.as_str().len() > CALL_URL_MAX {
            return Err(UrlRefused::TooLong);
        }
        Ok(Self { url, reach: self.reach })
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The host, in its ASCII form; what consoles should show, so that nobody takes one letter for another.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// What the `Host` header will say: the port stands there where it is not the scheme's own.
    pub fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host()),
            None => self.host().to_owned(),
        }
    }

    /// Path and raw query, as they will stand on the request's first line.
    pub fn target(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }

    /// What it may reach.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// The address itself, where the host is one.
    pub(crate) fn literal(&self) -> Option<IpAddr> {
        match self.url.host()? {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }
}

impl fmt::Debug for MerchantUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MerchantUrl({}://{}/…)", self.url.scheme(), self.authority())
    }
}

/// The host as it is written, read by hand: between `//` and the first of `/ ? # :`.
fn raw_host(text: &str, listed: bool) -> Result<&str, UrlRefused> {
    // The library drops tabs and line ends, trims blanks and takes `\` for `/`; others do not.
    let foreign = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if text.is_empty() || text.chars().any(foreign) {
        return Err(UrlRefused::Unreadable);
    }
    let (scheme, rest) = text.split_once(':').ok_or(UrlRefused::Scheme)?;
    let scheme_fits = scheme.eq_ignore_ascii_case("https") || (listed && scheme.eq_ignore_ascii_case("http"));
    if !scheme_fits {
        return Err(UrlRefused::Scheme);
    }
    let rest = rest.strip_prefix("//").ok_or(UrlRefused::Unreadable)?;
    if rest.contains('#') {
        return Err(UrlRefused::Fragment);
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(UrlRefused::UserInfo);
    }
    let host = if authority.starts_with('[') {
        let end = authority.find(']').ok_or(UrlRefused::IpLiteral)?;
        authority.get(..=end).unwrap_or_default()
    } else {
        authority.split(':').next().unwrap_or_default()
    };
    if host.is_empty() {
        return Err(UrlRefused::HostMissing);
    }
    Ok(host)
}

/// Whether a host is a name of the public DNS.
fn check_name(raw: &str, name: &str) -> Result<bool, UrlRefused> {
    if name.ends_with('.') {
        return Err(UrlRefused::TrailingDot);
    }
    // Stricter than the library: letters, digits and hyphens, labels of 63 and names of 253 letters.
    let ascii = Uts46::new()
        .to_ascii(
            raw.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Verify,
        )
        .map_err(|_| UrlRefused::HostForm)?;
    if ascii != name {
        return Err(UrlRefused::HostForm);
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    Ok(name.contains('.') && !NOT_PUBLIC.contains(&last))
}

/// An address instead of a name: only one that is listed, and only in its one plain spelling.
fn check_literal(raw: &str, plain: &str, address: IpAddr, policy: &AddressPolicy) -> Result<Reach, UrlRefused> {
    let listed = !policy.allowed.is_empty() && policy.check(address, Reach::Listed).is_ok();
    if listed && raw.eq_ignore_ascii_case(plain) {
        Ok(Reach::Listed)
    } else {
        Err(UrlRefused::IpLiteral)
    }
}

fn check_path(path: &str) -> Result<(), UrlRefused> {
    let foreign = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '\\' | '?' | '#');
    let dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    let fits =
        path.starts_with('/') && !path.starts_with("//") && !path.chars().any(foreign) && !path.split('/').any(dots);
    if fits { Ok(()) } else { Err(UrlRefused::Path) }
}

fn refused(error: ParseError) -> UrlRefused {
    match error {
        ParseError::EmptyHost => UrlRefused::HostMissing,
        ParseError::InvalidPort => UrlRefused::Port,
        ParseError::InvalidIpv4Address | ParseError::InvalidIpv6Address => UrlRefused::IpLiteral,
        ParseError::IdnaError | ParseError::InvalidDomainCharacter => UrlRefused::HostForm,
        _ => UrlRefused::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> MerchantUrl {
        MerchantUrl::parse(text, &AddressPolicy::default()).unwrap()
    }

    fn pairs(query: &[(&str, &str)]) -> Vec<(String, String)> {
        query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_call_stands_beneath_the_base_address() {
        let url = base("https://Shop.example.com/vip/?tenant=7");
        let call = url.below("/members", &pairs(&[("uid", "甲 1"), ("a", "&=")])).unwrap();
        assert_eq!(
            call.as_str(),
            "https://shop.example.com/vip/members?tenant=7&uid=%E7%94%B2+1&a=%26%3D"
        );
        assert_eq!(call.target(), "/vip/members?tenant=7&uid=%E7%94%B2+1&a=%26%3D");
        assert_eq!(call.authority(), "shop.example.com");
        assert_eq!(base("https://a.cn:8443").authority(), "a.cn:8443");
        assert_eq!(url.below("", &[]).unwrap(), url);
    }

    #[test]
    fn no_path_leaves_the_base_address() {
        let url = base("https://shop.example.com/vip");
        for path in [
            "members",
            "//evil.cn/x",
            "/../x",
            "/a/../../x",
            "/%2e%2e/x",
            "/.%2E/x",
            "/a/.",
            "/a?b=1",
            "/a#b",
            "/\\evil",
            "/a b",
            "/a\nb",
            "https://evil.cn/",
        ] {
            assert_eq!(url.below(path, &[]), Err(UrlRefused::Path), "{path}");
        }
        assert_eq!(
            url.below(&format!("/{}", "a".repeat(CALL_URL_MAX)), &[]),
            Err(UrlRefused::TooLong)
        );
    }

    #[test]
    fn its_path_is_not_shown_by_chance() {
        let shown = format!("{:?}", base("https://shop.example.com:8443/unguessable-5f1c?key=5f1c"));
        assert_eq!(shown, "MerchantUrl(https://shop.example.com:8443/…)");
    }
}
