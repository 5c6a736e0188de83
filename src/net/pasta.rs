//! pasta (passt.top): the default network. From Debian 12's of 2023-03 on.
//!
//! The host's loopback stays closed in both directions that pasta would open by itself: no port is forwarded that
//! was not published (`-T none -U none -t none -u none`), and the gateway is not mapped to it (`--no-map-gw`).
//! `host.containers.internal` leads to the host's outer address:
//! - with `--map-guest-addr` the container has the host's own address, and 169.254.1.2 stands for the host's;
//! - an older pasta gives the container an address of its own, so that the host's is another one.
//!
//! In the foreground (`-f`) pasta stays our child, needs no fork of its 200 MB, and tells by its pid file, which is
//! a pipe, that it is ready.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use crate::error::{Error, Result};

use super::address::HostAddresses;
use super::helper::Features;
use super::resolv::Resolv;
use super::spawn::{self, Helper, Ready};
use super::{NetStatus, Netns, PortMapping, Protocol};

/// pasta answers name service here, as in Podman.
const DNS_FORWARD: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// Stands for the host's address, as in Podman.
const MAP_GUEST: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 2);

/// Addresses inside where pasta is too old for `--map-guest-addr`; slirp4netns gives the same.
pub(super) const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 100);
pub(super) const OWN_GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// Where the host itself is 10.0.2.100.
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 3, 100);
const OTHER_GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 3, 2);
const OWN_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x100);
const OWN_V6_GATEWAY: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);

const INTERFACE: &str = "eth0";

/// A pasta command line but for the namespaces, and what the container will see.
#[derive(Debug)]
pub struct Pasta {
    program: PathBuf,
    args: Vec<String>,
    pub status: NetStatus,
}

