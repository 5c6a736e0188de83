//! The flags of `run` and `create`, in the groups their help shows.
//!
//! What each becomes is in [`super::request`]; those that Podman has and this version has not are in
//! [`super::create_later`].

use std::path::PathBuf;

use clap::Args;

use super::create_later::CreateLater;
use super::health::HealthArgs;
use super::limits::LimitArgs;
use super::registry::{PlatformArgs, RegistryArgs};
use super::value;

/// Everything `run` and `create` share.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Give the container a secret: NAME[,type=mount|env][,target=][,uid=][,gid=][,mode=] (can be repeated)
    #[arg(long, value_name = "SECRET")]
    pub secret: Vec<String>,
    /// Name of the container (default: a made-up one)
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Remove a container of the same name first
    #[arg(long)]
    pub replace: bool,
    /// Remove the container when it has ended
    #[arg(long)]
    pub rm: bool,
    /// Connect stdin, stdout or stderr only (can be repeated)
    #[arg(short, long, value_name = "STREAM", value_delimiter = ',')]
    pub attach: Vec<String>,
    /// Keep stdin open
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the container a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Label, NAME=VALUE (can be repeated)
    #[arg(short, long, value_name = "LABEL")]
    pub label: Vec<String>,
    /// File with a label on each line (can be repeated)
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub label_file: Vec<PathBuf>,
    /// Annotation, NAME=VALUE (can be repeated)
    #[arg(long, value_name = "ANNOTATION")]
    pub annotation: Vec<String>,
    /// Write the container's id to a file that does not exist yet
    #[arg(long, value_name = "FILE")]
    pub cidfile: Option<PathBuf>,
    /// Write the pid of the container's first process to a file
    #[arg(long, value_name = "FILE")]
    pub pidfile: Option<PathBuf>,
    /// Write the pid of the process that looks after the container to a file
    #[arg(long, value_name = "FILE")]
    pub conmon_pidfile: Option<PathBuf>,
    /// When to ask the registry: always, missing, never, newer
    #[arg(long, value_name = "POLICY", num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    pub pull: Option<String>,
    /// Do not show the progress of a pull
    #[arg(short, long)]
    pub quiet: bool,
    /// Use a directory instead of an image
    #[arg(long)]
    pub rootfs: bool,
    /// Where the container's output goes: k8s-file, none, passthrough
    #[arg(long, value_name = "DRIVER")]
    pub log_driver: Option<String>,
    /// Option of the log, NAME=VALUE: path, max-size, tag (can be repeated)
    #[arg(long, value_name = "OPTION")]
    pub log_opt: Vec<String>,
    /// When to run the program again: no, always, on-failure[:N], unless-stopped
    #[arg(long, value_name = "POLICY")]
    pub restart: Option<String>,

    #[command(flatten)]
    pub process: ProcessArgs,
    #[command(flatten)]
    pub files: FileArgs,
    #[command(flatten)]
    pub health: HealthArgs,
    #[command(flatten)]
    pub network: NetworkArgs,
    #[command(flatten)]
    pub security: SecurityArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub groups: GroupArgs,
    #[command(flatten, next_help_heading = "Image options")]
    pub platform: PlatformArgs,
    #[command(flatten, next_help_heading = "Image options")]
    pub registry: RegistryArgs,
    #[command(flatten)]
    _later: CreateLater,
    /// Image (directory with --rootfs), then the command to run in place of the image's, with its arguments
    // One argument, since only the last can take all that follows: flags behind the image are the command's.
    #[arg(
        value_name = "IMAGE [COMMAND]",
        trailing_var_arg = true,
        help_heading = "Arguments"
    )]
    pub words: Vec<String>,
}

