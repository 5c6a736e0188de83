//! Starts a network helper so that it inherits nothing and never outlives the process that started it.
//!
//! Runs in: the monitor, and between fork and exec. The caller has one thread.

use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, ftruncate, getpid, getppid, pipe2, read};

use crate::error::{Error, Kind, Result, Tried};
use crate::sys::fd;
use crate::sys::process::{self, CStrings, Forked};
use crate::sys::signal;

/// What a helper may print; more is refused by the kernel, which no helper minds.
const PRINT_BYTES: usize = 8 * 1024;

/// Where the helper finds the pipe on which it says that it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// Its standard output, by the name `/proc/self/fd/1`: pasta closes everything above 2.
    Stdout,
    /// Descriptor 3, by number: slirp4netns prints on its standard output.
    Three,
}

/// The pipe as a file name, for [`Ready::Stdout`].
pub const STDOUT_PATH: &str = "/proc/self/fd/1";

/// A helper that was started and has not yet said that it is ready.
#[derive(Debug)]
pub struct Helper {
    name: &'static str,
    pub pid: Pid,
    ready: OwnedFd,
    printed: OwnedFd,
}

/// Starts `program` with `args`.
///
/// stdin is `/dev/null`, and what it prints is kept for an error. When the calling thread ends, the kernel kills
/// the helper: the signal survives its joining of a user namespace that our uid owns.
pub fn spawn(
    name: &'static str,
    program: &Path,
    args: &[OsString],
    ready_at: Ready,
) -> Result<Helper> {
    let tried = || format!("start {name}");
    let argv =
        c_strings(std::iter::once(program.as_os_str().to_owned()).chain(args.iter().cloned()))?;
    let envp = c_strings(std::env::vars_os().map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        name
    }))?;
    let path = c_string(program.as_os_str().to_owned())?;
    let null = nix::fcntl::open(
        "/dev/null",
        nix::fcntl::OFlag::O_RDONLY | nix::fcntl::OFlag::O_CLOEXEC,
        nix::sys::stat::Mode::empty(),
    )
    .tried(tried)?;
    let printed = print_buffer().tried(tried)?;
    let (ready, ready_out) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).tried(tried)?;
    let parent = getpid();
    match process::fork().tried(tried)? {
        Forked::Parent(pid) => Ok(Helper {
            name,
            pid,
            ready,
            printed,
        }),
        Forked::Child => {
            let (null, printed, ready) = (null.as_fd(), printed.as_fd(), ready_out.as_fd());
            let fds: &[BorrowedFd<'_>] = match ready_at {
                Ready::Stdout => &[null, ready, printed],
                Ready::Three => &[null, printed, printed, ready],
            };
            let errno = become_helper(parent, fds, || process::execve(&path, &argv, &envp));
            let words = format!("execute {}: {}", program.display(), errno.desc());
            // An error without words is still one.
            let _ = nix::unistd::write(std::io::stderr(), words.as_bytes());
            process::exit_now(127)
        }
    }
}

/// Runs in: the child, before exec. Returns only on failure.
fn become_helper(parent: Pid, fds: &[BorrowedFd<'_>], exec: impl FnOnce() -> Errno) -> Errno {
    let prepare = || {
        set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != parent {
            return Err(Errno::ESRCH); // it died before the kernel knew that we depend on it
        }
        // Rust ignores SIGPIPE and a monitor may block signals; pasta of 2023 refuses to start with the former.
        signal::restore(Signal::SIGPIPE)?;
        SigSet::empty().thread_set_mask()?;
        // First out of the way of the low numbers, then into their places.
        let above = fds.len() as i32;
        let mut high = Vec::with_capacity(fds.len());
        for from in fds {
            high.push(fd::dup_above(*from, above)?);
        }
        for (to, from) in high.iter().enumerate() {
            fd::place(from.as_fd(), to as i32)?;
        }
        fd::cloexec_from(above as u32)
    };
    match prepare() {
        Ok(()) => exec(),
        Err(errno) => errno,
    }
}

/// A file in memory that cannot grow: nobody has to drain it, and it bounds what a helper can make us keep.
fn print_buffer() -> Result<OwnedFd, Errno> {
    let fd = memfd_create(
        c"helper",
        MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING,
    )?;
    ftruncate(&fd, PRINT_BYTES as i64)?;
    fcntl(
        &fd,
        FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK),
    )?;
    Ok(fd)
}

