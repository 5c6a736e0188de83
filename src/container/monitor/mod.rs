//! Runs in: monitor. The process that stays with one container: starts it, serves its stdio, records its end.
//!
//! Forked by the cli while that has one thread, in a session of its own. It talks to its starter over a socket pair
//! (`protocol`), later also to whoever connects to `$RUNROOT/<id>/attach`. It holds the container's lock from its birth
//! to the moment everything about the end is on disk. It has no thread and executes nothing.

mod again;
pub mod check;
mod chronicle;
mod clients;
pub mod journal;
mod launch;
pub mod log;
mod pump;
mod timers;
mod tree;

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use rustix::fs::{Mode, OFlags};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, listen, recv, send,
    socket_with,
};

use crate::error::{Error, Kind, Result, Tried};
use crate::net::NetPlan;
use crate::runtime::StdioPlan;
use crate::state::{self, Lock};
use crate::sys;

use super::cgroup::{self, CgroupOf};
use super::end::{Asked, EndedBy};
use super::engine::Containers;
use super::health::OnFailure;
use super::policy::{Restarts, RunEnded};
use super::protocol::{self, FrameKind, Wants};
use super::record::{Record, State, Status};
use super::request::LogDriver;
use super::restart::RESTARTING;
use super::spec::Plan;
use super::watch::{address_below, open_dir};
use again::{Kept, Over};
use chronicle::{Beginning, Chronicle};
use clients::Client;
use journal::Journal;
use launch::{Launch, Launched};
use log::{Limits, Log, LogFile};
pub(super) use pump::{END_OF_TRANSMISSION, never_block, resize};
use pump::{Ends, Pump};
use timers::Due;

/// Exit status of a container that `--timeout` ended (Podman's).
const TIMED_OUT: i32 = 255;

/// Everything the monitor is born with.
pub(super) struct Job<'a> {
    pub engine: &'a Containers,
    pub record: &'a Record,
    /// What a start that fails goes back to.
    pub before: State,
    pub plan: Plan,
    pub network: NetPlan,
    pub stdio: StdioPlan,
    pub preserve: Vec<Option<OwnedFd>>,
    /// Held by the cli; the monitor keeps a copy.
    pub lock: &'a Lock,
    /// Connection to the cli.
    pub starter: OwnedFd,
    /// What of the output that cli wants.
    pub wanted: Wants,
    /// The record is being written now; a failure leaves no container.
    pub fresh: bool,
}

/// A started container, and what the monitor keeps of the start.
struct Started {
    launched: Launched,
    starter: Client,
    listener: Option<OwnedFd>,
    log: Option<Log>,
    beginning: Beginning,
    kept: Kept,
}

/// The monitor's whole life; never returns to the code of the cli it was forked from.
pub(super) fn main(job: Job<'_>) -> ! {
    sys::process::exit_now(i32::from(live(job).is_err()))
}

fn live(mut job: Job<'_>) -> Result<()> {
    let record = job.record.clone();
    let (engine, fresh) = (job.engine.clone(), job.fresh);
    let before = std::mem::take(&mut job.before);
    let starter = job.starter.try_clone().tried(|| "copy a socket")?;
    // Closed with the cli's other descriptors: the lock ends when this copy does.
    let lock = job.lock.file().try_clone().tried(|| "copy a lock")?;
    let lock = match Lock::try_on(lock) {
        Ok(Ok(lock)) => lock,
        _ => return Err(Error::new(Kind::State, "keep the container's lock")),
    };
    let started = match begin(job) {
        Ok(started) => started,
        Err(err) if fresh && is_gone(&starter) => {
            // Nobody else is left to undo the creation.
            let _ = engine.remove_files(&record.id, Some(&record.name), lock);
            return Err(err);
        }
        Err(err) => {
            if !fresh {
                engine.note_failed_start(&record.id, before, &err);
            }
            tell_failure(&starter, &err);
            return Err(err);
        }
    };
    drop(starter);
    serve(&engine, record, started, lock)
}

