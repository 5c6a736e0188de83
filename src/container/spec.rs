//! From a record to the OCI spec the runtime executes (runtime-spec `config.md`), and what goes with it.
//!
//! What the request asks for is in the spec, or this is an error: nothing is dropped on the way.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{
    LinuxBuilder, LinuxCapabilitiesBuilder, LinuxNamespace, LinuxNamespaceType, Mount, PosixRlimit,
    PosixRlimitType, ProcessBuilder, RootBuilder, Spec, SpecBuilder, UserBuilder,
};

use crate::error::{Error, Kind, Result};
use crate::net::NetworkMode;
use crate::runtime::caps::{CapSet, ProcessCaps};
use crate::runtime::seccomp::{self, Program};
use crate::runtime::spec::{
    SHM_BYTES, Shared, default_mounts, default_rlimits, default_sysctls, masked_paths, mount,
    namespace, readonly_paths, rlimit,
};
use crate::runtime::{Rootfs, UserPlan};
use crate::storage::Store;
use crate::userns::map::Extent;

use super::engine::Containers;
use super::merge::clean_target;
use super::record::{Record, State};
use super::request::{
    ImageVolumes, MountOptions, MountRequest, NamespaceMode, SecurityOpt, UsernsMode,
};

/// Podman's default; octal.
const UMASK: u32 = 0o022;

/// What the runtime needs to make the container, or to add a process to it.
pub(super) struct Plan {
    pub spec: Spec,
    pub user: UserPlan,
    pub seccomp: Option<Program>,
}

impl Containers {
    /// Derives everything from the record. Containers whose namespaces are joined must run.
    pub(super) fn plan(&self, record: &Record) -> Result<Plan> {
        let request = &record.request;
        let bounding = bounding_set(record)?;
        let added = match request.privileged {
            true => CapSet::EMPTY,
            false => CapSet::parse(&request.cap_add)?.intersection(bounding),
        };
        let spec = SpecBuilder::default()
            .version("1.2.0")
            .root(built(
                RootBuilder::default()
                    .path("rootfs")
                    .readonly(request.read_only)
                    .build(),
            )?)
            .mounts(self.mounts(record)?)
            .process(built(
                ProcessBuilder::default()
                    .terminal(request.tty)
                    .args(record.process.args.clone())
                    .env(record.process.env.clone())
                    .cwd(record.process.cwd.clone())
                    .user(built(
                        UserBuilder::default()
                            .uid(0u32)
                            .gid(0u32)
                            .umask(request.umask.unwrap_or(UMASK))
                            .build(),
                    )?)
                    .capabilities(capabilities(bounding)?)
                    .rlimits(rlimits(record)?)
                    .no_new_privileges(request.security_opt.contains(&SecurityOpt::NoNewPrivileges))
                    .build(),
            )?)
            .annotations(
                request
                    .annotations
                    .clone()
                    .into_iter()
                    .collect::<HashMap<_, _>>(),
            );
        let spec = match (&request.uts, sets_hostname(record)) {
            (NamespaceMode::Private, true) => spec.hostname(record.hostname.clone()),
            _ => spec,
        };
        let mut spec = built(spec.build())?;
        if let (Some(adj), Some(process)) = (request.oom_score_adj, spec.process_mut()) {
            process.set_oom_score_adj(Some(adj));
        }
        let (masked, readonly) = masks(record);
        spec.set_linux(Some(built(
            LinuxBuilder::default()
                .namespaces(self.namespaces_of(record)?)
                .masked_paths(masked)
                .readonly_paths(readonly)
                .sysctl(sysctls(record)?)
                .build(),
        )?));
        Ok(Plan {
            spec,
            user: UserPlan {
                user: user_of(record),
                groups: request.group_add.clone(),
                caps: added,
            },
            seccomp: filter(record, bounding)?,
        })
    }

