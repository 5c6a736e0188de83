//! `stop`, `kill` and `wait`: by handles on processes, never by bare pids; the monitor records the end.

use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};

use crate::error::{Error, Kind, Result, Tried};

use super::end::Asked;
use super::engine::Container;
use super::events::Action;
use super::options::{KillOptions, StopOptions, StopReport, WaitCondition};
use super::record::Status;
use super::signal;
use super::watch::Seen;

/// After SIGKILL a process ends at once, unless the kernel itself is stuck in it.
const AFTER_KILL: Duration = Duration::from_secs(10);

impl Container {
    /// Stop signal, grace, SIGKILL. One that does not run is fine.
    pub fn stop(&self, options: &StopOptions) -> Result<StopReport> {
        let mut me = self.clone();
        let mut report = StopReport::default();
        if !me.refresh()? || !me.state.is_alive() {
            return Ok(report);
        }
        if me.state.is_elsewhere() {
            return Err(me.elsewhere("stop"));
        }
        let grace = options
            .grace
            .unwrap_or(Duration::from_secs(me.record.stop_timeout.into()));
        let mut watch = me.watch()?;
        let command = options.command.unwrap_or("stop");
        let first = match grace.is_zero() {
            true => libc::SIGKILL,
            false => me.record.stop_signal,
        };
        Asked::now(command, first).leave(&me.run_dir());
        let mut seen = Seen::TimedOut;
        if !grace.is_zero() {
            me.signal(me.record.stop_signal)?;
            seen = watch.wait(Some(grace))?;
        }
        if seen == Seen::TimedOut {
            if !grace.is_zero() {
                report.warning = Some(format!(
                    "StopSignal {} failed to stop container {} in {} seconds, resorting to SIGKILL",
                    signal::name(me.record.stop_signal),
                    me.record.name,
                    grace.as_secs()
                ));
            }
            if !grace.is_zero() {
                Asked::now(command, libc::SIGKILL).leave(&me.run_dir());
            }
            me.signal(libc::SIGKILL)?;
            seen = watch.wait(Some(AFTER_KILL))?;
        }
        if seen == Seen::TimedOut && me.state.open_init().is_some() {
            return Err(Error::new(
                Kind::State,
                format!(
                    "stop container {}: process {} does not end",
                    me.record.id, me.state.pid
                ),
            )
            .hint("it hangs in the kernel: look at /proc/PID/stack, a file server may be away"));
        }
        me.refresh()?; // records a death no monitor saw
        if command == "stop" {
            me.emit(Action::Stop);
        }
        Ok(report)
    }

    /// Sends one signal to the container's first process. SIGKILL leaves no choice, so its end is waited for: a
    /// script's `kill` and `rm` follow each other faster than a monitor writes.
    pub fn kill(&self, options: &KillOptions) -> Result<()> {
        let mut me = self.clone();
        let alive = me.refresh()?
            && matches!(
                me.state.status,
                Status::Running | Status::Paused | Status::Stopping
            );
        if !alive {
            return Err(Error::new(
                Kind::State,
                format!(
                    "can only kill running containers. {} is in state {}: container state improper",
                    me.record.id,
                    me.state.status.word()
                ),
            ));
        }
        if me.state.is_elsewhere() {
            return Err(me.elsewhere("kill"));
        }
        Asked::now("kill", options.signal).leave(&me.run_dir());
        if options.signal != libc::SIGKILL {
            me.signal(options.signal)?;
            me.emit(Action::Kill);
            return Ok(());
        }
        let mut watch = me.watch()?;
        me.signal(options.signal)?;
        me.emit(Action::Kill);
        watch.wait(Some(AFTER_KILL)).map(drop)
    }

    /// Waits for any of `conditions` (none: stopped) and returns the exit status, -1 while there is none.
    pub fn wait(&self, conditions: &[WaitCondition]) -> Result<i32> {
        let conditions = match conditions {
            [] => &[WaitCondition::Stopped][..],
            some => some,
        };
        let mut me = self.clone();
        if !me.refresh()? {
            return Ok(me.state.exit_code);
        }
        loop {
            let reached = conditions.iter().any(|&c| reaches(me.state.status, c));
            if reached && me.state.is_alive() {
                return Ok(-1);
            }
            if reached {
                return Ok(me.state.exit_code);
            }
            if me.state.is_elsewhere() {
                return Err(me.elsewhere("wait for"));
            }
            let over = conditions
                .iter()
                .any(|&c| matches!(c, WaitCondition::Stopped | WaitCondition::Exited));
            let seen = match me.state.is_alive() {
                true => me.watch()?.wait(None)?,
                false => {
                    me.await_change()?;
                    Seen::TimedOut
                }
            };
            if let (Seen::Exit(code), true) = (seen, over) {
                return Ok(code);
            }
            if !me.refresh()? {
                return Ok(me.state.exit_code); // removed: nothing will ever change
            }
        }
    }

    /// To the container's first process; none is fine, it is what most signals are for.
    fn signal(&self, number: i32) -> Result<()> {
        let Some(init) = self.state.open_init() else {
            return Ok(());
        };
        let tried = || format!("send signal {number} to container {}", self.record.id);
        let signal = Signal::from_named_raw(number);
        let done = match signal {
            Some(signal) => pidfd_send_signal(init, signal),
            None => return Err(Error::usage(format!("{}: not a signal", tried()))),
        };
        match done {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => Err(errno).tried(tried),
        }
    }

    /// Waits until the state's file changes, or the container goes.
    fn await_change(&self) -> Result<()> {
        let news = self.news()?;
        // What changed before the watch was there gives no event.
        let now = self.engine.load_state(&self.record.id)?;
        if now != self.state || self.engine.load_record(&self.record.id)?.is_none() {
            return Ok(());
        }
        news.wait(None)
    }
}

fn reaches(status: Status, condition: WaitCondition) -> bool {
    match condition {
        WaitCondition::Configured | WaitCondition::Created => status == Status::Created,
        WaitCondition::Initialized => status == Status::Initialized,
        WaitCondition::Running => status == Status::Running,
        WaitCondition::Paused => status == Status::Paused,
        WaitCondition::Stopping => status == Status::Stopping,
        WaitCondition::Stopped => matches!(status, Status::Exited | Status::Created),
        WaitCondition::Exited => status == Status::Exited,
        WaitCondition::Removing => false,
    }
}
