//! `exec`: a further process in a running container, a child of the cli itself. No monitor takes part.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use oci_spec::runtime::Spec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::error::{Error, Kind, Result, Tried};
use crate::runtime::caps::CapSet;
use crate::runtime::exec::{ExecTarget, spawn};
use crate::runtime::{Running, Stdio, StdioPlan};
use crate::userns::inside;

use super::client::{Outlet, RawTerminal, Signals, detach_keys, terminal_size, write_some};
use super::detach::DetachScanner;
use super::engine::Container;
use super::events::{Action, Event};
use super::merge::EnvList;
use super::monitor::{END_OF_TRANSMISSION, never_block, resize};
use super::names;
use super::options::{ExecOutcome, ExecRequest, Terminal};
use super::pending;
use super::record::Status;
use super::start::preserved;
use super::watch::wait_readable;

/// Rows and columns of a terminal nobody looks at.
const NO_TERMINAL: (u16, u16) = (24, 80);

impl Container {
    /// Kinds: `State` when it does not run (exit status 255), `CommandNotFound`, `NotExecutable`.
    pub fn exec(&self, request: &ExecRequest, terminal: Terminal<'_>) -> Result<ExecOutcome> {
        let mut me = self.clone();
        let exists = me.refresh()?;
        if me.state.is_elsewhere() {
            return Err(me.elsewhere("exec in"));
        }
        let init = me.state.open_init();
        let (true, Status::Running, Some(init)) = (exists, me.state.status, init) else {
            return Err(not_running());
        };
        if request.command.is_empty() {
            return Err(Error::usage(
                "must provide a non-empty command to start an exec session: invalid argument",
            ));
        }
        let mut plan = me.engine.plan_of_exec(&me.record)?;
        let process = exec_process(&plan.spec, request)?;
        if let Some(user) = request.user.as_ref().filter(|user| !user.is_empty()) {
            plan.user.user.clone_from(user);
        }
        let size = terminal_size(&terminal).unwrap_or(NO_TERMINAL);
        let stdio = match (request.detach, request.tty) {
            (true, false) => StdioPlan::Null,
            (_, true) => StdioPlan::Pty {
                rows: size.0,
                columns: size.1,
            },
            (false, false) => StdioPlan::Pipes {
                stdin: request.interactive,
            },
        };
        let keys = detach_keys(
            request.detach_keys.as_deref(),
            me.record.request.detach_keys.as_deref(),
        )?;
        let (session, _) = names::new_id()?;
        let target = ExecTarget {
            spec: &plan.spec,
            user: plan.user,
            seccomp: plan.seccomp,
            single_id: me.record.ids.is_single(),
            preserve: preserved(request.preserve_fds, &[])?,
            cgroup: match me.cgroup() {
                // It goes when the container has ended.
                Some(group) => Some(group.open_leaf().map_err(|err| {
                    match err.errno() == Some(nix::errno::Errno::ENOENT) && is_ending(&init) {
                        true => not_running(),
                        false => err,
                    }
                })?),
                None => None,
            },
        };
        let running = spawn(target, init.as_fd(), &process, stdio).map_err(|err| {
            use nix::errno::Errno;
            let refused = match err.errno() {
                // A pid namespace whose first process has ended takes no more (`pid_namespaces(7)`): ENOMEM.
                Some(Errno::EPERM | Errno::ESRCH | Errno::ENOMEM) => true,
                Some(_) => false,
                None => err.kind() == Kind::System, // it was killed on its way in, with all the others
            };
            if refused && is_ending(&init) {
                return not_running();
            }
            match err.errno() == Some(nix::errno::Errno::EPERM) && inside::around().is_some() {
                true => err.hint("a container that was started outside of unshare can be entered from there only"),
                false => err,
            }
        })?;
        let mut log = me.engine.event_log();
        let event =
            |action| Event::container(action, &me.record).attribute("execID", session.as_str());
        if let Some(log) = &mut log {
            log.append(&[event(Action::Exec)]);
            log.keep();
        }
        if request.detach {
            return Ok(ExecOutcome::Detached(session));
        }
        match Relay::new(terminal, request, running)?.run(keys)? {
            Some(code) => {
                if let Some(log) = &mut log {
                    log.append(&[event(Action::ExecDied).exit_code(code)]);
                }
                Ok(ExecOutcome::Exited(code))
            }
            None => Ok(ExecOutcome::Detached(session)),
        }
    }
}

