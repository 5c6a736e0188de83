//! Descriptors at fixed numbers, and of namespaces.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

use super::cvt;

/// Marks every descriptor from `first` on close-on-exec (`close_range(2)`, Linux 5.11).
pub fn cloexec_from(first: u32) -> Result<(), Errno> {
    // SAFETY: plain integers; no descriptor is closed, so nobody's ownership changes.
    cvt(unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    })
    .map(drop)
}

/// Marks the number `fd` close-on-exec, if it is open.
pub fn cloexec(fd: u32) -> Result<(), Errno> {
    // SAFETY: as above.
    cvt(unsafe { libc::syscall(libc::SYS_close_range, fd, fd, libc::CLOSE_RANGE_CLOEXEC) })
        .map(drop)
}

/// Closes every descriptor whose number is not in `keep` (`close_range(2)`, Linux 5.9), which is sorted by this.
///
/// For a forked process that will never use, nor drop, what it inherited besides.
pub fn close_all_but(keep: &mut [RawFd]) -> Result<(), Errno> {
    keep.sort_unstable();
    let mut first = 0;
    let ends = keep.iter().map(|&fd| fd.unsigned_abs());
    for end in ends.chain(std::iter::once(u32::MAX)) {
        if end > first {
            // SAFETY: three numbers; the caller promises that nothing in this process uses the others again.
            cvt(unsafe { libc::syscall(libc::SYS_close_range, first, end - 1, 0) })?;
        }
        first = end.saturating_add(1);
    }
    Ok(())
}

/// Makes `to` mean what `from` means and survive an exec (`dup2(2)`); also where both are one number.
///
/// Whatever `to` meant before is closed: for a process that will execute a program and owns nothing by that number.
pub fn place(from: BorrowedFd<'_>, to: RawFd) -> Result<(), Errno> {
    if from.as_raw_fd() == to {
        // SAFETY: F_SETFD takes an integer; the descriptor is borrowed, so it is open.
        return cvt(unsafe { libc::fcntl(to, libc::F_SETFD, 0) }.into()).map(drop);
    }
    // SAFETY: plain integers; the caller owns nothing by the number `to`, see above.
    cvt(unsafe { libc::dup2(from.as_raw_fd(), to) }.into()).map(drop)
}

/// Makes a copy numbered `least` or higher, close-on-exec (`F_DUPFD_CLOEXEC`).
pub fn dup_above(fd: BorrowedFd<'_>, least: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: F_DUPFD_CLOEXEC takes an integer; the descriptor is borrowed, so it is open.
    let copy = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) };
    let copy = Errno::result(copy)?;
    // SAFETY: the call succeeded, so `copy` is open and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// The descriptor that was numbered `number` when this process began.
///
/// For descriptors a caller passed by number (`--preserve-fds`): fails with `EBADF` when it is not open.
pub fn inherited(number: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: F_DUPFD_CLOEXEC takes an integer and makes a new descriptor, or fails when `number` is not open.
    let copy = Errno::result(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: the call succeeded, so `copy` is open and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// The user namespace that owns the namespace `ns` (`NS_GET_USERNS`, `ioctl_ns(2)`).
///
/// Fails with `EPERM` when the owner is outside of the caller's own user namespace.
pub fn owner_of_namespace(ns: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    const NS_GET_USERNS: libc::Ioctl = 0xb701;
    // SAFETY: the request takes no argument; the kernel reads no memory of ours.
    let fd = Errno::result(unsafe { libc::ioctl(ns.as_raw_fd(), NS_GET_USERNS) })?;
    // SAFETY: the call succeeded, so `fd` is open and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes the terminal `tty` the controlling one of this session, which has none (`TIOCSCTTY`).
pub fn set_controlling_terminal(tty: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: the argument is an integer; the kernel reads no memory of ours.
    cvt(unsafe { libc::ioctl(tty.as_raw_fd(), libc::TIOCSCTTY, 0) }.into()).map(drop)
}

/// The working directory as the kernel writes it, with its nul; returns the length (`getcwd(2)`).
///
/// A directory outside of the process's root has a path that begins with `(unreachable)`.
pub fn getcwd(buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes into the slice.
    cvt(unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) })
        .map(|len| len as usize)
}
