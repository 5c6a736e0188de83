//! Runs in: monitor. The poll loop: container's stdio ↔ log ↔ clients, reaping, time limit. No thread, no wait but
//! poll(2).

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{WaitOptions, WaitStatus, wait, waitpid};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::cgroup::Group;
use crate::error::{Result, Tried};
use crate::runtime::Stdio;
use crate::state::{self, Durable, Lock};
use crate::sys;

use super::super::end::{Asked, End, EndedBy};
use super::super::engine::Containers;
use super::super::health::{OnFailure, Results};
use super::super::pending;
use super::super::protocol::FrameKind;
use super::super::record::Record;
use super::again::Kept;
use super::check::{self, Checkers, Checks, Verdict};
use super::chronicle::Chronicle;
use super::clients::{Client, Input};
use super::log::{Log, Stream};
use super::timers::{Due, Timers};

/// What a pipe holds (`pipe(7)`).
const PIPE: usize = 64 * 1024;

/// Bytes of input kept for a container that does not read; more stays in the clients' sockets.
const STDIN_LIMIT: usize = 64 * 1024;

/// Bit of a wait status (`wait(2)`, WCOREDUMP).
const CORE_DUMPED: i32 = 0x80;

/// Our ends of the container's stdio.
#[derive(Debug, Default)]
pub struct Ends {
    pub stdin: Option<OwnedFd>,
    pub stdout: Option<OwnedFd>,
    pub stderr: Option<OwnedFd>,
    /// The master side; then the three others are `None`.
    pub pty: Option<OwnedFd>,
}

impl Ends {
    /// The loop waits in poll(2) only.
    pub fn of(stdio: Stdio) -> Result<Self> {
        let ends = Self {
            stdin: stdio.stdin,
            stdout: stdio.stdout,
            stderr: stdio.stderr,
            pty: stdio.pty,
        };
        ends.all().try_for_each(never_block)?;
        Ok(ends)
    }

    fn all(&self) -> impl Iterator<Item = &OwnedFd> {
        [&self.stdin, &self.stdout, &self.stderr, &self.pty]
            .into_iter()
            .flatten()
    }
}

/// How the container's first process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// As a shell shows it.
    pub code: i32,
    /// What killed it; 0: it exited.
    pub signal: i32,
    pub core: bool,
    pub timed_out: bool,
    /// The network helper ended before.
    pub helper_died: bool,
}

impl Ended {
    /// For the container's state.
    pub fn end(&self, pid: i32, asked: Option<Asked>) -> End {
        let by = match self.timed_out {
            true => EndedBy::Timeout,
            false => EndedBy::Itself,
        };
        End {
            by,
            pid,
            signal: self.signal,
            core: self.core,
            asked,
            helper_died: self.helper_died,
            ..End::default()
        }
        .explained()
    }
}

pub struct Pump {
    /// The container's first process, while there is one.
    init: Option<Pid>,
    /// Pid of the network helper; 0: there is none.
    helper: i32,
    ends: Ends,
    pub clients: Vec<Client>,
    /// The attach socket; `None` when it could not be made.
    pub listener: Option<OwnedFd>,
    /// SIGCHLD.
    pub signals: SignalFd,
    pub log: Option<Log>,
    pub timers: Timers,
    pub chronicle: Chronicle,
    checks: Option<Checks>,
    /// The container was told to end because it is unhealthy.
    verdict: Option<Verdict>,
    stop_signal: i32,
    stop_timeout: Duration,
    /// A command wants the end: no further run.
    pub stop: bool,
    /// The record has changed.
    pub reload: bool,
    /// What was read last.
    output: Vec<u8>,
    /// The last read gave all that was asked for: the next asks for more.
    flood: bool,
    input: Vec<u8>,
    input_ends: bool,
    child_died: bool,
    helper_died: bool,
}

/// What a polled descriptor is.
#[derive(Clone, Copy)]
enum Source {
    Signals,
    Listener,
    Stdin,
    Stdout,
    Stderr,
    Pty,
    Client(usize),
    CheckNews,
    CheckOutput,
}

