//! Which addresses are open to the world. All others lead into somebody's own network, or
//! wrap an address that may, and are reached only when they are granted by themselves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use wasmhost_proto::reach::Target;

/// Networks of IPv4 that are not open: the first address and how many bits count.
const CLOSED_4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),       // this network, and unspecified
    ([10, 0, 0, 0], 8),      // private
    ([100, 64, 0, 0], 10),   // shared by a provider's customers
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local, and what clouds tell their machines
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocols
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 88, 99, 0], 24),  // relays of 6to4
    ([192, 168, 0, 0], 16),  // private
    ([198, 18, 0, 0], 15),   // measurements
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),     // multicast
    ([240, 0, 0, 0], 4),     // reserved, and broadcast
];

/// Networks of IPv6 that are not open, within 2000::/3, outside which none is: loopback,
/// link-local, unique local, multicast, mapped IPv4 and NAT64 are all outside.
const CLOSED_6: [([u16; 2], u32); 4] = [
    ([0x2001, 0x0000], 23), // protocols: Teredo wraps IPv4
    ([0x2001, 0x0db8], 32), // documentation
    ([0x2002, 0x0000], 16), // 6to4 wraps IPv4
    ([0x3fff, 0x0000], 20), // documentation
];

/// An address as a request's target. Mapped IPv4 is what it wraps.
pub(super) fn target(address: IpAddr) -> Target<'static> {
    let address = address.to_canonical();
    let open = match address {
        IpAddr::V4(address) => is_open_4(address),
        IpAddr::V6(address) => is_open_6(address),
    };
    match open {
        true => Target::Open(address),
        false => Target::Closed(address),
    }
}

fn is_open_4(address: Ipv4Addr) -> bool {
    let within = |(first, bits): &([u8; 4], u32)| {
        let first = u32::from(Ipv4Addr::from(*first));
        (u32::from(address) ^ first) >> (32 - bits) == 0
    };
    !CLOSED_4.iter().any(within)
}

fn is_open_6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let start = (u32::from(a) << 16) | u32::from(b);
    let within = |(first, bits): &([u16; 2], u32)| {
        let first = (u32::from(first[0]) << 16) | u32::from(first[1]);
        (start ^ first) >> (32 - bits) == 0
    };
    a & 0xe000 == 0x2000 && !CLOSED_6.iter().any(within)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(text: &str, open: bool) {
        let target = target(text.parse().unwrap());
        assert_eq!(matches!(target, Target::Open(_)), open, "{text}");
    }

    #[test]
    fn open_addresses() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::200e",
            "::ffff:1.1.1.1",
        ] {
            check(text, true);
        }
    }

    #[test]
    fn closed_addresses() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::7f00:1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "4000::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            check(text, false);
        }
    }
}
