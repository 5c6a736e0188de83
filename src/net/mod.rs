//! Networks of a container. Is given a network namespace, never a container.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

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
        path: std::path::PathBuf,
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