impl Pump {
    pub fn new(signals: SignalFd, chronicle: Chronicle) -> Self {
        Self {
            init: None,
            helper: 0,
            ends: Ends::default(),
            clients: Vec::new(),
            listener: None,
            signals,
            log: None,
            timers: Timers::default(),
            chronicle,
            checks: None,
            verdict: None,
            stop_signal: libc::SIGTERM,
            stop_timeout: Duration::ZERO,
            stop: false,
            reload: false,
            output: Vec::new(),
            flood: false,
            input: Vec::new(),
            input_ends: false,
            child_died: false,
            helper_died: false,
        }
    }

    /// Closes what the monitor inherited and does not use: nobody's pipe or file is kept open by it.
    pub fn close_all_else(&self, lock: &Lock, kept: &Kept, beside: Option<i32>) -> Result<()> {
        let mut keep: Vec<i32> = vec![0, 1, 2, lock.as_fd().as_raw_fd()];
        keep.push(self.signals.as_fd().as_raw_fd());
        keep.extend(kept.all().map(AsRawFd::as_raw_fd));
        keep.extend(beside);
        let checks = self.checks.iter().flat_map(Checks::descriptors);
        keep.extend(checks.map(|fd| fd.as_raw_fd()));
        keep.extend(self.ends.all().map(AsRawFd::as_raw_fd));
        keep.extend(self.clients.iter().map(|c| c.as_fd().as_raw_fd()));
        keep.extend(self.listener.as_ref().map(AsRawFd::as_raw_fd));
        keep.extend(self.log.as_ref().map(Log::number));
        sys::fd::close_all_but(&mut keep).tried(|| "close descriptors")
    }

    /// Takes over a run of the program. Input that the last one has not read is lost with it.
    pub fn begin(&mut self, init: Pid, helper: i32, ends: Ends) {
        self.init = Some(init);
        (self.helper, self.helper_died) = (helper, false);
        self.ends = ends;
        self.input = Vec::new();
        self.write_input();
        // A death before SIGCHLD was blocked left no signal behind: look once without.
        self.child_died = true;
    }

    /// Serves until the container's first process has ended and its output is read.
    pub fn run(&mut self) -> Ended {
        let mut timed_out = false;
        loop {
            if std::mem::take(&mut self.child_died)
                && let Some(status) = self.reap()
            {
                self.init = None;
                self.timers.cancel(Due::TimeLimit);
                self.drain();
                let signal = status.terminating_signal().unwrap_or(0);
                return Ended {
                    code: status.exit_status().unwrap_or(128 + signal),
                    signal,
                    core: signal != 0 && status.as_raw() & CORE_DUMPED != 0,
                    timed_out,
                    helper_died: self.helper_died,
                };
            }
            let now = Instant::now();
            while let Some(due) = self.timers.take(now) {
                match due {
                    Due::TimeLimit => {
                        timed_out = true;
                        self.signal(libc::SIGKILL);
                    }
                    Due::StopKill => self.signal(libc::SIGKILL),
                    Due::Check => self.with_checks(Checks::start),
                    Due::CheckLimit => self.with_checks(|checks, _| checks.expire()),
                    Due::Restart => {}
                }
            }
            self.serve_once(now);
        }
    }

    /// Serves without a container for so long; `false`: a command wants the end.
    pub fn rest(&mut self, pause: Duration) -> bool {
        self.timers.set(Due::Restart, Instant::now(), pause);
        while !self.stop {
            let now = Instant::now();
            if self.timers.take(now) == Some(Due::Restart) {
                return true;
            }
            if std::mem::take(&mut self.child_died) {
                self.reap();
            }
            self.serve_once(now);
        }
        self.timers.cancel(Due::Restart);
        false
    }

    /// Checks the run that has begun.
    pub fn check(
        &mut self,
        engine: &Containers,
        record: &Record,
        checkers: Checkers,
        group: Option<Group>,
    ) {
        let earlier = state::load::<Results>(&engine.kept_health_path(record));
        let init = self.init.unwrap_or(Pid::from_raw(0));
        self.stop_signal = record.stop_signal;
        self.stop_timeout = Duration::from_secs(record.stop_timeout.into());
        self.checks = Checks::begin(
            engine,
            record,
            checkers,
            init,
            group,
            earlier.ok().flatten(),
            &mut self.timers,
        );
    }

