//! Which addresses a call to a merchant may reach: those of the public Internet, as no merchant can make them mean something
//! inside our own network.
//!
//! IPv6 is read the other way round than IPv4: what is not expressly global unicast space is refused, and every form that
//! carries an IPv4 address inside (mapped, compatible, NAT64, 6to4, Teredo) is refused whatever it carries, because what stands
//! at its other end is decided by a translator that we do not know.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use metropay_core::network::Network;

/// Why an address is not connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forbidden {
    /// The unspecified address, and `0.0.0.0/8`.
    Unspecified,
    /// This machine.
    Loopback,
    /// A private network (RFC 1918), or IPv6's unique local and site-local addresses.
    Private,
    /// The link alone; among them the metadata services of most clouds.
    LinkLocal,
    /// Between a carrier and its customers (`100.64.0.0/10`); among them a cloud's metadata service.
    CarrierNat,
    /// Multicast and broadcast.
    Multicast,
    /// For documentation or measurements, set aside by IETF, or not given to anybody.
    Reserved,
    /// An IPv6 address that carries an IPv4 address: mapped, compatible, translated or tunnelled.
    Embedded,
    /// A service of a cloud's host behind an address that looks public.
    CloudHost,
    /// One of the platform's own.
    Own,
    /// Nothing is wrong with it, but the URL is one that only listed networks may be called by.
    NotListed,
}

impl Forbidden {
    /// Its stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "ADDRESS_UNSPECIFIED",
            Self::Loopback => "ADDRESS_LOOPBACK",
            Self::Private => "ADDRESS_PRIVATE",
            Self::LinkLocal => "ADDRESS_LINK_LOCAL",
            Self::CarrierNat => "ADDRESS_CARRIER_NAT",
            Self::Multicast => "ADDRESS_MULTICAST",
            Self::Reserved => "ADDRESS_RESERVED",
            Self::Embedded => "ADDRESS_EMBEDS_IPV4",
            Self::CloudHost => "ADDRESS_CLOUD_HOST",
            Self::Own => "ADDRESS_OWN",
            Self::NotListed => "ADDRESS_NOT_LISTED",
        }
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What of the public Internet's rules a URL is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Any public address, and the listed networks.
    Public,
    /// The listed networks alone: the URL is of a kind that only they may have.
    Listed,
}

/// The networks that an operator has named.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    /// Networks that may be called although they are not public; by `http` and at any port too. For embedded and LAN use.
    pub allowed: Vec<Network>,
    /// The platform's own public addresses: never called, whatever is allowed.
    pub own: Vec<Network>,
}

impl AddressPolicy {
    /// Whether this address may be connected to.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, address: IpAddr, reach: Reach) -> Result<(), Forbidden> {
        // A mapped address is connected to as the IPv4 address it carries: our own stays our own in either form.
        let within = |networks: &[Network], address: IpAddr| networks.iter().any(|network| network.contains(address));
        if within(&self.own, address) || within(&self.own, address.to_canonical()) {
            return Err(Forbidden::Own);
        }
        if within(&self.allowed, address) {
            return Ok(());
        }
        public(address)?;
        match reach {
            Reach::Public => Ok(()),
            Reach::Listed => Err(Forbidden::NotListed),
        }
    }
}

/// Whether this is an address of the public Internet.
///
/// # Errors
/// What it is instead.
pub fn public(address: IpAddr) -> Result<(), Forbidden> {
    let forbidden = match address {
        IpAddr::V4(address) => forbidden_v4(address),
        IpAddr::V6(address) => forbidden_v6(address),
    };
    forbidden.map_or(Ok(()), Err)
}

fn forbidden_v4(address: Ipv4Addr) -> Option<Forbidden> {
    let [a, b, c, d] = address.octets();
    match (a, b, c, d) {
        (0, ..) => Some(Forbidden::Unspecified),
        (127, ..) => Some(Forbidden::Loopback),
        (10, ..) | (172, 16..=31, ..) | (192, 168, ..) => Some(Forbidden::Private),
        (169, 254, ..) => Some(Forbidden::LinkLocal),
        (100, 64..=127, ..) => Some(Forbidden::CarrierNat),
        // Azure's host: DNS, health probes and the machine's secrets.
        (168, 63, 129, 16) => Some(Forbidden::CloudHost),
        // IETF's own, documentation three times, AS112 twice, AMT, the 6to4 relays, and measurements.
        (192, 0, 0 | 2, _)
        | (198, 51, 100, _)
        | (203, 0, 113, _)
        | (192, 31, 196, _)
        | (192, 175, 48, _)
        | (192, 52, 193, _)
        | (192, 88, 99, _)
        | (198, 18 | 19, ..) => Some(Forbidden::Reserved),
        (224..=239, ..) | (255, 255, 255, 255) => Some(Forbidden::Multicast),
        (240..=255, ..) => Some(Forbidden::Reserved),
        _ => None,
    }
}