fn not_running() -> Error {
    Error::new(
        Kind::State,
        "can only create exec sessions on running containers: container state improper",
    )
}

/// A process that was killed lets nobody in some time before it has ended (`EPERM`, as of a stranger's).
fn is_ending(init: &OwnedFd) -> bool {
    const MOMENT: Duration = Duration::from_millis(200);
    wait_readable(init, Some(Instant::now() + MOMENT)).unwrap_or(false)
}

/// The container's own process with what the request changes.
pub(super) fn exec_process(
    spec: &Spec,
    request: &ExecRequest,
) -> Result<oci_spec::runtime::Process> {
    let of_spec = spec.process().clone();
    let mut process =
        of_spec.ok_or_else(|| Error::new(Kind::Corrupt, "exec: the container has no process"))?;
    process.set_args(Some(request.command.clone()));
    process.set_terminal(Some(request.tty));
    let mut env = EnvList {
        lines: process.env().clone().unwrap_or_default(),
    };
    if request.tty {
        env.set("TERM", "xterm");
    }
    for (name, value) in &request.env {
        env.set(name, value);
    }
    process.set_env(Some(env.lines));
    if let Some(workdir) = &request.workdir {
        process.set_cwd(workdir.into());
    }
    if let (true, Some(mut caps)) = (request.privileged, process.capabilities().clone()) {
        let all = Some(CapSet::ALL.to_oci());
        caps.set_bounding(all.clone());
        caps.set_effective(all.clone());
        caps.set_permitted(all);
        process.set_capabilities(Some(caps));
    }
    Ok(process)
}

/// Copies between the user's descriptors and the process's.
struct Relay<'a> {
    terminal: Terminal<'a>,
    tty: bool,
    /// The user's input is still read.
    reading: bool,
    running: Running,
    /// Of a terminal, the first of `outputs` goes both ways and `input` is `None`.
    input: Option<OwnedFd>,
    outputs: [Option<OwnedFd>; 2],
    outlets: [Outlet; 2],
    /// Input the process has not taken yet.
    pending: Vec<u8>,
    exit: Option<i32>,
}

/// What a polled descriptor is.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Signals,
    Process,
    UserInput,
    Input,
    Output(usize),
    UserOutput(usize),
}

impl<'a> Relay<'a> {
    fn new(terminal: Terminal<'a>, request: &ExecRequest, mut running: Running) -> Result<Self> {
        let Stdio {
            stdin,
            stdout,
            stderr,
            pty,
        } = std::mem::take(&mut running.stdio);
        for fd in [&stdin, &stdout, &stderr, &pty].into_iter().flatten() {
            never_block(fd)?;
        }
        Ok(Self {
            terminal,
            tty: request.tty,
            reading: request.interactive,
            running,
            input: stdin,
            outputs: [stdout.or(pty), stderr],
            outlets: [Outlet::default(), Outlet::default()],
            pending: Vec::new(),
            exit: None,
        })
    }

    /// The exit status; `None`: the user typed the detach keys.
    fn run(mut self, keys: Vec<u8>) -> Result<Option<i32>> {
        let signals = Signals::block(true)?;
        let _raw = match self.tty && self.reading {
            true => RawTerminal::enter(self.terminal.stdin)?,
            false => None,
        };
        let mut scanner = DetachScanner::new(if self.tty { keys } else { Vec::new() });
        loop {
            if self.exit.is_some() && self.outlets.iter().all(Outlet::is_empty) {
                return Ok(self.exit);
            }
            for (slot, events) in self.wait(&signals)? {
                match slot {
                    Slot::Signals => self.pass_signals(&signals),
                    Slot::Process => {
                        self.exit = reap(self.running.pid)?;
                        // What it wrote is in the pipes; who else holds them is not waited for.
                        for index in 0..2 {
                            while self.read_output(index) {}
                        }
                    }
                    Slot::UserInput => {
                        if self.read_input(&mut scanner) {
                            return Ok(None);
                        }
                    }
                    Slot::Input => self.write_input(),
                    Slot::Output(index) => {
                        self.read_output(index);
                        debug_assert!(!events.is_empty());
                    }
                    Slot::UserOutput(index) => {
                        let fd = [self.terminal.stdout, self.terminal.stderr][index];
                        write_some(fd, &mut self.outlets[index])?;
                        if self.outlets[index].is_broken() && !self.tty {
                            self.outputs[index] = None; // its next write fails, as any program's
                        }
                    }
                }
            }
        }
    }

