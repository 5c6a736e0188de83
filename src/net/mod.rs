//! Networks of a container. Is given a network namespace, never a container.
//!
//! [`prepare`] checks everything that can be checked before anything is made and chooses free host ports. The plan
//! it returns starts the helper as soon as the namespaces exist, while the container does its mounts; the helper
//! dies by [`NetHelper::stop`], or with the thread that started it: the container's monitor, which lives as long as
//! its network namespace.
//!
//!     $RUNROOT/pasta.json               what the installed pasta can do, see `helper`
//!     $RUNROOT/slirp4netns-PID.sock     while slirp4netns is being told which ports to publish

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

use address::HostAddresses;
use free::Holder;
use helper::Features;
use pasta::Pasta;
use resolv::Resolv;
use slirp4netns::Slirp4netns;

pub mod address;
pub mod free;
pub mod helper;
pub mod hosts;
pub mod mode;
pub mod pasta;
pub mod ports;
pub mod resolv;
pub mod slirp4netns;
mod spawn;

/// `--network`, parsed once at the edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "mode")]
pub enum NetworkMode {
    /// pasta with the user's own options (`--network pasta:OPT,OPT`).
    Pasta {
        options: Vec<String>,
    },
    /// slirp4netns with the user's own options (`--network slirp4netns:OPT,OPT`).
    Slirp4netns {
        options: Vec<String>,
    },
    None,
    Host,
    /// A namespace given by path (`--network ns:PATH`).
    Path {
        path: PathBuf,
    },
    /// The namespace of another container, by full id.
    Container {
        id: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

/// One `-p` value: `count` ports from `host_port` on reach `count` ports from `container_port` on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortMapping {
    /// Host address to listen on; `None` is every address, printed as `0.0.0.0`.
    pub host_ip: Option<IpAddr>,
    /// First host port; 0 until a free one has been chosen (`-p 80`, `-P`).
    pub host_port: u16,
    pub container_port: u16,
    /// Length of the range, at least 1.
    pub count: u16,
    pub protocol: Protocol,
}

/// What a started network gave the container; kept in its state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetStatus {
    pub addresses: Vec<IpAddr>,
    pub gateway: Option<IpAddr>,
    /// Name servers for `/etc/resolv.conf`.
    pub dns: Vec<IpAddr>,
    /// Address under which `host.containers.internal` reaches the host.
    pub host_address: Option<IpAddr>,
    pub interface: String,
}

/// The namespaces a helper attaches to. Its creator holds it alive; `pid` is any process in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Netns {
    pub pid: i32,
    /// `/proc/PID/ns/user`: the namespace that owns the network namespace.
    pub userns_path: PathBuf,
    /// `/proc/PID/ns/net`
    pub netns_path: PathBuf,
}

/// A helper that is not ready by then never will be.
const PATIENCE: Duration = Duration::from_secs(20);

/// A network that can be started: every check has passed.
#[derive(Debug)]
pub struct NetPlan {
    driver: Driver,
    status: NetStatus,
    /// Ports must be free again when [`NetHelper::stop`] returns.
    published: bool,
    /// Sockets that keep chosen ports from being chosen by another `pod` until the helper has them.
    _held: Vec<OwnedFd>,
}

#[derive(Debug)]
enum Driver {
    Nothing,
    Pasta(Pasta),
    Slirp4netns(Slirp4netns),
}

/// A started network. Dropping it stops nothing: the record keeps `pid`.
#[derive(Debug, Default)]
pub struct NetHelper {
    /// The helper process, a child of the one that called [`NetPlan::start`]; `None` where none is needed.
    pub pid: Option<i32>,
    pub status: NetStatus,
    published: bool,
}

impl NetPlan {
    /// What the container will see, known before the start: for `/etc/hosts` and `/etc/resolv.conf`.
    pub fn status(&self) -> &NetStatus {
        &self.status
    }

    /// Tells whether [`NetPlan::start`] has anything to start.
    pub fn needs_helper(&self) -> bool {
        !matches!(self.driver, Driver::Nothing)
    }

    /// Starts the helper on `netns` and waits until the network is up.
    ///
    /// The caller has one thread and outlives the container: the kernel kills the helper when that thread ends.
    /// Undoes itself on failure.
    pub fn start(&self, netns: &Netns) -> Result<NetHelper> {
        let pid = match &self.driver {
            Driver::Nothing => None,
            Driver::Pasta(pasta) => Some(
                pasta
                    .spawn(netns)?
                    .wait_ready(PATIENCE)
                    .map_err(pasta::word)?,
            ),
            Driver::Slirp4netns(slirp) => {
                let pid = slirp.spawn(netns)?.wait_ready(PATIENCE)?;
                if let Err(err) = slirp.publish(netns) {
                    spawn::end(pid, true);
                    return Err(err);
                }
                Some(pid)
            }
        };
        Ok(NetHelper {
            pid: pid.map(nix::unistd::Pid::as_raw),
            status: self.status.clone(),
            published: self.published,
        })
    }
}

impl NetHelper {
    /// Ends the helper; a second call, or one after its death, finds nothing to do.
    ///
    /// Waits for its end only where it holds ports of the host, so that they can be had again at once. Otherwise it
    /// may still be dying, and is reaped by its parent or by init.
    pub fn stop(&mut self) {
        if let Some(pid) = self.pid.take() {
            spawn::end(nix::unistd::Pid::from_raw(pid), self.published);
        }
    }
}

/// What a network is prepared with.
pub struct Surroundings<'a> {
    /// The runtime directory: what pasta can do is remembered there.
    pub run: &'a Path,
    /// Where programs are looked for before PATH.
    pub helpers: &'a [PathBuf],
    /// Tells which container has a port that turns out to be busy.
    pub holder: Option<Holder<'a>>,
}

