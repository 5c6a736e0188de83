//! How a run ended beyond its exit status: written by whoever knows it, read by `why`.
//!
//!     $RUNROOT/<id>/asked    who asked for the end last: one JSON line; the monitor takes it away at the end

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::clock;

/// Part of the state of a container that has run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct End {
    pub by: EndedBy,
    /// Host pid that the first process had.
    pub pid: i32,
    /// The signal that killed it; 0: it exited by itself.
    #[serde(skip_serializing_if = "is_zero")]
    pub signal: i32,
    /// The kernel wrote a core dump (`wait(2)`, WCOREDUMP).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub core: bool,
    /// The last command of ours that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// pasta or slirp4netns ended before the container.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub helper_died: bool,
    /// What else its writer knows, in a few words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// Who brought the end about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// The program, or a signal that no command of ours sent.
    #[default]
    Itself,
    /// A command, see [`Asked`].
    User,
    /// `--timeout`
    Timeout,
    /// `--health-on-failure`
    Health,
    /// Nobody saw it: the monitor was killed.
    MonitorDied,
    /// Nobody saw it: the machine went down.
    Reboot,
}

/// One request for the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// `stop`, `kill`, `rm`, `restart`
    pub command: String,
    pub signal: i32,
    /// Of the command's process.
    pub pid: i32,
    pub uid: u32,
    /// The program that ran the command, such as a shell.
    pub parent: String,
    /// RFC 3339.
    pub at: String,
}

const FILE: &str = "asked";

impl Asked {
    pub fn now(command: &str, signal: i32) -> Self {
        let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
        Self {
            command: command.to_owned(),
            signal,
            pid: std::process::id().cast_signed(),
            uid: rustix::process::getuid().as_raw(),
            parent: fs::read_to_string(format!("/proc/{parent}/comm"))
                .map(|name| name.trim_end().to_owned())
                .unwrap_or_default(),
            at: clock::now(),
        }
    }

    /// Leaves it for the monitor. A full runtime directory only makes `why` say less.
    pub(super) fn leave(&self, run_dir: &Path) {
        if let Ok(text) = serde_json::to_vec(self) {
            let _ = fs::write(run_dir.join(FILE), text);
        }
    }

    /// Takes what was left. A file that cannot be read says that somebody asked, and no more.
    pub(super) fn take(run_dir: &Path) -> Option<Self> {
        let path = run_dir.join(FILE);
        let text = fs::read(&path).ok()?;
        let _ = fs::remove_file(&path); // the next start replaces it
        Some(serde_json::from_slice(&text).unwrap_or_default())
    }

    /// A container stopped this way stays stopped, whatever its restart policy.
    pub fn wants_the_end(&self) -> bool {
        self.command != "kill"
            || matches!(
                self.signal,
                libc::SIGKILL | libc::SIGTERM | libc::SIGINT | libc::SIGQUIT
            )
    }
}

impl End {
    /// `by` where a request explains the end: a signal that was only delivered does not.
    pub(super) fn explained(mut self) -> Self {
        let explains = |asked: &Asked| asked.wants_the_end() || asked.signal == self.signal;
        if self.by == EndedBy::Itself && self.asked.as_ref().is_some_and(explains) {
            self.by = EndedBy::User;
        }
        self
    }
}

fn is_zero(number: &i32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::TestDir;

    #[test]
    fn a_request_is_taken_once() {
        let dir = TestDir::new();
        assert_eq!(Asked::take(dir.path()), None);
        let asked = Asked::now("stop", libc::SIGTERM);
        asked.leave(dir.path());
        assert_eq!(Asked::take(dir.path()), Some(asked));
        assert_eq!(Asked::take(dir.path()), None);
        fs::write(dir.path().join(FILE), "{").unwrap();
        assert_eq!(Asked::take(dir.path()), Some(Asked::default()));
    }

    #[test]
    fn what_a_request_explains() {
        let table = [
            ("stop", libc::SIGTERM, 0, EndedBy::User),
            ("kill", libc::SIGHUP, 0, EndedBy::Itself),
            ("kill", libc::SIGHUP, libc::SIGHUP, EndedBy::User),
            ("kill", libc::SIGHUP, libc::SIGSEGV, EndedBy::Itself),
            ("kill", libc::SIGKILL, libc::SIGKILL, EndedBy::User),
        ];
        for (command, sent, signal, want) in table {
            let end = End {
                signal,
                asked: Some(Asked::now(command, sent)),
                ..End::default()
            };
            assert_eq!(end.explained().by, want, "{command} {sent} {signal}");
        }
    }
}
