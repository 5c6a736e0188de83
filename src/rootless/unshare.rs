//! Runs in: cli, which becomes the user's command. `unshare`: a command as root of the user's own namespace.
//!
//! This process itself enters a new user and mount namespace; a child that stays outside has the ids mapped, and is
//! gone before the command begins. So nothing of ours stands between the command and its caller: terminal, signals
//! and exit status are its own.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getpid};

use super::dirs::Dirs;
use super::preflight::no_namespace;
use crate::error::{Error, Kind, Result, Tried};
use crate::sys;
use crate::sys::process::Forked;
use crate::userns::map::IdMaps;
use crate::userns::{inside, write};

/// Where our own commands inside find the store; Podman's variables name the same places for everybody else.
const STORE: &str = "_POD_GRAPHROOT";
const RUN: &str = "_POD_RUNROOT";

/// Runs `argv` as root of a namespace with `maps`. Returns only on failure.
///
/// For a process with one thread only. Kinds: `CommandNotFound`, `NotExecutable`.
pub fn exec(maps: &IdMaps, dirs: &Dirs, argv: &[String]) -> Error {
    match enter(maps) {
        Ok(()) => run(dirs, argv),
        Err(err) => err,
    }
}

/// Store and run-time directory of the `unshare` that we are in.
pub fn dirs_around() -> Option<(PathBuf, PathBuf)> {
    inside::around()?;
    let path = |name| std::env::var_os(name).map(PathBuf::from);
    Some((path(STORE)?, path(RUN)?))
}

fn enter(maps: &IdMaps) -> Result<()> {
    if inside::around().is_some() {
        return Ok(()); // root of that namespace already
    }
    let (mut mine, theirs) = UnixStream::pair().tried(|| "make a socket pair for the id maps")?;
    let me = getpid();
    let child = match sys::process::fork().tried(|| "fork for the id maps")? {
        Forked::Child => {
            drop(mine);
            let status = map(me, maps, theirs);
            sys::process::exit_now(status)
        }
        Forked::Parent(child) => child,
    };
    drop(theirs);
    let done = unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
        .map_err(|errno| no_namespace(errno, "make a user namespace"))
        .and_then(|()| ask(&mut mine));
    drop(mine); // a child that still waits ends
    let _ = waitpid(child, None); // what it did was told by the answer
    done?;
    sys::process::setresgid(0)
        .and_then(|()| sys::process::setresuid(0))
        .tried(|| "become root of a user namespace")
}

fn ask(outside: &mut UnixStream) -> Result<()> {
    outside.write_all(b"n").tried(|| "ask for an id map")?;
    let mut answer = Vec::new();
    outside
        .read_to_end(&mut answer)
        .tried(|| "wait for an id map")?;
    let answer: Option<Result<()>> = serde_json::from_slice(&answer).ok();
    answer.unwrap_or_else(|| Err(Error::new(Kind::System, "wait for an id map: no answer")))
}

/// Runs in: the child outside. Returns its exit status.
fn map(pid: Pid, maps: &IdMaps, mut inside: UnixStream) -> i32 {
    let mut message = [0u8];
    if !matches!(inside.read(&mut message), Ok(1)) {
        return 1;
    }
    let done = write::start(pid, maps).and_then(write::MapsPending::wait);
    let answer = serde_json::to_vec(&done).unwrap_or_default();
    i32::from(inside.write_all(&answer).is_err())
}

fn run(dirs: &Dirs, argv: &[String]) -> Error {
    let Some((program, rest)) = argv.split_first() else {
        return Error::usage("no command specified and no $SHELL specified");
    };
    let mut command = Command::new(program);
    command.args(rest).env(inside::MARK, "done");
    if inside::around().is_none() {
        for (name, value) in environment(dirs) {
            command.env(name, value);
        }
    }
    let err = command.exec();
    match err.raw_os_error() {
        // A directory of PATH that is closed to us looks like a program that is.
        Some(libc::ENOENT | libc::EACCES) if !exists(program) => Error::new(
            Kind::CommandNotFound,
            format!("exec: {program:?}: executable file not found in $PATH"),
        ),
        Some(libc::EACCES | libc::ENOEXEC | libc::EISDIR) => {
            Error::io(&err, format!("exec {program:?}")).with_kind(Kind::NotExecutable)
        }
        _ => Error::io(&err, format!("exec {program:?}")),
    }
}

fn exists(program: &str) -> bool {
    if program.contains('/') {
        return std::fs::metadata(program).is_ok();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).exists())
}

fn environment(dirs: &Dirs) -> Vec<(&'static str, OsString)> {
    let (store, run) = (dirs.store.clone(), dirs.run.clone());
    vec![
        ("CONTAINERS_GRAPHROOT", store.clone().into()),
        ("CONTAINERS_RUNROOT", run.clone().into()),
        (STORE, store.into()),
        (RUN, run.into()),
    ]
}
