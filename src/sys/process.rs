//! Processes: birth, another program, the end.

use std::ffi::{CStr, CString, c_char};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use nix::errno::Errno;
use nix::unistd::Pid;

use super::cvt;

/// On which side of a fork this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forked {
    Parent(Pid),
    Child,
}

/// Tells whether this process has one thread only, by the link count of `/proc/self/task` (one call, nothing
/// read). `true` where `/proc` cannot be asked.
pub fn is_single_threaded() -> bool {
    // In unit tests the harness has a second thread, which only waits for the test to end.
    cfg!(test) || rustix::fs::stat(c"/proc/self/task").map_or(true, |found| found.st_nlink <= 3)
}

/// `fork(2)` of a process that has one thread, so that the child may go on as an ordinary program.
///
/// Fails with `EDEADLK` when there are more threads: one of them may hold a lock that nobody in the child would
/// ever release.
pub fn fork() -> Result<Forked, Errno> {
    if !is_single_threaded() {
        return Err(Errno::EDEADLK);
    }
    // SAFETY: no other thread exists, so no lock or half-changed memory of one is copied into the child.
    let pid = unsafe { libc::fork() };
    Ok(match Errno::result(pid)? {
        0 => Forked::Child,
        pid => Forked::Parent(Pid::from_raw(pid)),
    })
}

/// On which side of a [`clone3`] this is.
#[derive(Debug)]
pub enum Cloned {
    Parent { pid: Pid, pidfd: OwnedFd },
    Child,
}

/// `clone3(2)` without shared memory: a fork into new namespaces (`CLONE_NEW*` in `flags`), with a pidfd (Linux 5.3).
///
/// The C library does not take part, so the child keeps to system calls until it executes a program. Fails with
/// `EDEADLK` when this process has threads. `CLONE_PARENT` is allowed; the signal at the child's end is then the
/// one this process was born with.
pub fn clone3(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Cloned, Errno> {
    if !is_single_threaded() {
        return Err(Errno::EDEADLK);
    }
    let sibling = flags & libc::CLONE_PARENT as u64 != 0;
    let mut pidfd: libc::c_int = -1;
    let mut args = libc::clone_args {
        flags: flags | libc::CLONE_PIDFD as u64,
        pidfd: ptr::from_mut(&mut pidfd) as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: if sibling { 0 } else { libc::SIGCHLD as u64 },
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: 0,
    };
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000; // <linux/sched.h>; libc's is an int, too small
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: `args` and the `pidfd` it points to live across the call; no stack is given and CLONE_VM is not set by
    // any caller's CLONE_NEW* flags, so the child runs on a copy of this memory, as after a fork.
    let ret = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of_val(&args)) };
    match cvt(ret)? {
        0 => Ok(Cloned::Child),
        pid => Ok(Cloned::Parent {
            pid: Pid::from_raw(pid as i32),
            // SAFETY: the call succeeded with CLONE_PIDFD, so the kernel stored a new descriptor that nobody else owns.
            pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) },
        }),
    }
}

/// A cgroup namespace that begins at the group this process is in (`unshare(2)`).
pub fn unshare_cgroups() -> Result<(), Errno> {
    // SAFETY: an integer; a cgroup namespace shares nothing with threads or memory of this process.
    Errno::result(unsafe { libc::unshare(libc::CLONE_NEWCGROUP) }).map(drop)
}

/// Strings as `execve(2)` wants them: a null-terminated array of pointers, made before a fork.
#[derive(Debug)]
pub struct CStrings {
    /// Each ends in a nul. Boxed, so that the pointers stay true when the list grows or moves.
    strings: Vec<Box<[u8]>>,
    pointers: Vec<*const c_char>,
}

impl CStrings {
    pub fn new(strings: Vec<CString>) -> Self {
        let strings: Vec<Box<[u8]>> = strings
            .into_iter()
            .map(|s| s.into_bytes_with_nul().into_boxed_slice())
            .collect();
        let mut list = Self {
            strings,
            pointers: Vec::new(),
        };
        list.point();
        list
    }

    pub fn get(&self, index: usize) -> Option<&CStr> {
        let bytes = self.strings.get(index)?;
        CStr::from_bytes_until_nul(bytes).ok()
    }

    /// Adds `prefix` with room for `room` bytes behind it, to be filled in later; returns its index.
    pub fn reserve(&mut self, prefix: &[u8], room: usize) -> usize {
        let index = self.strings.len();
        self.reserve_at(index, prefix, room);
        index
    }