impl Pasta {
    /// `options` are the user's own; they take the place of the defaults they concern.
    pub fn new(
        features: &Features,
        options: &[String],
        ports: &[PortMapping],
        host: HostAddresses,
        resolv: &Resolv,
    ) -> Self {
        let user: Vec<&str> = options.iter().map(String::as_str).collect();
        let given = |names: &[&str]| {
            user.iter().any(|word| {
                names.iter().any(|name| {
                    word == name
                        || word.strip_prefix(name).is_some_and(|rest| {
                            rest.starts_with('=') || (!name.starts_with("--") && !rest.is_empty())
                        })
                })
            })
        };
        let mut args: Vec<String> = ["-q", "-f", "--config-net", "-P", spawn::STDOUT_PATH]
            .map(str::to_owned)
            .into();
        let mut push = |words: &[&str]| args.extend(words.iter().map(|&word| word.to_owned()));
        let mut status = NetStatus {
            interface: INTERFACE.to_owned(),
            ..NetStatus::default()
        };

        if given(&["-I", "--ns-ifname"]) {
            status.interface = value_of(&user, "-I", "--ns-ifname").unwrap_or_default();
        } else {
            push(&["-I", INTERFACE]);
        }
        if !given(&["--map-gw"]) && !given(&["--no-map-gw"]) {
            push(&["--no-map-gw"]);
        }
        let own_addresses = given(&["-a", "--address", "-n", "--netmask", "-g", "--gateway"]);
        let picked_interface = given(&["-i", "--interface"]);
        if own_addresses {
            status.addresses.extend(
                value_of(&user, "-a", "--address").and_then(|ip| ip.parse::<IpAddr>().ok()),
            );
            status.gateway =
                value_of(&user, "-g", "--gateway").and_then(|ip| ip.parse::<IpAddr>().ok());
        }
        if features.map_guest_addr {
            if !given(&["--map-guest-addr"]) {
                push(&["--map-guest-addr", &MAP_GUEST.to_string()]);
            }
            status.host_address = Some(MAP_GUEST.into());
            if !own_addresses && !picked_interface {
                status.addresses = host.all();
            }
        } else {
            status.host_address = host.first();
            if !own_addresses {
                let (own, gateway) = match host.v4 {
                    Some(OWN) => (OTHER, OTHER_GATEWAY),
                    _ => (OWN, OWN_GATEWAY),
                };
                if host.v4.is_some() && !given(&["-6", "--ipv6-only"]) {
                    push(&[
                        "-a",
                        &own.to_string(),
                        "-n",
                        "24",
                        "-g",
                        &gateway.to_string(),
                    ]);
                    status.addresses.push(own.into());
                    status.gateway = Some(gateway.into());
                }
                if host.v6.is_some() && !given(&["-4", "--ipv4-only"]) {
                    push(&["-a", &OWN_V6.to_string(), "-g", &OWN_V6_GATEWAY.to_string()]);
                    status.addresses.push(OWN_V6.into());
                }
            }
        }
        if given(&["--dns-forward"]) {
            status.dns.extend(
                value_of(&user, "--dns-forward", "--dns-forward")
                    .and_then(|ip| ip.parse::<IpAddr>().ok()),
            );
        } else if resolv.servers.iter().any(IpAddr::is_ipv4) {
            push(&["--dns-forward", &DNS_FORWARD.to_string()]);
            status.dns.push(DNS_FORWARD.into());
        }
        status.dns.extend(resolv.reachable_servers());

        for (flag, long, protocol) in [
            ("-t", "--tcp-ports", Protocol::Tcp),
            ("-u", "--udp-ports", Protocol::Udp),
        ] {
            let published: Vec<_> = ports.iter().filter(|p| p.protocol == protocol).collect();
            for port in &published {
                push(&[flag, &port_spec(port)]);
            }
            // UDP would follow TCP, and both follow what is bound inside, unless told not to.
            if published.is_empty() && !given(&[flag, long]) {
                push(&[flag, "none"]);
            }
        }
        for (flag, long) in [("-T", "--tcp-ns"), ("-U", "--udp-ns")] {
            if !given(&[flag, long]) {
                push(&[flag, "none"]);
            }
        }
        // `--map-gw` is Podman's word for leaving `--no-map-gw` out.
        push(
            &user
                .iter()
                .copied()
                .filter(|word| *word != "--map-gw")
                .collect::<Vec<_>>(),
        );
        Self {
            program: features.best.clone(),
            args,
            status,
        }
    }

    pub fn spawn(&self, netns: &Netns) -> Result<Helper> {
        let mut args: Vec<OsString> = self.args.iter().map(OsString::from).collect();
        args.extend([
            "--userns".into(),
            netns.userns_path.clone().into_os_string(),
        ]);
        args.extend(["--netns".into(), netns.netns_path.clone().into_os_string()]);
        spawn::spawn("pasta", &self.program, &args, Ready::Stdout)
    }
}

/// Value of the last option of that name: `-I x`, `-Ix`, `--ns-ifname x`, `--ns-ifname=x`.
fn value_of(words: &[&str], short: &str, long: &str) -> Option<String> {
    words.iter().enumerate().rev().find_map(|(at, word)| {
        if *word == short || *word == long {
            return words.get(at + 1).map(|value| (*value).to_owned());
        }
        let tail = word
            .strip_prefix(long)
            .and_then(|rest| rest.strip_prefix('='))
            .or_else(|| {
                word.strip_prefix(short)
                    .filter(|_| !short.starts_with("--"))
            });
        tail.filter(|value| !value.is_empty()).map(str::to_owned)
    })
}

/// `127.0.0.1/8080-8081:80-81`
fn port_spec(port: &PortMapping) -> String {
    let (host, inside) = (port.host_ports(), port.container_ports());
    let address = port.host_ip.map(|ip| format!("{ip}/")).unwrap_or_default();
    if port.count == 1 {
        format!("{address}{}:{}", host.start(), inside.start())
    } else {
        format!(
            "{address}{}-{}:{}-{}",
            host.start(),
            host.end(),
            inside.start(),
            inside.end()
        )
    }
}

