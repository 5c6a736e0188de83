//! The host's own addresses towards the outside, as its routing table chooses them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Source addresses the host would use; `None` where a family has no route to the outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostAddresses {
    pub v4: Option<Ipv4Addr>,
    pub v6: Option<Ipv6Addr>,
}

impl HostAddresses {
    /// Asks the kernel by connecting datagram sockets, which sends nothing.
    pub fn find() -> Self {
        // Addresses for documentation (RFC 5737, RFC 3849): only the default route matches them.
        let v4 = source_towards((Ipv4Addr::new(203, 0, 113, 1), 9).into());
        let v6 = source_towards((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9).into());
        Self {
            v4: v4.and_then(|ip| match ip {
                IpAddr::V4(ip) => Some(ip),
                IpAddr::V6(_) => None,
            }),
            v6: v6.and_then(|ip| match ip {
                IpAddr::V6(ip) => Some(ip),
                IpAddr::V4(_) => None,
            }),
        }
    }

    pub fn first(self) -> Option<IpAddr> {
        self.all().first().copied()
    }

    pub fn all(self) -> Vec<IpAddr> {
        self.v4
            .map(IpAddr::V4)
            .into_iter()
            .chain(self.v6.map(IpAddr::V6))
            .collect()
    }
}

fn source_towards(target: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(target).ok()?;
    let source = socket.local_addr().ok()?.ip();
    (!source.is_unspecified() && !source.is_loopback()).then_some(source)
}
