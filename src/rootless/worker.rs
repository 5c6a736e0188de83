//! Runs in: cli or monitor (the calling side) and worker (the job).
//!
//! A job that needs the ids of a container: unpack, delete, copy. The caller forks; the child makes a user and a
//! mount namespace, the caller writes the maps, the child becomes root in it, runs the job and sends the result
//! back as JSON over a pipe.
//!
//! | message | sent by | means |
//! | --- | --- | --- |
//! | `NamespacesMade` | worker | the maps can be written |
//! | `MapsWritten` | caller | the job may start |
//!
//! The worker dies with its caller, and a handle that is dropped ends and reaps it.

use std::io::{Read, Write};
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, getppid};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Kind, Result, Tried};
use crate::sys;
use crate::sys::process::Forked;
use crate::userns::map::{Extent, IdMaps};
use crate::userns::write;

use super::preflight::no_namespace;

/// How much the worker has of its own, beside the user namespace.
#[derive(Debug, Clone, Copy)]
pub struct WorkerOpts {
    /// A mount namespace, so that the job may mount; mounts vanish with it.
    pub mounts: bool,
}

impl Default for WorkerOpts {
    fn default() -> Self {
        Self { mounts: true }
    }
}

/// How long a container may take from its birth to its root.
const ROOT_TRIES: u32 = 2000;
const ROOT_WAIT: std::time::Duration = std::time::Duration::from_millis(1);

/// One byte each, see the table above.
const NAMESPACES_MADE: u8 = b'n';
const MAPS_WRITTEN: u8 = b'm';

/// Runs `job` as root of a new user namespace and waits for its result.
///
/// For a process with one thread only; see [`start`].
pub fn run<T, F>(maps: &IdMaps, opts: WorkerOpts, job: F) -> Result<T>
where
    T: Serialize + DeserializeOwned,
    F: FnOnce() -> Result<T>,
{
    start(maps, opts, job)?.finish()
}

/// Adds the remedy to a fork that failed.
pub fn too_many_processes(err: Error) -> Error {
    match err.errno() {
        Some(Errno::EAGAIN) => err.hint(
            "this user has too many processes: see ulimit -u, and the pids limit of its cgroup",
        ),
        _ => err,
    }
}

/// A job under way in another process.
#[derive(Debug)]
#[must_use = "dropping the handle ends the worker"]
pub struct WorkerHandle<T> {
    pid: Pid,
    result: Option<UnixStream>,
    reaped: bool,
    kind: PhantomData<fn() -> T>,
}

/// Forks a worker and lets it begin; it is fed through descriptors that exist already, which it inherits.
///
/// Must be called while this process has one thread; the caller may start threads afterwards, and the job may
/// too. The job sees a copy of this process as it was at the call. A panic in it is an error of [`WorkerHandle::finish`].
pub fn start<T, F>(maps: &IdMaps, opts: WorkerOpts, job: F) -> Result<WorkerHandle<T>>
where
    T: Serialize + DeserializeOwned,
    F: FnOnce() -> Result<T>,
{
    let (mine, theirs) = UnixStream::pair().tried(|| "make a socket pair for a worker")?;
    let parent = getpid();
    let forked = sys::process::fork().tried(|| "fork a worker");
    match forked.map_err(too_many_processes)? {
        Forked::Child => {
            drop(mine);
            let status = catch_unwind(AssertUnwindSafe(|| work(parent, maps, opts, &theirs, job)));
            sys::process::exit_now(status.unwrap_or(101))
        }
        Forked::Parent(pid) => {
            drop(theirs);
            let mut handle = WorkerHandle {
                pid,
                result: None,
                reaped: false,
                kind: PhantomData,
            };
            let mut socket = mine;
            let mut message = [0u8];
            match socket.read(&mut message) {
                Ok(1) if message[0] == NAMESPACES_MADE => {}
                Ok(1) => {
                    // It failed before its namespaces were there and says so as a result does.
                    handle.result = Some(socket);
                    handle.finish_from(&message)?;
                    return Err(Error::new(
                        Kind::System,
                        "start a worker: it gave up without a reason",
                    ));
                }
                Ok(_) => return Err(handle.ended("start a worker")),
                Err(err) => return Err(Error::io(&err, "wait for a worker")),
            }
            write::start(pid, maps)?.wait()?;
            socket
                .write_all(&[MAPS_WRITTEN])
                .tried(|| "tell a worker that its ids are mapped")?;
            handle.result = Some(socket);
            Ok(handle)
        }
    }
}