    /// The run is over: what was found is kept where it outlives the machine's next boot.
    pub fn end_checks(&mut self, engine: &Containers, record: &Record) -> Option<Verdict> {
        self.timers.cancel(Due::StopKill);
        let results = self.checks.take()?.end(&mut self.timers);
        let kept = engine.kept_health_path(record);
        let _ = state::save(&kept, &results, Durable::No); // a full disk: the report is lost
        self.verdict.take()
    }

    /// Does something with the checks that may end one.
    fn with_checks(&mut self, act: impl FnOnce(&mut Checks, &mut Timers) -> Option<check::Ended>) {
        let Some(checks) = &mut self.checks else {
            return;
        };
        let Some(ended) = act(checks, &mut self.timers) else {
            return;
        };
        // A child that ended while one was entering has not been looked at.
        self.child_died = true;
        let (outcome, verdict) = checks.judge(ended, &mut self.timers, &mut self.chronicle);
        for client in self.clients.iter_mut().filter(|client| client.awaits_check) {
            client.awaits_check = false;
            client.send(FrameKind::Checked, &[outcome as u8]);
        }
        match verdict.action {
            OnFailure::None => return,
            _ if self.verdict.is_some() => return, // it is ending already
            OnFailure::Kill => self.signal(libc::SIGKILL),
            OnFailure::Restart | OnFailure::Stop => {
                self.signal(self.stop_signal);
                self.timers
                    .set(Due::StopKill, Instant::now(), self.stop_timeout);
            }
        }
        self.verdict = Some(verdict);
    }

    /// Tells those who look at the output that the run is over, as if it were the last.
    pub fn dismiss(&mut self, code: i32) {
        let attached = self
            .clients
            .iter_mut()
            .filter(|client| client.is_attached());
        attached.for_each(|client| client.send(FrameKind::Exit, &code.to_le_bytes()));
    }

    /// To the container's first process, which is ours and not reaped: its pid is no other's.
    fn signal(&self, number: i32) {
        let signal = rustix::process::Signal::from_named_raw(number);
        let pid = self
            .init
            .and_then(|pid| rustix::process::Pid::from_raw(pid.as_raw()));
        if let (Some(pid), Some(signal)) = (pid, signal) {
            let _ = rustix::process::kill_process(pid, signal); // it may be dead already
        }
    }

    /// Sends the last messages, as long as somebody takes them.
    pub fn finish(&mut self, code: i32) {
        for client in &mut self.clients {
            client.send(FrameKind::Exit, &code.to_le_bytes());
        }
        loop {
            let now = Instant::now();
            self.clients.retain_mut(|client| {
                client.drop_if_stuck(now);
                client.is_behind() && !client.is_gone()
            });
            if self.clients.is_empty() {
                return;
            }
            let timeout = self.next_timeout(now);
            let mut fds: Vec<PollFd<'_>> = self
                .clients
                .iter()
                .map(|c| PollFd::from_borrowed_fd(c.as_fd(), PollFlags::OUT))
                .collect();
            let ready = poll(&mut fds, timeout.as_ref());
            drop(fds);
            if ready.is_ok() {
                self.clients.iter_mut().for_each(Client::flush);
            }
        }
    }

    /// Waits for the next event, or until something is due.
    fn serve_once(&mut self, now: Instant) {
        for (source, events) in self.wait(now) {
            self.handle(source, events);
        }
        let now = Instant::now();
        for client in &mut self.clients {
            client.drop_if_stuck(now);
        }
        self.clients.retain(|client| !client.is_gone());
    }

