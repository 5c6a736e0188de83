//! The session keyring (`keyrings(7)`).

use nix::errno::Errno;

use super::cvt;

/// Gives the process a fresh, anonymous session keyring: keys of the caller and of its other children are no longer
/// within reach.
///
/// `ENOSYS` on a kernel without keys, `EDQUOT` when the user has too many.
pub fn new_session_keyring() -> Result<(), Errno> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: a null name asks for an anonymous keyring; the kernel reads no memory of ours.
    cvt(unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            KEYCTL_JOIN_SESSION_KEYRING,
            std::ptr::null::<libc::c_char>(),
        )
    })
    .map(drop)
}