    /// Where the container's tree comes from.
    pub(super) fn rootfs(&self, record: &Record) -> Rootfs {
        match &record.request.rootfs {
            Some(dir) => Rootfs::Dir(dir.clone()),
            None => {
                let dir = self.dir(&record.id);
                let layers = record.layers.iter();
                let mut lower: Vec<_> = layers.map(|dir| self.dirs.store.join(dir)).collect();
                if uses_mount_points(record) {
                    lower.push(Store::mount_points_of(&self.dirs.store));
                }
                Rootfs::Overlay {
                    lower,
                    upper: dir.join("upper"),
                    work: dir.join("work"),
                    volatile: record.request.auto_remove,
                }
            }
        }
    }

    fn namespaces_of(&self, record: &Record) -> Result<Vec<LinuxNamespace>> {
        use LinuxNamespaceType as Kind;
        let request = &record.request;
        let mut spaces = vec![namespace(Kind::Mount, None)];
        // A namespace can be joined only by who has power over its owner: joining a container means joining its
        // user namespace too.
        let owner = match record.dependencies.first() {
            Some(id) => Some(self.ns_path(id, "user")?),
            None => None,
        };
        spaces.push(namespace(Kind::User, owner));
        let modes = [
            (Kind::Pid, "pid", &request.pid),
            (Kind::Ipc, "ipc", &request.ipc),
            (Kind::Uts, "uts", &request.uts),
            (Kind::Cgroup, "cgroup", &request.cgroupns),
        ];
        for (kind, file, mode) in modes {
            let path = match mode {
                NamespaceMode::Host => continue,
                NamespaceMode::Private | NamespaceMode::None => None,
                NamespaceMode::Path(path) => Some(path.clone()),
                NamespaceMode::Container(id) => Some(self.ns_path(id, file)?),
            };
            spaces.push(namespace(kind, path));
        }
        match &record.network {
            NetworkMode::Host => {}
            NetworkMode::Path { path } => spaces.push(namespace(Kind::Network, Some(path.clone()))),
            NetworkMode::Container { id } => {
                spaces.push(namespace(Kind::Network, Some(self.ns_path(id, "net")?)))
            }
            NetworkMode::None | NetworkMode::Pasta { .. } | NetworkMode::Slirp4netns { .. } => {
                spaces.push(namespace(Kind::Network, None));
            }
        }
        Ok(spaces)
    }

    fn ns_path(&self, id: &str, file: &str) -> Result<PathBuf> {
        let state = match self.open(id)? {
            Some(container) => container.state,
            None => State::default(),
        };
        if state.open_init().is_none() {
            return Err(Error::new(
                Kind::State,
                format!("join the namespaces of container {id}: it is not running: container state improper"),
            )
            .hint("start it first"));
        }
        Ok(PathBuf::from(format!("/proc/{}/ns/{file}", state.pid)))
    }

    fn mounts(&self, record: &Record) -> Result<Vec<Mount>> {
        let request = &record.request;
        let shared = Shared {
            pid: request.pid == NamespaceMode::Host,
            ipc: request.ipc == NamespaceMode::Host,
            net: shares_network(record),
            cgroup: request.cgroupns == NamespaceMode::Host,
        };
        let shm = match &request.ipc {
            NamespaceMode::None | NamespaceMode::Container(_) => None,
            _ => Some(request.shm_size.unwrap_or(SHM_BYTES)),
        };
        let mut defaults = default_mounts(shared, shm, &record.ids);
        if request.privileged {
            defaults.iter_mut().for_each(make_writable);
        }
        let mut own = self.files(record);
        if request.read_only && request.read_only_tmpfs.unwrap_or(true) {
            for target in ["/run", "/tmp", "/var/tmp"] {
                own.push(mount(
                    target,
                    "tmpfs",
                    "tmpfs",
                    &["rw", "rprivate", "nosuid", "nodev", "mode=1777"],
                ));
            }
        }
        let dir = self.dir(&record.id);
        for (place, target) in &record.volumes {
            let source = dir.join(place);
            own.push(mount(
                target,
                "bind",
                &text(&source)?,
                &["bind", "rprivate", "nosuid", "nodev"],
            ));
        }
        if request.image_volumes == ImageVolumes::Tmpfs {
            for target in &record.image_volumes {
                own.push(mount(
                    target,
                    "tmpfs",
                    "tmpfs",
                    &["rprivate", "nosuid", "nodev", "noexec"],
                ));
            }
        }
        for device in devices(record) {
            let options = [
                "bind",
                "rprivate",
                "nosuid",
                "noexec",
                if device.writable { "rw" } else { "ro" },
            ];
            own.push(mount(
                &text(&device.target)?,
                "bind",
                &text(&device.source)?,
                &options,
            ));
        }
        if let Some(zone) = timezone(request.timezone.as_deref())? {
            own.push(mount(
                "/etc/localtime",
                "bind",
                &text(&zone)?,
                &["bind", "ro", "rprivate", "nosuid", "nodev"],
            ));
        }
        for asked in &request.mounts {
            let asked = user_mount(asked)?;
            own.retain(|m| m.destination() != asked.destination());
            own.push(asked);
        }
        // A mount hides what was mounted below it before: outer ones come first.
        own.sort_by_key(|m| m.destination().components().count());
        defaults.retain(|m| !own.iter().any(|o| o.destination() == m.destination()));
        defaults.extend(own);
        Ok(defaults)
    }

