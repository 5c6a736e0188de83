//! Published ports: `-p` text to values and back (podman-run(1), `--publish`).

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::error::{Error, Kind, Result};

use super::{PortMapping, Protocol};

impl Protocol {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Protocol {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "sctp" => Ok(Self::Sctp),
            _ => Err(Error::usage(format!(
                "unrecognized protocol \"{text}\" (tcp, udp and sctp are known)"
            ))),
        }
    }
}

impl PortMapping {
    pub fn host_ports(&self) -> RangeInclusive<u16> {
        self.host_port..=self.host_port + (self.count - 1)
    }

    pub fn container_ports(&self) -> RangeInclusive<u16> {
        self.container_port..=self.container_port + (self.count - 1)
    }

    /// The host address as shown: `0.0.0.0` where none was given, IPv6 in brackets.
    pub fn host_text(&self) -> String {
        match self.host_ip {
            None => "0.0.0.0".to_owned(),
            Some(IpAddr::V4(ip)) => ip.to_string(),
            Some(IpAddr::V6(ip)) => format!("[{ip}]"),
        }
    }

    /// Tells whether both want the same port of the host on the same address.
    fn overlaps(&self, other: &Self) -> bool {
        let same_address = match (self.host_ip, other.host_ip) {
            (Some(one), Some(two)) => {
                one == two
                    || one.is_ipv4() == two.is_ipv4()
                        && (one.is_unspecified() || two.is_unspecified())
            }
            _ => true,
        };
        self.host_port != 0
            && other.host_port != 0
            && same_address
            && self.protocol == other.protocol
            && self.host_ports().start() <= other.host_ports().end()
            && other.host_ports().start() <= self.host_ports().end()
    }
}

/// `0.0.0.0:9000-9002->9000-9002/udp`
impl fmt::Display for PortMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = range_text(self.host_ports());
        let inside = range_text(self.container_ports());
        write!(f, "{}:{host}->{inside}/{}", self.host_text(), self.protocol)
    }
}

fn range_text(ports: RangeInclusive<u16>) -> String {
    if ports.start() == ports.end() {
        ports.start().to_string()
    } else {
        format!("{}-{}", ports.start(), ports.end())
    }
}

/// Reads one `--publish` value: `[[IP:][HOST]:]CONTAINER[/PROTOCOL[,PROTOCOL]]`, ports or ranges of equal length.
///
/// IPv6 addresses stand in brackets. A host port left out is 0 until [`super::free::choose`] finds one.
pub fn parse_publish(text: &str) -> Result<Vec<PortMapping>> {
    let bad = |why: &str| Error::usage(format!("invalid port format \"{text}\": {why}"));
    let (address, protocols) = match text.split_once('/') {
        None => (text, "tcp"),
        Some((_, rest)) if rest.contains('/') => {
            return Err(bad("protocol can only be specified once"));
        }
        Some(both) => both,
    };
    let (ip, ports) = match address.strip_prefix('[') {
        Some(rest) => {
            let (ip, ports) = rest
                .split_once("]:")
                .ok_or_else(|| bad("an IPv6 address is written [ADDRESS]:HOST:CONTAINER"))?;
            (Some(ip), ports)
        }
        None => match address.matches(':').count() {
            0 | 1 => (None, address),
            2 => address
                .split_once(':')
                .map_or((None, address), |(ip, ports)| (Some(ip), ports)),
            _ => return Err(bad("an IPv6 address must be written in brackets")),
        },
    };
    let host_ip = match ip {
        None => None,
        Some("") => return Err(bad("the host address is empty")),
        Some(ip) => Some(
            ip.parse::<IpAddr>()
                .map_err(|_| bad(&format!("cannot parse \"{ip}\" as an IP address")))?,
        ),
    };
    let (host, inside) = match ports.split_once(':') {
        Some((_, rest)) if rest.contains(':') => return Err(bad("too many colons")),
        Some((host, inside)) => (host, inside),

        None => ("", ports),
    };
    if inside.is_empty() {
        return Err(bad("the container port is empty"));
    }
    let inside = parse_range(inside).map_err(|why| bad(&why))?;
    let count = inside.end() - inside.start() + 1;
    let host_port = if host.is_empty() {
        0
    } else {
        let host = parse_range(host).map_err(|why| bad(&why))?;
        let host_count = host.end() - host.start() + 1;
        if host_count != count {
            return Err(bad(&format!(
                "host and container port ranges have different lengths: {host_count} vs {count}"
            )));
        }
        *host.start()
    };
    protocols
        .split(',')
        .map(|protocol| {
            Ok(PortMapping {
                host_ip,
                host_port,
                container_port: *inside.start(),
                count,
                protocol: protocol.parse()?,
            })
        })
        .collect()
}

