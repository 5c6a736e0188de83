//! Runs in: cli or monitor, and the new process. A further process in a running container.
//!
//! A helper is forked, joins all namespaces of the container by its pidfd in one step (Linux 5.8), and clones the
//! process from there as a sibling of itself: a pid namespace holds only for processes born after joining it. The
//! process then confines itself exactly as init did. From its birth on it cannot be looked at by the container's
//! other processes (`PR_SET_DUMPABLE`): what they would find at `/proc/PID/exe` until the exec is our binary.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use oci_spec::runtime::{Process, Spec};
use rustix::fs::{Mode, OFlags, fstatfs, open};
use rustix::process::PidfdFlags;
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use crate::error::{Error, Kind, Result, Tried};
use crate::sys;
use crate::sys::process::{Cloned, Forked};

use super::init::open_terminal;
use super::join::fork_into;
use super::launch::{Child, flag, make_stdio, namespaces, personality};
use super::message::{Channel, Message};
use super::plan::{Running, StdioPlan, UserPlan};
use super::process::{Extras, ProcessPlan};
use super::seccomp::Program;
use super::step::{At, Failed, Step};
use super::user::Found;
use super::words;

/// The container to enter, and how its processes are confined.
#[derive(Debug)]
pub struct ExecTarget<'a> {
    /// Its first process, in the caller's pid namespace.
    pub pid: Pid,
    pub pidfd: BorrowedFd<'a>,
    /// The spec it was launched with: which namespaces it has of its own.
    pub spec: &'a Spec,
    pub user: UserPlan,
    /// As it was launched with.
    pub seccomp: Option<Program>,
    /// The container has one id only, see [`crate::userns::map::IdMaps::is_single`].
    pub single_id: bool,
    /// Descriptors that become 3, 4, … in the process.
    pub preserve: Vec<Option<OwnedFd>>,
    /// The directory of the container's cgroup, where it has one.
    pub cgroup: Option<OwnedFd>,
}

/// Everything the new process needs, allocated before the fork.
struct ExecPlan {
    process: ProcessPlan,
    stdio: [Option<OwnedFd>; 3],
    pty: Option<(u16, u16)>,
}

fn personality_of(spec: &Spec) -> Option<u32> {
    let linux = spec.linux().as_ref()?;
    linux.personality().as_ref().map(personality)
}

/// Runs `process` in the container: all of its namespaces joined in one step, same capabilities, filter, limits and
/// `no_new_privs`.
///
/// The new process is a child of the caller, who reaps it. For a process with one thread only. Fails as
/// [`super::launch::Starting::finish`] does.
pub fn spawn(target: ExecTarget<'_>, process: &Process, stdio: StdioPlan) -> Result<Running> {
    let (theirs_stdio, mut mine_stdio) = make_stdio(stdio)?;
    let mut plan = ExecPlan {
        process: ProcessPlan::compile(
            process,
            Extras {
                user: target.user,
                filter: target.seccomp,
                preserve: target.preserve,
                create_cwd: false,
                single_id: target.single_id,
                init: false,
                personality: personality_of(target.spec),
            },
        )?,
        stdio: theirs_stdio,
        pty: match stdio {
            StdioPlan::Pty { rows, columns } => Some((rows, columns)),
            _ => None,
        },
    };
    let namespaces = own_namespaces(target.spec);
    let (channel, theirs) = Channel::pair().tried(|| "make a socket pair for a process")?;
    let cgroup = target.cgroup.as_ref().map(AsFd::as_fd);
    let helper = match fork_into(cgroup).map_err(|errno| match errno {
        Errno::EDEADLK => Error::new(Kind::System, "enter a container: this process has threads"),
        _ => Error::os(errno, "enter a container"),
    })? {
        Forked::Child => {
            drop(channel);
            helper(&mut plan, target.pidfd, namespaces, &theirs)
        }
        Forked::Parent(pid) => pid,
    };
    drop(theirs);
    plan.stdio = [None, None, None];
    // To the end of the channel, whatever is said: helper and process speak in any order.
    let mut child: Option<Child> = None;
    let mut executing = false;
    let mut failure: Option<Error> = None;
    loop {
        match channel.receive().tried(|| "hear from a starting process") {
            Ok(Some((Message::Born { pid }, _))) => match adopt(pid) {
                Ok(born) => child = Some(born),
                Err(err) => failure = failure.or(Some(err)),
            },
            Ok(Some((Message::Terminal, Some(master)))) => mine_stdio.pty = Some(master),
            Ok(Some((Message::Executing, _))) => executing = true,
            Ok(Some((Message::Failed(failed), _))) => {
                failure = failure.or(Some(words::of_process(&plan.process, failed)));
            }
            Ok(Some(_)) => {
                failure = failure.or(Some(Error::new(
                    Kind::System,
                    "enter a container: it sent what nobody asked for",
                )));
            }
            Ok(None) => break,
            Err(err) => {
                failure = failure.or(Some(err));
                break;
            }
        }
    }
    // It ended once the process was born, or could not be.
    let _ = waitpid(helper, None);
    let early = || Error::new(Kind::System, "enter a container: the process ended early");
    let child = match (failure, child) {
        (Some(err), _) => return Err(err),
        (None, Some(child)) if executing => child,
        (None, _) => return Err(early()),
    };
    let (pid, pidfd) = child.release()?;
    Ok(Running {
        pid,
        pidfd,
        stdio: mine_stdio,
    })
}