    /// The generated files; the starter writes them into the runtime directory.
    fn files(&self, record: &Record) -> Vec<Mount> {
        let request = &record.request;
        // Containers that share a network share its names too.
        let of_network = match &record.network {
            NetworkMode::Container { id } => self.run_dir(id),
            _ => self.run_dir(&record.id),
        };
        let own = self.run_dir(&record.id);
        let wanted = [
            ("/etc/hosts", of_network.join("hosts"), !request.no_hosts),
            ("/etc/resolv.conf", of_network.join("resolv.conf"), true),
            ("/etc/hostname", own.join("hostname"), !request.no_hostname),
            ("/run/.containerenv", own.join(".containerenv"), true),
        ];
        let options = ["bind", "rprivate", "nosuid", "noexec", "nodev"];
        wanted
            .iter()
            .filter(|(_, _, wanted)| *wanted)
            .map(|(target, source, _)| mount(target, "bind", &source.to_string_lossy(), &options))
            .collect()
    }
}

/// With `--userns=keep-id` and no user named anywhere, the process is the caller, not root.
/// Everything in the layer of mount points will be covered, and belongs to root inside.
pub(super) fn uses_mount_points(record: &Record) -> bool {
    let root_is = |map: &[Extent], id| map.iter().any(|e| e.inside == 0 && e.outside == id);
    record.request.rootfs.is_none()
        && !record.request.no_hosts
        && !record.request.no_hostname
        && root_is(&record.ids.uids, rustix::process::geteuid().as_raw())
        && root_is(&record.ids.gids, rustix::process::getegid().as_raw())
}

fn user_of(record: &Record) -> String {
    let own = |map: &[crate::userns::map::Extent], id: u32| {
        map.iter()
            .find(|extent| extent.outside == id && extent.count == 1)
            .map_or(0, |extent| extent.inside)
    };
    match record.request.userns {
        UsernsMode::KeepId { .. } if record.process.user.is_empty() => format!(
            "{}:{}",
            own(&record.ids.uids, crate::userns::inside::own_ids().0),
            own(&record.ids.gids, crate::userns::inside::own_ids().1)
        ),
        _ => record.process.user.clone(),
    }
}

/// Builders of this crate fail only when a required part is missing, which the code above gives.
fn built<T, E: std::fmt::Display>(built: Result<T, E>) -> Result<T> {
    built.map_err(|err| Error::new(Kind::System, format!("make the OCI spec: {err}")))
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::usage(format!("mount {}: the path is not UTF-8", path.display())))
}

pub(super) fn shares_network(record: &Record) -> bool {
    matches!(record.network, NetworkMode::Host | NetworkMode::Path { .. })
}

/// The host's own name needs no setting, and the kernel would not let us where the namespace is another's.
fn sets_hostname(record: &Record) -> bool {
    !record.hostname.is_empty()
}

fn bounding_set(record: &Record) -> Result<CapSet> {
    let request = &record.request;
    match request.privileged {
        true => CapSet::merge(CapSet::ALL, &Vec::<String>::new(), &request.cap_drop),
        false => {
            let base = match &request.default_capabilities {
                Some(names) => CapSet::parse(names)?,
                None => CapSet::DEFAULT,
            };
            CapSet::merge(base, &request.cap_add, &request.cap_drop)
        }
    }
}