/// Adds the remedy to what pasta said of its failure.
pub fn word(err: Error) -> Error {
    let said = err.to_string();
    let remedy = if said.contains("/dev/net/tun") {
        "the container's network needs /dev/net/tun; use --network host or --network none"
    } else if said.contains("bind") || said.contains("in use") {
        "another program took a published port just now; choose other ports"
    } else if said.contains("routable") || said.contains("interface not usable") {
        "this host has no route to the outside, which this pasta needs; use --network slirp4netns, host or none"
    } else if said.contains("usage") || said.contains("nrecognized") || said.contains("nvalid") {
        "check the options given with --network pasta:… and pasta_options in containers.conf"
    } else {
        return err;
    };
    err.hint(remedy)
}

#[cfg(test)]
mod tests {
    use super::super::ports::parse_publish;
    use super::*;

    fn args(map_guest_addr: bool, options: &str, ports: &[&str], v6: bool) -> (String, NetStatus) {
        let features = Features::for_test(map_guest_addr);
        let options: Vec<String> = options.split_whitespace().map(str::to_owned).collect();
        let ports: Vec<PortMapping> = ports
            .iter()
            .flat_map(|text| parse_publish(text).expect("valid"))
            .collect();
        let host = HostAddresses {
            v4: Some(Ipv4Addr::new(192, 0, 2, 7)),
            v6: v6.then_some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7)),
        };
        let resolv = Resolv::parse("nameserver 127.0.0.53\nnameserver 192.0.2.53\n");
        let pasta = Pasta::new(&features, &options, &ports, host, &resolv);
        let line = pasta.args.join(" ");
        let common = "-q -f --config-net -P /proc/self/fd/1 ";
        (
            line.strip_prefix(common).expect("common start").to_owned(),
            pasta.status,
        )
    }

    #[test]
    fn an_old_pasta_gets_an_address_of_its_own() {
        let (line, status) = args(false, "", &[], true);
        assert_eq!(
            line,
            "-I eth0 --no-map-gw -a 10.0.2.100 -n 24 -g 10.0.2.2 -a fd00::100 -g fe80::2 \
             --dns-forward 169.254.1.1 -t none -u none -T none -U none"
        );
        assert_eq!(status.host_address, Some([192, 0, 2, 7].into()));
        assert_eq!(status.addresses[0], IpAddr::from([10, 0, 2, 100]));
        assert_eq!(
            status.dns,
            [
                IpAddr::from([169, 254, 1, 1]),
                IpAddr::from([192, 0, 2, 53])
            ]
        );
    }

    #[test]
    fn a_newer_pasta_maps_one_address_to_the_host() {
        let (line, status) = args(
            true,
            "",
            &["8080:80", "[::1]:53:53/udp", "9000-9001:90-91"],
            false,
        );
        assert_eq!(
            line,
            "-I eth0 --no-map-gw --map-guest-addr 169.254.1.2 --dns-forward 169.254.1.1 \
             -t 8080:80 -t 9000-9001:90-91 -u ::1/53:53 -T none -U none"
        );
        assert_eq!(status.host_address, Some(MAP_GUEST.into()));
        assert_eq!(status.addresses, [IpAddr::from([192, 0, 2, 7])]);
    }

    #[test]
    fn own_options_replace_defaults() {
        let (line, status) = args(
            false,
            "--map-gw -T 5432 -a 10.9.9.9 -I tap7 --dns-forward=10.9.9.1",
            &[],
            false,
        );
        assert_eq!(
            line,
            "-t none -u none -U none -T 5432 -a 10.9.9.9 -I tap7 --dns-forward=10.9.9.1"
        );
        assert_eq!(status.interface, "tap7");
        assert_eq!(status.addresses, [IpAddr::from([10, 9, 9, 9])]);
        assert_eq!(status.dns[0], IpAddr::from([10, 9, 9, 1]));
    }
}
