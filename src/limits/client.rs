//! Clients, as limits tell them apart.

use std::net::IpAddr;

/// For whom work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// An address of IPv4, or a network of 64 bits of IPv6, as one subscriber has it.
    Address(IpAddr),
    /// This server, for all its clients.
    Server,
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Client {
        Client::Address(subscriber(address.to_canonical()))
    }
}

impl Client {
    /// Its address, if it has one.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Client::Address(address) => Some(address),
            Client::Server => None,
        }
    }
}

/// The address that one subscriber has: one of IPv4, or a network of 64 bits of IPv6
/// (RFC 6177).
pub(super) fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_v6_is_one_client() {
        let client = |text: &str| Client::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(client("2001:db8::1"), client("2001:db8::2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
    }
}
