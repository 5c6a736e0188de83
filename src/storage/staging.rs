//! The one place for unfinished things, and its sweep.
//!
//! Every item has a lock of its own, held by who works on it. A lock that nobody holds means a dead owner, and
//! anyone on the same machine may remove the item; items of other machines (a home on NFS) are never touched.
//! Partial blobs are worth keeping: they are swept only when they have not grown for a week.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{ChainId, Digest, Store, WriteLock, make_private};
use crate::error::{Error, Result, Tried};
use crate::state::{Durable, Lock, host, load, save};

/// How long an abandoned partial blob can be resumed.
const PART_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// Time that the end of a pull may spend on what dead processes left.
const SWEEP_AFTER_PULL: Duration = Duration::from_secs(2);

/// How long writing a small document may take at most.
const TEMPORARY_LIFETIME: Duration = Duration::from_secs(60);

/// The answer to a wish to make something.
#[derive(Debug)]
pub enum Stage<T> {
    /// It is in the store already.
    Present,
    /// It is ours to make; nobody else will meanwhile.
    Ours(T),
    /// Another process is making it.
    Busy(Waiter),
}

/// Waits for the process that makes an item.
#[derive(Debug)]
pub struct Waiter {
    lock: PathBuf,
}

impl Waiter {
    pub(super) fn new(lock: PathBuf) -> Self {
        Self { lock }
    }

    /// Returns when the other process is done, or dead. Then ask again.
    pub fn wait(self) -> Result<()> {
        match fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.lock)
        {
            Ok(file) => {
                Lock::wait_on(&file).tried(|| format!("wait for \"{}\"", self.lock.display()))
            }
            Err(err) if err.kind() == ErrorKind::NotFound => Ok(()),
            Err(err) => Err(Error::io(
                &err,
                format!("wait for \"{}\"", self.lock.display()),
            )),
        }
    }
}

/// Who works on an item.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Owner {
    version: u32,
    machine_id: String,
    boot_id: String,
    pid: u32,
}

impl Owner {
    pub(super) fn me() -> Result<Self> {
        Ok(Self {
            version: 1,
            machine_id: host::machine_id(),
            boot_id: host::boot_id()?,
            pid: std::process::id(),
        })
    }
}

/// What a pull in flight found in the store and will refer to.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Pinned {
    version: u32,
    machine_id: String,
    pub(super) blobs: Vec<Digest>,
    pub(super) layers: Vec<ChainId>,
}

/// Keeps blobs and layers from being collected until it is dropped.
#[derive(Debug)]
pub struct Pin {
    store: Store,
    path: PathBuf,
    _lock: Lock,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path); // a leftover without its holder is swept
        // A pull took its time already: what killed ones left goes with it, where opening the store was too short.
        self.store.sweep(Some(Instant::now() + SWEEP_AFTER_PULL));
    }
}

impl Store {
    /// Keeps `blobs` and `layers` from being collected while work goes on that will refer to them.
    ///
    /// Look whether they are present after this, not before.
    pub fn pin(&self, _lock: &WriteLock, blobs: &[Digest], layers: &[ChainId]) -> Result<Pin> {
        let record = Pinned {
            version: 1,
            machine_id: host::machine_id(),
            blobs: blobs.to_vec(),
            layers: layers.to_vec(),
        };
        let (path, lock) = self.in_staging(
            || "pin objects of the store",
            |staging| {
                let path = staging.join(format!("{}.pin", unique_name()));
                let lock = Lock::exclusive(&path).map_err(io_error)?;
                Ok((path, lock))
            },
        )?;
        // Written in place, not renamed: the lock belongs to this file. A reader comes only with the structure
        // lock, which we hold.
        let text = serde_json::to_vec(&record).unwrap_or_default();
        fs::write(&path, text).tried(|| format!("write \"{}\"", path.display()))?;
        Ok(Pin {
            store: self.clone(),
            path,
            _lock: lock,
        })
    }

    /// All that living pulls rely on, of this and other machines.
    pub(super) fn pinned(&self, _lock: &WriteLock) -> Result<Vec<Pinned>> {
        let mut pins = Vec::new();
        for (path, kind) in self.staged_items()? {
            // A lock that cannot be tested is taken for held: garbage that stays is no loss.
            if kind == Item::Pin && Lock::is_held(&path).unwrap_or(true) {
                pins.extend(load::<Pinned>(&path)?);
            }
        }
        Ok(pins)
    }

