//! What is kept of a container.
//!
//!     containers/<id>/config.json   Record: written by create, replaced by rename/update only
//!     containers/<id>/state.json    State: written by whoever changes it, under the container's lock
//!     containers/<id>/owner         link that names the machine which made it: who may sweep it while it has no record
//!     containers/<id>/upper, work   the writable layer
//!     containers/<id>/ctr.log       k8s-file log (`ctr.log.1`: the rotated one)
//!     containers/<id>/renaming      a rename is under way: names/ may hold a link too many
//!     containers/<id>/needed-by-ID  a container that joins this one's namespaces
//!     containers/names/<name>       symbolic link to the id: makes a name unique atomically
//!     $RUNROOT/<id>/                monitor's lock, attach socket, hosts, resolv.conf, hostname
//!
//! `config.json` comes last in a creation and goes first in a removal: a directory without it is what a killed
//! command left, and the next listing sweeps it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::Kind;
use crate::net::{NetStatus, NetworkMode, PortMapping, Protocol};
use crate::runtime::accounts::AccountEntry;
use crate::userns::map::IdMaps;

use super::end::End;
use super::health::Health;
use super::request::{CreateRequest, MountOptions, NamespaceMode};

pub const VERSION: u32 = 1;

/// Everything that does not change while the container lives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub version: u32,
    /// 64 hex digits.
    pub id: String,
    pub name: String,
    /// RFC 3339 with nanoseconds.
    pub created: String,
    pub request: CreateRequest,
    pub image: Option<ImageOf>,
    /// Directories of the image's layers relative to the store, uppermost first (overlay's `lowerdir` order).
    pub layers: Vec<PathBuf>,
    pub process: Process,
    pub ids: IdMaps,
    pub network: NetworkMode,
    /// `-p` and `-P` with host ports chosen.
    pub ports: Vec<PortMapping>,
    pub exposed: Vec<(u16, Protocol)>,
    pub labels: BTreeMap<String, String>,
    pub hostname: String,
    pub stop_signal: i32,
    /// Seconds.
    pub stop_timeout: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Box<Health>>,
    /// Named and anonymous volumes it mounts.
    #[serde(default)]
    pub volumes: Vec<VolumeMount>,
    /// Targets of the image's `VOLUME`s that nothing of the user covers.
    #[serde(default)]
    pub image_volumes: Vec<String>,
    /// Full ids of containers whose namespaces this one joins.
    pub dependencies: Vec<String>,
    pub pid_mode: NamespaceMode,
    /// What the container's passwd(5) and group(5) get.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountEntry>,
}

impl Record {
    /// Whether its tree has a writable layer of its own: all but `--rootfs DIR` without `:O`.
    pub fn has_upper(&self) -> bool {
        self.request.rootfs.is_none() || self.request.rootfs_overlay
    }
}

/// A volume in a container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeMount {
    pub name: String,
    /// Absolute, clean.
    pub target: String,
    pub options: MountOptions,
    /// Made for this container, under a generated name.
    pub anonymous: bool,
    /// Filled from the image when nobody has used it before; `false`: `nocopy`.
    pub copy: bool,
}

/// The image a container was made from, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageOf {
    /// 64 hex digits, the digest of the image's config.
    pub id: String,
    /// Full name (`docker.io/library/nginx:latest`), or the id when it has none.
    pub name: String,
    /// Manifest digest, `sha256:…`.
    pub digest: String,
}

/// The program to run: image settings and request merged (runtime-spec `config.md`, process).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub args: Vec<String>,
    /// `NAME=value`, final order.
    pub env: Vec<String>,
    pub cwd: String,
    /// As in `inspect`: the request's or the image's user, unresolved.
    pub user: String,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Made, never started.
    #[default]
    Created,
    /// Being started: the monitor lives, the program does not yet run.
    Initialized,
    Running,
    Paused,
    Stopping,
    /// Between two runs of a restart policy: the monitor lives, no program does.
    Restarting,
    Exited,
}

impl Status {
    /// As `ps` and `inspect` have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Initialized => "initialized",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
        }
    }
}

/// What changes. Written whole by rename; `settle` (container/liveness.rs) corrects it after a crash.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    pub status: Status,
    /// Host pid of the container's first process, 0 when not running.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`: with the boot id it makes a pid unique.
    pub pid_start: u64,
    pub monitor_pid: i32,
    pub monitor_start: u64,
    pub boot_id: String,
    pub machine_id: String,
    /// Host name of that machine, to tell the user.
    pub host: String,
    pub exit_code: i32,
    pub oom_killed: bool,
    /// Runs that a restart policy has begun since a user started it.
    #[serde(skip_serializing_if = "is_zero")]
    pub restart_count: u32,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    /// Why the last start failed, or `monitor died`.
    pub error: String,
    /// Its remedy.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error_hint: String,
    /// Of a start that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_kind: Option<Kind>,
    pub stopped_by_user: bool,
    pub net: NetStatus,
    /// Pid of pasta or slirp4netns.
    pub helper_pid: i32,
    pub helper_start: u64,
    /// Its own group, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<super::cgroup::CgroupOf>,
    /// Of the last run that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