    fn wait(&self, now: Instant) -> Vec<(Source, PollFlags)> {
        let mut sources = Vec::with_capacity(6 + self.clients.len());
        let mut fds = Vec::with_capacity(6 + self.clients.len());
        let mut add = |source, fd, flags| {
            sources.push(source);
            fds.push(PollFd::from_borrowed_fd(fd, flags));
        };
        add(Source::Signals, self.signals.as_fd(), PollFlags::IN);
        if let Some(fd) = &self.listener {
            add(Source::Listener, fd.as_fd(), PollFlags::IN);
        }
        // A reader that lags makes the container wait, as a full pipe would.
        let read = match self.clients.iter().any(Client::is_behind) {
            true => PollFlags::empty(),
            false => PollFlags::IN,
        };
        let write = match self.input.is_empty() {
            true => PollFlags::empty(),
            false => PollFlags::OUT,
        };
        for (source, end, flags) in [
            (Source::Stdout, &self.ends.stdout, read),
            (Source::Stderr, &self.ends.stderr, read),
            (Source::Pty, &self.ends.pty, read | write),
            (Source::Stdin, &self.ends.stdin, write),
        ] {
            // With nothing asked for poll still reports a hang-up, again and again.
            if let Some(fd) = end.as_ref().filter(|_| !flags.is_empty()) {
                add(source, fd.as_fd(), flags);
            }
        }
        if let Some(checks) = &self.checks {
            if let Some(fd) = checks.channel() {
                add(Source::CheckNews, fd, PollFlags::IN);
            }
            if let Some(fd) = checks.output() {
                add(Source::CheckOutput, fd.as_fd(), PollFlags::IN);
            }
        }
        for (index, client) in self.clients.iter().enumerate() {
            let mut flags = PollFlags::empty();
            if self.input.len() < STDIN_LIMIT {
                flags |= PollFlags::IN;
            }
            if client.is_behind() {
                flags |= PollFlags::OUT;
            }
            add(Source::Client(index), client.as_fd(), flags);
        }
        match poll(&mut fds, self.next_timeout(now).as_ref()) {
            Ok(_) => sources
                .into_iter()
                .zip(fds.iter().map(PollFd::revents))
                .filter(|(_, events)| !events.is_empty())
                .collect(),
            Err(_) => Vec::new(),
        }
    }

    fn next_timeout(&self, now: Instant) -> Option<Timespec> {
        let due = self
            .clients
            .iter()
            .filter_map(Client::deadline)
            .chain(self.timers.next())
            .min()?;
        let left = due.saturating_duration_since(now) + Duration::from_millis(1);
        Timespec::try_from(left).ok()
    }

