//! Runs in: cli or monitor. From a plan to a running container.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::unistd::Pid;

use crate::error::{Error, Kind, Result};

use super::plan::{LaunchPlan, NetReady, Running, Stdio};

/// A container whose namespaces exist and whose ids are mapped, busy with its mounts. Dropping it ends it.
#[derive(Debug)]
pub struct Starting {
    pid: Pid,
    pidfd: OwnedFd,
    stdio: Stdio,
}

/// Makes the namespaces and returns as soon as they can be joined, so that the caller starts the network while the
/// container does its mounts.
///
/// For a process with one thread only. Nothing is left behind on failure.
pub fn begin(plan: LaunchPlan) -> Result<Starting> {
    let _ = plan;
    Err(Error::new(
        Kind::Unsupported,
        "start a container: not in this version",
    ))
}

impl Starting {
    pub fn pid(&self) -> Pid {
        self.pid
    }

    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// `/proc/PID/ns/user`; valid until [`Starting::finish`].
    pub fn userns_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/user", self.pid))
    }

    /// `/proc/PID/ns/net`; valid until [`Starting::finish`].
    pub fn netns_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.pid))
    }

    /// Lets the container go on and waits until it has executed its program.
    ///
    /// Fails with [`Kind::CommandNotFound`] or [`Kind::NotExecutable`] when it is the program's fault; nothing is
    /// left behind on failure.
    pub fn finish(self, _ready: NetReady) -> Result<Running> {
        Ok(Running {
            pid: self.pid,
            pidfd: self.pidfd,
            stdio: self.stdio,
        })
    }
}
