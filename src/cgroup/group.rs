//! One container's group: made, frozen, killed, removed.

use std::fs;
use std::io::{ErrorKind, Read, Seek};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};

use crate::error::{Error, Kind, Result, Tried};

use super::MOUNT;
use super::tree::write;

/// The group of the processes, below that of the limits.
const LEAF: &str = "container";

/// Killed processes end at once, unless the kernel itself is stuck in one of them.
const AFTER_KILL: Duration = Duration::from_secs(10);

/// A group `…/pod-<id>`, by its path. Making a value touches nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    path: PathBuf,
}

impl Group {
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As `/proc/PID/cgroup` and `inspect` have it: below the mount.
    pub fn name(&self) -> String {
        let below = self.path.strip_prefix(MOUNT).unwrap_or(&self.path);
        format!("/{}", below.display())
    }

    /// Makes the group and the one of its processes. One that a killed start left is emptied and used again.
    pub fn make(&self) -> Result<()> {
        for path in [self.path.clone(), self.leaf()] {
            match fs::create_dir(&path) {
                Ok(()) => {}
                Err(err) if err.kind() == ErrorKind::AlreadyExists => {}
                Err(err) => return Err(Error::io(&err, format!("make cgroup {}", path.display()))),
            }
        }
        Ok(())
    }

    /// Makes a group that is there for others below it. One that exists is fine.
    pub fn make_plain(&self) -> Result<()> {
        match fs::create_dir(&self.path) {
            Err(err) if err.kind() != ErrorKind::AlreadyExists => Err(Error::io(
                &err,
                format!("make cgroup {}", self.path.display()),
            )),
            _ => Ok(()),
        }
    }

    /// The group every process of the container is in.
    pub fn leaf(&self) -> PathBuf {
        self.path.join(LEAF)
    }

    pub fn exists(&self) -> bool {
        rustix::fs::access(&self.path, rustix::fs::Access::EXISTS).is_ok()
    }

    /// For `clone3(CLONE_INTO_CGROUP)`.
    pub fn open_leaf(&self) -> Result<OwnedFd> {
        let leaf = self.leaf();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open(&leaf, flags, Mode::empty()).tried(|| format!("open cgroup {}", leaf.display()))
    }

