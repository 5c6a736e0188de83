//! What the user asked for: filled by the command line, stored in the record, turned into an OCI spec at launch.
//!
//! Text has become values here: nothing further in splits `--publish`, `--volume` or `--user` again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use crate::cgroup::Limits;
use crate::net::{NetworkMode, PortMapping, Protocol};
pub use crate::userns::mode::UsernsMode;

use super::health::HealthRequest;
use super::policy::RestartPolicy;

/// `create` and `run`, without the image's own settings (those are merged into [`super::record::Process`]).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateRequest {
    /// Image as the user typed it; empty with `--rootfs`.
    pub image: String,
    /// `--rootfs`: a directory instead of an image.
    pub rootfs: Option<PathBuf>,
    /// `--name`; a generated `adjective_surname` when absent.
    pub name: Option<String>,
    /// Words after the image.
    pub command: Vec<String>,
    /// `--entrypoint`; `Some([])` or `Some([""])` clears the image's.
    pub entrypoint: Option<Vec<String>>,
    /// `-e`, `--env-file`, in order, already resolved against the host (`-e NAME`).
    pub env: Vec<(String, String)>,
    /// Defaults below the image's own variables, as Podman's `env` of containers.conf.
    pub default_env: Vec<(String, String)>,
    /// `--env-merge`, expanded with the image's variables.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env_merge: Vec<String>,
    /// `--env-host`: all variables of whoever creates the container.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub env_host: bool,
    pub unset_env: Vec<String>,
    pub unset_env_all: bool,
    pub workdir: Option<String>,
    /// `--user`, as typed; looked up in the container's `/etc/passwd` at create.
    pub user: Option<String>,
    pub group_add: Vec<String>,
    /// `--group-add keep-groups`
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep_groups: bool,
    /// `--passwd=false`: the container's passwd(5) and group(5) are left alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_passwd: bool,
    /// `--passwd-entry`, `--group-entry`: templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passwd_entry: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_entry: Option<String>,
    /// `--hostuser`: users of the host that the container shall know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host_users: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personality: Option<Personality>,
    pub hostname: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub tty: bool,
    /// `-i`: stdin stays open.
    pub interactive: bool,
    pub auto_remove: bool,
    pub init: bool,
    pub privileged: bool,
    pub read_only: bool,
    /// `--read-only-tmpfs`, Podman's default is true.
    pub read_only_tmpfs: Option<bool>,
    pub mounts: Vec<MountRequest>,
    /// `--volumes-from CONTAINER[:OPTIONS]`, as typed; what it brings is among the mounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes_from: Vec<String>,
    /// `--init-path`: a program of this host that is the container's pid 1 with `--init`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_path: Option<PathBuf>,
    /// `--rootfs DIR:O`: changes go to the container's own layer, not to the directory.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rootfs_overlay: bool,
    /// `--device VENDOR/CLASS=NAME`, also of `--gpus`; what the specs say is in `cdi`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cdi_devices: Vec<String>,
    /// What the CDI devices change, as their specs said when the container was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cdi: Option<CdiEdits>,
    /// `--image-volume`
    pub image_volumes: ImageVolumes,
    pub network: Option<NetworkMode>,
    /// `helper_binaries_dir` of containers.conf: where pasta and slirp4netns are looked for first.
    pub helpers: Vec<PathBuf>,
    pub publish: Vec<PortMapping>,
    pub publish_all: bool,
    pub expose: Vec<(u16, Protocol)>,
    pub dns: Vec<String>,
    pub dns_search: Vec<String>,
    pub dns_option: Vec<String>,
    /// `--add-host NAME:IP`, the address already checked or `host-gateway`.
    pub add_host: Vec<(String, String)>,
    pub no_hosts: bool,
    /// The file whose entries the container's hosts file has too; `None`: that of the host.
    pub base_hosts: Option<BaseHosts>,
    pub no_hostname: bool,
    /// What `cap_add` and `cap_drop` change; `None`: Podman's eleven.
    pub default_capabilities: Option<Vec<String>>,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub security_opt: Vec<SecurityOpt>,
    pub devices: Vec<DeviceRequest>,
    /// `--secret`: names, never what is behind them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretRequest>,
    pub ulimits: Vec<Ulimit>,
    pub sysctls: BTreeMap<String, String>,
    /// Bytes; Podman's default 65536000.
    pub shm_size: Option<u64>,
    pub umask: Option<u32>,
    pub pid: NamespaceMode,
    pub ipc: NamespaceMode,
    pub uts: NamespaceMode,
    pub cgroupns: NamespaceMode,
    pub userns: UsernsMode,
    pub stop_signal: Option<i32>,
    /// Seconds between the stop signal and SIGKILL.
    pub stop_timeout: Option<u32>,
    #[serde(skip_serializing_if = "RestartPolicy::is_no")]
    pub restart: RestartPolicy,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Box<HealthRequest>>,
    /// `--timeout`: seconds the container may run; it is killed and `run` answers 255.
    pub timeout: Option<u32>,
    pub log: LogRequest,
    /// `--memory` and its like.
    #[serde(skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
    #[serde(skip_serializing_if = "CgroupsMode::is_default")]
    pub cgroups: CgroupsMode,
    /// `--cgroup-parent`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_parent: Option<String>,
    pub oom_score_adj: Option<i32>,
    /// `--tz`: a zone name or `local`.
    pub timezone: Option<String>,
    /// `--http-proxy`, Podman's default is true.
    pub http_proxy: Option<bool>,
    pub cidfile: Option<PathBuf>,
    pub pidfile: Option<PathBuf>,
    pub detach_keys: Option<String>,
    /// `--preserve-fds N`: descriptors 3..3+N are passed on.
    pub preserve_fds: u32,
    /// `--preserve-fd`: further ones, under their own numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub preserve_fd: Vec<u32>,
    /// `--conmon-pidfile`: where the monitor's pid is written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor_pidfile: Option<PathBuf>,
    /// `--replace`
    pub replace: bool,
    /// The whole command line, for `inspect`'s `CreateCommand`.
    pub create_command: Vec<String>,
}

