//! `start`, and the second half of `run`: forks the monitor and waits until the program runs.
//!
//! With `run` the record is written by this process while the monitor has the ids mapped: `Go` tells the monitor
//! that it is there. A monitor whose starter dies before that undoes everything.

use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::error::{Error, Kind, Result, Tried};
use crate::image::Image;
use crate::net::NetPlan;
use crate::rootless::worker;
use crate::state::{self, Durable, Lock};
use crate::storage::Store;
use crate::sys;
use crate::sys::process::Forked;

use super::attach::wants;
use super::client::{Connection, Signals, send_size, terminal_size};
use super::create::{Claim, make_open_dir};
use super::end::Asked;
use super::engine::{Container, Containers, make_dir};
use super::files;
use super::monitor::{self, Job};
use super::options::{AttachOptions, RunOutcome, StartOptions};
use super::protocol::{self, FrameKind, Wants};
use super::record::{Record, State, Status};
use super::request::{CreateRequest, LogDriver};
use super::spec::{Plan, uses_mount_points};
use crate::runtime::StdioPlan;

/// Size of a terminal nobody looks at.
pub(super) const NO_TERMINAL: (u16, u16) = (24, 80);

impl Containers {
    /// Creates and starts in one go, faster than one after the other. Either the program ran, or nothing is left.
    ///
    /// Returns the id, which `-d` prints; with `attach` it returns when the container ended or the user detached.
    pub fn run(
        &self,
        request: CreateRequest,
        image: Option<&Image>,
        options: &StartOptions<'_>,
    ) -> Result<(String, RunOutcome)> {
        let mut draft = self.draft(request, image, true)?;
        let plan = self.plan(&draft.record)?;
        let network = draft
            .network
            .take()
            .ok_or_else(|| Error::new(Kind::System, "prepare the network"))?;
        let mut claim = self.claim(&mut draft)?;
        let start = Start {
            engine: self,
            record: &draft.record,
            before: State::default(),
            plan,
            network,
        };
        let outcome = start.go(Locked::New(&mut claim), options.attach.as_ref());
        match outcome {
            Ok(begun) => {
                drop(claim.commit());
                begun.follow().map(|outcome| (draft.record.id, outcome))
            }
            Err(err) => {
                let container = Container {
                    record: draft.record.clone(),
                    state: State::default(),
                    engine: self.clone(),
                };
                Err(container.explain(err)) // the claim undoes it
            }
        }
    }
}

impl Containers {
    /// Keeps why a start failed, for `inspect` and `why`. A full disk only loses that: the starter hears of it anyway.
    pub(super) fn note_failed_start(&self, id: &str, before: State, err: &Error) {
        let failed = State {
            error: err.to_string(),
            error_hint: err.remedy().unwrap_or_default().to_owned(),
            error_kind: Some(err.kind()),
            ..before
        };
        let _ = state::save(&self.dir(id).join("state.json"), &failed, Durable::No);
    }
}

impl Container {
    /// Starts a container that does not run; one that runs is fine.
    pub fn start(&self, options: &StartOptions<'_>) -> Result<RunOutcome> {
        let mut me = self.clone();
        if !me.refresh()? {
            return Err(super::engine::no_such(&me.record.id));
        }
        if me.state.is_elsewhere() {
            return Err(me.elsewhere("start"));
        }
        make_dir(&me.run_dir())?;
        let lock = match Lock::try_exclusive(&me.engine.lock_path(&me.record.id))? {
            Some(lock) if !me.state.is_alive() => lock,
            _ => return me.join_running(options),
        };
        me.await_copies()?;
        me.state = me.engine.load_state(&me.record.id)?;
        drop(Asked::take(&me.run_dir())); // of a stop that came too late for the last run
        me.renew_volatile()?;
        let (plan, network) = me.prepare().inspect_err(|err| {
            let before = me.state.clone();
            me.engine.note_failed_start(&me.record.id, before, err);
        })?;
        let start = Start {
            engine: &me.engine,
            record: &me.record,
            before: me.state.clone(),
            plan,
            network,
        };
        let begun = start.go(Locked::Old(&lock), options.attach.as_ref());
        drop(lock);
        begun.map_err(|err| me.explain(err))?.follow()
    }