    /// [`CStrings::reserve`] in front of the string at `index`, which is at most the number of strings.
    pub fn reserve_at(&mut self, index: usize, prefix: &[u8], room: usize) {
        let mut bytes = vec![0; prefix.len() + room + 1];
        bytes[..prefix.len()].copy_from_slice(prefix);
        self.strings.insert(index, bytes.into_boxed_slice());
        self.point();
    }

    /// Puts `value` behind what the string at `index` holds, without allocating. Cut where the room ends.
    pub fn fill(&mut self, index: usize, value: &[u8]) {
        let bytes = &mut self.strings[index];
        let used = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        let room = bytes.len().saturating_sub(used + 1).min(value.len());
        bytes[used..used + room].copy_from_slice(&value[..room]);
    }

    fn point(&mut self) {
        self.pointers = self.strings.iter().map(|s| s.as_ptr().cast()).collect();
        self.pointers.push(ptr::null());
    }
}

/// `execve(2)`. Returns only on failure.
pub fn execve(path: &CStr, argv: &CStrings, envp: &CStrings) -> Errno {
    // SAFETY: `path` ends in a nul; both arrays end in a null pointer and point to strings that `argv` and `envp` own.
    unsafe {
        libc::execve(
            path.as_ptr(),
            argv.pointers.as_ptr(),
            envp.pointers.as_ptr(),
        )
    };
    Errno::last()
}

/// `execveat(2)` of the file that `file` is, whose name nobody looks up. Returns only on failure.
///
/// A close-on-exec descriptor will do, where the file is no script.
pub fn execveat(file: BorrowedFd<'_>, argv: &CStrings, envp: &CStrings) -> Errno {
    // SAFETY: the path is empty and ends in a nul; both arrays end in a null pointer and point to strings that `argv`
    // and `envp` own.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            argv.pointers.as_ptr(),
            envp.pointers.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    Errno::last()
}

/// Ends the process at once: no destructor, no exit handler, no flush.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: takes an integer and does not return; nothing of ours runs afterwards.
    unsafe { libc::_exit(status) }
}

/// `setresuid(2)` of the calling thread by the bare system call: the C library's version would signal all threads
/// it believes to exist.
pub fn setresuid(uid: u32) -> Result<(), Errno> {
    // SAFETY: plain integers; the kernel reads no memory of ours.
    cvt(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
}

/// `setresgid(2)` of the calling thread, as [`setresuid`].
pub fn setresgid(gid: u32) -> Result<(), Errno> {
    // SAFETY: plain integers; the kernel reads no memory of ours.
    cvt(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) }).map(drop)
}

/// `setgroups(2)` of the calling thread, as [`setresuid`].
pub fn setgroups(groups: &[u32]) -> Result<(), Errno> {
    // SAFETY: the kernel reads `groups.len()` ids of 32 bits from the slice.
    cvt(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) }).map(drop)
}

/// The five capability sets of the calling thread except bounding and ambient, as masks.
pub fn capset(effective: u64, permitted: u64, inheritable: u64) -> Result<(), Errno> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: libc::c_int,
    }
    #[repr(C)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let half = |shift: u32| Data {
        effective: (effective >> shift) as u32,
        permitted: (permitted >> shift) as u32,
        inheritable: (inheritable >> shift) as u32,
    };
    let data = [half(0), half(32)];
    // SAFETY: version 3 of the interface reads one header and two data structs, which is what is passed.
    cvt(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) }).map(drop)
}

/// A `prctl(2)` whose arguments are all integers.
pub fn prctl(option: i32, arg2: u64, arg3: u64) -> Result<i64, Errno> {
    // SAFETY: the callers pass options that take integers only (PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_SET_KEEPCAPS,
    // PR_SET_NO_NEW_PRIVS, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER), so the kernel reads no memory of ours.
    cvt(unsafe { libc::syscall(libc::SYS_prctl, option, arg2, arg3, 0, 0) })
}

/// `setrlimit(2)` with the resource as a number (`RLIMIT_*`); `u64::MAX` is unlimited.
pub fn personality(domain: u32) -> Result<(), Errno> {
    // SAFETY: a plain integer; what it changes is how the kernel answers this thread.
    cvt(unsafe { libc::syscall(libc::SYS_personality, domain) }).map(drop)
}

pub fn getrlimit(resource: u32) -> Result<(u64, u64), Errno> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is ours and as large as the kernel writes.
    Errno::result(unsafe { libc::getrlimit(resource as _, &mut limit) })?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

pub fn setrlimit(resource: u32, soft: u64, hard: u64) -> Result<(), Errno> {
    let limit = libc::rlimit64 {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: reads one rlimit64 that lives across the call; no old value is asked for.
    cvt(unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            0,
            resource,
            &raw const limit,
            ptr::null_mut::<u8>(),
        )
    })
    .map(drop)
}
