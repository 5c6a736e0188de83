//! What commands work on, made on first use: a command pays only for what it asks for.

use std::cell::OnceCell;

use crate::config;
use crate::container::Containers;
use crate::error::Result;
use crate::image::Images;
use crate::rootless::dirs::Dirs;
use crate::rootless::identity::Identity;
use crate::rootless::preflight;
use crate::storage::Store;

use super::args::global::GlobalArgs;
use super::output;

/// One invocation: its command line, and the way to store, images and containers.
#[derive(Debug)]
pub struct Context {
    globals: GlobalArgs,
    /// The words after the program's name.
    line: Vec<String>,
    identity: OnceCell<Identity>,
    config: OnceCell<config::containers::Containers>,
    storage: OnceCell<config::storage::Storage>,
    dirs: OnceCell<Dirs>,
    store: OnceCell<Store>,
    containers: OnceCell<Containers>,
}

impl Context {
    pub fn new(globals: GlobalArgs, line: Vec<String>) -> Self {
        Self {
            globals,
            line,
            identity: OnceCell::new(),
            config: OnceCell::new(),
            storage: OnceCell::new(),
            dirs: OnceCell::new(),
            store: OnceCell::new(),
            containers: OnceCell::new(),
        }
    }

    /// The command line as typed, `pod` first: what `inspect` shows as `CreateCommand`.
    pub fn command_line(&self) -> Vec<String> {
        std::iter::once("pod".to_owned())
            .chain(self.line.iter().cloned())
            .collect()
    }

    /// Warns on stderr, unless `--log-level` is above warnings.
    pub fn warn(&self, message: &str) {
        if self.globals.shows_warnings() {
            output::warn(message);
        }
    }

    pub fn identity(&self) -> Result<&Identity> {
        get(&self.identity, Identity::current)
    }

    /// containers.conf, read on first use.
    pub fn config(&self) -> Result<&config::containers::Containers> {
        get(&self.config, || {
            config::containers::Containers::load(self.identity()?)
        })
    }

    /// storage.conf, read on first use.
    pub fn storage(&self) -> Result<&config::storage::Storage> {
        get(&self.storage, || {
            config::storage::Storage::load(self.identity()?)
        })
    }

    /// Where store and run-time state are. The run-time directory exists afterwards.
    pub fn dirs(&self) -> Result<&Dirs> {
        get(&self.dirs, || {
            preflight::refuse_root()?;
            let storage = self.storage()?;
            Dirs::resolve(
                self.identity()?,
                self.globals.root.as_deref().or(storage.store.as_deref()),
                self.globals.runroot.as_deref().or(storage.run.as_deref()),
            )
        })
    }

    pub fn store(&self) -> Result<&Store> {
        get(&self.store, || Store::open(self.dirs()?))
    }

    pub fn images(&self) -> Result<Images<'_>> {
        Ok(Images::new(self.store()?, self.identity()?))
    }

    pub fn containers(&self) -> Result<&Containers> {
        get(&self.containers, || {
            Ok(Containers::new(self.dirs()?, self.identity()?))
        })
    }
}

fn get<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    match cell.get() {
        Some(value) => Ok(value),
        None => {
            let value = make()?;
            Ok(cell.get_or_init(|| value))
        }
    }
}
