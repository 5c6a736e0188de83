//! The process that executes the program: prepared before the fork, carried out by system calls alone.
//!
//! Shared by launch and exec, so that both confine a process in the same way and in the same order.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use oci_spec::runtime::{PosixRlimitType, Process};
use rustix::fs::{FileType, Mode, OFlags, fstat, openat};

use crate::error::{Error, Kind, Result, Tried};
use crate::sys;
use crate::sys::process::CStrings;

use super::accounts::AccountStep;
use super::caps::{Cap, CapSet};
use super::init_program::InitProgram;
use super::message::{Channel, Message};
use super::mounts::{c_string, inside};
use super::plan::UserPlan;
use super::seccomp::Program;
use super::step::{At, Failed, Step};
use super::target::{self, Make};
use super::user::{FILE_LIMIT, Found, Lookup};

/// Longest value of `HOME` that is set from the container's passwd file.
const HOME_ROOM: usize = 1024;

/// Everything between "inside all namespaces" and "runs the program".
#[derive(Debug)]
pub(super) struct ProcessPlan {
    argv: CStrings,
    /// Executed in place of the program, to execute that.
    init: Option<InitProgram>,
    envp: CStrings,
    /// Where `HOME=` waits for its value, when the caller has given none.
    home: Option<usize>,
    /// Paths to try, in the order of `PATH`.
    candidates: Vec<CString>,
    /// The program was looked for in `PATH`.
    searched: bool,
    cwd: CString,
    create_cwd: bool,
    pub(super) lookup: Lookup,
    umask: Option<u32>,
    rlimits: Vec<(u32, u64, u64)>,
    bounding: CapSet,
    /// What a user other than root keeps, as ambient capabilities.
    user_caps: CapSet,
    /// The container has just one id, mapped to the user that was looked up: ids cannot be set and need not be.
    pub(super) single_id: bool,
    pub(super) keep_groups: bool,
    personality: Option<u32>,
    no_new_privileges: bool,
    filter: Option<Program>,
    preserve: Vec<Option<OwnedFd>>,
    /// Device and inode of our own binary.
    own_binary: (u64, u64),
    /// Room for one file of the container at a time.
    buffer: Vec<u8>,
}

/// What else shapes a process, beside the OCI process.
pub(super) struct Extras {
    pub(super) user: UserPlan,
    pub(super) filter: Option<Program>,
    pub(super) preserve: Vec<Option<OwnedFd>>,
    pub(super) create_cwd: bool,
    pub(super) single_id: bool,
    /// The program is to be a child of a small init.
    pub(super) init: bool,
    /// `personality(2)`
    pub(super) personality: Option<u32>,
}

impl ProcessPlan {
    pub(super) fn compile(process: &Process, extras: Extras) -> Result<ProcessPlan> {
        let args = process.args().as_deref().unwrap_or_default();
        let program = args.first().ok_or_else(|| {
            Error::usage("no command or entrypoint provided, and no CMD or ENTRYPOINT from image")
        })?;
        let mut env = Vec::new();
        let mut path = None;
        let mut has_home = false;
        for variable in process.env().iter().flatten() {
            path = variable.strip_prefix("PATH=").map(str::to_owned).or(path);
            has_home |= variable.starts_with("HOME=");
            env.push(c_string(variable.as_bytes())?);
        }
        let argv = args
            .iter()
            .map(|arg| c_string(arg.as_bytes()))
            .collect::<Result<Vec<_>>>()?;
        let mut envp = CStrings::new(env);
        let home = (!has_home).then(|| envp.reserve(b"HOME=", HOME_ROOM));
        if !process.cwd().is_absolute() {
            return Err(Error::usage(format!(
                "the working directory \"{}\" is invalid, it needs to be an absolute path",
                process.cwd().display()
            )));
        }
        refuse_unknown(process)?;
        let bounding = match process.capabilities() {
            Some(caps) => CapSet::from_oci(caps.bounding().as_ref().unwrap_or(&Default::default())),
            None => CapSet::EMPTY,
        };
        let candidates = candidates(program, path.as_deref())?;
        let above_preserved = 3 + extras.preserve.len() as i32;
        let init = match extras.init {
            true => Some(InitProgram::make(&argv, &candidates, above_preserved)?),
            false => None,
        };
        let own = std::fs::metadata("/proc/self/exe").tried(|| "look at \"/proc/self/exe\"")?;
        Ok(ProcessPlan {
            argv: CStrings::new(argv),
            init,
            envp,
            home,
            searched: !program.contains('/'),
            candidates,
            cwd: inside(process.cwd())?,
            create_cwd: extras.create_cwd,
            lookup: Lookup::parse(&extras.user.user, &extras.user.groups)?,
            umask: process.user().umask().or(Some(0o022)),
            rlimits: rlimits(process),
            bounding,
            user_caps: CapSet::from_mask(extras.user.caps.mask() & bounding.mask()),
            single_id: extras.single_id,
            keep_groups: extras.user.keep_groups,
            personality: extras.personality,
            no_new_privileges: process.no_new_privileges().unwrap_or(false),
            filter: extras.filter,
            preserve: above(extras.preserve)?,
            own_binary: {
                use std::os::unix::fs::MetadataExt;
                (own.dev(), own.ino())
            },
            buffer: vec![0; FILE_LIMIT], // pages nobody touches cost nothing
        })
    }

