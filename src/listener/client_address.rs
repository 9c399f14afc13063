//! Whose request it is, where proxies stand between.
//!
//! Each proxy adds to the end of `X-Forwarded-For` the address from which the
//! request came to it. So the list is read from its end, for as long as whoever
//! wrote an entry is trusted: what is further left may be a client's invention.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use axum::http::HeaderMap;
use ipnet::IpNet;
use parking_lot::Mutex;

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// As many addresses are warned of: any client may send these headers.
const WARNED_OF: usize = 16;

/// The address of the client that sent a request. The listener puts it on each request.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// The trusted proxies, and the other senders that were warned of.
#[derive(Debug)]
pub struct Proxies {
    trusted: Box<[IpNet]>,
    warned_of: Mutex<HashSet<IpAddr>>,
}

impl Proxies {
    /// Those of `limits.trusted_proxies`.
    pub fn new(trusted: &[IpNet]) -> Proxies {
        Proxies {
            trusted: trusted.into(),
            warned_of: Mutex::default(),
        }
    }

    /// Whose request it is that came from `peer`. Of anybody who is no trusted proxy, what
    /// is said of the scheme is dropped.
    pub(super) fn client(&self, peer: IpAddr, headers: &mut HeaderMap) -> IpAddr {
        let is_trusted = self.trust(peer.to_canonical());
        if !is_trusted {
            let said_scheme = headers.remove(FORWARDED_PROTO).is_some();
            if said_scheme || headers.contains_key(FORWARDED_FOR) {
                self.warn_of(peer.to_canonical());
            }
        }
        client_address(peer, headers, &self.trusted)
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|net| net.contains(&address))
    }

    /// Says once of an address that it is not believed.
    fn warn_of(&self, address: IpAddr) {
        if self.is_new(address) {
            tracing::warn!(
                %address,
                "{address} sends X-Forwarded-For or X-Forwarded-Proto, and is not believed: if \
                 it is your proxy, all its clients count as one, and links and cookies are made \
                 for http, until limits.trusted_proxies has its address \
                 (PODIUM_LIMITS__TRUSTED_PROXIES={address})"
            );
        }
    }

    fn is_new(&self, address: IpAddr) -> bool {
        let mut warned_of = self.warned_of.lock();
        warned_of.len() < WARNED_OF && warned_of.insert(address)
    }
}

/// The nearest address that is no trusted proxy. If there is none, because all
/// entries are proxies or because one cannot be read, the furthest proxy.
fn client_address(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let is_proxy = |address: &IpAddr| proxies.iter().any(|net| net.contains(address));
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let entries = lines.flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b','));
    let mut hops = entries.map_while(address);
    let mut client = peer.to_canonical();
    while is_proxy(&client)
        && let Some(hop) = hops.next()
    {
        client = hop;
    }
    client
}