/// [`start`] in the user and mount namespaces of another process, as root of them: what that process sees is what
/// the job sees.
///
/// `single_id`: that user namespace has one id. Nobody in there can look at the worker (`PR_SET_DUMPABLE`).
pub fn start_beside<T, F>(
    process: BorrowedFd<'_>,
    single_id: bool,
    job: F,
) -> Result<WorkerHandle<T>>
where
    T: Serialize + DeserializeOwned,
    F: FnOnce() -> Result<T>,
{
    let (mine, theirs) = UnixStream::pair().tried(|| "make a socket pair for a worker")?;
    let parent = getpid();
    match sys::process::fork().tried(|| "fork a worker")? {
        Forked::Child => {
            drop(mine);
            let work = || {
                answer(&theirs, || {
                    enter_beside(parent, process, single_id)?;
                    job()
                })
            };
            let status = catch_unwind(AssertUnwindSafe(work));
            sys::process::exit_now(status.unwrap_or(101))
        }
        Forked::Parent(pid) => Ok(WorkerHandle {
            pid,
            result: Some(mine),
            reaped: false,
            kind: PhantomData,
        }),
    }
}

/// Runs in: worker.
fn enter_beside(parent: Pid, process: BorrowedFd<'_>, single_id: bool) -> Result<()> {
    let tried = || "enter a container";
    let hosts = rustix::fs::stat(c"/").map(|stat| (stat.st_dev, stat.st_ino));
    let hosts = hosts.tried(tried)?;
    // Before anything in there can see us. Joining a user namespace would do so, too: it changes credentials.
    sys::process::prctl(libc::PR_SET_DUMPABLE, 0, 0).tried(tried)?;
    let kinds = ThreadNameSpaceType::USER | ThreadNameSpaceType::MOUNT;
    move_into_thread_name_spaces(process, kinds).tried(tried)?;
    if !single_id {
        sys::process::setgroups(&[]).tried(|| "give up the caller's groups")?;
        // Where root does not exist, the id we have is as good.
        let _ = sys::process::setresgid(0);
        let _ = sys::process::setresuid(0);
    }
    bind_to(parent)?;
    // A container that is just starting has the host's root until its `pivot_root`, which moves us along.
    for _ in 0..ROOT_TRIES {
        let now = rustix::fs::stat(c"/").tried(tried)?;
        if (now.st_dev, now.st_ino) != hosts {
            return Ok(());
        }
        std::thread::sleep(ROOT_WAIT);
    }
    Err(Error::new(
        Kind::State,
        "enter a container: it has no root of its own yet: container state improper",
    ))
}

impl<T: DeserializeOwned> WorkerHandle<T> {
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits for the end of the job and hands out its result.
    pub fn finish(mut self) -> Result<T> {
        self.finish_from(&[])
    }

    fn finish_from(&mut self, already: &[u8]) -> Result<T> {
        let mut bytes = already.to_vec();
        if let Some(mut result) = self.result.take() {
            result
                .read_to_end(&mut bytes)
                .tried(|| "read the result of a worker")?;
        }
        if bytes.is_empty() {
            return Err(self.ended("run a worker"));
        }
        self.reap();
        let sent: Result<T> = serde_json::from_slice(&bytes).map_err(|err| {
            Error::new(
                Kind::System,
                format!("understand the result of a worker: {err}"),
            )
        })?;
        sent
    }
}

impl<T> WorkerHandle<T> {
    /// The worker ended without a word: says how.
    fn ended(&mut self, tried: &str) -> Error {
        let how = match self.reap() {
            Some(WaitStatus::Signaled(_, signal, _)) => format!("it was killed by {signal}"),
            Some(WaitStatus::Exited(_, status)) => format!("it exited with status {status}"),
            _ => "it is gone".to_owned(),
        };
        Error::new(Kind::System, format!("{tried}: {how}"))
    }

    fn reap(&mut self) -> Option<WaitStatus> {
        if std::mem::replace(&mut self.reaped, true) {
            return None;
        }
        loop {
            match waitpid(self.pid, None) {
                Err(Errno::EINTR) => {}
                other => return other.ok(),
            }
        }
    }
}

impl<T> Drop for WorkerHandle<T> {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = kill(self.pid, Signal::SIGKILL); // not reaped yet, so the pid is still this child's
            self.reap();
        }
    }
}

