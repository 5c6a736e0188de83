//! Runs in: cli or monitor, and a short-lived helper. Launching into namespaces that exist already.
//!
//! A namespace of another container can be joined only with privilege over the user namespace that owns it. So a
//! helper is forked, joins that user namespace and then the others, and clones init from there as a sibling of
//! itself (`CLONE_PARENT`): init is the caller's child all the same. A user namespace made on the way is a child of
//! the joined one, with an identity map that the helper may write itself.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use oci_spec::runtime::{LinuxNamespaceType, Spec};

use crate::error::{Error, Kind, Result, Tried};
use crate::sys;
use crate::sys::process::{Cloned, Forked};
use crate::userns::map::IdMaps;
use crate::userns::write;

use super::message::{Channel, Message};
use super::step::{Failed, Step};

/// The namespaces a spec names by path, opened.
#[derive(Debug)]
pub(super) struct Joins {
    /// The user namespace that owns the others, or the one to live in.
    owner: Option<OwnedFd>,
    others: Vec<OwnedFd>,
}

impl Joins {
    pub(super) fn open(spec: &Spec) -> Result<Joins> {
        let mut joins = Joins {
            owner: None,
            others: Vec::new(),
        };
        let linux = spec.linux().as_ref();
        let namespaces = linux.and_then(|linux| linux.namespaces().as_ref());
        for namespace in namespaces.into_iter().flatten() {
            let Some(path) = namespace.path() else {
                continue;
            };
            let tried = || format!("join the namespace \"{}\"", path.display());
            let fd: OwnedFd = std::fs::File::open(path).tried(tried)?.into();
            if namespace.typ() == LinuxNamespaceType::User {
                joins.owner = Some(fd);
                continue;
            }
            if joins.owner.is_none() {
                let owner = sys::fd::owner_of_namespace(fd.as_fd()).map_err(|errno| {
                    Error::os(errno, tried()).hint("it belongs to another user, or to root")
                })?;
                joins.owner = Some(owner);
            }
            joins.others.push(fd);
        }
        if let Some(owner) = &joins.owner {
            let same = |a: rustix::fs::Stat, b: rustix::fs::Stat| {
                (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
            };
            let found = rustix::fs::fstat(owner).tried(|| "look at a user namespace")?;
            let own = rustix::fs::stat("/proc/self/ns/user")
                .tried(|| "look at \"/proc/self/ns/user\"")?;
            if same(found, own) {
                return Err(Error::new(
                    Kind::Unsupported,
                    "join a namespace of the host: only root may",
                ));
            }
        }
        Ok(joins)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.owner.is_none()
    }

    /// Clones into `flags` from inside the joined namespaces; `None` in the child. `nested`: maps of a user
    /// namespace that is made below the joined one, written as an identity. The helper is born in `cgroup` and init
    /// with it: from inside of a joined cgroup namespace the kernel would not let anybody in.
    pub(super) fn clone_within(
        &self,
        flags: u64,
        nested: Option<&IdMaps>,
        cgroup: Option<BorrowedFd<'_>>,
    ) -> Result<Option<(Pid, OwnedFd)>, Errno> {
        let (mine, theirs) = Channel::pair()?;
        match fork_into(cgroup)? {
            Forked::Child => {
                drop(mine);
                match self.helper(flags, nested) {
                    Ok(None) => return Ok(None), // init, two forks away from the caller's stack
                    Ok(Some(pid)) => {
                        let _ = theirs.send(Message::Born { pid: pid.as_raw() });
                    }
                    Err(errno) => {
                        let failed = Failed::new(Step::JoinNamespaces, 0, errno);
                        let _ = theirs.send(Message::Failed(failed));
                    }
                }
                sys::process::exit_now(0)
            }
            Forked::Parent(helper) => {
                drop(theirs);
                let answer = mine.receive();
                let _ = waitpid(helper, None);
                match answer? {
                    Some((Message::Born { pid }, _)) => {
                        let pid = Pid::from_raw(pid);
                        let raw =
                            rustix::process::Pid::from_raw(pid.as_raw()).ok_or(Errno::ESRCH)?;
                        // Not reaped yet, so the pid is still our child's.
                        let pidfd =
                            rustix::process::pidfd_open(raw, rustix::process::PidfdFlags::empty())
                                .map_err(|err| Errno::from_raw(err.raw_os_error()))?;
                        Ok(Some((pid, pidfd)))
                    }
                    Some((Message::Failed(failed), _)) => Err(failed.errno),
                    _ => Err(Errno::ECHILD),
                }
            }
        }
    }

    /// Runs in: helper.
    fn helper(&self, flags: u64, nested: Option<&IdMaps>) -> Result<Option<Pid>, Errno> {
        if let Some(owner) = &self.owner {
            rustix::thread::move_into_link_name_space(owner.as_fd(), None)
                .map_err(|err| Errno::from_raw(err.raw_os_error()))?;
        }
        for fd in &self.others {
            rustix::thread::move_into_link_name_space(fd.as_fd(), None)
                .map_err(|err| Errno::from_raw(err.raw_os_error()))?;
        }
        // The caller's own processes must be able to look at the child, as at any other container.
        sys::process::prctl(libc::PR_SET_DUMPABLE, 1, 0)?;
        match sys::process::clone3(flags | libc::CLONE_PARENT as u64, None)? {
            Cloned::Child => Ok(None),
            Cloned::Parent { pid, .. } => {
                if let Some(ids) = nested
                    && write::identity(pid, ids).is_err()
                {
                    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
                    return Err(Errno::EPERM);
                }
                Ok(Some(pid))
            }
        }
    }
}

/// A fork whose child is born in `cgroup`: moving it there later would make the kernel wait for all processors
/// (`cgroup_threadgroup_rwsem`).
pub(super) fn fork_into(cgroup: Option<BorrowedFd<'_>>) -> Result<Forked, Errno> {
    match cgroup {
        None => sys::process::fork(),
        Some(cgroup) => Ok(match sys::process::clone3(0, Some(cgroup))? {
            Cloned::Child => Forked::Child,
            Cloned::Parent { pid, .. } => Forked::Parent(pid),
        }),
    }
}
