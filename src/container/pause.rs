//! `pause` and `unpause`, and the short freeze of `commit`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::cgroup::{Group, NO_TREE_REMEDY};
use crate::error::{Error, Kind, Result};
use crate::state::Lock;

use super::cgroup::{FREEZING, PAUSED};
use super::engine::{Container, no_such};
use super::events::Action;
use super::record::Status;

/// A frozen process stops at the next look at its signals: at once, unless it is stuck in the kernel.
const FREEZE: Duration = Duration::from_secs(10);

impl Container {
    /// Stops every process until `unpause`; returns when none runs any more.
    pub fn pause(&self) -> Result<()> {
        let mut me = self.clone();
        if !me.refresh()? {
            return Err(no_such(&me.record.id));
        }
        if me.state.is_elsewhere() {
            return Err(me.elsewhere("pause"));
        }
        match me.state.status {
            Status::Running => {}
            Status::Paused => {
                return Err(improper(format!("{:?} is already paused", me.record.id)));
            }
            other => {
                return Err(improper(format!(
                    "{:?} is not running, can't pause",
                    other.word()
                )));
            }
        }
        me.freezable()?.freeze(FREEZE)?;
        let _ = fs::write(me.run_dir().join(PAUSED), b""); // news for who watches, no more
        me.emit(Action::Pause);
        Ok(())
    }

    pub fn unpause(&self) -> Result<()> {
        let mut me = self.clone();
        if !me.refresh()? {
            return Err(no_such(&me.record.id));
        }
        if me.state.is_elsewhere() {
            return Err(me.elsewhere("unpause"));
        }
        if me.state.status != Status::Paused {
            return Err(improper(format!(
                "{:?} is not paused, can't unpause",
                me.record.id
            )));
        }
        me.freezable()?.thaw()?;
        let _ = fs::remove_file(me.run_dir().join(PAUSED));
        me.emit(Action::Unpause);
        Ok(())
    }

    /// Tells whether `pause` could work.
    pub fn is_freezable(&self) -> bool {
        self.cgroup().is_some()
    }

    /// Stops a running container for as long as the answer lives. Whoever finds it frozen after this process was killed
    /// thaws it. `None`: it does not run, or is paused already.
    pub(super) fn freeze_for_now(&self) -> Result<Option<Frozen>> {
        let mut me = self.clone();
        if !me.refresh()? || me.state.status != Status::Running {
            return Ok(None);
        }
        let group = me.freezable()?;
        let mark = me.run_dir().join(FREEZING);
        let lock = Lock::exclusive(&mark)?;
        let frozen = Frozen {
            group,
            mark,
            _lock: lock,
        };
        frozen.group.freeze(FREEZE)?; // undone by the drop, also when it fails half way
        Ok(Some(frozen))
    }

    fn freezable(&self) -> Result<Group> {
        self.cgroup().ok_or_else(|| {
            Error::new(
                Kind::Unsupported,
                format!(
                    "pause container {}: it has no cgroup of its own that could be frozen",
                    self.record.id
                ),
            )
            .hint(NO_TREE_REMEDY)
        })
    }
}

fn improper(what: String) -> Error {
    Error::new(Kind::State, format!("{what}: container state improper"))
}

/// Thaws on drop.
pub(super) struct Frozen {
    group: Group,
    mark: PathBuf,
    _lock: Lock,
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = self.group.thaw(); // it may have been killed and be gone
        let _ = fs::remove_file(&self.mark);
    }
}
