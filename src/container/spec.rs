//! From a record to the OCI spec the runtime executes (runtime-spec `config.md`), and what goes with it.
//!
//! What the request asks for is in the spec, or this is an error: nothing is dropped on the way.

mod asked;
mod confinement;
mod devices;
mod mounts;

use std::collections::HashMap;
use std::path::PathBuf;

use oci_spec::runtime::{
    LinuxBuilder, LinuxNamespace, LinuxNamespaceType, LinuxPersonalityBuilder,
    LinuxPersonalityDomain, Mount, ProcessBuilder, RootBuilder, Spec, SpecBuilder, UserBuilder,
};

use crate::error::{Error, Kind, Result};
use crate::net::NetworkMode;
use crate::runtime::accounts::AccountEntry;
use crate::runtime::caps::CapSet;
use crate::runtime::files::{SECRETS, secrets_mount};
use crate::runtime::seccomp::Program;
use crate::runtime::spec::namespace;
use crate::runtime::{Rootfs, SecretFile, UserPlan};
use crate::storage::Store;
use crate::userns::map::Extent;

use super::engine::Containers;
use super::merge::{EnvList, clean_target};
use super::record::{Record, State};
use super::request::{MountRequest, NamespaceMode, Personality, SecurityOpt, UsernsMode};
use confinement::{bounding_set, capabilities, filter, masks, rlimits, sysctls};
use mounts::{INIT_PATH, timezone};

/// Podman's default; octal.
const UMASK: u32 = 0o022;

/// What the runtime needs to make the container, or to add a process to it.
pub(super) struct Plan {
    pub spec: Spec,
    pub user: UserPlan,
    pub seccomp: Option<Program>,
    pub secrets: Vec<SecretFile>,
    pub accounts: Vec<AccountEntry>,
}

impl Containers {
    /// Derives everything from the record. Containers whose namespaces are joined must run.
    pub(super) fn plan(&self, record: &Record) -> Result<Plan> {
        self.plan_with(record, self.secret_files(record)?)
    }

    /// As [`Containers::plan`], for one more process: what is mounted is there already.
    pub(super) fn plan_of_exec(&self, record: &Record) -> Result<Plan> {
        self.plan_with(record, Vec::new())
    }

