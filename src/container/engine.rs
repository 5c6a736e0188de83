//! The containers of one store, and one container of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use std::io::Write;

use crate::error::{Error, Kind, Result};
use crate::image::Image;

use super::inspect::InspectContainer;
use super::options::{
    AttachOptions, ExecOutcome, ExecRequest, KillOptions, LogOptions, RemoveOptions, RunOutcome,
    Sizes, StartOptions, StopOptions, StopReport, Terminal, WaitCondition,
};
use super::record::{Record, State};
use super::request::CreateRequest;

/// All containers of a store.
#[derive(Debug, Clone)]
pub struct Containers {
    store: PathBuf,
    run: PathBuf,
}

/// One container as it was when it was looked up; methods look again where it matters.
#[derive(Debug, Clone)]
pub struct Container {
    pub record: Record,
    /// Settled: a container said to run here did run when it was read.
    pub state: State,
    engine: Containers,
}

fn soon<T>() -> Result<T> {
    Err(Error::new(
        Kind::Unsupported,
        "not available in this version",
    ))
}

impl Containers {
    /// Touches nothing. `store`: `$XDG_DATA_HOME/pod`; `run`: `$XDG_RUNTIME_DIR/pod`.
    pub fn new(store: &Path, run: &Path) -> Self {
        Self {
            store: store.to_path_buf(),
            run: run.to_path_buf(),
        }
    }

    /// Makes a container and does not start it. `image` is `None` with `--rootfs`.
    pub fn create(&self, _request: CreateRequest, _image: Option<&Image>) -> Result<Container> {
        soon()
    }

    /// Creates and starts in one go, faster than one after the other: the record is written while the ids are mapped.
    ///
    /// The id is known (`-d` prints it) as soon as this returns; with `attach` it returns when the container ended.
    pub fn run(
        &self,
        _request: CreateRequest,
        _image: Option<&Image>,
        _options: &StartOptions<'_>,
    ) -> Result<(String, RunOutcome)> {
        soon()
    }

    /// By exact name, full id, or unique prefix of an id.
    pub fn find(&self, name_or_id: &str) -> Result<Container> {
        Err(no_such(name_or_id))
    }

    /// Tells whether `find` would succeed.
    pub fn exists(&self, name_or_id: &str) -> Result<bool> {
        match self.find(name_or_id) {
            Ok(_) => Ok(true),
            Err(err) if err.kind() == Kind::NotFound => Ok(false),
            Err(err) => Err(err),
        }
    }

    /// Oldest first. A container that cannot be read is reported beside those that can.
    pub fn list(&self) -> Result<(Vec<Container>, Vec<Error>)> {
        let _ = (&self.store, &self.run);
        Ok((Vec::new(), Vec::new()))
    }

    /// The one created last.
    pub fn latest(&self) -> Result<Container> {
        soon()
    }
}

impl Container {
    pub fn id(&self) -> &str {
        &self.record.id
    }

    pub fn name(&self) -> &str {
        &self.record.name
    }

    pub fn start(&self, _options: &StartOptions<'_>) -> Result<RunOutcome> {
        let _ = &self.engine;
        soon()
    }

    /// Stop signal, grace, SIGKILL. One that does not run is fine.
    pub fn stop(&self, _options: &StopOptions) -> Result<StopReport> {
        soon()
    }

    pub fn kill(&self, _options: &KillOptions) -> Result<()> {
        soon()
    }

    /// Running without `force`: `Kind::InUse`.
    pub fn remove(&self, _options: &RemoveOptions) -> Result<()> {
        soon()
    }

    /// Waits for any of `conditions` (none: stopped) and returns the exit status, -1 while there is none.
    pub fn wait(&self, _conditions: &[WaitCondition]) -> Result<i32> {
        soon()
    }

    /// Writes the log: the container's stdout to `out`, its stderr to `err`.
    pub fn logs(
        &self,
        _options: &LogOptions,
        _out: &mut dyn Write,
        _err: &mut dyn Write,
    ) -> Result<()> {
        soon()
    }

    pub fn attach(&self, _options: &AttachOptions<'_>) -> Result<RunOutcome> {
        soon()
    }

    /// Kinds: `State` when it does not run (exit status 255), `CommandNotFound`, `NotExecutable`.
    pub fn exec(&self, _request: &ExecRequest, _terminal: Terminal<'_>) -> Result<ExecOutcome> {
        soon()
    }

    pub fn inspect(&self, _size: bool) -> Result<InspectContainer> {
        soon()
    }

    pub fn sizes(&self) -> Result<Sizes> {
        soon()
    }

    /// `cgroup`, `ipc`, `mnt`, `net`, `pid`, `user`, `uts` → inode number, for `ps --ns`; empty when it does not run.
    pub fn namespaces(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::new()
    }
}

/// Podman's words, which scripts match.
fn no_such(name: &str) -> Error {
    Error::new(
        Kind::NotFound,
        format!("no container with name or ID {name:?} found: no such container"),
    )
}