/// Reads one `--expose` or image `ExposedPorts` value: `80`, `80-85/udp`.
pub fn parse_expose(text: &str) -> Result<Vec<(u16, Protocol)>> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol: Protocol = if protocol.is_empty() {
        Protocol::Tcp
    } else {
        protocol.parse()?
    };
    let range = parse_range(ports)
        .map_err(|why| Error::usage(format!("invalid port to expose \"{text}\": {why}")))?;
    Ok(range.map(|port| (port, protocol)).collect())
}

/// `N` or `N-M`, 1 to 65535.
fn parse_range(text: &str) -> std::result::Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (parse_port(first)?, parse_port(last)?);
    // The whole of 1-65535 would be 65535 ports: `count` holds it.
    if first > last {
        return Err(format!(
            "the last port {last} is lower than the first, {first}"
        ));
    }
    Ok(first..=last)
}

fn parse_port(text: &str) -> std::result::Result<u16, String> {
    match text.parse::<u32>() {
        _ if !text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(format!("cannot parse \"{text}\" as a port"))
        }
        Ok(port) if (1..=65535).contains(&port) => Ok(port as u16),
        Ok(port) => Err(format!(
            "port numbers must be between 1 and 65535 (inclusive), got {port}"
        )),
        Err(_) => Err(format!("cannot parse \"{text}\" as a port")),
    }
}

/// Drops repetitions and refuses two mappings that want one port of the host.
pub fn check_overlap(ports: &mut Vec<PortMapping>) -> Result<()> {
    let mut kept: Vec<PortMapping> = Vec::with_capacity(ports.len());
    for port in ports.drain(..) {
        if port.host_port != 0 && kept.contains(&port) {
            continue;
        }
        if let Some(other) = kept.iter().find(|other| other.overlaps(&port)) {
            let first = port.host_port.max(other.host_port);
            return Err(Error::new(
                Kind::Usage,
                format!(
                    "conflicting port mappings for host port {first} (protocol {}): {other} and {port}",
                    port.protocol
                ),
            ));
        }
        kept.push(port);
    }
    *ports = kept;
    Ok(())
}

/// What `-P` adds: every exposed port that `-p` has not published yet, host port still to be chosen.
pub fn publish_all(exposed: &[(u16, Protocol)], ports: &mut Vec<PortMapping>) {
    for &(container_port, protocol) in exposed {
        let published = ports
            .iter()
            .any(|p| p.protocol == protocol && p.container_ports().contains(&container_port));
        if !published {
            ports.push(PortMapping {
                host_ip: None,
                host_port: 0,
                container_port,
                count: 1,
                protocol,
            });
        }
    }
}

/// The PORTS column: published ports with neighbours folded into ranges, then exposed ports that are not published.
pub fn column(ports: &[PortMapping], exposed: &[(u16, Protocol)]) -> String {
    let mut published = ports.to_vec();
    published.sort_by_key(|p| (p.host_ip, p.protocol, p.container_port, p.host_port));
    let mut folded: Vec<PortMapping> = Vec::with_capacity(published.len());
    for port in published {
        match folded.last_mut() {
            Some(last)
                if (last.host_ip, last.protocol) == (port.host_ip, port.protocol)
                    && last.host_ports().end().checked_add(1) == Some(port.host_port)
                    && last.container_ports().end().checked_add(1) == Some(port.container_port) =>
            {
                last.count += port.count;
            }
            _ => folded.push(port),
        }
    }
    let mut text = String::new();
    for port in &folded {
        let _ = write!(text, "{}{port}", if text.is_empty() { "" } else { ", " });
    }
    let mut bare: Vec<(u16, Protocol)> = exposed
        .iter()
        .filter(|(port, protocol)| {
            !ports
                .iter()
                .any(|p| p.protocol == *protocol && p.container_ports().contains(port))
        })
        .copied()
        .collect();
    bare.sort_by_key(|&(port, protocol)| (protocol, port));
    bare.dedup();
    let mut rest = bare.as_slice();
    while let Some(&(first, protocol)) = rest.first() {
        let run = rest
            .iter()
            .zip(first..=u16::MAX)
            .take_while(|&(&have, want)| have == (want, protocol))
            .count();
        let range = range_text(first..=first + (run as u16 - 1));
        let _ = write!(
            text,
            "{}{range}/{protocol}",
            if text.is_empty() { "" } else { ", " }
        );
        rest = &rest[run..];
    }
    text
}