    /// What can fail before there is a process.
    fn prepare(&self) -> Result<(Plan, NetPlan)> {
        let (engine, record) = (&self.engine, &self.record);
        engine.check_volumes(record)?;
        let plan = engine.plan(record)?;
        let mut ports = record.ports.clone();
        let helpers = &record.request.helpers;
        let network = engine.prepare_network(&record.network, &mut ports, helpers)?;
        Ok((plan, network))
    }

    /// A writable layer mounted `volatile` (that of `--rm`) can be mounted once: the kernel marks its work directory
    /// (overlayfs.rst, Volatile mount). The mark guards against lost writes after a crash; in the same boot none are.
    pub(super) fn renew_volatile(&self) -> Result<()> {
        let mounted = self.state.boot_id == super::liveness::boot_id();
        if !self.record.request.auto_remove || !mounted || !self.record.has_upper() {
            return Ok(());
        }
        let work = self.dir().join("work");
        Store::open(&self.engine.dirs)?.remove_tree(&work)?;
        make_open_dir(&work)
    }

    fn join_running(mut self, options: &StartOptions<'_>) -> Result<RunOutcome> {
        match &options.attach {
            None => Ok(RunOutcome::Detached),
            Some(attach) => {
                self.refresh()?;
                self.attach(attach)
            }
        }
    }
}

/// Who holds the lock of the container that is started.
enum Locked<'a, 'b> {
    /// `run`: the record is still to be written.
    New(&'a mut Claim<'b>),
    Old(&'a Lock),
}

impl Locked<'_, '_> {
    fn lock(&self) -> Result<&Lock> {
        match self {
            Self::New(claim) => claim
                .lock()
                .ok_or_else(|| Error::new(Kind::State, "hold the container's lock")),
            Self::Old(lock) => Ok(lock),
        }
    }
}

struct Start<'a> {
    engine: &'a Containers,
    record: &'a Record,
    before: State,
    plan: Plan,
    network: NetPlan,
}

/// A container whose program runs, and the way to it.
struct Begun<'a> {
    container: Container,
    connection: Connection,
    /// Held since before the fork, so that no signal was lost.
    foreground: Option<(AttachOptions<'a>, Signals)>,
}