    /// A file without a name, for what is needed only until this process ends.
    pub fn scratch(&self) -> Result<fs::File> {
        self.in_staging(
            || "make a temporary file",
            |staging| {
                let mut options = fs::OpenOptions::new();
                options.read(true).write(true).mode(0o600);
                match options.clone().custom_flags(libc::O_TMPFILE).open(staging) {
                    // Not every file system can do that: NFS and old overlays cannot.
                    Err(err) if err.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                        let path = staging.join(format!("{}.tmp", unique_name()));
                        let file = options.create_new(true).open(&path)?;
                        fs::remove_file(&path)?;
                        Ok(file)
                    }
                    done => done,
                }
            },
        )
    }

    /// Runs `work` with the staging directory, making that if need be.
    ///
    /// Another process removes the directory whenever it is empty, so `work` is tried again when it finds none.
    pub(super) fn in_staging<T, S: Into<String>>(
        &self,
        tried: impl FnOnce() -> S,
        mut work: impl FnMut(&Path) -> std::io::Result<T>,
    ) -> Result<T> {
        let staging = self.staging_dir();
        let mut attempt = || {
            for _ in 0..100 {
                match make_private(&staging).and_then(|()| work(&staging)) {
                    Err(err) if err.kind() == ErrorKind::NotFound => {}
                    done => return done,
                }
            }
            Err(ErrorKind::NotFound.into())
        };
        attempt().map_err(|err| self.explain_full(&err, tried()))
    }

    /// Removes the staging directory if nothing is left in it: an absent one makes opening cheap.
    pub(super) fn tidy_staging(&self) {
        let _ = fs::remove_dir(self.staging_dir()); // ENOTEMPTY is the usual answer
    }

    /// Moves a directory out of sight, to be removed without haste. Works for trees owned by subordinate ids.
    pub(super) fn trash(&self, path: &Path) -> Result<PathBuf> {
        self.in_staging(
            || format!("remove \"{}\"", path.display()),
            |staging| {
                let to = staging.join(format!("{}.trash", unique_name()));
                match fs::rename(path, &to) {
                    // Not the staging directory is missing, the thing itself is: trying again would not help.
                    Err(err) if fs::symlink_metadata(path).is_err() => {
                        Err(std::io::Error::other(err))
                    }
                    moved => moved.map(|()| to),
                }
            },
        )
    }

    /// Removes what dead processes of this machine left, until it gets late. Never fails: what cannot be removed is
    /// left for a later command.
    pub(super) fn sweep(&self, until: Option<Instant>) {
        let Ok(items) = self.staged_items() else {
            return;
        };
        let machine = host::machine_id();
        for (path, kind) in items {
            // Whatever goes wrong here is somebody else's leftover: the command at hand must not suffer from it.
            let _ = self.sweep_item(&path, kind, &machine, until);
        }
        self.tidy_staging();
    }

    /// An item is removed with its lock held, so that whoever is about to claim it notices.
    fn sweep_item(
        &self,
        path: &Path,
        kind: Item,
        machine: &str,
        until: Option<Instant>,
    ) -> Result<()> {
        match kind {
            Item::Part | Item::Temporary => {
                let lifetime = match kind {
                    Item::Part => PART_LIFETIME,
                    _ => TEMPORARY_LIFETIME,
                };
                if is_older(path, lifetime)
                    && let Some(_lock) = Lock::try_existing(path)?
                {
                    fs::remove_file(path).tried(|| "remove an old partial file")?;
                }
            }
            Item::Pin => {
                let Some(_lock) = Lock::try_existing(path)? else {
                    return Ok(());
                };
                let pin = load::<Pinned>(path).unwrap_or_default();
                if pin.is_none_or(|pin| pin.machine_id == machine) {
                    fs::remove_file(path).tried(|| "remove the pin of a dead process")?;
                }
            }
            Item::Layer => {
                // Made if it is missing: then the owner died, or is, between making the directory and this file.
                let Some(_lock) = Lock::try_exclusive(&path.join("lock"))? else {
                    return Ok(());
                };
                let owner = load::<Owner>(&path.join("owner.json")).unwrap_or_default();
                if owner.is_none_or(|owner| owner.machine_id == machine) {
                    let trash = self.trash(path)?;
                    self.remove_trash(&trash, until)?;
                }
            }
            Item::Trash => {
                if !is_being_emptied(path) {
                    self.remove_trash(path, until)?;
                }
            }
        }
        Ok(())
    }

    fn staged_items(&self) -> Result<Vec<(PathBuf, Item)>> {
        let tried = || format!("list \"{}\"", self.staging_dir().display());
        let entries = match fs::read_dir(self.staging_dir()) {
            Ok(entries) => entries,
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(err) => return Err(Error::io(&err, tried())),
        };
        let mut items = Vec::new();
        for entry in entries {
            let path = entry.tried(tried)?.path();
            let kind = match path.extension().and_then(|kind| kind.to_str()) {
                Some("part") => Item::Part,
                Some("layer") => Item::Layer,
                Some("pin") => Item::Pin,
                Some("trash") => Item::Trash,
                Some("tmp") => Item::Temporary,
                _ => continue,
            };
            items.push((path, kind));
        }
        Ok(items)
    }

    pub(super) fn write_owner(&self, item: &Path) -> Result<()> {
        save(&item.join("owner.json"), &Owner::me()?, Durable::No)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Part,
    Layer,
    Pin,
    Trash,
    Temporary,
}

/// For [`Store::in_staging`], which looks for "no such file".
pub(super) fn io_error(err: Error) -> std::io::Error {
    match err.errno() {
        Some(errno) => errno.into(),
        None => std::io::Error::other(err),
    }
}

/// Tells whether the process that put it there still lives: it is at work, and a second one would only be in its
/// way. Its pid is part of the name; a stranger's that is the same makes the trash stay a little longer.
fn is_being_emptied(trash: &Path) -> bool {
    let name = trash.file_name().and_then(|name| name.to_str());
    let pid = name.and_then(|name| name.split('-').next()?.parse::<u32>().ok());
    pid.is_some_and(|pid| {
        pid != std::process::id() && Path::new("/proc").join(pid.to_string()).exists()
    })
}

fn is_older(path: &Path, age: Duration) -> bool {
    let modified = fs::symlink_metadata(path).and_then(|found| found.modified());
    modified.is_ok_and(|time| time.elapsed().is_ok_and(|elapsed| elapsed > age))
}

pub(super) fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // The time keeps the names of two machines, or of a reused pid, apart.
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{:x}-{count}", std::process::id(), now.as_nanos())
}