    fn wait(&self, signals: &Signals) -> Result<Vec<(Slot, PollFlags)>> {
        let mut wanted = vec![(Slot::Signals, signals.as_fd(), PollFlags::IN)];
        if self.exit.is_none() {
            wanted.push((Slot::Process, self.running.pidfd.as_fd(), PollFlags::IN));
        }
        if self.reading && self.pending.is_empty() {
            wanted.push((Slot::UserInput, self.terminal.stdin, PollFlags::IN));
        }
        if !self.pending.is_empty()
            && let Some(fd) = self.input_end()
        {
            wanted.push((Slot::Input, fd.as_fd(), PollFlags::OUT));
        }
        let user = [self.terminal.stdout, self.terminal.stderr];
        for (index, fd) in user.into_iter().enumerate() {
            if !self.outlets[index].is_empty() {
                wanted.push((Slot::UserOutput(index), fd, PollFlags::OUT));
            } else if let Some(fd) = &self.outputs[index] {
                wanted.push((Slot::Output(index), fd.as_fd(), PollFlags::IN));
            }
        }
        let mut fds: Vec<PollFd<'_>> = wanted
            .iter()
            .map(|&(_, fd, flags)| PollFd::from_borrowed_fd(fd, flags))
            .collect();
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).tried(|| "wait for the exec session"),
        }
        let slots = wanted.iter().map(|&(slot, ..)| slot);
        Ok(slots
            .zip(fds.iter().map(PollFd::revents))
            .filter(|(_, events)| !events.is_empty())
            .collect())
    }

    fn input_end(&self) -> Option<&OwnedFd> {
        if self.tty {
            self.outputs[0].as_ref()
        } else {
            self.input.as_ref()
        }
    }

    fn pass_signals(&self, signals: &Signals) {
        while let Some(number) = signals.next() {
            if number == libc::SIGWINCH {
                if let (true, Some((rows, cols))) = (self.tty, terminal_size(&self.terminal)) {
                    resize(self.outputs[0].as_ref(), rows, cols);
                }
            } else if let Some(signal) = rustix::process::Signal::from_named_raw(number) {
                let _ = rustix::process::pidfd_send_signal(&self.running.pidfd, signal);
            }
        }
    }

    /// Reads once; `true`: there may be more at once.
    fn read_output(&mut self, index: usize) -> bool {
        let Some(fd) = &self.outputs[index] else {
            return false;
        };
        let mut buffer = [0u8; 16 * 1024];
        match rustix::io::read(fd, &mut buffer) {
            Ok(n) if n > 0 => {
                self.outlets[index].take(&buffer[..n]);
                true
            }
            Err(Errno::INTR) => true,
            Err(Errno::AGAIN) => false,
            Ok(_) | Err(_) => {
                self.outputs[index] = None;
                false
            }
        }
    }

    /// Reads the user's input once; `true`: the detach keys were typed.
    fn read_input(&mut self, scanner: &mut DetachScanner) -> bool {
        let mut buffer = [0u8; 16 * 1024];
        match rustix::io::read(self.terminal.stdin, &mut buffer) {
            Ok(n) if n > 0 => {
                let detach = scanner.scan(&buffer[..n], &mut self.pending);
                self.write_input();
                detach
            }
            Err(Errno::INTR | Errno::AGAIN) => false,
            Ok(_) | Err(_) => {
                self.reading = false;
                if self.tty {
                    self.pending.push(END_OF_TRANSMISSION);
                }
                self.write_input();
                false
            }
        }
    }

    fn write_input(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        let taken = self
            .input_end()
            .map(|fd| pending::drain(&mut pending, |bytes| rustix::io::write(fd, bytes)));
        match taken {
            Some(Ok(())) => self.pending = pending,
            Some(Err(_)) | None => self.reading = false, // nobody takes the rest
        }
        if self.pending.is_empty() && !self.reading {
            self.input = None;
        }
    }
}

fn reap(pid: Pid) -> Result<Option<i32>> {
    match waitpid(pid, Some(WaitPidFlag::WNOHANG)).tried(|| "wait for the exec session")? {
        WaitStatus::Exited(_, code) => Ok(Some(code)),
        WaitStatus::Signaled(_, signal, _) => Ok(Some(128 + signal as i32)),
        _ => Ok(None),
    }
}