impl Helper {
    /// Waits until the helper writes to its ready descriptor.
    ///
    /// Its death instead is an error with what it printed; so is silence for longer than `patience`, after which
    /// it is killed.
    pub fn wait_ready(self, patience: Duration) -> Result<Pid> {
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::NONE);
        loop {
            let mut fds = [PollFd::new(self.ready.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, timeout) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(self.fail(&errno.to_string())),
                Ok(0) => {
                    let why = format!("not ready after {} seconds", patience.as_secs());
                    return Err(self.fail(&why));
                }
                Ok(_) => break,
            }
        }
        let mut byte = [0u8; 16];
        match read(&self.ready, &mut byte) {
            Ok(n) if n > 0 => Ok(self.pid),
            _ => Err(self.fail("")),
        }
    }

    /// Ends and reaps the helper and words its failure.
    fn fail(self, why: &str) -> Error {
        end(self.pid, true);
        let mut parts = vec![format!("set up the network with {}", self.name)];
        let printed = self.printed();
        parts.extend(
            [why, printed.as_str()]
                .iter()
                .filter(|s| !s.is_empty())
                .map(|s| (*s).to_owned()),
        );
        Error::new(Kind::System, parts.join(": "))
    }

    /// What the helper printed, as one line.
    fn printed(&self) -> String {
        let mut bytes = vec![0u8; PRINT_BYTES];
        let n = nix::sys::uio::pread(&self.printed, &mut bytes, 0).unwrap_or(0);
        one_line(&String::from_utf8_lossy(&bytes[..n]))
    }

    /// Ends the helper, for a caller that fails between the start and [`Helper::wait_ready`].
    pub fn kill(self) {
        end(self.pid, true);
    }
}

/// Joins the lines a helper printed; drops what pasta says of a system log that is not there.
fn one_line(printed: &str) -> String {
    printed
        .trim_end_matches('\0')
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.ends_with("bytes to syslog"))
        .map(|line| {
            line.escape_debug()
                .to_string()
                .replace("\\\"", "\"")
                .replace("\\'", "'")
        })
        .collect::<Vec<_>>()
        .join("; ")
}

/// Kills a helper of ours; `wait` until it is gone and has let go of its ports.
///
/// SIGKILL, because neither helper has anything to save, and slirp4netns takes 26-56 ms over a SIGTERM.
pub fn end(pid: Pid, wait: bool) {
    if kill(pid, Signal::SIGKILL).is_err() {
        return;
    }
    let flags = if wait {
        None
    } else {
        Some(WaitPidFlag::WNOHANG)
    };
    while let Err(Errno::EINTR) = waitpid(pid, flags) {}
}

fn c_strings(words: impl Iterator<Item = OsString>) -> Result<CStrings> {
    Ok(CStrings::new(
        words.map(c_string).collect::<Result<Vec<_>>>()?,
    ))
}

fn c_string(word: OsString) -> Result<CString> {
    CString::new(word.into_vec()).map_err(|err| {
        let word = err.into_vec();
        Error::usage(format!(
            "pass \"{}\" to a network helper: it contains a NUL byte",
            OsString::from_vec(word).as_bytes().escape_ascii()
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn what_helpers_print_becomes_one_line() {
        let printed = "Failed to send 57 bytes to syslog\nCouldn't open network namespace \"/x\"\n\n  and\u{1b}[31m more\n\0\0";
        assert_eq!(
            one_line(printed),
            "Couldn't open network namespace \"/x\"; and\\u{1b}[31m more"
        );
    }

    #[test]
    fn the_print_buffer_does_not_grow() {
        let fd = print_buffer().expect("memfd");
        let full = vec![b'x'; PRINT_BYTES];
        assert_eq!(nix::unistd::write(&fd, &full), Ok(PRINT_BYTES));
        assert_eq!(nix::unistd::write(&fd, b"y"), Err(Errno::EPERM));
        assert!(fd.as_raw_fd() > 2);
    }
}
