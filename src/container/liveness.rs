//! What is true of a container, whoever was killed. No daemon watches: the first reader that finds a death records it.
//!
//! A monitor holds the lock of its container while it lives. On this machine a container has died when the boot id is
//! another one, or when the lock is free and no process has the recorded pid and start time. Containers that another
//! machine runs from the same home are never judged here.

use std::fs;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::error::Result;
use crate::state::{self, Lock};

use super::clock;
use super::end::{Asked, End, EndedBy};
use super::engine::{Container, Containers, make_dir};
use super::events::{Action, Event};
use super::record::{State, Status};

/// Exit status of a container whose end nobody saw; Podman prints the same.
pub const UNKNOWN_EXIT: i32 = -1;

/// `/etc/machine-id`, or the host's name where there is none.
pub fn machine_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        let text = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        match text.trim() {
            "" => format!(
                "host-{}",
                rustix::system::uname().nodename().to_string_lossy()
            ),
            id => id.to_owned(),
        }
    })
}

/// Another after each boot of this machine.
pub fn boot_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .unwrap_or_default()
            .trim()
            .to_owned()
    })
}

/// Field 22 of `/proc/PID/stat`: when the process began, in clock ticks since boot. 0: no such process.
pub fn start_time(pid: i32) -> u64 {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(0, |text| parse_start_time(&text))
}

fn parse_start_time(stat: &str) -> u64 {
    // The program's name, in parentheses, may hold anything: count fields after the last parenthesis.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after
        .split_ascii_whitespace()
        .nth(19)
        .and_then(|f| f.parse().ok())
        .unwrap_or(0)
}

/// A handle on process `pid`, if it is the one that began at `start` and has not ended.
pub fn open_process(pid: i32, start: u64) -> Option<OwnedFd> {
    let handle = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    // Looked at after the open: were it another process by now, its start time would tell.
    let same = start != 0 && start_time(pid) == start;
    (same && !has_ended(&handle)).then_some(handle)
}

/// A process that nobody reaps still has its number and its start time; its handle becomes readable at its end.
fn has_ended(handle: &OwnedFd) -> bool {
    let now = Timespec::default();
    let mut fds = [PollFd::new(handle, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&now)), Ok(1..))
}

impl State {
    /// Says a monitor or a program should be there.
    pub fn is_alive(&self) -> bool {
        matches!(
            self.status,
            Status::Initialized
                | Status::Running
                | Status::Paused
                | Status::Stopping
                | Status::Restarting
        )
    }

    /// Runs, as far as known, on another machine that shares this store.
    pub fn is_elsewhere(&self) -> bool {
        self.is_alive() && !self.machine_id.is_empty() && self.machine_id != machine_id()
    }

    /// A handle on the container's first process.
    pub fn open_init(&self) -> Option<OwnedFd> {
        (self.boot_id == boot_id())
            .then(|| open_process(self.pid, self.pid_start))
            .flatten()
    }

    /// A handle on its monitor.
    pub fn open_monitor(&self) -> Option<OwnedFd> {
        (self.boot_id == boot_id())
            .then(|| open_process(self.monitor_pid, self.monitor_start))
            .flatten()
    }
}