    /// Looks the user up beneath `root`. Runs in: init.
    pub(super) fn find_user(&mut self, root: BorrowedFd<'_>) -> Result<Found, Failed> {
        super::user::find(root, &self.lookup, &mut self.buffer)
    }

    /// Makes the users and groups of `accounts` known to the container. Runs in: init.
    pub(super) fn add_accounts(
        &mut self,
        accounts: &[AccountStep],
        root: BorrowedFd<'_>,
    ) -> Result<(), Failed> {
        super::accounts::add(accounts, root, &mut self.buffer)
    }

    pub(super) fn rlimit_at(&self, index: usize) -> Option<(u32, u64, u64)> {
        self.rlimits.get(index).copied()
    }

    pub(super) fn cwd(&self) -> &CStr {
        &self.cwd
    }

    /// The program as the user named it.
    pub(super) fn program(&self) -> String {
        let name = self.argv.get(0).unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Names nobody but root, without a look at any file.
    pub(super) fn is_root(&self) -> bool {
        self.lookup.user == super::user::Who::Id(0)
            && matches!(self.lookup.group, None | Some(super::user::Who::Id(0)))
    }

    /// Makes a missing working directory, while the root may still be written to. Runs in: init.
    pub(super) fn make_cwd(&self, root: BorrowedFd<'_>) -> Result<(), Failed> {
        match self.create_cwd {
            true => target::open(root, &self.cwd, Make::Directory)
                .at(Step::Cwd, 0)
                .map(drop),
            false => Ok(()),
        }
    }

    /// A filter of system calls will be loaded.
    pub(super) fn searched(&self) -> bool {
        self.searched
    }

    /// A session keyring of its own, out of reach of which the caller's keys are.
    pub(super) fn join_keyring(&self) -> Result<(), Failed> {
        match sys::keyring::new_session_keyring() {
            Ok(()) | Err(Errno::ENOSYS) => Ok(()),
            // So many containers that the user's quota of keys is used up: the filter refuses keyctl all the same.
            Err(Errno::EDQUOT) if self.filter.is_some() => Ok(()),
            // A container of ours runs us, and its filter refuses keyctl.
            Err(Errno::EPERM) => Ok(()),
            Err(errno) => Err(Failed::new(Step::Keyring, 0, errno)),
        }
    }

    /// The user may open `/dev/stdout` again: what we made for stdio belongs to it.
    pub(super) fn own_stdio(
        &self,
        stdio: &[Option<OwnedFd>; 3],
        is_terminal: bool,
        user: &Found,
    ) -> Result<(), Failed> {
        if user.uid == 0 || self.single_id {
            return Ok(());
        }
        for fd in stdio.iter().flatten() {
            let found = fstat(fd).at(Step::Stdio, 2)?;
            if is_terminal || FileType::from_raw_mode(found.st_mode) == FileType::Fifo {
                let uid = rustix::fs::Uid::from_raw(user.uid);
                rustix::fs::fchown(fd, Some(uid), None).at(Step::Stdio, 3)?;
            }
        }
        Ok(())
    }

    /// Runs in: init and exec children, last. Executes the program, or tells the parent what failed.
    ///
    /// `ready`: the container's root, which is this process's root too, and the user to become. The process holds
    /// every capability of the container's user namespace. `stdio`: descriptors to become 0, 1 and 2, where they are
    /// not there already.
    pub(super) fn finish(
        &mut self,
        ready: Result<(OwnedFd, Found), Failed>,
        stdio: &[Option<OwnedFd>; 3],
        channel: &Channel,
    ) -> ! {
        let failed = match ready {
            Err(failed) => failed,
            Ok((root, user)) => {
                let stdio = stdio.each_ref().map(|fd| fd.as_ref().map(AsFd::as_fd));
                self.become_program(root.as_fd(), &user, stdio, channel)
            }
        };
        let _ = channel.send(Message::Failed(failed)); // nobody is left to tell
        sys::process::exit_now(127)
    }

    /// Takes on everything the plan says and executes the program; returns only on failure. System calls only.
    fn become_program(
        &mut self,
        root: BorrowedFd<'_>,
        user: &Found,
        stdio: [Option<BorrowedFd<'_>>; 3],
        channel: &Channel,
    ) -> Failed {
        match self.prepare(root, user, stdio, channel) {
            Err(failed) => failed,
            Ok(program) => {
                let path = &self.candidates[program];
                match &mut self.init {
                    Some(init) => Failed::new(Step::Init, 0, init.execute(path, &self.envp)),
                    None => {
                        let errno = sys::process::execve(path, &self.argv, &self.envp);
                        Failed::new(Step::Exec, program, errno)
                    }
                }
            }
        }
    }

    fn prepare(
        &mut self,
        root: BorrowedFd<'_>,
        user: &Found,
        stdio: [Option<BorrowedFd<'_>>; 3],
        channel: &Channel,
    ) -> Result<usize, Failed> {
        if let Some(home) = self.home {
            self.envp.fill(home, user.home());
        }
        self.enter_cwd(root)?;
        for (number, fd) in (0..).zip(stdio) {
            if let Some(fd) = fd {
                sys::fd::place(fd, number).at(Step::Stdio, 0)?;
            }
        }
        for (number, fd) in (3_i32..).zip(&self.preserve) {
            match fd {
                Some(fd) => sys::fd::place(fd.as_fd(), number).at(Step::Stdio, 1)?,
                None => sys::fd::cloexec(number.cast_unsigned()).at(Step::Stdio, 1)?,
            }
        }
        // Not closed: `channel` reports the outcome until the exec closes it with all the rest.
        sys::fd::cloexec_from(3 + self.preserve.len() as u32).at(Step::CloseDescriptors, 0)?;
        sys::signal::reset_all().at(Step::Signals, 0)?;
        if self.init.is_some() {
            sys::signal::block_all().at(Step::Signals, 1)?;
        }
        if let Some(mask) = self.umask {
            rustix::process::umask(Mode::from_raw_mode(mask));
        }
        if let Some(domain) = self.personality {
            sys::process::personality(domain).at(Step::Personality, 0)?;
        }
        let program = self.find_program()?;
        // Nothing is opened from here on: a small limit of descriptors is the program's, not ours.
        for (index, (resource, soft, hard)) in self.rlimits.iter().enumerate() {
            sys::process::setrlimit(*resource, *soft, *hard).at(Step::Rlimit, index)?;
        }
        self.drop_privileges(user)?;
        channel.send(Message::Executing).at(Step::Message, 0)?;
        if let Some(program) = &self.filter {
            // After it come only execve, or the report of its failure. Without no_new_privs the kernel wants
            // CAP_SYS_ADMIN here, which the exec then takes away: it is neither in the bounding nor the ambient set.
            sys::seccomp::load_filter(&program.filter, program.flags).at(Step::Seccomp, 0)?;
        }
        Ok(program)
    }

    /// Goes to the working directory as the kernel resolves it beneath the root, and checks that it is there.
    fn enter_cwd(&self, root: BorrowedFd<'_>) -> Result<(), Failed> {
        let cwd = target::open(root, &self.cwd, Make::Nothing).at(Step::Cwd, 0)?;
        rustix::process::fchdir(&cwd).at(Step::Cwd, 0)?;
        // A directory that a leaked descriptor leads to has no path below our root.
        let mut path = [0u8; 4096];
        match getcwd(&mut path) {
            Ok(len) if len > 0 && path[0] == b'/' => Ok(()),
            Ok(_) => Err(Failed::new(Step::CwdOutside, 0, Errno::ENOENT)),
            Err(errno) => Err(Failed::new(Step::CwdOutside, 0, errno)),
        }
    }

    /// The first candidate that can be executed, as far as that can be told without trying.
    fn find_program(&self) -> Result<usize, Failed> {
        let mut refused = Failed::new(Step::FindProgram, 0, Errno::ENOENT);
        for (index, path) in self.candidates.iter().enumerate() {
            match self.check_program(path, 0) {
                Ok(()) => return Ok(index),
                Err((Step::FindProgram, Errno::ENOENT | Errno::ENOTDIR)) => {}
                Err((step, errno)) if step == Step::ProgramIsPod => {
                    return Err(Failed::new(step, index, errno));
                }
                // A shell looks on behind a directory or a file it may not execute, and tells of it at the end.
                Err((step, errno)) => refused = Failed::new(step, index, errno),
            }
        }
        Err(refused)
    }

    /// Refuses what is no program, and our own binary: the container must neither run it nor, by `/proc/self/exe` of
    /// a process that runs it, write to it. The interpreter of a script is the program that the kernel will run.
    fn check_program(&self, path: &CStr, depth: u32) -> Result<(), (Step, Errno)> {
        let find =
            |errno: rustix::io::Errno| (Step::FindProgram, Errno::from_raw(errno.raw_os_error()));
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let file = openat(rustix::fs::CWD, path, flags, Mode::empty()).map_err(find)?;
        let found = fstat(&file).map_err(find)?;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Err((Step::ProgramIsDirectory, Errno::EISDIR)),
            _ => return Err((Step::FindProgram, Errno::EACCES)),
        }
        if found.st_mode & 0o111 == 0 {
            return Err((Step::FindProgram, Errno::EACCES));
        }
        if (found.st_dev, found.st_ino) == self.own_binary {
            return Err((Step::ProgramIsPod, Errno::EACCES));
        }
        // The kernel follows at most five interpreters. What cannot be read here is a program without `#!` to us:
        // the exec answers for it.
        let mut head = [0u8; 256];
        let Some(interpreter) = interpreter(path, &mut head).filter(|_| depth < 5) else {
            return Ok(());
        };
        match self.check_program(interpreter, depth + 1) {
            Err((Step::ProgramIsPod, errno)) => Err((Step::ProgramIsPod, errno)),
            _ => Ok(()),
        }
    }

    fn drop_privileges(&self, user: &Found) -> Result<(), Failed> {
        use libc::{PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, PR_CAPBSET_DROP, PR_SET_KEEPCAPS};
        for cap in CapSet::ALL.minus(self.bounding).iter() {
            match sys::process::prctl(PR_CAPBSET_DROP, cap.bit().into(), 0) {
                // A capability that this kernel does not know yet.
                Ok(_) | Err(Errno::EINVAL) => {}
                Err(errno) => return Err(Failed::new(Step::Bounding, cap.bit().into(), errno)),
            }
        }
        let root = user.uid == 0;
        // Ambient capabilities must be inheritable too; root needs neither.
        let kept = if root { CapSet::EMPTY } else { self.user_caps };
        if !root {
            sys::process::prctl(PR_SET_KEEPCAPS, 1, 0).at(Step::Capabilities, 0)?;
        }
        if !self.single_id {
            if !self.keep_groups {
                sys::process::setgroups(user.groups()).at(Step::SetGroups, 0)?;
            }
            sys::process::setresgid(user.gid).at(Step::SetGid, 0)?;
            sys::process::setresuid(user.uid).at(Step::SetUid, 0)?;
        }
        // Loading a filter may need CAP_SYS_ADMIN; the exec drops it, see `prepare`.
        let admin = CapSet::of(&[Cap::SYS_ADMIN]);
        let held = if root { self.bounding } else { kept }.union(admin).mask();
        sys::process::capset(held, held, kept.mask()).at(Step::Capabilities, 1)?;
        for cap in kept.iter() {
            sys::process::prctl(
                PR_CAP_AMBIENT,
                PR_CAP_AMBIENT_RAISE as u64,
                cap.bit().into(),
            )
            .at(Step::Capabilities, 2)?;
        }
        if self.no_new_privileges {
            sys::process::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).at(Step::NoNewPrivileges, 0)?;
        }
        Ok(())
    }
}

/// The raw system call: it tells a directory outside of the root by a path that begins with `(unreachable)`.
fn getcwd(buffer: &mut [u8]) -> Result<usize, Errno> {
    sys::fd::getcwd(buffer)
}

/// The interpreter that a script names, ended by a nul within `head`.
fn interpreter<'a>(path: &CStr, head: &'a mut [u8; 256]) -> Option<&'a CStr> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = openat(rustix::fs::CWD, path, flags, Mode::empty()).ok()?;
    let len = rustix::io::read(&file, &mut head[..255]).ok()?;
    let line = head[..len].strip_prefix(b"#!")?;
    let blank = |b: &u8| *b == b' ' || *b == b'\t';
    let start = 2 + line.iter().position(|b| !blank(b))?;
    let end = head[start..len]
        .iter()
        .position(|b| blank(b) || *b == b'\n' || *b == 0)
        .map_or(len, |at| start + at);
    head[end] = 0;
    CStr::from_bytes_until_nul(&head[start..]).ok()
}