/// Runs in: worker. Returns the exit status.
fn work<T, F>(parent: Pid, maps: &IdMaps, opts: WorkerOpts, socket: &UnixStream, job: F) -> i32
where
    T: Serialize,
    F: FnOnce() -> Result<T>,
{
    answer(socket, || {
        enter(parent, maps, opts, socket)?;
        job()
    })
}

/// Does it and sends what came of it. Returns the exit status.
fn answer<T: Serialize>(socket: &UnixStream, job: impl FnOnce() -> Result<T>) -> i32 {
    let mut socket = socket;
    let outcome = job();
    let Ok(bytes) = serde_json::to_vec(&outcome) else {
        return 1;
    };
    // A caller that is gone wants no result.
    i32::from(socket.write_all(&bytes).is_err())
}

fn enter(parent: Pid, maps: &IdMaps, opts: WorkerOpts, socket: &UnixStream) -> Result<()> {
    let mut socket = socket;
    let mut flags = CloneFlags::CLONE_NEWUSER;
    flags.set(CloneFlags::CLONE_NEWNS, opts.mounts);
    unshare(flags).map_err(|errno| no_namespace(errno, "make a user namespace"))?;
    socket
        .write_all(&[NAMESPACES_MADE])
        .tried(|| "ask for an id map")?;
    let mut message = [0u8];
    match socket.read(&mut message) {
        Ok(1) if message[0] == MAPS_WRITTEN => {}
        _ => {
            return Err(Error::new(
                Kind::System,
                "wait for an id map: the caller is gone",
            ));
        }
    }
    if has_root(&maps.gids) && has_root(&maps.uids) {
        if !maps.is_single() {
            sys::process::setgroups(&[]).tried(|| "give up the caller's groups")?;
        }
        sys::process::setresgid(0).tried(|| "become root of a user namespace")?;
        sys::process::setresuid(0).tried(|| "become root of a user namespace")?;
    }
    bind_to(parent)
}

/// After the last change of ids, which takes the setting back.
fn bind_to(parent: Pid) -> Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).tried(|| "bind a worker to its caller")?;
    if getppid() != parent {
        sys::process::exit_now(1); // the caller died before that
    }
    Ok(())
}

fn has_root(map: &[Extent]) -> bool {
    map.iter().any(|extent| extent.inside == 0)
}

#[cfg(test)]
#[path = "../../tests/support/skip.rs"]
mod skip;

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells whether to skip a test, since this host gives no user namespace.
    fn skip<T>(result: &Result<T>) -> bool {
        match result {
            Err(err) if err.kind() == Kind::Unsupported => {
                super::skip::skip(&err.to_string());
                true
            }
            _ => false,
        }
    }

    #[test]
    fn a_job_runs_as_root_and_answers() {
        let got = run(&IdMaps::own_id(), WorkerOpts::default(), || {
            Ok((nix::unistd::geteuid().as_raw(), vec!["x".to_owned()]))
        });
        if skip(&got) {
            return;
        }
        assert_eq!(got.unwrap(), (0, vec!["x".to_owned()]));
    }

    #[test]
    fn an_error_keeps_its_kind_cause_and_remedy() {
        let got: Result<()> = run(&IdMaps::own_id(), WorkerOpts::default(), || {
            Err(Error::os(Errno::ENOSPC, "write \"x\"").hint("free some space"))
        });
        if skip(&got) {
            return;
        }
        let err = got.unwrap_err();
        assert_eq!(err.to_string(), "write \"x\": No space left on device");
        assert_eq!(
            (err.kind(), err.remedy()),
            (Kind::NoSpace, Some("free some space"))
        );
    }

    #[test]
    fn a_job_that_dies_is_an_error() {
        let got: Result<()> = run(&IdMaps::own_id(), WorkerOpts::default(), || {
            sys::process::exit_now(3)
        });
        if skip(&got) {
            return;
        }
        assert_eq!(
            got.unwrap_err().to_string(),
            "run a worker: it exited with status 3"
        );
    }

    #[test]
    fn a_dropped_handle_leaves_no_process() {
        let started = start::<(), _>(&IdMaps::own_id(), WorkerOpts::default(), || {
            nix::unistd::pause();
            Ok(())
        });
        if skip(&started) {
            return;
        }
        let pid = started.as_ref().unwrap().pid();
        drop(started);
        assert_eq!(kill(pid, None), Err(Errno::ESRCH));
    }
}
