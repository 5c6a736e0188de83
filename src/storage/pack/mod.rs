//! From trees to layers and tars: commit, export, and the blob of a layer that has only its tree.
//!
//! Runs in: worker, whose ids are those of the store's layers ([`crate::userns::mode::UsernsMode::Host`]).
//!
//! A committed layer is kept as a tree alone. `copy` makes the tree, `tar` writes it as the layer's blob, whose digest
//! is the diff id; the blob itself is not stored. Whoever needs its bytes has them written again: the writer is
//! deterministic, and everything it writes is in the tree. `walk` goes through a tree by descriptors, so a container
//! may change it meanwhile.

mod changes;
mod content;
pub(super) mod copy;
pub(super) mod header;
mod merged;
pub(super) mod owners;
pub(super) mod sink;
pub(super) mod tar;
pub(super) mod walk;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::DiffId;
use crate::error::{Error, Kind, Result};
use crate::rootless::worker::{self, WorkerHandle, WorkerOpts};
use crate::userns::map::IdMaps;

use owners::{Kept, Owners, Shift};
use tar::{Marks, TarWriter};

pub use changes::{Change, ChangeKind, changes_between, changes_of};
pub(super) use content::Content;
pub use merged::{Writable, mount_on, open as open_merged};

/// Version of the form that [`layer_tar`] writes. A layer says which one its diff id is of.
pub const WRITER: u32 = 1;

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// Bytes of the tar.
    pub tar_size: u64,
    /// Sum of the regular files, bytes.
    pub size: u64,
    /// Entries of the tar.
    pub entries: u64,
    pub left: Leftovers,
}

/// What a tar or a layer cannot hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftovers {
    pub sockets: u64,
    pub devices: u64,
    /// The first one, to show.
    pub first: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Socket,
    Device,
}

impl Leftovers {
    fn add(&mut self, what: Left, path: &[u8]) {
        match what {
            Left::Socket => self.sockets += 1,
            Left::Device => self.devices += 1,
        }
        if self.first.is_none() {
            self.first = Some(format!("/{}", String::from_utf8_lossy(path)));
        }
    }

    /// One sentence, where there is something to say.
    pub fn warning(&self) -> Option<String> {
        let first = self.first.as_deref()?;
        let what = match (self.sockets, self.devices) {
            (sockets, 0) => format!("{sockets} sockets"),
            (0, devices) => format!("{devices} devices"),
            (sockets, devices) => format!("{sockets} sockets and {devices} devices"),
        };
        Some(format!("leaving out {what}, such as \"{first}\""))
    }
}

/// The tree of a container or an image, where it is.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Directories written by a container, of its ids; `None`: an image alone.
    pub upper: Option<PathBuf>,
    /// Trees of layers, uppermost first; absolute.
    pub layers: Vec<PathBuf>,
    /// Maps of the container that wrote `upper`.
    pub ids: IdMaps,
}

/// Which part of a [`Tree`] is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What the container changed.
    Upper,
    /// Everything, as the container sees it.
    Merged,
}

/// A layer that was made from a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    pub diff_id: DiffId,
    pub packed: Packed,
}

/// Copies a part of `tree` to `into/tree` of a staged layer and finds out what the layer is called.
///
/// The digest is that of the copy, which nobody changes any more, not of what a running container has meanwhile.
/// For a process with one thread only.
pub fn copy_layer(maps: &IdMaps, tree: &Tree, part: Part, into: &Path) -> Result<Copied> {
    let mounts = part == Part::Merged;
    worker::run(maps, WorkerOpts { mounts }, || {
        let owners = tree.owners(maps)?;
        let (root, marks) = tree.open(part)?;
        let mut copier = copy::Copier::new(into, owners, marks)?;
        walk::walk(root, &mut copier)?;
        let left = copier.finish()?;
        let mut sink = sink::Hashing::new();
        let mut packed = write_layer(into, maps.is_single(), &mut sink)?;
        packed.left = left;
        Ok(Copied {
            diff_id: sink.digest()?.into(),
            packed,
        })
    })
    .map_err(|err| super::publish::explain_full(into, err))
}

/// Writes everything of `tree` as a tar to `to`.
///
/// For a process with one thread only.
pub fn export(maps: &IdMaps, tree: &Tree, to: OwnedFd) -> Result<Packed> {
    worker::run(maps, WorkerOpts { mounts: true }, || {
        let owners = tree.owners(maps)?;
        let (root, marks) = tree.open(Part::Merged)?;
        let mut sink = sink::ToFile::new(to);
        let mut writer = TarWriter::new(&mut sink, owners, marks);
        walk::walk(root, &mut writer)?;
        writer.finish()
    })
}

/// Starts to write the blob of the layer at `home` (`layers/<id>`) again, to `to`. The caller checks the digest.
///
/// For a process with one thread only.
pub fn layer_tar(
    maps: &IdMaps,
    home: &Path,
    single_id: bool,
    writer: u32,
    to: OwnedFd,
) -> Result<WorkerHandle<Packed>> {
    if writer != WRITER {
        return Err(Error::new(
            Kind::Unsupported,
            format!(
                "write layer \"{}\": its form {writer} is unknown",
                home.display()
            ),
        )
        .hint("use the newer pod that made it"));
    }
    if single_id != maps.is_single() && !single_id {
        return Err(Error::new(
            Kind::Unsupported,
            format!(
                "write layer \"{}\": it was made with subordinate ids, and there are none now",
                home.display()
            ),
        ));
    }
    let home = home.to_path_buf();
    worker::start(maps, WorkerOpts { mounts: false }, move || {
        write_layer(&home, single_id, &mut sink::ToFile::new(to))
    })
}

/// Runs in: worker.
fn write_layer(home: &Path, single_id: bool, sink: &mut dyn tar::Sink) -> Result<Packed> {
    let tree = home.join("tree");
    let owners = match single_id {
        true => Owners::Kept(Kept::load(None, [tree.as_path()])?),
        false => Owners::Files(Shift::none()),
    };
    let root = merged::open_dir(&tree)?;
    let mut writer = TarWriter::new(sink, owners, Marks::Whiteouts);
    walk::walk(root, &mut writer)?;
    writer.finish()
}

impl Tree {
    /// Runs in: worker.
    fn owners(&self, maps: &IdMaps) -> Result<Owners> {
        Ok(match maps.is_single() {
            true => Owners::Kept(Kept::load(
                self.upper.as_deref(),
                self.layers.iter().map(PathBuf::as_path),
            )?),
            false => Owners::of_files(maps, &self.ids, self.upper.as_deref())?,
        })
    }

    /// Runs in: worker.
    fn open(&self, part: Part) -> Result<(OwnedFd, Marks)> {
        match (part, &self.upper) {
            (Part::Upper, Some(upper)) => Ok((merged::open_dir(upper)?, Marks::Whiteouts)),
            (Part::Upper, None) => Err(Error::new(Kind::System, "copy changes: there are none")),
            (Part::Merged, upper) => {
                let dirs: Vec<&Path> = upper
                    .iter()
                    .chain(&self.layers)
                    .map(PathBuf::as_path)
                    .collect();
                Ok((merged::open(&dirs)?, Marks::Dropped))
            }
        }
    }
}