/// Where the program may be: the path itself when it has a slash, else one path for each directory of `PATH`.
fn candidates(program: &str, path: Option<&str>) -> Result<Vec<CString>> {
    if program.is_empty() {
        return Ok(vec![c"".to_owned()]);
    }
    if program.contains('/') {
        return Ok(vec![c_string(program.as_bytes())?]);
    }
    path.unwrap_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .split(':')
        .map(|dir| match dir {
            "" => c_string(format!("./{program}").as_bytes()),
            dir => c_string(format!("{}/{program}", dir.trim_end_matches('/')).as_bytes()),
        })
        .collect()
}

/// Copies out of the way of the numbers they will get.
fn above(fds: Vec<Option<OwnedFd>>) -> Result<Vec<Option<OwnedFd>>> {
    let least = 3 + fds.len() as i32;
    fds.into_iter()
        .map(|fd| match fd {
            Some(fd) if fd.as_raw_fd() < least => sys::fd::dup_above(fd.as_fd(), least)
                .map(Some)
                .tried(|| "copy a preserved descriptor"),
            fd => Ok(fd),
        })
        .collect()
}

fn refuse_unknown(process: &Process) -> Result<()> {
    let refuse = |what: &str| {
        Err(Error::new(
            Kind::Unsupported,
            format!("start a container with {what}: not supported"),
        ))
    };
    if process
        .apparmor_profile()
        .as_deref()
        .is_some_and(|profile| !profile.is_empty())
    {
        return refuse("an AppArmor profile");
    }
    if process
        .selinux_label()
        .as_deref()
        .is_some_and(|label| !label.is_empty())
    {
        return refuse("an SELinux label");
    }
    if process.scheduler().is_some() || process.io_priority().is_some() {
        return refuse("a scheduling policy");
    }
    Ok(())
}

