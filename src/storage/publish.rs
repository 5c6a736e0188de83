//! From staged to named: flush everything once, then rename.

use std::fs::File;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::statvfs::statvfs;

use super::blobs::rename_into;
use super::{ReadyBlob, StagedLayer, Store, WriteLock};
use crate::error::{Error, Kind, Result, Tried};

impl Store {
    /// Flushes the store's file system: called once a pull, before anything of it gets a name.
    pub fn sync(&self) -> Result<()> {
        let tried = || format!("flush the file system of store \"{}\"", self.root.display());
        let root = File::open(&self.root).tried(tried)?;
        rustix::fs::syncfs(&root).tried(tried)
    }

    /// Gives names to blobs and layers that were flushed by [`Store::sync`], and flushes the names.
    ///
    /// After this a record may refer to them. On a failure some may have a name already: they are whole, and
    /// collected as garbage if nothing comes to refer to them.
    pub fn publish(
        &self,
        _lock: &WriteLock,
        blobs: Vec<ReadyBlob>,
        layers: Vec<StagedLayer>,
    ) -> Result<()> {
        let mut changed: Vec<PathBuf> = Vec::new();
        for blob in blobs {
            let to = self.path_of_blob(&blob.want);
            rename_into(&blob.path, &to).tried(|| format!("publish blob {}", blob.want))?;
            remember(&mut changed, to.parent());
        }
        for layer in layers {
            layer.publish()?;
            remember(&mut changed, Some(&self.root.join("layers")));
        }
        for dir in changed {
            let tried = || format!("flush directory \"{}\"", dir.display());
            File::open(&dir)
                .and_then(|dir| dir.sync_all())
                .tried(tried)?;
        }
        self.tidy_staging();
        Ok(())
    }

    /// Words a failure; of a full file system it says whether bytes or inodes are gone.
    pub(super) fn explain_full(&self, err: &std::io::Error, tried: impl Into<String>) -> Error {
        explain_full(&self.root, Error::io(err, tried))
    }
}

impl Store {
    /// Fails where the file system of the store has no room for `bytes` more, before any of them is written.
    pub fn check_room(&self, bytes: u64) -> Result<()> {
        let Ok(found) = statvfs(self.root()) else {
            return Ok(()); // writing will tell
        };
        // A file system that counts nothing has no end.
        let free = found.blocks_available() * found.fragment_size();
        if found.blocks() == 0 || bytes <= free {
            return Ok(());
        }
        let text = format!("make room for {bytes} bytes: no space left on device");
        Err(explain_full(self.root(), Error::new(Kind::NoSpace, text)))
    }
}

/// Adds to a failure for want of space which kind of space is gone, seen from `place`.
pub(super) fn explain_full(place: &Path, err: Error) -> Error {
    if err.kind() != Kind::NoSpace {
        return err;
    }
    if err.errno() == Some(Errno::EDQUOT) {
        return err
            .hint("your disk quota is used up: remove images with \"pod rmi\", or ask for more");
    }
    let Ok(found) = statvfs(place) else {
        return err;
    };
    let place = place.display();
    if found.files() > 0 && found.files_available() == 0 {
        return err.hint(format!(
            "the file system of \"{place}\" has no inodes left: remove images or other files"
        ));
    }
    let free = found.blocks_available() * found.fragment_size();
    err.hint(format!(
        "the file system of \"{place}\" has {} MiB left: remove images with \"pod rmi\", or use another --root",
        free >> 20
    ))
}

fn remember(changed: &mut Vec<PathBuf>, dir: Option<&Path>) {
    if let Some(dir) = dir
        && !changed.iter().any(|known| known == dir)
    {
        changed.push(dir.to_path_buf());
    }
}
