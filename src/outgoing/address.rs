//! Which addresses are the internet.
//!
//! IPv4 by a list of what is not. IPv6 the other way round: only 2000::/3 is given out, and of it a few
//! parts are not the internet either. Where an IPv6 address is an IPv4 one in other words, the IPv4 one
//! counts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// IANA's special-purpose registry, multicast, and the one metadata address that looks public.
const NOT_PUBLIC_V4: [Ipv4Net; 17] = [
    v4([0, 0, 0, 0], 8),          // "this network"; Linux takes 0.0.0.0 for itself
    v4([10, 0, 0, 0], 8),         // private
    v4([100, 64, 0, 0], 10),      // carriers' NAT; Alibaba's metadata at 100.100.100.200
    v4([127, 0, 0, 0], 8),        // loopback
    v4([168, 63, 129, 16], 32),   // Azure's own services, reached from inside only
    v4([169, 254, 0, 0], 16),     // link-local; metadata of AWS, GCP, Azure and others
    v4([172, 16, 0, 0], 12),      // private
    v4([192, 0, 0, 0], 24),       // protocol assignments; Oracle's metadata at 192.0.0.192
    v4([192, 0, 2, 0], 24),       // documentation
    v4([192, 88, 99, 0], 24),     // 6to4 relays
    v4([192, 168, 0, 0], 16),     // private
    v4([198, 18, 0, 0], 15),      // benchmarks
    v4([198, 51, 100, 0], 24),    // documentation
    v4([203, 0, 113, 0], 24),     // documentation
    v4([224, 0, 0, 0], 4),        // multicast
    v4([240, 0, 0, 0], 4),        // reserved
    v4([255, 255, 255, 255], 32), // broadcast
];

/// All that is given out. Outside of it: loopback, IPv4-compatible and the like (::/8), local NAT64
/// (64:ff9b:1::/48), discard (100::/64), SRv6 (5f00::/16), ULA with the metadata of AWS and GCP
/// (fc00::/7), link-local (fe80::/10), site-local (fec0::/10), multicast (ff00::/8).
const GIVEN_OUT_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

const NOT_PUBLIC_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments: Teredo, benchmarks, ORCHID
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), // 6to4: an IPv4 address inside, of anybody's choice
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation
];

/// How a network without IPv4 reaches it (RFC 6052); its resolver makes these addresses.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

const fn v4(octets: [u8; 4], bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from_octets(octets), bits)
}

const fn v6(segments: [u16; 8], bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_segments(segments), bits)
}

/// Whether anybody on the internet could be at `address`.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !NOT_PUBLIC_V4.iter().any(|net| net.contains(&v4)),
        IpAddr::V6(v6) if NAT64.contains(&v6) => {
            let [.., a, b, c, d] = v6.octets();
            is_public(IpAddr::from([a, b, c, d]))
        }
        IpAddr::V6(v6) => GIVEN_OUT_V6.contains(&v6) && !NOT_PUBLIC_V6.iter().any(|net| net.contains(&v6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(address: &str) -> bool {
        is_public(address.parse().unwrap())
    }

    #[test]
    fn a_range_ends_where_it_ends() {
        // The last before, the first and the last of, and the first after every range.
        for (before, first, last, after) in [
            ("-", "0.0.0.0", "0.255.255.255", "1.0.0.0"),
            ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
            ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"),
            ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"),
            ("168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17"),
            ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"),
            ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"),
            ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"),
            ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"),
            ("192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"),
            ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"),
            ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"),
            ("198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"),
            ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"),
            ("223.255.255.255", "224.0.0.0", "255.255.255.255", "-"),
            (
                "-",
                "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:200::",
            ),
            (
                "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:db9::",
            ),
            (
                "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2002::",
                "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2003::",
            ),
            (
                "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "3fff::",
                "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
                "3fff:1000::",
            ),
            (
                "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "4000::",
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "-",
            ),
        ] {
            for outside in [before, after] {
                assert!(outside == "-" || says(outside), "{outside} is public");
            }
            for inside in [first, last] {
                assert!(!says(inside), "{inside} is not public");
            }
        }
    }

    #[test]
    fn an_address_inside_another_counts_where_it_is_dialled() {
        for public in ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8"] {
            assert!(says(public), "{public}");
        }
        // The rest is refused whoever is inside: nobody's resolver has a reason to answer it.
        for not in [
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "::8.8.8.8",
            "::127.0.0.1",
            "::ffff:0:8.8.8.8",
            "2002:808:808::1",
            "2002:7f00:1::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        ] {
            assert!(!says(not), "{not}");
        }
    }
}