impl Container {
    /// Makes `state` true; `false`: the container is gone (`--rm`).
    pub(super) fn settle(&mut self) -> Result<bool> {
        if !self.state.is_alive() || self.state.is_elsewhere() {
            return Ok(true);
        }
        let lock_path = self.engine.lock_path(&self.record.id);
        if self.state.boot_id == boot_id() {
            if Lock::is_held(&lock_path)? {
                self.look_frozen();
                return Ok(true);
            }
            if self.state.open_init().is_some() {
                self.look_frozen();
                "monitor died".clone_into(&mut self.state.error);
                return Ok(true);
            }
        }
        let lock = make_dir(&self.run_dir()).and_then(|()| Lock::try_exclusive(&lock_path));
        let lock = match lock {
            Ok(Some(lock)) => lock,
            Ok(None) => return Ok(true), // somebody starts, removes or settles it at this moment
            Err(_) => {
                // No room for a lock, or no right to make one: the truth is told and not recorded.
                self.die();
                return Ok(true);
            }
        };
        // Its monitor may have ended in order between our two looks.
        if self.engine.load_record(&self.record.id)?.is_none() {
            // Removed meanwhile; what making the lock has left goes too.
            let _ = self
                .engine
                .remove_files(&self.record.id, Some(&self.record.name), lock);
            return Ok(false);
        }
        self.state = self.engine.load_state(&self.record.id)?;
        if !self.state.is_alive() || self.state.open_init().is_some() {
            return Ok(true);
        }
        self.end_helper();
        if let Some(of) = self.state.cgroup.take() {
            super::cgroup::release(&self.run_dir(), &of);
        }
        self.die();
        // Where it cannot be written the next reader finds the same.
        let _ = state::save_or_overwrite(&self.dir().join("state.json"), &self.state);
        let died = Event::container(Action::Died, &self.record);
        self.engine.emit(&died.exit_code(UNKNOWN_EXIT));
        if self.record.request.auto_remove {
            // What the monitor would have done. A failure leaves it listed as exited.
            let removed = self.remove_locked(lock, true).is_ok();
            if removed {
                self.emit(Action::Remove);
            }
            return Ok(!removed);
        }
        Ok(true)
    }

    /// The state of a container whose end nobody saw.
    fn die(&mut self) {
        self.state.status = Status::Exited;
        let pid = std::mem::take(&mut self.state.pid);
        self.state.exit_code = UNKNOWN_EXIT;
        self.state.finished_at = Some(clock::now());
        "monitor died".clone_into(&mut self.state.error);
        let by = match self.state.boot_id == boot_id() {
            true => EndedBy::MonitorDied,
            false => EndedBy::Reboot,
        };
        self.state.end = Some(End {
            by,
            pid,
            asked: Asked::take(&self.run_dir()),
            ..End::default()
        });
    }

    /// Ends a network helper whose monitor could not.
    pub(super) fn end_helper(&self) {
        if self.state.boot_id == boot_id()
            && let Some(helper) = open_process(self.state.helper_pid, self.state.helper_start)
        {
            let _ = rustix::process::pidfd_send_signal(helper, rustix::process::Signal::TERM);
        }
    }
}

impl Containers {
    /// Removes what a killed `create`, `run` or `rm` of this machine left of a container: a directory without record.
    ///
    /// Passed over in silence: a listing must not fail because something cannot be swept.
    pub(super) fn sweep(&self, id: &str) {
        let dir = self.dir(id);
        let owner = fs::read_link(dir.join("owner")).ok();
        if owner.is_none() {
            // Killed before it said whose it is, or after; one that holds anything is not removed by this.
            let _ = fs::remove_dir(&dir);
        }
        if owner.as_deref().and_then(|o| o.to_str()) != Some(machine_id())
            || make_dir(&self.run_dir(id)).is_err()
        {
            return;
        }
        let Ok(Some(lock)) = Lock::try_exclusive(&self.lock_path(id)) else {
            return;
        };
        if let Ok(None) = self.load_record(id) {
            let _ = self.remove_files(id, None, lock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_time_behind_a_hostile_name() {
        let stat = "12 (a) b (c) S 1 12 12 0 -1 4194560 100 0 0 0 0 0 0 0 20 0 1 0 987654 1 2 3";
        assert_eq!(parse_start_time(stat), 987_654);
        assert_eq!(parse_start_time(""), 0);
    }

    #[test]
    fn a_process_is_known_by_pid_and_start_time() {
        let me = std::process::id().cast_signed();
        let start = start_time(me);
        assert!(start > 0);
        assert!(open_process(me, start).is_some());
        assert!(open_process(me, start + 1).is_none());
        assert!(open_process(me, 0).is_none());
    }

    #[test]
    fn a_process_nobody_reaped_has_ended() {
        let mut child = std::process::Command::new("true")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("spawn");
        let pid = child.id().cast_signed();
        let handle =
            pidfd_open(Pid::from_raw(pid).expect("a pid"), PidfdFlags::empty()).expect("pidfd");
        poll(&mut [PollFd::new(&handle, PollFlags::IN)], None).expect("poll");
        let start = start_time(pid);
        assert!(start > 0 && open_process(pid, start).is_none());
        child.wait().expect("wait");
    }
}