fn rlimits(process: &Process) -> Vec<(u32, u64, u64)> {
    let limits = process.rlimits().iter().flatten();
    limits
        .map(|limit| (resource(limit.typ()), limit.soft(), limit.hard()))
        .collect()
}

pub(super) fn resource(kind: PosixRlimitType) -> u32 {
    match kind {
        PosixRlimitType::RlimitCpu => libc::RLIMIT_CPU,
        PosixRlimitType::RlimitFsize => libc::RLIMIT_FSIZE,
        PosixRlimitType::RlimitData => libc::RLIMIT_DATA,
        PosixRlimitType::RlimitStack => libc::RLIMIT_STACK,
        PosixRlimitType::RlimitCore => libc::RLIMIT_CORE,
        PosixRlimitType::RlimitRss => libc::RLIMIT_RSS,
        PosixRlimitType::RlimitNproc => libc::RLIMIT_NPROC,
        PosixRlimitType::RlimitNofile => libc::RLIMIT_NOFILE,
        PosixRlimitType::RlimitMemlock => libc::RLIMIT_MEMLOCK,
        PosixRlimitType::RlimitAs => libc::RLIMIT_AS,
        PosixRlimitType::RlimitLocks => libc::RLIMIT_LOCKS,
        PosixRlimitType::RlimitSigpending => libc::RLIMIT_SIGPENDING,
        PosixRlimitType::RlimitMsgqueue => libc::RLIMIT_MSGQUEUE,
        PosixRlimitType::RlimitNice => libc::RLIMIT_NICE,
        PosixRlimitType::RlimitRtprio => libc::RLIMIT_RTPRIO,
        PosixRlimitType::RlimitRttime => libc::RLIMIT_RTTIME,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_for_along_path() {
        let table = [
            ("sh", Some("/bin:/usr/bin/"), vec!["/bin/sh", "/usr/bin/sh"]),
            ("sh", Some(":/bin"), vec!["./sh", "/bin/sh"]),
            ("/x/sh", Some("/bin"), vec!["/x/sh"]),
            ("./sh", None, vec!["./sh"]),
            ("", None, vec![""]),
        ];
        for (program, path, want) in table {
            let got = candidates(program, path).unwrap();
            let got: Vec<_> = got.iter().map(|c| c.to_str().unwrap()).collect();
            assert_eq!(got, want, "{program:?} {path:?}");
        }
    }
}
