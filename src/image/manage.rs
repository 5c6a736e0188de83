//! Giving and taking names; removing images and what only they needed.

use std::fs;
use std::path::{Path, PathBuf};

use super::Images;
use super::lookup::{Found, unknown};
use super::record::{ImageRecord, TagRecord, VERSION};
use super::reference::{LOCALHOST, Name, Reference};
use crate::error::{Error, Failures, Kind, Result, Tried};
use crate::storage::{ChainId, Digest, References, WriteLock};

/// One step of a removal, in Podman's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// The name is gone.
    Untagged(String),
    /// The image is gone; its id, 64 hex digits.
    Deleted(String),
}

/// A container, as far as an image's removal must know it.
#[derive(Debug, Clone)]
pub struct InUse {
    /// Full id.
    pub container: String,
    /// Image id, 64 hex digits; empty with `--rootfs`.
    pub image: String,
    /// Layer trees relative to the store, as in the container's record.
    pub layers: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct RemoveOptions {
    /// `-f`: several names of an id go at once, a missing image is no failure.
    pub force: bool,
    /// `-i`: a missing image is no failure.
    pub ignore: bool,
}

impl Images<'_> {
    /// Gives an image one more name; a bare one is `localhost/NAME:latest`.
    pub fn tag(&self, source: &str, target: &str) -> Result<()> {
        let name: Name = target.parse()?;
        if name.digest().is_some() {
            return Err(Error::usage(format!(
                "tag \"{source}\" as \"{target}\": a tag with a digest is not possible"
            )));
        }
        let reference = name.qualify(LOCALHOST);
        let lock = self.store.lock_structure()?;
        let found = self.locate(source)?;
        let mut record = self.load_image(&found.id)?.ok_or_else(|| unknown(source))?;
        if self.is_read_only(&record.id) {
            self.copy_documents(&lock, &record)?;
        }
        remember_name(&mut record, &reference);
        self.save_image(&record)?;
        self.save_tag(&TagRecord {
            version: VERSION,
            reference,
            id: record.id,
            digest: record.digest(),
        })
    }

    /// Removes names and images, then whatever nothing refers to any more.
    ///
    /// `users` is called under the store's lock and names every container. All targets are tried; `failures`
    /// collects what went wrong.
    pub fn remove(
        &self,
        targets: &[String],
        options: RemoveOptions,
        users: &dyn Fn() -> Result<Vec<InUse>>,
        failures: &mut Failures,
    ) -> Result<Vec<Removal>> {
        let lock = self.store.lock_structure()?;
        let users = users()?;
        let mut done = Vec::new();
        let before = done.len();
        for target in targets {
            match self.remove_one(target, options, &users, &mut done) {
                Err(err) if err.kind() == Kind::NotFound && (options.force || options.ignore) => {}
                Err(err) => failures.push(err),
                Ok(()) => {}
            }
        }
        let deleted = done[before..]
            .iter()
            .any(|step| matches!(step, Removal::Deleted(_)));
        if !deleted {
            return Ok(done);
        }
        let keep = self.references(&users)?;
        let collected = self.store.collect(&lock, &keep);
        drop(lock); // unlinking takes long and needs no lock
        if let Some((_, trash)) = failures.keep(collected) {
            failures.keep(self.store.empty(trash));
        }
        Ok(done)
    }

    /// Brings config and manifests of an image in a store below into this one: small, and enough to name it here.
    fn copy_documents(&self, lock: &WriteLock, record: &ImageRecord) -> Result<()> {
        for digest in std::iter::once(&record.id).chain(record.digests()) {
            let content = self.store.read_blob(digest, None)?;
            self.store.put_blob(lock, digest, &content)?;
        }
        Ok(())
    }

    fn remove_one(
        &self,
        target: &str,
        options: RemoveOptions,
        users: &[InUse],
        done: &mut Vec<Removal>,
    ) -> Result<()> {
        let Found { id, name } = self.locate(target)?;
        if self.is_read_only(&id) {
            return Err(Error::new(
                Kind::Unsupported,
                format!("cannot remove read-only image \"{}\"", id.hex()),
            ));
        }
        let tags: Vec<TagRecord> = self
            .all_tags()?
            .into_iter()
            .filter(|tag| tag.id == id && self.tag_path(&tag.reference).is_file())
            .collect();
        let going: Vec<&TagRecord> = match &name {
            Some(name) if name.digest().is_none() => {
                tags.iter().filter(|tag| tag.reference == *name).collect()
            }
            // By digest: every name the image has in that repository.
            Some(name) => tags
                .iter()
                .filter(|tag| tag.reference.name() == name.name())
                .collect(),
            None => tags.iter().collect(),
        };
        if name.is_none() && tags.len() > 1 && !options.force {
            let names: Vec<String> = tags.iter().map(|tag| tag.reference.to_string()).collect();
            return Err(Error::new(
                Kind::Usage,
                format!(
                    "unable to delete image \"{}\" by ID with more than one tag ([{}]): please force removal",
                    id.hex(),
                    names.join(" ")
                ),
            ));
        }
        let whole = going.len() == tags.len();
        let hex = id.hex();
        if whole && let Some(user) = users.iter().find(|user| user.image == hex) {
            return Err(Error::new(
                Kind::InUse,
                format!(
                    "image used by {}: image is in use by a container: consider listing external containers and force-removing image",
                    user.container
                ),
            ));
        }
        for tag in going {
            unlink(&self.tag_path(&tag.reference))?;
            done.push(Removal::Untagged(tag.reference.to_string()));
        }
        if whole {
            unlink(&self.image_path(&id))?;
            done.push(Removal::Deleted(hex));
        }
        Ok(())
    }

    /// All that images and containers refer to.
    fn references(&self, users: &[InUse]) -> Result<References> {
        let mut keep = References::default();
        for record in self.every_image()? {
            keep.blobs.extend(record.blobs());
            keep.layers.extend(record.layers.iter().copied());
        }
        for user in users {
            keep.layers
                .extend(user.layers.iter().filter_map(|path| chain_of(path)));
        }
        Ok(keep)
    }

    /// As [`Images::all_images`], but a damaged record stops it: what it refers to is not known, so nothing may
    /// be collected.
    fn every_image(&self) -> Result<Vec<ImageRecord>> {
        let dir = self.store.root().join("images");
        let tried = || format!("list \"{}\"", dir.display());
        let mut records = Vec::new();
        for entry in fs::read_dir(&dir).tried(tried)? {
            let entry = entry.tried(tried)?;
            let name = entry.file_name();
            if name
                .to_str()
                .is_some_and(|name| !crate::state::is_temporary(name))
            {
                let record = crate::state::load::<ImageRecord>(&entry.path()).map_err(|err| {
                    err.hint("remove this file and pull the image again; until then no space is reclaimed")
                })?;
                records.extend(record);
            }
        }
        Ok(records)
    }
}

/// Puts a name in front of the history.
pub(super) fn remember_name(record: &mut ImageRecord, reference: &Reference) {
    let name = reference.to_string();
    record.history.retain(|known| *known != name);
    record.history.insert(0, name);
    record.history.truncate(20);
}

/// `layers/<chain-id hex>/tree`
fn chain_of(path: &Path) -> Option<ChainId> {
    let hex = path.parent()?.file_name()?.to_str()?;
    Digest::from_sha256_hex(hex).ok().map(ChainId::from)
}

fn unlink(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => Err(Error::io(
            &err,
            format!("remove record \"{}\"", path.display()),
        )),
        _ => Ok(()),
    }
}
