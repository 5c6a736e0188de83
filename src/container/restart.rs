//! The stop of a `restart`: one that `--rm` does not take for the end.

use std::fs;

use crate::error::{Result, Tried};

use super::engine::Container;
use super::events::Action;
use super::options::{StopOptions, StopReport};

/// In the runtime directory: the end that comes now is no reason to remove the container.
pub(super) const RESTARTING: &str = "restarting";

impl Container {
    /// [`Container::stop`], after which [`Container::start`] finds the container even if it was run with `--rm`.
    pub fn stop_to_restart(&self, options: &StopOptions) -> Result<StopReport> {
        let mut me = self.clone();
        self.emit(Action::Restart);
        if !me.refresh()? || !me.state.is_alive() || !me.record.request.auto_remove {
            return me.stop(options);
        }
        let mark = me.run_dir().join(RESTARTING); // the monitor takes it away
        fs::write(&mark, b"").tried(|| format!("write {}", mark.display()))?;
        let stopped = me.stop(options);
        if stopped.is_err() {
            let _ = fs::remove_file(&mark); // it runs on, and is removed when it ends
        }
        stopped
    }
}
