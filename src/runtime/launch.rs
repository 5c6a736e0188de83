//! Runs in: cli or monitor. From a plan to a running container.
//!
//! The caller prepares everything, clones init into its namespaces, has the ids mapped and hears of failures; init
//! (see `init`) does the rest. A container outlives the process that launched it: no parent-death signal is set,
//! and whoever finds that its monitor is gone ends it by its pidfd.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use oci_spec::runtime::{
    LinuxDeviceType, LinuxNamespace, LinuxNamespaceType, LinuxPersonality, LinuxPersonalityDomain,
    Spec,
};
use rustix::fs::FileType;
use rustix::process::{Signal, pidfd_send_signal};

use crate::error::{Error, Kind, Result, Tried};
use crate::rootless::preflight::no_namespace;
use crate::sys;
use crate::sys::process::Cloned;
use crate::userns::map::{Extent, IdMaps};
use crate::userns::write;

use super::accounts::AccountStep;
use super::files;
use super::init::{self, Covered, Device, InitPlan};
use super::join::Joins;
use super::message::{Channel, Message};
use super::mounts::{self, MountStep, Role};
use super::plan::{LaunchPlan, NetReady, Running, Stdio, StdioPlan};
use super::process::{Extras, ProcessPlan};
use super::rootfs::RootPlan;
use super::words;

/// A container whose namespaces exist and whose ids are mapped, busy with its mounts. Dropping it ends it.
#[derive(Debug)]
pub struct Starting {
    child: Child,
    channel: Channel,
    plan: InitPlan,
    stdio: Stdio,
}

/// Makes the namespaces and returns as soon as they can be joined, so that the caller starts the network while the
/// container does its mounts.
///
/// `meanwhile` is the caller's work that can be done while the ids are being mapped; its failure ends the start.
/// For a process with one thread only. Nothing is left behind on failure.
pub fn begin(mut plan: LaunchPlan, meanwhile: impl FnOnce() -> Result<()>) -> Result<Starting> {
    let joins = Joins::open(&plan.spec)?;
    let cgroup = plan.cgroup.take();
    let mut flags = new_namespaces(&plan.spec);
    // A cgroup namespace made by the clone would begin at the caller's group, not at the one cloned into.
    let own_cgroups = cgroup.is_some() && flags & libc::CLONE_NEWCGROUP as u64 != 0;
    if own_cgroups {
        flags &= !(libc::CLONE_NEWCGROUP as u64);
    }
    let own_ids = flags & libc::CLONE_NEWUSER as u64 != 0;
    let mut ids = plan.ids.clone();
    let oom_score_adj = plan
        .spec
        .process()
        .as_ref()
        .and_then(oci_spec::runtime::Process::oom_score_adj);
    let (theirs_stdio, stdio) = make_stdio(plan.stdio)?;
    let mut init = compile(plan, theirs_stdio, own_ids)?;
    init.cgroup_namespace = own_cgroups;
    let cgroup = cgroup.as_ref().map(AsFd::as_fd);

    let (channel, theirs) = Channel::pair().tried(|| "make a socket pair for a container")?;
    let tried = "make the namespaces of a container";
    let child = if joins.is_empty() {
        match sys::process::clone3(flags, cgroup).map_err(|errno| clone_failed(errno, tried))? {
            Cloned::Child => {
                drop(channel);
                init::main(&mut init, &theirs)
            }
            Cloned::Parent { pid, pidfd } => Child::new(pid, pidfd),
        }
    } else {
        let nested = own_ids.then_some(&ids);
        match joins
            .clone_within(flags, nested, cgroup)
            .map_err(|errno| clone_failed(errno, tried))?
        {
            None => {
                drop(channel);
                init::main(&mut init, &theirs)
            }
            Some((pid, pidfd)) => Child::new(pid, pidfd),
        }
    };
    drop(theirs);
    init.stdio = [None, None, None];
    let starting = Starting {
        child,
        channel,
        plan: init,
        stdio,
    };
    if let Some(adjust) = oom_score_adj {
        write_oom_score(starting.pid(), adjust)?;
    }
    if own_ids && starting.plan.asks_for_ids {
        starting.assign_ids(&mut ids)?;
    }
    match own_ids && joins.is_empty() {
        true => starting.write_maps(&ids, meanwhile)?,
        false => meanwhile()?, // the maps are there, by the helper that made it
    }
    match starting.channel.send(Message::MapsWritten) {
        Ok(()) => Ok(starting),
        Err(errno) => Err(starting
            .reported_failure()
            .unwrap_or_else(|| Error::os(errno, "start a container"))),
    }
}