/// `--personality`: what the kernel says of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Personality {
    #[serde(rename = "LINUX")]
    Linux,
    #[serde(rename = "LINUX32")]
    Linux32,
}

/// `--cgroups`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CgroupsMode {
    /// A group of its own where there can be one.
    #[default]
    Enabled,
    /// The same here: the monitor always stays in the group of its starter.
    NoConmon,
    /// Stays in the group of its starter.
    Disabled,
    /// Below the group of its starter, which moves aside where that is needed.
    Split,
}

impl CgroupsMode {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One mount asked for by `-v`, `--mount` or `--tmpfs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum MountRequest {
    Bind {
        source: PathBuf,
        target: String,
        options: MountOptions,
    },
    /// `name: None`: an anonymous volume. `copy`: filled from the image when it is new.
    Volume {
        name: Option<String>,
        target: String,
        options: MountOptions,
        copy: bool,
    },
    /// `data`: tmpfs(5) mount data such as `size=64m`, `mode=1777`.
    Tmpfs {
        target: String,
        data: Vec<String>,
        options: MountOptions,
    },
    Ramfs {
        target: String,
        data: Vec<String>,
        options: MountOptions,
    },
    Devpts {
        target: String,
        data: Vec<String>,
    },
    /// The tree of an image, read-only or below a throw-away writable layer. `image` as typed; `id` and `layers`
    /// (relative to the store, uppermost first) are of the image it named when the container was made.
    Image {
        image: String,
        id: String,
        layers: Vec<PathBuf>,
        target: String,
        options: MountOptions,
    },
}

impl MountRequest {
    /// Where it will be.
    pub fn target(&self) -> &str {
        match self {
            Self::Bind { target, .. }
            | Self::Volume { target, .. }
            | Self::Tmpfs { target, .. }
            | Self::Ramfs { target, .. }
            | Self::Devpts { target, .. }
            | Self::Image { target, .. } => target,
        }
    }

    pub fn options(&self) -> Option<&MountOptions> {
        match self {
            Self::Bind { options, .. }
            | Self::Volume { options, .. }
            | Self::Tmpfs { options, .. }
            | Self::Ramfs { options, .. }
            | Self::Image { options, .. } => Some(options),
            Self::Devpts { .. } => None,
        }
    }

    pub fn options_mut(&mut self) -> Option<&mut MountOptions> {
        match self {
            Self::Bind { options, .. }
            | Self::Volume { options, .. }
            | Self::Tmpfs { options, .. }
            | Self::Ramfs { options, .. }
            | Self::Image { options, .. } => Some(options),
            Self::Devpts { .. } => None,
        }
    }
}

/// Options of one mount, as Podman spells them; `None` is the kind's default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountOptions {
    pub read_only: bool,
    /// `rbind` (default) or `bind`.
    pub non_recursive: bool,
    pub nosuid: Option<bool>,
    pub nodev: Option<bool>,
    pub noexec: Option<bool>,
    /// `private` `rprivate` `slave` `rslave` `shared` `rshared` `unbindable`; default `rprivate`.
    pub propagation: Option<String>,
    /// `z` or `Z`: accepted; a label is set only where SELinux is on.
    pub relabel: Option<char>,
    /// `U`: change the owner of the source to the container's user.
    pub chown: bool,
    /// `O`: a throw-away overlay above the source.
    pub overlay: bool,
    /// With `O`: directories of the user's own, which keep what is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay_dirs: Option<OverlayDirs>,
    /// The directory or file below a volume or an image that is mounted in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subpath: Option<String>,
    /// tmpfs: begin empty, without the image's files at that place.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_copy_up: bool,
    /// A source that is a symbolic link is mounted as that link.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_dereference: bool,
}

/// `upperdir=` and `workdir=`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayDirs {
    pub upper: PathBuf,
    pub work: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "from", content = "path")]
pub enum BaseHosts {
    None,
    File(PathBuf),
    /// The image's own.
    Image,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageVolumes {
    /// Podman calls it `bind`: an anonymous directory, filled from the image.
    #[default]
    Anonymous,
    Tmpfs,
    Ignore,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "opt", content = "value")]
pub enum SecurityOpt {
    NoNewPrivileges,
    SeccompUnconfined,
    SeccompProfile(PathBuf),
    /// Colon-separated paths; `ALL` unmasks everything.
    Mask(Vec<String>),
    Unmask(Vec<String>),
    LabelDisable,
    /// `proc-opts=`: options of the mount of `/proc`.
    ProcOpts(Vec<String>),
    Apparmor(String),
}

/// The container edits of CDI devices (CDI specification, `containerEdits`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CdiEdits {
    pub env: Vec<String>,
    pub devices: Vec<DeviceRequest>,
    pub mounts: Vec<CdiMount>,
    pub groups: Vec<u32>,
}

/// A mount of a CDI spec; `options` are mount(8)'s words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CdiMount {
    pub source: PathBuf,
    pub target: String,
    pub kind: Option<String>,
    pub options: Vec<String>,
}

/// `--device HOST[:CONTAINER[:rwm]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    pub source: PathBuf,
    pub target: PathBuf,
    pub permissions: String,
}

/// `--secret NAME[,type=mount|env][,target=…][,uid=…][,gid=…][,mode=…]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRequest {
    /// Looked up at each start.
    pub name: String,
    pub to: SecretTarget,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretTarget {
    /// A variable of that name.
    Env(String),
    /// A file: absolute, or relative to `/run/secrets`.
    File {
        target: String,
        uid: u32,
        gid: u32,
        mode: u32,
    },
}

/// `--ulimit NAME=SOFT[:HARD]`; `u64::MAX` is unlimited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    pub name: String,
    pub soft: u64,
    pub hard: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "mode", content = "of")]
