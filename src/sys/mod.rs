//! Thin wrappers over system calls that `nix` and `rustix` lack, and the only `unsafe` of the program.
//!
//! A wrapper decides nothing and returns the bare errno: the caller knows the object and words the failure.
//!
//! | file | calls |
//! | --- | --- |
//! | `process` | fork, clone3, execve, execveat, exit, ids and groups of one thread, rlimits |
//! | `mount` | `mount_setattr`, `umount2` on descriptors |
//! | `fd` | close_range, moving descriptors to fixed numbers, owner of a namespace |
//! | `seccomp` | loading a filter |
//! | `keyring` | a fresh session keyring |
//! | `memory` | giving free memory back |
//! | `signal` | dispositions of signals |
//! | `net` | bringing the loopback interface up |
#![allow(unsafe_code)] // the one place that may: everything else is built on these wrappers

pub mod fd;
pub mod keyring;
pub mod memory;
pub mod mount;
pub mod net;
pub mod process;
pub mod seccomp;
pub mod signal;

use nix::errno::Errno;

/// The errno of a failed raw system call, or its value.
fn cvt(ret: libc::c_long) -> Result<libc::c_long, Errno> {
    if ret == -1 {
        Err(Errno::last())
    } else {
        Ok(ret)
    }
}
