//! Filters of system calls (`seccomp(2)`): from a profile to the BPF program that a container's process loads.
//!
//! Nothing here touches a process: a [`Program`] is plain data, and `sys` installs it.

use libc::sock_filter;

/// A classic BPF program for `seccomp(SECCOMP_SET_MODE_FILTER)`, ready to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub filter: Vec<sock_filter>,
    /// `SECCOMP_FILTER_FLAG_*`
    pub flags: u32,
}