    fn handle(&mut self, source: Source, events: PollFlags) {
        match source {
            Source::Signals => {
                while matches!(self.signals.read_signal(), Ok(Some(_))) {}
                self.child_died = true;
            }
            Source::Listener => self.accept(),
            Source::Stdout => {
                self.read_output(Stream::Stdout, false);
            }
            Source::Stderr => {
                self.read_output(Stream::Stderr, false);
            }
            Source::Pty => {
                if events.intersects(PollFlags::OUT) {
                    self.write_input();
                }
                if events.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                    self.read_output(Stream::Stdout, true);
                }
            }
            Source::Stdin => self.write_input(),
            Source::Client(index) => self.serve_client(index, events),
            Source::CheckNews => {
                self.with_checks(|checks, _| checks.hear());
                self.child_died = true; // it may have ended while nobody knew its pid
            }
            Source::CheckOutput => {
                if let Some(checks) = &mut self.checks {
                    checks.read();
                }
            }
        }
    }

    fn accept(&mut self) {
        use rustix::net::{SocketFlags, accept_with};
        let Some(listener) = &self.listener else {
            return;
        };
        if let Ok(sock) = accept_with(listener, SocketFlags::CLOEXEC) {
            self.clients.push(Client::connected(sock));
        }
    }

    fn serve_client(&mut self, index: usize, events: PollFlags) {
        let Self {
            clients,
            ends,
            input,
            input_ends,
            stop,
            reload,
            ..
        } = self;
        let mut signal = None;
        let mut check = false;
        let client = &mut clients[index];
        if events.intersects(PollFlags::OUT) {
            client.flush();
        }
        if events.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            client.receive(&mut |message| match message {
                Input::Stdin(data) if ends.stdin.is_some() || ends.pty.is_some() => {
                    input.extend_from_slice(data)
                }
                // A terminal has no end of input but the character that means it.
                Input::StdinEnd if ends.pty.is_some() => input.push(END_OF_TRANSMISSION),
                Input::StdinEnd => *input_ends = true,
                Input::Resize { rows, cols } => resize(ends.pty.as_ref(), rows, cols),
                // The container learns of it as any program does: its next write fails.
                Input::Broken(FrameKind::Stdout) => ends.stdout = None,
                Input::Broken(FrameKind::Stderr) => ends.stderr = None,
                Input::Stop(number) => {
                    *stop = true;
                    signal = Some(number);
                }
                Input::Reload => *reload = true,
                Input::Check => check = true,
                Input::Stdin(_) | Input::Broken(_) | Input::Go => {}
            });
        }
        if let Some(number) = signal {
            self.signal(number);
        }
        if check {
            self.clients[index].awaits_check = true;
            self.with_checks(Checks::start);
        }
        self.write_input();
    }

    /// Writes what the container takes of its input without waiting.
    fn write_input(&mut self) {
        let end = self.ends.pty.as_ref().or(self.ends.stdin.as_ref());
        let Some(fd) = end else {
            self.input = Vec::new();
            return;
        };
        let closed = pending::drain(&mut self.input, |bytes| rustix::io::write(fd, bytes)).is_err();
        if closed || self.input.is_empty() {
            self.input = Vec::new();
        }
        if closed || (self.input_ends && self.input.is_empty()) {
            self.ends.stdin = None;
        }
    }

    /// Reads once; `true`: there may be more at once.
    fn read_output(&mut self, stream: Stream, pty: bool) -> bool {
        let end = match (pty, stream) {
            (true, _) => &mut self.ends.pty,
            (false, Stream::Stdout) => &mut self.ends.stdout,
            (false, Stream::Stderr) => &mut self.ends.stderr,
        };
        let Some(fd) = end else { return false };
        let room = match self.flood {
            true => PIPE,
            false => PIPE / 4,
        };
        self.output.clear();
        if self.output.capacity() != room {
            self.output = Vec::with_capacity(room);
        }
        match rustix::io::read(&*fd, spare_capacity(&mut self.output)) {
            Ok(n) if n > 0 => {
                self.flood = n >= PIPE / 4;
                let data = self.output.as_slice();
                if let Some(log) = &mut self.log {
                    log.write(stream, data);
                }
                let kind = match stream {
                    Stream::Stdout => FrameKind::Stdout,
                    Stream::Stderr => FrameKind::Stderr,
                };
                self.clients
                    .iter_mut()
                    .for_each(|client| client.send(kind, data));
                true
            }
            Err(Errno::INTR) => true,
            Err(Errno::AGAIN) => false,
            // End-of-file; a terminal whose last user closed it says EIO.
            Ok(_) | Err(_) => {
                *end = None;
                false
            }
        }
    }

    /// Reads what a dead container left in its pipes. Nobody writes any more, so this ends.
    fn drain(&mut self) {
        for (stream, pty) in [
            (Stream::Stdout, true),
            (Stream::Stdout, false),
            (Stream::Stderr, false),
        ] {
            while self.read_output(stream, pty) {}
        }
        self.ends = Ends::default();
    }

    /// Collects every dead child; the status of the container's first process when that is among them.
    ///
    /// Not by nix, for which a process that a real-time signal killed has no status.
    fn reap(&mut self) -> Option<WaitStatus> {
        let mut found = None;
        loop {
            // A check whose pid is not known yet would be nobody's.
            let entering = self.checks.as_ref().is_some_and(Checks::is_entering);
            let init = self.init.filter(|_| entering);
            let init = init.and_then(|pid| rustix::process::Pid::from_raw(pid.as_raw()));
            let waited = match init {
                Some(init) => waitpid(Some(init), WaitOptions::NOHANG),
                None => wait(WaitOptions::NOHANG),
            };
            match waited {
                Ok(Some((pid, status))) => {
                    let pid = pid.as_raw_nonzero().get();
                    if self.init.is_some_and(|init| init.as_raw() == pid) {
                        found = Some(status);
                        self.init = None;
                        if entering {
                            return found;
                        }
                    }
                    self.helper_died |= pid == self.helper && found.is_none();
                    self.with_checks(|checks, _| checks.reaped(pid, status));
                }
                Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return found,
            }
        }
    }
}

/// Makes reads and writes of `fd` return where they would wait.
pub fn never_block(fd: &OwnedFd) -> Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd).tried(|| "read flags of a descriptor")?;
    rustix::fs::fcntl_setfl(fd, flags | rustix::fs::OFlags::NONBLOCK)
        .tried(|| "set flags of a descriptor")
}

/// What a terminal's line discipline takes for the end of input.
pub const END_OF_TRANSMISSION: u8 = 4;

pub fn resize(pty: Option<&OwnedFd>, rows: u16, cols: u16) {
    if let Some(fd) = pty {
        let size = Winsize {
            ws_row: rows,
            ws_col: cols,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // The size of a window is a courtesy: a terminal that refuses it stays as it was.
        let _ = tcsetwinsize(fd, size);
    }
}
