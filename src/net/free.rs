//! Ports of the host: is one free, may we have it, who has it, which one could be had instead.
//!
//! Asked of the kernel by binding a socket and closing it again, before anything is made.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr, socket_type};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with};

use crate::error::{Error, Kind, Result};

use super::{PortMapping, Protocol};

/// Tells who of ours holds a port of the host, in words (`container "web"`).
pub type Holder<'a> = &'a dyn Fn(u16, Protocol) -> Option<String>;

/// Fills in a free port, or range of them, wherever `host_port` is 0.
///
/// Ports already in `ports` are not chosen again. The sockets stay bound until all are found, so that no two
/// mappings get the same port. Those of TCP are given back: while they are open nobody else is given the ports, and
/// a listener with `SO_REUSEADDR`, as the helpers', can still have them.
pub fn choose(ports: &mut [PortMapping]) -> Result<Vec<OwnedFd>> {
    let taken: Vec<(Protocol, std::ops::RangeInclusive<u16>)> = ports
        .iter()
        .filter(|p| p.host_port != 0)
        .map(|p| (p.protocol, p.host_ports()))
        .collect();
    let mut held = Vec::new();
    for port in ports.iter_mut().filter(|p| p.host_port == 0) {
        port.host_port = free_range(port, &taken, &mut held)?;
    }
    held.retain(|fd| {
        socket_type(fd) == Ok(SocketType::STREAM) && set_socket_reuseaddr(fd, true).is_ok()
    });
    Ok(held)
}

/// First of `want.count` consecutive free ports; their sockets go to `held`.
fn free_range(
    want: &PortMapping,
    taken: &[(Protocol, std::ops::RangeInclusive<u16>)],
    held: &mut Vec<OwnedFd>,
) -> Result<u16> {
    const TRIES: usize = 64;
    let address = want.host_ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let mut last = Errno::ADDRINUSE;
    'tries: for _ in 0..TRIES {
        let (first_fd, first) = match bound(want.protocol, SocketAddr::new(address, 0), false) {
            Ok(found) => found,
            Err(errno) => {
                last = errno;
                break;
            }
        };
        let Some(end) = first.checked_add(want.count - 1) else {
            continue;
        };
        let clash = |(protocol, range): &(Protocol, std::ops::RangeInclusive<u16>)| {
            *protocol == want.protocol && *range.start() <= end && first <= *range.end()
        };
        if taken.iter().any(clash) {
            continue;
        }
        let mut fds = vec![first_fd];
        for port in first..=end {
            for ip in addresses(want.host_ip) {
                if port == first && ip == address {
                    continue;
                }
                match bound(want.protocol, SocketAddr::new(ip, port), false) {
                    Ok((fd, _)) => fds.push(fd),
                    Err(errno) if absent_family(want.host_ip, errno) => {}
                    Err(errno) => {
                        last = errno;
                        continue 'tries;
                    }
                }
            }
        }
        held.append(&mut fds);
        return Ok(first);
    }
    Err(refusal(want, 0, last, None))
}

/// Checks that every chosen port can be bound; the first that cannot is an error that names holder or remedy.
pub fn check(ports: &[PortMapping], holder: Option<Holder<'_>>) -> Result<()> {
    for want in ports {
        if want.protocol == Protocol::Sctp {
            return Err(Error::new(
                Kind::Unsupported,
                format!("publish {want}: neither pasta nor slirp4netns carries sctp"),
            )
            .hint("use --network host"));
        }
        for port in want.host_ports() {
            for ip in addresses(want.host_ip) {
                // TCP: a listener is found by listen(2); connections that linger must not count, hence reuse.
                // UDP: with reuse two sockets could share the port and steal each other's datagrams.
                let tcp = want.protocol == Protocol::Tcp;
                let tried = bound(want.protocol, SocketAddr::new(ip, port), tcp)
                    .and_then(|(fd, _)| if tcp { listen(&fd, 1) } else { Ok(()) });
                match tried {
                    Ok(()) => {}
                    Err(errno) if absent_family(want.host_ip, errno) => {}
                    Err(errno) => return Err(refusal(want, port, errno, holder)),
                }
            }
        }
    }
    Ok(())
}

/// No address given means both families, as the helpers listen.
fn addresses(host_ip: Option<IpAddr>) -> Vec<IpAddr> {
    match host_ip {
        Some(ip) => vec![ip],
        None => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
    }
}

/// A host without one of the families is no reason to refuse a port on every address.
fn absent_family(host_ip: Option<IpAddr>, errno: Errno) -> bool {
    host_ip.is_none() && matches!(errno, Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)
}

/// A socket bound to `address`, and the port it got.
fn bound(protocol: Protocol, address: SocketAddr, reuse: bool) -> Result<(OwnedFd, u16), Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let kind = match protocol {
        Protocol::Udp => SocketType::DGRAM,
        Protocol::Tcp | Protocol::Sctp => SocketType::STREAM,
    };
    let fd = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    if family == AddressFamily::INET6 {
        set_ipv6_v6only(&fd, true)?;
    }
    set_socket_reuseaddr(&fd, reuse)?;
    bind(&fd, &address)?;
    let port = SocketAddr::try_from(getsockname(&fd)?).map_or(0, |address| address.port());
    Ok((fd, port))
}