fn capabilities(bounding: CapSet) -> Result<oci_spec::runtime::LinuxCapabilities> {
    let caps = ProcessCaps::for_root(bounding);
    built(
        LinuxCapabilitiesBuilder::default()
            .bounding(caps.bounding.to_oci())
            .effective(caps.effective.to_oci())
            .permitted(caps.permitted.to_oci())
            .inheritable(caps.inheritable.to_oci())
            .ambient(caps.ambient.to_oci())
            .build(),
    )
}

/// What a process of the container holds when it is root there: names for `inspect`.
pub(super) fn capability_names(record: &Record) -> Vec<&'static str> {
    bounding_set(record).map(CapSet::names).unwrap_or_default()
}

/// Checks `--cap-add` and `--cap-drop` before anything is made.
pub(super) fn check(record: &Record) -> Result<()> {
    bounding_set(record)?;
    rlimits(record)?;
    sysctls(record)?;
    timezone(record.request.timezone.as_deref())?;
    Ok(())
}

fn rlimits(record: &Record) -> Result<Vec<PosixRlimit>> {
    let mut limits = default_rlimits();
    for asked in &record.request.ulimits {
        let kind = rlimit_kind(&asked.name)
            .ok_or_else(|| Error::usage(format!("invalid ulimit type: {}", asked.name)))?;
        if asked.soft > asked.hard {
            return Err(Error::usage(format!(
                "ulimit soft limit must be less than or equal to hard limit: {} > {}",
                asked.soft, asked.hard
            )));
        }
        limits.retain(|l| l.typ() != kind);
        limits.push(rlimit(kind, asked.soft, asked.hard));
    }
    Ok(limits)
}

fn rlimit_kind(name: &str) -> Option<PosixRlimitType> {
    use PosixRlimitType as T;
    let name = name.to_ascii_lowercase();
    Some(match name.strip_prefix("rlimit_").unwrap_or(&name) {
        "as" => T::RlimitAs,
        "core" => T::RlimitCore,
        "cpu" => T::RlimitCpu,
        "data" => T::RlimitData,
        "fsize" => T::RlimitFsize,
        "locks" => T::RlimitLocks,
        "memlock" => T::RlimitMemlock,
        "msgqueue" => T::RlimitMsgqueue,
        "nice" => T::RlimitNice,
        "nofile" => T::RlimitNofile,
        "nproc" => T::RlimitNproc,
        "rss" => T::RlimitRss,
        "rtprio" => T::RlimitRtprio,
        "rttime" => T::RlimitRttime,
        "sigpending" => T::RlimitSigpending,
        "stack" => T::RlimitStack,
        _ => return None,
    })
}

/// Only what belongs to a namespace the container has of its own (`sysctl(8)` of anything else is the host's).
fn sysctls(record: &Record) -> Result<HashMap<String, String>> {
    let request = &record.request;
    let own_net =
        !shares_network(record) && !matches!(record.network, NetworkMode::Container { .. });
    let mut all: HashMap<String, String> =
        default_sysctls(&record.ids, own_net).into_iter().collect();
    for (name, value) in &request.sysctls {
        let name = match name.contains('.') {
            true => name.clone(),
            false => name.replace('/', "."),
        };
        let clean = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/'));
        let (known, own, which) = match name.as_str() {
            n if n.starts_with("net.") => (true, own_net, "network"),
            n if n.starts_with("fs.mqueue.") => {
                (true, request.ipc == NamespaceMode::Private, "IPC")
            }
            "kernel.msgmax"
            | "kernel.msgmnb"
            | "kernel.msgmni"
            | "kernel.sem"
            | "kernel.shmall"
            | "kernel.shmmax"
            | "kernel.shmmni"
            | "kernel.shm_rmid_forced" => (true, request.ipc == NamespaceMode::Private, "IPC"),
            "kernel.domainname" | "kernel.hostname" => {
                (true, request.uts == NamespaceMode::Private, "UTS")
            }
            _ => (false, false, ""),
        };
        if !known || !clean || name.contains("..") {
            return Err(Error::usage(format!(
                "sysctl '{name}' is not allowed: it belongs to the whole host"
            )));
        }
        if !own {
            return Err(Error::usage(format!(
                "sysctl '{name}' is not allowed: the container has no {which} namespace of its own"
            )));
        }
        all.insert(name, value.clone());
    }
    Ok(all)
}

