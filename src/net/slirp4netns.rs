//! slirp4netns: the network where pasta is missing, or asked for. From 1.0 on.
//!
//! Host loopback is closed (`--disable-host-loopback`) unless asked for. Ports are published over its control
//! socket (slirp4netns(1), API SOCKET); clients keep their source address.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result, Tried};

use super::address::HostAddresses;
use super::pasta::{OWN, OWN_GATEWAY};
use super::resolv::Resolv;
use super::spawn::{self, Helper, Ready};
use super::{NetStatus, Netns, PortMapping, Protocol};

const DNS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 3);
const INTERFACE: &str = "tap0";

/// How long one request over the control socket may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A slirp4netns command line but for the namespaces, and what the container will see.
#[derive(Debug)]
pub struct Slirp4netns {
    program: PathBuf,
    args: Vec<String>,
    /// Directory for the control socket; `None` where no port is published.
    socket_dir: Option<PathBuf>,
    ports: Vec<PortMapping>,
    pub status: NetStatus,
}

/// One request: `add_hostfwd`.
#[derive(Debug, Serialize)]
struct Request<'a> {
    execute: &'static str,
    arguments: Forward<'a>,
}

#[derive(Debug, Serialize)]
struct Forward<'a> {
    proto: &'a str,
    host_addr: String,
    host_port: u16,
    guest_port: u16,
}

#[derive(Debug, Deserialize)]
struct Answer {
    error: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(default)]
    desc: String,
}

impl Slirp4netns {
    /// `options` are Podman's: `allow_host_loopback=true`, `mtu=N`, `enable_ipv6=true`, `cidr=`, `outbound_addr=`, …
    pub fn new(
        program: PathBuf,
        options: &[String],
        ports: &[PortMapping],
        run: &Path,
        host: HostAddresses,
        resolv: &Resolv,
    ) -> Result<Self> {
        let mut args: Vec<String> = vec!["-c".into(), "-r".into(), "3".into()];
        let (mut mtu, mut loopback, mut sandbox) = ("65520".to_owned(), false, true);
        let (mut own, mut gateway, mut dns) = (OWN, OWN_GATEWAY, DNS);
        for option in options {
            let (key, value) = option.split_once('=').unwrap_or((option.as_str(), ""));
            let bad = || {
                Error::usage(format!(
                    "use slirp4netns option \"{option}\": not a value for {key}"
                ))
            };
            let truth = || value.parse::<bool>().map_err(|_| bad());
            match key {
                "mtu" => mtu = value.parse::<u16>().map_err(|_| bad())?.to_string(),
                "allow_host_loopback" => loopback = truth()?,
                "enable_sandbox" => sandbox = truth()?,
                "enable_ipv6" => {
                    if truth()? {
                        args.push("--enable-ipv6".into());
                    }
                }
                "cidr" => {
                    (own, gateway, dns) = addresses_in(value).ok_or_else(bad)?;
                    args.push(format!("--cidr={value}"));
                }
                "outbound_addr" => args.push(format!("--outbound-addr={value}")),
                "outbound_addr6" => args.push(format!("--outbound-addr6={value}")),
                // Podman's other way to publish, by a process of its own, loses the client's address.
                "port_handler" if value == "slirp4netns" || value == "rootlesskit" => {}
                _ => {
                    return Err(Error::usage(format!(
                        "use slirp4netns option \"{option}\": unknown option"
                    )));
                }
            }
        }
        args.extend(["-m".into(), mtu]);
        if !loopback {
            args.push("--disable-host-loopback".into());
        }
        if sandbox {
            args.push("--enable-sandbox".into());
        }
        args.push("--enable-seccomp".into());
        if let Some(port) = ports
            .iter()
            .find(|p| p.host_ip.is_some_and(|ip| ip.is_ipv6()))
        {
            return Err(Error::new(
                Kind::Unsupported,
                format!("publish {port}: slirp4netns listens on IPv4 addresses only"),
            )
            .hint("install the package passt and use --network pasta"));
        }
        let mut servers = vec![IpAddr::from(dns)];
        servers.extend(resolv.reachable_servers());
        let host_address = if loopback {
            Some(gateway.into())
        } else {
            host.v4.map(IpAddr::V4)
        };
        Ok(Self {
            program,
            args,
            socket_dir: (!ports.is_empty()).then(|| run.to_owned()),
            ports: ports.to_vec(),
            status: NetStatus {
                addresses: vec![own.into()],
                gateway: Some(gateway.into()),
                dns: servers,
                host_address,
                interface: INTERFACE.to_owned(),
            },
        })
    }

    pub fn spawn(&self, netns: &Netns) -> Result<Helper> {
        let mut args: Vec<OsString> = self.args.iter().map(OsString::from).collect();
        if let Some(socket) = self.socket(netns) {
            let _ = std::fs::remove_file(&socket); // left by a helper that was killed
            args.extend(["--api-socket".into(), socket.into_os_string()]);
        }
        // By pid, not by paths: with paths it cannot enter the user namespace for its sandbox (1.2).
        args.extend([netns.pid.to_string().into(), INTERFACE.into()]);
        spawn::spawn("slirp4netns", &self.program, &args, Ready::Three)
    }

