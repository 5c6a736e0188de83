//! Runs in: cli or monitor. A further process in a running container.

use std::os::fd::{BorrowedFd, OwnedFd};

use nix::unistd::Pid;
use oci_spec::runtime::{Process, Spec};

use crate::error::{Error, Kind, Result};

use super::plan::{Running, StdioPlan, UserPlan};
use super::seccomp::Program;

/// The container to enter, and how its processes are confined.
#[derive(Debug)]
pub struct ExecTarget<'a> {
    /// Its first process, in the caller's pid namespace.
    pub pid: Pid,
    pub pidfd: BorrowedFd<'a>,
    /// The spec it was launched with: which namespaces it has of its own.
    pub spec: &'a Spec,
    pub user: UserPlan,
    /// As it was launched with.
    pub seccomp: Option<Program>,
    /// Descriptors that become 3, 4, … in the process.
    pub preserve: Vec<OwnedFd>,
}

/// Runs `process` in the container: all of its namespaces joined in one step, same capabilities, filter, limits and
/// `no_new_privs`.
///
/// The new process is a child of the caller, who reaps it. For a process with one thread only. Fails as
/// [`super::launch::Starting::finish`] does.
pub fn spawn(target: ExecTarget<'_>, process: &Process, stdio: StdioPlan) -> Result<Running> {
    let _ = (target, process, stdio);
    Err(Error::new(
        Kind::Unsupported,
        "enter a container: not in this version",
    ))
}