fn masks(record: &Record) -> (Vec<String>, Vec<String>) {
    if record.request.privileged {
        return (Vec::new(), Vec::new());
    }
    let (mut masked, mut readonly) = (masked_paths(), readonly_paths());
    for opt in &record.request.security_opt {
        match opt {
            SecurityOpt::Mask(paths) => masked.extend(paths.iter().cloned()),
            SecurityOpt::Unmask(paths) if paths.iter().any(|p| p.eq_ignore_ascii_case("all")) => {
                masked.clear();
                readonly.clear();
            }
            SecurityOpt::Unmask(paths) => {
                let keep = |path: &String| !paths.iter().any(|pattern| unmasks(pattern, path));
                masked.retain(keep);
                readonly.retain(keep);
            }
            _ => {}
        }
    }
    (masked, readonly)
}

/// `/proc/acpi` itself, or `/proc/*`.
fn unmasks(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => path
            .strip_prefix(start)
            .is_some_and(|rest| !rest.contains('/')),
        None => pattern.trim_end_matches('/') == path,
    }
}

fn filter(record: &Record, caps: CapSet) -> Result<Option<Program>> {
    let request = &record.request;
    let mut profile = None;
    let mut unconfined = request.privileged;
    for opt in &request.security_opt {
        match opt {
            SecurityOpt::SeccompUnconfined => unconfined = true,
            SecurityOpt::SeccompProfile(path) => {
                unconfined = false;
                profile = Some(seccomp::compile(&seccomp::load_profile(path, caps)?)?);
            }
            _ => {}
        }
    }
    let single = record.ids.is_single();
    let program = match (unconfined, profile) {
        (true, _) if single => return Ok(Some(seccomp::errno_filter())),
        (true, _) => return Ok(None),
        (false, Some(program)) => program,
        (false, None) => seccomp::default_profile(caps),
    };
    // Programs that drop ids must start where there is one id only.
    Ok(Some(if single {
        seccomp::with_errno_filter(&program)?
    } else {
        program
    }))
}

fn user_mount(asked: &MountRequest) -> Result<Mount> {
    let target = |target: &str| {
        clean_target(target)
            .ok_or_else(|| Error::usage(format!("invalid container path {target:?}")))
    };
    Ok(match asked {
        MountRequest::Bind {
            source,
            target: to,
            options,
        } => {
            let kind = if options.non_recursive {
                "bind"
            } else {
                "rbind"
            };
            let mut words = vec![kind.to_owned()];
            words.push(
                options
                    .propagation
                    .clone()
                    .unwrap_or_else(|| "rprivate".to_owned()),
            );
            words.extend(attributes(options, [true, true, false]));
            mount(&target(to)?, "bind", &text(source)?, &refs(&words))
        }
        MountRequest::Tmpfs {
            target: to,
            data,
            options,
        } => {
            let mut words = vec![
                options
                    .propagation
                    .clone()
                    .unwrap_or_else(|| "rprivate".to_owned()),
            ];
            words.extend(attributes(options, [true, true, false]));
            words.extend(data.iter().cloned());
            mount(&target(to)?, "tmpfs", "tmpfs", &refs(&words))
        }
        MountRequest::Devpts { target: to, data } => {
            let mut words = vec![
                "nosuid".to_owned(),
                "noexec".to_owned(),
                "newinstance".to_owned(),
            ];
            words.extend(data.iter().cloned());
            mount(&target(to)?, "devpts", "devpts", &refs(&words))
        }
    })
}

fn refs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// `defaults`: nosuid, nodev, noexec where the user says nothing.
fn attributes(options: &MountOptions, defaults: [bool; 3]) -> Vec<String> {
    let mut words = vec![if options.read_only { "ro" } else { "rw" }];
    let flags = [
        (options.nosuid, "nosuid", "suid"),
        (options.nodev, "nodev", "dev"),
        (options.noexec, "noexec", "exec"),
    ];
    for ((asked, on, off), default) in flags.into_iter().zip(defaults) {
        match asked {
            Some(true) => words.push(on),
            Some(false) => words.push(off),
            None if default => words.push(on),
            None => {}
        }
    }
    words.into_iter().map(str::to_owned).collect()
}

