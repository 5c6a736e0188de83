//! What commands work on, made on first use: a command pays only for what it asks for.

use std::cell::OnceCell;
use std::path::PathBuf;

use crate::config;
use crate::container::Containers;
use crate::container::events::Backend;
use crate::error::Result;
use crate::image::Images;
use crate::rootless::dirs::Dirs;
use crate::rootless::identity::Identity;
use crate::rootless::{preflight, unshare};
use crate::storage::Store;

use super::args::global::GlobalArgs;
use super::output;

/// One invocation: its command line, and the way to store, images and containers.
#[derive(Debug)]
pub struct Context {
    pub globals: GlobalArgs,
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
            let given = self.globals.imagestore.as_deref();
            // Inside unshare it is the store of that command, wherever the configuration of its root would have it.
            let (store, run) = unshare::dirs_around().unzip();
            let [root, runroot] = [(&self.globals.root, &store), (&self.globals.runroot, &run)]
                .map(|(given, around)| given.as_deref().or(around.as_deref()));
            Dirs::resolve(
                self.identity()?,
                root.or(storage.store.as_deref()),
                runroot.or(storage.run.as_deref()),
            )?
            .with_images(
                given
                    .filter(|dir| !dir.as_os_str().is_empty())
                    .or(storage.images.as_deref()),
                &self.image_stores()?,
            )
        })
    }

    /// The read-only stores below ours. As with Podman, options given now replace those of storage.conf.
    pub fn image_stores(&self) -> Result<Vec<PathBuf>> {
        let env = std::env::var("STORAGE_OPTS").unwrap_or_default();
        let given: Vec<&str> = match self.globals.storage_opt.as_slice() {
            [] => env.split_terminator(',').collect(),
            given => given.iter().map(String::as_str).collect(),
        };
        if given.iter().all(|option| option.is_empty()) {
            return Ok(self.storage()?.additional_image_stores.clone());
        }
        let mut stores = Vec::new();
        for option in given {
            stores.extend(config::storage::image_stores_of(option)?);
        }
        Ok(stores)
    }

    /// Warns of what a command found wrong in the stores below ours.
    pub fn warn_of_stores(&self) {
        for note in self.store.get().map(Store::take_notes).unwrap_or_default() {
            self.warn(&note);
        }
    }

    pub fn store(&self) -> Result<&Store> {
        get(&self.store, || {
            let store = Store::open(self.dirs()?)?;
            store.take_notes().iter().for_each(|note| self.warn(note));
            Ok(store)
        })
    }

    pub fn images(&self) -> Result<Images<'_>> {
        Ok(Images::new(self.store()?, self.identity()?))
    }

    pub fn containers(&self) -> Result<&Containers> {
        get(&self.containers, || {
            let containers = Containers::new(self.dirs()?, self.identity()?);
            let flag = self.globals.events_backend.as_deref();
            // Read already, or needed to know; else the first event has it read.
            Ok(match (self.config.get(), flag) {
                (None, None) => containers,
                _ => containers.with_events(Backend::choose(flag, self.config()?, self.dirs()?)?),
            })
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
