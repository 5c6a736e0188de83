//! Runs in: monitor. Health checks: begun by the poll loop's timers, heard of by its descriptors, never waited for.
//!
//! A check is a process of the container as `exec` makes one, a child of the monitor. Its output goes into one pipe;
//! what is more than is kept is read and dropped, and what others hold open after its end is closed. When its time is
//! up everything it has started is killed: it is the reaper of its orphans, so all of that is below it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use nix::unistd::Pid;
use rustix::buffer::spare_capacity;
use rustix::process::{PidfdFlags, WaitStatus, pidfd_open};

use crate::cgroup::Group;
use crate::error::{Error, Kind, Result, Tried};
use crate::runtime::StdioPlan;
use crate::runtime::exec::{Entering, Prepared};
use crate::state::{self, Durable};

use super::super::clock;
use super::super::engine::Containers;
use super::super::events::{Action, Event};
use super::super::health::{Entry, Health, HealthStatus, LogTo, OnFailure, Results, Startup};
use super::super::record::Record;
use super::chronicle::Chronicle;
use super::pump::never_block;
use super::timers::{Due, Timers};
use super::tree;

/// Bytes of logs that are kept where the user sets no limit.
const LOG_ROOM: usize = 1 << 20;
/// Of one check's output.
const OUTPUT_ROOM: usize = 256 << 10;

/// The processes that check a container, compiled once for a run of it.
pub struct Checkers {
    pub regular: Prepared,
    pub startup: Option<Prepared>,
}

/// How a check came out, for who asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    Healthy = 0,
    Unhealthy = 1,
    /// One before the regular ones has failed.
    Starting = 2,
    TimedOut = 3,
}

/// What the container's owner wants of the monitor now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub action: OnFailure,
    pub why: String,
}

/// The checks of one run.
pub struct Checks {
    health: Box<Health>,
    checkers: Checkers,
    init: Pid,
    began: Instant,
    flight: Option<Flight>,
    /// Checks before the regular ones, in a row.
    passed: u32,
    failed: u32,
    results: Results,
    event: Event,
    path: PathBuf,
    copy: Option<PathBuf>,
    group: Option<Group>,
}

/// A check on its way.
struct Flight {
    startup: bool,
    start: SystemTime,
    phase: Phase,
    output: Option<OwnedFd>,
    text: Vec<u8>,
}

enum Phase {
    Entering(Entering),
    Running(Pid),
}

impl Checks {
    /// `earlier`: the log goes on.
    pub fn begin(
        engine: &Containers,
        record: &Record,
        checkers: Checkers,
        init: Pid,
        group: Option<Group>,
        earlier: Option<Results>,
        timers: &mut Timers,
    ) -> Option<Self> {
        let health = record.health.clone()?;
        let copy = match &health.log {
            LogTo::Directory(dir) => Some(dir.join(format!("{}-healthcheck.log", record.id))),
            LogTo::Local | LogTo::Events => None,
        };
        let checks = Self {
            health,
            checkers,
            init,
            began: Instant::now(),
            flight: None,
            passed: 0,
            failed: 0,
            results: Results {
                log: earlier.map(|results| results.log).unwrap_or_default(),
                ..Results::default()
            },
            event: Event::container(Action::HealthStatus, record),
            path: engine.health_path(record),
            copy,
            group,
        };
        checks.write();
        // The first at once: what has come up soon is healthy soon.
        if !checks.interval().is_zero() {
            timers.set(Due::Check, checks.began, Duration::ZERO);
        }
        Some(checks)
    }

    /// What was found, for the next run.
    pub fn end(mut self, timers: &mut Timers) -> Results {
        timers.cancel(Due::Check);
        timers.cancel(Due::CheckLimit);
        // With the host's pids it outlives the container's first process.
        self.kill();
        self.results
    }

    fn startup(&self) -> Option<&Startup> {
        let startup = self.health.startup.as_ref();
        startup.filter(|_| self.checkers.startup.is_some())
    }

    fn interval(&self) -> Duration {
        self.startup()
            .map_or(self.health.interval, |startup| startup.interval)
    }

