//! `why`: what is known of how a container ended, or how it does, and what to do about it.
//!
//! Nothing is guessed: a cause is named when its evidence is there, in the state (written by the monitor and by the
//! commands, see [`super::end`]), in the container's tree, in the last lines it wrote, or in the kernel's log.

mod elf;
mod kernel;
mod logs;
pub mod program;
mod running;
mod story;
mod words;

pub use running::of_process;
use serde::Serialize;

use crate::error::Result;
use crate::rootless::identity::Identity;

use super::end::Asked;
use super::engine::Container;
use super::record::Status;
use super::signal;

/// What `why` tells. The keys are stable: new ones may come, none changes its meaning.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Why {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    /// As in `ps`: `running`, `exited` …
    pub state: String,
    pub cause: Cause,
    /// `None`: it has not ended, or nobody saw the end.
    pub exit_code: Option<i32>,
    /// `SIGKILL`; empty: no signal ended it.
    pub signal: String,
    pub core_dumped: bool,
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    /// RFC 3339; empty: never.
    pub started_at: String,
    pub finished_at: String,
    /// The last command of ours that asked for the end.
    pub by: Option<By>,
    /// What `start` answered when it failed; else empty.
    pub error: String,
    /// One paragraph.
    pub explanation: String,
    /// What to do; empty: nothing is wrong, or nothing is known to help.
    pub remedy: String,
    /// The last lines it wrote, oldest first.
    pub log: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct By {
    /// `stop`, `kill`, `rm`, `restart`
    pub command: String,
    pub signal: String,
    pub pid: i32,
    pub user: String,
    /// The program that ran the command.
    pub parent: String,
    pub at: String,
}

/// In one word; of these the most particular that the evidence allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    #[default]
    NeverStarted,
    Running,
    Paused,
    /// It ended, and its restart policy lets it rest before the next start.
    Restarting,
    /// Alive, and something is wrong with it.
    Impaired,
    /// Runs on another machine.
    Elsewhere,
    /// Ended by itself with status 0.
    Finished,
    /// Ended by itself with another status.
    Failed,
    /// A signal that no command of ours sent.
    Signal,
    /// `stop`, `kill`, `restart` or `rm -f`.
    Stopped,
    Timeout,
    Health,
    Oom,
    /// A limit of `--ulimit`.
    Limit,
    MonitorDied,
    Reboot,
    StartFailed,
    NoCommand,
    NotExecutable,
    NoInterpreter,
    WrongArchitecture,
    NoLoader,
    NoLibrary,
    NoWorkdir,
    NoUser,
}

impl Container {
    /// Looks at everything there is. `lines`: how much of the log is shown.
    pub fn why(&self, lines: u64) -> Result<Why> {
        let mut me = self.clone();
        me.refresh()?;
        let mut why = Why {
            id: me.record.id.clone(),
            name: me.record.name.clone(),
            state: me.state.status.word().to_owned(),
            started_at: me.state.started_at.clone().unwrap_or_default(),
            oom_killed: me.state.oom_killed,
            log: match me.state.started_at {
                Some(_) => logs::last(&me, lines),
                None => Vec::new(),
            },
            ..Why::default()
        };
        if me.state.is_alive() && me.state.status != Status::Restarting {
            running::tell(&me, &mut why);
        } else {
            story::tell(&me, &mut why);
        }
        Ok(why)
    }
}

impl By {
    fn of(asked: &Asked, me: &Identity) -> Self {
        Self {
            command: asked.command.clone(),
            signal: match asked.signal {
                0 => String::new(),
                number => signal::name(number),
            },
            pid: asked.pid,
            user: match asked.uid {
                uid if uid == me.uid.as_raw() => me.name(),
                0 => "root".to_owned(),
                uid => uid.to_string(),
            },
            parent: asked.parent.clone(),
            at: asked.at.clone(),
        }
    }
}