    fn plan_with(&self, record: &Record, secrets: Vec<SecretFile>) -> Result<Plan> {
        let request = &record.request;
        let bounding = bounding_set(record)?;
        let added = match request.privileged {
            true => CapSet::EMPTY,
            false => CapSet::parse(&request.cap_add)?.intersection(bounding),
        };
        let mut mounts = self.mounts(record)?;
        if !secrets.is_empty() {
            let below = |m: &Mount| m.destination().starts_with(SECRETS);
            let at = mounts.iter().position(below).unwrap_or(mounts.len());
            mounts.insert(at, secrets_mount(&secrets));
        }
        for opt in &request.security_opt {
            if let SecurityOpt::ProcOpts(options) = opt {
                add_proc_options(&mut mounts, options)?;
            }
        }
        let mut env = EnvList {
            lines: record.process.env.clone(),
        };
        for (name, value) in self.secret_env(record)? {
            env.set(&name, &value);
        }
        let mut args = record.process.args.clone();
        if has_own_init(record) {
            let init = [INIT_PATH, "--"].map(str::to_owned);
            args.splice(0..0, init);
        }
        let spec = SpecBuilder::default()
            .version("1.2.0")
            .root(built(
                RootBuilder::default()
                    .path("rootfs")
                    .readonly(request.read_only)
                    .build(),
            )?)
            .mounts(mounts)
            .process(built(
                ProcessBuilder::default()
                    .terminal(request.tty)
                    .args(args)
                    .env(env.lines)
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
        let mut groups = request.group_add.clone();
        let of_devices = request.cdi.iter().flat_map(|cdi| &cdi.groups);
        groups.extend(of_devices.map(u32::to_string));
        let (masked, readonly) = masks(record);
        let mut linux = LinuxBuilder::default()
            .namespaces(self.namespaces_of(record)?)
            .masked_paths(masked)
            .readonly_paths(readonly)
            .sysctl(sysctls(record)?);
        if let Some(asked) = request.personality {
            let domain = match asked {
                Personality::Linux => LinuxPersonalityDomain::PerLinux,
                Personality::Linux32 => LinuxPersonalityDomain::PerLinux32,
            };
            let personality = LinuxPersonalityBuilder::default().domain(domain);
            linux = linux.personality(built(personality.build())?);
        }
        spec.set_linux(Some(built(linux.build())?));
        Ok(Plan {
            spec,
            user: UserPlan {
                user: user_of(record),
                groups,
                keep_groups: request.keep_groups,
                caps: added,
            },
            seccomp: filter(record, bounding)?,
            secrets,
            accounts: record.accounts.clone(),
        })
    }

    /// Where the container's tree comes from.
    pub(super) fn rootfs(&self, record: &Record) -> Rootfs {
        match &record.request.rootfs {
            Some(dir) if record.has_upper() => {
                let own = self.dir(&record.id);
                Rootfs::Overlay {
                    lower: vec![dir.clone()],
                    upper: own.join("upper"),
                    work: own.join("work"),
                    volatile: record.request.auto_remove,
                }
            }
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
}

fn add_proc_options(mounts: &mut [Mount], options: &[String]) -> Result<()> {
    let own = |m: &&mut Mount| {
        m.destination().as_os_str() == "/proc" && m.typ().as_deref() == Some("proc")
    };
    let proc = mounts.iter_mut().find(own).ok_or_else(|| {
        Error::usage("proc-opts can only be used if proc is mounted in the container")
    })?;
    let mut all = proc.options().clone().unwrap_or_default();
    all.extend(options.iter().cloned());
    proc.set_options(Some(all));
    Ok(())
}

/// `--init-path`: pid 1 is a program of the host, not ours.
pub(super) fn has_own_init(record: &Record) -> bool {
    record.request.init && record.request.init_path.is_some()
}

/// Everything in the layer of mount points will be covered, and belongs to root inside.
pub(super) fn uses_mount_points(record: &Record) -> bool {
    let root_is = |map: &[Extent], id| map.iter().any(|e| e.inside == 0 && e.outside == id);
    record.request.rootfs.is_none()
        && !record.request.no_hosts
        && !record.request.no_hostname
        && root_is(&record.ids.uids, rustix::process::geteuid().as_raw())
        && root_is(&record.ids.gids, rustix::process::getegid().as_raw())
}

/// With `--userns=keep-id` and no user named anywhere, the process is the caller, not root.
pub(super) fn user_of(record: &Record) -> String {
    match record.request.userns {
        UsernsMode::KeepId { .. } if record.process.user.is_empty() => {
            let (uid, gid) = own_ids(record);
            format!("{uid}:{gid}")
        }
        _ => record.process.user.clone(),
    }
}

/// What the caller's uid and gid are inside.
pub(super) fn own_ids(record: &Record) -> (u32, u32) {
    let own = |map: &[crate::userns::map::Extent], id: u32| {
        map.iter()
            .find(|extent| extent.outside == id && extent.count == 1)
            .map_or(0, |extent| extent.inside)
    };
    let (uid, gid) = crate::userns::inside::own_ids();
    (own(&record.ids.uids, uid), own(&record.ids.gids, gid))
}

/// Builders of this crate fail only when a required part is missing, which the code above gives.
fn built<T, E: std::fmt::Display>(built: Result<T, E>) -> Result<T> {
    built.map_err(|err| Error::new(Kind::System, format!("make the OCI spec: {err}")))
}

pub(super) fn shares_network(record: &Record) -> bool {
    matches!(record.network, NetworkMode::Host | NetworkMode::Path { .. })
}

/// The host's own name needs no setting, and the kernel would not let us where the namespace is another's.
fn sets_hostname(record: &Record) -> bool {
    !record.hostname.is_empty()
}

/// Where a mount the user asks for goes.
pub(super) fn mount_target(mount: &MountRequest) -> Option<String> {
    let target = mount.target();
    clean_target(target)
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