impl Starting {
    pub fn pid(&self) -> Pid {
        self.child.pid
    }

    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.child.pidfd.as_fd()
    }

    /// `/proc/PID/ns/user`; valid until [`Starting::finish`].
    pub fn userns_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/user", self.pid()))
    }

    /// `/proc/PID/ns/net`; valid until [`Starting::finish`].
    pub fn netns_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.pid()))
    }

    /// Lets the container go on and waits until it has executed its program.
    ///
    /// Fails with [`Kind::CommandNotFound`] or [`Kind::NotExecutable`] when it is the program's fault; nothing is
    /// left behind on failure.
    pub fn finish(mut self, _ready: NetReady) -> Result<Running> {
        // A container that is gone has left its reason in the channel.
        let _ = self.channel.send(Message::NetReady);
        let mut executing = false;
        loop {
            match self
                .channel
                .receive()
                .tried(|| "hear from a starting container")?
            {
                Some((Message::Terminal, Some(master))) => self.stdio.pty = Some(master),
                Some((Message::Executing, _)) => executing = true,
                Some((Message::Failed(failed), _)) => {
                    return Err(words::of_launch(&self.plan, failed));
                }
                Some(_) => {
                    return Err(Error::new(
                        Kind::System,
                        "start a container: it sent what nobody asked for",
                    ));
                }
                None if executing => break,
                None => return Err(self.child.ended("start a container")),
            }
        }
        let Starting { child, stdio, .. } = self;
        let (pid, pidfd) = child.release()?;
        Ok(Running { pid, pidfd, stdio })
    }

    fn write_maps(&self, ids: &IdMaps, meanwhile: impl FnOnce() -> Result<()>) -> Result<()> {
        // A child that has failed already is the cause, not the consequence.
        let cause = |err| self.reported_failure().unwrap_or(err);
        let pending = write::start(self.pid(), ids).map_err(cause)?;
        meanwhile()?;
        pending.wait().map_err(cause)
    }

    /// The user of a single-id container is the one id there is.
    fn assign_ids(&self, ids: &mut IdMaps) -> Result<()> {
        match self
            .channel
            .receive()
            .tried(|| "hear from a starting container")?
        {
            Some((Message::WantIds { uid, gid }, _)) => {
                let move_to = |map: &mut Vec<Extent>, inside| {
                    if let Some(extent) = map.first_mut() {
                        extent.inside = inside;
                    }
                };
                move_to(&mut ids.uids, uid);
                move_to(&mut ids.gids, gid);
                Ok(())
            }
            Some((Message::Failed(failed), _)) => Err(words::of_launch(&self.plan, failed)),
            _ => Err(Error::new(
                Kind::System,
                "start a container: it ended early",
            )),
        }
    }

    /// Why the child ended, if it has said so.
    fn reported_failure(&self) -> Option<Error> {
        self.child.kill();
        while let Ok(Some((message, _))) = self.channel.receive() {
            if let Message::Failed(failed) = message {
                return Some(words::of_launch(&self.plan, failed));
            }
        }
        None
    }
}

/// A process that is ended and reaped unless it is released.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: Pid,
    pidfd: OwnedFd,
    armed: bool,
}

impl Child {
    pub(super) fn new(pid: Pid, pidfd: OwnedFd) -> Child {
        Child {
            pid,
            pidfd,
            armed: true,
        }
    }

    /// From now on the caller's to reap. The pidfd is copied, because the guard keeps its own.
    pub(super) fn release(mut self) -> Result<(Pid, OwnedFd)> {
        let pidfd = self.pidfd.try_clone().tried(|| "copy a pidfd")?;
        self.armed = false;
        Ok((self.pid, pidfd))
    }

    pub(super) fn kill(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL); // it may have ended by itself
    }

    /// Says how it ended; it is reaped.
    pub(super) fn ended(&mut self, tried: &str) -> Error {
        self.kill();
        self.armed = false;
        let how = match wait(self.pid) {
            Ok(WaitStatus::Signaled(_, signal, _)) => format!("{signal} ended it early"),
            Ok(WaitStatus::Exited(_, code)) => format!("it ended early, with status {code}"),
            Ok(_) => "it ended early".to_owned(),
            Err(errno) => format!("it ended early ({})", errno.desc()),
        };
        Error::new(Kind::System, format!("{tried}: {how}"))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.armed {
            self.kill();
            let _ = wait(self.pid);
        }
    }
}

