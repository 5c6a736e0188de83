//! Removing images, and what only they needed: by name, by a choice among all, with parents that nothing else needs.
//!
//! Everything happens under the store's lock: names and records go first, so a process killed in between leaves an
//! image without a name or blobs without an image, both of which a later removal finds.

use std::fs;
use std::path::{Path, PathBuf};

use super::Images;
use super::family::Family;
use super::list::Summary;
use super::lookup::Found;
use super::record::{ImageRecord, names_of};
use super::reference::Reference;
use crate::error::{Error, Failures, Kind, Result, Tried};
use crate::storage::{ChainId, Digest, References, WriteLock};

/// One step of a removal, in Podman's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// The name is gone; `id` is of the image that had it.
    Untagged { name: String, id: String },
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
    /// `--no-prune`: parents without a name stay.
    pub no_prune: bool,
}

/// What a pruning removed.
#[derive(Debug, Default)]
pub struct Pruned {
    /// In the order of their removal.
    pub ids: Vec<Digest>,
    /// Bytes that are free now.
    pub bytes: u64,
}

/// Decides about one image of a pruning; the images are all that are left at that moment.
pub type Choice<'c> = dyn Fn(&Summary, &Family<'_>) -> Result<bool> + 'c;

/// Names every container of the store. Called under the store's lock.
pub type Users<'u> = dyn Fn() -> Result<Vec<InUse>> + 'u;