    /// Descriptors that a later check needs.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let Checkers { regular, startup } = &self.checkers;
        let startup = startup.as_ref().and_then(Prepared::descriptor);
        regular.descriptor().into_iter().chain(startup)
    }

    pub fn is_entering(&self) -> bool {
        matches!(&self.flight, Some(flight) if matches!(flight.phase, Phase::Entering(_)))
    }

    /// What the loop has to poll for input: news of a starting check, its output.
    pub fn channel(&self) -> Option<BorrowedFd<'_>> {
        match &self.flight.as_ref()?.phase {
            Phase::Entering(entering) => Some(entering.as_fd()),
            Phase::Running(_) => None,
        }
    }

    pub fn output(&self) -> Option<&OwnedFd> {
        self.flight.as_ref()?.output.as_ref()
    }

    /// Begins a check, unless one is on its way.
    pub fn start(&mut self, timers: &mut Timers) -> Option<Ended> {
        if self.flight.is_some() {
            return None;
        }
        let now = Instant::now();
        // In a frozen container a check would only run out of time.
        let paused = self.group.as_ref().is_some_and(Group::is_frozen);
        if paused {
            timers.set(Due::Check, now, self.interval().max(Duration::from_secs(1)));
            return None;
        }
        let startup = self.startup().is_some();
        let limit = self
            .startup()
            .map_or(self.health.timeout, |startup| startup.timeout);
        let checker = match &mut self.checkers.startup {
            Some(checker) if startup => checker,
            _ => &mut self.checkers.regular,
        };
        let start = SystemTime::now();
        let flight = |phase| Flight {
            startup,
            start,
            phase,
            output: None,
            text: Vec::new(),
        };
        match enter(self.init, checker) {
            Ok(entering) => {
                self.flight = Some(flight(Phase::Entering(entering)));
                timers.set(Due::CheckLimit, now, limit);
                None
            }
            Err(err) => {
                let mut flight = flight(Phase::Running(self.init));
                flight.text = err.to_string().into_bytes();
                Some(Ended { flight, code: 1 })
            }
        }
    }

    /// The channel is readable.
    pub fn hear(&mut self) -> Option<Ended> {
        let mut flight = self.flight.take()?;
        let Phase::Entering(mut entering) = flight.phase else {
            self.flight = Some(flight);
            return None;
        };
        let checker = match &self.checkers.startup {
            Some(checker) if flight.startup => checker,
            _ => &self.checkers.regular,
        };
        if !entering.step(checker) {
            flight.phase = Phase::Entering(entering);
            self.flight = Some(flight);
            return None;
        }
        match entering.finish() {
            Ok(running) => {
                flight.phase = Phase::Running(running.pid);
                flight.output = running.stdio.stdout.filter(|fd| never_block(fd).is_ok());
                self.flight = Some(flight);
                None
            }
            Err(err) => {
                flight.phase = Phase::Running(self.init);
                flight.text = err.to_string().into_bytes();
                Some(Ended { flight, code: 1 })
            }
        }
    }

    /// The output is readable.
    pub fn read(&mut self) {
        let room = self.output_room();
        if let Some(flight) = &mut self.flight {
            flight.read(room);
        }
    }

    /// A child of the monitor has ended.
    pub fn reaped(&mut self, pid: i32, status: WaitStatus) -> Option<Ended> {
        let flight = self.flight.as_ref()?;
        if !matches!(flight.phase, Phase::Running(running) if running.as_raw() == pid) {
            return None;
        }
        let mut flight = self.flight.take()?;
        // What it wrote is in the pipe; a daemon it left may write for ever.
        let room = self.output_room();
        for _ in 0..16 {
            if !flight.read(room) {
                break;
            }
        }
        let code = i32::from(status.exit_status() != Some(0)); // Podman: 1 for whatever it was
        Some(Ended { flight, code })
    }

    /// Its time is up.
    pub fn expire(&mut self) -> Option<Ended> {
        self.read();
        self.kill();
        let flight = self.flight.take()?;
        Some(Ended { flight, code: -1 })
    }

    fn kill(&mut self) {
        let Some(flight) = &mut self.flight else {
            return;
        };
        if let Phase::Running(pid) = flight.phase {
            tree::kill(pid.as_raw());
        }
        // One that is entering ends when it is dropped.
        flight.phase = Phase::Running(self.init);
    }

    fn output_room(&self) -> usize {
        match self.health.max_log_size {
            0 => OUTPUT_ROOM,
            size => (size as usize).min(OUTPUT_ROOM),
        }
    }

    /// Judges a check that is over, tells of it, and sets the time of the next one.
    pub fn judge(
        &mut self,
        ended: Ended,
        timers: &mut Timers,
        chronicle: &mut Chronicle,
    ) -> (Outcome, Verdict) {
        let Ended { flight, code } = ended;
        timers.cancel(Due::CheckLimit);
        let early = self.began.elapsed() < self.health.start_period;
        let output = text(&flight.text, self.output_room());
        let mut verdict = Verdict {
            action: OnFailure::None,
            why: output.clone(),
        };
        if flight.startup {
            verdict.action = self.judge_startup(code);
        } else if code == 0 {
            self.results.status = HealthStatus::Healthy;
            self.results.failing_streak = 0;
        } else if !early {
            self.results.failing_streak = self.results.failing_streak.saturating_add(1);
            if self.results.failing_streak >= self.health.retries {
                self.results.status = HealthStatus::Unhealthy;
                verdict.action = self.health.on_failure;
            }
        }
        self.results.log.push(Entry {
            start: clock::rfc3339(flight.start, 0),
            end: clock::now(),
            exit_code: code,
            output: output.clone(),
        });
        self.forget_old();
        self.write();
        let shown = match self.health.log {
            LogTo::Events => output.as_str(),
            LogTo::Local | LogTo::Directory(_) => "",
        };
        let event = Event {
            time: clock::now(),
            ..self.event.clone()
        };
        let status = self.results.status.word();
        chronicle.append(&event.health(status, self.results.failing_streak, shown));
        if !self.interval().is_zero() {
            timers.set(Due::Check, Instant::now(), self.interval());
        }
        let outcome = match (code, flight.startup) {
            (0, _) => Outcome::Healthy,
            (-1, _) => Outcome::TimedOut,
            (_, true) => Outcome::Starting,
            (_, false) => Outcome::Unhealthy,
        };
        (outcome, verdict)
    }

    fn judge_startup(&mut self, code: i32) -> OnFailure {
        let Some(startup) = &self.health.startup else {
            return OnFailure::None;
        };
        if code == 0 {
            self.passed += 1;
            if self.passed >= startup.successes.max(1) {
                self.checkers.startup = None; // from now on the regular one
                self.results.status = HealthStatus::Healthy;
            }
            return OnFailure::None;
        }
        self.passed = 0;
        self.failed = self.failed.saturating_add(1);
        match startup.retries > 0 && self.failed >= startup.retries {
            true => OnFailure::Restart,
            false => OnFailure::None,
        }
    }

    fn forget_old(&mut self) {
        let log = &mut self.results.log;
        let most = match self.health.max_log_count {
            0 => usize::MAX,
            count => count as usize,
        };
        let mut room = 0usize;
        let kept = log.iter().rev().take(most).take_while(|entry| {
            room += entry.output.len() + 128;
            room <= LOG_ROOM
        });
        let kept = kept.count();
        log.drain(..log.len() - kept);
    }

    /// A full disk costs the report, never the container.
    fn write(&self) {
        let _ = state::save(&self.path, &self.results, Durable::No);
        if let Some(copy) = &self.copy {
            let _ = state::save(copy, &self.results, Durable::No);
        }
    }
}