/// Lines of `pod port`: (`80/tcp`, `0.0.0.0:8088`), one a port.
pub fn lines(ports: &[PortMapping]) -> Vec<(String, String)> {
    let mut single: Vec<(u16, Protocol, String, u16)> = ports
        .iter()
        .flat_map(|p| {
            p.container_ports()
                .zip(p.host_ports())
                .map(move |(inside, host)| (inside, p.protocol, p.host_text(), host))
        })
        .collect();
    single.sort();
    single
        .into_iter()
        .map(|(inside, protocol, address, host)| {
            (format!("{inside}/{protocol}"), format!("{address}:{host}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(ports: &[PortMapping]) -> String {
        ports
            .iter()
            .map(PortMapping::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn publish_forms() {
        let table = [
            ("80", "0.0.0.0:0->80/tcp"),
            (":80", "0.0.0.0:0->80/tcp"),
            ("8080:80", "0.0.0.0:8080->80/tcp"),
            ("8080:80/udp", "0.0.0.0:8080->80/udp"),
            ("8080:80/TCP", "0.0.0.0:8080->80/tcp"),
            ("53:53/tcp,udp", "0.0.0.0:53->53/tcp 0.0.0.0:53->53/udp"),
            ("127.0.0.1:8080:80", "127.0.0.1:8080->80/tcp"),
            ("127.0.0.1::80", "127.0.0.1:0->80/tcp"),
            ("0.0.0.0:8080:80", "0.0.0.0:8080->80/tcp"),
            ("[::1]:8080:80", "[::1]:8080->80/tcp"),
            ("[::1]::80", "[::1]:0->80/tcp"),
            ("[::]:8080:80/udp", "[::]:8080->80/udp"),
            (
                "9000-9002:9000-9002/udp",
                "0.0.0.0:9000-9002->9000-9002/udp",
            ),
            ("10.0.0.1:20-21:30-31", "10.0.0.1:20-21->30-31/tcp"),
            ("1-65535:1-65535", "0.0.0.0:1-65535->1-65535/tcp"),
        ];
        for (text, want) in table {
            let got = parse_publish(text).unwrap_or_else(|err| panic!("{text}: {err}"));
            assert_eq!(show(&got), want, "{text}");
        }
        let range = parse_publish("80-82").expect("range");
        assert_eq!((range[0].host_port, range[0].count), (0, 3));
    }

    #[test]
    fn publish_errors_name_the_text_and_the_reason() {
        let table = [
            ("", "the container port is empty"),
            ("8080:", "the container port is empty"),
            ("x", "cannot parse \"x\" as a port"),
            ("+80", "cannot parse \"+80\" as a port"),
            (
                "0",
                "port numbers must be between 1 and 65535 (inclusive), got 0",
            ),
            (
                "70000:80",
                "port numbers must be between 1 and 65535 (inclusive), got 70000",
            ),
            ("80:80:80:80", "an IPv6 address must be written in brackets"),
            ("::1:8080:80", "an IPv6 address must be written in brackets"),
            (":8080:80", "the host address is empty"),
            (
                "localhost:8080:80",
                "cannot parse \"localhost\" as an IP address",
            ),
            (
                "[::1]",
                "an IPv6 address is written [ADDRESS]:HOST:CONTAINER",
            ),
            ("[::1]:1:2:3", "too many colons"),
            (
                "[fe80::1%eth0]:1:2",
                "cannot parse \"fe80::1%eth0\" as an IP address",
            ),
            (
                "20-21:30-32",
                "host and container port ranges have different lengths: 2 vs 3",
            ),
            (
                "21-20:31-30",
                "the last port 30 is lower than the first, 31",
            ),
            ("80/tcp/udp", "protocol can only be specified once"),
        ];
        for (text, why) in table {
            let err = parse_publish(text).expect_err(text);
            assert_eq!(
                err.to_string(),
                format!("invalid port format \"{text}\": {why}")
            );
            assert_eq!(err.kind(), Kind::Usage);
        }
        assert_eq!(
            parse_publish("80/icmp").expect_err("protocol").to_string(),
            "unrecognized protocol \"icmp\" (tcp, udp and sctp are known)"
        );
    }

    #[test]
    fn overlaps_are_refused_and_repetitions_dropped() {
        let table = [
            (vec!["8080:80", "8080:80"], Ok(1)),
            (vec!["8080:80", "8080:80/udp"], Ok(2)),
            (vec!["80", "80"], Ok(2)),
            (vec!["127.0.0.1:8080:80", "127.0.0.2:8080:80"], Ok(2)),
            (vec!["[::]:8080:80", "0.0.0.0:8080:80"], Ok(2)),
            (vec!["127.0.0.1:8080:80", "8080:81"], Err(8080)),
            (vec!["0.0.0.0:8080:80", "127.0.0.1:8080:80"], Err(8080)),
            (vec!["8080:80", "8080:81"], Err(8080)),
            (vec!["8000-8010:8000-8010", "8005:80"], Err(8005)),
        ];
        for (texts, want) in table {
            let mut ports: Vec<PortMapping> = texts
                .iter()
                .flat_map(|text| parse_publish(text).expect("valid"))
                .collect();
            match (check_overlap(&mut ports), want) {
                (Ok(()), Ok(count)) => assert_eq!(ports.len(), count, "{texts:?}"),
                (Err(err), Err(port)) => {
                    let start =
                        format!("conflicting port mappings for host port {port} (protocol tcp)");
                    assert!(err.to_string().starts_with(&start), "{err}");
                }
                (got, _) => panic!("{texts:?}: {got:?}"),
            }
        }
    }

    #[test]
    fn the_ports_column_folds_ranges() {
        let table: [(&[&str], &[&str], &str); 5] = [
            (&[], &[], ""),
            (
                &["9000-9002:9000-9002/udp", "8088:80"],
                &["80"],
                "0.0.0.0:8088->80/tcp, 0.0.0.0:9000-9002->9000-9002/udp",
            ),
            (
                &["8081:81", "8080:80", "8083:83"],
                &[],
                "0.0.0.0:8080-8081->80-81/tcp, 0.0.0.0:8083->83/tcp",
            ),
            (
                &["[::1]:8080:80", "127.0.0.1:8080:80"],
                &[],
                "127.0.0.1:8080->80/tcp, [::1]:8080->80/tcp",
            ),
            (
                &["8080:80"],
                &["443", "80", "444", "53/udp"],
                "0.0.0.0:8080->80/tcp, 443-444/tcp, 53/udp",
            ),
        ];
        for (published, exposed, want) in table {
            let ports: Vec<PortMapping> = published
                .iter()
                .flat_map(|text| parse_publish(text).expect("valid"))
                .collect();
            let exposed: Vec<_> = exposed
                .iter()
                .flat_map(|text| parse_expose(text).expect("valid"))
                .collect();
            assert_eq!(column(&ports, &exposed), want);
        }
    }

    #[test]
    fn publish_all_leaves_published_ports_alone() {
        let mut ports = parse_publish("8000-8010:80-90").expect("valid");
        publish_all(
            &[
                (85, Protocol::Tcp),
                (85, Protocol::Udp),
                (443, Protocol::Tcp),
            ],
            &mut ports,
        );
        assert_eq!(show(&ports[1..]), "0.0.0.0:0->85/udp 0.0.0.0:0->443/tcp");
        assert_eq!(
            lines(&parse_publish("[::1]:8000-8001:80-81").expect("valid")),
            [
                ("80/tcp".to_owned(), "[::1]:8000".to_owned()),
                ("81/tcp".to_owned(), "[::1]:8001".to_owned())
            ]
        );
    }
}