/// An entry, which some proxies write with a port.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    let alone = || text.parse::<IpAddr>().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    let in_brackets = || {
        let inside = text.strip_prefix('[')?.strip_suffix(']')?;
        Some(inside.parse::<Ipv6Addr>().ok()?.into())
    };
    let address = alone().or_else(with_port).or_else(in_brackets)?;
    // A v4 client of a v6 proxy is the same client.
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const PROXY: &str = "10.0.0.1";

    /// Whose request it is that comes from `peer` with these header lines, where
    /// 10.0.0.0/8 and one address of v6 are trusted.
    fn client(peer: &str, lines: &[&[u8]]) -> String {
        let proxies = ["10.0.0.0/8".parse(), "2001:db8:f::1/128".parse()].map(Result::unwrap);
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line).unwrap());
        }
        client_address(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn only_a_proxy_says_with_which_scheme() {
        let scheme = |peer: &str, trusted: &[IpNet]| {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https, http"));
            Proxies::new(trusted).client(peer.parse().unwrap(), &mut headers);
            headers.contains_key(FORWARDED_PROTO)
        };
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        assert!(scheme(PROXY, &trusted));
        assert!(scheme("::ffff:10.0.0.1", &trusted));
        assert!(!scheme("192.0.2.7", &trusted));
        assert!(!scheme("192.0.2.7", &[]));
    }

    #[test]
    fn an_address_is_warned_of_once_and_not_all_are() {
        let proxies = Proxies::new(&[]);
        let is_new = |n: u8| proxies.is_new([192, 0, 2, n].into());
        assert!(is_new(1) && !is_new(1));
        let warned_of = (2..=255).filter(|n| is_new(*n)).count();
        assert_eq!(warned_of, WARNED_OF - 1);
        assert!(!is_new(1));
    }

    #[test]
    fn a_proxy_says_for_whom_it_speaks() {
        for (line, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:5678", "192.0.2.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]:5678", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("[::ffff:192.0.2.7]:5678", "192.0.2.7"),
            (" \t192.0.2.7 ", "192.0.2.7"),
            // Through several proxies of ours.
            ("192.0.2.7, 10.0.0.3,10.0.0.2", "192.0.2.7"),
            ("192.0.2.7, 2001:db8:f::1", "192.0.2.7"),
            // From one of ours itself.
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ] {
            assert_eq!(client(PROXY, &[line.as_bytes()]), expected, "{line}");
        }
        assert_eq!(client("::ffff:10.0.0.1", &[b"192.0.2.7"]), "192.0.2.7");
        assert_eq!(client("2001:db8:f::1", &[b"192.0.2.7"]), "192.0.2.7");
    }

    #[test]
    fn nobody_else_is_believed() {
        for peer in ["192.0.2.66", "2001:db8:f::2", "11.0.0.1"] {
            for line in ["192.0.2.7", "10.0.0.1", "192.0.2.7, 10.0.0.1"] {
                assert_eq!(client(peer, &[line.as_bytes()]), peer, "{line}");
            }
        }
    }

    #[test]
    fn what_a_client_wrote_itself_is_not_believed() {
        for line in [
            "192.0.2.7, 192.0.2.66",
            "10.0.0.9, 192.0.2.66",
            "192.0.2.7, 10.0.0.9, 192.0.2.66, 10.0.0.2",
            "unknown, 192.0.2.66",
            "\"192.0.2.7\",, 192.0.2.66:80",
        ] {
            assert_eq!(client(PROXY, &[line.as_bytes()]), "192.0.2.66", "{line}");
        }
    }

    #[test]
    fn lines_are_one_list_in_their_order() {
        assert_eq!(client(PROXY, &[b"192.0.2.7", b"192.0.2.66"]), "192.0.2.66");
        let lines: [&[u8]; 3] = [b"192.0.2.7", b"192.0.2.66, 10.0.0.3", b"10.0.0.2"];
        assert_eq!(client(PROXY, &lines), "192.0.2.66");
    }

    #[test]
    fn nothing_left_of_what_cannot_be_read_is_believed() {
        for garbage in [
            "",
            "unknown",
            "_hidden",
            "192.0.2",
            "192.0.2.7:",
            "192.0.2.7:99999",
            "[192.0.2.7]",
            "2001:db8::7:x",
            "[2001:db8::7",
            "192.0.2.7;",
            "192.0.2.7 10.0.0.2",
            "10.0.0.0/8",
            "for=192.0.2.7",
            "\"192.0.2.7\"",
        ] {
            let line = format!("192.0.2.7, {garbage}, 10.0.0.2");
            assert_eq!(client(PROXY, &[line.as_bytes()]), "10.0.0.2", "{line}");
            assert_eq!(client(PROXY, &[garbage.as_bytes()]), PROXY, "{garbage}");
        }
        assert_eq!(client(PROXY, &[b"192.0.2.7, \xff\xfe"]), PROXY);
        assert_eq!(client(PROXY, &[b"\xff\xfe, 192.0.2.7"]), "192.0.2.7");
    }

    #[test]
    fn without_the_header_it_is_whoever_connected() {
        assert_eq!(client(PROXY, &[]), PROXY);
        assert_eq!(client("::ffff:192.0.2.7", &[]), "192.0.2.7");
    }
}