/// Checks that `mode` can be started here and chooses host ports where `ports` leaves them open.
///
/// Changes nothing on the host. Where pasta is missing (or one too old to work without a route to the outside meets a
/// host that has none) and no options for it are given, slirp4netns takes its place.
pub fn prepare(
    mode: &NetworkMode,
    ports: &mut Vec<PortMapping>,
    at: &Surroundings<'_>,
) -> Result<NetPlan> {
    let (run, holder) = (at.run, at.holder);
    let mut held = Vec::new();
    let (driver, status) = match mode {
        NetworkMode::Pasta { options } => {
            held = publish(ports, holder)?;
            user_mode(options, ports, at)?
        }
        NetworkMode::Slirp4netns { options } => {
            held = publish(ports, holder)?;
            let program = helper::find("slirp4netns", at.helpers)
                .ok_or_else(|| missing("slirp4netns", "slirp4netns", at))?;
            slirp4netns(
                program,
                options,
                ports,
                run,
                HostAddresses::find(),
                &Resolv::of_host(),
            )?
        }
        NetworkMode::Host => {
            // As Podman: published ports mean nothing here, and the host's own servers do.
            let host = HostAddresses::find();
            let status = NetStatus {
                addresses: host.all(),
                host_address: host.first(),
                dns: Resolv::of_host().servers,
                ..NetStatus::default()
            };
            (Driver::Nothing, status)
        }
        NetworkMode::None => (Driver::Nothing, NetStatus::default()),
        NetworkMode::Path { .. } | NetworkMode::Container { .. } => {
            if let Some(port) = ports.first() {
                return Err(Error::usage(format!(
                    "publish {port}: a container that joins another network cannot publish ports"
                ))
                .hint("publish them where that network is made"));
            }
            let status = NetStatus {
                dns: Resolv::of_host().reachable_servers(),
                ..NetStatus::default()
            };
            (Driver::Nothing, status)
        }
    };
    let published = !ports.is_empty() && !matches!(driver, Driver::Nothing);
    Ok(NetPlan {
        driver,
        status,
        published,
        _held: held,
    })
}

/// Chooses and checks the ports of the host.
fn publish(ports: &mut Vec<PortMapping>, holder: Option<Holder<'_>>) -> Result<Vec<OwnedFd>> {
    ports::check_overlap(ports)?;
    free::check(
        &ports
            .iter()
            .filter(|p| p.host_port != 0)
            .cloned()
            .collect::<Vec<_>>(),
        holder,
    )?;
    free::choose(ports)
}

fn user_mode(
    options: &[String],
    ports: &[PortMapping],
    at: &Surroundings<'_>,
) -> Result<(Driver, NetStatus)> {
    let run = at.run;
    let (host, resolv) = (HostAddresses::find(), Resolv::of_host());
    let stand_in = || helper::find("slirp4netns", at.helpers).filter(|_| options.is_empty());
    let Some(program) = helper::find("pasta", at.helpers) else {
        let slirp = stand_in().ok_or_else(|| missing("pasta", "passt", at))?;
        return slirp4netns(slirp, &[], ports, run, host, &resolv);
    };
    need_tun()?;
    let features = Features::of(&program, run).ok_or_else(|| {
        Error::new(
            Kind::System,
            format!("ask {} for its options: it does not run", program.display()),
        )
        .hint("reinstall the package passt, or use --network slirp4netns, host or none")
    })?;
    if !features.map_guest_addr && host.first().is_none() {
        if let Some(slirp) = stand_in() {
            return slirp4netns(slirp, &[], ports, run, host, &resolv);
        }
        return Err(Error::new(
            Kind::Unsupported,
            "set up the network: this host has no route to the outside, which this old pasta needs",
        )
        .hint(
            "install slirp4netns or a pasta of 2024-11 or newer, or use --network host or none",
        ));
    }
    let pasta = Pasta::new(&features, options, ports, host, &resolv);
    let status = pasta.status.clone();
    Ok((Driver::Pasta(pasta), status))
}

fn slirp4netns(
    program: PathBuf,
    options: &[String],
    ports: &[PortMapping],
    run: &Path,
    host: HostAddresses,
    resolv: &Resolv,
) -> Result<(Driver, NetStatus)> {
    need_tun()?;
    let slirp = Slirp4netns::new(program, options, ports, run, host, resolv)?;
    let status = slirp.status.clone();
    Ok((Driver::Slirp4netns(slirp), status))
}

/// Both helpers make a tap device in the container's namespace.
fn need_tun() -> Result<()> {
    const TUN: &str = "/dev/net/tun";
    rustix::fs::access(TUN, rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK).map_err(|errno| {
        let why = match errno {
            rustix::io::Errno::NOENT => "there is no /dev/net/tun".to_owned(),
            _ => format!("{TUN} cannot be opened ({})", nix::errno::Errno::from_raw(errno.raw_os_error()).desc()),
        };
        Error::new(Kind::Unsupported, format!("set up the network: {why}")).hint(
            "use --network host or --network none, or let root run: modprobe tun && chmod 666 /dev/net/tun",
        )
    })
}

fn missing(program: &str, package: &str, at: &Surroundings<'_>) -> Error {
    let found = helper::find("pasta", at.helpers).map_or("", |_| ", or use --network pasta");
    Error::new(
        Kind::Unsupported,
        format!("could not find {program}, the network namespace can't be configured: no such program on PATH"),
    )
    .hint(format!("install the package {package}{found}, or use --network host or --network none"))
}
