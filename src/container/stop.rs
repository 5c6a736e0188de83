//! `stop` and `kill`: by handles on processes, never by bare pids; the monitor records the end.

use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};

use crate::error::{Error, Kind, Result, Tried};

use super::end::Asked;
use super::engine::Container;
use super::events::Action;
use super::options::{KillOptions, StopOptions, StopReport};
use super::protocol::FrameKind;
use super::record::Status;
use super::signal;
use super::watch::{Seen, Watch};

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
        let command = options.command.unwrap_or("stop");
        if me.state.status == Status::Paused && command != "rm" {
            let text = match command {
                "restart" => {
                    "unable to restart a container in a paused or unknown state".to_owned()
                }
                _ => format!(
                    "container {} is running or paused, refusing to clean up",
                    me.record.id
                ),
            };
            return Err(
                Error::new(Kind::State, format!("{text}: container state improper"))
                    .hint(format!("thaw it first: pod unpause {}", me.record.name)),
            );
        }
        let own = Duration::from_secs(me.record.stop_timeout.into());
        let grace = match me.state.status {
            Status::Paused => Duration::ZERO, // it would hear nothing but SIGKILL
            _ => options.grace.unwrap_or(own),
        };
        let mut watch = me.watch()?;
        let first = match grace.is_zero() {
            true => libc::SIGKILL,
            false => me.record.stop_signal,
        };
        Asked::now(command, first).leave(&me.run_dir());
        let mut seen = Seen::TimedOut;
        if !grace.is_zero() {
            me.end(&watch, me.record.stop_signal)?;
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
            me.end(&watch, libc::SIGKILL)?;
            // The monitor may be stopped; this process is the one to end in any case.
            me.signal(libc::SIGKILL)?;
            seen = watch.wait(Some(AFTER_KILL))?;
        }
        if seen == Seen::TimedOut && me.state.open_init().is_some() {
            let text = format!(
                "stop container {}: process {} does not end",
                me.record.id, me.state.pid
            );
            return Err(match super::why::of_process(me.state.pid) {
                Some((what, remedy)) => {
                    Error::new(Kind::State, format!("{text}: {what}")).hint(remedy)
                }
                None => Error::new(Kind::State, text),
            });
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
                Status::Running | Status::Paused | Status::Stopping | Status::Restarting
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
        let asked = Asked::now("kill", options.signal);
        asked.leave(&me.run_dir());
        if !asked.wants_the_end() {
            me.signal(options.signal)?;
            me.emit(Action::Kill);
            return Ok(());
        }
        let mut watch = me.watch()?;
        me.end(&watch, options.signal)?;
        me.emit(Action::Kill);
        match options.signal {
            libc::SIGKILL => watch.wait(Some(AFTER_KILL)).map(drop),
            _ => Ok(()),
        }
    }

    /// Sends a signal that means the end. One that would run again is ended by its monitor, which alone knows whether
    /// there is a process at this moment.
    fn end(&self, watch: &Watch, number: i32) -> Result<()> {
        match watch {
            Watch::Monitor(connection) if self.may_run_again() => {
                connection.send(FrameKind::Stop, &number.to_le_bytes())
            }
            _ => self.signal(number),
        }
    }

    fn may_run_again(&self) -> bool {
        self.state.status == Status::Restarting || self.record.may_run_again()
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
}
