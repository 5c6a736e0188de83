//! The store: which bytes are kept, and as which trees they mount.
//!
//!     <root>/                    0700, ours
//!       version                  symbolic link whose target is the number of the layout: one call reads it
//!       lock                     structure lock: exclusive to give or take names, shared to refer to some
//!       blobs/sha256/<hex>       manifests, configs, compressed layers exactly as received
//!       layers/<chain-id hex>/   immutable from its rename on
//!         tree/                  the layer unpacked, in overlay's `userxattr` form
//!         meta.json              LayerMeta
//!         owners                 ids the file system could not hold (single-id mode)
//!       images/ tags/ sent/      records of `image`
//!       containers/              of `container`
//!       mount-points/            lowest layer of every container (`mount_points`)
//!       users/                   links to the stores whose containers use images of this one (`--imagestore`)
//!       overlay.json             whether native overlay works here (`overlay`)
//!       staging/                 whatever is not finished; absent when there is nothing
//!         <algorithm>-<hex>.part   a blob on its way, locked by who fetches it; its length is the state
//!         <hex>.layer/           a layer on its way: lock, owner.json, new/{tree,meta.json,owners}
//!         <pid>-<n>.layer/       the same, of a commit: its name shows when it is whole
//!         <pid>-<n>.pin          what a pull in flight relies on: garbage collection spares it
//!         <pid>-<n>.trash        renamed away, to be unlinked
//!
//! Nothing has a name before it is whole, checked and flushed. A path in a record is relative to the root, so a
//! store can be moved.

pub mod archive;
mod below;
mod blobs;
pub mod compress;
mod gc;
mod layers;
mod measure;
mod mount_points;
pub mod mounted;
pub mod overlay;
pub mod pack;
mod podman;
mod publish;
mod remove;
mod staging;
pub mod tar_split;
#[cfg(test)]
mod tests;
pub mod transfer;
pub mod unpack;
mod usage;

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::Uid;

use crate::error::{Error, Kind, Result, Tried};
use crate::rootless::dirs::Dirs;
use crate::state::Lock;

pub use crate::state::digest::{ChainId, DiffId, Digest, LayerDigest};
pub use below::Below;
pub use blobs::{NewBlob, ReadyBlob, StagedBlob};
pub use gc::{GcReport, References, Trash};
pub use layers::{LayerMeta, NewLayer, StagedLayer, TarForm};
pub use measure::tree_bytes;
pub use podman::{PodmanImage, PodmanLayer, PodmanStore};
pub use staging::{Pin, Stage, Waiter};
pub use usage::Contents;

/// Number of the layout drawn above. A store with a greater one was written by a newer version and is refused.
const VERSION: u32 = 1;

/// Time that opening a store may spend on what dead processes left; removing images takes as long as it takes.
const SWEEP: Duration = Duration::from_millis(200);

/// An open store.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    /// Containers, whose records name layers relative to their own store, are kept elsewhere.
    apart: bool,
    /// Read-only ones, asked in this order for what is not here.
    below: Vec<Arc<Below>>,
    notes: Arc<Mutex<Vec<String>>>,
}

/// The structure lock held alone: names may be given and taken.
#[derive(Debug)]
pub struct WriteLock {
    _lock: Lock,
}

/// The structure lock held with others: what has a name now keeps it, so a record may refer to it.
#[derive(Debug)]
pub struct ReadLock {
    _lock: Lock,
}

impl Store {
    /// Opens the store of this invocation, makes it if it is absent, and sweeps what dead processes left.
    ///
    /// The sweep may fork: for a process with one thread only.
    pub fn open(dirs: &Dirs) -> Result<Store> {
        let mut store = Self::at(&dirs.images)?;
        store.apart = dirs.images != dirs.store;
        Ok(store.above(&dirs.below))
    }