    /// The content of one of its files; `None`: there is no such file, so no such controller.
    pub fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.path.join(file)).ok()
    }

    /// Tells whether it was told to freeze: true from that moment on, though a process may still be on its way.
    pub fn is_frozen(&self) -> bool {
        self.read("cgroup.freeze")
            .is_some_and(|text| text.trim() == "1")
    }

    /// Stops all processes and waits until none runs; `within` at most. Undone when that time passes.
    pub fn freeze(&self, within: Duration) -> Result<()> {
        let mut events = Events::open(&self.path)?;
        self.set("cgroup.freeze", "1")?;
        if events.await_that("frozen", "1", within)? {
            return Ok(());
        }
        self.set("cgroup.freeze", "0")?;
        Err(Error::new(
            Kind::State,
            format!(
                "freeze cgroup {}: a process does not stop within {} seconds",
                self.path.display(),
                within.as_secs()
            ),
        )
        .hint("it hangs in the kernel: look at /proc/PID/stack, a file server may be away"))
    }

    pub fn thaw(&self) -> Result<()> {
        self.set("cgroup.freeze", "0")
    }

    /// Sends SIGKILL to every process, frozen ones too (`cgroup.kill`, Linux 5.14).
    pub fn kill(&self) -> Result<()> {
        match write(&self.path.join("cgroup.kill"), "1") {
            Err(err) if err.kind() == ErrorKind::NotFound && self.exists() => {
                self.kill_one_by_one()
            }
            Err(err) if err.kind() == ErrorKind::NotFound => Ok(()),
            done => done.tried(|| format!("kill cgroup {}", self.path.display())),
        }
    }

    fn kill_one_by_one(&self) -> Result<()> {
        for pid in self.processes() {
            // A process that forks meanwhile is found by the next round, see `remove`.
            let _ = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGKILL,
            );
        }
        Ok(())
    }

    /// Ends every process and removes the group and all below it, and `above` empty groups over it. One that is gone
    /// is fine.
    pub fn remove(&self, above: usize) -> Result<()> {
        let deadline = Instant::now() + AFTER_KILL;
        while let Err(err) = self.remove_dirs() {
            if err.errno() != Some(nix::errno::Errno::EBUSY) || Instant::now() >= deadline {
                return Err(err);
            }
            let mut events = Events::open(&self.path)?;
            self.kill()?;
            let left = deadline.saturating_duration_since(Instant::now());
            events.await_that("populated", "0", left)?;
        }
        for path in self.path.ancestors().skip(1).take(above) {
            if fs::remove_dir(path).is_err() {
                break; // another container is in it
            }
        }
        Ok(())
    }

    fn remove_dirs(&self) -> Result<()> {
        // What a container without groups of its own leaves.
        for path in [&self.leaf(), &self.path] {
            match fs::remove_dir(path) {
                Ok(()) => {}
                Err(err) if err.kind() == ErrorKind::NotFound => {}
                Err(err) if err.raw_os_error() == Some(libc::EBUSY) => return self.remove_tree(),
                Err(err) => {
                    return Err(Error::io(&err, format!("remove cgroup {}", path.display())));
                }
            }
        }
        Ok(())
    }

    fn remove_tree(&self) -> Result<()> {
        for path in self.below()?.iter().rev() {
            match fs::remove_dir(path) {
                Ok(()) => {}
                Err(err) if err.kind() == ErrorKind::NotFound => {}
                Err(err) => {
                    return Err(Error::io(&err, format!("remove cgroup {}", path.display())));
                }
            }
        }
        Ok(())
    }

    /// The group and all below it, from above.
    pub(super) fn below(&self) -> Result<Vec<PathBuf>> {
        let mut found = vec![self.path.clone()];
        let mut next = 0;
        while let Some(dir) = found.get(next).cloned() {
            next += 1;
            let entries = match fs::read_dir(&dir) {
                Ok(entries) => entries,
                Err(err) if err.kind() == ErrorKind::NotFound => continue,
                Err(err) => return Err(Error::io(&err, format!("list cgroup {}", dir.display()))),
            };
            let dirs = entries
                .flatten()
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            found.extend(dirs.map(|entry| entry.path()));
        }
        Ok(found)
    }

    /// How often the kernel killed a process of it for want of memory.
    pub fn oom_kills(&self) -> u64 {
        let text = self.read("memory.events").unwrap_or_default();
        value_of(&text, "oom_kill")
            .and_then(|n| n.parse().ok())
            .unwrap_or(0)
    }

    /// Pids of all processes in it and below, in the caller's pid namespace.
    pub fn processes(&self) -> Vec<i32> {
        let dirs = self.below().unwrap_or_default();
        let texts = dirs
            .iter()
            .filter_map(|dir| fs::read_to_string(dir.join("cgroup.procs")).ok());
        texts
            .flat_map(|text| {
                text.lines()
                    .filter_map(|line| line.parse().ok())
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn set(&self, file: &str, value: &str) -> Result<()> {
        let path = self.path.join(file);
        write(&path, value).tried(|| format!("write {value} to {}", path.display()))
    }
}

/// `cgroup.events`, which polls readable (POLLPRI) when a value of it has changed.
struct Events(fs::File);

impl Events {
    fn open(group: &Path) -> Result<Self> {
        let path = group.join("cgroup.events");
        match fs::File::open(&path) {
            Ok(file) => Ok(Self(file)),
            Err(err) => Err(Error::io(&err, format!("open {}", path.display()))),
        }
    }

    /// `false`: the time passed.
    fn await_that(&mut self, key: &str, value: &str, within: Duration) -> Result<bool> {
        let deadline = Instant::now() + within;
        let mut text = String::new();
        loop {
            text.clear();
            let read = self
                .0
                .rewind()
                .and_then(|()| self.0.read_to_string(&mut text));
            match read {
                Ok(_) => {}
                // Removed meanwhile: nothing in it runs.
                Err(err) if err.raw_os_error() == Some(libc::ENODEV) => return Ok(true),
                Err(err) => return Err(Error::io(&err, "read cgroup.events")),
            }
            if value_of(&text, key) == Some(value) {
                return Ok(true);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let timeout = Timespec::try_from(left).ok();
            let mut fds = [PollFd::new(&self.0, PollFlags::PRI)];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno).tried(|| "wait for a cgroup"),
            }
        }
    }
}

/// The word behind `key` in a flat keyed file.
pub(super) fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_keyed_files() {
        let text = "populated 1\nfrozen 0\n";
        assert_eq!(value_of(text, "frozen"), Some("0"));
        assert_eq!(value_of(text, "froze"), None);
    }

    #[test]
    fn names_are_below_the_mount() {
        assert_eq!(Group::at("/sys/fs/cgroup/a/pod-1").name(), "/a/pod-1");
    }
}