fn wait(pid: Pid) -> Result<WaitStatus, Errno> {
    loop {
        match waitpid(pid, Some(WaitPidFlag::__WALL)) {
            Err(Errno::EINTR) => {}
            done => return done,
        }
    }
}

fn clone_failed(errno: Errno, tried: &str) -> Error {
    match errno {
        Errno::EDEADLK => Error::new(Kind::System, format!("{tried}: this process has threads")),
        _ => no_namespace(errno, tried),
    }
}

/// `CLONE_NEW*` of the namespaces that are named without a path.
fn new_namespaces(spec: &Spec) -> u64 {
    namespaces(spec)
        .filter(|namespace| namespace.path().is_none())
        // Init mounts: without a mount namespace of its own it would do so on the host.
        .fold(libc::CLONE_NEWNS as u64, |flags, namespace| {
            flags | flag(namespace.typ())
        })
}

/// The namespaces of a container that are not the caller's.
pub(super) fn namespaces(spec: &Spec) -> impl Iterator<Item = &LinuxNamespace> {
    let listed = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.namespaces().as_ref());
    listed.into_iter().flatten()
}

pub(super) fn flag(kind: LinuxNamespaceType) -> u64 {
    (match kind {
        LinuxNamespaceType::Mount => libc::CLONE_NEWNS,
        LinuxNamespaceType::Cgroup => libc::CLONE_NEWCGROUP,
        LinuxNamespaceType::Uts => libc::CLONE_NEWUTS,
        LinuxNamespaceType::Ipc => libc::CLONE_NEWIPC,
        LinuxNamespaceType::User => libc::CLONE_NEWUSER,
        LinuxNamespaceType::Pid => libc::CLONE_NEWPID,
        LinuxNamespaceType::Network => libc::CLONE_NEWNET,
        LinuxNamespaceType::Time => libc::CLONE_NEWTIME,
    }) as u64
}

fn compile(plan: LaunchPlan, stdio: [Option<OwnedFd>; 3], own_ids: bool) -> Result<InitPlan> {
    let spec = &plan.spec;
    let process = spec
        .process()
        .as_ref()
        .ok_or_else(|| Error::usage("start a container: the spec has no process"))?;
    let linux = spec
        .linux()
        .as_ref()
        .ok_or_else(|| Error::usage("start a container: the spec has no linux section"))?;
    let own = |kind| {
        let namespaces = linux.namespaces().iter().flatten();
        namespaces
            .filter(|found| found.path().is_none())
            .any(|found| found.typ() == kind)
    };
    if own(LinuxNamespaceType::Time) {
        return Err(Error::new(
            Kind::Unsupported,
            "start a container with a time namespace: not supported",
        ));
    }
    let single_id = plan.ids.is_single();
    let mounts = mounts::compile(spec.mounts().as_deref().unwrap_or_default())?;
    // Files that the user mounts are the user's.
    let is_mounted = |path: &std::ffi::CStr| mounts.iter().any(|m| m.target.as_c_str() == path);
    let accounts = plan.accounts.iter().map(AccountStep::new);
    let accounts = accounts
        .filter(|account| !is_mounted(account.file.path()) && !is_mounted(c"etc"))
        .collect();
    let covered = |paths: &Option<Vec<String>>| -> Result<Vec<Covered>> {
        paths
            .iter()
            .flatten()
            .map(|path| cover(&mounts, path))
            .collect()
    };
    let has_root = |map: &[Extent]| map.iter().any(|extent| extent.inside == 0);
    let mut sysctls = Vec::new();
    for (name, value) in linux.sysctl().iter().flatten() {
        sysctls.push((sysctl_path(name)?, value.clone().into_bytes()));
    }
    let pty = match plan.stdio {
        StdioPlan::Pty { rows, columns } => Some((rows, columns)),
        _ => None,
    };
    let personality = linux.personality().as_ref().map(personality);
    let process = ProcessPlan::compile(
        process,
        Extras {
            user: plan.user,
            filter: plan.seccomp,
            preserve: plan.preserve,
            create_cwd: plan.create_cwd,
            single_id,
            init: plan.init,
            personality,
        },
    )?;
    let asks_for_ids = own_ids && single_id && !process.is_root();
    if asks_for_ids {
        // It takes mapped groups from 0 on, and the one group there is will have another number.
        sysctls.retain(|(path, _)| path.as_c_str() != c"sys/net/ipv4/ping_group_range");
    }
    Ok(InitPlan {
        root: RootPlan::compile(&plan.rootfs)?,
        read_only: spec
            .root()
            .as_ref()
            .and_then(|root| root.readonly())
            .unwrap_or(false),
        read_only_paths: covered(linux.readonly_paths())?,
        masked_paths: covered(linux.masked_paths())?,
        devices: devices(spec)?,
        mounts,
        secrets: files::compile(plan.secrets)?,
        accounts,
        sysctls,
        hostname: spec
            .hostname()
            .clone()
            .filter(|_| own(LinuxNamespaceType::Uts))
            .map(String::into_bytes),
        domainname: spec
            .domainname()
            .clone()
            .filter(|_| own(LinuxNamespaceType::Uts))
            .map(String::into_bytes),
        loopback: own(LinuxNamespaceType::Network),
        cgroup_namespace: false,
        pty,
        stdio,
        asks_for_ids,
        has_root: !asks_for_ids && has_root(&plan.ids.uids) && has_root(&plan.ids.gids),
        may_set_groups: !single_id,
        process,
    })
}