/// Says why a port cannot be had and what could be done.
fn refusal(want: &PortMapping, port: u16, errno: Errno, holder: Option<Holder<'_>>) -> Error {
    let protocol = want.protocol;
    let object = format!("publish port {}:{port}/{protocol}", want.host_text());
    match errno {
        Errno::ACCESS => {
            let start = unprivileged_start();
            let err = Error::new(
                Kind::Unsupported,
                format!(
                    "{object}: ports below {start} are for root only (net.ipv4.ip_unprivileged_port_start)"
                ),
            );
            let other = alternative(want, port);
            err.hint(format!(
                "use port {other}, or let root run: sysctl net.ipv4.ip_unprivileged_port_start={port}"
            ))
        }
        Errno::ADDRINUSE => {
            let by = holder
                .and_then(|find| find(port, protocol))
                .or_else(|| process_on(port, protocol))
                .map(|who| format!(" by {who}"))
                .unwrap_or_default();
            Error::new(Kind::InUse, format!("{object}: address already in use{by}")).hint(format!(
                "stop that, or use another port, such as {}",
                alternative(want, port)
            ))
        }
        Errno::ADDRNOTAVAIL => Error::new(
            Kind::Usage,
            format!(
                "{object}: no interface of this host has the address {}",
                want.host_text()
            ),
        )
        .hint("leave the address out to listen on all of them"),
        _ => Error::os(nix::errno::Errno::from_raw(errno.raw_os_error()), object),
    }
}

/// A free port to name in a hint: 8080 for 80, 8443 for 443, else the next that is free.
fn alternative(want: &PortMapping, port: u16) -> u16 {
    let first = if port < 1024 {
        8000 + port
    } else {
        port.saturating_add(1)
    };
    let address = want.host_ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let free = |port: &u16| bound(want.protocol, SocketAddr::new(address, *port), false).is_ok();
    (first..=u16::MAX).take(200).find(free).unwrap_or(first)
}

fn unprivileged_start() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1024)
}

/// `nginx (pid 123)`: the process of ours that listens on the port; others' descriptors cannot be read.
fn process_on(port: u16, protocol: Protocol) -> Option<String> {
    let name = protocol.as_str();
    let inodes: HashSet<String> = ["", "6"]
        .iter()
        .filter_map(|six| fs::read_to_string(format!("/proc/net/{name}{six}")).ok())
        .flat_map(|table| listeners(&table, port, protocol))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = fs::read_dir("/proc").ok()?;
    for entry in processes.filter_map(std::result::Result::ok) {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let Ok(fds) = fs::read_dir(entry.path().join("fd")) else {
            continue;
        };
        let holds = fds
            .filter_map(std::result::Result::ok)
            .filter_map(|fd| fs::read_link(fd.path()).ok())
            .any(|target| {
                target
                    .to_str()
                    .is_some_and(|target| inodes.contains(target))
            });
        if holds {
            let comm = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (pid {pid})", comm.trim().escape_debug()));
        }
    }
    None
}

/// Inodes of the sockets that listen on `port`, from the text of `/proc/net/tcp` and its kin (proc(5)).
fn listeners(table: &str, port: u16, protocol: Protocol) -> Vec<u64> {
    const LISTEN: &str = "0A";
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let local = fields.get(1)?.rsplit_once(':')?.1;
            let state = *fields.get(3)?;
            let ours = u16::from_str_radix(local, 16).ok()? == port
                && (protocol != Protocol::Tcp || state == LISTEN);
            let inode = fields.get(9)?.parse().ok()?;
            ours.then_some(inode)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;
    use crate::net::ports::parse_publish;

    #[test]
    fn listeners_are_read_from_the_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0\n   \
            1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4 30 10 -1\n";
        assert_eq!(listeners(table, 8080, Protocol::Tcp), [4711]);
        assert_eq!(listeners(table, 8081, Protocol::Tcp), [0u64; 0]);
    }

    #[test]
    fn chosen_ports_are_distinct_and_free() {
        let mut ports: Vec<PortMapping> = ["80", "80", "80/udp", "90-94", "[::1]::7"]
            .iter()
            .flat_map(|text| parse_publish(text).expect("valid"))
            .collect();
        let held = choose(&mut ports).expect("choose");
        let tcp: Vec<u16> = ports
            .iter()
            .filter(|p| p.protocol == Protocol::Tcp)
            .flat_map(PortMapping::host_ports)
            .collect();
        let distinct: HashSet<u16> = tcp.iter().copied().collect();
        assert_eq!(distinct.len(), tcp.len(), "{tcp:?}");
        assert!(ports.iter().all(|p| p.host_port != 0));
        // A helper can listen while they are held; another choice avoids them.
        check(&ports, None).expect("free");
        drop(held);
        check(&ports, None).expect("free");
    }

    #[test]
    fn a_busy_port_is_refused_and_its_holder_named() {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("listen");
        let udp = UdpSocket::bind("127.0.0.1:0").expect("bind");
        for (port, protocol) in [
            (tcp.local_addr().expect("address").port(), "tcp"),
            (udp.local_addr().expect("address").port(), "udp"),
        ] {
            for text in [
                format!("{port}:80/{protocol}"),
                format!("127.0.0.1:{port}:80/{protocol}"),
            ] {
                let ports = parse_publish(&text).expect("valid");
                let err = check(&ports, None).expect_err("busy");
                assert_eq!(err.kind(), Kind::InUse);
                let want = format!("/{protocol}: address already in use by ");
                assert!(err.to_string().contains(&want), "{err}");
                assert!(
                    err.to_string()
                        .ends_with(&format!("(pid {})", std::process::id())),
                    "{err}"
                );
                let err = check(&ports, Some(&|_, _| Some("container \"web\"".into())))
                    .expect_err("busy");
                assert!(
                    err.to_string().ends_with("in use by container \"web\""),
                    "{err}"
                );
            }
        }
    }

    #[test]
    fn an_address_of_nobody_is_refused() {
        let ports = parse_publish("203.0.113.77:28080:80").expect("valid");
        let err = check(&ports, None).expect_err("no such address");
        assert_eq!(
            err.to_string(),
            "publish port 203.0.113.77:28080/tcp: no interface of this host has the address 203.0.113.77"
        );
    }
}
