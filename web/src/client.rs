//! Where a request comes from. `X-Forwarded-For` can be written by anybody; it counts only as far back as our own
//! proxies wrote it.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use metropay_core::network::Network;
use serde::Deserialize;

/// Hops of `X-Forwarded-For` that are followed.
const HOPS_MAX: usize = 16;

/// The proxies that are trusted to say whom they forward for: addresses or networks (`10.0.0.0/8`, `fd00::/8`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Proxies(Vec<Network>);

impl Proxies {
    /// Trusts these networks.
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// The client's address: the socket's, or, when that is a trusted proxy, the last entry of `X-Forwarded-For` that no
    /// trusted proxy stands behind. What cannot be read ends the search at the proxy that wrote it.
    pub fn client(&self, socket: IpAddr, headers: &HeaderMap) -> IpAddr {
        let written: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .flat_map(|value| value.to_str().unwrap_or("?").split(','))
            .collect();
        let mut client = socket.to_canonical();
        for entry in written.iter().rev().take(HOPS_MAX) {
            if !self.trusts(client) {
                break;
            }
            match address(entry.trim()) {
                Some(address) => client = address,
                None => break,
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// An address as proxies write it, some with a port.
fn address(entry: &str) -> Option<IpAddr> {
    let plain = entry.parse::<IpAddr>().ok();
    let found = plain.or_else(|| entry.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    found.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use metropay_core::network::NoNetwork;

    use super::*;

    #[test]
    fn a_forwarded_address_counts_only_behind_our_own_proxies() {
        let proxies: Proxies = serde_json::from_str(r#"["10.0.0.0/8", "192.0.2.7", "fd00::/8"]"#).unwrap();
        let cases: [(&str, &[&str], &str); 13] = [
            ("203.0.113.9", &[], "203.0.113.9"),
            ("203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            ("10.1.2.3", &[], "10.1.2.3"),
            ("10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
            ("10.1.2.3", &["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            ("10.1.2.3", &["1.1.1.1, 198.51.100.1, 192.0.2.7"], "198.51.100.1"),
            ("10.1.2.3", &["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
            ("10.1.2.3", &["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
            ("10.1.2.3", &["1.1.1.1, unknown"], "10.1.2.3"),
            ("10.1.2.3", &["198.51.100.1:4711"], "198.51.100.1"),
            ("fd12::1", &["2001:db8::5"], "2001:db8::5"),
            ("::ffff:10.1.2.3", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("192.0.2.8", &["198.51.100.1"], "192.0.2.8"),
        ];
        for (socket, forwarded, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            let client = proxies.client(socket.parse().unwrap(), &headers);
            assert_eq!(client, expected.parse::<IpAddr>().unwrap(), "{socket} {forwarded:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "198.51.100.1".parse().unwrap());
        let nobody = Proxies::default();
        assert_eq!(
            nobody.client("10.1.2.3".parse().unwrap(), &headers),
            "10.1.2.3".parse::<IpAddr>().unwrap()
        );
    }

    #[test]
    fn networks_are_read_strictly() {
        for bad in [
            "",
            "10.0.0.0/33",
            "fd00::/129",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "proxy.example.com",
        ] {
            assert_eq!(bad.parse::<Network>(), Err(NoNetwork), "{bad}");
        }
        let everything: Network = "0.0.0.0/0".parse().unwrap();
        assert!(everything.contains("255.1.2.3".parse().unwrap()));
        assert!(!everything.contains("::1".parse().unwrap()));
    }
}