/// Runs the program, or leaves nothing running.
fn begin(job: Job<'_>) -> Result<Started> {
    let record = job.record;
    let run_dir = job.engine.run_dir(&record.id);
    rustix::process::setsid().tried(|| "begin a session")?;
    // Helpers that fork themselves away, and their leftovers, are reaped here.
    nix::sys::prctl::set_child_subreaper(true).tried(|| "become a subreaper")?;
    let inherit = matches!(job.stdio, StdioPlan::Inherit);
    let kept = Kept::of(record, job.stdio, &job.preserve)?;
    if !inherit {
        silence_stdio()?;
    }
    let mut starter = Client::starter(job.starter, job.wanted);
    let (mut log, mut listener) = (None, None);
    let launch = Launch {
        engine: job.engine,
        record,
        plan: job.plan,
        network: job.network,
        stdio: job.stdio,
        preserve: job.preserve,
        restarts: 0,
    };
    let launched = launch.run(|| {
        log = open_log(job.engine, record)?;
        listener = Some(listen_below(&run_dir)?);
        await_go(&mut starter)
    })?;
    let beginning = Beginning {
        created: job.fresh,
        attached: job.wanted != Wants::default(),
        init: launched.made,
    };
    if inherit {
        silence_stdio()?;
    }
    Ok(Started {
        launched,
        starter,
        listener,
        log,
        beginning,
        kept,
    })
}

fn open_log(engine: &Containers, record: &Record) -> Result<Option<Log>> {
    let log = &record.request.log;
    Ok(match log.driver {
        LogDriver::K8sFile | LogDriver::JsonFile => {
            let limits = Limits {
                max_size: log.max_size,
                max_files: log.max_files,
            };
            Some(Log::File(LogFile::open(&engine.log_path(record), limits)?))
        }
        LogDriver::Journald => Some(Log::Journal(Journal::open(record)?)),
        LogDriver::None | LogDriver::Passthrough | LogDriver::PassthroughTty => None,
    })
}

/// Waits until the starter has written the record. One that died before leaves no container.
fn await_go(starter: &mut Client) -> Result<()> {
    let mut go = false;
    while !go {
        starter.receive(&mut |input| go |= matches!(input, clients::Input::Go));
        if starter.is_gone() && !go {
            return Err(Error::new(
                Kind::State,
                "start the container: its starter is gone",
            ));
        }
    }
    Ok(())
}

