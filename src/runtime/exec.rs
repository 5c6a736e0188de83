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
use super::plan::{Running, Stdio, StdioPlan, UserPlan};
use super::process::{Extras, ProcessPlan};
use super::seccomp::Program;
use super::step::{At, Failed, Step};
use super::user::Found;
use super::words;

/// The container to enter, and how its processes are confined.
#[derive(Debug)]
pub struct ExecTarget<'a> {
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

/// A process for a container, ready to be started any number of times.
#[derive(Debug)]
pub struct Prepared {
    process: ProcessPlan,
    cgroup: Option<OwnedFd>,
    namespaces: u64,
    /// Orphans of the process are its own while it lives: all it makes can be found below it.
    keeps_orphans: bool,
}

/// What one start adds.
struct ExecPlan<'a> {
    process: &'a mut ProcessPlan,
    stdio: [Option<OwnedFd>; 3],
    pty: Option<(u16, u16)>,
    keeps_orphans: bool,
}

/// A process on its way into the container. Dropping it ends it.
#[derive(Debug)]
pub struct Entering {
    channel: Channel,
    helper: Pid,
    child: Option<Child>,
    stdio: Stdio,
    executing: bool,
    failure: Option<Error>,
    over: bool,
}

fn personality_of(spec: &Spec) -> Option<u32> {
    let linux = spec.linux().as_ref()?;
    linux.personality().as_ref().map(personality)
}

/// Runs `process` in the container: all of its namespaces joined in one step, same capabilities, filter, limits and
/// `no_new_privs`.
///
/// `container` is a pidfd of its first process. The new process is a child of the caller, who reaps it. For a process
/// with one thread only. Fails as [`super::launch::Starting::finish`] does.
pub fn spawn(
    target: ExecTarget<'_>,
    container: BorrowedFd<'_>,
    process: &Process,
    stdio: StdioPlan,
) -> Result<Running> {
    let mut prepared = Prepared::compile(target, process)?;
    let mut entering = prepared.start(container, stdio)?;
    while !entering.step(&prepared) {}
    entering.finish()
}

impl Prepared {
    pub fn compile(target: ExecTarget<'_>, process: &Process) -> Result<Self> {
        Ok(Self {
            namespaces: own_namespaces(target.spec),
            keeps_orphans: false,
            cgroup: target.cgroup,
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
        })
    }

    /// A descriptor it needs when it is started.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.cgroup.as_ref().map(AsFd::as_fd)
    }

    #[must_use]
    pub fn keeping_orphans(mut self) -> Self {
        self.keeps_orphans = true;
        self
    }

    /// Begins; `container`: a pidfd of its first process.
    pub fn start(&mut self, container: BorrowedFd<'_>, stdio: StdioPlan) -> Result<Entering> {
        let (theirs_stdio, mine_stdio) = make_stdio(stdio)?;
        let (channel, theirs) = Channel::pair().tried(|| "make a socket pair for a process")?;
        let cgroup = self.cgroup.as_ref().map(AsFd::as_fd);
        let helper = match fork_into(cgroup).map_err(|errno| match errno {
            Errno::EDEADLK => {
                Error::new(Kind::System, "enter a container: this process has threads")
            }
            // Its cgroup is gone, as it goes when the last process has ended.
            Errno::ENOENT | Errno::ENODEV => Error::os(Errno::ESRCH, "enter a container"),
            _ => Error::os(errno, "enter a container"),
        })? {
            Forked::Child => {
                drop(channel);
                let mut plan = ExecPlan {
                    process: &mut self.process,
                    stdio: theirs_stdio,
                    pty: match stdio {
                        StdioPlan::Pty { rows, columns } => Some((rows, columns)),
                        _ => None,
                    },
                    keeps_orphans: self.keeps_orphans,
                };
                helper(&mut plan, container, self.namespaces, &theirs)
            }
            Forked::Parent(pid) => pid,
        };
        Ok(Entering {
            channel,
            helper,
            child: None,
            stdio: mine_stdio,
            executing: false,
            failure: None,
            over: false,
        })
    }
}

impl AsFd for Entering {
    /// Readable when [`Entering::step`] has something to do.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

impl Entering {
    /// Hears one message, and waits for it; `true`: that was the last. To the end of the channel, whatever is said:
    /// helper and process speak in any order.
    pub fn step(&mut self, of: &Prepared) -> bool {
        let heard = self.channel.receive();
        let failure = match heard.tried(|| "hear from a starting process") {
            Ok(Some((Message::Born { pid }, _))) => match adopt(pid) {
                Ok(born) => {
                    self.child = Some(born);
                    None
                }
                Err(err) => Some(err),
            },
            Ok(Some((Message::Terminal, Some(master)))) => {
                self.stdio.pty = Some(master);
                None
            }
            Ok(Some((Message::Executing, _))) => {
                self.executing = true;
                None
            }
            Ok(Some((Message::Failed(failed), _))) => Some(words::of_process(&of.process, failed)),
            Ok(Some(_)) => Some(Error::new(
                Kind::System,
                "enter a container: it sent what nobody asked for",
            )),
            Ok(None) => {
                self.over = true;
                None
            }
            Err(err) => {
                self.over = true;
                Some(err)
            }
        };
        self.failure = self.failure.take().or(failure);
        self.over
    }

    /// The outcome, after the last message.
    pub fn finish(mut self) -> Result<Running> {
        self.reap_helper();
        let early = || Error::new(Kind::System, "enter a container: the process ended early");
        let child = match (self.failure.take(), self.child.take()) {
            (Some(err), _) => return Err(err),
            (None, Some(child)) if self.executing && self.over => child,
            (None, _) => return Err(early()),
        };
        let (pid, pidfd) = child.release()?;
        Ok(Running {
            pid,
            pidfd,
            stdio: std::mem::take(&mut self.stdio),
        })
    }

    /// It ends once the process is born, or could not be.
    fn reap_helper(&mut self) {
        let _ = waitpid(self.helper, None);
        self.over = true;
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        if !self.over {
            // Not reaped yet, so the pid is still our child's.
            let _ = nix::sys::signal::kill(self.helper, nix::sys::signal::Signal::SIGKILL);
            self.reap_helper();
            // What it has born by now is told in the channel.
            while let Ok(Some((message, _))) = self.channel.receive_now() {
                if let Message::Born { pid } = message {
                    self.child = adopt(pid).ok();
                }
            }
        }
    }
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
fn helper(
    plan: &mut ExecPlan<'_>,
    container: BorrowedFd<'_>,
    namespaces: u64,
    channel: &Channel,
) -> ! {
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
fn inside(plan: &mut ExecPlan<'_>, channel: &Channel) -> ! {
    let ready = prepare(plan, channel);
    plan.process.finish(ready, &plan.stdio, channel)
}

fn prepare(plan: &mut ExecPlan<'_>, channel: &Channel) -> Result<(OwnedFd, Found), Failed> {
    rustix::process::setsid().at(Step::Session, 0)?;
    if plan.keeps_orphans {
        sys::process::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0).at(Step::Session, 1)?;
    }
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
fn make_terminal(
    plan: &mut ExecPlan<'_>,
    size: (u16, u16),
    channel: &Channel,
) -> Result<(), Failed> {
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
