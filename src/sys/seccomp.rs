//! Loading a filter of system calls.

use libc::{sock_filter, sock_fprog};
use nix::errno::Errno;

use super::cvt;

/// Loads `filter` into the calling thread (`seccomp(2)`); it cannot be taken away again.
///
/// Needs `no_new_privs` or `CAP_SYS_ADMIN` in the own user namespace, else `EACCES`. `flags`:
/// `SECCOMP_FILTER_FLAG_*` without the ones that return a descriptor.
pub fn load_filter(filter: &[sock_filter], flags: u32) -> Result<(), Errno> {
    let program = sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| Errno::EINVAL)?,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: `program` names `len` instructions of the slice, all alive across the call; the kernel only reads them.
    cvt(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    })
    .map(drop)
}