/// What runs, and with which surroundings.
#[derive(Debug, Args)]
#[command(next_help_heading = "Process options")]
pub struct ProcessArgs {
    /// Replace the image's entry point: a word, or a JSON list of words
    #[arg(long, value_name = "COMMAND")]
    pub entrypoint: Option<String>,
    /// Variable: NAME=VALUE, NAME (the host's value) or PREFIX* (can be repeated)
    #[arg(short, long, value_name = "VARIABLE")]
    pub env: Vec<String>,
    /// File with a variable on each line (can be repeated)
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub env_file: Vec<PathBuf>,
    /// Pass all variables of the host on
    #[arg(long)]
    pub env_host: bool,
    /// Variable made of the image's: NAME=TEXT with $NAME in it (can be repeated)
    #[arg(long, value_name = "VARIABLE")]
    pub env_merge: Vec<String>,
    /// Remove a variable of the image (can be repeated)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub unsetenv: Vec<String>,
    /// Remove all variables of the image
    #[arg(long)]
    pub unsetenv_all: bool,
    /// Pass the host's proxy variables on (default true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = value::boolean)]
    pub http_proxy: Option<bool>,
    /// User and group, by name or number
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// Additional group (can be repeated); keep-groups keeps yours
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    pub group_add: Vec<String>,
    /// Add entries to the container's /etc/passwd and /etc/group for its user (default true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = value::boolean)]
    pub passwd: Option<bool>,
    /// What such an entry looks like: $USERNAME, $UID, $GID, $NAME and $HOME stand for what they say
    #[arg(long, value_name = "ENTRY")]
    pub passwd_entry: Option<String>,
    /// The same of /etc/group: $GROUPNAME, $GID, $USERLIST
    #[arg(long, value_name = "ENTRY")]
    pub group_entry: Option<String>,
    /// Add this user of the host to the container's /etc/passwd (can be repeated)
    #[arg(long, value_name = "USER")]
    pub hostuser: Vec<String>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// Run a small init that reaps processes and passes signals on
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = value::boolean)]
    pub init: Option<bool>,
    /// Signal that asks the container to end (default TERM)
    #[arg(long, value_name = "SIGNAL")]
    pub stop_signal: Option<String>,
    /// Seconds between that signal and the kill (default 10)
    #[arg(long, value_name = "SECONDS", value_parser = value::unsigned32)]
    pub stop_timeout: Option<u32>,
    /// Seconds the container may run
    #[arg(long, value_name = "SECONDS", value_parser = value::unsigned32)]
    pub timeout: Option<u32>,
    /// Time zone, or "local" for the host's
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// Mask of permissions for new files, octal (default 0022)
    #[arg(long, value_name = "MASK")]
    pub umask: Option<String>,
    /// Limit, NAME=SOFT[:HARD] (can be repeated)
    #[arg(long, value_name = "LIMIT")]
    pub ulimit: Vec<String>,
    /// How readily the kernel kills the container when memory runs out, -1000 to 1000
    #[arg(long, value_name = "N", value_parser = value::integer)]
    pub oom_score_adj: Option<i64>,
    /// Pass descriptors 3 to 3+N-1 on
    #[arg(long, value_name = "N", value_parser = value::unsigned32)]
    pub preserve_fds: Option<u32>,
    /// Pass descriptor N on (can be repeated)
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = value::unsigned32)]
    pub preserve_fd: Vec<u32>,
    /// What the kernel says of the machine: LINUX or LINUX32
    #[arg(long, value_name = "NAME")]
    pub personality: Option<String>,
    /// Keys that leave the container running (default ctrl-p,ctrl-q)
    #[arg(long, value_name = "KEYS")]
    pub detach_keys: Option<String>,
}

/// The container's files.
#[derive(Debug, Args)]
#[command(next_help_heading = "File options")]
pub struct FileArgs {
    /// Mount a directory or file of this host (can be repeated)
    #[arg(short, long, value_name = "SOURCE:TARGET[:OPTIONS]")]
    pub volume: Vec<String>,
    /// Mount, in long form: type=bind|devpts|glob|image|ramfs|tmpfs|volume,… (can be repeated)
    #[arg(long, value_name = "MOUNT")]
    pub mount: Vec<String>,
    /// Mount an empty file system in memory (can be repeated)
    #[arg(long, value_name = "TARGET[:OPTIONS]")]
    pub tmpfs: Vec<String>,
    /// Make the container's own files read-only
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = value::boolean)]
    pub read_only: Option<bool>,
    /// With --read-only: keep /tmp, /run and the like writable (default true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = value::boolean)]
    pub read_only_tmpfs: Option<bool>,
    /// What the image's volumes become: bind, tmpfs, ignore
    #[arg(long, value_name = "MODE")]
    pub image_volume: Option<String>,
    /// Size of /dev/shm (default 65536000)
    #[arg(long, value_name = "SIZE")]
    pub shm_size: Option<String>,
    /// Device of this host, or VENDOR/CLASS=NAME of a CDI spec (can be repeated)
    #[arg(long, value_name = "HOST[:CONTAINER][:rwm]", value_delimiter = ',')]
    pub device: Vec<String>,
    /// Rule of the device cgroup: always refused, it needs root of this host
    #[arg(long, value_name = "RULE", hide = true)]
    pub device_cgroup_rule: Vec<String>,
    /// GPU by its CDI name below nvidia.com/gpu, or all (can be repeated)
    #[arg(long, value_name = "GPU", value_delimiter = ',')]
    pub gpus: Vec<String>,
    /// Mount the binds and volumes of another container (can be repeated)
    #[arg(long, value_name = "CONTAINER[:OPTIONS]")]
    pub volumes_from: Vec<String>,
    /// With --init: a program of this host to be pid 1
    #[arg(long, value_name = "PATH")]
    pub init_path: Option<String>,
}