pub enum NamespaceMode {
    #[default]
    Private,
    Host,
    /// Full id of another container.
    Container(String),
    Path(PathBuf),
    /// `--ipc none`: private, and `/dev/shm` is not mounted. `--ipc shareable` is `Private`.
    None,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogRequest {
    pub driver: LogDriver,
    /// Bytes after which the log file is rotated; `None`: never.
    pub max_size: Option<u64>,
    /// `--log-opt max-file=`: files kept, the current one among them; `None`: two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_files: Option<u32>,
    /// `--log-opt path=`
    pub path: Option<PathBuf>,
    /// `log_path` of containers.conf: a directory, where the file has the container's id as its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
    pub tag: Option<String>,
    /// `--log-opt label=`: fields beside those of the container, in the journal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogDriver {
    #[default]
    K8sFile,
    /// The same file, under Docker's name.
    JsonFile,
    Journald,
    None,
    /// The container has the stdio of who starts it.
    Passthrough,
    /// The same, where that may be a terminal.
    PassthroughTty,
}

impl LogDriver {
    pub const ALL: [Self; 6] = [
        Self::K8sFile,
        Self::JsonFile,
        Self::Journald,
        Self::None,
        Self::Passthrough,
        Self::PassthroughTty,
    ];

    /// As `--log-driver` spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::K8sFile => "k8s-file",
            Self::JsonFile => "json-file",
            Self::Journald => "journald",
            Self::None => "none",
            Self::Passthrough => "passthrough",
            Self::PassthroughTty => "passthrough-tty",
        }
    }

    /// Writes a file.
    pub fn is_file(self) -> bool {
        matches!(self, Self::K8sFile | Self::JsonFile)
    }

    pub fn is_passthrough(self) -> bool {
        matches!(self, Self::Passthrough | Self::PassthroughTty)
    }
}