fn forbidden_v6(address: Ipv6Addr) -> Option<Forbidden> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(Forbidden::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Forbidden::Loopback),
        // Compatible (`::a.b.c.d`), mapped (`::ffff:a.b.c.d`) and translated (`::ffff:0:a.b.c.d`).
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => Some(Forbidden::Embedded),
        // NAT64, with the well-known prefix and within one's own network.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => Some(Forbidden::Embedded),
        // Teredo, and 6to4.
        [0x2001, 0, ..] | [0x2002, ..] => Some(Forbidden::Embedded),
        [first, ..] if first & 0xff00 == 0xff00 => Some(Forbidden::Multicast),
        [first, ..] if first & 0xffc0 == 0xfe80 => Some(Forbidden::LinkLocal),
        // Site-local, long since abandoned and still routed here and there; unique local.
        [first, ..] if first & 0xffc0 == 0xfec0 || first & 0xfe00 == 0xfc00 => Some(Forbidden::Private),
        // IETF's own (benchmarks and ORCHID among them), AS112, and documentation twice.
        [0x2001, second, ..] if second < 0x0200 => Some(Forbidden::Reserved),
        [0x2001, 0x0db8, ..] | [0x2620, 0x004f, 0x8000, ..] => Some(Forbidden::Reserved),
        [0x3fff, second, ..] if second < 0x1000 => Some(Forbidden::Reserved),
        // Only 2000::/3 is given out.
        [first, ..] if first & 0xe000 != 0x2000 => Some(Forbidden::Reserved),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Vec<Network> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_listed_network_may_be_called_and_our_own_address_may_not_even_if_listed() {
        let policy = AddressPolicy {
            allowed: networks(&["10.0.0.0/8", "::/0"]),
            own: networks(&["203.0.114.7", "10.1.1.1"]),
        };
        let check = |text: &str, reach| policy.check(text.parse().unwrap(), reach);
        assert_eq!(check("10.9.9.9", Reach::Public), Ok(()));
        assert_eq!(check("10.9.9.9", Reach::Listed), Ok(()));
        assert_eq!(check("192.168.1.1", Reach::Public), Err(Forbidden::Private));
        assert_eq!(check("8.8.8.8", Reach::Public), Ok(()));
        assert_eq!(check("8.8.8.8", Reach::Listed), Err(Forbidden::NotListed));
        for own in ["203.0.114.7", "10.1.1.1", "::ffff:10.1.1.1"] {
            assert_eq!(check(own, Reach::Public), Err(Forbidden::Own), "{own}");
        }
    }

    #[test]
    fn metadata_services_of_clouds_are_refused() {
        for (address, why) in [
            ("169.254.169.254", Forbidden::LinkLocal),
            ("169.254.0.23", Forbidden::LinkLocal),
            ("100.100.100.200", Forbidden::CarrierNat),
            ("192.0.0.192", Forbidden::Reserved),
            ("168.63.129.16", Forbidden::CloudHost),
            ("fd00:ec2::254", Forbidden::Private),
            ("::ffff:169.254.169.254", Forbidden::Embedded),
            ("64:ff9b::a9fe:a9fe", Forbidden::Embedded),
            ("64:ff9b:1::a9fe:a9fe", Forbidden::Embedded),
            ("2002:a9fe:a9fe::1", Forbidden::Embedded),
        ] {
            assert_eq!(public(address.parse().unwrap()), Err(why), "{address}");
        }
    }

    #[test]
    fn addresses_of_the_public_internet_pass() {
        for address in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2400:3200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2003::1",
            "3fff:1000::1",
        ] {
            assert_eq!(public(address.parse().unwrap()), Ok(()), "{address}");
        }
    }
}