    /// Opens the store at `root`. Three system calls when it exists and nothing is left in `staging`.
    pub fn at(root: &Path) -> Result<Store> {
        let store = Store {
            root: root.to_path_buf(),
            apart: false,
            below: Vec::new(),
            notes: Arc::default(),
        };
        match fs::symlink_metadata(root) {
            Ok(found) => store.check_owner(&found)?,
            Err(err) if err.raw_os_error() == Some(libc::ENOENT) => store.create()?,
            Err(err) => return Err(Error::io(&err, store.tried_open())),
        }
        store.check_version()?;
        if fs::symlink_metadata(store.staging_dir()).is_ok() {
            store.sweep(Some(Instant::now() + SWEEP));
        }
        Ok(store)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Waits for the lock that whoever gives or takes names in the store must hold. Hold it shortly.
    pub fn lock_structure(&self) -> Result<WriteLock> {
        let lock = Lock::exclusive(&self.root.join("lock"))?;
        Ok(WriteLock { _lock: lock })
    }

    /// Keeps everything that has a name now named, while a record that refers to it is written.
    pub fn lock_references(&self) -> Result<ReadLock> {
        let lock = Lock::shared(&self.root.join("lock"))?;
        Ok(ReadLock { _lock: lock })
    }

    /// Remembers that containers in the store `root` use layers of this one, so that they are asked for before any is
    /// removed.
    pub fn remember_user(&self, root: &Path) -> Result<()> {
        let users = self.root.join("users");
        let tried = || format!("write to \"{}\"", users.display());
        make_private(&users).tried(tried)?;
        let name = Digest::sha256_of(root.as_os_str().as_encoded_bytes()).hex();
        match std::os::unix::fs::symlink(root, users.join(&name[..16])) {
            Err(err) if err.raw_os_error() != Some(libc::EEXIST) => Err(Error::io(&err, tried())),
            _ => Ok(()),
        }
    }

    /// The stores that were remembered so.
    pub fn users(&self) -> Result<Vec<PathBuf>> {
        let users = self.root.join("users");
        let tried = || format!("list \"{}\"", users.display());
        match fs::read_dir(&users) {
            Ok(entries) => entries
                .map(|entry| fs::read_link(entry.tried(tried)?.path()).tried(tried))
                .collect(),
            Err(err) if err.raw_os_error() == Some(libc::ENOENT) => Ok(Vec::new()),
            Err(err) => Err(Error::io(&err, tried())),
        }
    }

    fn staging_dir(&self) -> PathBuf {
        self.root.join("staging")
    }

    fn tried_open(&self) -> String {
        format!("open store \"{}\"", self.root.display())
    }

    fn check_owner(&self, found: &fs::Metadata) -> Result<()> {
        if found.file_type().is_symlink() {
            // Followed once, deliberately: a home on another disk is often a link. The target is checked instead.
            let target = fs::metadata(&self.root).tried(|| self.tried_open())?;
            return self.check_owner(&target);
        }
        if !found.is_dir() {
            return Err(Error::os(Errno::ENOTDIR, self.tried_open()));
        }
        let me = Uid::effective().as_raw();
        if found.uid() != me {
            let text = format!(
                "{}: it belongs to uid {}, not to uid {me}",
                self.tried_open(),
                found.uid()
            );
            return Err(Error::new(Kind::Unsupported, text)
                .hint("name another place with --root, or repair its owner"));
        }
        if found.mode() & 0o077 != 0 {
            // Images hold setuid programs: nobody else may even reach them, whatever the umask was.
            fs::set_permissions(&self.root, fs::Permissions::from_mode(0o700))
                .tried(|| format!("make store \"{}\" private", self.root.display()))?;
        }
        Ok(())
    }

    fn check_version(&self) -> Result<()> {
        let target = match fs::read_link(self.root.join("version")) {
            Ok(target) => target,
            Err(err) if err.raw_os_error() == Some(libc::ENOENT) => return self.create(),
            Err(err) => {
                return Err(Error::io(&err, self.tried_open()).with_kind(Kind::Corrupt));
            }
        };
        let found = target.to_str().and_then(|text| text.parse::<u32>().ok());
        match found {
            Some(VERSION) => Ok(()),
            Some(newer) if newer > VERSION => Err(Error::new(
                Kind::Unsupported,
                format!(
                    "{}: it has layout version {newer}, and this pod knows up to {VERSION}",
                    self.tried_open()
                ),
            )
            .hint("use the newer pod that wrote it, or another --root")),
            _ => Err(Error::new(
                Kind::Corrupt,
                format!("{}: its \"version\" is not a number", self.tried_open()),
            )),
        }
    }

    /// Makes what is missing of the layout; the version comes last, so that a store with one is complete.
    fn create(&self) -> Result<()> {
        let tried = || format!("create store \"{}\"", self.root.display());
        if let Some(parent) = self.root.parent() {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(parent).tried(tried)?;
        }
        make_private(&self.root).tried(tried)?;
        for name in [
            "blobs",
            "blobs/sha256",
            "layers",
            "images",
            "tags",
            "containers",
        ] {
            make_private(&self.root.join(name)).tried(tried)?;
        }
        // Made now, so that a command that only takes the lock leaves no file behind.
        Lock::exclusive(&self.root.join("lock"))?;
        match std::os::unix::fs::symlink(VERSION.to_string(), self.root.join("version")) {
            Err(err) if err.raw_os_error() != Some(libc::EEXIST) => Err(Error::io(&err, tried())),
            _ => Ok(()),
        }
    }
}

/// Makes a directory that is 0700 whatever the umask; one that exists is left as it is.
fn make_private(path: &Path) -> std::io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(0o700)),
        Err(err) if err.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        Err(err) => Err(err),
    }
}
