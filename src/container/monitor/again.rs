//! Runs in: monitor. What comes after a run: the end, or a pause and another run by the restart policy.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::SystemTime;

use crate::error::{Error, Kind, Result, Tried};
use crate::runtime::StdioPlan;
use crate::state;
use crate::storage::Store;
use crate::sys;

use super::super::clock;
use super::super::end::Asked;
use super::super::engine::{Container, Containers};
use super::super::files;
use super::super::health::OnFailure;
use super::super::policy::{RestartPolicy, Restarts, RunEnded};
use super::super::record::{Record, State, Status};
use super::super::spec::uses_mount_points;
use super::super::start::NO_TERMINAL;
use super::launch::{Launch, Launched};
use super::pump::Pump;
use super::silence_stdio;

/// What the cli handed to the first run and a later one needs, too.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// `--log-driver passthrough`
    stdio: Vec<OwnedFd>,
    preserve: Vec<Option<OwnedFd>>,
}

impl Kept {
    /// Nothing, when there will be one run only.
    pub(super) fn of(
        record: &Record,
        stdio: StdioPlan,
        preserve: &[Option<OwnedFd>],
    ) -> Result<Self> {
        let mut kept = Self::default();
        if !record.may_run_again() {
            return Ok(kept);
        }
        if matches!(stdio, StdioPlan::Inherit) {
            for number in 0..3 {
                let fd = sys::fd::inherited(number).tried(|| "keep a standard descriptor")?;
                kept.stdio.push(fd);
            }
        }
        for fd in preserve {
            kept.preserve.push(copy_of(fd)?);
        }
        Ok(kept)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &OwnedFd> {
        self.stdio.iter().chain(self.preserve.iter().flatten())
    }
}

/// A run that is over, seen by who decides what follows.
pub(super) struct Over<'a> {
    pub(super) engine: &'a Containers,
    /// Read again before another run: `update` and `rename` may have changed it.
    pub(super) record: &'a mut Record,
    pub(super) kept: &'a Kept,
    pub(super) state_path: &'a Path,
    pub(super) died: SystemTime,
    /// What was done because it was unhealthy.
    pub(super) action: OnFailure,
}

/// Runs the program again where the policy says so; `None`: that was the end, and `state` tells of it.
pub(super) fn run_again(
    mut over: Over<'_>,
    pump: &mut Pump,
    restarts: &mut Restarts,
    state: &mut State,
    mut run: RunEnded,
) -> Option<Launched> {
    loop {
        if state.stopped_by_user {
            return None;
        }
        if pump.reload || !over.record.request.restart.is_no() {
            *over.record = over.engine.load_record(&over.record.id).ok().flatten()?;
        }
        let policy = match std::mem::take(&mut over.action) {
            OnFailure::Stop => return None,
            OnFailure::Restart => RestartPolicy::Always,
            OnFailure::None | OnFailure::Kill => over.record.request.restart,
        };
        let pause = restarts.next(policy, run)?;
        pump.chronicle
            .ended(over.record, state.exit_code, over.died, false);
        pump.dismiss(state.exit_code);
        state.status = Status::Restarting;
        state.restart_count = restarts.count;
        let _ = state::save_or_overwrite(over.state_path, state); // a failing disk: the next run is tried
        sys::memory::trim();
        let rested = pump.rest(pause);
        if let Some(asked) = Asked::take(&over.engine.run_dir(&over.record.id)) {
            state.stopped_by_user = asked.wants_the_end();
            if let Some(end) = &mut state.end {
                end.asked = Some(asked);
            }
        }
        state.stopped_by_user |= !rested;
        if state.stopped_by_user {
            return None;
        }
        match launch(&over, restarts.count) {
            Ok(launched) => {
                pump.chronicle.restarted(over.record, launched.made);
                return Some(launched);
            }
            Err(err) => {
                over.died = SystemTime::now();
                state.error = err.to_string();
                state.error_hint = err.remedy().unwrap_or_default().to_owned();
                state.ended(status_of(&err));
                run = RunEnded {
                    failed: true,
                    ran: std::time::Duration::ZERO,
                };
            }
        }
    }
}

/// As the cli that started it would have answered.
fn status_of(err: &Error) -> i32 {
    match err.kind() {
        Kind::CommandNotFound => 127,
        Kind::NotExecutable => 126,
        _ => 125,
    }
}

/// What `start` does between the lock and the fork, and then the run.
fn launch(over: &Over<'_>, restarts: u32) -> Result<Launched> {
    let Over { engine, record, .. } = over;
    let request = &record.request;
    let container = Container {
        record: Record::clone(record),
        state: engine.load_state(&record.id)?,
        engine: Containers::clone(engine),
    };
    container.renew_volatile()?;
    engine.check_volumes(record)?;
    let plan = engine.plan(record)?;
    let mut ports = record.ports.clone();
    let network = engine.prepare_network(&record.network, &mut ports, &request.helpers)?;
    files::prepare(engine, record, network.status())?;
    if uses_mount_points(record) {
        Store::at(&engine.dirs.store)?.make_mount_points()?;
    }
    let inherit = request.log.driver.is_passthrough();
    let stdio = match (inherit, request.tty) {
        (true, _) => StdioPlan::Inherit,
        (false, true) => StdioPlan::Pty {
            rows: NO_TERMINAL.0,
            columns: NO_TERMINAL.1,
        },
        (false, false) => StdioPlan::Pipes {
            stdin: request.interactive,
        },
    };
    let preserve = over.kept.preserve.iter().map(copy_of);
    let preserve = preserve.collect::<Result<_>>()?;
    for (number, fd) in (0..).zip(&over.kept.stdio) {
        sys::fd::place(fd.as_fd(), number).tried(|| "give stdio back")?;
    }
    let launched = Launch {
        engine,
        record,
        plan,
        network,
        stdio,
        preserve,
        restarts,
    }
    .run(|| Ok(()));
    if inherit {
        silence_stdio()?;
    }
    launched
}

impl State {
    /// The program has ended.
    pub(super) fn ended(&mut self, code: i32) {
        self.pid = 0;
        self.helper_pid = 0;
        self.exit_code = code;
        self.finished_at = Some(clock::now());
    }
}

fn copy_of(fd: &Option<OwnedFd>) -> Result<Option<OwnedFd>> {
    let copy = fd.as_ref().map(OwnedFd::try_clone).transpose();
    copy.tried(|| "keep a preserved descriptor")
}
