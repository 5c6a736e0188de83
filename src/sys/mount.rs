//! Mounts by descriptor: what `rustix::mount` lacks.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

use super::cvt;

pub use libc::mount_attr;

/// Changes attributes and propagation of the mount that `path` below `dir` names (`mount_setattr(2)`, Linux 5.12).
///
/// `flags`: `AT_EMPTY_PATH` for the mount `dir` itself, `AT_RECURSIVE` for all below it, in one step.
pub fn mount_setattr(
    dir: BorrowedFd<'_>,
    path: &CStr,
    flags: i32,
    attr: &mount_attr,
) -> Result<(), Errno> {
    // SAFETY: `path` ends in a nul, and the kernel reads the one struct of the size it is told.
    cvt(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir.as_raw_fd(),
            path.as_ptr(),
            flags,
            std::ptr::from_ref(attr),
            size_of::<mount_attr>(),
        )
    })
    .map(drop)
}

/// `pivot_root(2)` onto the working directory, the old root put below the new one at the same place: `umount2(".")`
/// then takes it away.
pub fn pivot_root_here() -> Result<(), Errno> {
    // SAFETY: both paths are static strings that end in a nul.
    cvt(unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) }).map(drop)
}
