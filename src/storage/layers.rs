//! Layers: unpacked once under their chain id, shared by all images, immutable from their rename on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::staging::{Stage, Waiter, io_error, unique_name};
use super::{ChainId, DiffId, LayerDigest, Store, make_private};
use crate::error::{Result, Tried};
use crate::state::{Durable, Lock, load, save};

/// What is known of a layer besides its tree (`meta.json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerMeta {
    pub version: u32,
    pub diff_id: DiffId,
    /// The layer below, `None` for the lowest.
    pub parent: Option<ChainId>,
    /// The blob it was unpacked from.
    pub blob: Option<LayerDigest>,
    /// Sum of the regular files, bytes.
    pub size: u64,
    /// Entries of the tar.
    pub entries: u64,
    /// Owners are in `owners`, because one id was all there was.
    pub single_id: bool,
    /// The tar that the diff id is of can be written again from the tree; else only its blob has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tar: Option<TarForm>,
    /// Bytes of that tar, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tar_size: Option<u64>,
}

/// A tar that is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TarForm {
    /// Which form of [`super::pack`] it has.
    pub writer: u32,
    /// Bytes.
    pub size: u64,
}

impl Store {
    /// The tree of a layer, relative to the store that containers are in; absolute where it is in another one.
    pub fn layer_dir(&self, id: &ChainId) -> PathBuf {
        if !self.below.is_empty()
            && !self.has_own_layer(id)
            && let Some(tree) = self.tree_below(id)
        {
            return tree;
        }
        let mut path = match self.apart {
            true => self.root.join("layers"),
            false => PathBuf::from("layers"),
        };
        path.push(id.digest().hex());
        path.push("tree");
        path
    }

    /// Tells whether the layer can be mounted: it is in this store, or usable in one below.
    pub fn has_layer(&self, id: &ChainId) -> bool {
        self.has_own_layer(id) || self.tree_below(id).is_some()
    }

    pub(super) fn has_own_layer(&self, id: &ChainId) -> bool {
        fs::symlink_metadata(self.layer_home(id)).is_ok_and(|found| found.is_dir())
    }

    /// What is known of a layer; `None` when it is not in the store.
    pub fn layer_meta(&self, id: &ChainId) -> Result<Option<LayerMeta>> {
        let own = load(&self.layer_home(id).join("meta.json"))?;
        Ok(own.or_else(|| self.meta_below(id)))
    }

    pub(super) fn layer_home(&self, id: &ChainId) -> PathBuf {
        let mut path = self.root.join("layers");
        path.push(id.digest().hex());
        path
    }

    /// Claims the making of a layer, or says who else makes it.
    ///
    /// Whoever claims several layers must publish those before waiting for a busy one.
    pub fn stage_layer(&self, id: &ChainId) -> Result<Stage<StagedLayer>> {
        let tried = || format!("stage layer {id}");
        loop {
            if self.has_layer(id) {
                return Ok(Stage::Present);
            }
            let item = self.in_staging(tried, |staging| {
                let item = staging.join(format!("{}.layer", id.digest().hex()));
                make_private(&item)?;
                Ok(item)
            })?;
            let lock_path = item.join("lock");
            let lock = match Lock::try_exclusive(&lock_path) {
                Ok(Some(lock)) => lock,
                Ok(None) => return Ok(Stage::Busy(Waiter::new(lock_path))),
                // Its former owner removed the directory between our two calls.
                Err(err) if err.errno() == Some(nix::errno::Errno::ENOENT) => continue,
                Err(err) => return Err(err),
            };
            // Locked, but the holder before us may have published it and moved the directory away.
            if !same_file(lock.file(), &lock_path) {
                continue;
            }
            if self.has_layer(id) {
                self.retire(&item);
                return Ok(Stage::Present);
            }
            let new = item.join("new");
            if fs::symlink_metadata(&new).is_ok() {
                self.trash(&new)?; // begun by a dead process; a partial tree is not worth trusting
            }
            self.write_owner(&item)?;
            make_private(&new).tried(tried)?;
            // What `/` has when the archive does not say: whatever the umask is.
            let tree = new.join("tree");
            fs::create_dir(&tree)
                .and_then(|()| fs::set_permissions(&tree, fs::Permissions::from_mode(0o755)))
                .tried(tried)?;
            return Ok(Stage::Ours(StagedLayer {
                id: *id,
                item,
                store: self.clone(),
                _lock: lock,
            }));
        }
    }