fn serve(engine: &Containers, mut record: Record, started: Started, lock: Lock) -> Result<()> {
    let Started {
        mut launched,
        mut starter,
        listener,
        log,
        beginning,
        kept,
    } = started;
    // Whoever is told that it runs finds the events.
    let chronicle = Chronicle::begin(engine, &record, beginning);
    starter.send(FrameKind::Started, &launched.state.pid.to_le_bytes());
    let mut pump = Pump::new(own_signals()?, chronicle);
    pump.clients.push(starter);
    pump.listener = listener;
    pump.log = log;
    let mut restarts = Restarts::default();
    let run_dir = engine.run_dir(&record.id);
    let path = engine.dir(&record.id).join("state.json");
    let (mut state, code, died) = loop {
        let Launched {
            stdio,
            mut helper,
            mut state,
            checkers,
            ..
        } = launched;
        let pid = state.pid;
        pump.begin(Pid::from_raw(pid), state.helper_pid, Ends::of(stdio)?);
        let began = Instant::now();
        if let Some(seconds) = record.request.timeout.filter(|&t| t > 0) {
            let limit = Duration::from_secs(seconds.into());
            pump.timers.set(Due::TimeLimit, began, limit);
        }
        if let Some(checkers) = checkers {
            let group = state.cgroup.as_ref().map(CgroupOf::group);
            pump.check(engine, &record, checkers, group);
        }
        if restarts.count == 0 {
            pump.close_all_else(&lock, &kept, pump.chronicle.number())?;
        }
        sys::memory::trim();

        let ended = pump.run();

        let died = SystemTime::now();
        pump.chronicle.renamed(engine, &mut record);
        helper.stop();
        if let Some(of) = state.cgroup.take() {
            state.oom_killed = of.group().oom_kills() > 0;
            cgroup::release(&run_dir, &of);
        }
        let code = match ended.timed_out {
            true => TIMED_OUT,
            false => ended.code,
        };
        let asked = Asked::take(&run_dir);
        state.stopped_by_user = pump.stop || asked.as_ref().is_some_and(Asked::wants_the_end);
        state.end = Some(ended.end(pid, asked));
        let verdict = pump.end_checks(engine, &record);
        if let (Some(verdict), Some(end)) = (&verdict, &mut state.end) {
            end.by = EndedBy::Health;
            end.detail.clone_from(&verdict.why);
        }
        state.ended(code);
        let over = Over {
            engine,
            record: &mut record,
            kept: &kept,
            state_path: &path,
            died,
            action: verdict.map_or(OnFailure::None, |verdict| verdict.action),
        };
        let run = RunEnded {
            failed: code != 0,
            ran: began.elapsed(),
        };
        match again::run_again(over, &mut pump, &mut restarts, &mut state, run) {
            Some(next) => launched = next,
            None => {
                let code = state.exit_code;
                break (state, code, died);
            }
        }
    };
    pump.listener = None;
    let mut unsynced = None;
    let kept = fs::remove_file(run_dir.join(RESTARTING)).is_ok();
    if record.request.auto_remove && !kept {
        // Before the exit status goes out: `run --rm` that has returned leaves nothing.
        let container = super::engine::Container {
            record: record.clone(),
            state,
            engine: engine.clone(),
        };
        let _ = container.remove_locked(lock, true); // the next listing sweeps what stays
        pump.chronicle.ended(&record, code, died, true);
    } else {
        state.status = Status::Exited;
        let _ = state::save_or_overwrite(&path, &state); // a failing disk: readers find the lock free
        let _ = fs::remove_file(run_dir.join("attach"));
        pump.chronicle.ended(&record, code, died, false);
        drop(lock);
        unsynced = Some(path);
    }
    pump.finish(code);
    // Nobody waits for the disk, but the exit status reaches it.
    if let Some(file) = unsynced.and_then(|path| fs::File::open(path).ok()) {
        let _ = file.sync_all();
    }
    Ok(())
}

/// Signals meant for the container reach it by other ways: a hang-up or a Ctrl-C must not end its monitor. SIGCHLD
/// comes through a descriptor. After the launch, so that the container inherits none of it.
fn own_signals() -> Result<SignalFd> {
    for signal in [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGPIPE,
    ] {
        sys::signal::ignore(signal).tried(|| "ignore a signal")?;
    }
    let mut set = SigSet::empty();
    set.add(Signal::SIGCHLD);
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None).tried(|| "block SIGCHLD")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .tried(|| "open signalfd")
}

/// Points descriptors 0, 1 and 2 at `/dev/null`: whoever waits for the end of the cli's output must not wait for us.
fn silence_stdio() -> Result<()> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .tried(|| "open /dev/null")?;
    for number in 0..3 {
        sys::fd::place(null.as_fd(), number).tried(|| "redirect to /dev/null")?;
    }
    Ok(())
}

/// The socket others attach to; in a directory only this user can enter.
fn listen_below(run_dir: &std::path::Path) -> Result<OwnedFd> {
    let tried = || format!("listen in {}", run_dir.display());
    let _ = fs::remove_file(run_dir.join("attach")); // of a monitor that was killed
    let dir = open_dir(run_dir).tried(tried)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let sock = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).tried(tried)?;
    bind(&sock, &address_below(&dir).tried(tried)?).tried(tried)?;
    listen(&sock, 64).tried(tried)?;
    Ok(sock)
}

/// The other end of the connection is closed: its process died.
fn is_gone(starter: &OwnedFd) -> bool {
    let mut byte = [0u8; 1];
    matches!(
        recv(starter, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT),
        Ok((0, _))
    )
}

fn tell_failure(starter: &OwnedFd, err: &Error) {
    let mut bytes = Vec::new();
    protocol::push(&mut bytes, FrameKind::Failed, &protocol::encode_error(err));
    let _ = send(starter, &bytes, SendFlags::NOSIGNAL); // one that is gone wants no reason
}