/// The namespaces a process of the container has to join: the caller is in the others already, and may not "join"
/// what belongs to the host.
fn own_namespaces(spec: &Spec) -> u64 {
    namespaces(spec).fold(libc::CLONE_NEWNS as u64, |flags, namespace| {
        flags | flag(namespace.typ())
    })
}

fn adopt(pid: i32) -> Result<Child> {
    let raw = rustix::process::Pid::from_raw(pid)
        .ok_or_else(|| Error::new(Kind::System, "enter a container: no process was made"))?;
    // Our child, and not reaped yet: the pid cannot have come to mean another process.
    let pidfd = rustix::process::pidfd_open(raw, PidfdFlags::empty()).tried(|| "open a pidfd")?;
    Ok(Child::new(Pid::from_raw(pid), pidfd))
}

/// Runs in: helper.
fn helper(plan: &mut ExecPlan, container: BorrowedFd<'_>, namespaces: u64, channel: &Channel) -> ! {
    match enter(container, namespaces) {
        Err(failed) => {
            let _ = channel.send(Message::Failed(failed)); // nobody is left to tell
        }
        Ok(Cloned::Child) => inside(plan, channel),
        Ok(Cloned::Parent { pid, .. }) => {
            let _ = channel.send(Message::Born { pid: pid.as_raw() });
        }
    }
    sys::process::exit_now(0)
}

fn enter(container: BorrowedFd<'_>, namespaces: u64) -> Result<Cloned, Failed> {
    let kinds = ThreadNameSpaceType::from_bits_retain(namespaces as u32);
    // Before anything of the container can see us. Joining a user namespace would do so, too: it changes credentials.
    sys::process::prctl(libc::PR_SET_DUMPABLE, 0, 0).at(Step::Dumpable, 0)?;
    move_into_thread_name_spaces(container, kinds).at(Step::JoinNamespaces, 0)?;
    sys::process::clone3(libc::CLONE_PARENT as u64, None).at(Step::Clone, 0)
}

/// Runs in: the new process. System calls only. Never returns.
fn inside(plan: &mut ExecPlan, channel: &Channel) -> ! {
    let ready = prepare(plan, channel);
    plan.process.finish(ready, &plan.stdio, channel)
}

fn prepare(plan: &mut ExecPlan, channel: &Channel) -> Result<(OwnedFd, Found), Failed> {
    rustix::process::setsid().at(Step::Session, 0)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(c"/", flags, Mode::empty()).at(Step::PivotRoot, 0)?;
    if !plan.process.single_id {
        sys::process::setgroups(&[]).at(Step::GiveUpGroups, 0)?;
        // Where root does not exist, the id we have is as good.
        let _ = sys::process::setresgid(0);
        let _ = sys::process::setresuid(0);
    }
    plan.process.join_keyring()?;
    let user = plan.process.find_user(root.as_fd())?;
    if let Some(size) = plan.pty {
        make_terminal(plan, size, channel)?;
    }
    plan.process
        .own_stdio(&plan.stdio, plan.pty.is_some(), &user)?;
    Ok((root, user))
}

/// A terminal of the container's devpts. The container has been running: what lies at the name is checked.
fn make_terminal(plan: &mut ExecPlan, size: (u16, u16), channel: &Channel) -> Result<(), Failed> {
    const DEVPTS_SUPER_MAGIC: i64 = 0x1cd1;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let devpts = open(c"/dev/pts", flags, Mode::empty()).at(Step::Terminal, 0)?;
    if fstatfs(&devpts).at(Step::Terminal, 1)?.f_type as i64 != DEVPTS_SUPER_MAGIC {
        return Err(Failed::new(Step::Terminal, 2, Errno::ENODEV));
    }
    let (master, slave) = open_terminal(devpts.as_fd(), c"ptmx", size).at(Step::Terminal, 3)?;
    sys::fd::set_controlling_terminal(slave.as_fd()).at(Step::Terminal, 4)?;
    channel
        .send_fd(Message::Terminal, master.as_fd())
        .at(Step::Terminal, 5)?;
    let least = slave.as_raw_fd().max(10);
    let copy = || sys::fd::dup_above(slave.as_fd(), least).at(Step::Terminal, 6);
    plan.stdio = [Some(copy()?), Some(copy()?), Some(copy()?)];
    Ok(())
}