/// `PER_LINUX`, `PER_LINUX32` of personality(2).
pub(super) fn personality(asked: &LinuxPersonality) -> u32 {
    match asked.domain() {
        LinuxPersonalityDomain::PerLinux => 0,
        LinuxPersonalityDomain::PerLinux32 => 8,
    }
}

/// A path to cover, seen from the mount it lies in.
fn cover(mounts: &[MountStep], path: &str) -> Result<Covered> {
    let inside = mounts::inside(path.as_ref())?;
    let mut covered = Covered {
        within: None,
        path: inside.clone(),
        shown: path.to_owned(),
    };
    for (index, mount) in mounts.iter().enumerate() {
        if !matches!(mount.role, Role::Proc | Role::Sys) {
            continue;
        }
        let mut prefix = mount.target.to_bytes().to_vec();
        prefix.push(b'/');
        if let Some(rest) = inside.to_bytes().strip_prefix(prefix.as_slice()) {
            covered.within = Some(index);
            covered.path = mounts::c_string(rest)?;
        }
    }
    Ok(covered)
}

/// The devices every container has, `null` first (masks are made of it), then those of the spec.
fn devices(spec: &Spec) -> Result<Vec<Device>> {
    const DEFAULT: [(&str, u32, u32); 6] = [
        ("null", 1, 3),
        ("zero", 1, 5),
        ("full", 1, 7),
        ("random", 1, 8),
        ("urandom", 1, 9),
        ("tty", 5, 0),
    ];
    let mut devices = Vec::with_capacity(8);
    for (name, major, minor) in DEFAULT {
        devices.push(Device {
            source: mounts::c_string(format!("/dev/{name}").as_bytes())?,
            target: mounts::c_string(format!("dev/{name}").as_bytes())?,
            kind: FileType::CharacterDevice,
            number: (major, minor),
            fd: None,
        });
    }
    let linux = spec.linux().as_ref();
    for device in linux
        .and_then(|linux| linux.devices().as_ref())
        .into_iter()
        .flatten()
    {
        let target = mounts::inside(device.path())?;
        if devices.iter().any(|known| known.target == target) {
            continue;
        }
        let number = |number: i64| {
            u32::try_from(number)
                .map_err(|_| Error::usage(format!("device number {number}: out of range")))
        };
        devices.push(Device {
            source: CString::new([b"/", target.to_bytes()].concat()).unwrap_or_default(),
            target,
            kind: match device.typ() {
                LinuxDeviceType::B => FileType::BlockDevice,
                LinuxDeviceType::P => FileType::Fifo,
                _ => FileType::CharacterDevice,
            },
            number: (number(device.major())?, number(device.minor())?),
            fd: None,
        });
    }
    Ok(devices)
}

