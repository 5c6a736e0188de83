//! Garbage: layers and blobs that no record and no living pull refers to.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{ChainId, Digest, Store, WriteLock};
use crate::error::{Error, Failures, Result, Tried};

/// All that is referred to by images, containers and whoever else keeps records.
#[derive(Debug, Default, Clone)]
pub struct References {
    pub blobs: HashSet<Digest>,
    pub layers: HashSet<ChainId>,
}

/// What was collected.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct GcReport {
    pub blobs: u64,
    pub layers: u64,
    /// Bytes of blobs and of the regular files of layers.
    pub bytes: u64,
}

/// Trees that lost their names and wait to be unlinked.
#[derive(Debug, Default)]
#[must_use = "the trees still take space until they are emptied"]
pub struct Trash(Vec<PathBuf>);

impl Store {
    /// Takes away the names of everything that is not in `keep` nor pinned.
    ///
    /// Blobs are gone at once; layers are renamed away, which is quick, and [`Store::empty`] unlinks them after the
    /// lock was given back. `keep` must have been gathered under the same lock.
    pub fn collect(&self, lock: &WriteLock, keep: &References) -> Result<(GcReport, Trash)> {
        let mut blobs: HashSet<Digest> = keep.blobs.clone();
        let mut layers: HashSet<String> = keep.layers.iter().map(|id| id.digest().hex()).collect();
        for pin in self.pinned(lock)? {
            blobs.extend(pin.blobs);
            layers.extend(pin.layers.iter().map(|id| id.digest().hex()));
        }
        let blob_paths: HashSet<PathBuf> = blobs.iter().map(|id| self.path_of_blob(id)).collect();

        let mut report = GcReport::default();
        let mut failures = Failures::default();
        for algorithm in list(&self.root.join("blobs"))? {
            for path in list(&algorithm)? {
                if blob_paths.contains(&path) {
                    continue;
                }
                let size = fs::symlink_metadata(&path).map_or(0, |found| found.len());
                let removed = fs::remove_file(&path);
                let tried = || format!("remove blob \"{}\"", path.display());
                if failures.keep(removed.tried(tried)).is_some() {
                    report.blobs += 1;
                    report.bytes += size;
                }
            }
        }
        self.remove_temporaries();
        let mut trash = Trash::default();
        for path in list(&self.root.join("layers"))? {
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| layers.contains(name)) {
                continue;
            }
            let meta: Option<super::LayerMeta> =
                crate::state::load(&path.join("meta.json")).unwrap_or_default();
            if let Some(moved) = failures.keep(self.trash(&path)) {
                report.layers += 1;
                report.bytes += meta.map_or(0, |meta| meta.size);
                trash.0.push(moved);
            }
        }
        match failures.into_vec().into_iter().next() {
            Some(err) => Err(err),
            None => Ok((report, trash)),
        }
    }

    /// Removes records and documents that were being written when their writers died. Whoever writes one that counts
    /// holds the lock, so nobody does now. Failures are left to the next collection.
    fn remove_temporaries(&self) {
        for path in list(&self.staging_dir()).unwrap_or_default() {
            if path.extension().is_some_and(|kind| kind == "tmp") {
                let _ = fs::remove_file(&path);
            }
        }
        for dir in ["images", "tags", "sent"] {
            for path in list(&self.root.join(dir)).unwrap_or_default() {
                let name = path.file_name().and_then(|name| name.to_str());
                if name.is_some_and(crate::state::is_temporary) {
                    let _ = fs::remove_file(&path);
                }
            }
        }
    }

    /// Unlinks what [`Store::collect`] took the names of. A process killed meanwhile leaves it to the next sweep.
    pub fn empty(&self, trash: Trash) -> Result<()> {
        let mut failures = Failures::default();
        for path in trash.0 {
            failures.keep(self.remove_trash(&path, None));
        }
        self.sweep(None);
        match failures.into_vec().into_iter().next() {
            Some(err) => Err(err),
            None => Ok(()),
        }
    }
}

fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let tried = || format!("list \"{}\"", dir.display());
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(err) if err.raw_os_error() == Some(libc::ENOENT) => return Ok(Vec::new()),
        Err(err) => return Err(Error::io(&err, tried())),
    };
    entries
        .map(|entry| Ok(entry.tried(tried)?.path()))
        .collect()
}
