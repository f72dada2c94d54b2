//! The addresses that are refused, against a second model: the registries' tables, as networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use metropay_core::network::Network;
use metropay_outbound::guard::{AddressPolicy, Reach, public};
use proptest::prelude::*;

/// IANA's IPv4 special-purpose registry, multicast, and one cloud's host.
const REFUSED_V4: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// Within `2000::/3`, from IANA's IPv6 special-purpose registry.
const REFUSED_V6: &[&str] = &[
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
];

fn within(networks: &[&str], address: IpAddr) -> bool {
    networks
        .iter()
        .any(|text| text.parse::<Network>().expect("a network").contains(address))
}

/// The second model.
fn refused(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => within(REFUSED_V4, address),
        IpAddr::V6(_) => !within(&["2000::/3"], address) || within(REFUSED_V6, address),
    }
}

fn agree(address: IpAddr) {
    assert_eq!(
        public(address).is_err(),
        refused(address),
        "{address}: {:?}",
        public(address)
    );
}

/// First and last address of each network, and their neighbours outside.
#[test]
fn at_the_edges_of_every_network_both_models_say_the_same() {
    let edges = |text: &str| -> (u128, u128, u32) {
        let (address, bits) = text.split_once('/').expect("bits");
        let bits: u32 = bits.parse().expect("a number");
        let (first, all) = match address.parse::<IpAddr>().expect("an address") {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let size = if bits == 0 {
            u128::MAX
        } else {
            (1u128 << (all - bits)) - 1
        };
        (first, first + size, all)
    };
    let more = [
        "2000::/3",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        "::/96",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "5f00::/16",
        "100::/64",
    ];
    for text in REFUSED_V4.iter().chain(REFUSED_V6).chain(&more) {
        let (first, last, all) = edges(text);
        for bits in [
            first.wrapping_sub(1),
            first,
            first + 1,
            last - u128::from(last > first),
            last,
            last.wrapping_add(1),
        ] {
            if all == 32 {
                if let Ok(bits) = u32::try_from(bits) {
                    agree(Ipv4Addr::from_bits(bits).into());
                }
            } else {
                agree(Ipv6Addr::from_bits(bits).into());
            }
        }
    }
}

/// Every /24 of the eighths that the registry divides, every /16 of the others.
#[test]
fn all_of_ipv4_is_judged_as_the_registry_says() {
    let networks: Vec<Network> = REFUSED_V4.iter().map(|text| text.parse().expect("a network")).collect();
    let divided = [100u32, 168, 169, 172, 192, 198, 203];
    let finely = divided.iter().flat_map(|first| (first << 16)..((first + 1) << 16));
    let coarsely = (0..1u32 << 16).map(|block| block << 8);
    for block in finely.chain(coarsely) {
        for host in [0, 16, 255] {
            let address = IpAddr::V4(Ipv4Addr::from_bits((block << 8) | host));
            let refused = networks.iter().any(|network| network.contains(address));
            assert_eq!(public(address).is_err(), refused, "{address}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_ipv4_address_is_judged_as_the_registry_says(bits: u32) {
        agree(Ipv4Addr::from_bits(bits).into());
    }

    #[test]
    fn any_ipv6_address_is_judged_as_the_registry_says(bits: u128, first in prop::sample::select(vec![
        0u16, 0x64, 0x100, 0x2001, 0x2002, 0x2620, 0x3fff, 0x3ffe, 0x5f00, 0xfc00, 0xfd00, 0xfe80, 0xfec0, 0xff02,
    ]), second in prop::sample::select(vec![0u16, 1, 2, 0x1ff, 0x200, 0xdb8, 0x4f, 0xfff, 0x1000, 0xff9b])) {
        agree(Ipv6Addr::from_bits(bits).into());
        let tail = bits & (u128::MAX >> 16);
        agree(Ipv6Addr::from_bits((u128::from(first) << 112) | tail).into());
        let tail = bits & (u128::MAX >> 32);
        agree(Ipv6Addr::from_bits((u128::from(first) << 112) | (u128::from(second) << 96) | tail).into());
    }

    #[test]
    fn no_form_of_ipv6_smuggles_an_ipv4_address(bits: u32, low: u16) {
        let v4 = u128::from(bits);
        for address in [
            v4,
            (0xffff << 32) | v4,
            (0xffff << 48) | v4,
            (0x0064_ff9b << 96) | v4,
            (0x0064_ff9b_0001 << 80) | (u128::from(low) << 32) | v4,
            (0x2002 << 112) | (v4 << 80) | u128::from(low),
            (0x2001_0000 << 96) | (u128::from(!low) << 48) | (v4 ^ 0xffff_ffff),
        ] {
            let address = IpAddr::V6(Ipv6Addr::from_bits(address));
            prop_assert!(public(address).is_err(), "{address}");
            let policy = AddressPolicy::default();
            prop_assert!(policy.check(address, Reach::Public).is_err() && policy.check(address, Reach::Listed).is_err());
        }
    }
}