/// Where a sysctl lies below `/proc`; only those that belong to a namespace of the container.
fn sysctl_path(name: &str) -> Result<CString> {
    let path = name.replace('.', "/");
    let namespaced = path.starts_with("net/")
        || path.starts_with("fs/mqueue/")
        || path.starts_with("kernel/shm")
        || matches!(
            path.as_str(),
            "kernel/msgmax"
                | "kernel/msgmnb"
                | "kernel/msgmni"
                | "kernel/sem"
                | "kernel/domainname"
                | "kernel/hostname"
        );
    if !namespaced || path.split('/').any(|part| part.is_empty() || part == "..") {
        return Err(Error::new(
            Kind::Usage,
            format!(
                "sysctl {name:?} is not allowed: it does not belong to a namespace of the container"
            ),
        ));
    }
    mounts::c_string(format!("sys/{path}").as_bytes())
}

fn write_oom_score(pid: Pid, adjust: i32) -> Result<()> {
    let path = format!("/proc/{pid}/oom_score_adj");
    std::fs::write(&path, adjust.to_string()).map_err(|err| {
        let denied = err.raw_os_error() == Some(libc::EACCES);
        let err = Error::io(&err, format!("set the OOM score adjustment to {adjust}"));
        match denied {
            true => {
                err.hint("a user without privileges can raise it, but not go below the own one")
            }
            false => err,
        }
    })
}

/// The child's ends and the caller's ends.
pub(super) fn make_stdio(plan: StdioPlan) -> Result<([Option<OwnedFd>; 3], Stdio)> {
    let null = || -> Result<Option<OwnedFd>> {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null");
        Ok(Some(high(file.tried(|| "open \"/dev/null\"")?.into())?))
    };
    let pipe = || -> Result<(OwnedFd, OwnedFd)> {
        let (read, write) = std::io::pipe().tried(|| "make a pipe for a container")?;
        Ok((high(read.into())?, high(write.into())?))
    };
    let mut mine = Stdio::default();
    let theirs = match plan {
        StdioPlan::Inherit | StdioPlan::Pty { .. } => [None, None, None],
        StdioPlan::Captured => {
            let (out, output) = pipe()?;
            mine.stdout = Some(out);
            let error = output.try_clone().tried(|| "copy a pipe")?;
            [null()?, Some(output), Some(error)]
        }
        StdioPlan::Null => [null()?, null()?, null()?],
        StdioPlan::Pipes { stdin } => {
            let input = match stdin {
                true => {
                    let (read, write) = pipe()?;
                    mine.stdin = Some(write);
                    Some(read)
                }
                false => null()?,
            };
            let (out, output) = pipe()?;
            let (err, error) = pipe()?;
            (mine.stdout, mine.stderr) = (Some(out), Some(err));
            [input, Some(output), Some(error)]
        }
    };
    Ok((theirs, mine))
}

/// Above the numbers of stdio, also in a caller that began with some of them closed.
fn high(fd: OwnedFd) -> Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    match fd.as_raw_fd() > 2 {
        true => Ok(fd),
        false => sys::fd::dup_above(fd.as_fd(), 3).tried(|| "copy a descriptor"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::spec::mount;

    #[test]
    fn only_sysctls_of_a_namespace_are_set() {
        let table = [
            (
                "net.ipv4.ping_group_range",
                Some("sys/net/ipv4/ping_group_range"),
            ),
            ("kernel.shmmax", Some("sys/kernel/shmmax")),
            ("fs.mqueue.msg_max", Some("sys/fs/mqueue/msg_max")),
            ("kernel.core_pattern", None),
            ("net/../kernel/core_pattern", None),
            ("vm.swappiness", None),
            ("net..x", None),
        ];
        for (name, want) in table {
            let got = sysctl_path(name).ok();
            assert_eq!(got.as_ref().map(|p| p.to_str().unwrap()), want, "{name}");
        }
    }

    #[test]
    fn masks_are_seen_from_the_mount_they_lie_in() {
        let mounts = mounts::compile(&[
            mount("/dev", "tmpfs", "tmpfs", &[]),
            mount("/proc", "proc", "proc", &[]),
        ])
        .unwrap();
        let table = [
            ("/proc/kcore", Some(1), "kcore"),
            ("/proc/sys/kernel", Some(1), "sys/kernel"),
            ("/procx", None, "procx"),
            ("/etc/../proc/keys", Some(1), "keys"),
        ];
        for (path, within, want) in table {
            let got = cover(&mounts, path).unwrap();
            assert_eq!(
                (got.within, got.path.to_str().unwrap()),
                (within, want),
                "{path}"
            );
        }
    }
}