    /// Begins a layer whose name shows only when it is whole: a commit.
    pub fn stage_new_layer(&self) -> Result<NewLayer> {
        let tried = || "stage a new layer";
        let (item, lock) = self.in_staging(tried, |staging| {
            let item = staging.join(format!("{}.layer", unique_name()));
            make_private(&item)?;
            let lock = Lock::exclusive(&item.join("lock")).map_err(io_error)?;
            Ok((item, lock))
        })?;
        let layer = NewLayer {
            item,
            store: self.clone(),
            lock: Some(lock),
        };
        self.write_owner(&layer.item)?;
        make_private(&layer.dir()).tried(tried)?;
        make_private(&layer.dir().join("tree")).tried(tried)?;
        Ok(layer)
    }

    /// Removes a finished or abandoned item: out of sight first, so that a new one can begin at once.
    pub(super) fn retire(&self, item: &Path) {
        // What fails here stays in staging and is swept by a later command.
        if let Ok(trash) = self.trash(item) {
            let _ = self.remove_trash(&trash, None);
        }
        self.tidy_staging();
    }
}

fn same_file(file: &fs::File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(ours), Ok(named)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    ours.ino() == named.ino() && ours.dev() == named.dev()
}

/// A layer in the making that has no name yet. Dropping it removes what there is of it.
#[derive(Debug)]
pub struct NewLayer {
    item: PathBuf,
    store: Store,
    /// `None`: it goes on as a [`StagedLayer`].
    lock: Option<Lock>,
}

impl NewLayer {
    /// The directory that will be `layers/<chain-id>`; it holds the empty directory `tree`.
    pub fn dir(&self) -> PathBuf {
        self.item.join("new")
    }

    /// Names it. `None`: the store has that layer already, and this one goes.
    pub fn named(mut self, id: &ChainId) -> Option<StagedLayer> {
        if self.store.has_layer(id) {
            return None;
        }
        let lock = self.lock.take()?;
        Some(StagedLayer {
            id: *id,
            item: std::mem::take(&mut self.item),
            store: self.store.clone(),
            _lock: lock,
        })
    }
}

impl Drop for NewLayer {
    fn drop(&mut self) {
        if self.lock.is_some() {
            self.store.retire(&self.item);
        }
    }
}

/// A layer that is being made. Dropping it unpublished removes what there is of it.
#[derive(Debug)]
pub struct StagedLayer {
    id: ChainId,
    item: PathBuf,
    store: Store,
    _lock: Lock,
}

impl StagedLayer {
    pub fn id(&self) -> &ChainId {
        &self.id
    }

    /// The directory that will be `layers/<chain-id>`; it holds the empty directory `tree`.
    pub fn dir(&self) -> PathBuf {
        self.item.join("new")
    }

    /// Describes the finished tree. After this only the name is missing.
    pub fn describe(&self, meta: &LayerMeta) -> Result<()> {
        save(&self.dir().join("meta.json"), meta, Durable::No) // flushed by the one sync of the pull
    }

    /// Renames the layer into place.
    pub(super) fn publish(self) -> Result<()> {
        let to = self.store.layer_home(&self.id);
        match fs::rename(self.dir(), &to) {
            // A commit and a pull that made the same layer: the other one was first.
            Err(_) if self.store.has_own_layer(&self.id) => Ok(()),
            done => done.tried(|| format!("publish layer {}", self.id)),
        }
    }
}

impl Drop for StagedLayer {
    fn drop(&mut self) {
        self.store.retire(&self.item);
    }
}