fn make_writable(mount: &mut Mount) {
    if let Some(mut options) = mount.options().clone() {
        options.retain(|o| o != "ro");
        mount.set_options(Some(options));
    }
}

struct Device {
    source: PathBuf,
    target: PathBuf,
    writable: bool,
}

/// `--device`, and with `--privileged` every device of the host this user may use. Rootless: bound, not made.
fn devices(record: &Record) -> Vec<Device> {
    let asked = record.request.devices.iter().map(|d| Device {
        source: d.source.clone(),
        target: d.target.clone(),
        writable: d.permissions.is_empty() || d.permissions.contains('w'),
    });
    let mut all: Vec<Device> = asked.collect();
    if record.request.privileged {
        let mut found = Vec::new();
        host_devices(Path::new("/dev"), 0, &mut found);
        let new = found
            .into_iter()
            .filter(|path| !all.iter().any(|d| d.target == *path));
        let new: Vec<Device> = new
            .map(|path| Device {
                source: path.clone(),
                target: path,
                writable: true,
            })
            .collect();
        all.extend(new);
    }
    all
}

/// As Podman: everything but what a container has of its own.
fn host_devices(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    use std::os::unix::fs::FileTypeExt;
    const OWN: [&str; 15] = [
        "pts",
        "shm",
        "fd",
        "mqueue",
        ".lxc",
        ".lxd-mounts",
        ".udev",
        "console",
        "tty",
        "ptmx",
        "null",
        "zero",
        "full",
        "random",
        "urandom",
    ];
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if depth == 0 && OWN.iter().any(|own| name == *own) {
            continue;
        }
        if kind.is_dir() && depth < 2 {
            host_devices(&entry.path(), depth + 1, found);
        } else if (kind.is_char_device() || kind.is_block_device())
            && rustix::fs::access(entry.path(), rustix::fs::Access::READ_OK).is_ok()
        {
            found.push(entry.path());
        }
    }
}

/// `--tz`: the host's zone file to show as `/etc/localtime`.
fn timezone(asked: Option<&str>) -> Result<Option<PathBuf>> {
    let Some(zone) = asked else { return Ok(None) };
    let bad = |why: &str| Error::usage(format!("timezone {zone:?}: {why}"));
    let path = match zone {
        "local" => PathBuf::from("/etc/localtime"),
        _ if zone.starts_with('/') || zone.split('/').any(|part| part == "..") => {
            return Err(bad("not the name of a zone"));
        }
        _ => Path::new("/usr/share/zoneinfo").join(zone),
    };
    match path.canonicalize() {
        Ok(path) if path.is_file() => Ok(Some(path)),
        _ => Err(bad("unknown on this host").hint("install tzdata")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmask_patterns() {
        let table = [
            ("/proc/acpi", "/proc/acpi", true),
            ("/proc/acpi/", "/proc/acpi", true),
            ("/proc/*", "/proc/acpi", true),
            ("/sys/*", "/sys/fs/selinux", false),
            ("/proc/a", "/proc/acpi", false),
        ];
        for (pattern, path, want) in table {
            assert_eq!(unmasks(pattern, path), want, "{pattern} {path}");
        }
    }

    #[test]
    fn what_the_user_says_beats_the_default() {
        let options = MountOptions {
            nosuid: Some(false),
            noexec: Some(true),
            read_only: true,
            ..Default::default()
        };
        assert_eq!(
            attributes(&options, [true, true, false]),
            ["ro", "suid", "nodev", "noexec"]
        );
    }

    #[test]
    fn ulimit_names() {
        assert_eq!(rlimit_kind("nofile"), Some(PosixRlimitType::RlimitNofile));
        assert_eq!(
            rlimit_kind("RLIMIT_CORE"),
            Some(PosixRlimitType::RlimitCore)
        );
        assert_eq!(rlimit_kind("files"), None);
    }
}
