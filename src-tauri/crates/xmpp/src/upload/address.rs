//! Which addresses a link may lead to. A computer that was let in names links, and must not make this one knock at what
//! only this machine or its own network reaches.
//!
//! Source: the registries of special-purpose addresses, RFC 6890 and its successors.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether something may be fetched from an address: it is public, or that of the account's own server, which the person
/// chose wherever it stands.
pub(super) fn is_allowed(address: IpAddr, own_server: Option<IpAddr>) -> bool {
    let address = address.to_canonical();
    let is_own = own_server.is_some_and(|server| server.to_canonical() == address);
    is_own
        || match address {
            IpAddr::V4(address) => is_public_v4(address),
            IpAddr::V6(address) => is_public_v6(address),
        }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // This network; shared by a provider's customers; protocols' own; measuring; all that never was given out.
        (0 | 240..=255, ..) | (100, 64..=127, _) | (192, 0, 0) | (198, 18..=19, _) => true,
        // The way from one kind of address to the other.
        (192, 88, 99) => true,
        _ => false,
    };
    !(special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, ..] = address.segments();
    match (first, second) {
        // An address of the other kind behind a translator is judged as what it is.
        (0x64, 0xff9b) if third == 0 => {
            let [.., a, b, c, d] = address.octets();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocols' own with tunnels, documentation, and tunnels whose ends stand in the address.
        (0x2001, 0..=0x01ff | 0x0db8) | (0x2002 | 0x3fff, _) => false,
        // All that was given out.
        (0x2000..=0x3fff, _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_allowed_and_others_are_not() {
        for (address, allowed) in [
            ("93.184.215.14", true),
            ("9.9.9.9", true),
            ("100.63.255.255", true),
            ("2606:2800:21f:cb07::1", true),
            ("2a01:4f8::1", true),
            ("64:ff9b::5db8:d70e", true),
            ("127.0.0.1", false),
            ("127.255.0.3", false),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("10.0.0.1", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("100.127.255.255", false),
            ("192.0.0.8", false),
            ("192.0.2.1", false),
            ("198.18.0.1", false),
            ("198.51.100.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:192.168.1.1", false),
            ("::7f00:1", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("fd12:3456::1", false),
            ("ff02::1", false),
            ("2001:db8::1", false),
            ("2001::1", false),
            ("2002:7f00:1::", false),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b:1::7f00:1", false),
        ] {
            assert_eq!(is_allowed(address.parse().unwrap(), None), allowed, "{address}");
        }
    }

    #[test]
    fn the_own_server_may_stand_anywhere_and_nothing_beside_it() {
        let at = |address: &str| Some(address.parse().unwrap());
        assert!(is_allowed("192.168.1.5".parse().unwrap(), at("192.168.1.5")));
        assert!(is_allowed("127.0.0.1".parse().unwrap(), at("::ffff:127.0.0.1")));
        assert!(!is_allowed("192.168.1.6".parse().unwrap(), at("192.168.1.5")));
        assert!(is_allowed("9.9.9.9".parse().unwrap(), at("192.168.1.5")));
    }
}