/// The container's network.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network options")]
pub struct NetworkArgs {
    /// pasta, slirp4netns, host, none, container:NAME or ns:PATH
    #[arg(long, visible_alias = "net", value_name = "MODE")]
    pub network: Vec<String>,
    /// Publish a port (can be repeated)
    #[arg(short, long, value_name = "[[IP:]HOST:]CONTAINER[/PROTOCOL]")]
    pub publish: Vec<String>,
    /// Publish all exposed ports on free ports of the host
    #[arg(short = 'P', long)]
    pub publish_all: bool,
    /// Expose a port or range (can be repeated)
    #[arg(long, value_name = "PORT[/PROTOCOL]", value_delimiter = ',')]
    pub expose: Vec<String>,
    /// Host name inside (default: the first 12 digits of the id)
    #[arg(short = 'h', long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// Line of /etc/hosts (can be repeated)
    #[arg(long, value_name = "NAME:IP")]
    pub add_host: Vec<String>,
    /// Whose entries /etc/hosts begins with: a file of the host, none, or image (default: the host's)
    #[arg(long, value_name = "FILE")]
    pub hosts_file: Option<String>,
    /// Leave the image's /etc/hosts alone
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = value::boolean)]
    pub no_hosts: Option<bool>,
    /// Leave the image's /etc/hostname alone
    #[arg(long)]
    pub no_hostname: bool,
    /// Name server (can be repeated)
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    pub dns: Vec<String>,
    /// Domain to search for short names (can be repeated)
    #[arg(long, value_name = "DOMAIN", value_delimiter = ',')]
    pub dns_search: Vec<String>,
    /// Option of /etc/resolv.conf (can be repeated)
    #[arg(
        long,
        visible_alias = "dns-opt",
        value_name = "OPTION",
        value_delimiter = ','
    )]
    pub dns_option: Vec<String>,
}

/// Which cgroup the container is in.
#[derive(Debug, Args)]
#[command(next_help_heading = "Resource options")]
pub struct GroupArgs {
    /// Whether it has a cgroup of its own: enabled (where that is possible), disabled, no-conmon, split
    #[arg(long, value_name = "MODE")]
    pub cgroups: Option<String>,
    /// Cgroup to make its own in: a path below /sys/fs/cgroup, or below your cgroups where it does not begin with /
    #[arg(long, value_name = "PATH")]
    pub cgroup_parent: Option<String>,
    /// Write VALUE to a file of its cgroup (can be repeated)
    #[arg(long, value_name = "FILE=VALUE")]
    pub cgroup_conf: Vec<String>,
}

/// What the container may do.
#[derive(Debug, Args)]
#[command(next_help_heading = "Security and namespace options")]
pub struct SecurityArgs {
    /// Capability to add, or ALL (can be repeated)
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    pub cap_add: Vec<String>,
    /// Capability to drop, or ALL (can be repeated)
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    pub cap_drop: Vec<String>,
    /// All capabilities and devices, no filter of system calls
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = value::boolean)]
    pub privileged: Option<bool>,
    /// no-new-privileges, seccomp=FILE|unconfined, mask=, unmask=, … (can be repeated)
    #[arg(long, value_name = "OPTION")]
    pub security_opt: Vec<String>,
    /// Kernel parameter of the container's namespaces (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    pub sysctl: Vec<String>,
    /// User namespace: host (you are root), keep-id[:uid=,gid=], nomap
    #[arg(long, value_name = "MODE")]
    pub userns: Option<String>,
    /// Process namespace: private, host, container:NAME, ns:PATH
    #[arg(long, value_name = "MODE")]
    pub pid: Option<String>,
    /// IPC namespace: private, host, none, shareable, container:NAME, ns:PATH
    #[arg(long, value_name = "MODE")]
    pub ipc: Option<String>,
    /// Host name namespace: private, host, container:NAME, ns:PATH
    #[arg(long, value_name = "MODE")]
    pub uts: Option<String>,
    /// Cgroup namespace: private, host, container:NAME, ns:PATH
    #[arg(long, value_name = "MODE")]
    pub cgroupns: Option<String>,
}