impl Start<'_> {
    fn go<'a>(
        self,
        mut locked: Locked<'_, '_>,
        attach: Option<&AttachOptions<'a>>,
    ) -> Result<Begun<'a>> {
        let request = &self.record.request;
        let passthrough = request.log.driver.is_passthrough();
        files::prepare(self.engine, self.record, self.network.status())?;
        self.engine.give_sources(self.record)?;
        self.engine.renew_overlays(self.record)?;
        if uses_mount_points(self.record) {
            Store::at(&self.engine.dirs.store)?.make_mount_points()?;
        }
        let size = attach
            .and_then(|a| terminal_size(&a.terminal))
            .unwrap_or(NO_TERMINAL);
        let stdio = match (passthrough, request.tty) {
            (true, _) if request.log.driver == LogDriver::Passthrough && on_terminal() => {
                return Err(Error::usage(
                    "the '--log-driver passthrough' option cannot be used on a TTY",
                )
                .hint("--log-driver passthrough-tty can"));
            }
            (true, _) => StdioPlan::Inherit,
            (false, true) => StdioPlan::Pty {
                rows: size.0,
                columns: size.1,
            },
            (false, false) => StdioPlan::Pipes {
                stdin: request.interactive,
            },
        };
        let preserve = preserved(request.preserve_fds, &request.preserve_fd)?;
        let foreground = match attach {
            Some(options) => Some((*options, Signals::block(options.sig_proxy)?)),
            None => None,
        };
        let wanted = match &foreground {
            Some((options, _)) => {
                let mut streams = options.streams;
                streams.stdin &= request.interactive;
                wants(streams)
            }
            None => Wants::default(),
        };
        let (mine, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .tried(|| "make a socket pair for the monitor")?;
        let fresh = matches!(locked, Locked::New(_));
        let forked = sys::process::fork().tried(|| "fork the monitor");
        match forked.map_err(worker::too_many_processes)? {
            Forked::Child => {
                drop(mine);
                if let Some((_, signals)) = &foreground {
                    signals.unblock();
                }
                monitor::main(Job {
                    engine: self.engine,
                    record: self.record,
                    before: self.before,
                    plan: self.plan,
                    network: self.network,
                    lock: locked.lock()?,
                    stdio,
                    preserve,
                    starter: theirs,
                    wanted,
                    fresh,
                })
            }
            Forked::Parent(_) => {
                drop((theirs, preserve));
                let mut connection = Connection::new(mine);
                if let Locked::New(claim) = &mut locked {
                    // A container that vanishes with its end need not survive a power cut.
                    let durable = if request.auto_remove {
                        Durable::No
                    } else {
                        Durable::Yes
                    };
                    claim.publish(self.record, durable)?;
                }
                if let Some((options, _)) = foreground.as_ref().filter(|_| request.tty) {
                    send_size(&mut connection, &options.terminal);
                }
                // A monitor that ended already has said why.
                let _ = connection.send(FrameKind::Go, &[]);
                let state = await_start(&mut connection)?;
                Ok(Begun {
                    container: Container {
                        record: self.record.clone(),
                        state,
                        engine: self.engine.clone(),
                    },
                    connection,
                    foreground,
                })
            }
        }
    }
}

/// Waits for `Started` or `Failed`.
fn await_start(connection: &mut Connection) -> Result<State> {
    let gone = || {
        Error::new(
            Kind::System,
            "start the container: its monitor ended without a word",
        )
    };
    let frame = connection.receive()?.ok_or_else(gone)?;
    match frame.kind {
        FrameKind::Started => {
            let pid = protocol::number(&frame.payload, 0).ok_or_else(gone)?;
            Ok(State {
                status: Status::Running,
                pid,
                pid_start: super::liveness::start_time(pid),
                boot_id: super::liveness::boot_id().to_owned(),
                ..State::default()
            })
        }
        FrameKind::Failed => Err(protocol::decode_error(&frame.payload)),
        _ => Err(gone()),
    }
}

impl Begun<'_> {
    fn follow(mut self) -> Result<RunOutcome> {
        let Some((options, signals)) = self.foreground else {
            return Ok(RunOutcome::Detached);
        };
        let session = self.container.session(&options)?;
        session.run(&mut self.connection, &signals)
    }
}

/// One of the descriptors that a container would inherit is a terminal.
fn on_terminal() -> bool {
    use std::io::IsTerminal;
    let stdin = std::io::stdin().is_terminal();
    stdin || std::io::stdout().is_terminal() || std::io::stderr().is_terminal()
}

/// The descriptors `3..3+count` and those of `also`, which whoever called us passed on (`--preserve-fds`,
/// `--preserve-fd`), from number 3 on.
pub(super) fn preserved(count: u32, also: &[u32]) -> Result<Vec<Option<OwnedFd>>> {
    let end = also.iter().map(|number| number.saturating_add(1)).max();
    let end = end.unwrap_or(0).max(count.saturating_add(3));
    (3..end)
        .map(
            |number| match number < count + 3 || also.contains(&number) {
                true => sys::fd::inherited(number.cast_signed())
                    .map(Some)
                    .tried(|| format!("preserve descriptor {number}")),
                false => Ok(None),
            },
        )
        .collect()
}