    /// Publishes the ports once slirp4netns is ready, then removes the socket: nobody else needs it.
    pub fn publish(&self, netns: &Netns) -> Result<()> {
        let Some(socket) = self.socket(netns) else {
            return Ok(());
        };
        let done =
            self.ports.iter().try_for_each(|port| {
                port.host_ports().zip(port.container_ports()).try_for_each(
                    |(host_port, guest_port)| forward(&socket, port, host_port, guest_port),
                )
            });
        let _ = std::fs::remove_file(&socket);
        done
    }

    fn socket(&self, netns: &Netns) -> Option<PathBuf> {
        self.socket_dir
            .as_ref()
            .map(|dir| dir.join(format!("slirp4netns-{}.sock", netns.pid)))
    }
}

fn forward(socket: &Path, port: &PortMapping, host_port: u16, guest_port: u16) -> Result<()> {
    let tried = || {
        format!(
            "publish {}:{host_port}/{} with slirp4netns",
            port.host_text(),
            port.protocol
        )
    };
    let request = Request {
        execute: "add_hostfwd",
        arguments: Forward {
            proto: match port.protocol {
                Protocol::Udp => "udp",
                Protocol::Tcp | Protocol::Sctp => "tcp",
            },
            host_addr: port.host_text(),
            host_port,
            guest_port,
        },
    };
    let text = serde_json::to_vec(&request).expect("plain strings and numbers serialize");
    let mut stream = UnixStream::connect(socket).tried(tried)?;
    stream.set_read_timeout(Some(PATIENCE)).tried(tried)?;
    stream.write_all(&text).tried(tried)?;
    stream.shutdown(Shutdown::Write).tried(tried)?;
    let mut answer = Vec::new();
    stream
        .take(64 * 1024)
        .read_to_end(&mut answer)
        .tried(tried)?;
    let answer: Answer = serde_json::from_slice(&answer).map_err(|err| {
        Error::new(
            Kind::System,
            format!("{}: unexpected answer: {err}", tried()),
        )
    })?;
    match answer.error {
        None => Ok(()),
        Some(Refusal { desc }) => Err(Error::new(
            Kind::InUse,
            format!("{}: {}", tried(), desc.escape_debug()),
        )
        .hint("another program took the port just now; choose another one")),
    }
}

/// Own address, gateway and name server that slirp4netns takes from a network (slirp4netns(1), `--cidr`).
fn addresses_in(cidr: &str) -> Option<(Ipv4Addr, Ipv4Addr, Ipv4Addr)> {
    let (base, bits) = cidr.split_once('/')?;
    let base: Ipv4Addr = base.parse().ok()?;
    let bits: u32 = bits.parse().ok().filter(|bits| (1..=25).contains(bits))?;
    let base = base.to_bits() & (u32::MAX << (32 - bits));
    let at = |n: u32| Ipv4Addr::from_bits(base + n);
    Some((at(100), at(2), at(3)))
}

#[cfg(test)]
mod tests {
    use super::super::ports::parse_publish;
    use super::*;

    fn plan(options: &str, ports: &[&str]) -> Result<Slirp4netns> {
        let options: Vec<String> = options.split_whitespace().map(str::to_owned).collect();
        let ports: Vec<PortMapping> = ports
            .iter()
            .flat_map(|text| parse_publish(text).expect("valid"))
            .collect();
        let host = HostAddresses {
            v4: Some(Ipv4Addr::new(192, 0, 2, 7)),
            v6: None,
        };
        Slirp4netns::new(
            "/usr/bin/slirp4netns".into(),
            &options,
            &ports,
            Path::new("/run"),
            host,
            &Resolv::default(),
        )
    }

    #[test]
    fn loopback_is_closed_unless_asked_for() {
        let closed = plan("", &[]).expect("plan");
        assert_eq!(
            closed.args.join(" "),
            "-c -r 3 -m 65520 --disable-host-loopback --enable-sandbox --enable-seccomp"
        );
        assert_eq!(closed.status.host_address, Some([192, 0, 2, 7].into()));
        let open = plan(
            "allow_host_loopback=true mtu=1500 cidr=10.1.0.0/16 enable_ipv6=true",
            &[],
        )
        .expect("plan");
        assert_eq!(
            open.args.join(" "),
            "-c -r 3 --cidr=10.1.0.0/16 --enable-ipv6 -m 1500 --enable-sandbox --enable-seccomp"
        );
        assert_eq!(open.status.host_address, Some([10, 1, 0, 2].into()));
        assert_eq!(open.status.addresses, [IpAddr::from([10, 1, 0, 100])]);
    }

    #[test]
    fn options_and_ports_it_cannot_serve_are_refused() {
        for (options, ports, want) in [
            (
                "mtu=x",
                vec![],
                "use slirp4netns option \"mtu=x\": not a value for mtu",
            ),
            (
                "speed=9",
                vec![],
                "use slirp4netns option \"speed=9\": unknown option",
            ),
            (
                "",
                vec!["[::1]:8080:80"],
                "publish [::1]:8080->80/tcp: slirp4netns listens on IPv4 addresses only",
            ),
        ] {
            assert_eq!(
                plan(options, &ports).expect_err("refused").to_string(),
                want
            );
        }
    }
}