/// A check that is over.
pub struct Ended {
    flight: Flight,
    /// 0, 1 for any failure, -1 where the time ran out.
    code: i32,
}

impl Flight {
    /// Reads once; `true`: there may be more at once.
    fn read(&mut self, room: usize) -> bool {
        let Some(fd) = &self.output else { return false };
        let mut piece = Vec::with_capacity(16 << 10);
        match rustix::io::read(fd, spare_capacity(&mut piece)) {
            Ok(n) if n > 0 => {
                // Some bytes more than are kept, so that a character is not cut in the middle unnoticed.
                let left = (room + 4).saturating_sub(self.text.len()).min(n);
                self.text.extend_from_slice(&piece[..left]);
                true
            }
            Err(rustix::io::Errno::INTR) => true,
            Err(rustix::io::Errno::AGAIN) => false,
            Ok(_) | Err(_) => {
                self.output = None;
                false
            }
        }
    }
}

fn enter(init: Pid, checker: &mut Prepared) -> Result<Entering> {
    let pid = rustix::process::Pid::from_raw(init.as_raw())
        .ok_or_else(|| Error::new(Kind::State, "check a container: it has no process"))?;
    // Our child, and not reaped: the pid is no other's.
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).tried(|| "open a pidfd")?;
    checker.start(pidfd.as_fd(), StdioPlan::Captured)
}

/// At most `room` bytes, whole characters.
fn text(bytes: &[u8], room: usize) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    let mut end = room.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}