impl Images<'_> {
    /// Removes names and images, then whatever nothing refers to any more.
    ///
    /// All targets are tried; `failures` collects what went wrong.
    pub fn remove(
        &self,
        targets: &[String],
        options: RemoveOptions,
        users: &Users<'_>,
        failures: &mut Failures,
    ) -> Result<Vec<Removal>> {
        let lock = self.store.lock_structure()?;
        let mut shelf = Shelf::load(*self, users()?)?;
        let mut found: Vec<Found> = Vec::new();
        for target in targets {
            match self.locate(target) {
                Ok(one) if found.contains(&one) => {}
                Ok(one) => found.push(one),
                Err(err) if err.kind() == Kind::NotFound && (options.force || options.ignore) => {}
                Err(err) => failures.push(err),
            }
        }
        for one in found {
            failures.keep(shelf.take_by(&one, options));
        }
        self.reclaim(lock, &shelf, failures)?;
        Ok(shelf.done)
    }

    /// Removes all images, parents after their children. Those that containers use are failures.
    pub fn remove_all(
        &self,
        options: RemoveOptions,
        users: &Users<'_>,
        failures: &mut Failures,
    ) -> Result<Vec<Removal>> {
        let lock = self.store.lock_structure()?;
        let mut shelf = Shelf::load(*self, users()?)?;
        for id in shelf.ids() {
            failures.keep(shelf.take_whole(&id, options));
        }
        self.reclaim(lock, &shelf, failures)?;
        Ok(shelf.done)
    }

    /// Removes the images that `choice` picks and no container uses, again and again until none is left: a parent
    /// may be picked once its child is gone.
    pub fn prune(
        &self,
        choice: &Choice<'_>,
        users: &Users<'_>,
        failures: &mut Failures,
    ) -> Result<Pruned> {
        let lock = self.store.lock_structure()?;
        let mut shelf = Shelf::load(*self, users()?)?;
        loop {
            let mut picked = Vec::new();
            for image in &shelf.images {
                let used = shelf.user_of(&image.id).is_some();
                if !used && !image.read_only && choice(image, &shelf.family)? {
                    picked.push(image.id);
                }
            }
            let before = shelf.gone.len();
            for id in picked {
                failures.keep(shelf.take_whole(&id, RemoveOptions::default()));
            }
            if shelf.gone.len() == before {
                break;
            }
        }
        let bytes = self.reclaim(lock, &shelf, failures)?;
        Ok(Pruned {
            ids: shelf.gone,
            bytes,
        })
    }

    /// Collects what lost its last image; gives the bytes.
    fn reclaim(&self, lock: WriteLock, shelf: &Shelf<'_>, failures: &mut Failures) -> Result<u64> {
        if shelf.gone.is_empty() {
            return Ok(0);
        }
        let keep = self.references(&shelf.users)?;
        let collected = self.store.collect(&lock, &keep);
        drop(lock); // unlinking takes long and needs no lock
        let Some((report, trash)) = failures.keep(collected) else {
            return Ok(0);
        };
        failures.keep(self.store.empty(trash));
        self.forget_sent();
        Ok(report.bytes)
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
        // A layer that two images have in two compressions has the blob it was unpacked from, whosever that was.
        for layer in &keep.layers {
            let meta = self.store.layer_meta(layer).unwrap_or_default();
            let blob = meta.and_then(|meta| meta.blob);
            keep.blobs.extend(blob.map(|blob| *blob.digest()));
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

/// All images during a removal, read once, and what is done so far.
struct Shelf<'a> {
    store: Images<'a>,
    images: Vec<Summary>,
    family: Family<'a>,
    users: Vec<InUse>,
    done: Vec<Removal>,
    /// Images removed, whether or not their content stays as a child's.
    gone: Vec<Digest>,
}

impl<'a> Shelf<'a> {
    fn load(store: Images<'a>, users: Vec<InUse>) -> Result<Self> {
        let tags = store.own_tags()?;
        let names = names_of(&tags);
        let images: Vec<Summary> = store
            .all_images()?
            .iter()
            .map(|record| store.summarize(record, &names))
            .collect();
        Ok(Self {
            store,
            family: Family::new(store, &images),
            images,
            users,
            done: Vec::new(),
            gone: Vec::new(),
        })
    }

    /// Children before parents, so that each is told as deleted.
    fn ids(&self) -> Vec<Digest> {
        let own = self.images.iter().filter(|image| !image.read_only);
        let mut images: Vec<&Summary> = own.collect();
        images.sort_by(|a, b| (b.layers.len(), &b.created).cmp(&(a.layers.len(), &a.created)));
        images.iter().map(|image| image.id).collect()
    }

    fn get(&self, id: &Digest) -> Option<&Summary> {
        self.images.iter().find(|image| image.id == *id)
    }

    fn user_of(&self, id: &Digest) -> Option<&InUse> {
        let hex = id.hex();
        self.users.iter().find(|user| user.image == hex)
    }

    /// Removes what a word of the command line means: a name, or an image.
    fn take_by(&mut self, found: &Found, options: RemoveOptions) -> Result<()> {
        let Some(image) = self.get(&found.id) else {
            return match self.gone.contains(&found.id) {
                true => Ok(()), // by another word of the same command
                false => self.take_lost(&found.id),
            };
        };
        refuse_read_only(image)?;
        let all: Vec<Reference> = image.all_names().cloned().collect();
        match &found.name {
            // A name that only a store below has.
            Some(name) if name.digest().is_none() && !all.contains(name) => {
                return Err(read_only(image));
            }
            Some(name) if all.len() > 1 => {
                let going: Vec<Reference> = match name.digest() {
                    // By digest: every name the image has in that repository.
                    Some(_) => all
                        .iter()
                        .filter(|known| known.name() == name.name())
                        .cloned()
                        .collect(),
                    None => vec![name.clone()],
                };
                if going.len() < all.len() {
                    return going
                        .iter()
                        .try_for_each(|name| self.untag(&found.id, name));
                }
            }
            None if all.len() > 1 && !options.force => {
                let names: Vec<String> = all.iter().map(Reference::to_string).collect();
                return Err(Error::new(
                    Kind::Usage,
                    format!(
                        "unable to delete image \"{}\" by ID with more than one tag ([{}]): please force removal",
                        found.id.hex(),
                        names.join(" ")
                    ),
                ));
            }
            _ => {}
        }
        self.take_whole(&found.id, options)
    }

    /// Removes names whose image's record is damaged or missing, and what there is of it.
    fn take_lost(&mut self, id: &Digest) -> Result<()> {
        for tag in self.store.own_tags()?.iter().filter(|tag| tag.id == *id) {
            self.untag(id, &tag.reference)?;
        }
        unlink(&self.store.image_path(id))?;
        self.gone.push(*id);
        self.done.push(Removal::Deleted(id.hex()));
        Ok(())
    }

    /// Removes an image with all its names, then parents that have neither a name nor another child.
    fn take_whole(&mut self, id: &Digest, options: RemoveOptions) -> Result<()> {
        let mut next = Some(*id);
        while let Some(id) = next.take() {
            let Some(image) = self.get(&id) else {
                return Ok(());
            };
            refuse_read_only(image)?;
            if let Some(user) = self.user_of(&id) {
                return Err(Error::new(
                    Kind::InUse,
                    format!(
                        "image used by {}: image is in use by a container: consider listing external containers and force-removing image",
                        user.container
                    ),
                ));
            }
            let names: Vec<Reference> = image.all_names().cloned().collect();
            let has_children = !self.family.children(&id).is_empty();
            let parent = self.family.parent(&id);
            for name in &names {
                self.untag(&id, name)?;
            }
            unlink(&self.store.image_path(&id))?;
            self.images.retain(|image| image.id != id);
            self.family.remove(&id);
            self.gone.push(id);
            // Its content is still there as the child's: Podman says nothing then.
            if !has_children {
                self.done.push(Removal::Deleted(id.hex()));
            }
            next = parent.filter(|parent| !options.no_prune && self.is_prunable(parent));
        }
        Ok(())
    }

    fn is_prunable(&self, id: &Digest) -> bool {
        self.get(id)
            .is_some_and(|image| !image.has_names() && !image.read_only)
            && self.user_of(id).is_none()
            && self.family.children(id).is_empty()
            && !self
                .get(id)
                .is_some_and(|image| self.family.is_listed(image))
    }

    fn untag(&mut self, id: &Digest, name: &Reference) -> Result<()> {
        self.store.drop_name(name)?;
        if let Some(image) = self.images.iter_mut().find(|image| image.id == *id) {
            image.names.retain(|known| known != name);
            image.pinned.retain(|known| known != name);
        }
        self.done.push(Removal::Untagged {
            name: name.to_string(),
            id: id.hex(),
        });
        Ok(())
    }
}

fn refuse_read_only(image: &Summary) -> Result<()> {
    match image.read_only {
        false => Ok(()),
        true => Err(read_only(image)),
    }
}

fn read_only(image: &Summary) -> Error {
    Error::new(
        Kind::Unsupported,
        format!("cannot remove read-only image \"{}\"", image.id.hex()),
    )
}

/// `layers/<chain-id hex>/tree`
fn chain_of(path: &Path) -> Option<ChainId> {
    let hex = path.parent()?.file_name()?.to_str()?;
    Digest::from_sha256_hex(hex).ok().map(ChainId::from)
}

pub(super) fn unlink(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => Err(Error::io(
            &err,
            format!("remove record \"{}\"", path.display()),
        )),
        _ => Ok(()),
    }
}
